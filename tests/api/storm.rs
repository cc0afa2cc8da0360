//! Many clients at once, clients that behave badly, and functions that are killed, against a stack of
//! its own. `STORM_SECONDS` makes it longer than ten seconds.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{BufReader, Write},
    net::TcpStream,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use local::Stack;

use crate::{
    http::{bytes, connect, read},
    support::{Client, FUNCTIONS, new_account, options, wait_for},
};

/// A stack of its own, and a client of it with one group.
fn start(name: &str) -> (Stack, Client) {
    let mut options = options(name);
    options.client_timeout = Duration::from_secs(5);
    for name in ["ReadsPerSecond", "WritesPerSecond"] {
        options
            .parameters
            .push((name.to_owned(), "100000".to_owned()));
    }
    let stack = Stack::start(options).expect("the stack starts");
    let account_id = new_account();
    let token = stack.issue_token(&account_id).expect("a token");
    let client = Client::with_token(&account_id, &token, stack.url());
    client.create("the first");
    (stack, client)
}

/// Runs `count` requests at once, each on a connection of its own, and returns their statuses and the
/// longest time.
fn at_once(stack: &Stack, request: &[u8], count: usize) -> (Vec<u16>, Duration) {
    let connections: Vec<_> = (0..count).map(|_| connect(stack)).collect();
    let start = Instant::now();
    let exchange = |mut connection: TcpStream| {
        connection.write_all(request).expect("it is sent");
        read(&mut BufReader::new(connection))
            .expect("a response")
            .status
    };
    let statuses = thread::scope(|scope| {
        let requests: Vec<_> = connections
            .into_iter()
            .map(|one| scope.spawn(move || exchange(one)))
            .collect();
        requests
            .into_iter()
            .map(|request| request.join().expect("it ends"))
            .collect()
    });
    (statuses, start.elapsed())
}

fn list(client: &Client) -> Vec<u8> {
    bytes(
        "GET",
        "/v1/groups?limit=1",
        &[&format!("authorization: Bearer {}", client.token)],
        "",
    )
}

fn create(client: &Client, name: &str) -> Vec<u8> {
    let authorization = format!("authorization: Bearer {}", client.token);
    let headers = [
        authorization.as_str(),
        "content-type: application/x-www-form-urlencoded",
    ];
    bytes("POST", "/v1/groups", &headers, format!("name={name}"))
}

#[test]
fn three_hundred_lists_and_then_150_creates_at_once_are_all_served() {
    let (stack, client) = start("burst");
    let (statuses, time) = at_once(&stack, &list(&client), 300);
    assert_eq!(statuses, [200; 300]);
    assert!(time < Duration::from_secs(12), "{time:?}");
    let (statuses, time) = at_once(&stack, &create(&client, "a"), 150);
    assert_eq!(statuses, [201; 150]);
    assert!(time < Duration::from_secs(12), "{time:?}");
    assert_eq!(at_once(&stack, &list(&client), 1).0, [200]);
}

#[test]
fn a_hundred_clients_that_leave_after_5_ms_do_not_disturb_the_next() {
    let (stack, client) = start("leavers");
    for _ in 0..100 {
        let mut connection = connect(&stack);
        connection.write_all(&list(&client)).expect("it is sent");
        thread::sleep(Duration::from_millis(5));
    }
    let (statuses, time) = at_once(&stack, &list(&client), 1);
    assert_eq!(statuses, [200]);
    assert!(time < Duration::from_secs(3), "{time:?}");
}

#[test]
fn the_api_works_after_a_storm() {
    let (stack, client) = start("storm");
    let seconds =
        std::env::var("STORM_SECONDS").map_or(10, |seconds| seconds.parse().expect("a number"));
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let storms = || Instant::now() < deadline;
    let created = Mutex::new(Vec::new());
    let (served, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let idle: Vec<_> = (0..2_000).map(|_| connect(&stack)).collect();
    thread::scope(|scope| {
        // Clients that leave.
        scope.spawn(|| {
            while storms() {
                let mut connection = connect(&stack);
                let _ = connection.write_all(&list(&client));
                thread::sleep(Duration::from_millis(5));
            }
        });
        // Unfinished headers and bodies.
        scope.spawn(|| {
            let mut unfinished = VecDeque::new();
            while storms() {
                for half in [
                    "GET /v1/gro",
                    "POST /v1/groups HTTP/1.1\r\ncontent-length: 9\r\n\r\nna",
                ] {
                    let mut connection = connect(&stack);
                    let _ = connection.write_all(half.as_bytes());
                    unfinished.push_back(connection);
                    // The gateway has closed older ones by now.
                    if unfinished.len() > 2_000 {
                        unfinished.pop_front();
                    }
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        // Slow bodies.
        scope.spawn(|| {
            while storms() {
                let mut connection = connect(&stack);
                for part in create(&client, "slow").chunks(40) {
                    let _ = connection.write_all(part);
                    thread::sleep(Duration::from_millis(20));
                }
                assert!(
                    read(&mut BufReader::new(connection)).is_some(),
                    "a response"
                );
            }
        });
        // Pipelined requests.
        scope.spawn(|| {
            while storms() {
                let mut connection = connect(&stack);
                connection
                    .write_all(&list(&client).repeat(10))
                    .expect("they are sent");
                let mut reader = BufReader::new(connection);
                assert!(
                    (0..10).all(|_| read(&mut reader).is_some()),
                    "ten responses"
                );
            }
        });
        // Functions that are killed.
        scope.spawn(|| {
            for round in 0.. {
                thread::sleep(Duration::from_millis(150));
                if !storms() {
                    break;
                }
                let processes = stack.process_ids(FUNCTIONS[round % FUNCTIONS.len()]);
                if let Some(process) = processes.first() {
                    let _ = Command::new("kill")
                        .args(["-KILL", &process.to_string()])
                        .status();
                }
            }
        });
        // Clients that create groups and remember which ones.
        for _ in 0..8 {
            scope.spawn(|| {
                while storms() {
                    let mut connection = connect(&stack);
                    connection
                        .write_all(&create(&client, "kept"))
                        .expect("it is sent");
                    let response = read(&mut BufReader::new(connection)).expect("a response");
                    match response.status {
                        201 => created
                            .lock()
                            .expect("a list")
                            .push(response.header("location")[0].to_owned()),
                        500 => drop(failed.fetch_add(1, Ordering::SeqCst)),
                        _ => panic!("{response:?}"),
                    }
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    drop(idle);
    // The next request is served as always.
    let client = Client::with_token(&client.account_id, &client.token, stack.url());
    wait_for("a list after the storm", Duration::from_secs(1), || {
        Some(client.get("/v1/groups").page())
    });
    let created = created.into_inner().expect("a list");
    let (served, failed) = (served.into_inner(), failed.into_inner());
    assert!(
        created.len() > 100 && failed < served / 10,
        "{} of {served}, {failed} failed",
        created.len()
    );
    let (mut found, mut cursor) = (BTreeSet::new(), "zzzzzzzzzzzzzzzz".to_owned());
    loop {
        let page = client.get(&format!("/v1/groups?limit=100&starting_after={cursor}"));
        let (ids, has_more) = page.ids();
        cursor = ids.last().cloned().unwrap_or_default();
        found.extend(ids.iter().map(|id| format!("/v1/groups/{id}")));
        if !has_more {
            break;
        }
    }
    let lost: Vec<_> = created
        .iter()
        .filter(|path| !found.contains(*path))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    let processes: usize = FUNCTIONS
        .iter()
        .map(|function| stack.process_ids(function).len())
        .sum();
    assert!(processes <= FUNCTIONS.len() * 10, "{processes}");
}
