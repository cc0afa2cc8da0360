//! The last run of tests/api, whose logs tests/logs.rs and tests/permissions.rs check. The logs are complete only if
//! one process has run all tests. cargo-nextest runs each test in a process of its own, with its own stack, so
//! .config/nextest.toml lets it run `cargo test --test api` first.

use std::{
    env, fs, panic,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use local::{Template, tools};

/// The name of the stack whose logs are checked.
const STACK: &str = "tests";

/// The name of the stacks of runs that leave tests out, so that they keep the logs of the last run of all tests.
const SELECTED: &str = "tests-selected";

/// The files that mark the start and the end of a run, among its logs.
const STARTED: &str = "run-started";
const FINISHED: &str = "run-finished";

/// The state of this process's run.
struct Run {
    /// The directory of the logs, once the stack has started.
    logs: Option<PathBuf>,
    running_tests: usize,
    has_failed: bool,
}

static RUN: Mutex<Run> = Mutex::new(Run {
    logs: None,
    running_tests: 0,
    has_failed: false,
});

fn lock_run() -> MutexGuard<'static, Run> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the name of the stack that all tests of this process share.
pub fn stack_name() -> String {
    // Any other argument may leave tests out.
    let keeps_all_tests = |argument: String| {
        [
            "--nocapture",
            "--no-capture",
            "--show-output",
            "--quiet",
            "-q",
        ]
        .contains(&argument.as_str())
            || argument.starts_with("--test-threads=")
    };
    if env::args().skip(1).all(keeps_all_tests) {
        STACK.to_owned()
    } else {
        format!("{SELECTED}/{}", process::id())
    }
}

/// Marks the start of a run whose stack has this directory of logs.
pub fn start(logs: &Path) {
    fs::write(logs.join(STARTED), "").expect("the file is written");
    lock_run().logs = Some(logs.to_owned());
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        lock_run().has_failed = true;
        report(info);
    }));
}

/// Registers the test that runs on this thread, so that the run counts as unfinished until the test ends.
pub fn register_test() {
    // Proxies call this on threads that outlive the test. libtest names a test's thread after the test, and runs
    // tests on the main thread if it may have only one.
    let thread = thread::current();
    if thread
        .name()
        .is_some_and(|name| name == "main" || name.contains("::"))
    {
        TEST.with(|_| ());
    }
}

thread_local! {
    static TEST: RunningTest = RunningTest::start();
}

/// A test that uses a stack. It is dropped when its thread ends.
struct RunningTest;

impl RunningTest {
    fn start() -> Self {
        let mut run = lock_run();
        run.running_tests += 1;
        if let Some(logs) = &run.logs {
            let _ = fs::remove_file(logs.join(FINISHED));
        }
        Self
    }
}

impl Drop for RunningTest {
    fn drop(&mut self) {
        let mut run = lock_run();
        run.running_tests -= 1;
        if let (Some(logs), 0, false) = (&run.logs, run.running_tests, run.has_failed) {
            // If this fails, the tests that read the logs fail.
            let _ = fs::write(logs.join(FINISHED), "");
        }
    }
}

/// Returns the directory of the logs of the last run of all tests.
///
/// # Panics
/// Panics if that run is unfinished, has failed, or is older than the functions.
pub fn finished_logs() -> PathBuf {
    let logs = tools::home()
        .expect("target/local exists")
        .join("logs")
        .join(STACK);
    assert!(
        is_current(&logs),
        "tests/api has not run, has not passed, or has run with older functions: run `cargo test --test api` first"
    );
    logs
}

fn is_current(logs: &Path) -> bool {
    let modified = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified());
    let Ok(started) = modified(logs.join(STARTED)) else {
        return false;
    };
    let template = Template::read(&tools::workspace().join("template.yaml"), &[])
        .expect("the template is valid");
    let functions = template.functions().expect("the functions are valid");
    let is_older =
        |binary: &str| modified(binaries().join(binary)).is_ok_and(|built| built <= started);
    logs.join(FINISHED).exists() && functions.iter().all(|function| is_older(&function.binary))
}

/// Returns the directory of the functions' binaries.
pub fn binaries() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_create-group"));
    binary
        .parent()
        .expect("a binary is in a directory")
        .to_owned()
}
