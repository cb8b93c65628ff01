//! What a document is, found without parsing it.
//!
//! Most manifests begin with `apiVersion`, `kind` and `metadata` in plain block style. Where that is so to the byte, as far as this
//! module looks, it is quick and sure; everything else (quotes over several lines, flow style, anchors, tags, tabs, carriage
//! returns, equal keys, blocks before the metadata) is not for it: the document is then parsed.
//!
//! Why it is sure: a key of the root mapping begins its line, since `apiVersion` does. Nothing before the metadata can be open
//! there (quotes, brackets), because each line before it is a key with a simple value. What follows can add nothing but a key of
//! the same name, and every line that could hold one is looked at. The lines of the metadata are for [`super::marks`] to judge.

use std::ops::Range;

use super::lines::{self, Row};
use super::stream::Document;

/// The head of a document in plain block style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) api_version: &'a str,
    pub(super) kind: &'a str,
    /// The lines below `metadata:`.
    pub(super) metadata: Range<usize>,
}

/// Returns the head; nothing if the document is not in plain block style, as far as that matters.
pub(super) fn read<'a>(document: &Document<'a>) -> Option<Head<'a>> {
    let bytes = document.bytes;
    let is_odd = || memchr::memchr(b'\r', bytes).is_some() || !lines::end_alike_for_all(bytes);
    if !document.is_simple && is_odd() {
        return None;
    }
    if !is_blank(bytes.get(document.body..*document.roots.first()?)?)? {
        return None;
    }
    let (mut api_version, mut kind, mut metadata) = (None, None, None);
    for index in 0..document.roots.len() {
        let range = document.section(index);
        let section = bytes.get(range.clone())?;
        let key = key_of(section)?;
        match key {
            b"apiVersion" | b"kind" => {
                let (first, rest) = first_line(section)?;
                let value = lines::value(first, key.len() + 1)?.as_text()?;
                let place = if key == b"kind" { &mut kind } else { &mut api_version };
                if !is_blank(rest)? || place.replace(value).is_some() {
                    return None;
                }
            }
            b"metadata" => {
                let (first, rest) = first_line(section)?;
                let is_block = lines::is_blank(first.get(key.len() + 1..)?);
                if !is_block || metadata.replace(range.end - rest.len()..range.end).is_some() {
                    return None;
                }
            }
            // What has `items` is a list.
            b"items" => return None,
            // A block before the metadata may hold anything.
            _ if api_version.is_none() || kind.is_none() || metadata.is_none() => return None,
            _ => {}
        }
    }
    Some(Head { api_version: api_version?, kind: kind?, metadata: metadata? })
}

/// Returns the first line without its break, and the rest; nothing if the line is no text.
fn first_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    Some((std::str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end + 1..).unwrap_or_default()))
}

/// Returns the key that begins the line; an empty one for a list item; nothing for what may be anything.
fn key_of(line: &[u8]) -> Option<&[u8]> {
    if line.starts_with(b"- ") || line.starts_with(b"-\n") {
        return Some(b"");
    }
    let end = line.iter().position(|&byte| !lines::is_key(byte))?;
    let key = line.get(..end).filter(|key| key.first().is_some_and(u8::is_ascii_alphabetic))?;
    (line.get(end) == Some(&b':') && matches!(line.get(end + 1), None | Some(b' ' | b'\n'))).then_some(key)
}

/// Tells whether there are but blank lines and comments; nothing if it is no text.
fn is_blank(bytes: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut at = 0;
    while let Some(row) = Row::at(text, at) {
        if !matches!(row.first(), None | Some(b'#')) {
            return Some(false);
        }
        at = row.past();
    }
    Some(true)
}

#[cfg(test)]
mod tests;
