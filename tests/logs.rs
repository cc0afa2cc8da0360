//! What all functions have logged in the run of the tests in `tests/api`, which Cargo runs before
//! this: nothing secret, and lines as `log.schema.json` has them.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use shared::model::Token;

/// The logs of all programs of the stack, by name.
fn logs() -> Vec<(String, String)> {
    let dir = local::tools::home()
        .expect("target/local")
        .join("logs/tests");
    let entries = fs::read_dir(&dir).expect("the logs of tests/api; run all of `cargo test`");
    let log = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let program = path.file_stem().expect("a name").display().to_string();
        (program, fs::read_to_string(&path).expect("UTF-8"))
    };
    entries.map(log).collect()
}

/// Every line that a function has logged, and which function. What follows the last JSON line is not
/// part of it: when the tests end, so does the Runtime API, and functions complain before they are
/// killed.
fn lines() -> Vec<(String, Value)> {
    let not_functions = ["dynamodb-local", "permissions"];
    let functions = logs()
        .into_iter()
        .filter(|(program, _)| !not_functions.contains(&program.as_str()));
    let lines = functions.flat_map(|(program, log)| {
        let all: Vec<_> = log.lines().collect();
        let count = all
            .iter()
            .rposition(|line| line.starts_with('{'))
            .map_or(0, |last| last + 1);
        let parse = |line: &&str| {
            let parsed = serde_json::from_str(line);
            (
                program.clone(),
                parsed.unwrap_or_else(|error| panic!("{program}: {error}: {line}")),
            )
        };
        all[..count].iter().map(parse).collect::<Vec<_>>()
    });
    lines.collect()
}

/// Whether a text contains a token: 56 characters with its form and checksum.
fn has_token(text: &str) -> bool {
    let places = text
        .match_indices("groups_")
        .filter_map(|(start, _)| text.get(start..start + 56));
    places
        .into_iter()
        .any(|place| Token::from_text(place).is_some())
}

#[test]
fn no_token_is_in_any_log() {
    let (mut lines, mut programs) = (0, 0);
    for (program, log) in logs() {
        let leak = log.lines().find(|line| has_token(line));
        assert!(leak.is_none(), "{program}: {leak:?}");
        lines += log.lines().count();
        programs += 1;
    }
    // Every request makes a line, and each function has a log.
    assert!(
        lines > 1_000 && programs >= 9,
        "{lines} lines of {programs} programs"
    );
}

/// A name that `tests/api/log.rs` gives a group, in the body of a request.
const NAME: &str = "a name that is nobody's business";

#[test]
fn no_name_and_no_body_is_in_any_log() {
    let mut bodies = 0;
    for (program, log) in logs() {
        assert!(!log.contains(NAME), "{program}");
        bodies += log.matches("\"function\":\"create-group\"").count();
    }
    assert!(bodies > 100, "{bodies} bodies came");
}

#[test]
fn a_token_would_be_found() {
    let token = format!("groups_{}4AceYX", "0".repeat(43));
    assert!(has_token(&format!(
        "{{\"authorization\":\"Bearer {token}\"}}"
    )));
    assert!(!has_token(&token[..55]));
}

#[test]
fn every_line_is_as_the_schema_has_it() {
    let schema = serde_json::from_str(include_str!("log.schema.json")).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    for (program, line) in lines() {
        let fault = schema.iter_errors(&line).next();
        assert!(fault.is_none(), "{program}: {fault:?}: {line}");
    }
}

#[test]
fn the_metrics_are_members_of_their_lines_and_each_kind_was_seen() {
    let mut seen = BTreeSet::new();
    let lines = lines();
    for (_, line) in &lines {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array();
        for directive in directives.into_iter().flatten() {
            let dimensions = directive["Dimensions"].as_array().expect("dimensions");
            for name in dimensions.iter().flat_map(|set| set.as_array()).flatten() {
                let name = name.as_str().expect("a name");
                assert!(line[name].is_string(), "{name}: {line}");
            }
            for metric in directive["Metrics"].as_array().expect("metrics") {
                let name = metric["Name"].as_str().expect("a name");
                assert!(
                    line[name].is_number() || line[name].is_array(),
                    "{name}: {line}"
                );
                seen.insert(name.to_owned());
            }
        }
    }
    let all = [
        "client_errors",
        "cold_starts",
        "duration_ms",
        "dynamodb_ms",
        "dynamodb_throttles",
        "idempotent_replays",
        "messages_purged",
        "requests",
        "server_errors",
    ];
    assert!(seen.iter().eq(all), "{seen:?}");
}

#[test]
fn a_request_makes_one_line() {
    let lines = lines();
    let requests = lines
        .iter()
        .filter(|(_, line)| line["message"] == "request");
    // API Gateway's ids have 16 characters. The events in events/ all use the id below.
    let ids = requests.map(|(_, line)| line["request_id"].as_str().expect("an id"));
    let ids: Vec<_> = ids
        .filter(|id| id.len() == 16 && *id != "JKJaXmPLvHcESHA=")
        .collect();
    assert!(ids.len() > 1_000, "{}", ids.len());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}
