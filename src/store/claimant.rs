//! Who claims days and requests.

/// A name that no other claimant has, and that tells a person which process on which machine it is.
pub fn name() -> String {
    // Where the system does not say its name in a file, process and random number still tell claimants apart.
    let host = host_name().unwrap_or_else(|| "?".to_owned());
    format!("{host} {} {:08x}", std::process::id(), fastrand::u32(..))
}

/// The name of this machine, where the system says it in a file.
pub fn host_name() -> Option<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(host.trim().to_owned()).filter(|host| !host.is_empty())
}
