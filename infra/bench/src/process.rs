//! What a process has used, as Linux counts it.

use std::time::Duration;

use anyhow::Context as _;

/// The processor time of a process: all its threads, to the nanosecond.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).context("threads")? {
        let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = schedstat.split_ascii_whitespace().next().unwrap_or_default();
        sum = sum.saturating_add(Duration::from_nanos(on_cpu.parse().context("schedstat")?));
    }
    Ok(sum)
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
    fn a_process_sees_its_own_use_grow() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        std::hint::black_box((0..5_000_000_u64).fold(0, |sum: u64, n| sum.wrapping_add(n * n)));
        std::thread::yield_now();
        assert!(cpu(pid).unwrap() > before);
        assert!(peak_kib(pid).unwrap() > 0);
    }
}
