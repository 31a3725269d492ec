//! Comparing claims with those that a label names.

use serde_json::Value;

/// A claim that is there on both sides and differs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// Where: names separated by dots.
    pub path: String,
    /// What the label says.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Compares what both sides name: objects and lists member by member, text
/// without regard to case. Returns how many values were compared, and those that
/// differ.
#[must_use]
pub fn compare_claims(expected: &Value, found: &Value) -> (usize, Vec<Difference>) {
    let mut outcome = (0, Vec::new());
    walk("", expected, found, &mut outcome);
    outcome
}

fn walk(path: &str, expected: &Value, found: &Value, outcome: &mut (usize, Vec<Difference>)) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, expected) in expected {
                if let Some(found) = found.get(name) {
                    walk(&join(path, name), expected, found, outcome);
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                walk(&join(path, &at.to_string()), expected, found, outcome);
            }
        }
        _ => {
            outcome.0 = outcome.0.saturating_add(1);
            if text(expected) != text(found) {
                outcome.1.push(Difference {
                    path: path.to_owned(),
                    expected: expected.to_string(),
                    found: found.to_string(),
                });
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_on_both_sides_are_compared_and_others_are_not() {
        let expected = json!({"a": 1, "b": {"c": "0X1F", "d": 2}, "e": [1, 2]});
        let found = json!({"a": 1, "b": {"c": "0x1f"}, "e": [1, 3], "f": 9});
        let (compared, differences) = compare_claims(&expected, &found);
        assert_eq!(compared, 4);
        let paths: Vec<_> = differences.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["e.1"]);
    }

    #[test]
    fn values_of_another_kind_differ() {
        let (_, differences) = compare_claims(&json!({"a": 1}), &json!({"a": "1"}));
        assert!(differences.is_empty(), "a number and its text are the same");
        let (_, differences) = compare_claims(&json!({"a": [1]}), &json!({"a": [1, 2]}));
        assert_eq!(differences.len(), 1);
        let (_, differences) = compare_claims(&json!({"a": null}), &json!({"a": "x"}));
        assert_eq!(differences.len(), 1);
    }
}
