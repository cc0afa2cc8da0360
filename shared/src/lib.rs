//! The common crate of all functions.
//!
//! In reading order: [`input`] parses JSON, forms and queries into one tree; [`model`] checks it, and says what a group
//! is; [`error`] lists what can fail; [`dynamodb`] connects to DynamoDB with the HTTP client of `transport`, and repeats
//! requests; [`tables`] reads and writes items; [`auth`] finds the caller that a bearer token identifies; [`http`],
//! [`operator`] and [`queue`] are the edges of functions that API Gateway, operators and a queue invoke; [`telemetry`] is
//! the log. No module imports one that comes later, except [`error`] and [`telemetry`], which all use.

pub mod auth;
mod base62;
mod deadline;
pub mod dynamodb;
mod env;
pub mod error;
pub mod http;
pub mod input;
pub mod model;
pub mod operator;
pub mod queue;
pub mod tables;
pub mod telemetry;
mod transport;

pub use error::{Error, Result};

/// The path of the list of groups. A group is at `/v1/groups/{id}`.
pub const GROUPS_PATH: &str = "/v1/groups";

/// The largest body of a request, in bytes: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1_048_576;
