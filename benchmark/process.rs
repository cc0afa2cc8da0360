//! The CPU time and the memory of a process, read from Linux's `/proc`, and a limit on its share of a core.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use local::Result;

/// Returns the CPU time of a process in milliseconds.
pub(crate) fn cpu_ms(process: u32) -> Result<f64> {
    let dir = PathBuf::from(format!("/proc/{process}/task"));
    let tasks = fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let statistics = fs::read_to_string(task.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse::<f64>().ok()
    });
    Ok(nanoseconds.sum::<f64>() / 1e6)
}

/// Returns the largest resident memory that a process has had, in MiB.
pub(crate) fn peak_rss_mib(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kib.ok_or(format!("{path} contains no VmHWM"))? / 1_024.0)
}

/// The CPU time per period, in microseconds: the smallest quota that Linux allows, so that bursts do not
/// mask the limit.
const QUOTA_US: u32 = 1_000;

/// A control group that limits its processes to a share of a core. It is removed when it is dropped.
pub(crate) struct CpuQuota {
    dir: PathBuf,
}

impl CpuQuota {
    /// Creates a group whose processes get this fraction of one core. Returns `None` if this machine does
    /// not allow control groups.
    pub(crate) fn new(fraction: f64) -> Option<Self> {
        let period = (f64::from(QUOTA_US) / fraction) as u32;
        let name = format!("groups-bench-{}", std::process::id());
        // cgroup v1 has a tree for each controller, v2 one tree for all.
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        let is_v1 = v1.exists();
        let root = if is_v1 {
            v1
        } else {
            Path::new("/sys/fs/cgroup")
        };
        let quota = Self {
            dir: root.join(name),
        };
        fs::create_dir(&quota.dir).ok()?;
        let write = |file: &str, limit: String| fs::write(quota.dir.join(file), limit).ok();
        if is_v1 {
            write("cpu.cfs_period_us", period.to_string())?;
            write("cpu.cfs_quota_us", QUOTA_US.to_string())?;
        } else {
            write("cpu.max", format!("{QUOTA_US} {period}"))?;
        }
        Some(quota)
    }

    /// Limits a process.
    pub(crate) fn limit(&self, process: u32) -> Result<()> {
        let path = self.dir.join("cgroup.procs");
        fs::write(&path, process.to_string())
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        // The kernel refuses until the killed processes have exited.
        for _ in 0..100 {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
