//! The cloud on this machine: DynamoDB Local, a Lambda Runtime API, and the functions themselves.
//!
//! `cargo local` and the tests bring up the same [`Stack`]. It is defined by `template.yaml`: the
//! tables, the routes, the functions' environment and what each may do are read from there. What is
//! missing on the machine [`tools`] fetch; what was started ends with the process that started it,
//! however that ends, because a [`Guardian`] sees to it.

pub mod dynamodb;
pub mod endpoint;
mod feeder;
pub mod front;
pub mod guardian;
pub mod instance;
mod logs;
pub mod meter;
pub mod permissions;
pub mod sample;
pub mod stack;
pub mod template;
pub mod tools;

pub use dynamodb::DynamoDb;
pub use endpoint::{Endpoint, Reply};
pub use guardian::Guardian;
pub use instance::Instance;
pub use meter::{Cost, Meter};
pub use permissions::Permission;
pub use stack::{Options, Stack};
pub use template::Template;

/// The result of whatever can fail here; the error is one line that says what to do.
pub type Result<T, E = String> = std::result::Result<T, E>;
