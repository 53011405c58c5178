//! What the system says of this process; nothing on systems that do not say it in files.

use prometheus::IntGauge;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;

/// Names that dashboards know.
pub(super) fn families() -> Vec<MetricFamily> {
    let memory = gauge("process_resident_memory_bytes", "Memory of this process.", resident_bytes());
    // The folder is itself open while it is read.
    let files = std::fs::read_dir("/proc/self/fd").map(|open| open.count().saturating_sub(1) as u64).ok();
    memory.into_iter().chain(gauge("process_open_fds", "Open files and connections of this process.", files)).collect()
}

/// `VmRSS:   12345 kB`.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

fn gauge(name: &str, help: &str, value: Option<u64>) -> Vec<MetricFamily> {
    let Some(value) = value else { return Vec::new() };
    let gauge = IntGauge::new(name, help).expect("Invariant: a gauge's name is one");
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.collect()
}
