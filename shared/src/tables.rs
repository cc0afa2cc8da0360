//! The DynamoDB tables. Each kind of thing has one, because nothing is ever read across them and
//! each function is then allowed only what it needs; `template.yaml` defines them, and the layout
//! of a table's items is in its module and nowhere else.

mod groups;
mod idempotency;
mod messages;
mod tokens;

pub use groups::Groups;
pub use idempotency::{FirstAnswer, Idempotency};
pub use messages::Messages;
pub use tokens::{InForce, IssuedToken, Tokens};
