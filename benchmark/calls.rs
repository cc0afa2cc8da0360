//! Measures the cost of each call in DynamoDB: operations, capacity units and bytes.

use local::{Cost, Instance, Meter, Result, Stack, dynamodb, sample};
use serde_json::{Value, json};

use crate::{
    cases::{group, put_items, request_event},
    report::Table,
};

/// The number of groups in each account whose lists are measured. Every other group is archived.
const ACCOUNTS: [usize; 3] = [10, 1_000, 100_000];

/// Measures every endpoint, and every kind of list.
pub(crate) fn measure(stack: &Stack) -> Result<Vec<Table>> {
    let meter = Meter::start(stack.dynamodb())?;
    Ok(vec![
        measure_endpoints(stack, &meter)?,
        measure_lists(stack, &meter)?,
    ])
}

fn start_instance(stack: &Stack, meter: &Meter, function: &str) -> Result<Instance> {
    let mut instance = stack.instance(function, &[(dynamodb::ENDPOINT_URL, meter.url())])?;
    instance.wait_for_init()?;
    Ok(instance)
}

fn invoke(instance: &mut Instance, event: &Value, status: u64) -> Result<()> {
    let response = instance.invoke(event).map_err(|error| error.to_string())?;
    if response["statusCode"] == status {
        Ok(())
    } else {
        Err(response.to_string())
    }
}

/// Creates a table of costs. `call` names the columns that identify the call.
fn cost_table(title: &str, call: &str) -> Table {
    let head = format!("{call} | operations | read units | write units | bytes");
    Table::new(title, &head)
}

/// Adds a row with the costs since the last row.
fn add_row(table: &mut Table, mut row: Vec<Value>, meter: &Meter) {
    let costs = meter.take();
    let operations: Vec<_> = costs.iter().map(|cost| cost.operation.as_str()).collect();
    let (read, write) = costs.iter().partition::<Vec<_>, _>(|cost| cost.is_read());
    let units = |costs: &[&Cost]| costs.iter().fold(0.0, |sum, cost| sum + cost.units);
    let bytes: usize = costs.iter().map(|cost| cost.bytes).sum();
    row.extend([
        json!(operations.join(", ")),
        json!(units(&read)),
        json!(units(&write)),
        json!(bytes),
    ]);
    table.rows.push(row);
}

fn measure_endpoints(stack: &Stack, meter: &Meter) -> Result<Table> {
    let mut table = cost_table("DynamoDB, per call", "function | call");
    let account_id = "bench-calls";
    sample::put(stack.dynamodb(), account_id)?;
    let token = stack.issue_token(account_id)?;
    let mut add = |function: &str, call: &str| {
        add_row(&mut table, vec![json!(function), json!(call)], meter);
    };
    for (function, status) in [
        ("list-groups", 200),
        ("get-group", 200),
        ("create-group", 201),
        ("update-group", 200),
        ("delete-group", 204),
    ] {
        let mut instance = start_instance(stack, meter, function)?;
        add(function, "init");
        let event = request_event(function, &token);
        invoke(&mut instance, &event, status)?;
        add(function, "new token");
        sample::put(stack.dynamodb(), account_id)?;
        invoke(&mut instance, &event, status)?;
        add(function, "cached token");
        if function == "create-group" {
            let mut with_key = event.clone();
            with_key["headers"]["idempotency-key"] = json!("a-key");
            invoke(&mut instance, &with_key, status)?;
            add(function, "idempotency key");
            invoke(&mut instance, &with_key, status)?;
            add(function, "replay");
        }
    }
    Ok(table)
}

fn measure_lists(stack: &Stack, meter: &Meter) -> Result<Table> {
    let title = "DynamoDB, per page of ten groups";
    let mut table = cost_table(title, "groups | archived | page");
    let mut instance = start_instance(stack, meter, "list-groups")?;
    let id = |number: usize| format!("{number:016}");
    for count in ACCOUNTS {
        let account_id = format!("bench-{count}");
        put_items(stack, "GroupsTable", count, |number| {
            group(&account_id, &id(number), number % 2 == 1)
        })?;
        let token = stack.issue_token(&account_id)?;
        let mut list = |query: &str| {
            let mut event = request_event("list-groups", &token);
            event["rawQueryString"] = json!(query);
            invoke(&mut instance, &event, 200)
        };
        // Caches the token.
        list("")?;
        meter.take();
        for (filter, first) in [
            ("all", ""),
            ("false", "archived=false"),
            ("true", "archived=true"),
        ] {
            let middle = format!("{first}&starting_after={}", id(count / 2));
            for (page, query) in [("first", first), ("middle", &middle)] {
                list(query)?;
                add_row(
                    &mut table,
                    vec![json!(count), json!(filter), json!(page)],
                    meter,
                );
            }
        }
    }
    Ok(table)
}
