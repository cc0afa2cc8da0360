//! No secret leaks: reads everything that all functions have logged in the run of the tests in
//! `tests/api`, which Cargo runs before this.

use std::fs;

use shared::model::Token;

/// Whether a text has a token of ours in it: any place with the form and the checksum of one.
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
    let dir = local::tools::home()
        .expect("target/local")
        .join("logs/tests");
    let entries = fs::read_dir(&dir).expect("the logs of tests/api; run all of `cargo test`");
    let (mut lines, mut functions) = (0, 0);
    for entry in entries {
        let path = entry.expect("an entry").path();
        let log = fs::read_to_string(&path).expect("UTF-8");
        let leak = log.lines().find(|line| has_token(line));
        assert!(leak.is_none(), "{}: {leak:?}", path.display());
        lines += log.lines().count();
        functions += 1;
    }
    // The faults alone make some hundred lines, and each function has a log.
    assert!(
        lines > 100 && functions >= 9,
        "{lines} lines of {functions} programs"
    );
}

#[test]
fn a_token_would_be_found() {
    let token = format!("groups_{}4AceYX", "0".repeat(43));
    assert!(has_token(&format!(
        "{{\"authorization\":\"Bearer {token}\"}}"
    )));
    assert!(!has_token(&token[..55]));
}
