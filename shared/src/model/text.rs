//! The rules for strings. Each limit is the contract's; lengths are in characters, which are
//! Unicode scalar values, unless the name says bytes. Strings are kept as they came.

use url::Url;

use crate::{Error, Result, model::input::Field};

/// What white space a string may hold; white space is Unicode's `White_Space`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WhiteSpace {
    /// Any.
    Any,
    /// Any, but not nothing else.
    NotAlone,
    /// None at all.
    None,
}

/// The rule of one string member.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// The fewest characters.
    pub min_chars: usize,
    /// The most characters.
    pub max_chars: usize,
    /// Whether LF, CR and tab are allowed; no other control character (Unicode's `Cc`) ever is.
    lines: bool,
    white_space: WhiteSpace,
}

impl TextRule {
    const fn new(min_chars: usize, max_chars: usize) -> Self {
        Self {
            min_chars,
            max_chars,
            lines: false,
            white_space: WhiteSpace::Any,
        }
    }

    /// The string in `field`, if it keeps this rule.
    ///
    /// # Errors
    /// `invalid` where it does not, or is no string.
    pub fn parse(&self, field: Field) -> Result<String> {
        let (param, text) = field.string()?;
        match self.fault(&text) {
            None => Ok(text),
            Some(fault) => Err(Error::invalid(param, fault)),
        }
    }

    fn fault(&self, text: &str) -> Option<String> {
        let chars = text.chars().count();
        if !(self.min_chars..=self.max_chars).contains(&chars) {
            let (min, max) = (self.min_chars, self.max_chars);
            return Some(format!(
                "has {chars} characters and must have {min} to {max}"
            ));
        }
        let allowed = |c: char| self.lines && matches!(c, '\n' | '\r' | '\t');
        if let Some(control) = text.chars().find(|c| c.is_control() && !allowed(*c)) {
            return Some(format!(
                "holds the control character U+{:04X} and must hold none{}",
                u32::from(control),
                if self.lines {
                    " but line feed, carriage return and tab"
                } else {
                    ""
                },
            ));
        }
        match self.white_space {
            WhiteSpace::None if text.contains(char::is_whitespace) => {
                Some("holds white space and must hold none".to_owned())
            }
            WhiteSpace::NotAlone if text.chars().all(char::is_whitespace) => Some(
                "is nothing but white space and must hold at least one other character".to_owned(),
            ),
            _ => None,
        }
    }
}

/// A group's name.
pub const NAME: TextRule = TextRule {
    white_space: WhiteSpace::NotAlone,
    ..TextRule::new(1, 256)
};

/// A group's description.
pub const DESCRIPTION: TextRule = TextRule {
    lines: true,
    ..TextRule::new(0, 4_096)
};

/// A contact's user name.
pub const USERNAME: TextRule = TextRule {
    white_space: WhiteSpace::None,
    ..TextRule::new(1, 64)
};

/// A contact's phone number.
pub const PHONE_NUMBER: TextRule = TextRule::new(1, 32);

/// A contact's display name.
pub const DISPLAY_NAME: TextRule = TextRule::new(1, 256);

/// What a token is for.
pub const TOKEN_NAME: TextRule = TextRule::new(1, 64);

/// The longest avatar URL, in bytes of UTF-8.
pub const MAX_URL_BYTES: usize = 2_048;

/// The URL of an avatar: an absolute `http` or `https` URL with a host that the parser of the
/// [WHATWG URL Standard](https://url.spec.whatwg.org/) takes, kept as it came.
///
/// # Errors
/// `invalid` where it is not one, is too long, or holds white space or control characters, which
/// that parser would quietly drop.
pub fn avatar_url(field: Field) -> Result<String> {
    let (param, text) = field.string()?;
    if text.len() > MAX_URL_BYTES {
        let reason = format!(
            "has {} bytes and must have at most {MAX_URL_BYTES}",
            text.len()
        );
        return Err(Error::invalid(param, reason));
    }
    let hidden = text.contains(|c: char| c.is_whitespace() || c.is_control());
    let valid = Url::parse(&text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if hidden || !valid {
        let reason = "must be an absolute http or https URL with a host, without white space or control characters";
        return Err(Error::invalid(param, reason));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::input::Value;

    fn takes(rule: &TextRule, text: &str) -> bool {
        rule.fault(text).is_none()
    }

    #[test]
    fn lengths_count_characters_and_not_bytes() {
        for rule in [
            NAME,
            DESCRIPTION,
            USERNAME,
            PHONE_NUMBER,
            DISPLAY_NAME,
            TOKEN_NAME,
        ] {
            for character in ["a", "é", "語", "🦀"] {
                assert!(takes(&rule, &character.repeat(rule.max_chars)));
                assert!(!takes(&rule, &character.repeat(rule.max_chars + 1)));
                assert!(takes(&rule, &character.repeat(rule.min_chars)));
            }
            assert_eq!(takes(&rule, ""), rule.min_chars == 0);
        }
    }

    #[test]
    fn control_characters_are_refused_but_line_breaks_and_tabs_in_a_description() {
        for rule in [
            NAME,
            DESCRIPTION,
            USERNAME,
            PHONE_NUMBER,
            DISPLAY_NAME,
            TOKEN_NAME,
        ] {
            for control in [
                '\0', '\u{7}', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}',
            ] {
                assert!(!takes(&rule, &format!("a{control}b")), "{control:?}");
            }
        }
        assert!(takes(&DESCRIPTION, "a\n\r\tb"));
        for control in ["a\n", "a\r", "a\t"] {
            assert!(!takes(&NAME, control) && !takes(&DISPLAY_NAME, control));
        }
    }

    #[test]
    fn white_space_is_unicodes() {
        for space in [" ", "\u{a0}", "\u{2003}", "\u{3000}"] {
            assert!(!takes(&NAME, &space.repeat(3)));
            assert!(takes(&NAME, &format!("{space}a{space}")));
            assert!(!takes(&USERNAME, &format!("a{space}b")));
            assert!(takes(&DISPLAY_NAME, space));
        }
        // A zero-width space is not white space to Unicode.
        assert!(takes(&NAME, "\u{200b}") && takes(&USERNAME, "a\u{200b}b"));
    }

    #[test]
    fn avatar_urls_are_what_the_whatwg_parser_takes_without_hidden_characters() {
        let parse = |text: &str| {
            avatar_url(Field {
                param: "u".into(),
                value: Value::String(text.into()),
            })
        };
        let longest = format!("https://a.example/{}", "x".repeat(MAX_URL_BYTES - 18));
        for url in [
            "https://assets.protocol.chat/avatars/plazahotel.jpg",
            "HTTP://EXAMPLE.COM",
            "http://[::1]:8080/a?b#c",
            "https://müller.example/ü",
            "https://user:password@example.com/",
            &longest,
        ] {
            assert_eq!(parse(url).expect(url), url, "kept as it came");
        }
        for url in [
            "",
            "plazahotel.jpg",
            "//example.com/a.jpg",
            "ftp://example.com/a.jpg",
            "data:image/png;base64,AAAA",
            "http://",
            "https://exa mple.com",
            " https://example.com",
            "https://example.com/a\tb",
            "https://example.com/a\u{0}",
            "https://example.com:99999/",
            &format!("{longest}x"),
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
    }
}
