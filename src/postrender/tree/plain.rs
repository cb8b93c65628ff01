//! Plain block style, read line by line into the tree that the parser makes of it, several times as fast.
//!
//! What is not read here (flow style but for short lists, anchors, tags, escapes, folded blocks, tabs, empty values) is for the
//! parser. What is edited is proven by the parser; that the two agree on all else is held by tests, which compare them wherever they go.

use super::{DEEPEST, Kind, NodeId, Tree};
use crate::postrender::lines::{self, Row};

/// The longest key, in bytes: YAML wants its colon within 1,024 characters.
const LONGEST_KEY: usize = 1000;

/// Returns the tree; nothing if the text is not plain throughout, or may be no YAML.
pub(super) fn read(text: &str) -> Option<Tree<'_>> {
    // Counted to the end, not searched, so that the processor does many bytes at once.
    let controls = text.bytes().filter(|&byte| byte < b' ' && byte != b'\n' || byte == 0x7f).count();
    // What is not printable, ends a line for some, or may begin a text.
    let is_odd = |character| {
        matches!(character, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if controls > 0 || !text.ends_with('\n') || !text.is_ascii() && text.contains(is_odd) {
        return None;
    }
    let mut reader = Reader { tree: Tree::empty(text), at: 0, open: Vec::new(), awaits: false };
    while let Some(row) = reader.next_content() {
        reader.take(row)?;
    }
    if reader.awaits || reader.tree.nodes.is_empty() {
        return None;
    }
    while reader.close_last().is_some() {}
    Some(reader.tree)
}

/// A collection whose lines are read.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: NodeId,
    indent: usize,
    is_sequence: bool,
}

struct Reader<'a> {
    tree: Tree<'a>,
    /// Where the next row begins.
    at: usize,
    open: Vec<Open>,
    /// Whether the last key's value has not come yet.
    awaits: bool,
}

impl<'a> Reader<'a> {
    /// Returns the row that begins at a place.
    fn row(&self, start: usize) -> Option<Row<'a>> {
        Row::at(self.tree.text, start)
    }

    /// Returns the next row with more than blanks and a comment.
    fn next_content(&mut self) -> Option<Row<'a>> {
        while let Some(row) = self.row(self.at) {
            self.at = row.past();
            if !matches!(row.first(), None | Some(b'#')) {
                return Some(row);
            }
        }
        None
    }

    fn take(&mut self, row: Row<'a>) -> Option<()> {
        let Row { line, start, indent } = row;
        let is_item = line.as_bytes().get(indent..)?.starts_with(b"- ");
        // The place of what follows the dash.
        let within = if is_item { indent + 1 + lines::indent_of(line.get(indent + 1..)?) } else { indent };
        while self
            .open
            .last()
            .is_some_and(|top| top.indent > indent || top.indent == indent && top.is_sequence && !is_item)
        {
            if self.awaits {
                return None;
            }
            self.close_last();
        }
        match self.open.last() {
            None if self.tree.nodes.is_empty() => self.open(start + indent, indent, is_item)?,
            Some(top) if self.awaits && indent > top.indent => self.open(start + indent, indent, is_item)?,
            // The parser has a list that is no deeper than its key begin behind the dash.
            Some(top) if self.awaits && indent == top.indent && is_item => self.open(start + within, indent, true)?,
            Some(top) if !self.awaits && top.indent == indent && top.is_sequence == is_item => {}
            _ => return None,
        }
        self.awaits = false;
        if is_item && lines::key(line, within).is_none() {
            return self.value(row, within, indent);
        }
        if is_item {
            self.open(start + within, within, false)?;
        }
        self.entry(row, within)
    }

    fn open(&mut self, start: usize, indent: usize, is_sequence: bool) -> Option<()> {
        let kind = if is_sequence { Kind::Sequence } else { Kind::Mapping };
        let id = self.tree.push(start..start, kind);
        self.open.push(Open { id, indent, is_sequence });
        (self.open.len() <= DEEPEST).then_some(())
    }

    fn close_last(&mut self) -> Option<()> {
        let open = self.open.pop()?;
        self.tree.close(open.id, 0);
        Some(())
    }

    /// A key that stands at `at`, and its value.
    fn entry(&mut self, row: Row<'a>, at: usize) -> Option<()> {
        let (key, behind) = lines::key(row.line, at)?;
        if key.len() > LONGEST_KEY {
            return None;
        }
        let kind = scalar_kind(*row.line.as_bytes().get(at)?);
        self.tree.push_scalar(row.start + at..row.start + behind - 1, kind, false);
        let rest = row.line.get(behind..)?;
        if lines::is_blank(rest) {
            self.awaits = true;
            return Some(());
        }
        self.value(row, behind + lines::indent_of(rest), at)
    }

    /// A value that begins at `at`; further lines of it are deeper than `parent`.
    fn value(&mut self, row: Row<'a>, at: usize, parent: usize) -> Option<()> {
        match row.line.as_bytes().get(at)? {
            b'|' => self.block(row, at, parent),
            b'[' | b'{' => self.flow(row, at),
            b'\'' | b'"' => self.quoted(row, at, parent),
            _ => self.plain(row, at, parent),
        }
    }

    /// A plain scalar, which may go on in deeper lines.
    fn plain(&mut self, row: Row<'a>, at: usize, parent: usize) -> Option<()> {
        let first = lines::scalar(row.line, at)?;
        let has_comment = row.line.get(first.end..)?.contains('#');
        let mut end = row.start + first.end;
        let (mut next, mut is_long) = (self.at, false);
        while let Some(row) = self.row(next) {
            next = row.past();
            let Some(begins) = row.first() else { continue };
            if row.indent <= parent || begins == b'#' {
                break;
            }
            let content = row.line.get(row.indent..)?.trim_end_matches(' ');
            if has_comment || lines::plain_end(content.as_bytes()) != Some(content.len()) {
                return None;
            }
            end = row.start + row.indent + content.len();
            self.at = next;
            is_long = true;
        }
        // Read alone, a first line that begins with a dash could be a marker.
        if is_long && first.text.starts_with('-') {
            return None;
        }
        self.tree.has_merges |= !is_long && first.text == "<<";
        self.tree.push_scalar(row.start + at..end, Kind::Plain, is_long);
        Some(())
    }

    /// Quotes without backslashes, which may go on in deeper lines.
    fn quoted(&mut self, row: Row<'a>, at: usize, parent: usize) -> Option<()> {
        let quote = *row.line.as_bytes().get(at)?;
        let start = row.start + at;
        let (mut row, mut from, mut is_otherwise) = (row, at + 1, false);
        loop {
            let content = row.line.get(from..)?;
            if quote == b'"' && content.contains('\\') {
                return None;
            }
            let closing = closing(content.as_bytes(), quote);
            is_otherwise |= quote == b'\'' && content.get(..closing.unwrap_or(content.len()))?.contains("''");
            if let Some(end) = closing {
                let end = from + end + 1;
                lines::is_end(row.line, end).then_some(())?;
                self.tree.push_scalar(start..row.start + end, scalar_kind(quote), is_otherwise);
                return Some(());
            }
            is_otherwise = true;
            row = self.row(self.at)?;
            from = row.indent;
            self.at = row.past();
            if row.first().is_some() && row.indent <= parent {
                return None;
            }
        }
    }

    /// A literal block.
    fn block(&mut self, row: Row<'a>, at: usize, parent: usize) -> Option<()> {
        row.line.get(at + 1..).filter(|chomping| matches!(*chomping, "" | "-" | "+"))?;
        let first = self.row(self.at).filter(|row| row.first().is_some() && row.indent > parent)?;
        while let Some(row) = self.row(self.at) {
            if !row.line.is_empty() {
                if row.first().is_none() || row.indent > parent && row.indent < first.indent {
                    return None;
                }
                if row.indent < first.indent {
                    break;
                }
            }
            self.at = row.past();
        }
        self.tree.push_scalar(first.start + first.indent..self.at, Kind::Block, true);
        Some(())
    }

    /// Empty braces, or brackets with single values, on one line.
    fn flow(&mut self, row: Row<'a>, at: usize) -> Option<()> {
        let Row { line, start, .. } = row;
        let brackets = line.get(at..)?;
        if brackets.starts_with("{}") {
            let id = self.tree.push(start + at..start + at + 2, Kind::FlowMapping);
            self.tree.close(id, start + at + 2);
            return lines::is_end(line, at + 2).then_some(());
        }
        let close = at + 1 + memchr::memchr(b']', brackets.strip_prefix('[')?.as_bytes())?;
        let list = self.tree.push(start + at..start + close + 1, Kind::FlowSequence);
        let mut from = at + 1;
        while from < close {
            let rest = line.get(from..close)?;
            let item = rest.get(..memchr::memchr(b',', rest.as_bytes()).unwrap_or(rest.len()))?;
            let scalar = lines::scalar(item, lines::indent_of(item))?;
            let kind = scalar_kind(*item.as_bytes().get(scalar.start)?);
            if kind == Kind::Plain && !scalar.text.bytes().all(lines::is_key) {
                return None;
            }
            if !item.get(scalar.end..)?.bytes().all(|byte| byte == b' ') {
                return None;
            }
            self.tree.push_scalar(start + from + scalar.start..start + from + scalar.end, kind, false);
            from += item.len() + 1;
        }
        self.tree.close(list, start + close + 1);
        lines::is_end(line, close + 1).then_some(())
    }
}

/// Returns what a scalar is that is no block and begins so.
fn scalar_kind(first: u8) -> Kind {
    match first {
        b'"' => Kind::DoubleQuoted,
        b'\'' => Kind::SingleQuoted,
        _ => Kind::Plain,
    }
}

/// Returns where the quotes close; two single quotes are one within.
fn closing(content: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(quote, content.get(from..)?)?;
        if quote == b'"' || content.get(at + 1) != Some(&quote) {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests;
