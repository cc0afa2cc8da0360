//! Idempotency keys, with which a client may repeat a request without creating a second group.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{Id, Version};

/// The most characters of a key.
pub const MAX_CHARS: usize = 255;

/// A client's key: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Returns the key that `text` is, if it is valid.
    pub fn from_text(text: &str) -> Option<Self> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_visible && (1..=MAX_CHARS).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// Returns the SHA-256 of the key in hexadecimal. Only this is stored, because keys of clients may contain
    /// anything, and DynamoDB shows sort keys in its console and logs.
    pub fn hash(&self) -> String {
        hexadecimal(Sha256::digest(&self.0).as_slice())
    }
}

/// The SHA-256 of a body's media type and bytes, by which two bodies are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Computes the fingerprint of a body.
    pub fn of(media_type: &str, body: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(media_type)
            .chain_update([0])
            .chain_update(body);
        Self(hexadecimal(digest.finalize().as_slice()))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The response to the first request of a key.
#[derive(Debug, Deserialize, Serialize)]
pub struct FirstResponse {
    /// The group that was created.
    pub group_id: Id,
    /// The version that the group had then.
    pub version: Version,
    /// The body of the response.
    pub body: String,
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_of_different_bodies_and_media_types_differ() {
        let fingerprint = |media_type, body: &str| Fingerprint::of(media_type, body.as_bytes());
        assert_eq!(fingerprint("a", "b"), fingerprint("a", "b"));
        assert_ne!(fingerprint("a", "b"), fingerprint("a", "c"));
        assert_ne!(fingerprint("a", "b"), fingerprint("ab", ""));
    }
}
