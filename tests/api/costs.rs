//! What calls cost DynamoDB: requests and units, which are money and time whatever the machine.

use local::{Cost, Instance, Meter};
use serde_json::{Value, json};

use crate::support::{Answer, Client, stack};

/// Read and write units of the page's group, in requests of their own: a strongly consistent read
/// of up to 4 KB, a query of as much, a write of up to 1 KB to the table and its index.
const READ: f64 = 1.0;
const EVENTUAL_READ: f64 = 0.5;
const WRITE: f64 = 1.0;

/// A write whose condition fails. DynamoDB counts it as a write; DynamoDB Local does not.
const REFUSED: f64 = 0.0;

/// An instance whose requests to DynamoDB are counted.
fn metered(function: &str) -> (Instance, Meter) {
    let meter = Meter::start(&stack().dynamodb_of(function)).expect("a port");
    let variables = [("AWS_ENDPOINT_URL_DYNAMODB", meter.url())];
    let mut instance = stack().instance(function, &variables).expect("an instance");
    instance.wait_for_init().expect("it starts");
    assert_eq!(
        spent(&meter),
        costs(&[("GetItem", EVENTUAL_READ)]),
        "the connection"
    );
    (instance, meter)
}

fn event(client: &Client, body: Option<&str>, headers: &[(&str, &str)]) -> Value {
    let mut event = json!({
        "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {}", client.token),
            "content-type": "application/json",
        },
        "pathParameters": { "id": local::sample::GROUP_ID },
        "body": body,
        "requestContext": { "requestId": "id" },
    });
    for (name, value) in headers {
        event["headers"][*name] = json!(value);
    }
    event
}

fn invoke(instance: &mut Instance, event: &Value, status: u16) {
    let response = instance.invoke(event).expect("an answer");
    let answer = Answer::of_function(&response);
    assert_eq!(answer.status, status, "{answer:?}");
}

fn spent(meter: &Meter) -> Vec<(String, f64)> {
    let cost = |cost: Cost| (cost.operation, cost.units);
    meter.take().into_iter().map(cost).collect()
}

/// A client whose account has the page's group.
fn client() -> Client {
    let client = Client::new();
    local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
    client
}

fn costs(costs: &[(&str, f64)]) -> Vec<(String, f64)> {
    let owned = |(operation, units): &(&str, f64)| ((*operation).to_owned(), *units);
    costs.iter().map(owned).collect()
}

const BODY: Option<&str> = Some(r#"{"name":"Plaza Hotel"}"#);

#[test]
fn each_endpoint_makes_one_request_and_one_more_for_a_token_that_is_new_to_it() {
    for (function, body, status, operation, units) in [
        ("list-groups", None, 200, "Query", READ),
        ("get-group", None, 200, "GetItem", READ),
        ("create-group", BODY, 201, "PutItem", 2.0 * WRITE),
        ("update-group", BODY, 200, "UpdateItem", 2.0 * WRITE),
        ("delete-group", None, 204, "DeleteItem", 2.0 * WRITE),
    ] {
        let client = client();
        let (mut instance, meter) = metered(function);
        let event = event(&client, body, &[]);
        invoke(&mut instance, &event, status);
        let first = [("GetItem", READ), (operation, units)];
        assert_eq!(spent(&meter), costs(&first), "{function}");
        local::sample::put(stack().dynamodb(), &client.account_id).expect("the sample");
        invoke(&mut instance, &event, status);
        assert_eq!(spent(&meter), costs(&[(operation, units)]), "{function}");
    }
}

#[test]
fn what_depends_on_a_version_or_has_a_key_is_one_request_too() {
    for (function, header, body, status, operation, units) in [
        (
            "get-group",
            ("if-none-match", "*"),
            None,
            304,
            "GetItem",
            READ,
        ),
        (
            "update-group",
            ("if-match", "\"0123456789ABCDEF\""),
            BODY,
            200,
            "UpdateItem",
            2.0 * WRITE,
        ),
        (
            "update-group",
            ("if-match", "\"a\""),
            BODY,
            412,
            "UpdateItem",
            REFUSED,
        ),
        (
            "delete-group",
            ("if-match", "\"a\""),
            None,
            412,
            "DeleteItem",
            REFUSED,
        ),
        (
            "create-group",
            ("idempotency-key", "k"),
            BODY,
            201,
            "TransactWriteItems",
            6.0 * WRITE,
        ),
    ] {
        let client = client();
        let (mut instance, meter) = metered(function);
        let event = event(&client, body, &[header]);
        invoke(&mut instance, &event, status);
        let first = [("GetItem", READ), (operation, units)];
        assert_eq!(spent(&meter), costs(&first), "{function} {header:?}");
        if function == "create-group" {
            invoke(&mut instance, &event, status);
            assert_eq!(spent(&meter), costs(&[(operation, REFUSED)]), "the replay");
        }
    }
}

#[test]
fn what_is_refused_for_itself_costs_nothing() {
    let client = client();
    let (mut instance, meter) = metered("create-group");
    invoke(
        &mut instance,
        &event(&client, BODY, &[("authorization", "")]),
        401,
    );
    invoke(
        &mut instance,
        &event(&client, BODY, &[("authorization", "Bearer junk")]),
        401,
    );
    assert_eq!(spent(&meter), []);
    invoke(&mut instance, &event(&client, Some("{}"), &[]), 400);
    assert_eq!(spent(&meter), costs(&[("GetItem", READ)]));
    let (mut instance, meter) = metered("get-group");
    let mut event = event(&client, None, &[]);
    event["pathParameters"]["id"] = json!("not an id");
    invoke(&mut instance, &event, 404);
    assert_eq!(spent(&meter), costs(&[("GetItem", READ)]));
}

/// Fills a new account with groups, of which every other one is archived.
fn client_with_groups(count: usize) -> Client {
    let client = Client::new();
    let group = |number: usize| {
        let mut item = local::sample::item(&client.account_id).expect("an item");
        // Eleven of these are less than the 4 KB of one unit.
        item["description"] = json!({ "S": "" });
        item["id"] = json!({ "S": format!("{number:016}") });
        if number % 2 == 1 {
            item["account_state"] = json!({ "S": format!("{}#archived", client.account_id) });
            item["archived_at"] = json!({ "N": "692233200" });
        }
        json!({ "PutRequest": { "Item": item } })
    };
    let numbers: Vec<_> = (0..count).collect();
    for numbers in numbers.chunks(25) {
        let puts: Vec<_> = numbers.iter().copied().map(group).collect();
        let input = json!({ "RequestItems": { "GroupsTable": puts } });
        let written = stack().dynamodb().call("BatchWriteItem", &input);
        assert_eq!(
            written.expect("they are written")["UnprocessedItems"],
            json!({})
        );
    }
    client
}

#[test]
fn a_page_costs_the_same_whatever_the_account_holds_and_whichever_filter_is_set() {
    let (mut instance, meter) = metered("list-groups");
    for count in [100, 2_000] {
        let client = client_with_groups(count);
        let middle = format!("{:016}", count / 2);
        invoke(&mut instance, &event(&client, None, &[]), 200);
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
                let mut event = event(&client, None, &[]);
                event["rawQueryString"] = json!(format!("{filter}&{cursor}"));
                invoke(&mut instance, &event, 200);
                assert_eq!(
                    spent(&meter),
                    costs(&[("Query", units)]),
                    "{count} {filter} {cursor}"
                );
            }
        }
    }
}
