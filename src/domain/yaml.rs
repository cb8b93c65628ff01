//! YAML as Helm and kubectl read it: the scalars, keys, tags and merges of `sigs.k8s.io/yaml` on go-yaml v2.
//!
//! Syntax is `granit-parser`'s (YAML 1.2); meaning is ours, because no library reads `0644`, `yes`, `1_000` and `on:` as
//! Helm does. What is read here is only ever compared and shown, never written back.
//!
//! Known differences: two line breaks that only YAML 1.1 knows (U+2028, U+2029) are ordinary characters here; nesting deeper
//! than [`MAX_DEPTH`] is refused.

mod agreed;
mod build;
mod quoted;
mod scalar;
mod syntax;
mod words;

use serde_json::{Map, Value};
use thiserror::Error;

pub use agreed::parse_agreed;
pub use build::MAX_DEPTH;
pub use quoted::{Indented, indent_quoted};
pub(in crate::domain) use scalar::float_value;
pub(crate) use syntax::{block_words, events};
pub use words::{Word, words};

/// One document of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The line of the stream on which its content begins, counted from 1.
    pub line: usize,
    /// What it says; numbers are `i64`, or `f64` where they do not fit, as in Kubernetes.
    pub value: Value,
}

/// A document is not what Helm could read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("document {document}, line {line}: {cause}")]
pub struct YamlError {
    /// Counted from 1, without blank and comment-only documents.
    pub document: usize,
    /// The line of the stream, counted from 1.
    pub line: usize,
    /// What is wrong, in a few words.
    pub cause: String,
}

/// A text that must be a mapping is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MappingError {
    /// It is no YAML.
    #[error("line {line}: {cause}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What is wrong, in a few words.
        cause: String,
    },
    /// It is YAML, but a list or a scalar.
    #[error("expected a mapping, found {found}")]
    NoMapping {
        /// `a list`, `a string`, ...
        found: &'static str,
    },
}

/// A part of a stream between two separators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// The line on which the text begins, counted from 1.
    pub(super) line: usize,
    /// The text without its separator.
    pub(super) text: &'a str,
}

impl Chunk<'_> {
    /// Returns the line of the stream where the content begins; nothing if there are only blanks and comments.
    pub(super) fn first_content_line(&self) -> Option<usize> {
        let is_content = |line: &str| {
            let line = line.trim_start_matches('\u{feff}').trim();
            !line.is_empty() && !line.starts_with('#')
        };
        self.text.split('\n').position(is_content).map(|offset| self.line + offset)
    }

    /// Returns the value of the first YAML document in the text, as Go does: what follows `...` is not read.
    pub(super) fn read(&self, document: usize) -> Result<Value, YamlError> {
        quoted::first_value(self.text).map_err(|fault| YamlError {
            document,
            line: self.line + fault.line.saturating_sub(1),
            cause: fault.cause,
        })
    }
}

/// Returns the parts of a stream, blank ones too, cut where Helm cuts it: at each line that starts with `---`.
///
/// What follows `---` on its line belongs to the document.
///
/// Source: Helm `pkg/release/v1/util/manifest.go`, `SplitManifests`.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut chunks = Vec::new();
    let (mut chunk_line, mut chunk_start) = (1, 0);
    let (mut line, mut offset) = (1, 0);
    for row in text.split_inclusive('\n') {
        if let Some(rest) = row.strip_prefix("---") {
            chunks.push(Chunk { line: chunk_line, text: text.get(chunk_start..offset).unwrap_or_default() });
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            (chunk_line, chunk_start) = (line, offset + 3 + blanks);
        }
        line += 1;
        offset += row.len();
    }
    chunks.push(Chunk { line: chunk_line, text: text.get(chunk_start..).unwrap_or_default() });
    chunks
}

/// Returns every document of a stream; blank and comment-only ones are left out.
///
/// # Errors
/// [`YamlError`] names the first document that cannot be read.
pub fn parse_documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    for chunk in split(text) {
        if let Some(line) = chunk.first_content_line() {
            let value = chunk.read(documents.len() + 1)?;
            documents.push(Document { line, value });
        }
    }
    Ok(documents)
}

/// Returns the mapping in a values file; empty for an empty file. As with Helm, only the first document counts.
///
/// # Errors
/// [`MappingError`] if it is no YAML, or a list or a scalar.
pub fn parse_mapping(text: &str) -> Result<Map<String, Value>, MappingError> {
    let value =
        quoted::first_value(text).map_err(|fault| MappingError::Syntax { line: fault.line, cause: fault.cause })?;
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        Value::Array(_) => Err(MappingError::NoMapping { found: "a list" }),
        Value::String(_) => Err(MappingError::NoMapping { found: "a string" }),
        Value::Number(_) => Err(MappingError::NoMapping { found: "a number" }),
        Value::Bool(_) => Err(MappingError::NoMapping { found: "a boolean" }),
    }
}

/// Tells whether a scalar without quotes, block indicator and tag is text to Go; nothing is copied.
pub fn is_text(plain: &str) -> bool {
    scalar::is_text(plain)
}

/// Returns what a scalar means as a value; `is_plain` for one without quotes and block indicator, `tag` in full.
///
/// # Errors
/// Why it has no meaning, in a few words.
pub fn scalar_value(text: &str, is_plain: bool, tag: Option<&str>) -> Result<Value, String> {
    scalar::resolve(text, is_plain, tag)?.into_value()
}

/// Returns the whole number that a plain scalar says, where it fits into 64 bits and not into an `i64`: as a value it is a float.
#[must_use]
pub fn large_number(plain: &str) -> Option<u64> {
    match scalar::resolve(plain, true, None) {
        Ok(scalar::Scalar::Uint(number)) => Some(number),
        _ => None,
    }
}

/// Returns the key that a scalar is in a mapping.
///
/// # Errors
/// Why it can be no key, in a few words.
pub fn scalar_key(text: &str, is_plain: bool, tag: Option<&str>) -> Result<String, String> {
    scalar::resolve(text, is_plain, tag)?.into_key()
}

#[cfg(test)]
mod tests;
