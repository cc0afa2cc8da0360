//! The logs of the programs of a stack, in `target/local/logs`.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, tools};

/// The directory of the logs of one stack.
#[derive(Debug)]
pub(crate) struct Logs(PathBuf);

impl Logs {
    /// Makes an empty directory for the logs of the stack `name`.
    pub(crate) fn begin(name: &str) -> Result<Self> {
        let dir = tools::home()?.join("logs").join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)
            .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        Ok(Self(dir))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The log of one program.
    pub(crate) fn of(&self, program: &str) -> Log {
        Log(self.0.join(format!("{program}.log")))
    }
}

/// The log file of one program.
#[derive(Clone, Debug)]
pub(crate) struct Log(PathBuf);

impl Log {
    /// Has `command` write here, behind what its other instances have written.
    pub(crate) fn receive<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        Ok(command.stdout(self.append()?).stderr(self.append()?))
    }

    /// The file, to write behind what is there.
    pub(crate) fn append(&self) -> Result<File> {
        let fault = |error: io::Error| format!("cannot write {}: {error}", self.path().display());
        let mut options = File::options();
        let file = options.create(true).append(true).open(self.path());
        file.map_err(fault)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap_or_default()
    }

    pub(crate) fn last_line(&self) -> String {
        let text = self.text();
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or("it wrote nothing").trim().to_owned()
    }
}
