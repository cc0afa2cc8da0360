//! The rules for strings. The limits are those of the contract, in characters (Unicode scalar values) unless the
//! name says bytes. Strings are stored exactly as sent.

use url::Url;

use crate::{Error, Result, input::Field};

/// Which white space (Unicode's `White_Space`) a string may contain.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WhiteSpace {
    /// Any white space.
    Any,
    /// Allowed, but not on its own.
    NotAlone,
    /// No white space.
    None,
}

/// The rule for a string member.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// The fewest characters.
    pub min_chars: usize,
    /// The most characters.
    pub max_chars: usize,
    /// Whether LF, CR and tab are allowed. Other control characters (Unicode's `Cc`) never are.
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

    /// Parses a string.
    ///
    /// # Errors
    /// Returns `invalid` if the field does not contain a string, or if it breaks the rule.
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
                "contains the control character U+{:04X}, which is not allowed{}",
                u32::from(control),
                if self.lines {
                    "; only line feed, carriage return and tab are"
                } else {
                    ""
                },
            ));
        }
        match self.white_space {
            WhiteSpace::None if text.contains(char::is_whitespace) => {
                Some("contains white space, which is not allowed".to_owned())
            }
            WhiteSpace::NotAlone if text.chars().all(char::is_whitespace) => {
                Some("must contain a character other than white space".to_owned())
            }
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

/// A contact's username.
pub const USERNAME: TextRule = TextRule {
    white_space: WhiteSpace::None,
    ..TextRule::new(1, 64)
};

/// A contact's phone number.
pub const PHONE_NUMBER: TextRule = TextRule::new(1, 32);

/// A contact's display name.
pub const DISPLAY_NAME: TextRule = TextRule::new(1, 256);

/// The name of a token.
pub const TOKEN_NAME: TextRule = TextRule::new(1, 64);

/// The most bytes of an avatar URL.
pub const MAX_URL_BYTES: usize = 2_048;

/// Parses the URL of an avatar: an absolute `http` or `https` URL with a host that the parser of the
/// [WHATWG URL Standard](https://url.spec.whatwg.org/) accepts.
///
/// # Errors
/// Returns `invalid` if it is not one, is too long, or contains white space or control characters, which that parser
/// would silently remove.
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
    use crate::input::Input;

    fn accepts(rule: &TextRule, text: &str) -> bool {
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
                assert!(accepts(&rule, &character.repeat(rule.max_chars)));
                assert!(!accepts(&rule, &character.repeat(rule.max_chars + 1)));
                assert!(accepts(&rule, &character.repeat(rule.min_chars)));
            }
            assert_eq!(accepts(&rule, ""), rule.min_chars == 0);
        }
    }

    #[test]
    fn control_characters_are_rejected_except_line_breaks_and_tabs_in_a_description() {
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
                assert!(!accepts(&rule, &format!("a{control}b")), "{control:?}");
            }
        }
        assert!(accepts(&DESCRIPTION, "a\n\r\tb"));
        for control in ["a\n", "a\r", "a\t"] {
            assert!(!accepts(&NAME, control) && !accepts(&DISPLAY_NAME, control));
        }
    }

    #[test]
    fn white_space_is_unicodes() {
        for space in [" ", "\u{a0}", "\u{2003}", "\u{3000}"] {
            assert!(!accepts(&NAME, &space.repeat(3)));
            assert!(accepts(&NAME, &format!("{space}a{space}")));
            assert!(!accepts(&USERNAME, &format!("a{space}b")));
            assert!(accepts(&DISPLAY_NAME, space));
        }
        // A zero-width space is not white space to Unicode.
        assert!(accepts(&NAME, "\u{200b}") && accepts(&USERNAME, "a\u{200b}b"));
    }

    #[test]
    fn avatar_urls_are_those_of_the_whatwg_parser_without_hidden_characters() {
        let parse = |text: &str| {
            avatar_url(Field {
                param: "u".into(),
                value: Input::JsonString(text.into()),
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
            assert_eq!(parse(url).expect(url), url, "unchanged");
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
