//! `cargo local`: the whole API on this machine.

use std::{
    fs,
    io::Write,
    os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::{Duration, SystemTime},
};

use local::{
    DynamoDb, Guardian, Options, Result, Stack, front, sample,
    tools::{self, say},
};

const USAGE: &str = "\
Runs the groups API on this machine, on DynamoDB Local.

cargo local [--port PORT] [--data-dir DIR]
    Serves the API on 127.0.0.1 until Ctrl-C, and builds anew what changes.
    --port PORT      the port; 9000 where not said
    --data-dir DIR   keeps the data there; in memory where not said

cargo local -- COMMAND ARGS...
    Runs a command against a fresh stack on free ports, with GROUPS_URL and GROUPS_TOKEN set, takes
    the stack down and exits with the command's status.

AWS_ENDPOINT_URL_DYNAMODB names another DynamoDB to use; then none is started.";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Task {
    Help,
    Serve {
        port: u16,
        data_dir: Option<PathBuf>,
    },
    Run {
        command: Vec<String>,
    },
}

/// The account that the token is issued for.
const ACCOUNT_ID: &str = "local";

/// How often changed files and ended processes are looked for.
const TICK: Duration = Duration::from_millis(300);

/// How long a command may go on after a signal before it is told to end.
const COMMAND_PATIENCE: Duration = Duration::from_secs(2);

/// Whether there is a stack to take down; before that, a signal simply ends the process, and the
/// guardian whatever it had started.
static UP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match task(std::env::args().skip(1)).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("cargo local: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn task(arguments: impl Iterator<Item = String>) -> Result<Task> {
    let (mut port, mut data_dir) = (None, None);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = |what| arguments.next().ok_or(format!("{argument} wants {what}"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Task::Help),
            "--port" => {
                let text = value("a port")?;
                let number = text.parse().ok().filter(|port| *port > 0);
                port = Some(number.ok_or(format!(
                    "--port {text} is not a port: it must be 1 to 65535"
                ))?);
            }
            "--data-dir" => data_dir = Some(PathBuf::from(value("a directory")?)),
            "--" => {
                let command: Vec<String> = arguments.collect();
                return match command.is_empty() {
                    true => Err("-- wants a command to run".to_owned()),
                    false if port.is_some() || data_dir.is_some() => Err(
                        "a command gets a stack of its own: leave --port and --data-dir out"
                            .to_owned(),
                    ),
                    false => Ok(Task::Run { command }),
                };
            }
            _ => {
                return Err(format!(
                    "{argument} is not known here; see cargo local --help"
                ));
            }
        }
    }
    Ok(Task::Serve {
        port: port.unwrap_or(9000),
        data_dir,
    })
}

fn run(task: Task) -> Result<ExitCode> {
    let signals = signals()?;
    match task {
        Task::Help => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Serve { port, data_dir } => serve(port, data_dir, &signals),
        Task::Run { command } => run_command(&command, &signals),
    }
}

/// The signals that ask to end: SIGINT, SIGTERM, SIGHUP.
fn signals() -> Result<Receiver<()>> {
    let (sender, receiver) = mpsc::channel();
    let handler = move || match UP.load(Ordering::SeqCst) {
        true => drop(sender.send(())),
        false => std::process::exit(130),
    };
    ctrlc::set_handler(handler).map_err(|error| format!("cannot catch signals: {error}"))?;
    Ok(receiver)
}

fn serve(port: u16, data_dir: Option<PathBuf>, signals: &Receiver<()>) -> Result<ExitCode> {
    front::wanted_port(port)?;
    let binaries = prepare()?;
    let options = Options {
        name: "local",
        port: Some(port),
        data_dir: data_dir.clone(),
        binaries,
        instances: 1,
        log_to_terminal: true,
        ..Options::default()
    };
    let mut sources = fingerprint();
    let mut stack = Stack::start(options)?;
    UP.store(true, Ordering::SeqCst);
    sample::put(stack.dynamodb(), ACCOUNT_ID)?;
    let token = stack.issue_token(ACCOUNT_ID)?;
    let token_file = tools::home()?.join("token");
    write_secret(&token_file, &token)?;
    welcome(&stack, &token, &token_file, data_dir.as_deref());
    loop {
        match signals.recv_timeout(TICK) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => {
                say("Stopping.");
                return Ok(ExitCode::SUCCESS);
            }
        }
        if let Some(casualty) = stack.casualty() {
            return Err(casualty);
        }
        let found = fingerprint();
        if found != sources {
            sources = found;
            match build().and_then(finish_build) {
                Ok(()) => {
                    stack.start_functions()?;
                    say("Serving the functions as they are now.");
                }
                Err(error) => say(&format!("{error}; still serving them as they were.")),
            }
        }
    }
}

fn run_command(command: &[String], signals: &Receiver<()>) -> Result<ExitCode> {
    let binaries = prepare()?;
    let options = Options {
        name: "command",
        binaries,
        instances: 2,
        ..Options::default()
    };
    let mut stack = Stack::start(options)?;
    sample::put(stack.dynamodb(), ACCOUNT_ID)?;
    let token = stack.issue_token(ACCOUNT_ID)?;
    let mut process = Command::new(&command[0])
        .args(&command[1..])
        .env("GROUPS_URL", stack.url())
        .env("GROUPS_TOKEN", token)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", command[0]))?;
    stack.guardian().adopt(&process);
    UP.store(true, Ordering::SeqCst);
    let status = loop {
        if let Some(status) = process.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if !matches!(
            signals.recv_timeout(Duration::from_millis(20)),
            Err(RecvTimeoutError::Timeout)
        ) {
            break end(&mut process)?;
        }
    };
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Waits for a command after a signal. A terminal has sent it to the command as well; where nobody
/// has, the command is told in the end.
fn end(process: &mut Child) -> Result<std::process::ExitStatus> {
    let wait = |process: &mut Child| {
        let deadline = SystemTime::now() + COMMAND_PATIENCE;
        while SystemTime::now() < deadline {
            if let Ok(Some(status)) = process.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    };
    if let Some(status) = wait(process) {
        return Ok(status);
    }
    let _ = Command::new("kill")
        .args(["-TERM", &process.id().to_string()])
        .status();
    if let Some(status) = wait(process) {
        return Ok(status);
    }
    let _ = process.kill();
    process.wait().map_err(|error| error.to_string())
}

/// Builds the functions while the tools are fetched, and gives the directory of the binaries.
fn prepare() -> Result<PathBuf> {
    let build = build()?;
    tools::cargo_lambda()?;
    if DynamoDb::from_env().is_none() {
        tools::DynamoDbLocal::fetch()?;
    }
    finish_build(build)?;
    Ok(tools::target_dir()?.join("debug"))
}

/// A build in the making, which ends with this process.
struct Build {
    cargo: Child,
    _guardian: Guardian,
}

/// Starts to build the functions. No package is named, as with `cargo test`, so that the
/// dependencies have the same features and are not compiled again for one or the other.
fn build() -> Result<Build> {
    let guardian = Guardian::start()?;
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command
        .args(["build", "--bins"])
        .current_dir(tools::workspace());
    Ok(Build {
        cargo: guardian.spawn(&mut command)?,
        _guardian: guardian,
    })
}

fn finish_build(mut build: Build) -> Result<()> {
    match build.cargo.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err("the functions do not build; cargo's message is above".to_owned()),
    }
}

/// What changes when a source does: the newest modification and the number of the files.
fn fingerprint() -> (Option<SystemTime>, usize) {
    fn visit(path: &Path, found: &mut (Option<SystemTime>, usize)) {
        let Ok(metadata) = fs::metadata(path) else {
            return;
        };
        if metadata.is_dir() {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| visit(&entry.path(), found));
        } else {
            found.0 = found.0.max(metadata.modified().ok());
            found.1 += 1;
        }
    }
    let mut found = (None, 0);
    for source in ["functions", "shared", "Cargo.toml", "Cargo.lock"] {
        visit(&tools::workspace().join(source), &mut found);
    }
    found
}

fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let fault = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let mut options = fs::OpenOptions::new();
    let file = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(secret.as_bytes()))
        .map_err(fault)
}

fn welcome(stack: &Stack, token: &str, token_file: &Path, data_dir: Option<&Path>) {
    let url = stack.url();
    let id = sample::GROUP_ID;
    let data = match data_dir {
        Some(dir) => format!("kept in {}", dir.display()),
        None => "in memory, and gone when this stops".to_owned(),
    };
    let authorization = format!("-H \"Authorization: Bearer {token}\"");
    println!(
        r#"
The groups API answers at {url}. Ctrl-C stops it.
Its data are {data}; its DynamoDB is {dynamodb}.

A token of the account "{account}" (also in {file}):
{token}

The page's examples, to paste into another terminal:

curl -G {url}/v1/groups \
  {authorization} \
  -d limit=10

curl {url}/v1/groups \
  {authorization} \
  -d name="Plaza Hotel"

curl {url}/v1/groups/{id} \
  {authorization}

curl -X PUT {url}/v1/groups/{id} \
  {authorization} \
  -d description="The finest in New York."

curl -X DELETE {url}/v1/groups/{id} \
  {authorization}
"#,
        account = ACCOUNT_ID,
        dynamodb = stack.dynamodb().endpoint(),
        file = token_file.display(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task> {
        task(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_says_what_to_do() {
        let serve = |port, dir: Option<&str>| {
            Ok(Task::Serve {
                port,
                data_dir: dir.map(PathBuf::from),
            })
        };
        assert_eq!(parse(""), serve(9000, None));
        assert_eq!(
            parse("--port 9001 --data-dir data"),
            serve(9001, Some("data"))
        );
        assert_eq!(parse("--help"), Ok(Task::Help));
        let command = vec!["curl".to_owned(), "--port".to_owned(), "x".to_owned()];
        assert_eq!(parse("-- curl --port x"), Ok(Task::Run { command }));
    }

    #[test]
    fn what_is_wrong_with_the_command_line_is_said() {
        for line in [
            "--port",
            "--port 0",
            "--port 65536",
            "--port x",
            "--data-dir",
            "--",
            "--por 1",
            "x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert!(parse("--port 9001 -- curl").is_err());
    }
}
