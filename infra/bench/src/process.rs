//! What a process has used, as Linux counts it.

use std::time::Duration;

use anyhow::Context as _;

/// The processor time of a process, to the nanosecond: that of its threads that still run. The
/// functions have one.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).context("threads")? {
        let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        sum = sum.saturating_add(on_cpu(&schedstat).context("schedstat")?);
    }
    Ok(sum)
}

fn on_cpu(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The most memory a process has had in RAM so far, in KiB.
pub(crate) fn peak_kib(pid: u32) -> anyhow::Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("status")?;
    high_water_mark(&status).context("no VmHWM")
}

fn high_water_mark(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_read_from_a_status_file() {
        let status = "VmPeak:\t   99 kB\nVmHWM:\t    9432 kB\nVmRSS:\t 8000 kB\n";
        assert_eq!(high_water_mark(status), Some(9432));
        assert_eq!(high_water_mark("VmRSS:\t 1 kB\n"), None);
    }

    #[test]
    fn time_on_the_processor_comes_first_in_schedstat() {
        assert_eq!(on_cpu("1500000 27 3\n"), Some(Duration::from_micros(1500)));
        assert_eq!(on_cpu(""), None);
    }
}
