//! What a function does that is started without its configuration.

use std::process::Command;

use crate::support::{FUNCTIONS, binaries};

#[test]
fn a_function_without_its_configuration_fails_in_init_and_names_the_variable() {
    for function in FUNCTIONS {
        if function == "fallback" {
            continue; // It needs none.
        }
        let table = if function == "purge-messages" {
            "MESSAGES_TABLE"
        } else {
            "TOKENS_TABLE"
        };
        let mut variables = vec!["AWS_REGION", table];
        if function.ends_with("-group") || function.ends_with("-groups") {
            variables.push("GROUPS_TABLE");
        }
        if function == "create-group" {
            variables.push("IDEMPOTENCY_TABLE");
        }
        for missing in &variables {
            // An empty variable is as good as none.
            for empty in [false, true] {
                let mut command = Command::new(binaries().join(function));
                command
                    .env_clear()
                    .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");
                command.envs(
                    variables
                        .iter()
                        .filter(|name| *name != missing)
                        .map(|name| (name, "x")),
                );
                if empty {
                    command.env(missing, "");
                }
                let output = command.output().expect("the function runs");
                let error = String::from_utf8(output.stderr).expect("UTF-8");
                assert_eq!(output.status.code(), Some(1), "{function} {missing}");
                assert_eq!(error.lines().count(), 1, "{function}: {error}");
                assert!(error.contains(missing), "{function}: {error}");
                assert_eq!(output.stdout, b"", "{function}");
            }
        }
    }
}
