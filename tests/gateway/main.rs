//! `local` against what AWS documents of API Gateway's HTTP APIs, Lambda, SQS and Pipes. Its
//! function is tests/functions/probe.rs, its API template.yaml beside this file.

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
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use local::{Options, Stack};

/// The directory of the binaries; the probe is in `examples` below it.
fn binaries() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_create-group"));
    binary
        .parent()
        .expect("a binary is in a directory")
        .to_owned()
}

fn options(name: &str) -> Options {
    Options {
        name: format!("gateway/{name}"),
        binaries: binaries(),
        concurrency: 3,
        client_timeout: Duration::from_secs(2),
        template: local::tools::workspace().join("tests/gateway/template.yaml"),
        ..Options::default()
    }
}

/// The stack that most tests share.
fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| Stack::start(options("shared")).expect("the stack starts"))
}

/// Kills the instances of the probe, and waits until they are dead.
fn kill_instances(stack: &Stack) {
    let state = |process: &str| {
        let ps = Command::new("ps")
            .args(["-o", "stat=", "-p", process])
            .output();
        String::from_utf8(ps.expect("ps runs").stdout).expect("UTF-8")
    };
    for process in stack
        .process_ids("examples/probe")
        .iter()
        .map(u32::to_string)
    {
        let killed = Command::new("kill").args(["-KILL", &process]).status();
        assert!(killed.expect("kill runs").success());
        // A zombie is dead, even if its parent has not noticed yet.
        while !state(&process).is_empty() && !state(&process).starts_with('Z') {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
