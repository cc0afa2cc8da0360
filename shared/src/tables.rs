//! The DynamoDB tables. Each kind of item has its own table, so that each function is allowed only what it needs.
//! `template.yaml` defines the tables. The layout of a table's items is in its module only.

mod groups;
mod idempotency;
mod messages;
mod tokens;

pub use groups::Groups;
pub use idempotency::Idempotency;
pub use messages::Messages;
pub use tokens::{ActiveToken, IssuedToken, Tokens};
