//! Labels and annotations: found in `metadata` in plain block style, set in lines of their own, and proven.

use std::ops::Range;

use smallvec::SmallVec;

use super::lines::{self, Simple};
use super::writer::{self, Quotes};

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
    /// All lines of other keys.
    others: SmallVec<[&'a str; 8]>,
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

impl Mark<'_> {
    /// What it says, and how.
    fn told(&self) -> (&str, &str, Quotes) {
        (self.key, self.value.text, self.value.quotes)
    }

    /// Where its value stands, within the lines.
    fn place(&self) -> Range<usize> {
        self.line + self.value.start..self.line + self.value.end
    }
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
            others: SmallVec::new(),
        };
        // The key whose nested lines are read, if its value may still begin.
        let mut open: Option<&str> = None;
        let mut at = 0;
        while at < text.len() {
            let start = at;
            let rest = text.get(start..)?;
            let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            at += length + 1;
            let line = rest.get(..length)?;
            let indent = lines::indent_of(line);
            let first = match line.as_bytes().get(indent) {
                None | Some(b'#') => continue,
                Some(first) => *first,
            };
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
                    _ if is_simple_line(line, indent) => metadata.others.push(line),
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
            if !matches!(key, "labels" | "annotations") {
                metadata.others.push(line);
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

    /// Writes the lines to `out`, with those labels and annotations; `text` are the lines that were read.
    pub(super) fn write_with(&self, text: &str, wanted: &[Wanted], out: &mut String) -> Option<()> {
        let mut splices: SmallVec<[Edit<'_>; 4]> = SmallVec::new();
        for wanted in wanted.iter().filter(|wanted| !self.has(wanted)) {
            let section = self.section(wanted.marks);
            let (place, quotes) = match (section.get(&wanted.key), section.entries.first()) {
                (Some(mark), _) => (mark.place(), Some(mark.value.quotes)),
                (None, Some(first)) => (first.line..first.line, None),
                (None, None) => (0..0, None),
            };
            splices.push(Edit { place, quotes, wanted });
        }
        // What comes to one place comes in the order in which it is wanted, labels before annotations.
        splices.sort_by_key(|edit| (edit.place.start, edit.wanted.marks));
        let mut done = 0;
        let mut opened = None;
        for Edit { place, quotes, wanted } in &splices {
            out.push_str(text.get(done..place.start)?);
            done = place.end;
            if let Some(quotes) = quotes {
                out.push_str(&writer::scalar(&wanted.value.as_str().into(), *quotes));
                continue;
            }
            let section = self.section(wanted.marks);
            let mut indent = section.indent;
            if section.entries.is_empty() {
                if opened.replace(wanted.marks) != Some(wanted.marks) {
                    push_blanks(out, self.indent);
                    out.push_str(wanted.marks.key());
                    out.push_str(":\n");
                }
                indent = self.indent * 2;
            }
            push_blanks(out, indent);
            out.push_str(&wanted.line);
            out.push('\n');
        }
        out.push_str(text.get(done..)?);
        Some(())
    }

    /// Tells whether `edited` is this metadata with those labels and annotations, and nothing else changed.
    pub(super) fn is_proven_by(&self, edited: &Metadata<'_>, wanted: &[Wanted]) -> bool {
        let same_marks = |marks: Marks| {
            let is_kept =
                |mark: &&Mark<'_>| !wanted.iter().any(|wanted| wanted.marks == marks && wanted.key == mark.key);
            let (old, new) = (&self.section(marks).entries, &edited.section(marks).entries);
            old.iter().filter(is_kept).map(Mark::told).eq(new.iter().filter(is_kept).map(Mark::told))
        };
        wanted.iter().all(|wanted| edited.has(wanted))
            && self.others == edited.others
            && same_marks(Marks::Labels)
            && same_marks(Marks::Annotations)
    }
}

/// A value in the place of another one, or a line before the one that begins there.
struct Edit<'w> {
    place: Range<usize>,
    /// Those of the value that goes.
    quotes: Option<Quotes>,
    wanted: &'w Wanted,
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
        let is_fine = self.indent == indent && self.get(key).is_none();
        is_fine.then(|| self.entries.push(Mark { key, value, line: at }))
    }
}

#[cfg(test)]
mod tests;
