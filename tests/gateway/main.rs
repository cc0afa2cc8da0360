//! `local` must behave as AWS documents API Gateway's HTTP APIs, Lambda, SQS and Pipes. The function is
//! tests/functions/probe.rs, and the API is template.yaml in this directory.

mod event_source;
mod http;
mod invocations;
mod limits;
mod messages;
mod pipe;
mod requests;
mod responses;
mod routes;
mod settings;
mod sqs_api;

use std::{
    env,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
    time::Duration,
};

use local::{Options, Stack};

/// Returns the directory of the binaries. The probe is in its directory `examples`.
fn binaries() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_create-group"));
    binary
        .parent()
        .expect("a binary is in a directory")
        .to_owned()
}

/// Returns options for a stack whose name no other stack may have.
fn options(name: &str) -> Options {
    // With cargo-nextest, each test is a process with its own copy of the stacks that tests share.
    let process = env::var_os("NEXTEST").map(|_| format!("-{}", process::id()));
    Options {
        name: format!("gateway/{name}{}", process.unwrap_or_default()),
        binaries: binaries(),
        concurrency: 3,
        client_timeout: Duration::from_secs(2),
        template: local::tools::workspace().join("tests/gateway/template.yaml"),
        ..Options::default()
    }
}

/// Returns the stack that most tests share.
fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| Stack::start(options("shared")).expect("the stack starts"))
}

/// Kills the instances of the probe, and waits until they have ended.
fn kill_instances(stack: &Stack) {
    let state = |process: &str| {
        let ps = Command::new("ps")
            .args(["-o", "stat=", "-p", process])
            .output();
        String::from_utf8(ps.expect("ps runs").stdout).expect("the output is UTF-8")
    };
    for process in stack
        .process_ids("examples/probe")
        .iter()
        .map(u32::to_string)
    {
        let killed = Command::new("kill").args(["-KILL", &process]).status();
        assert!(killed.expect("kill runs").success());
        // A zombie has ended, even if its parent has not waited for it yet.
        while !state(&process).is_empty() && !state(&process).starts_with('Z') {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
