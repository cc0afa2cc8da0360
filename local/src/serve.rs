//! `cargo local` without a command: serves the API until a signal, and reloads changed sources.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use tokio::time::timeout;

use crate::{
    DynamoDb, Result, Stack, block_on,
    cli::{ACCOUNT_ID, Arguments, build, catch_signals, exit_on_signal, prepare, stack_options},
    dynamodb::{DataDir, ENDPOINT_URL},
    listen, lock, runtime, sample,
    terminal::{print, say},
    tools,
};

/// How often the sources and DynamoDB Local are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// How long stopping may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The port if none is given.
const DEFAULT_PORT: u16 = 9000;

const TEMPLATE: &str = "template.yaml";

/// The modification time of each source file.
type Sources = BTreeMap<PathBuf, SystemTime>;

pub(crate) fn serve(arguments: &Arguments) -> Result<ExitCode> {
    let startup = exit_on_signal();
    let port = arguments.port.unwrap_or(DEFAULT_PORT);
    // Fail before the build if the port is taken.
    check_port(port)?;
    let mut options = stack_options(arguments, &port.to_string())?;
    options.port = Some(port);
    options.prints = !options.json;
    options.serves_docs = true;
    // An option `--parameter` comes later, so it takes precedence.
    let url = format!("http://127.0.0.1:{port}/docs/errors");
    options
        .parameters
        .insert(0, ("DocumentationUrl".to_owned(), url));
    options.data_dir = arguments
        .data_dir
        .as_deref()
        .map(|dir| DataDir::open(dir, arguments.reset))
        .transpose()?;
    let sources = find_sources();
    prepare(arguments.release)?;
    let stack = Stack::start(options)?;
    if stack.is_new() {
        sample::put_all(stack.dynamodb(), ACCOUNT_ID)?;
    }
    let token_file = tools::home()?.join(token_file_name(port));
    write_token(&stack, &token_file)?;
    greet(&stack, &token_file, arguments.data_dir.as_deref());
    let shared = Arc::new(Mutex::new(Some(stack)));
    let temporary_file = arguments.data_dir.is_none().then_some(token_file);
    let received = catch_signals();
    startup.abort();
    runtime().spawn(stop_on_signal(received, shared.clone(), temporary_file));
    watch(&shared, sources, arguments.release)
}

/// Checks that nothing listens on the port.
fn check_port(port: u16) -> Result<()> {
    for address in [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ] {
        match listen(address) {
            // Without IPv6, only the first address is served.
            Err(error) if address.is_ipv4() || error.contains("in use") => {
                return Err(format!(
                    "{error}. Stop the program that uses the port, or choose another with --port"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Waits for a signal, stops the stack and exits this process.
async fn stop_on_signal(
    received: impl Future<Output = ()>,
    stack: Arc<Mutex<Option<Stack>>>,
    temporary_file: Option<PathBuf>,
) {
    received.await;
    say("Stopping.");
    let stopped = tokio::task::spawn_blocking(move || drop(lock(&stack).take()));
    // Do not wait after another signal, or for a reload that takes too long. The reaper ends the processes.
    tokio::select! {
        _ = timeout(STOP_TIMEOUT, stopped) => {}
        () = catch_signals() => {}
    }
    let _ = temporary_file.map(fs::remove_file);
    std::process::exit(0);
}

/// Reloads the stack when sources change, until DynamoDB Local exits.
fn watch(stack: &Mutex<Option<Stack>>, mut sources: Sources, release: bool) -> Result<ExitCode> {
    loop {
        std::thread::sleep(POLL_INTERVAL);
        let exited = lock(stack).as_mut().and_then(|stack| {
            block_on(async { timeout(Duration::ZERO, stack.dynamodb_exit()).await.ok() })
        });
        if let Some(error) = exited {
            return Err(error);
        }
        let found = find_sources();
        let changed = changes(&sources, &found);
        let Some(first) = changed.first() else {
            continue;
        };
        let what = match changed.len() - 1 {
            0 => first.display().to_string(),
            more => format!("{} and {more} more", first.display()),
        };
        let start = Instant::now();
        let built = if changed.iter().all(|path| path.ends_with(TEMPLATE)) {
            Ok(())
        } else {
            build(release)
        };
        let reloaded = built.and_then(|()| lock(stack).as_ref().map_or(Ok(None), Stack::reload));
        match reloaded {
            Ok(note) => {
                let seconds = start.elapsed().as_secs_f64();
                say(&format!(
                    "{what} changed: reloaded in {seconds:.1} s. {}",
                    note.unwrap_or_default()
                ));
            }
            Err(error) => say(&format!(
                "{what} changed, but {error}\nThe former version is still being served."
            )),
        }
        sources = found;
    }
}

/// Finds the source files of the functions and of their configuration.
fn find_sources() -> Sources {
    fn visit(path: PathBuf, found: &mut Sources) {
        let Ok(metadata) = fs::metadata(&path) else {
            return;
        };
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            entries.for_each(|entry| visit(entry.path(), found));
        } else {
            found.extend(metadata.modified().map(|time| (path, time)));
        }
    }
    let mut found = Sources::new();
    for source in ["functions", "shared", "Cargo.toml", "Cargo.lock", TEMPLATE] {
        visit(tools::workspace().join(source), &mut found);
    }
    found
}

/// Returns the files that were changed, added or removed, relative to the workspace.
fn changes(before: &Sources, after: &Sources) -> Vec<PathBuf> {
    let changed = after
        .iter()
        .filter(|(path, time)| before.get(*path) != Some(time))
        .map(|(path, _)| path);
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    let relative = |path: &PathBuf| {
        path.strip_prefix(tools::workspace())
            .unwrap_or(path)
            .to_owned()
    };
    changed.chain(removed).map(relative).collect()
}

/// Returns the name of the token's file in `target/local`.
fn token_file_name(port: u16) -> String {
    if port == DEFAULT_PORT {
        "token".to_owned()
    } else {
        format!("token-{port}")
    }
}

/// Writes a new token into the file, unless the file contains a valid token.
fn write_token(stack: &Stack, path: &Path) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|token| stack.accepts_token(&token)) {
        return Ok(());
    }
    let token = stack.issue_token(ACCOUNT_ID)?;
    let _ = fs::remove_file(path);
    fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(token.as_bytes()))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn greet(stack: &Stack, token_file: &Path, data_dir: Option<&Path>) {
    let data = match data_dir {
        Some(dir) => format!("with its data in {}", dir.display()),
        None if DynamoDb::from_env().is_some() => format!("from {ENDPOINT_URL}"),
        None => "with its data in memory".to_owned(),
    };
    let current_dir = env::current_dir().unwrap_or_default();
    let shorten = |path: &Path| {
        let path = path.strip_prefix(&current_dir).unwrap_or(path);
        path.display().to_string()
    };
    print(&format!(
        r#"The groups API is at {url}. Ctrl-C stops it.
The token of the account "{ACCOUNT_ID}" is in {token_file}.
The logs are in {logs}. DynamoDB is at {dynamodb}, {data}.

The reference is at {url}/docs. It needs Node.js.

Try it in another terminal:
curl {url}/v1/groups/{id} \
  -H "Authorization: Bearer $(cat {token_file})"
"#,
        token_file = shorten(token_file),
        logs = shorten(stack.logs()),
        url = stack.url(),
        dynamodb = stack.dynamodb().endpoint(),
        id = sample::GROUP_ID,
    ));
}
