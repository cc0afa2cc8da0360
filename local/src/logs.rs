//! The log files of a stack, in `target/local/logs`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, tools};

/// The directory with the logs of one stack.
#[derive(Clone, Debug)]
pub(crate) struct Logs(PathBuf);

impl Logs {
    /// Creates an empty directory for the logs of the stack `name`.
    pub(crate) fn create(name: &str) -> Result<Self> {
        let dir = tools::home()?.join("logs").join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)
            .map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        Ok(Self(dir))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// Returns the log of one program.
    pub(crate) fn of(&self, program: &str) -> Log {
        let name = program.trim_start_matches('/').replace('/', "-");
        Log(self.0.join(format!("{name}.log")))
    }
}

/// The log file of one program.
#[derive(Clone, Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    /// Makes `command` append its output to this file.
    pub(crate) fn redirect<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        Ok(command.stdout(self.append()?).stderr(self.append()?))
    }

    /// Opens the file for appending.
    pub(crate) fn append(&self) -> Result<File> {
        let file = File::options().create(true).append(true).open(&self.0);
        file.map_err(|error| format!("cannot write {}: {error}", self.0.display()))
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap_or_default()
    }

    /// Returns the last five lines and the path of the file as a sentence, or nothing if the log is empty.
    pub(crate) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        if lines.is_empty() {
            return String::new();
        }
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        format!("The end of its log, {}:\n{last}", self.0.display())
    }
}
