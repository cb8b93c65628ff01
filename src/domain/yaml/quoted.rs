//! Quoted scalars whose lines are indented no deeper than their key: go-yaml reads them (older generated CRDs are full of
//! them), the parser refuses them.
//!
//! Blanks at the start of a line within quotes mean nothing, so those lines are indented in a copy, and read again. Which
//! lines they are is guessed first, all at once; the guess counts only if the parser then finds each of them within quotes.

use serde_json::Value;

use super::build::{self, Fault, Reading};

/// How often one document is read again, each time with one more scalar cured, where the guess was wrong.
const MAX_READINGS: usize = 200;

/// A line break in YAML 1.1, which go-yaml turns into a plain one; to the parser it is a character as any other.
const NEXT_LINE: char = '\u{85}';

/// Returns the value of the first document in the text; null if there is none.
pub(super) fn first_value(text: &str) -> Result<Value, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains(NEXT_LINE) {
        return read(&text.replace(NEXT_LINE, "\n"));
    }
    read(text)
}

fn read(text: &str) -> Result<Value, Fault> {
    match build::first_document(text) {
        Ok(reading) => Ok(reading.value),
        Err(fault) if fault.wants_indent => cure(text).map(|(_, reading)| reading.value),
        Err(fault) => Err(fault),
    }
}

/// A text in which lines within quotes are indented, so that the parser takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indented {
    /// With the blanks.
    pub text: String,
    /// Where the lines begin, in bytes of the text without them, ascending.
    pub lines: Vec<usize>,
    /// How many blanks each of them got.
    pub blanks: usize,
}

/// Returns the text as the parser takes it; nothing if it does so as it is, or never.
#[must_use]
pub fn indent_quoted(text: &str) -> Option<Indented> {
    if !build::first_document(text).is_err_and(|fault| fault.wants_indent) {
        return None;
    }
    let (numbers, _) = cure(text).ok()?;
    Some(indent_lines(text, &numbers, &deeper_than_all(text)))
}

/// Returns the lines that must be indented, ascending, and what the text then says.
fn cure(text: &str) -> Result<(Vec<usize>, Reading), Fault> {
    let indent = deeper_than_all(text);
    let guessed = guess(text);
    match cure_further(text, guessed.clone(), &indent) {
        Ok((lines, reading)) if are_quoted(&guessed, &reading.quoted) => Ok((lines, reading)),
        _ => cure_further(text, Vec::new(), &indent),
    }
}

/// Indents those lines, then as many more as the parser asks for.
fn cure_further(text: &str, lines: Vec<usize>, indent: &str) -> Result<(Vec<usize>, Reading), Fault> {
    let mut lines = lines;
    let mut cured_until = 0;
    for _ in 0..MAX_READINGS {
        match build::first_document(&indent_lines(text, &lines, indent).text) {
            Err(fault) if fault.wants_indent && fault.line > cured_until => {
                let more = surely_quoted(text, fault.line);
                cured_until = more.last().copied().unwrap_or(fault.line);
                lines.extend(more);
                lines.sort_unstable();
                lines.dedup();
            }
            answer => return answer.map(|reading| (lines, reading)),
        }
    }
    build::first_document(&indent_lines(text, &lines, indent).text).map(|reading| (lines, reading))
}

/// Returns blanks enough to be deeper than any block.
fn deeper_than_all(text: &str) -> String {
    let deepest = text.lines().map(|line| line.len() - line.trim_start_matches([' ', '-', '?']).len()).max();
    " ".repeat(deepest.unwrap_or_default() + 1)
}

/// Returns the text with those lines (counted from 1, ascending) indented.
fn indent_lines(text: &str, numbers: &[usize], indent: &str) -> Indented {
    let mut indented = String::with_capacity(text.len() + numbers.len() * indent.len());
    let mut lines = Vec::with_capacity(numbers.len());
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if numbers.get(lines.len()) == Some(&(index + 1)) {
            indented.push_str(indent);
            lines.push(at);
        }
        indented.push_str(line);
        at += line.len();
    }
    Indented { text: indented, lines, blanks: indent.len() }
}

/// Returns the lines from `first`, which the parser found to be within quotes, to where quotes of either kind could end.
fn surely_quoted(text: &str, first: usize) -> Vec<usize> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().skip(first.saturating_sub(1)) {
        lines.push(index + 1);
        if ends_quotes(line, '\'') || ends_quotes(line, '"') {
            break;
        }
    }
    lines
}

/// Returns the lines that continue a quoted scalar, as far as one line at a time can tell.
fn guess(text: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut open = None;
    for (index, line) in text.lines().enumerate() {
        match open {
            Some(quote) => {
                lines.push(index + 1);
                if ends_quotes(line, quote) {
                    open = None;
                }
            }
            None => open = opens_quotes(line),
        }
    }
    lines
}

/// Returns the quote that a `key: "...` or `- "...` opens and leaves open.
fn opens_quotes(line: &str) -> Option<char> {
    let content = line.trim_start_matches([' ', '-']);
    let value = match content.chars().next()? {
        '#' => return None,
        '\'' | '"' => content,
        _ => content.split_once(": ").map(|(_, value)| value.trim_start())?,
    };
    let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    (!ends_quotes(value.get(1..)?, quote)).then_some(quote)
}

/// Tells whether the rest of a line holds an end of the quotes; escaped quotes do not end them.
fn ends_quotes(rest: &str, quote: char) -> bool {
    if quote == '"' {
        rest.replace("\\\\", "").replace("\\\"", "").contains('"')
    } else {
        rest.replace("''", "").contains('\'')
    }
}

/// Tells whether each line lies behind the first line of one of the scalars; both ascend.
fn are_quoted(lines: &[usize], quoted: &[(usize, usize)]) -> bool {
    let mut quoted = quoted.iter().peekable();
    lines.iter().all(|&line| {
        while quoted.next_if(|&&(_, last)| last < line).is_some() {}
        quoted.peek().is_some_and(|&&(first, _)| first < line)
    })
}
