//! Texts that every reader of YAML reads alike: one document, no anchors, no tags, no repeated keys, and no words that YAML 1.1 and 1.2
//! take for different things.

use granit_parser::{Event, ScalarStyle};
use serde_json::Value;

use super::{scalar, syntax};

/// Returns what the text says, if all readers surely read it alike; nothing where they may not, or where it is no YAML.
#[must_use]
pub fn parse_agreed(text: &str) -> Option<Value> {
    // Line breaks of YAML 1.1, directives, and a missing break at the end of a block.
    if text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
        || text.contains("\n%")
        || text.starts_with('%')
        || !text.ends_with('\n')
    {
        return None;
    }
    let (mut nodes, mut has_ended) = (0, false);
    for event in syntax::events(text) {
        let (event, _) = event.ok()?;
        let (anchor, tag) = match &event {
            Event::DocumentEnd => {
                has_ended = true;
                continue;
            }
            Event::Scalar(words, style, anchor, tag) => {
                if *style == ScalarStyle::Plain && !is_agreed(words) {
                    return None;
                }
                (*anchor, tag)
            }
            Event::MappingStart(_, anchor, tag) | Event::SequenceStart(_, anchor, tag) => (*anchor, tag),
            Event::Alias(_) => return None,
            _ => continue,
        };
        if anchor != 0 || tag.is_some() || has_ended {
            return None;
        }
        nodes += 1;
    }
    let value = super::quoted::first_value(text).ok()?;
    // Of repeated keys only one is left.
    (nodes_in(&value) == nodes).then_some(value)
}

/// Tells whether the plain word is the same to YAML 1.1, as Go has it, and to YAML 1.2.
fn is_agreed(word: &str) -> bool {
    match word.as_bytes().first() {
        None => false,
        _ if matches!(word, "true" | "false" | "null") => true,
        Some(b'0'..=b'9' | b'-') => word.parse().is_ok_and(|number: i64| number.to_string() == word),
        Some(b'+' | b'.' | b'~' | b'<' | b'=') => false,
        // It ends a word in brackets, for some.
        Some(_) if word.contains('?') => false,
        // Names that some take for no text have letters alone, five at most.
        Some(_) => scalar::is_text(word) && !(word.len() <= 5 && is_a_name_to_some(word)),
    }
}

/// Words that are no text to YAML 1.2, or were none in YAML 1.1, however they are written.
fn is_a_name_to_some(word: &str) -> bool {
    let names = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    names.iter().any(|name| name.eq_ignore_ascii_case(word))
}

/// Counts scalars, keys among them, and collections.
fn nodes_in(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes_in).sum::<usize>(),
        Value::Object(map) => 1 + map.values().map(|value| 1 + nodes_in(value)).sum::<usize>(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_all_read_alike_is_read() {
        let text = "a: [true, null, -12, x/y, 'yes', \"0644\"]\nb-1:\n  - c: \"\"\n# d\n";
        let value = json!({"a": [true, null, -12, "x/y", "yes", "0644"], "b-1": [{"c": ""}]});
        assert_eq!(parse_agreed(text), Some(value));
    }

    #[test]
    fn what_some_may_read_otherwise_is_not() {
        let words =
            ["yes", "0644", "True", "~", "", "1.5", "1e3", "0x1f", "1_000", "+1", ".5", "<<", "-", "oN", "01", "12:30"];
        for word in words {
            assert_eq!(parse_agreed(&format!("a: {word}\n")), None, "{word}");
        }
        for text in [
            "a: 1\n---\nb: 1\n",
            "a: 1\n...\n[",
            "a: x\u{85}y\n",
            "a: |\n  x",
            "%YAML 1.2\n---\na: 1\n",
            "a: [http://a/b?c=d]\n",
            "a: 1\na: 2\n",
            "a: &b 1\n",
            "a: !!str 1\n",
            "a: [\n",
            "on: 1\n",
            "a: &b {}\nc: *b\n",
        ] {
            assert_eq!(parse_agreed(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn another_reader_reads_it_alike(words in prop::collection::vec("[a-zA-Z0-9_.+~:/-]{0,6}|'[a-z0-9]{0,4}'", 1..6)) {
            let text = format!("- {}\n", words.join("\n- "));
            if let Some(value) = parse_agreed(&text) {
                prop_assert_eq!(serde_saphyr::from_str::<Value>(&text).ok(), Some(value), "{}", text);
            }
        }
    }
}
