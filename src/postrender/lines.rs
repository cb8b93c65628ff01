//! Lines in plain block style: a key, a value that ends on its line, a comment.
//!
//! What is taken here, every reader of YAML takes alike; what is not taken may be anything, and is for the parser.

use super::writer::Quotes;
use crate::domain::yaml;

/// A scalar that ends on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Simple<'a> {
    /// Without quotes.
    pub(super) text: &'a str,
    pub(super) quotes: Quotes,
    /// Within the line, quotes included.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Simple<'a> {
    /// Returns the text, if Go reads the scalar as one.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.is_text(self.text).then_some(self.text)
    }

    /// Tells whether Go reads the scalar as this text.
    pub(super) fn is_text(&self, text: &str) -> bool {
        self.text == text && (self.quotes != Quotes::None || yaml::is_text(text))
    }
}

/// A line of a text, without its break.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) line: &'a str,
    /// Within the text.
    pub(super) start: usize,
    pub(super) indent: usize,
}

impl<'a> Row<'a> {
    /// Returns the row that begins at `start`; nothing behind the last one.
    pub(super) fn at(text: &'a str, start: usize) -> Option<Self> {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let line = rest.get(..memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len()))?;
        Some(Self { line, start, indent: indent_of(line) })
    }

    /// The first byte that is no blank; nothing on a blank line.
    pub(super) fn first(&self) -> Option<u8> {
        self.line.as_bytes().get(self.indent).copied()
    }

    /// Where the row behind this one begins.
    pub(super) fn past(&self) -> usize {
        self.start + self.line.len() + 1
    }
}

/// Returns how many blanks begin the line.
pub(super) fn indent_of(line: &str) -> usize {
    line.bytes().position(|byte| byte != b' ').unwrap_or(line.len())
}

/// Tells whether there are but blanks and a comment.
pub(super) fn is_blank(line: &str) -> bool {
    matches!(line.as_bytes().get(indent_of(line)), None | Some(b'#'))
}

/// Tells whether nothing but blanks and a comment stand behind `end`.
pub(super) fn is_end(line: &str, end: usize) -> bool {
    line.get(end..).is_some_and(|behind| behind.is_empty() || behind.starts_with(' ') && is_blank(behind))
}

/// Returns the scalar behind a colon, if it ends on this line; `from` is the place behind the colon. A comment may follow.
pub(super) fn value(line: &str, from: usize) -> Option<Simple<'_>> {
    let rest = line.get(from..)?;
    let blanks = indent_of(rest);
    if blanks == 0 { None } else { scalar(line, from + blanks) }
}

/// Returns the scalar that begins at `start`, if it ends on this line. A comment may follow.
pub(super) fn scalar(line: &str, start: usize) -> Option<Simple<'_>> {
    let value = line.get(start..)?;
    match value.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let within = value.get(1..)?;
            let end = memchr::memchr(*quote, within.as_bytes())?;
            let is_end = is_end(within, end + 1);
            let text = within.get(..end).filter(|text| is_end && !text.contains('\\'))?;
            let quotes = if *quote == b'"' { Quotes::Double } else { Quotes::Single };
            Some(Simple { text, quotes, start, end: start + end + 2 })
        }
        first if begins_plain(*first, value.as_bytes().get(1)) => {
            let text = value.get(..plain_end(value.as_bytes())?)?.trim_end_matches(' ');
            Some(Simple { text, quotes: Quotes::None, start, end: start + text.len() })
        }
        _ => None,
    }
}

/// Tells whether a plain scalar begins so; some others do, too.
fn begins_plain(first: u8, second: Option<&u8>) -> bool {
    first.is_ascii_alphanumeric()
        || matches!(first, b'/' | b'.' | b'_' | b'^' | b'(' | b'$' | b'+' | b'~')
        || first == b'-' && second.is_some_and(u8::is_ascii_alphanumeric)
}

/// Tells whether characters beyond ASCII are none that end a line for Go alone, or that begin a text.
pub(super) fn end_alike_for_all(lines: &[u8]) -> bool {
    let has = |needle: &[u8]| memchr::memmem::find(lines, needle).is_some();
    lines.is_ascii() || !(has(b"\xc2\x85") || has(b"\xe2\x80\xa8") || has(b"\xe2\x80\xa9") || has(b"\xef\xbb\xbf"))
}

/// Returns where a plain scalar ends on its line, a comment left out; nothing if it may be more than one.
pub(super) fn plain_end(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let ahead = value.get(at..)?;
        let Some(step) = memchr::memchr3(b':', b'#', b'\t', ahead) else {
            return Some(value.len());
        };
        at += step;
        match value.get(at) {
            Some(b':') if !matches!(value.get(at + 1), None | Some(b' ')) => {}
            Some(b'#') if value.get(at.wrapping_sub(1)) == Some(&b' ') => return Some(at),
            Some(b'#') => {}
            _ => return None,
        }
        at += 1;
    }
}

/// Returns the key that stands at `indent`, without quotes, and the place behind its colon.
pub(super) fn key(line: &str, indent: usize) -> Option<(&str, usize)> {
    let rest = line.get(indent..)?;
    let (key, end) = match rest.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let within = rest.get(1..)?;
            let end = memchr::memchr(*quote, within.as_bytes())?;
            let key = within.get(..end).filter(|key| !key.contains('\\'))?;
            (key, end + 2)
        }
        first if first.is_ascii_alphabetic() => {
            let end = rest.bytes().position(|byte| !is_key(byte))?;
            // `on:` is `true:` to Go.
            (rest.get(..end).filter(|key| yaml::is_text(key))?, end)
        }
        _ => return None,
    };
    let behind = rest.as_bytes().get(end..)?;
    matches!(behind, [b':'] | [b':', b' ', ..]).then_some((key, indent + end + 1))
}

/// By byte, whether it is one of a plain key: a table, for all keys pass here, byte by byte.
#[expect(clippy::indexing_slicing, reason = "checked where it is compiled")]
const IS_KEY: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-');
        byte += 1;
    }
    table
};

/// Tells whether a plain key may have the byte behind its first; words of them are plain in flow style, too.
pub(super) fn is_key(byte: u8) -> bool {
    IS_KEY.get(usize::from(byte)).copied().unwrap_or_default()
}
