//! What requests cost in DynamoDB: how many requests, and how many units. They do not depend on the machine.

use local::{Cost, Instance, Meter};
use serde_json::{Value, json};

use crate::support::{
    self, Client, ENDPOINTS, build_event, find_row, stack, start_instance, store_sample,
};

/// The units of a strongly consistent read or query of up to 4 KB. The sample group is smaller than 1 KB.
const READ: f64 = 1.0;

/// The units of an eventually consistent read or query of up to 4 KB.
const EVENTUAL_READ: f64 = 0.5;

/// The units of a write of up to 1 KB to the table or to its index.
const WRITE: f64 = 1.0;

/// The units of a write whose condition fails. DynamoDB charges for it, but DynamoDB Local does not.
const FAILED_CONDITION: f64 = 0.0;

/// The request that the function of each endpoint sends after the look-up of the token: its operation and its units.
const REQUESTS: [(&str, (&str, f64)); 5] = [
    ("list-groups", ("Query", READ)),
    ("create-group", ("PutItem", 2.0 * WRITE)),
    ("get-group", ("GetItem", READ)),
    ("update-group", ("UpdateItem", 2.0 * WRITE)),
    ("delete-group", ("DeleteItem", 2.0 * WRITE)),
];

/// Starts an instance whose requests to DynamoDB are counted, from the first invocation on.
fn start_metered(function: &str) -> (Instance, Meter) {
    let meter = Meter::start(&stack().dynamodb_of(function)).expect("a port is free");
    let instance = start_instance(function, meter.url());
    assert_eq!(
        take_costs(&meter),
        costs(&[("GetItem", EVENTUAL_READ)]),
        "the connection"
    );
    (instance, meter)
}

/// Builds an event with headers. An empty `authorization` is a request without a token.
fn event_with_headers(function: &str, client: &Client, headers: &[(&str, &str)]) -> Value {
    let mut event = build_event(function, &client.token);
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
    }
    event
}

fn invoke(instance: &mut Instance, event: &Value, status: u16) {
    let (response, _) = support::invoke(instance, event);
    assert_eq!(response.status, status, "{response:?}");
}

/// Returns the operations and their units since the last call.
fn take_costs(meter: &Meter) -> Vec<(String, f64)> {
    let pair = |cost: Cost| (cost.operation, cost.units);
    meter.take().into_iter().map(pair).collect()
}

fn costs(costs: &[(&str, f64)]) -> Vec<(String, f64)> {
    let owned = |(operation, units): &(&str, f64)| ((*operation).to_owned(), *units);
    costs.iter().map(owned).collect()
}

/// Creates a client whose account has the sample group.
fn client_with_sample() -> Client {
    let client = Client::new();
    store_sample(&client);
    client
}

#[test]
fn each_endpoint_sends_one_request_and_another_one_for_a_token_that_is_not_cached() {
    for endpoint in ENDPOINTS {
        let function = endpoint.function;
        let request = *find_row(file!(), &REQUESTS, function);
        let client = client_with_sample();
        let (mut instance, meter) = start_metered(function);
        let event = build_event(function, &client.token);
        invoke(&mut instance, &event, endpoint.status);
        let with_token = [("GetItem", READ), request];
        assert_eq!(take_costs(&meter), costs(&with_token), "{function}");
        store_sample(&client);
        invoke(&mut instance, &event, endpoint.status);
        assert_eq!(take_costs(&meter), costs(&[request]), "{function}");
    }
}

#[test]
fn a_conditional_request_and_a_create_with_a_key_are_one_request_too() {
    for (function, header, status, operation, units) in [
        ("get-group", ("if-none-match", "*"), 304, "GetItem", READ),
        (
            "update-group",
            ("if-match", "\"0123456789ABCDEF\""),
            200,
            "UpdateItem",
            2.0 * WRITE,
        ),
        (
            "update-group",
            ("if-match", "\"a\""),
            412,
            "UpdateItem",
            FAILED_CONDITION,
        ),
        (
            "delete-group",
            ("if-match", "\"a\""),
            412,
            "DeleteItem",
            FAILED_CONDITION,
        ),
        (
            "create-group",
            ("idempotency-key", "k"),
            201,
            "TransactWriteItems",
            6.0 * WRITE,
        ),
    ] {
        let client = client_with_sample();
        let (mut instance, meter) = start_metered(function);
        let event = event_with_headers(function, &client, &[header]);
        invoke(&mut instance, &event, status);
        let with_token = [("GetItem", READ), (operation, units)];
        assert_eq!(
            take_costs(&meter),
            costs(&with_token),
            "{function} {header:?}"
        );
        if function == "create-group" {
            invoke(&mut instance, &event, status);
            let replay = [(operation, FAILED_CONDITION)];
            assert_eq!(take_costs(&meter), costs(&replay), "the replay");
        }
    }
}

#[test]
fn archiving_and_restoring_cost_another_write_because_the_index_entry_moves() {
    let client = client_with_sample();
    let (mut instance, meter) = start_metered("update-group");
    let mut event = build_event("update-group", &client.token);
    invoke(&mut instance, &event, 200);
    take_costs(&meter);
    for body in [r#"{"archived_at": 692233200}"#, r#"{"archived_at": null}"#] {
        event["body"] = json!(body);
        invoke(&mut instance, &event, 200);
        assert_eq!(
            take_costs(&meter),
            costs(&[("UpdateItem", 3.0 * WRITE)]),
            "{body}"
        );
    }
}

#[test]
fn a_request_that_is_rejected_without_the_database_costs_nothing() {
    let client = client_with_sample();
    let (mut instance, meter) = start_metered("create-group");
    for authorization in ["", "Bearer junk"] {
        let headers = [("authorization", authorization)];
        let event = event_with_headers("create-group", &client, &headers);
        invoke(&mut instance, &event, 401);
    }
    assert_eq!(take_costs(&meter), []);
    let mut without_name = build_event("create-group", &client.token);
    without_name["body"] = json!("{}");
    invoke(&mut instance, &without_name, 400);
    assert_eq!(take_costs(&meter), costs(&[("GetItem", READ)]));
    let (mut instance, meter) = start_metered("get-group");
    let mut without_id = build_event("get-group", &client.token);
    without_id["pathParameters"]["id"] = json!("not an id");
    invoke(&mut instance, &without_id, 404);
    assert_eq!(take_costs(&meter), costs(&[("GetItem", READ)]));
}

/// Creates a client whose account has groups, of which every other one is archived.
fn client_with_groups(count: usize) -> Client {
    let client = Client::new();
    let put_request = |number: usize| {
        let mut item = local::sample::item(&client.account_id).expect("the sample is valid");
        // Eleven of these are less than the 4 KB of one unit, however long the account id is.
        item["contacts"] = json!({ "S": "[]" });
        item["id"] = json!({ "S": format!("{number:016}") });
        if number % 2 == 1 {
            item["account_state"] = json!({ "S": format!("{}#archived", client.account_id) });
            item["archived_at"] = json!({ "N": "692233200" });
        }
        json!({ "PutRequest": { "Item": item } })
    };
    let numbers: Vec<_> = (0..count).collect();
    for chunk in numbers.chunks(25) {
        let puts: Vec<_> = chunk.iter().copied().map(put_request).collect();
        let input = json!({ "RequestItems": { "GroupsTable": puts } });
        let output = stack().dynamodb().call("BatchWriteItem", &input);
        assert_eq!(
            output.expect("the items are written")["UnprocessedItems"],
            json!({})
        );
    }
    client
}

#[test]
fn a_page_costs_the_same_whatever_the_account_has_and_whichever_filter_is_set() {
    let (mut instance, meter) = start_metered("list-groups");
    for count in [100, 2_000] {
        let client = client_with_groups(count);
        let middle = format!("{:016}", count / 2);
        let mut event = build_event("list-groups", &client.token);
        invoke(&mut instance, &event, 200);
        meter.take();
        for (filter, units) in [
            ("", READ),
            ("archived=true", EVENTUAL_READ),
            ("archived=false", EVENTUAL_READ),
        ] {
            for cursor in [
                "",
                &format!("starting_after={middle}"),
                &format!("ending_before={middle}"),
            ] {
                event["rawQueryString"] = json!(format!("{filter}&{cursor}"));
                invoke(&mut instance, &event, 200);
                assert_eq!(
                    take_costs(&meter),
                    costs(&[("Query", units)]),
                    "{count} {filter} {cursor}"
                );
            }
        }
    }
}
