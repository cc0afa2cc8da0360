//! What all functions have in common: the models, the errors, the HTTP edge, the caller, the tables, the log.
//!
//! In reading order: [`model`] says what a group is and parses what callers send; [`error`] what can go wrong;
//! [`http`] turns API Gateway's events into requests and results into answers; [`auth`] finds the caller behind a
//! bearer token; [`dynamodb`] connects to DynamoDB and repeats requests, and [`tables`] reads and writes it;
//! [`operator`] is the edge of the functions that operators invoke by name, and [`queue`] of the one that a queue
//! drives; [`telemetry`] is the log.
//!
//! Nothing here knows a route: a function is one endpoint, and API Gateway has routed already.

pub mod auth;
mod base62;
mod deadline;
pub mod dynamodb;
pub mod error;
pub mod http;
pub mod model;
pub mod operator;
pub mod queue;
pub mod tables;
pub mod telemetry;

pub use error::{Error, Result};
