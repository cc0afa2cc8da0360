//! Makes sure that no process outlives the one that started it.

use std::{
    os::unix::process::CommandExt,
    process::{self, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

use crate::{Result, block_on, runtime};

/// The reaper's program. It reads the ids of further processes from its standard input. The input
/// ends when this process ends, however that happens; the reaper then ends those processes and its
/// own process group, first with SIGTERM and a second later with SIGKILL.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r process; do others="$others $process"; done
kill -TERM 0 $others 2>/dev/null
sleep 1
kill -KILL $others 2>/dev/null
kill -KILL 0
"#;

/// How long [`ProcessReaper::end`] waits after SIGTERM.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// A process that ends all that was started with it, even if this process is killed with SIGKILL.
#[derive(Debug)]
pub struct ProcessReaper {
    process: process::Child,
    lifeline: Option<ChildStdin>,
}

impl ProcessReaper {
    /// Starts a reaper with a process group of its own.
    ///
    /// # Errors
    /// Returns an error if there is no `sh`.
    pub fn start() -> Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start sh: {error}. Install a POSIX shell"))?;
        let lifeline = process.stdin.take();
        Ok(Self { process, lifeline })
    }

    /// The process group that this reaper ends.
    pub fn group(&self) -> ProcessGroup {
        ProcessGroup(i32::try_from(self.process.id()).unwrap_or_default())
    }

    /// Also ends a process outside the group: one that needs the terminal.
    pub fn adopt(&mut self, process: u32) {
        if let Some(lifeline) = &mut self.lifeline {
            use std::io::Write;
            // This fails only if the reaper is gone, and then its group is gone too.
            let _ = writeln!(lifeline, "{process}");
        }
    }

    /// Ends the process group: with SIGTERM, and with SIGKILL if one of `services` is still there
    /// after two seconds.
    pub fn end<'a>(&mut self, services: impl IntoIterator<Item = &'a mut Child>) {
        let group = Pid::from_raw(self.group().0);
        let signal = |signal| group.map(|group| kill_process_group(group, signal));
        signal(Signal::TERM);
        let deadline = Instant::now() + EXIT_TIMEOUT;
        for service in services {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let _ = block_on(async { tokio::time::timeout(remaining, service.wait()).await });
        }
        signal(Signal::KILL);
        let _ = self.process.wait();
    }
}

/// A process group that ends with this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessGroup(i32);

impl ProcessGroup {
    /// Starts a process in this group. It has no standard input, and signals of the terminal do not
    /// reach it.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub fn spawn(self, command: &mut Command) -> Result<Child> {
        let program = command.get_program().to_string_lossy().into_owned();
        let command = std::mem::replace(command, Command::new(""));
        let mut command = tokio::process::Command::from(command);
        let _context = runtime().enter();
        let spawned = command
            .stdin(Stdio::null())
            .process_group(self.0)
            .kill_on_drop(true)
            .spawn();
        spawned.map_err(|error| format!("cannot start {program}: {error}"))
    }
}
