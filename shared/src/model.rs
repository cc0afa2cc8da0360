//! The models, and the parsing of what callers send.
//!
//! Fields are private, and values are created by parsing only, so each value is valid and nothing is
//! validated twice.

pub mod account;
pub mod caller;
pub mod contact;
pub mod group;
pub mod id;
pub mod idempotency;
pub mod page;
pub mod progress;
pub mod text;
pub mod timestamp;
pub mod token;
pub mod version;

pub use account::AccountId;
pub use caller::Caller;
pub use contact::Contact;
pub use group::{Change, DeletedGroup, Group, GroupChanges, NewGroup};
pub use id::Id;
pub use idempotency::{Fingerprint, FirstResponse, IdempotencyKey};
pub use page::{Cursor, ListQuery, Page};
pub use progress::Progress;
pub use timestamp::Timestamp;
pub use token::{NewToken, Revocation, Token};
pub use version::{IfMatch, Version};
