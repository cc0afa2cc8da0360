//! What each call costs DynamoDB: requests, units and bytes.

use local::{Cost, Instance, Meter, Result, Stack, dynamodb, sample};
use serde_json::{Value, json};

use crate::{
    report::Table,
    subjects::{event, group},
};

/// How many groups the accounts have whose lists are measured; every other one is archived.
const ACCOUNTS: [usize; 3] = [10, 1_000, 100_000];

/// Measures every endpoint, and every kind of list.
pub(crate) fn measure(stack: &Stack) -> Result<Vec<Table>> {
    let meter = Meter::start(stack.dynamodb())?;
    Ok(vec![endpoints(stack, &meter)?, lists(stack, &meter)?])
}

fn instance(stack: &Stack, meter: &Meter, function: &str) -> Result<Instance> {
    let mut instance = stack.instance(function, &[(dynamodb::ENDPOINT_URL, meter.url())])?;
    instance.wait_for_init()?;
    Ok(instance)
}

fn invoke(instance: &mut Instance, event: &Value, status: u64) -> Result<()> {
    let answer = instance.invoke(event).map_err(|error| error.to_string())?;
    if answer["statusCode"] == status {
        Ok(())
    } else {
        Err(answer.to_string())
    }
}

/// A table of calls, whose first columns say which.
fn table(title: &str, call: &[&str]) -> Table {
    let costs = [
        "operations",
        "requests",
        "read units",
        "write units",
        "bytes answered",
    ];
    Table::new(title, &[call, &costs].concat())
}

/// The costs of a call, as cells of such a table.
fn cells(meter: &Meter) -> Vec<Value> {
    let costs = meter.take();
    let operations: Vec<_> = costs.iter().map(|cost| cost.operation.as_str()).collect();
    let (read, write) = costs.iter().partition::<Vec<_>, _>(|cost| cost.is_read());
    let units = |costs: &[&Cost]| costs.iter().fold(0.0, |sum, cost| sum + cost.units);
    let bytes: usize = costs.iter().map(|cost| cost.bytes).sum();
    vec![
        json!(operations.join(", ")),
        json!(costs.len()),
        json!(units(&read)),
        json!(units(&write)),
        json!(bytes),
    ]
}

fn endpoints(stack: &Stack, meter: &Meter) -> Result<Table> {
    let mut table = table("DynamoDB, per call", &["function", "call"]);
    let account_id = "bench-calls";
    sample::put(stack.dynamodb(), account_id)?;
    let token = stack.issue_token(account_id)?;
    let mut row = |function: &str, call: &str| {
        let row = [json!(function), json!(call)]
            .into_iter()
            .chain(cells(meter))
            .collect();
        table.rows.push(row);
    };
    for (function, status) in [
        ("list-groups", 200),
        ("get-group", 200),
        ("create-group", 201),
        ("update-group", 200),
        ("delete-group", 204),
    ] {
        let mut instance = instance(stack, meter, function)?;
        row(function, "init");
        let event = event(function, &token);
        invoke(&mut instance, &event, status)?;
        row(function, "the token's first");
        sample::put(stack.dynamodb(), account_id)?;
        invoke(&mut instance, &event, status)?;
        row(function, "any further one");
        if function == "create-group" {
            let mut with_key = event.clone();
            with_key["headers"]["idempotency-key"] = json!("a-key");
            invoke(&mut instance, &with_key, status)?;
            row(function, "with an idempotency key");
            invoke(&mut instance, &with_key, status)?;
            row(function, "replayed");
        }
    }
    Ok(table)
}

fn lists(stack: &Stack, meter: &Meter) -> Result<Table> {
    let title = "DynamoDB, per page of ten groups";
    let mut table = table(title, &["groups", "archived", "page"]);
    let mut instance = instance(stack, meter, "list-groups")?;
    for count in ACCOUNTS {
        let account_id = format!("bench-{count}");
        fill(stack, &account_id, count)?;
        let token = stack.issue_token(&account_id)?;
        let mut list = |query: String| {
            let mut event = event("list-groups", &token);
            event["rawQueryString"] = json!(query);
            invoke(&mut instance, &event, 200)
        };
        list(String::new())?;
        meter.take();
        for (archived, filter) in [
            ("", "all"),
            ("archived=false", "false"),
            ("archived=true", "true"),
        ] {
            let middle = format!("{archived}&starting_after={}", id(count / 2));
            for (page, query) in [("first", archived.to_owned()), ("middle", middle)] {
                list(query)?;
                let row = [json!(count), json!(filter), json!(page)]
                    .into_iter()
                    .chain(cells(meter));
                table.rows.push(row.collect());
            }
        }
    }
    Ok(table)
}

fn id(number: usize) -> String {
    format!("{number:016}")
}

/// Fills an account with groups, of which every other one is archived.
fn fill(stack: &Stack, account_id: &str, count: usize) -> Result<()> {
    let numbers: Vec<_> = (0..count).collect();
    for numbers in numbers.chunks(25) {
        let put = |number: &usize| {
            let item = group(account_id, &id(*number), number % 2 == 1)?;
            Ok(json!({ "PutRequest": { "Item": item } }))
        };
        let puts = numbers.iter().map(put).collect::<Result<Vec<_>>>()?;
        stack.dynamodb().call(
            "BatchWriteItem",
            &json!({ "RequestItems": { "GroupsTable": puts } }),
        )?;
    }
    Ok(())
}
