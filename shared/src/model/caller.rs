//! Callers of the API.

use crate::model::AccountId;

/// The sender of a request. Every read and write of a group takes one, and functions cannot create one,
/// so nothing can be reached without a token.
#[derive(Clone, Debug)]
pub struct Caller {
    account_id: AccountId,
}

impl Caller {
    /// Creates the caller that a token identifies.
    pub(crate) fn new(account_id: AccountId) -> Self {
        Self { account_id }
    }

    /// The account that the token names.
    pub fn account_id(&self) -> &AccountId {
        &self.account_id
    }
}
