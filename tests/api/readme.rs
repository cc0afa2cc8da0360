//! The curl commands of README.md and docs/walkthrough.md must return the responses below them.

use std::process::Command;

use serde_json::Value;

use crate::support::{Client, stack};

/// Returns the code blocks of a Markdown text, each as its language and its content.
fn parse_blocks(text: &str) -> Vec<(String, String)> {
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
fn the_command_of_the_readme_returns_the_response_below_it() {
    assert_eq!(run_commands("README.md"), 1);
}

#[test]
fn each_command_of_the_walkthrough_returns_the_response_below_it() {
    let commands = run_commands("docs/walkthrough.md");
    assert_eq!(
        commands, 9,
        "tests/api/readme.rs expects this number of commands"
    );
}

/// Runs the curl commands of a file for an account with the sample groups, checks their responses, and returns how
/// many there are.
fn run_commands(file: &str) -> usize {
    let client = Client::new();
    local::sample::put_all(stack().dynamodb(), &client.account_id).expect("the samples are stored");
    let markdown = std::fs::read_to_string(local::tools::workspace().join(file)).expect(file);
    let blocks = parse_blocks(&markdown);
    let is_command = |(_, (_, block)): &(usize, &(String, String))| block.starts_with("curl");
    let commands: Vec<_> = blocks.iter().enumerate().filter(is_command).collect();
    for (index, (_, block)) in &commands {
        let command = block
            .replace("http://127.0.0.1:9000", stack().url())
            .replace("$(cat target/local/token)", &client.token);
        assert!(command.contains(&client.token), "{block}");
        let output = Command::new("sh")
            .args(["-c", &command])
            .output()
            .expect("sh runs");
        assert!(output.status.success(), "{block}");
        match blocks.get(index + 1) {
            Some((language, expected)) if language == "json" => {
                assert_response(&output.stdout, expected, block);
            }
            _ => assert_eq!(output.stdout, b"", "{block}"),
        }
    }
    commands.len()
}

fn assert_response(found: &[u8], expected: &str, command: &str) {
    let found: Value = serde_json::from_slice(found).expect("JSON");
    let mut expected: Value = serde_json::from_str(expected).expect("JSON");
    if expected["id"] == "l7cGNIBKZiNJ6wqF" {
        // These members are new for each group.
        for member in ["id", "conversation_id", "created_at"] {
            assert_ne!(found[member], expected[member]);
            expected[member] = found[member].clone();
        }
    }
    assert_eq!(found, expected, "{command}");
}
