//! What the functions log: nothing secret, and lines that match `log.schema.json`. These tests read the logs of the
//! last run of tests/api.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use shared::model::Token;

// tests/api uses the rest.
#[allow(dead_code)]
#[path = "api/run.rs"]
mod run;

/// Reads the logs of all programs of the stack, each with the name of its program.
fn read_logs() -> Vec<(String, String)> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(run::finished_logs()).expect("the directory is read") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let program = path.file_stem().expect("a file has a name").display();
            let log = fs::read_to_string(&path).expect("the log is UTF-8");
            logs.push((program.to_string(), log));
        }
    }
    logs
}

/// Parses the lines that the functions have logged, each with the name of its function.
fn parse_lines() -> Vec<(String, Value)> {
    let mut lines = Vec::new();
    for (program, log) in read_logs() {
        if ["dynamodb-local", "permissions"].contains(&program.as_str()) {
            continue;
        }
        let all: Vec<_> = log.lines().collect();
        // After the last JSON line, functions report that the Runtime API ended with the tests.
        let last = all.iter().rposition(|line| line.starts_with('{'));
        for line in &all[..last.map_or(0, |last| last + 1)] {
            let parsed = serde_json::from_str(line);
            let parsed = parsed.unwrap_or_else(|error| panic!("{program}: {error}: {line}"));
            lines.push((program.clone(), parsed));
        }
    }
    lines
}

/// Whether a text contains a token: 56 characters with its format and checksum.
fn contains_token(text: &str) -> bool {
    text.match_indices("groups_")
        .filter_map(|(start, _)| text.get(start..start + 56))
        .any(|candidate| Token::from_text(candidate).is_some())
}

#[test]
fn no_log_contains_a_token() {
    let (mut lines, mut programs) = (0, 0);
    for (program, log) in read_logs() {
        let leak = log.lines().find(|line| contains_token(line));
        assert!(leak.is_none(), "{program}: {leak:?}");
        lines += log.lines().count();
        programs += 1;
    }
    // Each request logs a line, and each function has a log.
    assert!(
        lines > 1_000 && programs >= 9,
        "{lines} lines of {programs} programs"
    );
}

/// The name of a group in requests of `tests/api/log.rs`.
const NAME: &str = "a name that is nobody's business";

#[test]
fn no_log_contains_the_body_of_a_request() {
    let mut bodies = 0;
    for (program, log) in read_logs() {
        assert!(!log.contains(NAME), "{program}");
        bodies += log.matches("\"function\":\"create-group\"").count();
    }
    assert!(bodies > 100, "{bodies} requests with a body were logged");
}

#[test]
fn a_token_in_a_text_is_found() {
    let token = format!("groups_{}4AceYX", "0".repeat(43));
    assert!(contains_token(&format!(
        "{{\"authorization\":\"Bearer {token}\"}}"
    )));
    assert!(!contains_token(&token[..55]));
}

#[test]
fn every_line_matches_the_schema() {
    let schema = serde_json::from_str(include_str!("log.schema.json")).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is valid");
    for (program, line) in parse_lines() {
        let error = validator.iter_errors(&line).next();
        assert!(
            error.is_none(),
            "tests/log.schema.json does not allow this line of {program}: {error:?}: {line}"
        );
    }
}

#[test]
fn metrics_are_members_of_their_lines_and_all_of_them_are_logged() {
    let mut found = BTreeSet::new();
    for (_, line) in &parse_lines() {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array();
        for directive in directives.into_iter().flatten() {
            let dimensions = directive["Dimensions"].as_array();
            let sets = dimensions.expect("`Dimensions` is an array").iter();
            for name in sets.flat_map(|set| set.as_array()).flatten() {
                let name = name.as_str().expect("a dimension is a string");
                assert!(line[name].is_string(), "{name}: {line}");
            }
            let metrics = directive["Metrics"].as_array();
            for metric in metrics.expect("`Metrics` is an array") {
                let name = metric["Name"].as_str().expect("`Name` is a string");
                assert!(
                    line[name].is_number() || line[name].is_array(),
                    "{name}: {line}"
                );
                found.insert(name.to_owned());
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
        "purges_unfinished",
        "requests",
        "server_errors",
    ];
    assert!(found.iter().eq(all), "{found:?}");
}

#[test]
fn each_request_is_logged_in_one_line() {
    let lines = parse_lines();
    let requests = lines
        .iter()
        .filter(|(_, line)| line["message"] == "request");
    // API Gateway's ids have 16 characters. All events in events/ have the id below.
    let ids: Vec<_> = requests
        .map(|(_, line)| line["request_id"].as_str().expect("an id is a string"))
        .filter(|id| id.len() == 16 && *id != "JKJaXmPLvHcESHA=")
        .collect();
    assert!(ids.len() > 1_000, "{}", ids.len());
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}
