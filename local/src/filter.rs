//! The [filter patterns](https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html)
//! of pipes.

use serde_json::Value;

use crate::template::{items, members};

/// Whether [`matches`] knows all rules of a pattern.
pub(crate) fn is_supported(pattern: &Value) -> bool {
    pattern.is_object()
        && members(pattern).all(|(_, value)| match value {
            Value::Array(rules) => rules.iter().all(|rule| {
                members(rule).all(|(name, _)| ["exists", "prefix"].contains(&name.as_str()))
            }),
            nested => is_supported(nested),
        })
}

/// Whether a record matches a pattern. Each member of the pattern is a list of rules; one of them must match
/// the record's member.
pub(crate) fn matches(pattern: &Value, record: &Value) -> bool {
    members(pattern).all(|(name, expected)| {
        let found = record.get(name);
        match expected {
            Value::Array(_) => items(expected).any(|rule| matches_rule(rule, found)),
            nested => matches(nested, found.unwrap_or(&Value::Null)),
        }
    })
}

fn matches_rule(rule: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = rule.get("exists") {
        return *exists == found.is_some();
    }
    let text = found.and_then(Value::as_str);
    match rule.get("prefix").and_then(Value::as_str) {
        Some(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
        None => found == Some(rule),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_matches_if_one_rule_of_each_member_matches() {
        let pattern = json!({ "eventName": ["REMOVE", "MODIFY"], "userIdentity": { "type": [{ "exists": false }] } });
        assert!(is_supported(&pattern));
        assert!(matches(&pattern, &json!({ "eventName": "REMOVE" })));
        assert!(matches(
            &pattern,
            &json!({ "eventName": "MODIFY", "userIdentity": {} })
        ));
        assert!(!matches(&pattern, &json!({ "eventName": "INSERT" })));
        assert!(!matches(
            &pattern,
            &json!({ "eventName": "REMOVE", "userIdentity": { "type": "Service" } })
        ));
        assert!(!matches(&pattern, &json!({})));
        let prefix = json!({ "eventName": [{ "prefix": "RE" }] });
        assert!(is_supported(&prefix));
        assert!(matches(&prefix, &json!({ "eventName": "REMOVE" })));
        assert!(!matches(&prefix, &json!({ "eventName": "INSERT" })));
        assert!(!matches(&prefix, &json!({ "eventName": 1 })));
    }

    #[test]
    fn other_rules_are_not_supported() {
        for pattern in [
            json!({ "a": [{ "numeric": [">", 1] }] }),
            json!({ "a": "b" }),
            json!(["a"]),
        ] {
            assert!(!is_supported(&pattern), "{pattern}");
        }
    }
}
