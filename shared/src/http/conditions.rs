//! The `If-Match` and `If-None-Match` headers
//! ([RFC 9110, section 13.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1)).

use crate::{
    Error, Result,
    model::{IfMatch, Version},
};

/// The most different tags of a list that can be versions of a group. DynamoDB compares with no more in one
/// `IN`.
pub const MAX_ENTITY_TAGS: usize = 100;

/// The tags of a header.
#[derive(Debug, PartialEq)]
pub(crate) enum Tags<'a> {
    /// `*`: any version.
    Any,
    /// A list of tags.
    List(Vec<Tag<'a>>),
}

/// One entity tag.
#[derive(Debug, PartialEq)]
pub(crate) struct Tag<'a> {
    weak: bool,
    opaque: &'a str,
}

impl<'a> Tags<'a> {
    /// Parses the value of the header `name`.
    ///
    /// # Errors
    /// Returns `invalid` if it is malformed.
    pub(crate) fn parse(name: &'static str, value: &'a str) -> Result<Self> {
        let value = value.trim_matches([' ', '\t']);
        if value == "*" {
            return Ok(Tags::Any);
        }
        match list(value) {
            Some(tags) if !tags.is_empty() => Ok(Tags::List(tags)),
            _ => Err(Error::invalid(
                name,
                "must be `*` or a list of entity tags as in ETag, quotes included, with commas between them",
            )),
        }
    }

    /// Returns the versions that a write requires. Tags are compared strongly, so a weak one matches nothing.
    ///
    /// # Errors
    /// Returns `invalid` if there are too many.
    pub(crate) fn if_match(&self) -> Result<IfMatch> {
        let Tags::List(tags) = self else {
            return Ok(IfMatch::Any);
        };
        let mut versions = Vec::new();
        for version in tags
            .iter()
            .filter(|tag| !tag.weak)
            .filter_map(|tag| Version::from_text(tag.opaque))
        {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        if versions.len() > MAX_ENTITY_TAGS {
            let reason = format!(
                "lists {} entity tags and must list at most {MAX_ENTITY_TAGS}",
                versions.len()
            );
            return Err(Error::invalid("If-Match", reason));
        }
        Ok(IfMatch::OneOf(versions))
    }
}

/// The versions of a group that the client already has.
#[derive(Debug)]
pub struct IfNoneMatch<'a>(Option<Tags<'a>>);

impl<'a> IfNoneMatch<'a> {
    /// Parses the value of the header, if there is one.
    ///
    /// # Errors
    /// Returns `invalid` if it is malformed.
    pub(crate) fn parse(value: Option<&'a str>) -> Result<Self> {
        let tags = value.map(|value| Tags::parse("If-None-Match", value));
        Ok(Self(tags.transpose()?))
    }

    /// Whether the client already has this version. Tags are compared weakly.
    pub fn matches(&self, version: &Version) -> bool {
        match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::List(tags)) => tags.iter().any(|tag| tag.opaque == version.to_string()),
        }
    }
}

/// Parses a list of tags, whose elements may be empty (RFC 9110, section 5.6.1).
fn list(mut rest: &str) -> Option<Vec<Tag<'_>>> {
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags);
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (opaque, after) = quoted.strip_prefix('"')?.split_once('"')?;
        // Any visible character but the quote, and obs-text.
        if !opaque
            .chars()
            .all(|c| c == '!' || ('#'..='~').contains(&c) || c >= '\u{80}')
        {
            return None;
        }
        tags.push(Tag { weak, opaque });
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(weak: bool, opaque: &str) -> Tag<'_> {
        Tag { weak, opaque }
    }

    #[test]
    fn lists_are_parsed_as_the_standard_says() {
        let parse = |value| Tags::parse("If-Match", value).expect("well-formed");
        assert_eq!(parse(" * "), Tags::Any);
        assert_eq!(parse(r#""a""#), Tags::List(vec![tag(false, "a")]));
        assert_eq!(parse(r#""""#), Tags::List(vec![tag(false, "")]));
        let list = r#" , W/"a,b" ,,"c"	, "é!~" ,"#;
        assert_eq!(
            parse(list),
            Tags::List(vec![tag(true, "a,b"), tag(false, "c"), tag(false, "é!~")])
        );
    }

    #[test]
    fn malformed_values_are_rejected() {
        for value in [
            "",
            ",",
            "a",
            r#""a"#,
            r#"a""#,
            r#""a" "b""#,
            r#"w/"a""#,
            r#"W/ "a""#,
            r#"W/a"#,
            r#"*, "a""#,
            r#""a", *"#,
            r#""a b""#,
            "\"a\u{7f}\"",
            "\"a\tb\"",
            r#""a"b"#,
        ] {
            let error = Tags::parse("If-Match", value).expect_err(value);
            assert_eq!(
                (error.code(), error.param()),
                ("invalid", Some("If-Match")),
                "{value}"
            );
        }
    }

    #[test]
    fn if_match_compares_strongly_and_if_none_match_weakly() {
        let version = Version::new();
        for (value, strong, weak) in [
            (version.etag(), true, true),
            (format!("W/{}", version.etag()), false, true),
            ("*".to_owned(), true, true),
            ("\"a\"".to_owned(), false, false),
            (format!("\"a\", {}", version.etag()), true, true),
            (Version::new().etag(), false, false),
        ] {
            let tags = Tags::parse("If-Match", &value).expect("well-formed");
            assert_eq!(
                tags.if_match().expect("not many").holds_for(&version),
                strong,
                "{value}"
            );
            let if_none_match = IfNoneMatch::parse(Some(&value)).expect("well-formed");
            assert_eq!(if_none_match.matches(&version), weak, "{value}");
        }
    }

    #[test]
    fn a_list_has_up_to_a_hundred_tags_that_can_be_versions() {
        let list = |count| {
            (0..count)
                .map(|_| Version::new().etag())
                .collect::<Vec<_>>()
                .join(",")
        };
        let if_match = |list: &str| {
            Tags::parse("If-Match", list)
                .expect("well-formed")
                .if_match()
        };
        assert!(if_match(&list(MAX_ENTITY_TAGS)).is_ok());
        assert_eq!(
            if_match(&list(MAX_ENTITY_TAGS + 1))
                .expect_err("too many")
                .param(),
            Some("If-Match")
        );
        assert!(
            if_match(&vec![Version::new().etag(); 200].join(",")).is_ok(),
            "the same again"
        );
    }
}
