//! Values as YAML that Go, and every other reader, understands as they are meant.
//!
//! Text is plain only where no reader could take it for anything else; numbers and booleans are plain.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::domain::yaml;

/// How a scalar that is replaced was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// None, where the text allows it.
    None,
    Single,
    Double,
}

/// Where a value is written: what its lines begin with, how deep a level is, how a line ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Blanks before the keys.
    pub(super) column: usize,
    /// Blanks that a level is deeper than the one above.
    pub(super) step: usize,
    pub(super) line_end: &'a str,
}

impl Place<'_> {
    fn deeper(self) -> Self {
        Self { column: self.column + self.step, ..self }
    }
}

/// Returns a scalar on one line.
pub(super) fn scalar(value: &Value, quotes: Quotes) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_printable = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    if !is_printable || quotes == Quotes::Double {
        return in_double_quotes(text);
    }
    if quotes == Quotes::None && is_plain(text) { text.clone() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// JSON's escapes are YAML's; characters that YAML takes for line breaks or does not take at all are escaped, too.
fn in_double_quotes(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for character in Value::String(text.to_owned()).to_string().chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
    out
}

/// Tells whether the text needs no quotes: a word that neither Go nor YAML 1.2 takes for anything but text.
fn is_plain(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-');
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(is_inner)
        && yaml::scalar_value(text, true, None).is_ok_and(|value| value == *text)
        // Words of other readers.
        && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "nan" | "inf")
}

/// Returns a value on one line, collections in brackets.
pub(super) fn flow(value: &Value, quotes: Quotes) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, quotes)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| flow_entry(key, value, quotes)).collect();
            format!("{{{}}}", entries.join(", "))
        }
        scalar_value => scalar(scalar_value, quotes),
    }
}

/// Returns `key: value`.
pub(super) fn flow_entry(key: &str, value: &Value, quotes: Quotes) -> String {
    format!("{}: {}", scalar(&Value::String(key.to_owned()), quotes), flow(value, quotes))
}

/// Returns `key: value` without indent before its first line and without an end of its last; collections go on in lines of their
/// own.
pub(super) fn entry(key: &str, value: &Value, quotes: Quotes, place: Place<'_>) -> String {
    let key = scalar(&Value::String(key.to_owned()), Quotes::None);
    match value {
        Value::Object(map) if !map.is_empty() => {
            format!("{key}:{}{}", place.line_end, indented(&entries(map, quotes, place.deeper()), place.deeper()))
        }
        Value::Array(items) if !items.is_empty() => {
            let deeper = place.deeper();
            let lines: Vec<String> = items.iter().map(|value| indented(&item(value, quotes, deeper), deeper)).collect();
            format!("{key}:{}{}", place.line_end, lines.join(place.line_end))
        }
        other => format!("{key}: {}", flow(other, quotes)),
    }
}

/// Returns the entries of a mapping, the first line without indent.
pub(super) fn entries(map: &Map<String, Value>, quotes: Quotes, place: Place<'_>) -> String {
    let entries: Vec<String> = map.iter().map(|(key, value)| entry(key, value, quotes, place)).collect();
    entries.join(&format!("{}{}", place.line_end, " ".repeat(place.column)))
}

/// Returns `- value`, the first line without indent.
pub(super) fn item(value: &Value, quotes: Quotes, place: Place<'_>) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            format!("- {}", entries(map, quotes, Place { column: place.column + 2, ..place }))
        }
        other => format!("- {}", flow(other, quotes)),
    }
}

fn indented(text: &str, place: Place<'_>) -> String {
    format!("{}{text}", " ".repeat(place.column))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const PLACE: Place<'_> = Place { column: 0, step: 2, line_end: "\n" };

    fn read(text: &str) -> Value {
        let documents = yaml::parse_documents(text).expect("YAML");
        documents.into_iter().next().expect("a document").value
    }

    #[test]
    fn words_are_plain_and_all_else_is_quoted() {
        let cases = [
            ("web", "web"),
            ("example.com/web-1", "example.com/web-1"),
            ("yes", "'yes'"),
            ("tRue", "'tRue'"),
            ("0644", "'0644'"),
            ("1.10", "'1.10'"),
            ("", "''"),
            ("it's", "'it''s'"),
            ("a: b", "'a: b'"),
            ("a\nb", "\"a\\nb\""),
            ("é", "\"é\""),
            ("\u{85}", "\"\\u0085\""),
        ];
        for (text, written) in cases {
            assert_eq!(scalar(&json!(text), Quotes::None), written);
        }
        assert_eq!(scalar(&json!("web"), Quotes::Double), "\"web\"");
        assert_eq!(scalar(&json!("web"), Quotes::Single), "'web'");
        assert_eq!(scalar(&json!(12), Quotes::Double), "12");
    }

    #[test]
    fn collections_have_lines_of_their_own() {
        let value = json!({"a": {"b": 1, "c": []}, "l": ["x", {"k": "v", "w": {"y": true}}, [1, 2]]});
        let text = entry("top", &value, Quotes::None, PLACE);
        assert_eq!(
            text,
            "top:\n  a:\n    b: 1\n    c: []\n  l:\n    - x\n    - k: v\n      w:\n        'y': true\n    - [1, 2]"
        );
        assert_eq!(read(&text), json!({"top": value}));
    }

    /// Any JSON that has a place in a manifest.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            "[a-zA-Z0-9_.+:#' -]{0,6}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a-zA-Z0-9./\" _-]{0,8}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(value in any_value(), quotes in 0..3_u8, key in "[a-z<= ]{0,3}") {
            let quotes = [Quotes::None, Quotes::Single, Quotes::Double][usize::from(quotes)];
            let expected = json!({key.clone(): value.clone()});
            prop_assert_eq!(read(&entry(&key, &value, quotes, PLACE)), expected.clone());
            prop_assert_eq!(read(&format!("{{{}}}", flow_entry(&key, &value, quotes))), expected);
        }
    }
}
