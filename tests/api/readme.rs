//! README.md: its curl lines, as they stand, give the answers that stand below them.

use std::process::Command;

use serde_json::Value;

use crate::support::{Client, stack};

/// A code block of a Markdown text: its language and its content.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(language) => {
                inside = true;
                blocks.push((language.to_owned(), String::new()));
            }
            None if inside => {
                let (_, content) = blocks.last_mut().expect("a block is open");
                *content += &format!("{line}\n");
            }
            None => {}
        }
    }
    blocks
}

#[test]
fn each_curl_line_gives_the_answer_below_it() {
    let client = Client::new();
    local::sample::put_all(stack().dynamodb(), &client.account_id).expect("the samples are put");
    let readme =
        std::fs::read_to_string(local::tools::workspace().join("README.md")).expect("README.md");
    let blocks = blocks(&readme);
    let mut lines = 0;
    for (index, (_, line)) in blocks
        .iter()
        .enumerate()
        .filter(|(_, (_, text))| text.starts_with("curl"))
    {
        let command = line
            .replace("http://127.0.0.1:9000", stack().url())
            .replace("$(cat target/local/token)", &client.token);
        assert!(command.contains(&client.token), "{line}");
        let output = Command::new("sh")
            .args(["-c", &command])
            .output()
            .expect("sh runs");
        assert!(output.status.success(), "{line}");
        lines += 1;
        let answer = match blocks.get(index + 1) {
            Some((language, text)) if language == "json" => text,
            _ => {
                assert_eq!(output.stdout, b"", "{line}");
                continue;
            }
        };
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut expected: Value = serde_json::from_str(answer).expect("JSON");
        if expected["id"] == "l7cGNIBKZiNJ6wqF" {
            // A new group has an id, a conversation and a time of its own.
            for member in ["id", "conversation_id", "created_at"] {
                assert_ne!(found[member], expected[member]);
                expected[member] = found[member].clone();
            }
        }
        assert_eq!(found, expected, "{line}");
    }
    assert_eq!(lines, 6, "all of them were found");
}
