//! Scalars as they are written: what their words hang on, and how they are read once more.
//!
//! The words of large documents are not kept beside their text: they are read again, one scalar at a time, where somebody asks.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::Event;

use super::Kind;
use crate::domain::yaml;

/// The bytes of a scalar, its quotes or its block's indicator included. What is written alike in the same kind has the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postrender) struct Written<'a> {
    kind: Kind,
    bytes: &'a str,
    /// Whether a block ends with the text: then its last break may not be there.
    ends_text: bool,
}

impl<'a> Written<'a> {
    /// Returns the scalar that stands in that range of a text; nothing if more counts than its bytes (a block that says how deep it is,
    /// which it counts from its parent; one with nothing but blank lines; blanks behind it that end the text or a line with a mere
    /// carriage return, which may belong to it). No part of it stands before `from`.
    pub(super) fn of(text: &'a str, kind: Kind, range: Range<usize>, from: usize) -> Option<Self> {
        if kind != Kind::Block {
            return Some(Self { kind, bytes: text.get(range)?, ends_text: false });
        }
        let behind = text.get(range.end..)?;
        let follows = behind.trim_start_matches([' ', '\t']);
        if range.is_empty() || follows.starts_with('\r') || follows.is_empty() && !behind.is_empty() {
            return None;
        }
        let header = header(text, from, range.start)?;
        let bytes = text.get(header..range.end)?;
        let indicators = bytes.lines().next()?.split([' ', '\t']).next()?;
        let is_absolute = !indicators.bytes().any(|byte| byte.is_ascii_digit());
        is_absolute.then_some(Self { kind, bytes, ends_text: range.end == text.len() })
    }

    /// Tells whether the words may be others than the bytes between the quotes, or all.
    pub(super) fn is_otherwise(&self) -> bool {
        let bytes = self.bytes.as_bytes();
        let is_long = || memchr::memchr2(b'\n', b'\r', bytes).is_some();
        match self.kind {
            Kind::Plain => bytes.is_empty() || is_long(),
            Kind::DoubleQuoted => is_long() || memchr::memchr(b'\\', bytes).is_some(),
            Kind::SingleQuoted => is_long() || between_quotes(self.bytes).is_some_and(|within| within.contains("''")),
            _ => true,
        }
    }

    /// Reads the words.
    pub(super) fn words(&self) -> Option<Cow<'a, str>> {
        if self.bytes.is_empty() {
            // As the parser has it.
            return Some(Cow::Borrowed("~"));
        }
        let words = yaml::events(self.bytes).find_map(|event| match event {
            Ok((Event::Scalar(words, ..), _)) => Some(words),
            _ => None,
        })?;
        let end = if self.ends_text { self.bytes.len() } else { usize::MAX };
        Some(if self.kind == Kind::Block { yaml::block_words(self.bytes, end, words) } else { words })
    }
}

/// Returns what stands between quotes.
pub(super) fn between_quotes(bytes: &str) -> Option<&str> {
    bytes.get(1..bytes.len().checked_sub(1)?)
}

/// Returns where the indicator of the block stands whose content begins at `start`: on the line before, not before `from`.
pub(in crate::postrender) fn header(text: &str, from: usize, start: usize) -> Option<usize> {
    let before = text.get(from..start)?.trim_ascii_end();
    let line = before.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    let mut at = from + line;
    for word in before.get(line..)?.split([' ', '\t']) {
        match word.bytes().next() {
            Some(b'|' | b'>') => return Some(at),
            Some(b'#') => return None,
            _ => at += word.len() + 1,
        }
    }
    None
}

/// The parser counts the blanks before what follows a block scalar to its bytes; an empty one has none of its own.
pub(super) fn fit_block(text: &str, range: Range<usize>) -> Range<usize> {
    let content = text.get(range.clone()).unwrap_or_default();
    let fitting =
        content.len() - content.rsplit('\n').next().filter(|last| last.trim_ascii().is_empty()).map_or(0, str::len);
    if !content.trim_ascii().is_empty() || fitting > 0 {
        return range.start..range.start + fitting;
    }
    // Behind the line of its indicator.
    let before = text.get(..range.start).unwrap_or_default().trim_ascii_end().len();
    let rest = text.get(before..).unwrap_or_default();
    let line = rest.find('\n').map_or(text.len(), |end| before + end + 1);
    line..line
}

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::*;

    fn tree(text: &str) -> Tree<'_> {
        Tree::parse(text).expect("YAML").expect("a document")
    }

    #[test]
    fn the_indicator_of_a_block_is_found_beside_all_that_may_stand_on_its_line() {
        let texts = [
            "a: |\n  x\n",
            "'| b': |\n  x\n",
            "- |-\n  x\n",
            "- - &a|b !!str |\n    x\n",
            "a:\n  - b: # | c\n      |+ # > d\n      x\n",
            "? |\n  x\n",
            "a: >2-\n    x\n",
            "a: |\n\n\n  x",
        ];
        let found = texts.map(|text| {
            let tree = tree(text);
            let block = (0..tree.past(0)).find(|&id| tree.kind(id) == Kind::Block).expect("a block");
            let header = tree.header(block).expect(text);
            text.get(header..).and_then(|rest| rest.split([' ', '\n']).next()).expect("its line")
        });
        assert_eq!(found, ["|", "|", "|-", "|", "|+", "|", ">2-", "|"]);
    }

    #[test]
    fn words_are_read_once_more_as_the_parser_read_them() {
        let texts = [
            ("a: |\n  x\n   y\n\n\n", "x\n y\n"),
            ("a: |2\n    x\n", "  x\n"),
            ("a:\n  b: |1\n    x\n", " x\n"),
            ("a: >-\n  x\n  y\n\n  z\n", "x y\nz"),
            ("a: |+\n  x\n\n", "x\n\n"),
            ("a: |\n  x", "x"),
            ("|\n-- b\t\n ", "-- b\t\n \n"),
            ("a: |-\n x\n  \r\r", "x\n "),
            ("a: --- x\n  y\n", "--- x y"),
            ("a: x\n\n  y\n", "x\ny"),
            ("a: \"\\u00e9\\\n  b\"\n", "éb"),
            ("a: 'it''s\n  so'\n", "it's so"),
            ("a: 'no\nindent'\n", "no indent"),
            ("a:\n", "~"),
            ("a: !!str\n", ""),
        ];
        for (text, words) in texts {
            let tree = tree(text);
            assert_eq!(tree.words(tree.past(0) - 1), words, "{text}");
        }
    }
}
