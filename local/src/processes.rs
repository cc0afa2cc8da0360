//! Ensures that no child process outlives this process.

use std::{
    os::unix::process::CommandExt,
    process::{self, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

use crate::{Result, block_on, runtime};

/// The reaper's program. It reads the ids of more processes from its standard input, which is closed when
/// this process ends for any reason. The reaper then ends those processes and its own process group, first
/// with SIGTERM and a second later with SIGKILL.
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

/// A process that ends all child processes when this process ends, even after SIGKILL.
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

    /// Adds a process outside the group, because it uses the terminal.
    pub fn adopt(&mut self, process: u32) {
        if let Some(lifeline) = &mut self.lifeline {
            use std::io::Write;
            // Ignore the error: it means that the reaper and its group have ended.
            let _ = writeln!(lifeline, "{process}");
        }
    }

    /// Ends the process group with SIGTERM, waits up to two seconds for `services` to exit, and sends
    /// SIGKILL.
    pub fn end<'a>(&mut self, services: impl IntoIterator<Item = &'a mut Child>) {
        let group = Pid::from_raw(self.group().0);
        let send = |signal| group.map(|group| kill_process_group(group, signal));
        send(Signal::TERM);
        let deadline = Instant::now() + EXIT_TIMEOUT;
        for service in services {
            let remaining = deadline.saturating_duration_since(Instant::now());
            let _ = block_on(async { tokio::time::timeout(remaining, service.wait()).await });
        }
        send(Signal::KILL);
        let _ = self.process.wait();
    }
}

/// A process group that is ended when this process ends.
#[derive(Clone, Copy, Debug)]
pub struct ProcessGroup(i32);

impl ProcessGroup {
    /// Starts a process in this group, without standard input. It does not receive signals of the terminal.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub fn spawn(self, command: &mut Command) -> Result<Child> {
        let program = command.get_program().to_string_lossy().into_owned();
        let taken = std::mem::replace(command, Command::new(""));
        let _context = runtime().enter();
        let spawned = tokio::process::Command::from(taken)
            .stdin(Stdio::null())
            .process_group(self.0)
            .kill_on_drop(true)
            .spawn();
        spawned.map_err(|error| format!("cannot start {program}: {error}"))
    }
}
