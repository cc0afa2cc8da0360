//! `cargo local` as it is run from a terminal or a pipeline.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn local(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("AWS_ENDPOINT_URL_DYNAMODB");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks that a command failed with one clear line of its own that mentions all of `wanted`.
fn assert_refused(output: &Output, wanted: &[&str]) {
    let error = text(&output.stderr);
    let lines: Vec<_> = error
        .lines()
        .filter(|line| line.starts_with("cargo local: "))
        .collect();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert_eq!(lines.len(), 1, "{error}");
    assert!(
        wanted.iter().all(|wanted| lines[0].contains(wanted)),
        "{error}"
    );
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A `cargo local` that serves.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    port: u16,
    token: String,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let port_text = port.to_string();
        let arguments = [&["--port", &port_text], arguments].concat();
        let mut command = local(&arguments);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it runs");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut token = String::new();
        while !token.starts_with("groups_") {
            token.clear();
            assert!(output.read_line(&mut token).expect("UTF-8") > 0, "it ended");
        }
        Self {
            process,
            output,
            port,
            token: token.trim().to_owned(),
        }
    }

    fn curl(&self, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args([
                "-s",
                &format!("http://127.0.0.1:{}/v1/groups", self.port),
                "-H",
            ])
            .arg(format!("Authorization: Bearer {}", self.token))
            .args(arguments)
            .output()
            .expect("curl runs");
        text(&output.stdout)
    }

    /// The processes of this stack: its front, its DynamoDB Local and its functions all have its
    /// guardian's process group, which the front is found by.
    fn processes(&self) -> Vec<String> {
        let output = Command::new("ps")
            .args(["-A", "-o", "pid=,pgid=,args="])
            .output()
            .expect("ps");
        let list = text(&output.stdout);
        let front = format!("--invoke-port {} ", self.port);
        let group = list
            .lines()
            .find(|line| line.contains(&front))
            .and_then(|line| line.split_whitespace().nth(1));
        let Some(group) = group else {
            return Vec::new();
        };
        let of_group = |line: &&str| line.split_whitespace().nth(1) == Some(group);
        list.lines().filter(of_group).map(str::to_owned).collect()
    }

    /// Sends a signal, waits for the end, and checks that nothing is left.
    fn end(mut self, signal: &str) -> Option<i32> {
        let processes = self.processes();
        // The guardian, DynamoDB Local, the front and the nine functions.
        assert_eq!(processes.len(), 12, "{processes:#?}");
        let pids: Vec<_> = processes
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        let sent = Command::new("kill")
            .args([signal, &self.process.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
        let status = self.process.wait().expect("it ends");
        let deadline = Instant::now() + Duration::from_secs(5);
        let alive = || {
            let output = Command::new("ps")
                .args(["-o", "pid=,stat=,args=", "-p", &pids.join(",")])
                .output();
            let list = text(&output.expect("ps").stdout);
            // What its parent has not yet asked for is dead all the same.
            let running = |line: &&str| {
                !line
                    .split_whitespace()
                    .nth(1)
                    .is_some_and(|stat| stat.starts_with('Z'))
            };
            list.lines()
                .filter(running)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        while !alive().is_empty() {
            assert!(Instant::now() < deadline, "left running: {:#?}", alive());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("UTF-8");
        status.code()
    }
}

#[test]
fn a_command_gets_a_stack_of_its_own_and_its_status_is_passed_on() {
    let script = r#"test -n "$GROUPS_TOKEN" && curl -sf "$GROUPS_URL/v1/groups" -H "Authorization: Bearer $GROUPS_TOKEN" && exit 7"#;
    let output = run(&mut local(&["--", "sh", "-c", script]));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(
        page.starts_with(r#"{"has_more":false,"data":[{"id":"L7cGNIBKZiNJ6wqF""#),
        "{page}"
    );
    let killed = run(&mut local(&["--", "sh", "-c", "kill -TERM $$"]));
    assert_eq!(
        killed.status.code(),
        Some(128 + 15),
        "{}",
        text(&killed.stderr)
    );
    assert_refused(
        &run(&mut local(&["--", "no-such-command"])),
        &["no-such-command"],
    );
}

#[test]
fn data_survive_a_restart_where_a_directory_is_given_and_nothing_else_survives_its_end() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("data");
    let _ = fs::remove_dir_all(&dir);
    let dir = dir.to_str().expect("UTF-8");
    let server = Server::start(&["--data-dir", dir]);
    let created = server.curl(&["-d", "name=Chelsea Hotel"]);
    assert!(created.contains("Chelsea Hotel"), "{created}");
    let token = server.token.clone();
    assert_eq!(server.end("-INT"), Some(0));

    let mut server = Server::start(&["--data-dir", dir]);
    assert!(
        server.curl(&[]).contains(&created),
        "the group is still there"
    );
    server.token = token;
    assert!(server.curl(&[]).contains(&created), "and so is the token");
    assert_eq!(server.end("-KILL"), None);

    let server = Server::start(&["--data-dir", dir]);
    assert!(server.curl(&[]).contains(&created), "a kill loses nothing");
    assert_eq!(server.end("-HUP"), Some(0));
}

#[test]
fn operators_functions_answer_cargo_lambda_invoke_at_the_same_address() {
    let server = Server::start(&[]);
    // Without an address cargo-lambda asks the IPv6 loopback.
    let output = Command::new(cargo_lambda())
        .args([
            "lambda",
            "invoke",
            "--invoke-port",
            &server.port.to_string(),
            "issue-token",
        ])
        .args(["--data-ascii", r#"{"account_id":"acme","name":"laptop"}"#])
        .output()
        .expect("cargo-lambda runs");
    let answer = text(&output.stdout);
    assert!(
        answer.contains("groups_") && answer.contains(r#""account_id":"acme""#),
        "{answer}"
    );
    assert_eq!(server.end("-TERM"), Some(0));
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = run(&mut local(&["--port", &port]));
    assert_refused(&output, &[&port, "--port"]);
    assert_eq!(
        text(&output.stderr).lines().count(),
        1,
        "nothing was built or fetched first"
    );
}

#[test]
fn a_wrong_command_line_is_one_clear_line() {
    assert_refused(&run(&mut local(&["--prot", "9001"])), &["--prot", "--help"]);
    let help = run(&mut local(&["--help"]));
    assert!(help.status.success() && text(&help.stdout).contains("--data-dir DIR"));
}

/// `cargo local` where nothing has been fetched yet, with a Cargo that says where things are, but
/// builds nothing, which would take minutes there.
fn on_a_new_machine(name: &str) -> Command {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    let cargo = dir.join("cargo");
    let script = format!(
        "#!/bin/sh
test \"$1\" = build || exec {} \"$@\"
",
        env!("CARGO")
    );
    fs::write(&cargo, script).expect("a script");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("a program");
    let mut command = local(&["--", "true"]);
    command
        .env("CARGO", cargo)
        .env("CARGO_TARGET_DIR", dir.join("target"));
    command
}

#[test]
fn no_python_is_one_clear_line() {
    let mut command = on_a_new_machine("no-python");
    // A PATH with a shell and nothing else.
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("path");
    fs::create_dir_all(&path).expect("a directory");
    let _ = std::os::unix::fs::symlink("/bin/sh", path.join("sh"));
    command.env("PATH", path);
    assert_refused(&run(&mut command), &["Python 3"]);
}

#[test]
fn no_network_is_one_clear_line() {
    let mut command = on_a_new_machine("no-network");
    // pip finds nobody there, and is not to try for long.
    command
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/")
        .env("PIP_RETRIES", "0");
    command.env_remove("PIP_FIND_LINKS");
    assert_refused(&run(&mut command), &["PyPI", "network"]);
}

#[test]
fn a_dynamodb_that_does_not_answer_is_one_clear_line() {
    let mut command = local(&["--", "true"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    assert_refused(&run(&mut command), &["http://127.0.0.1:9", "unset"]);
}

fn cargo_lambda() -> PathBuf {
    todo!()
}
