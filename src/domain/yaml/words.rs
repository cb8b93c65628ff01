//! Where the scalars of a document stand: for errors, which quote what was written.

use granit_parser::{Event, ScalarStyle};

use super::syntax;
use crate::domain::field_path;

/// A scalar as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Counted from 1.
    pub line: usize,
    /// The field whose value it is; of a key, the mapping that it stands in.
    pub path: String,
    /// It is a key.
    pub is_key: bool,
    /// It has neither quotes nor a block indicator nor a tag.
    pub is_plain: bool,
    /// Without quotes.
    pub text: String,
}

enum Open {
    List { path: String, next: usize },
    Mapping { path: String, key: Option<String> },
}

/// Returns the scalars of the first document, as far as it can be read. What an alias stands for is told once, at its anchor.
pub fn words(text: &str) -> Vec<Word> {
    let (mut words, mut open) = (Vec::new(), Vec::new());
    for event in syntax::events(text) {
        let Ok((event, span)) = event else { break };
        match event {
            Event::Scalar(text, style, _, tag) => {
                let text = text.into_owned();
                let (path, is_key) = place(&open);
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                words.push(Word { line: span.start.line(), path, is_key, is_plain, text: text.clone() });
                pass(&mut open, text);
            }
            Event::Alias(_) => pass(&mut open, String::new()),
            Event::SequenceStart(..) => open.push(Open::List { path: place(&open).0, next: 0 }),
            Event::MappingStart(..) => open.push(Open::Mapping { path: place(&open).0, key: None }),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                pass(&mut open, String::new());
            }
            Event::DocumentEnd => break,
            _ => {}
        }
    }
    words
}

/// Returns the path of what comes next, and whether it is a key.
fn place(open: &[Open]) -> (String, bool) {
    match open.last() {
        None => (String::new(), false),
        Some(Open::List { path, next }) => (field_path::item(path, *next), false),
        Some(Open::Mapping { path, key: None }) => (path.clone(), true),
        Some(Open::Mapping { path, key: Some(key) }) => (field_path::child(path, key), false),
    }
}

/// Notes that a node has ended, and what it was, should it be a key.
fn pass(open: &mut [Open], word: String) {
    match open.last_mut() {
        None => {}
        Some(Open::List { next, .. }) => *next += 1,
        Some(Open::Mapping { key, .. }) => *key = if key.is_none() { Some(word) } else { None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scalar_has_its_line_and_its_path() {
        let text = "a:\n  - &x b\n  - *x\n  - {'c.d': !!str 1, e: \"f\"}\n? [g]\n: h\ni: |\n  j\n...\nk: l\n";
        let told: Vec<String> = words(text)
            .into_iter()
            .map(|word| {
                let kind = if word.is_key { "key" } else { "value" };
                let style = if word.is_plain { "plain" } else { "other" };
                format!("{} {} {kind} {style} {:?}", word.line, word.path, word.text)
            })
            .collect();
        let expected = [
            "1  key plain \"a\"",
            "2 a[0] value plain \"b\"",
            "4 a[2] key other \"c.d\"",
            "4 a[2].\"c.d\" value other \"1\"",
            "4 a[2] key plain \"e\"",
            "4 a[2].e value other \"f\"",
            "5 [0] value plain \"g\"",
            "6 \"\" value plain \"h\"",
            "7  key plain \"i\"",
            "8 i value other \"j\\n\"",
        ];
        assert_eq!(told, expected);
    }
}
