//! What a document is, found without parsing it, and its labels and annotations.
//!
//! Most manifests begin with `apiVersion`, `kind` and `metadata` in plain block style. Where that is so to the byte, as far as this
//! module looks, it is quick and sure; everything else (quotes over several lines, flow style, anchors, tags, tabs, carriage
//! returns, equal keys, blocks before the metadata) is not for it: the document is then parsed.
//!
//! Why it is sure: a key of the root mapping begins its line, since `apiVersion` does. Nothing before the metadata can be open
//! there (quotes, brackets), because each line before it and in it is a key with a simple value. What follows can add nothing
//! but a key of the same name, and every line that could hold one is looked at.

use std::ops::Range;

use super::splice::Splice;
use super::stream::{self, Document};
use super::writer::{self, Quotes};
use crate::domain::yaml;

/// The head of a document in plain block style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
    /// The lines below `metadata:`.
    pub(super) metadata: Range<usize>,
}

/// The two maps of the metadata that rules change most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    Labels,
    Annotations,
}

/// `metadata` in plain block style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    indent: usize,
    labels: Section<'a>,
    annotations: Section<'a>,
    /// All lines of other keys.
    others: Vec<&'a str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Section<'a> {
    /// Whether the key is there.
    is_there: bool,
    indent: usize,
    entries: Vec<Mark<'a>>,
}

/// One label or annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark<'a> {
    key: &'a str,
    value: Simple<'a>,
    /// Of the line, within the lines.
    at: usize,
}

/// A scalar that ends on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Simple<'a> {
    text: &'a str,
    quotes: Quotes,
    /// Within the lines, quotes included.
    start: usize,
    end: usize,
}

impl<'a> Simple<'a> {
    /// Returns the text, if Go reads the scalar as one.
    fn as_text(&self) -> Option<&'a str> {
        self.is_text(self.text).then_some(self.text)
    }

    /// Tells whether Go reads the scalar as this text.
    fn is_text(&self, text: &str) -> bool {
        self.text == text && (self.quotes != Quotes::None || reads_as_text(text))
    }
}

/// Tells whether Go reads the plain word as text.
fn reads_as_text(word: &str) -> bool {
    // Words that are none have letters alone, five at most; numbers begin otherwise.
    let bytes = word.as_bytes();
    let is_surely = bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && (bytes.len() > 5 || !bytes.iter().all(u8::is_ascii_alphabetic));
    is_surely || yaml::scalar_value(word, true, None).is_ok_and(|value| value == *word)
}

/// Returns the head; nothing if the document is not in plain block style, as far as that matters.
pub(super) fn read<'a>(document: &Document<'a>) -> Option<Head<'a>> {
    let bytes = document.bytes;
    if memchr::memchr(b'\r', bytes).is_some() || !bytes.is_ascii() && !has_plain_lines(bytes) {
        return None;
    }
    let text = |range: Range<usize>| std::str::from_utf8(bytes.get(range)?).ok();
    if !is_blank(text(document.body..*document.roots.first()?)?) {
        return None;
    }
    let (mut api_version, mut kind, mut metadata) = (None, None, None);
    for index in 0..document.roots.len() {
        let range = stream::section(document, index);
        let is_head = api_version.is_none() || kind.is_none() || metadata.is_none();
        let line = bytes.get(range.clone())?;
        let key = key_of(line)?;
        match key {
            b"apiVersion" | b"kind" => {
                let lines = text(range)?;
                let (first, rest) = lines.split_once('\n').unwrap_or((lines, ""));
                let value = simple(first, key.len() + 1)?;
                let is_text = value.as_text().is_some();
                let place = if key == b"kind" { &mut kind } else { &mut api_version };
                if !is_blank(rest) || !is_text || place.replace(value.text).is_some() {
                    return None;
                }
            }
            b"metadata" => {
                let lines = text(range.clone())?;
                let (first, _) = lines.split_once('\n')?;
                if !is_blank(first.get("metadata:".len()..)?) || metadata.is_some() {
                    return None;
                }
                metadata = Some(range.start + first.len() + 1..range.end);
            }
            // What has `items` is a list.
            b"items" => return None,
            // A block before the metadata may hold anything.
            _ if is_head => return None,
            _ => {}
        }
    }
    Some(Head { api_version: api_version?, kind: kind?, metadata: metadata? })
}

/// Tells whether characters beyond ASCII are none that end a line for Go.
fn has_plain_lines(bytes: &[u8]) -> bool {
    let has = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
    !(has(b"\xc2\x85") || has(b"\xe2\x80\xa8") || has(b"\xe2\x80\xa9") || has(b"\xef\xbb\xbf"))
}

/// Returns the key that begins the line; an empty one for a list item; nothing for what may be anything.
fn key_of(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"- ") || line.starts_with(b"-\n") {
        return Some(b"");
    }
    let end = line.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
    let key = line.get(..end).filter(|key| key.first().is_some_and(u8::is_ascii_alphabetic))?;
    (line.get(end) == Some(&b':') && matches!(line.get(end + 1), None | Some(b' ' | b'\n'))).then_some(key)
}

/// Tells whether there are but blank lines and comments.
fn is_blank(text: &str) -> bool {
    text.split('\n').all(|line| {
        let line = line.trim_start_matches(' ');
        line.is_empty() || line.starts_with('#')
    })
}

/// Returns the scalar behind a colon, if it is one that ends on this line; `from` is the place behind the colon. A comment may follow.
fn simple(line: &str, from: usize) -> Option<Simple<'_>> {
    let value = line.get(from..)?.strip_prefix(' ')?.trim_start_matches(' ');
    let start = line.len() - value.len();
    let (text, length, quotes) = match value.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let within = value.get(1..)?;
            let end = memchr::memchr(*quote, within.as_bytes())?;
            let behind = within.get(end + 1..)?;
            let is_end = behind.is_empty() || behind.starts_with(' ') && is_blank(behind);
            let text = within.get(..end).filter(|text| is_end && !text.contains('\\'))?;
            (text, end + 2, if *quote == b'"' { Quotes::Double } else { Quotes::Single })
        }
        first if first.is_ascii_alphanumeric() || matches!(first, b'/' | b'.' | b'_') => {
            let text = value.split(" #").next()?.trim_end_matches(' ');
            let is_odd = text.contains(": ") || text.ends_with(':') || text.contains('\t');
            ((!is_odd).then_some(text)?, text.len(), Quotes::None)
        }
        _ => return None,
    };
    Some(Simple { text, quotes, start, end: start + length })
}

/// Returns the metadata in those lines; nothing if they hold what is not simple.
pub(super) fn metadata(lines: &str) -> Option<Metadata<'_>> {
    let mut metadata = Metadata {
        name: None,
        namespace: None,
        indent: 0,
        labels: Section::default(),
        annotations: Section::default(),
        others: Vec::new(),
    };
    // The key whose nested lines are read, and whether its value may still begin.
    let mut open: Option<&str> = None;
    let mut at = 0;
    for row in lines.split_inclusive('\n') {
        let start = at;
        at += row.len();
        let line = row.strip_suffix('\n').unwrap_or(row);
        if is_blank(line) {
            continue;
        }
        let indent = line.len() - line.trim_start_matches(' ').len();
        if metadata.indent == 0 {
            metadata.indent = indent;
        }
        if indent == 0 || indent < metadata.indent {
            return None;
        }
        let is_nested = indent > metadata.indent || line.get(indent..)?.starts_with("- ");
        if is_nested {
            match open? {
                "labels" => metadata.labels.take(line, indent, start)?,
                "annotations" => metadata.annotations.take(line, indent, start)?,
                _ => {
                    is_simple_line(line.get(indent..)?).then_some(())?;
                    metadata.others.push(line);
                }
            }
            continue;
        }
        let (key, behind) = key_in(line, indent)?;
        let has_value = !is_blank(line.get(behind..)?);
        let value = if has_value { Some(simple(line, behind)?) } else { None };
        open = (!has_value).then_some(key);
        match (key, value) {
            ("name", Some(value)) => metadata.name.replace(value.as_text()?).is_none().then_some(())?,
            ("namespace", Some(value)) => metadata.namespace.replace(value.as_text()?).is_none().then_some(())?,
            ("labels", None) => (!std::mem::replace(&mut metadata.labels.is_there, true)).then_some(())?,
            ("annotations", None) => (!std::mem::replace(&mut metadata.annotations.is_there, true)).then_some(())?,
            ("labels" | "annotations" | "name" | "namespace", _) => return None,
            _ => {}
        }
        if !matches!(key, "labels" | "annotations") {
            metadata.others.push(line);
        }
    }
    let is_whole = |section: &Section<'_>| !section.is_there || !section.entries.is_empty();
    (metadata.indent > 0 && is_whole(&metadata.labels) && is_whole(&metadata.annotations)).then_some(metadata)
}

/// Returns the key that stands at `indent`, without quotes, and the place behind its colon.
fn key_in(line: &str, indent: usize) -> Option<(&str, usize)> {
    let rest = line.get(indent..)?;
    let (key, end) = match rest.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let within = rest.get(1..)?;
            let end = memchr::memchr(*quote, within.as_bytes())?;
            let key = within.get(..end).filter(|key| !key.contains('\\'))?;
            (key, end + 2)
        }
        first if first.is_ascii_alphabetic() => {
            let end = rest.find(|character: char| !is_key(character))?;
            let key = rest.get(..end)?;
            // `on:` is `true:` to Go.
            yaml::scalar_key(key, true, None).is_ok_and(|of| of == key).then_some((key, end))?
        }
        _ => return None,
    };
    let behind = rest.get(end..)?.strip_prefix(':')?;
    (behind.is_empty() || behind.starts_with(' ')).then_some((key, indent + end + 1))
}

fn is_key(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '/' | '_' | '-')
}

/// Tells whether a line below another key can hide nothing: items and keys with simple values.
fn is_simple_line(line: &str) -> bool {
    let mut rest = line;
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start_matches(' ');
    }
    if let Some((_, behind)) = key_in(rest, 0) {
        return rest.get(behind..).is_some_and(is_blank) || simple(rest, behind).is_some();
    }
    // A single value, as behind a colon.
    simple(&format!(": {rest}"), 1).is_some()
}

impl<'a> Section<'a> {
    fn take(&mut self, line: &'a str, indent: usize, at: usize) -> Option<()> {
        let (key, behind) = key_in(line, indent)?;
        let value = simple(line, behind)?;
        value.as_text()?;
        if self.entries.is_empty() {
            self.indent = indent;
        }
        let is_fine = self.indent == indent && self.entries.iter().all(|entry| entry.key != key);
        let value = Simple { start: at + value.start, end: at + value.end, ..value };
        is_fine.then(|| self.entries.push(Mark { key, value, at }))
    }
}

impl<'a> Metadata<'a> {
    /// Returns the label's text.
    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.mark(Marks::Labels, key)
    }

    /// Returns the text of a label or an annotation.
    pub(super) fn mark(&self, marks: Marks, key: &str) -> Option<&'a str> {
        self.section(marks).entries.iter().find(|mark| mark.key == key).map(|mark| mark.value.text)
    }

    fn section(&self, marks: Marks) -> &Section<'a> {
        match marks {
            Marks::Labels => &self.labels,
            Marks::Annotations => &self.annotations,
        }
    }

    /// Returns the splices, within the lines of the metadata, by which those labels and annotations get their values; none if they
    /// have them.
    pub(super) fn set(&self, wanted: &[(Marks, &str, &str)]) -> Vec<Splice> {
        let mut splices = Vec::new();
        for marks in [Marks::Labels, Marks::Annotations] {
            let section = self.section(marks);
            let mut new = Vec::new();
            for &(_, key, value) in wanted.iter().filter(|(of, ..)| *of == marks) {
                match section.entries.iter().find(|mark| mark.key == key) {
                    Some(mark) if mark.value.is_text(value) => {}
                    Some(mark) => splices.push(Splice {
                        range: mark.value.start..mark.value.end,
                        text: writer::scalar(&value.into(), mark.value.quotes),
                    }),
                    None => new.push(line(key, value)),
                }
            }
            if new.is_empty() {
                continue;
            }
            let (at, head, indent) = match section.entries.first() {
                Some(first) => (first.at, String::new(), section.indent),
                None => (0, format!("{}{}:\n", " ".repeat(self.indent), marks.key()), self.indent * 2),
            };
            let blanks = " ".repeat(indent);
            let text = new.iter().fold(head, |text, line| text + &blanks + line + "\n");
            splices.push(Splice { range: at..at, text });
        }
        splices
    }

    /// Tells whether `edited` is this metadata with those labels and annotations, and nothing else changed.
    pub(super) fn is_proven_by(&self, edited: &Metadata<'_>, wanted: &[(Marks, &str, &str)]) -> bool {
        let same_marks = |marks: Marks| {
            let (old, new) = (self.section(marks), edited.section(marks));
            let asked = |key: &str| {
                wanted.iter().rev().find(|(of, name, _)| *of == marks && *name == key).map(|(.., value)| *value)
            };
            let kept = old.entries.iter().filter(|mark| asked(mark.key).is_none());
            let still = new.entries.iter().filter(|mark| asked(mark.key).is_none());
            let has_all = wanted.iter().filter(|(of, ..)| *of == marks).all(|(_, key, _)| {
                let found = new.entries.iter().find(|mark| mark.key == *key);
                found.zip(asked(key)).is_some_and(|(mark, value)| mark.value.is_text(value))
            });
            has_all
                && kept
                    .map(|mark| (mark.key, mark.value.text, mark.value.quotes))
                    .eq(still.map(|mark| (mark.key, mark.value.text, mark.value.quotes)))
        };
        self.others == edited.others && same_marks(Marks::Labels) && same_marks(Marks::Annotations)
    }
}

impl Marks {
    /// The key below `metadata`.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Annotations => "annotations",
        }
    }
}

fn line(key: &str, value: &str) -> String {
    let key = writer::scalar(&key.into(), Quotes::None);
    format!("{key}: {}", writer::scalar(&value.into(), Quotes::None))
}

#[cfg(test)]
mod tests;
