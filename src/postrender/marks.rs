//! Labels and annotations: found in `metadata` in plain block style, set in lines of their own, and proven.
//!
//! In plain block style each line speaks for itself, below the key that it belongs to. So it is enough that new lines are read again, and
//! are the entries that were wanted: all others keep their bytes and their place.

use smallvec::SmallVec;

use super::lines::{self, Row, Simple};
use super::writer::{self, Quotes};

/// As many labels or annotations are looked through one by one; where there are more, the parser is faster.
const MOST: usize = 256;

/// The two maps of the metadata that rules change most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Marks {
    Labels,
    Annotations,
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

/// A label or an annotation, and the value that it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) marks: Marks,
    pub(super) key: String,
    pub(super) value: String,
    /// It, as it is written where it was not.
    line: String,
}

impl Wanted {
    pub(super) fn new(marks: Marks, key: &str, value: &str) -> Self {
        let line =
            format!("{}: {}", writer::scalar(&key.into(), Quotes::None), writer::scalar(&value.into(), Quotes::None));
        Self { marks, key: key.to_owned(), value: value.to_owned(), line }
    }

    /// Tells whether the line says so.
    fn is_in(&self, line: &str, indent: usize) -> bool {
        let value = |(key, behind)| if key == self.key { lines::value(line, behind) } else { None };
        lines::indent_of(line) == indent
            && lines::key(line, indent).and_then(value).is_some_and(|value| value.is_text(&self.value))
    }

    /// Tells whether both are about the same label or annotation.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        (self.marks, &self.key) == (other.marks, &other.key)
    }
}

/// `metadata` in plain block style. As many parts as most have need no memory of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    indent: usize,
    labels: Section<'a>,
    annotations: Section<'a>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Section<'a> {
    /// Whether the key is there.
    is_there: bool,
    indent: usize,
    entries: SmallVec<[Mark<'a>; 8]>,
}

/// One label or annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark<'a> {
    key: &'a str,
    value: Simple<'a>,
    /// Where its line begins, within the lines.
    line: usize,
}

impl<'a> Metadata<'a> {
    /// Returns the metadata in those lines; nothing if they hold what is not simple.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut metadata = Metadata {
            name: None,
            namespace: None,
            indent: 0,
            labels: Section::default(),
            annotations: Section::default(),
        };
        // The key whose nested lines are read, if its value may still begin.
        let mut open: Option<&str> = None;
        let mut at = 0;
        while let Some(row) = Row::at(text, at) {
            at = row.past();
            let Row { line, start, indent } = row;
            let Some(first) = row.first().filter(|first| *first != b'#') else { continue };
            if metadata.indent == 0 {
                metadata.indent = indent;
            }
            if indent == 0 || indent < metadata.indent {
                return None;
            }
            if indent > metadata.indent || first == b'-' {
                match open? {
                    "labels" => metadata.labels.take(line, indent, start)?,
                    "annotations" => metadata.annotations.take(line, indent, start)?,
                    _ if is_simple_line(line, indent) => {}
                    _ => return None,
                }
                continue;
            }
            let (key, behind) = lines::key(line, indent)?;
            let value = if lines::is_blank(line.get(behind..)?) { None } else { Some(lines::value(line, behind)?) };
            open = value.is_none().then_some(key);
            let once = match (key, value) {
                ("labels", None) => !std::mem::replace(&mut metadata.labels.is_there, true),
                ("annotations", None) => !std::mem::replace(&mut metadata.annotations.is_there, true),
                ("name", Some(value)) => metadata.name.replace(value.as_text()?).is_none(),
                ("namespace", Some(value)) => metadata.namespace.replace(value.as_text()?).is_none(),
                ("labels" | "annotations" | "name" | "namespace", _) => false,
                _ => true,
            };
            if !once {
                return None;
            }
        }
        let is_whole = |section: &Section<'_>| !section.is_there || !section.entries.is_empty();
        (metadata.indent > 0 && is_whole(&metadata.labels) && is_whole(&metadata.annotations)).then_some(metadata)
    }

    /// Returns the label's text.
    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.labels.get(key).map(|mark| mark.value.text)
    }

    fn section(&self, marks: Marks) -> &Section<'a> {
        match marks {
            Marks::Labels => &self.labels,
            Marks::Annotations => &self.annotations,
        }
    }

    /// Tells whether the label or the annotation has that value.
    pub(super) fn has(&self, wanted: &Wanted) -> bool {
        self.section(wanted.marks).get(&wanted.key).is_some_and(|mark| mark.value.is_text(&wanted.value))
    }

    /// Writes the lines to `out`, with those labels and annotations, and proves them; `text` are the lines that were read. Nothing if they
    /// cannot be written so.
    pub(super) fn write_with(&self, text: &str, wanted: &[&Wanted], out: &mut String) -> Option<()> {
        let mut edits: SmallVec<[(usize, Option<&Mark<'a>>, &Wanted); 4]> = SmallVec::new();
        for &wanted in wanted.iter().filter(|wanted| !self.has(wanted)) {
            let section = self.section(wanted.marks);
            let old = section.get(&wanted.key);
            edits.push((old.or(section.entries.first()).map_or(0, |mark| mark.line), old, wanted));
        }
        // New entries stand before the first one, as they are wanted; labels before annotations.
        edits.sort_by_key(|(line, old, wanted)| (*line, old.is_some(), wanted.marks));
        let mut done = 0;
        let mut made = None;
        for (line, old, wanted) in edits {
            out.push_str(text.get(done..line)?);
            done = line;
            let section = self.section(wanted.marks);
            let is_made = section.entries.is_empty();
            if is_made && made.replace(wanted.marks) != Some(wanted.marks) {
                let row = out.len();
                push_blanks(out, self.indent);
                out.extend([wanted.marks.key(), ":"]);
                lines::key(out.get(row..)?, self.indent).filter(|(key, _)| *key == wanted.marks.key())?;
                out.push('\n');
            }
            let indent = if is_made { self.indent * 2 } else { section.indent };
            let row = out.len();
            if let Some(Mark { value, .. }) = old {
                let was = Row::at(text, line)?.line;
                let new = writer::scalar(&wanted.value.as_str().into(), value.quotes);
                out.extend([was.get(..value.start)?, &new, was.get(value.end..)?]);
                done += was.len();
            } else {
                push_blanks(out, indent);
                out.push_str(&wanted.line);
            }
            if !wanted.is_in(out.get(row..)?, indent) {
                return None;
            }
            if old.is_none() {
                out.push('\n');
            }
        }
        out.push_str(text.get(done..)?);
        Some(())
    }
}

fn push_blanks(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

/// Tells whether a line below another key can hide nothing: items and keys with simple values.
fn is_simple_line(line: &str, indent: usize) -> bool {
    let mut at = indent;
    while line.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(b"- ")) {
        at += 1 + lines::indent_of(line.get(at + 1..).unwrap_or_default());
    }
    match lines::key(line, at) {
        Some((_, behind)) => line.get(behind..).is_some_and(lines::is_blank) || lines::value(line, behind).is_some(),
        None => lines::scalar(line, at).is_some(),
    }
}

impl<'a> Section<'a> {
    fn get(&self, key: &str) -> Option<&Mark<'a>> {
        self.entries.iter().find(|mark| mark.key == key)
    }

    fn take(&mut self, line: &'a str, indent: usize, at: usize) -> Option<()> {
        let (key, behind) = lines::key(line, indent)?;
        let value = lines::value(line, behind)?;
        value.as_text()?;
        if self.entries.is_empty() {
            self.indent = indent;
        }
        let is_fine = self.indent == indent && self.entries.len() < MOST && self.get(key).is_none();
        is_fine.then(|| self.entries.push(Mark { key, value, line: at }))
    }
}

#[cfg(test)]
mod tests;
