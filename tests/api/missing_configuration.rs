//! Functions that are started without their environment variables.

use std::process::Command;

use crate::{
    run::binaries,
    support::{find_row, functions},
};

/// The environment variables that each function needs.
const VARIABLES: [(&str, &[&str]); 9] = [
    (
        "list-groups",
        &["AWS_REGION", "TOKENS_TABLE", "GROUPS_TABLE"],
    ),
    (
        "create-group",
        &[
            "AWS_REGION",
            "TOKENS_TABLE",
            "GROUPS_TABLE",
            "IDEMPOTENCY_TABLE",
        ],
    ),
    ("get-group", &["AWS_REGION", "TOKENS_TABLE", "GROUPS_TABLE"]),
    (
        "update-group",
        &["AWS_REGION", "TOKENS_TABLE", "GROUPS_TABLE"],
    ),
    (
        "delete-group",
        &["AWS_REGION", "TOKENS_TABLE", "GROUPS_TABLE"],
    ),
    ("fallback", &[]),
    ("purge-messages", &["AWS_REGION", "MESSAGES_TABLE"]),
    ("issue-token", &["AWS_REGION", "TOKENS_TABLE"]),
    ("revoke-token", &["AWS_REGION", "TOKENS_TABLE"]),
];

#[test]
fn a_function_without_an_environment_variable_fails_in_init_and_names_it() {
    for function in functions() {
        let variables = find_row(file!(), &VARIABLES, function);
        for missing in *variables {
            // An empty variable counts as missing.
            for is_empty in [false, true] {
                let mut command = Command::new(binaries().join(function));
                command
                    .env_clear()
                    .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");
                let others = variables.iter().filter(|name| *name != missing);
                command.envs(others.map(|name| (name, "x")));
                if is_empty {
                    command.env(missing, "");
                }
                let output = command.output().expect("the function runs");
                let error = String::from_utf8(output.stderr).expect("the error is UTF-8");
                assert_eq!(output.status.code(), Some(1), "{function} {missing}");
                assert_eq!(error.lines().count(), 1, "{function}: {error}");
                assert!(error.contains(missing), "{function}: {error}");
                assert_eq!(output.stdout, b"", "{function}");
            }
        }
    }
}
