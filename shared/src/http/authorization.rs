//! The `Authorization` header ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).

use crate::{Error, Result};

/// Returns the token: the scheme in any case, spaces, and one `b64token`.
///
/// # Errors
/// Returns `token_missing` if the scheme is another one, and `token_malformed` if there is not exactly one
/// `b64token`.
pub(crate) fn bearer_token(authorization: &str) -> Result<&str> {
    let authorization = authorization.trim_matches([' ', '\t']);
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::TokenMissing);
    }
    let token = token.trim_start_matches(' ');
    let is_b64 = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let body = token.trim_end_matches('=');
    if body.is_empty() || !body.bytes().all(is_b64) {
        return Err(Error::TokenMalformed);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(authorization: &str) -> &'static str {
        bearer_token(authorization).map_or_else(|error| error.code(), |_| "well-formed")
    }

    #[test]
    fn one_b64token_after_the_scheme_is_well_formed() {
        for header in [
            "Bearer abc",
            "bearer abc",
            "BEARER   a-._~+/Z9==",
            " Bearer abc\t",
        ] {
            assert_eq!(code(header), "well-formed", "{header:?}");
        }
        for header in [
            "",
            "Basic abc",
            "Bearerabc",
            "Token abc",
            "abc",
            "Bearer\tabc",
        ] {
            assert_eq!(code(header), "token_missing", "{header:?}");
        }
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer =",
            "Bearer a=b",
            "Bearer é",
        ] {
            assert_eq!(code(header), "token_malformed", "{header:?}");
        }
    }
}
