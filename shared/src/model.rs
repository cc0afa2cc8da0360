//! The models: what a group is, and the one place where what callers send becomes one.
//!
//! Fields are private and values are made only by parsing, so that nothing is validated twice and
//! whatever exists is valid.

pub mod account;
pub mod contact;
pub mod group;
pub mod id;
pub mod idempotency;
pub mod input;
pub mod page;
pub mod text;
pub mod timestamp;
pub mod token;
pub mod version;

pub use account::AccountId;
pub use contact::Contact;
pub use group::{Change, DeletedGroup, Group, GroupChanges, NewGroup};
pub use id::Id;
pub use idempotency::{Fingerprint, IdempotencyKey};
pub use page::{Cursor, ListQuery, Page};
pub use timestamp::Timestamp;
pub use token::{NewToken, Revocation, Token};
pub use version::{IfMatch, Version};
