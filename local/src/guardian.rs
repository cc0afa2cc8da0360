//! Makes sure that nothing outlives the process that started it.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use crate::Result;

/// What the guardian runs: it takes the numbers of further processes from its standard input, and
/// when that ends, because whoever held the other end is gone, it ends them and its own process
/// group: politely first, then for certain. Signals meant for the others do not end it before.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r process; do others="$others $process"; done
kill -TERM 0 $others 2>/dev/null
sleep 1
kill -KILL $others 2>/dev/null
kill -KILL 0
"#;

/// How long [`Guardian::end`] waits for the processes to go by themselves.
const PATIENCE: Duration = Duration::from_secs(2);

/// A process that outlives this one for a moment, to end all that was started with it. It needs no
/// cooperation: the pipe between the two closes even where this process is killed with SIGKILL.
#[derive(Debug)]
pub struct Guardian {
    process: Child,
    lifeline: Option<ChildStdin>,
}

impl Guardian {
    /// Starts a guardian with a process group of its own.
    ///
    /// # Errors
    /// Where there is no `sh`.
    pub fn start() -> Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start sh: {error}; a POSIX shell is needed"))?;
        let lifeline = process.stdin.take();
        Ok(Self { process, lifeline })
    }

    /// The group that this guardian watches over.
    pub(crate) fn group(&self) -> Group {
        Group(i32::try_from(self.process.id()).unwrap_or_default())
    }

    /// Starts a process that ends with this one. It reads nothing, and no signal of the terminal
    /// reaches it.
    ///
    /// # Errors
    /// Where the program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<Child> {
        self.group().spawn(command)
    }

    /// Sees to a process that was started elsewhere, as one that needs the terminal is.
    pub fn adopt(&mut self, process: &Child) {
        if let Some(lifeline) = &mut self.lifeline {
            // Where the guardian is gone there is nobody to tell, and nothing left to guard.
            let _ = writeln!(lifeline, "{}", process.id());
        }
    }

    /// Ends `processes`, which this guardian started, and then itself.
    pub fn end<'a>(&mut self, processes: impl IntoIterator<Item = &'a mut Child>) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let deadline = Instant::now() + PATIENCE;
        for process in processes {
            while matches!(process.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

/// A process group that ends with this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group(i32);

impl Group {
    /// Starts a process in this group, as [`Guardian::spawn`] does.
    pub(crate) fn spawn(self, command: &mut Command) -> Result<Child> {
        command
            .stdin(Stdio::null())
            .process_group(self.0)
            .spawn()
            .map_err(|error| {
                format!(
                    "cannot start {}: {error}",
                    command.get_program().to_string_lossy()
                )
            })
    }
}
