//! Who claims days and requests.

/// A name that no other claimant has, and that tells a person which process on which machine it is.
pub fn name() -> String {
    // Where the system does not say its name in a file, process and random number still tell claimants apart.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim()).filter(|host| !host.is_empty()).unwrap_or("?");
    format!("{host} {} {:08x}", std::process::id(), fastrand::u32(..))
}
