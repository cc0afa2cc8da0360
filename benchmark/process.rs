//! What a process takes, read from Linux's `/proc`, and how much of a core it gets.

use std::{
    fs,
    path::{Path, PathBuf},
};

use local::Result;

/// The time that a process has had a core, in milliseconds.
pub(crate) fn cpu_ms(process: u32) -> Result<f64> {
    let tasks = PathBuf::from(format!("/proc/{process}/task"));
    let entries = fs::read_dir(&tasks).map_err(|error| format!("{}: {error}", tasks.display()))?;
    let nanoseconds = entries.flatten().filter_map(|task| {
        let statistics = fs::read_to_string(task.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse::<f64>().ok()
    });
    Ok(nanoseconds.sum::<f64>() / 1e6)
}

/// The most memory that a process has had resident, in MiB.
pub(crate) fn peak_rss_mib(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kib.ok_or(format!("{path} has no VmHWM"))? / 1_024.0)
}

/// How long a process may run in one go, in microseconds: the least that Linux deals out, so that no
/// burst hides the cut.
const QUOTA_US: u32 = 1_000;

/// A share of a core, for the processes that are put in: a control group. It goes when it is dropped.
pub(crate) struct Share {
    dir: PathBuf,
}

impl Share {
    /// A group whose processes get this share of one core; none where this machine has no control
    /// groups for us.
    pub(crate) fn of_a_core(share: f64) -> Option<Self> {
        let period = (f64::from(QUOTA_US) / share) as u32;
        let name = format!("groups-bench-{}", std::process::id());
        // Version 1 has a tree for each controller, version 2 has one tree.
        let first = Path::new("/sys/fs/cgroup/cpu").join(&name);
        let second = Path::new("/sys/fs/cgroup").join(&name);
        if first.parent().is_some_and(Path::exists) {
            let share = Self::create(first)?;
            fs::write(share.dir.join("cpu.cfs_period_us"), period.to_string()).ok()?;
            fs::write(share.dir.join("cpu.cfs_quota_us"), QUOTA_US.to_string()).ok()?;
            Some(share)
        } else {
            let share = Self::create(second)?;
            fs::write(share.dir.join("cpu.max"), format!("{QUOTA_US} {period}")).ok()?;
            Some(share)
        }
    }

    fn create(dir: PathBuf) -> Option<Self> {
        fs::create_dir(&dir).ok()?;
        Some(Self { dir })
    }

    /// Puts a process in.
    pub(crate) fn take(&self, process: u32) -> Result<()> {
        let path = self.dir.join("cgroup.procs");
        fs::write(&path, process.to_string())
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir);
    }
}
