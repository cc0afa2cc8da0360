//! `cargo local` as it is run from a terminal or a pipeline.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant, SystemTime},
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

/// Checks that a command failed with one message that contains all of `wanted`.
fn assert_refused(output: &Output, wanted: &[&str]) {
    let error = text(&output.stderr);
    let messages = error
        .lines()
        .filter(|line| line.starts_with("cargo local: "))
        .count();
    assert_eq!((output.status.code(), messages), (Some(1), 1), "{error}");
    assert!(
        wanted.iter().all(|wanted| error.contains(wanted)),
        "{wanted:?}: {error}"
    );
}

/// Checks that a command failed with one line that contains all of `wanted`.
fn assert_refused_in_one_line(output: &Output, wanted: &[&str]) {
    assert_refused(output, wanted);
    assert_eq!(
        text(&output.stderr).lines().count(),
        1,
        "{}",
        text(&output.stderr)
    );
}

/// Returns a port that nothing listens on. It is below the range from which the system assigns ports, so no other
/// program gets it meanwhile.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 50).expect("it fits") * 200;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// An empty directory of this name.
fn empty_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Held by tests with servers, and alone by the test whose change makes every server reload.
static RELOADS: RwLock<()> = RwLock::new(());

/// A `cargo local` that serves. It is ended when it is dropped.
struct Server {
    no_reload: Option<RwLockReadGuard<'static, ()>>,
    process: Child,
    greeting: Vec<String>,
    output: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
    port: u16,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::start_on(free_port(), arguments)
    }

    fn start_on(port: u16, arguments: &[&str]) -> Self {
        let no_reload = RELOADS.read().unwrap_or_else(PoisonError::into_inner);
        let mut server = Self::start_unguarded(port, arguments);
        server.no_reload = Some(no_reload);
        server
    }

    fn start_unguarded(port: u16, arguments: &[&str]) -> Self {
        let port_text = port.to_string();
        let mut command = local(&[&["--port", &port_text], arguments].concat());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut errors = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut greeting: Vec<String> = Vec::new();
        while greeting.last().is_none_or(|line| !line.starts_with("  -H")) {
            let mut line = String::new();
            if output.read_line(&mut line).expect("UTF-8") == 0 {
                let mut cause = String::new();
                errors.read_to_string(&mut cause).expect("UTF-8");
                panic!("it ended: {greeting:?} {cause}");
            }
            // With --json, the functions' lines come before.
            if !greeting.is_empty() || line.starts_with("The groups API") {
                greeting.push(line.trim_end().to_owned());
            }
        }
        output.read_line(&mut String::new()).expect("an empty line");
        Self {
            no_reload: None,
            process,
            greeting,
            output,
            errors,
            port,
        }
    }

    fn token_file(&self) -> PathBuf {
        local::tools::home()
            .expect("target/local")
            .join(format!("token-{}", self.port))
    }

    fn token(&self) -> String {
        fs::read_to_string(self.token_file()).expect("a token")
    }

    fn curl(&self, arguments: &[&str]) -> String {
        self.curl_with(&self.token(), arguments)
    }

    fn curl_with(&self, token: &str, arguments: &[&str]) -> String {
        let output = Command::new("curl")
            .args(["-s", &format!("http://127.0.0.1:{}/v1/groups", self.port)])
            .args(["-H", &format!("Authorization: Bearer {token}")])
            .args(arguments)
            .output();
        text(&output.expect("curl runs").stdout)
    }

    /// The next line that `cargo local` prints about a request.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// The processes of this stack: those of its reaper's group.
    fn processes(&self) -> Vec<(String, String)> {
        let output = Command::new("ps")
            .args(["-A", "-o", "pid=,ppid=,pgid=,args="])
            .output()
            .expect("ps");
        let list = text(&output.stdout);
        let rows: Vec<Vec<_>> = list
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let parent = self.process.id().to_string();
        let reaper = rows
            .iter()
            .find(|row| row[1] == parent && row[0] == row[2] && row[3] == "sh");
        let group = reaper.map_or("", |row| row[0]);
        let of_group = rows.iter().filter(|row| row[2] == group);
        of_group
            .map(|row| (row[0].to_owned(), row[3..].join(" ")))
            .collect()
    }

    /// The ids of this stack's processes of a program.
    fn processes_of(&self, program: &str) -> Vec<String> {
        let of_program = self
            .processes()
            .into_iter()
            .filter(|(_, command)| command.contains(program));
        of_program.map(|(id, _)| id).collect()
    }

    /// Sends a signal, waits for the end, and checks that nothing is left.
    fn end(mut self, signal: &str) -> Option<i32> {
        let processes = self.processes();
        // The reaper, DynamoDB Local and the nine functions.
        assert!(processes.len() >= 11, "{processes:#?}");
        kill(signal, &self.process.id().to_string());
        let status = self.process.wait().expect("it ends");
        assert_gone(&processes);
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_err());
        status.code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(self.token_file());
    }
}

fn kill(signal: &str, process: &str) {
    assert!(
        Command::new("kill")
            .args([signal, process])
            .status()
            .expect("kill runs")
            .success()
    );
}

/// Checks that processes end within five seconds.
fn assert_gone(processes: &[(String, String)]) {
    let ids: Vec<_> = processes.iter().map(|(id, _)| id.as_str()).collect();
    let deadline = Instant::now() + Duration::from_secs(5);
    let alive = || {
        let output = Command::new("ps")
            .args(["-o", "pid=,stat=,args=", "-p", &ids.join(",")])
            .output();
        let list = text(&output.expect("ps").stdout);
        // A zombie has ended, even if its parent has not noticed yet.
        let is_running = |line: &&str| {
            !line
                .split_whitespace()
                .nth(1)
                .is_some_and(|state| state.starts_with('Z'))
        };
        list.lines()
            .filter(is_running)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    while !alive().is_empty() {
        assert!(Instant::now() < deadline, "left running: {:#?}", alive());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_command_gets_a_stack_of_its_own_and_its_status_is_passed_on() {
    let script = r#"test -n "$GROUPS_TOKEN" && curl -sf "$GROUPS_URL/v1/groups" -H "Authorization: Bearer $GROUPS_TOKEN" && exit 7"#;
    let output = run(&mut local(&["--", "sh", "-c", script]));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    let start = r#"{"has_more":true,"data":[{"id":"L7cGNIBKZiNJ6wqF""#;
    assert!(page.starts_with(start), "{page}");
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
fn a_command_that_ignores_signals_is_ended_and_nothing_is_left() {
    let mut process = local(&[
        "--",
        "sh",
        "-c",
        "trap '' INT TERM HUP; echo up; while :; do sleep 1; done",
    ]);
    let mut process = process.stdout(Stdio::piped()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("UTF-8");
    assert_eq!(line, "up\n");
    kill("-TERM", &process.id().to_string());
    assert_eq!(process.wait().expect("it ends").code(), Some(128 + 9));
}

#[test]
fn the_greeting_is_short_and_its_curl_line_works_as_pasted() {
    let server = Server::start(&[]);
    assert!(server.greeting.len() <= 12, "{:#?}", server.greeting);
    assert!(
        !server.greeting.concat().contains(&server.token()),
        "the token is not printed"
    );
    let curl = server
        .greeting
        .iter()
        .position(|line| line.starts_with("curl"))
        .expect("a curl line");
    let lines = server.greeting[curl..].join("\n");
    let output = Command::new("sh")
        .args(["-c", &lines])
        .current_dir(local::tools::workspace())
        .output();
    assert!(
        text(&output.expect("sh runs").stdout).contains("Plaza Hotel"),
        "{lines}"
    );
    assert_eq!(server.end("-INT"), Some(0));
}

#[test]
fn each_request_is_one_line() {
    let mut server = Server::start(&["--concurrency", "2"]);
    server.curl(&["-d", "nmae=x"]);
    let line = server.line();
    assert!(
        line.contains(" POST ")
            && line.contains("/v1/groups 400 ")
            && line.ends_with("unknown: nmae"),
        "{line}"
    );
    assert!(
        !line.contains("cold start") && !line.contains('\x1b'),
        "{line}"
    );
    let creates = server.processes_of("create-group");
    kill("-KILL", &creates[0]);
    assert_gone(&[(creates[0].clone(), String::new())]);
    server.curl(&["-d", "name=x"]);
    let line = server.line();
    assert!(
        line.contains("/v1/groups 201 ") && line.ends_with("cold start"),
        "{line}"
    );
    let logs = local::tools::home()
        .expect("target/local")
        .join(format!("logs/{}", server.port));
    let log = fs::read_to_string(logs.join("create-group.log")).expect("a log");
    assert!(log.contains(r#""status":201"#), "{log}");
}

#[test]
fn json_prints_the_functions_log_and_parameters_reach_the_functions() {
    let url = "DocumentationUrl=https://docs.example/errors";
    let mut server = Server::start(&["--json", "--parameter", url]);
    let error = server.curl(&["-d", "nmae=x"]);
    assert!(
        error.contains("https://docs.example/errors/invalid_request"),
        "{error}"
    );
    let line = server.line();
    assert!(
        line.starts_with('{') && line.contains(r#""code":"unknown""#),
        "{line}"
    );
}

#[test]
fn data_and_token_survive_a_restart_if_a_directory_is_given_and_nothing_else_survives() {
    let dir = empty_dir("data");
    let dir = dir.to_str().expect("UTF-8");
    let server = Server::start(&["--data-dir", dir]);
    let port = server.port;
    let created = server.curl(&["-d", "name=Chelsea Hotel"]);
    assert!(created.contains("Chelsea Hotel"), "{created}");
    let token = server.token();
    let deleted = [
        "-X",
        "DELETE",
        "--request-target",
        "/v1/groups/L7cGNIBKZiNJ6wqF",
    ];
    assert_eq!(server.curl(&deleted), "");
    let saved = server.token_file().with_extension("saved");
    fs::copy(server.token_file(), &saved).expect("a copy");
    assert_eq!(server.end("-INT"), Some(0));

    fs::rename(&saved, saved.with_extension("")).expect("the token is still there");
    let server = Server::start_on(port, &["--data-dir", dir]);
    assert_eq!(server.token(), token, "a token that works is kept");
    let page = server.curl(&["--request-target", "/v1/groups?limit=100"]);
    assert!(page.contains(&created), "the group is still there");
    assert!(
        !page.contains("L7cGNIBKZiNJ6wqF"),
        "a deleted sample does not come back"
    );
    assert_eq!(server.end("-KILL"), None);

    let server = Server::start(&["--data-dir", dir]);
    assert!(
        server.curl_with(&token, &[]).contains(&created),
        "a kill loses nothing"
    );
    let output = run(&mut local(&[
        "--port",
        &free_port().to_string(),
        "--data-dir",
        dir,
    ]));
    assert_refused_in_one_line(&output, &[dir, "in use", "--data-dir"]);
    assert_eq!(server.end("-HUP"), Some(0));

    fs::write(Path::new(dir).join("my-notes.txt"), "mine").expect("a file");
    let server = Server::start(&["--data-dir", dir, "--reset"]);
    let page = server.curl(&["--request-target", "/v1/groups?limit=100"]);
    assert!(
        page.contains("L7cGNIBKZiNJ6wqF") && !page.contains(&created),
        "{page}"
    );
    assert!(
        Path::new(dir).join("my-notes.txt").exists(),
        "only the data are deleted"
    );
}

#[test]
fn two_stacks_have_a_token_each() {
    let (one, other) = (Server::start(&[]), Server::start(&[]));
    for server in [&one, &other] {
        assert!(server.curl(&[]).contains("Plaza Hotel"));
    }
    assert!(one.curl_with(&other.token(), &[]).contains("token_invalid"));
}

#[test]
fn a_change_of_the_template_is_reloaded_and_reported() {
    let _alone = RELOADS.write().unwrap_or_else(PoisonError::into_inner);
    let mut server = Server::start_unguarded(free_port(), &[]);
    let functions = server.processes_of("get-group");
    let template =
        File::open(local::tools::workspace().join("template.yaml")).expect("the template");
    template
        .set_modified(SystemTime::now())
        .expect("it is touched");
    let mut lines = server
        .errors
        .by_ref()
        .lines()
        .map(|line| line.expect("UTF-8"));
    // Before that, it may report that building takes a while.
    let line = lines.find(|line| line.contains("changed")).expect("a line");
    assert!(
        line.starts_with("template.yaml changed: reloaded in "),
        "{line}"
    );
    assert!(server.curl(&[]).contains("Plaza Hotel"));
    let reloaded = server.processes_of("get-group");
    assert!(
        !reloaded.is_empty() && reloaded.iter().all(|process| !functions.contains(process)),
        "{reloaded:?}"
    );
}

/// The directory of cargo-lambda and the AWS CLI.
fn clients() -> PathBuf {
    let requirements = include_str!("requirements.txt");
    local::tools::python_packages("clients", requirements).expect("they are fetched")
}

/// The AWS CLI, whose requests go to a server.
fn aws(server: &Server, arguments: &[&str]) -> Command {
    let clients = clients();
    let mut command = Command::new(clients.join("bin/python"));
    command
        .arg(clients.join("bin/aws"))
        .args(arguments)
        .args(["--region", "us-east-1", "--endpoint-url"])
        .arg(format!("http://127.0.0.1:{}", server.port))
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local");
    command
}

#[test]
fn functions_can_be_invoked_with_cargo_lambda_and_the_aws_cli() {
    let server = Server::start(&[]);
    let payload = r#"{"account_id":"acme","name":"laptop"}"#;
    // cargo-lambda connects to the IPv6 loopback.
    let output = Command::new(clients().join("bin/cargo-lambda"))
        .args([
            "lambda",
            "invoke",
            "--invoke-port",
            &server.port.to_string(),
            "issue-token",
            "--data-ascii",
            payload,
        ])
        .output();
    let output = output.expect("cargo-lambda runs");
    let token = text(&output.stdout);
    assert!(
        token.contains("groups_") && token.contains(r#""account_id":"acme""#),
        "{token} {}",
        text(&output.stderr)
    );

    let file = empty_dir("aws").join("output.json");
    let invoke = |function: &str, payload: &str| {
        let output = aws(&server, &["lambda", "invoke"])
            .args(["--function-name", function, "--payload", payload])
            .arg(&file)
            .output()
            .expect("aws runs");
        (
            text(&output.stdout) + &text(&output.stderr),
            fs::read_to_string(&file).unwrap_or_default(),
        )
    };
    let (metadata, output) = invoke("RevokeTokenFunction", r#"{"account_id":"acme"}"#);
    assert!(metadata.contains(r#""StatusCode": 200"#), "{metadata}");
    assert_eq!(output, r#"{"revoked":1}"#);
    let (metadata, output) = invoke("issue-token", "{}");
    assert!(
        metadata.contains(r#""FunctionError": "Unhandled""#),
        "{metadata}"
    );
    assert!(output.contains("account_id"), "{output}");
    let (error, _) = invoke("no-such-function", "{}");
    assert!(
        error.contains("ResourceNotFoundException") && error.contains("no-such-function"),
        "{error}"
    );
}

#[test]
fn queues_can_be_used_with_the_aws_cli() {
    // So long that the messages in the queue stay there.
    let server = Server::start(&["--parameter", "PurgeDelaySeconds=45"]);
    let sqs = |arguments: &[&str]| {
        let output = run(&mut aws(&server, &[&["sqs"], arguments].concat()));
        text(&output.stdout) + &text(&output.stderr)
    };
    let failures = sqs(&["get-queue-url", "--queue-name", "PurgeFailuresQueue"]);
    let failures = failures.split('"').nth(3).expect("a URL").to_owned();
    let body = r#"{"conversation_id":"c"}"#;
    let of_failures = ["--queue-url", &failures];
    let sent = sqs(&[&["send-message", "--message-body", body], &of_failures[..]].concat());
    assert!(sent.contains(r#""MessageId": ""#), "{sent}");
    let received = sqs(&[&["receive-message"], &of_failures[..]].concat());
    assert!(
        received.contains(r#"{\"conversation_id\":\"c\"}"#),
        "{received}"
    );
    let attributes = |url: &str| {
        let names = ["--attribute-names", "All", "--queue-url", url];
        sqs(&[&["get-queue-attributes"], &names[..]].concat())
    };
    let found = attributes(&failures);
    assert!(
        found.contains(r#""ApproximateNumberOfMessagesNotVisible": "1""#),
        "{found}"
    );
    let arn = |queue: &str| format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
    let started = sqs(&[
        "start-message-move-task",
        "--source-arn",
        &arn("PurgeFailuresQueue"),
        "--destination-arn",
        &arn("PurgeQueue"),
    ]);
    assert!(started.contains(r#""TaskHandle": ""#), "{started}");
    let found = attributes(&failures.replace("PurgeFailuresQueue", "PurgeQueue"));
    assert!(
        found.contains(r#""ApproximateNumberOfMessagesDelayed": "1""#),
        "{found}"
    );
    let error = sqs(&["receive-message", "--queue-url", &format!("{failures}2")]);
    assert!(
        error.contains("QueueDoesNotExist") && error.contains("PurgeQueue"),
        "{error}"
    );
}

#[test]
fn the_runbooks_commands_for_queues_work_as_pasted() {
    let server = Server::start(&["--parameter", "PurgeDelaySeconds=45"]);
    let runbook = std::fs::read_to_string(local::tools::workspace().join("docs/operations.md"));
    let runbook = runbook.expect("the runbook");
    let (_, section) = runbook
        .split_once("## Replay purges that failed")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("a section after it");
    let blocks: Vec<_> = section.split("```bash\n").skip(1).collect();
    let [look, replay, send] = blocks[..] else {
        panic!("three commands: {blocks:?}");
    };
    let url = |queue: &str| format!("http://127.0.0.1:{}/000000000000/{queue}", server.port);
    let run_block = |block: &str| {
        let (commands, _) = block.split_once("```").expect("an end");
        let commands = commands
            .replace("PURGE_FAILURES_QUEUE", &url("PurgeFailuresQueue"))
            .replace("PURGE_QUEUE", &url("PurgeQueue"));
        // What the runbook says to add on this machine.
        let aws = "aws() { \"$CLIENTS/python\" \"$CLIENTS/aws\" \"$@\" --region us-east-1 --endpoint-url \"$ENDPOINT\"; }";
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("{aws}\n{commands}")])
            .env("CLIENTS", clients().join("bin"))
            .env("ENDPOINT", format!("http://127.0.0.1:{}", server.port))
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local");
        let output = run(&mut sh);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(run_block(send).contains("MessageId"));
    let failed = send.replace("PURGE_QUEUE", "PURGE_FAILURES_QUEUE");
    assert!(run_block(&failed).contains("MessageId"));
    let found = run_block(look);
    assert!(
        found.contains(r#"{\"conversation_id\": \"ID\"}"#),
        "{found}"
    );
    assert!(run_block(replay).contains("TaskHandle"));
}

#[test]
fn a_dynamodb_local_that_dies_ends_everything_with_the_cause() {
    let mut server = Server::start(&[]);
    let processes = server.processes();
    kill("-KILL", &server.processes_of("ServerRunner")[0]);
    let mut errors = String::new();
    server.errors.read_to_string(&mut errors).expect("UTF-8");
    assert!(
        errors.contains("cargo local: DynamoDB Local exited (signal: 9"),
        "{errors}"
    );
    assert_eq!(server.process.wait().expect("it ends").code(), Some(1));
    assert_gone(&processes);
    let script = "kill -KILL $(ps -A -o pid=,ppid=,args= | awk -v parent=$PPID '/[S]erverRunner/ && $2 == parent {print $1}'); sleep 20";
    let output = run(&mut local(&["--", "sh", "-c", script]));
    assert_refused(&output, &["DynamoDB Local exited (signal: 9"]);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = run(&mut local(&["--port", &port]));
    // One line: nothing was built or fetched first.
    assert_refused_in_one_line(&output, &[&port, "--port"]);
}

#[test]
fn a_wrong_command_line_is_one_clear_line() {
    assert_refused_in_one_line(&run(&mut local(&["--prot", "9001"])), &["--prot", "--help"]);
    let output = run(&mut local(&["--parameter", "LogLevel=LOUD"]));
    assert_refused_in_one_line(&output, &["LogLevel=LOUD", "ERROR, WARN, INFO, DEBUG"]);
    let help = run(&mut local(&["--help"]));
    assert!(help.status.success() && text(&help.stdout).contains("--data-dir DIR"));
}

/// `cargo local` on a machine on which nothing has been fetched yet, with a Cargo that knows where
/// things are, but builds nothing, which would take minutes.
fn on_a_new_machine(name: &str) -> Command {
    let dir = empty_dir(name);
    let cargo = dir.join("cargo");
    let script = format!(
        "#!/bin/sh\ntest \"$1\" = build || exec {} \"$@\"\n",
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
fn no_python_is_one_clear_message() {
    let mut command = on_a_new_machine("no-python");
    // A PATH with a shell and nothing else.
    let path = empty_dir("path");
    std::os::unix::fs::symlink("/bin/sh", path.join("sh")).expect("a link");
    command.env("PATH", path);
    assert_refused(
        &run(&mut command),
        &["Install Python 3", "cannot run python3"],
    );
}

#[test]
fn no_network_is_one_clear_message_with_the_cause() {
    let mut command = on_a_new_machine("no-network");
    // Nothing listens there, and pip tries only twice.
    command
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/")
        .env("PIP_RETRIES", "1");
    command.env_remove("PIP_FIND_LINKS");
    assert_refused(
        &run(&mut command),
        &[
            "cannot fetch from PyPI",
            "Check the network",
            "127.0.0.1",
            "refused",
        ],
    );
}

#[test]
fn a_function_that_is_not_there_is_one_clear_message() {
    // The new machine's target directory has no binaries.
    let mut command = on_a_new_machine("no-binaries");
    let home = local::tools::home().expect("target/local");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-binaries/target/local");
    fs::create_dir_all(&target).expect("a directory");
    for fetched in ["python", "dynamodb-local"] {
        std::os::unix::fs::symlink(home.join(fetched), target.join(fetched)).expect("a link");
    }
    assert_refused(&run(&mut command), &["cannot start", "target/debug/"]);
}

#[test]
fn a_dynamodb_that_does_not_respond_is_one_clear_line() {
    let mut command = local(&["--", "true"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    assert_refused(&run(&mut command), &["http://127.0.0.1:9", "unset"]);
}
