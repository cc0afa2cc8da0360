//! The API from outside: real HTTP to the real binaries on DynamoDB Local. One stack serves all
//! tests; each has an account of its own.

// The tests of the gateway use all of it.
#[allow(dead_code)]
#[path = "../gateway/http.rs"]
mod http;
mod support;

mod authentication;
mod costs;
mod create_group;
mod delete_group;
mod etags;
mod events;
mod fallback;
mod faults;
mod get_group;
mod idempotency;
mod init;
mod issue_token;
mod list_groups;
mod log;
mod openapi;
mod order;
mod page;
mod properties;
mod purge_messages;
mod readme;
mod repeated_headers;
mod retries;
mod revoke_token;
mod storm;
mod template;
mod update_group;
