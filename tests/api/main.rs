//! The API from outside: real HTTP requests to the real binaries on DynamoDB Local. All tests share one stack, and
//! each has an account of its own.

// Only tests/gateway uses all of it.
#[allow(dead_code)]
#[path = "../gateway/http.rs"]
mod http;
// tests/logs.rs and tests/permissions.rs use the rest.
#[allow(dead_code)]
mod run;
mod support;
// The benchmark uses the rest.
#[allow(dead_code)]
#[path = "../../benchmark/tls.rs"]
mod tls;

mod authentication;
mod costs;
mod create_group;
mod delete_group;
mod docs_examples;
mod error_precedence;
mod etags;
mod events;
mod fallback;
mod faults;
mod get_group;
mod idempotency;
mod issue_token;
mod list_groups;
mod log;
mod missing_configuration;
mod openapi;
mod properties;
mod purge_messages;
mod readme;
mod repeated_headers;
mod retries;
mod revoke_token;
mod storm;
mod template;
mod transport;
mod update_group;
