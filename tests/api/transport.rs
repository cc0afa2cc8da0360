//! The functions' connections to DynamoDB over TLS: resumption, certificate authorities, and instances that Lambda has
//! frozen and thawed.

use std::{
    env, fs,
    net::TcpListener,
    process::{self, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use local::{DynamoDbProxy, Instance, Reply};
use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use serde_json::Value;

use crate::{
    run::binaries,
    support::{
        Client, ENDPOINTS, Endpoint, build_event, invoke, stack, start_instance, start_proxy,
        store_sample, wait_for,
    },
    tls::{AUTHORITY, Terminator},
};

/// A certificate whose content is none.
const INVALID: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// A certificate that does not end.
const TRUNCATED: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n";

/// A function whose DynamoDB is behind TLS, and an event for it.
struct Setup {
    instance: Instance,
    event: Value,
    terminator: Terminator,
    proxy: DynamoDbProxy,
    /// Whether the next request to DynamoDB gets no response.
    is_silent: Arc<AtomicBool>,
    /// Whether the next request to DynamoDB gets a response with status code 500.
    fails: Arc<AtomicBool>,
}

/// Starts a function of an endpoint behind this version of TLS, and invokes it once.
fn start(function: &str, version: &'static SupportedProtocolVersion) -> Setup {
    let client = Client::new();
    store_sample(&client);
    let event = build_event(function, &client.token);
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = is_silent.clone();
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let proxy = start_proxy(function, move |_| {
        if failing.swap(false, Ordering::SeqCst) {
            Reply::error(500, "InternalServerError", "a secret")
        } else if silent.swap(false, Ordering::SeqCst) {
            Reply::NoResponse
        } else {
            Reply::Pass
        }
    });
    let terminator = Terminator::start(proxy.url(), version).expect("a port is free");
    // Certificates that are not valid are ignored.
    let pem = fs::read_to_string(&terminator.authority).expect("the file is read");
    let pem = format!("{INVALID}{pem}{TRUNCATED}");
    fs::write(&terminator.authority, pem).expect("the file is written");
    let authority = terminator.authority.display().to_string();
    let mut instance = stack()
        .instance(
            function,
            &[
                ("AWS_ENDPOINT_URL_DYNAMODB", &terminator.url),
                (AUTHORITY, &authority),
            ],
        )
        .expect("the instance starts");
    instance.wait_for_init().expect("init succeeds");
    let (response, _) = invoke(&mut instance, &event);
    assert!(response.status < 300, "{function}: {response:?}");
    store_sample(&client);
    Setup {
        instance,
        event,
        terminator,
        proxy,
        is_silent,
        fails,
    }
}

impl Setup {
    /// Waits until the connection of init is closed.
    fn wait_until_closed(&self) {
        wait_for("closing", Duration::from_secs(5), || {
            (self.terminator.closed() == 1).then_some(())
        });
    }

    fn signal(&self, signal: &str) {
        let process = self.instance.process_id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status();
        assert!(sent.expect("kill runs").success());
    }
}

/// Checks that the function of each endpoint needs one handshake for its init and a call.
fn assert_one_connection(version: &'static SupportedProtocolVersion) {
    for Endpoint { function, .. } in ENDPOINTS {
        let setup = start(function, version);
        assert_eq!(setup.terminator.handshakes(), (1, 0), "{function}");
    }
}

#[test]
fn calls_share_the_connection_of_init() {
    assert_one_connection(&TLS13);
}

#[test]
fn tls_1_2_is_supported() {
    assert_one_connection(&TLS12);
}

/// Makes the connection of each endpoint's function unusable, and checks that the next call responds with `status` in time
/// and needs one handshake, which resumes the session.
fn assert_one_resumption(
    disturb: impl Fn(&Setup),
    status: impl Fn(&Endpoint) -> u16,
    max_duration: Duration,
) {
    for endpoint in ENDPOINTS {
        let function = endpoint.function;
        let mut setup = start(function, &TLS13);
        disturb(&setup);
        let (response, duration) = invoke(&mut setup.instance, &setup.event);
        assert_eq!(response.status, status(&endpoint), "{response:?}");
        assert!(duration < max_duration, "{function}: {duration:?}");
        assert_eq!(setup.terminator.handshakes(), (1, 1), "{function}");
    }
}

/// Returns the status code if the first attempt may have made the change. A create without a key is not repeated then.
fn after_a_lost_attempt(endpoint: &Endpoint) -> u16 {
    match endpoint.function {
        "create-group" => 503,
        _ => endpoint.status,
    }
}

#[test]
fn a_thawed_instance_whose_connection_was_closed_needs_one_resumed_handshake() {
    let close_while_frozen = |setup: &Setup| {
        setup.signal("-STOP");
        setup.proxy.stop();
        setup.wait_until_closed();
        setup.proxy.resume().expect("the port is still free");
        setup.signal("-CONT");
    };
    let status = |endpoint: &Endpoint| endpoint.status;
    assert_one_resumption(close_while_frozen, status, Duration::from_secs(1));
}

#[test]
fn a_thawed_instance_whose_server_is_silent_waits_for_one_attempt_only() {
    let silence_while_frozen = |setup: &Setup| {
        setup.signal("-STOP");
        setup.is_silent.store(true, Ordering::SeqCst);
        setup.signal("-CONT");
    };
    assert_one_resumption(
        silence_while_frozen,
        after_a_lost_attempt,
        Duration::from_secs(3),
    );
}

#[test]
fn a_connection_whose_server_fails_is_not_used_again() {
    let fail_once = |setup: &Setup| setup.fails.store(true, Ordering::SeqCst);
    assert_one_resumption(fail_once, after_a_lost_attempt, Duration::from_secs(1));
}

#[test]
fn a_write_whose_handshake_fails_is_reported_as_not_made() {
    for endpoint in ENDPOINTS {
        let mut setup = start(endpoint.function, &TLS13);
        // The terminator then closes connections before the handshake. The function has cached the token.
        setup.proxy.stop();
        setup.wait_until_closed();
        let (response, _) = invoke(&mut setup.instance, &setup.event);
        response.assert_error(503, "unavailable", None);
        setup.proxy.resume().expect("the port is still free");
        let (response, _) = invoke(&mut setup.instance, &setup.event);
        assert_eq!(response.status, endpoint.status, "{response:?}");
    }
}

/// Checks what functions respond that cannot connect to the DynamoDB at `url`, and that their log has the cause.
fn assert_unavailable(url: &str, cause: &str) {
    let check = |function: &str| {
        let client = Client::new();
        let mut instance = start_instance(function, url);
        let (response, duration) = invoke(&mut instance, &build_event(function, &client.token));
        response.assert_error(503, "unavailable", None);
        assert!(duration < Duration::from_secs(5), "{duration:?}");
        let log = instance.log();
        assert!(log.contains(cause), "{function}: {log}");
    };
    thread::scope(|scope| {
        for endpoint in ENDPOINTS {
            scope.spawn(move || check(endpoint.function));
        }
    });
}

#[test]
fn a_server_that_does_not_answer_the_handshake_is_503() {
    // Nothing accepts the connections, so they wait in the backlog.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    assert_unavailable(
        &format!("https://{address}"),
        "timeout: client error (Connect): deadline has elapsed",
    );
}

#[test]
fn a_certificate_of_an_unknown_authority_is_503() {
    let terminator =
        Terminator::start(stack().dynamodb().endpoint(), &TLS13).expect("a port is free");
    assert_unavailable(
        &terminator.url,
        "io error: client error (Connect): invalid peer certificate: UnknownIssuer",
    );
    assert_eq!(terminator.handshakes(), (0, 0));
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_fails_in_init_and_is_named() {
    let file = env::temp_dir().join(format!("groups-authorities-{}.pem", process::id()));
    let path = file.display().to_string();
    for (path, content) in [
        ("/no/such/file.pem", ""),
        (path.as_str(), ""),
        (path.as_str(), INVALID),
        (path.as_str(), TRUNCATED),
    ] {
        fs::write(&file, content).expect("the file is written");
        let output = Command::new(binaries().join("get-group"))
            .env_clear()
            .envs([("AWS_REGION", "x"), (AUTHORITY, path)])
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
            .output()
            .expect("the function runs");
        let error = String::from_utf8(output.stderr).expect("the error is UTF-8");
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(AUTHORITY) && error.contains(path), "{error}");
    }
    fs::remove_file(&file).expect("the file is removed");
}
