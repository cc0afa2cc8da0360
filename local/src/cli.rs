//! The command line of `cargo local`.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, ExitCode, ExitStatus},
    time::Duration,
};

use lexopt::prelude::*;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{
    DynamoDb, Options, ProcessReaper, Result, Stack, Template, block_on,
    dynamodb::ENDPOINT_URL,
    runtime, sample, serve,
    terminal::{print, say, with_progress},
    tools,
};

const USAGE: &str = "\
Runs the groups API on this machine, on DynamoDB Local.

cargo local [OPTIONS]
    Serves the API on 127.0.0.1 until Ctrl-C, and rebuilds what you change.
cargo local [OPTIONS] -- COMMAND [ARGUMENT ...]
    Runs a command against a stack of its own on a free port, with GROUPS_URL and GROUPS_TOKEN set,
    and exits with the command's status.

Options:
    --port PORT              The port (default: 9000); not with a command
    --data-dir DIR           Keep the data in this directory (default: in memory); not with a command
    --reset                  Delete the data in the data directory first
    --parameter NAME=VALUE   Set a parameter of template.yaml (repeatable); AllowedOrigins is * here
    --concurrency N          The number of instances that a function may have at once (default: 10)
    --release                Build and run the functions as they are deployed, optimized
    --json                   Print the functions' JSON log instead of a line for each request
    --help                   Print this text

If AWS_ENDPOINT_URL_DYNAMODB is set, that DynamoDB is used instead of DynamoDB Local.";

/// The account of the token and the sample groups.
pub(crate) const ACCOUNT_ID: &str = "local";

/// How long a command may run after a signal before it receives SIGTERM, and then SIGKILL.
const COMMAND_EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The parsed command line.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    help: bool,
    pub port: Option<u16>,
    pub data_dir: Option<PathBuf>,
    pub reset: bool,
    parameters: Vec<(String, String)>,
    concurrency: Option<usize>,
    pub release: bool,
    json: bool,
    command: Vec<OsString>,
}

/// Runs `cargo local`.
pub fn main() -> ExitCode {
    let run = |arguments: Arguments| {
        if arguments.help {
            print(USAGE);
            Ok(ExitCode::SUCCESS)
        } else if arguments.command.is_empty() {
            serve::serve(&arguments)
        } else {
            run_command(&arguments)
        }
    };
    parse(std::env::args_os().skip(1).collect())
        .and_then(run)
        .unwrap_or_else(|error| {
            say(&format!("cargo local: {error}"));
            ExitCode::FAILURE
        })
}

fn parse(mut given: Vec<OsString>) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    if let Some(separator) = given.iter().position(|argument| argument == "--") {
        arguments.command = given.split_off(separator).split_off(1);
        if arguments.command.is_empty() {
            return Err("there is no command after --".to_owned());
        }
    }
    parse_options(&mut arguments, given)
        .map_err(|error| format!("{error}; see cargo local --help"))?;
    let only_serving = arguments.port.is_some() || arguments.data_dir.is_some();
    if only_serving && !arguments.command.is_empty() {
        return Err("a command always has its own stack: omit --port and --data-dir".to_owned());
    }
    if arguments.reset && arguments.data_dir.is_none() {
        return Err("--reset needs --data-dir: without one, the data are in memory".to_owned());
    }
    Ok(arguments)
}

fn parse_options(arguments: &mut Arguments, given: Vec<OsString>) -> Result<(), lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(given);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => arguments.help = true,
            Long("port") => {
                let parse_port = |text: &str| match text.parse() {
                    Ok(port @ 1..) => Ok(port),
                    _ => Err("a port is 1 to 65535"),
                };
                arguments.port = Some(parser.value()?.parse_with(parse_port)?);
            }
            Long("data-dir") => arguments.data_dir = Some(parser.value()?.into()),
            Long("reset") => arguments.reset = true,
            Long("parameter") => {
                let parse_pair = |text: &str| {
                    let (name, value) = text.split_once('=').ok_or("a parameter is NAME=VALUE")?;
                    Ok::<_, &str>((name.to_owned(), value.to_owned()))
                };
                let parameter = parser.value()?.parse_with(parse_pair)?;
                arguments.parameters.push(parameter);
            }
            Long("concurrency") => {
                let parse_count = |text: &str| match text.parse() {
                    Ok(count @ 1..=1000) => Ok(count),
                    _ => Err("it is 1 to 1000"),
                };
                arguments.concurrency = Some(parser.value()?.parse_with(parse_count)?);
            }
            Long("release") => arguments.release = true,
            Long("json") => arguments.json = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(())
}

/// Returns the options of a stack. Also reads the template, so that a wrong parameter is reported before
/// the build.
pub(crate) fn stack_options(arguments: &Arguments, name: &str) -> Result<Options> {
    let profile = if arguments.release {
        "release"
    } else {
        "debug"
    };
    let mut options = Options {
        name: name.to_owned(),
        port: arguments.port,
        binaries: tools::target_dir()?.join(profile),
        json: arguments.json,
        ..Options::default()
    };
    options.concurrency = arguments.concurrency.unwrap_or(options.concurrency);
    options.parameters.extend(arguments.parameters.clone());
    Template::read(&options.template, &options.parameters)?;
    if arguments.data_dir.is_some() && DynamoDb::from_env().is_some() {
        return Err(format!(
            "--data-dir is for DynamoDB Local: unset {ENDPOINT_URL}, or omit it"
        ));
    }
    Ok(options)
}

/// Builds the functions and fetches DynamoDB Local at the same time.
pub(crate) fn prepare(release: bool) -> Result<()> {
    let building = std::thread::spawn(move || build(release));
    if DynamoDb::from_env().is_none() {
        tools::DynamoDbLocal::fetch()?;
    }
    building
        .join()
        .unwrap_or_else(|_| Err("the build was interrupted".to_owned()))
}

/// Builds the functions. A debug build selects no package, as `cargo test` does, so that both use the same
/// features of the dependencies and compile them once. A release build selects the functions' package, as
/// `sam build` does.
pub(crate) fn build(release: bool) -> Result<()> {
    let mut reaper = ProcessReaper::start()?;
    let mut command = Command::new(tools::cargo());
    command
        .args(["build", "--quiet", "--bins"])
        .current_dir(tools::workspace());
    if release {
        command.args(["--release", "--package", "groups"]);
    }
    let mut cargo = reaper.group().spawn(&mut command)?;
    let wait = || block_on(cargo.wait());
    let status = with_progress(
        "Building the functions (the first time takes a few minutes)",
        wait,
    );
    reaper.end([]);
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the functions do not build; the compiler's messages are above".to_owned()),
    }
}

/// Catches SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal) from now on. The future completes at
/// the first of them.
pub(crate) fn catch_signals() -> impl Future<Output = ()> {
    let _context = runtime().enter();
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let streams = kinds.map(|kind| signal(kind).ok());
    async {
        let received = streams
            .into_iter()
            .flatten()
            .map(|mut stream| Box::pin(async move { stream.recv().await }));
        futures_util::future::select_all(received).await;
    }
}

/// Exits this process at the first signal, until the task is aborted. The reaper then ends the child
/// processes.
pub(crate) fn exit_on_signal() -> tokio::task::JoinHandle<()> {
    let received = catch_signals();
    runtime().spawn(async {
        received.await;
        std::process::exit(130);
    })
}

fn run_command(arguments: &Arguments) -> Result<ExitCode> {
    let startup = exit_on_signal();
    let options = stack_options(arguments, &format!("command-{}", std::process::id()))?;
    prepare(arguments.release)?;
    let mut stack = Stack::start(options)?;
    sample::put_all(stack.dynamodb(), ACCOUNT_ID)?;
    let token = stack.issue_token(ACCOUNT_ID)?;
    let [program, rest @ ..] = arguments.command.as_slice() else {
        return Err("there is no command".to_owned());
    };
    let mut command = tokio::process::Command::new(program);
    command
        .args(rest)
        .env("GROUPS_URL", stack.url())
        .env("GROUPS_TOKEN", token)
        .kill_on_drop(true);
    let received = catch_signals();
    startup.abort();
    let spawned = block_on(async { command.spawn() });
    let mut process =
        spawned.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    stack.reaper().adopt(process.id().unwrap_or_default());
    let status = block_on(async {
        tokio::select! {
            status = process.wait() => status.map_err(|error| error.to_string()),
            () = received => end(&mut process).await,
            error = stack.dynamodb_exit() => Err(error),
        }
    })?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Waits for a command after a signal. The terminal sends Ctrl-C to the command too. If the command does not
/// exit, it receives SIGTERM after a grace period, and SIGKILL after another.
async fn end(process: &mut Child) -> Result<ExitStatus> {
    if let Ok(Ok(status)) = timeout(COMMAND_EXIT_TIMEOUT, process.wait()).await {
        return Ok(status);
    }
    let id = process.id().map(u32::cast_signed);
    if let Some(id) = id.and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::TERM);
    }
    if timeout(COMMAND_EXIT_TIMEOUT, process.wait()).await.is_err() {
        let _ = process.start_kill();
    }
    process.wait().await.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments> {
        parse(line.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn options_are_parsed() {
        assert_eq!(parsed(""), Ok(Arguments::default()));
        let all = "--port 9001 --data-dir=data --reset --parameter A=b=c --parameter D= --concurrency 3 --release --json";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = Arguments {
            port: Some(9001),
            data_dir: Some("data".into()),
            reset: true,
            parameters: vec![pair("A", "b=c"), pair("D", "")],
            concurrency: Some(3),
            release: true,
            json: true,
            ..Arguments::default()
        };
        assert_eq!(parsed(all), Ok(expected));
        let command = ["curl", "--port", "x"].map(OsString::from).to_vec();
        let expected = Arguments {
            release: true,
            command,
            ..Arguments::default()
        };
        assert_eq!(parsed("--release -- curl --port x"), Ok(expected));
    }

    #[test]
    fn the_error_of_a_wrong_command_line_is_one_line_that_names_the_option() {
        for (line, wanted) in [
            ("--port", "--port"),
            ("--port 0", "1 to 65535"),
            ("--port 65536", "1 to 65535"),
            ("--port x", "1 to 65535"),
            ("--data-dir", "--data-dir"),
            ("--reset", "--data-dir"),
            ("--parameter A", "NAME=VALUE"),
            ("--concurrency 0", "1 to 1000"),
            ("--", "command"),
            ("--por 1", "--por"),
            ("x", "x"),
            ("--port 9001 -- curl", "--port"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(
                error.contains(wanted) && error.lines().count() == 1,
                "{line}: {error}"
            );
        }
    }
}
