//! Many concurrent clients, misbehaving clients and killed functions. Each test has a stack of its own. The environment
//! variable `STORM_SECONDS` changes the duration of the storm from ten seconds.

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
    http::{build_request, connect, read_response},
    support::{Client, functions, new_account, options, wait_for},
};

/// Starts a stack, and creates a client with one group.
fn start_stack(name: &str) -> (Stack, Client) {
    let mut stack_options = options(name);
    stack_options.client_timeout = Duration::from_secs(5);
    for name in ["ReadsPerSecond", "WritesPerSecond"] {
        stack_options
            .parameters
            .push((name.to_owned(), "100000".to_owned()));
    }
    let stack = Stack::start(stack_options).expect("the stack starts");
    let account_id = new_account();
    let token = stack.issue_token(&account_id).expect("a token is issued");
    let client = Client::with_token(&account_id, &token, stack.url());
    client.create("the first");
    (stack, client)
}

/// Sends `count` requests at once, each on a connection of its own, and returns their status codes and how long all
/// of them took.
fn send_at_once(stack: &Stack, request: &[u8], count: usize) -> (Vec<u16>, Duration) {
    let connections: Vec<_> = (0..count).map(|_| connect(stack)).collect();
    let start = Instant::now();
    let exchange = |mut connection: TcpStream| {
        connection.write_all(request).expect("the request is sent");
        read_response(&mut BufReader::new(connection))
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
            .map(|request| request.join().expect("the thread ends"))
            .collect()
    });
    (statuses, start.elapsed())
}

fn list_request(client: &Client) -> Vec<u8> {
    build_request(
        "GET",
        "/v1/groups?limit=1",
        &[&format!("authorization: Bearer {}", client.token)],
        "",
    )
}

fn create_request(client: &Client, name: &str) -> Vec<u8> {
    let authorization = format!("authorization: Bearer {}", client.token);
    let headers = [
        authorization.as_str(),
        "content-type: application/x-www-form-urlencoded",
    ];
    build_request("POST", "/v1/groups", &headers, format!("name={name}"))
}

#[test]
fn three_hundred_lists_and_then_150_creates_at_once_all_succeed() {
    let (stack, client) = start_stack("burst");
    let (statuses, time) = send_at_once(&stack, &list_request(&client), 300);
    assert_eq!(statuses, [200; 300]);
    assert!(time < Duration::from_secs(12), "{time:?}");
    let (statuses, time) = send_at_once(&stack, &create_request(&client, "a"), 150);
    assert_eq!(statuses, [201; 150]);
    assert!(time < Duration::from_secs(12), "{time:?}");
    assert_eq!(send_at_once(&stack, &list_request(&client), 1).0, [200]);
}

#[test]
fn a_hundred_clients_that_disconnect_after_5_ms_do_not_delay_the_next_one() {
    let (stack, client) = start_stack("leavers");
    for _ in 0..100 {
        let mut connection = connect(&stack);
        connection
            .write_all(&list_request(&client))
            .expect("the request is sent");
        thread::sleep(Duration::from_millis(5));
    }
    let (statuses, time) = send_at_once(&stack, &list_request(&client), 1);
    assert_eq!(statuses, [200]);
    assert!(time < Duration::from_secs(3), "{time:?}");
}

#[test]
fn the_api_works_after_a_storm() {
    let (stack, client) = start_stack("storm");
    let seconds = std::env::var("STORM_SECONDS").map_or(10, |seconds| {
        seconds.parse().expect("`STORM_SECONDS` is a number")
    });
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let is_storming = || Instant::now() < deadline;
    let all_functions = functions();
    let created = Mutex::new(Vec::new());
    let (served, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let idle: Vec<_> = (0..2_000).map(|_| connect(&stack)).collect();
    thread::scope(|scope| {
        // Clients that disconnect before they get a response.
        scope.spawn(|| {
            while is_storming() {
                let mut connection = connect(&stack);
                let _ = connection.write_all(&list_request(&client));
                thread::sleep(Duration::from_millis(5));
            }
        });
        // Clients that do not finish their headers or their body.
        scope.spawn(|| {
            let mut unfinished = VecDeque::new();
            while is_storming() {
                for part in [
                    "GET /v1/gro",
                    "POST /v1/groups HTTP/1.1\r\ncontent-length: 9\r\n\r\nna",
                ] {
                    let mut connection = connect(&stack);
                    let _ = connection.write_all(part.as_bytes());
                    unfinished.push_back(connection);
                    // The gateway has already closed the oldest connections.
                    if unfinished.len() > 2_000 {
                        unfinished.pop_front();
                    }
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        // Clients that send slowly.
        scope.spawn(|| {
            while is_storming() {
                let mut connection = connect(&stack);
                for part in create_request(&client, "slow").chunks(40) {
                    let _ = connection.write_all(part);
                    thread::sleep(Duration::from_millis(20));
                }
                assert!(
                    read_response(&mut BufReader::new(connection)).is_some(),
                    "a response"
                );
            }
        });
        // Clients that pipeline requests.
        scope.spawn(|| {
            while is_storming() {
                let mut connection = connect(&stack);
                connection
                    .write_all(&list_request(&client).repeat(10))
                    .expect("the requests are sent");
                let mut reader = BufReader::new(connection);
                assert!(
                    (0..10).all(|_| read_response(&mut reader).is_some()),
                    "ten responses"
                );
            }
        });
        // Kills of functions.
        scope.spawn(|| {
            for round in 0.. {
                thread::sleep(Duration::from_millis(150));
                if !is_storming() {
                    break;
                }
                let processes = stack.process_ids(all_functions[round % all_functions.len()]);
                if let Some(process) = processes.first() {
                    let _ = Command::new("kill")
                        .args(["-KILL", &process.to_string()])
                        .status();
                }
            }
        });
        // Clients that create groups and record them.
        for _ in 0..8 {
            scope.spawn(|| {
                while is_storming() {
                    let mut connection = connect(&stack);
                    connection
                        .write_all(&create_request(&client, "stored"))
                        .expect("the request is sent");
                    let response =
                        read_response(&mut BufReader::new(connection)).expect("a response");
                    match response.status {
                        201 => created
                            .lock()
                            .expect("not poisoned")
                            .push(response.header("location")[0].to_owned()),
                        500 => {
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                        _ => panic!("{response:?}"),
                    }
                    served.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    drop(idle);
    // A new client is served at once.
    let client = Client::with_token(&client.account_id, &client.token, stack.url());
    wait_for("a list after the storm", Duration::from_secs(1), || {
        Some(client.get("/v1/groups").page())
    });
    let created = created.into_inner().expect("not poisoned");
    let (served, failed) = (served.into_inner(), failed.into_inner());
    assert!(
        created.len() > 100 && failed < served / 10,
        "{} of {served} succeeded, {failed} failed",
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
    let processes: usize = all_functions
        .iter()
        .map(|function| stack.process_ids(function).len())
        .sum();
    assert!(processes <= all_functions.len() * 10, "{processes}");
}
