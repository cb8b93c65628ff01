//! Where bytes go in and out for a change.

use std::ops::Range;

use serde_json::Value;

use super::edit::{Collected, Refusal};
use super::tree::{Kind, NodeId, Tree};
use super::writer::{self, Place, Quotes};

/// Bytes of the text that go, and what comes in their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Returns the text with all splices made.
///
/// # Errors
/// The place at which two of them overlap.
pub(super) fn apply(text: &str, splices: &mut [Splice]) -> Result<String, usize> {
    // Of splices at one place, what comes in comes before what goes.
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let grown: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut out = String::with_capacity(text.len() + grown);
    let mut done = 0;
    for splice in &*splices {
        let kept = text.get(done..splice.range.start).ok_or(splice.range.start)?;
        out.push_str(kept);
        out.push_str(&splice.text);
        done = splice.range.end;
    }
    out.push_str(text.get(done..).ok_or(done)?);
    Ok(out)
}

/// Returns of each line of the edited text the line of the old one that it comes from, counted from 1; `splices` are ascending.
pub(super) fn lines(text: &str, splices: &[Splice]) -> Vec<usize> {
    let breaks = |text: &str| memchr::memchr_iter(b'\n', text.as_bytes()).count();
    let (mut lines, mut line, mut done, mut begins_line) = (vec![1], 1, 0, true);
    let end = Splice { range: text.len()..text.len(), text: String::new() };
    for splice in splices.iter().chain([&end]) {
        let kept = text.get(done..splice.range.start).unwrap_or_default();
        lines.extend((1..=breaks(kept)).map(|further| line + further));
        line += breaks(kept);
        lines.extend(std::iter::repeat_n(line, breaks(&splice.text)));
        line += breaks(text.get(splice.range.clone()).unwrap_or_default());
        done = splice.range.end;
        for written in [kept, &splice.text] {
            begins_line = if written.is_empty() { begins_line } else { written.ends_with('\n') };
        }
        // What stands there is what follows the bytes that went.
        if let Some(last) = lines.last_mut().filter(|_| begins_line) {
            *last = line;
        }
    }
    lines
}

/// Tells whether a document is JSON, as far as its first key shows.
fn is_json(tree: &Tree<'_>) -> bool {
    tree.kind(0) == Kind::FlowMapping && tree.children(0).next().is_some_and(|key| tree.kind(key) == Kind::DoubleQuoted)
}

/// Returns the splice that gives a scalar another value.
pub(super) fn replacement(tree: &Tree<'_>, node: NodeId, value: &Value) -> Result<Splice, Refusal> {
    let refuse = |because: &str| Refusal::at(tree, tree.start(node), because);
    if tree.tag(node).is_some() {
        return Err(refuse("a tag stands before the value that is to be changed"));
    }
    let (start, end) = (tree.start(node), tree.end(node));
    match tree.kind(node) {
        Kind::Block => {
            let header = tree.header(node).ok_or_else(|| refuse("its indicator is not found"))?;
            let all = tree.text().get(header..end).unwrap_or_default();
            let end = header + all.trim_end_matches(['\n', '\r', ' ']).len();
            Ok(Splice { range: header..end, text: writer::flow(value, Quotes::Double) })
        }
        _ if start == end => {
            // Nothing stands there: the value goes behind the colon.
            let colon = behind_colon(tree, start).ok_or_else(|| refuse("an empty value is not behind a colon"))?;
            Ok(Splice { range: colon..colon, text: format!(" {}", writer::flow(value, Quotes::None)) })
        }
        kind => {
            let quotes = match kind {
                Kind::SingleQuoted => Quotes::Single,
                Kind::DoubleQuoted => Quotes::Double,
                _ if is_json(tree) => Quotes::Double,
                _ => Quotes::None,
            };
            Ok(Splice { range: start..end, text: writer::flow(value, quotes) })
        }
    }
}

/// Returns the place behind the colon that stands at, or after blanks behind, `from`.
fn behind_colon(tree: &Tree<'_>, from: usize) -> Option<usize> {
    let rest = tree.text().get(from..)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    rest.get(blanks..)?.starts_with(':').then_some(from + blanks + 1)
}

/// Returns the splices that take entries or items out of a collection and put others in.
pub(super) fn collection(tree: &Tree<'_>, node: NodeId, collected: &Collected) -> Result<Vec<Splice>, Refusal> {
    let children: Vec<Child> = if tree.kind(node).is_mapping() {
        tree.entries(node)
            .map(|(key, value)| Child { id: key, start: tree.start(key), end: entry_end(tree, node, value) })
            .collect()
    } else {
        tree.children(node)
            .map(|item| Child { id: item, start: tree.start(item), end: tree.content_end(item) })
            .collect()
    };
    let gone = |child: &Child| collected.removed.contains(&child.id);
    let writing = Writing { tree, node };
    if tree.kind(node).is_flow() {
        return writing.in_brackets(&children, &gone, collected);
    }
    if children.iter().all(gone) {
        return writing.instead_of_all(&children, collected);
    }
    let mut splices = Vec::new();
    for (index, child) in children.iter().enumerate().filter(|(_, child)| gone(child)) {
        let range = writing.lines_of(child, children.get(index + 1..).unwrap_or_default(), &gone)?;
        // Behind a dash, those next to the first one that go, too, go with it.
        if splices.last().is_none_or(|last: &Splice| last.range.end <= range.start) {
            splices.push(Splice { range, text: String::new() });
        }
    }
    if !collected.entries.is_empty()
        && let Some(first) = children.iter().find(|child| !gone(child))
    {
        splices.push(writing.before(first, collected)?);
    }
    if !collected.items.is_empty()
        && let (Some(first), Some(last)) = (children.first(), children.last())
    {
        splices.push(writing.behind(first, last, &collected.items)?);
    }
    Ok(splices)
}

/// Returns where an entry ends. An empty value stands before its colon, which within brackets may be the last of the line.
fn entry_end(tree: &Tree<'_>, mapping: NodeId, value: NodeId) -> usize {
    let end = tree.content_end(value);
    let is_empty = tree.kind(mapping).is_flow() && tree.kind(value).is_scalar() && tree.start(value) == end;
    if is_empty { behind_colon(tree, end).unwrap_or(end) } else { end }
}

/// A key with its value, or an item.
struct Child {
    id: NodeId,
    start: usize,
    /// Of its content.
    end: usize,
}

/// One collection of a document.
struct Writing<'t, 'a> {
    tree: &'t Tree<'a>,
    node: NodeId,
}

impl Writing<'_, '_> {
    fn refuse(&self, byte: usize, because: &str) -> Refusal {
        Refusal::at(self.tree, byte, because)
    }

    /// Returns the place behind the line in which content ends; a comment may stand behind the content.
    fn line_end(&self, end: usize) -> Result<usize, Refusal> {
        let text = self.tree.text();
        if end > 0 && text.as_bytes().get(end - 1) == Some(&b'\n') {
            return Ok(end);
        }
        let rest = text.get(end..).unwrap_or_default();
        let line = rest.find('\n').map_or(rest, |newline| rest.get(..=newline).unwrap_or(rest));
        let behind = line.trim();
        // An empty value ends before its colon.
        let behind = behind.strip_prefix(':').map_or(behind, str::trim_start);
        if behind.is_empty() || behind.starts_with('#') {
            Ok(end + line.len())
        } else {
            Err(self.refuse(end, "something stands behind what is to be changed"))
        }
    }

    fn line_break(&self) -> &'static str {
        let text = self.tree.text();
        match text.find('\n') {
            Some(at) if at > 0 && text.as_bytes().get(at - 1) == Some(&b'\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Where new entries are written: in the column of the first one, each level as much deeper as in this document.
    fn place(&self, column: usize) -> Place<'static> {
        Place { column, step: self.step(), line_end: self.line_break() }
    }

    /// How much deeper the document's first nested mapping is.
    fn step(&self) -> usize {
        let tree = self.tree;
        let nested = tree.entries(0).find(|&(_, value)| tree.kind(value) == Kind::Mapping);
        let column = nested.and_then(|(_, value)| tree.children(value).next()).map(|key| {
            let start = tree.start(key);
            start - self.tree.line_start(start)
        });
        column.filter(|column| (1..=8).contains(column)).unwrap_or(2)
    }

    /// Returns where the entry of a key begins: at the key, or at the tag or the anchor before it on the line.
    fn entry_start(&self, start: usize) -> Result<usize, Refusal> {
        let line_start = self.tree.line_start(start);
        let before = self.tree.text().get(line_start..start).unwrap_or_default();
        let marked = before.trim_start_matches('\u{feff}').trim_start_matches([' ', '-']);
        let is_fine = marked.is_empty() || marked.split_ascii_whitespace().all(|word| word.starts_with(['&', '!']));
        if is_fine {
            Ok(start - marked.len())
        } else {
            Err(self.refuse(start, "a `?` or a tab stands before the key next to the change"))
        }
    }

    /// Returns the column of what begins there, with only blanks and dashes before it on its line.
    fn column(&self, start: usize) -> usize {
        let before = self.tree.text().get(self.tree.line_start(start)..start).unwrap_or_default();
        before.trim_start_matches('\u{feff}').len()
    }

    /// Returns where the dash of an item stands: before it, or before its tag, its anchor, or the indicator of a block, which may stand
    /// on a line above.
    fn dash(&self, child: &Child) -> Result<usize, Refusal> {
        let text = self.tree.text();
        let fail = || self.refuse(child.start, "the item next to the change does not begin a line");
        let mut end = child.start;
        loop {
            let start = self.tree.line_start(end);
            let line = text.get(start..end).unwrap_or_default();
            let content = line.trim_start_matches(' ');
            if content.trim().is_empty() || content.starts_with('#') {
                end = start.checked_sub(1).ok_or_else(fail)?;
                continue;
            }
            let behind = content
                .strip_prefix('-')
                .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\r', '\n']))
                .ok_or_else(fail)?;
            let first = behind.trim().chars().next();
            return match first {
                None | Some('&' | '!' | '|' | '>' | '#') => Ok(start + line.len() - content.len()),
                Some(_) => Err(fail()),
            };
        }
    }

    /// Returns the bytes of an entry or item that goes, its lines where it has them for itself.
    fn lines_of(
        &self,
        child: &Child,
        behind: &[Child],
        gone: &dyn Fn(&Child) -> bool,
    ) -> Result<Range<usize>, Refusal> {
        let end = self.line_end(child.end)?;
        let is_mapping = self.tree.kind(self.node).is_mapping();
        let start = if is_mapping { self.entry_start(child.start)? } else { self.dash(child)? };
        let line_start = self.tree.line_start(start);
        let before = self.tree.text().get(line_start..start).unwrap_or_default();
        if before.bytes().all(|byte| byte == b' ') {
            return Ok(line_start..end);
        }
        // The first key behind a dash: the next one that stays moves up to it, unless a comment stands between.
        let (mut at, mut has_comment) = (end, false);
        for other in behind {
            let next = self.entry_start(other.start)?;
            has_comment = has_comment || !self.tree.text().get(at..next).unwrap_or_default().trim_ascii().is_empty();
            if !gone(other) {
                if !has_comment {
                    return Ok(start..next);
                }
                let removed = self.tree.text().get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r']);
                return Ok(line_start + before.trim_end().len()..start + removed.len());
            }
            at = self.line_end(other.end)?;
        }
        Err(self.refuse(start, "nothing would be left of the list item"))
    }

    /// Returns the splice that writes new entries before a key.
    fn before(&self, first: &Child, collected: &Collected) -> Result<Splice, Refusal> {
        let start = self.entry_start(first.start)?;
        let column = self.column(start);
        let place = self.place(column);
        let text = writer::entries(&collected.entries, Quotes::None, place);
        Ok(Splice { range: start..start, text: format!("{text}{}{}", place.line_end, " ".repeat(column)) })
    }

    /// Returns the splice that writes new items behind the last one.
    fn behind(&self, first: &Child, last: &Child, items: &[Value]) -> Result<Splice, Refusal> {
        let dash = self.dash(first)?;
        let column = dash - self.tree.line_start(dash);
        let place = self.place(column);
        let end = self.line_end(last.end)?;
        let lines: Vec<String> = items.iter().map(|value| writer::item(value, Quotes::None, place)).collect();
        let blanks = " ".repeat(column);
        let ends_line = end > 0 && self.tree.text().as_bytes().get(end - 1) == Some(&b'\n');
        let mut text = String::new();
        for line in lines {
            if ends_line {
                text.extend([blanks.as_str(), &line, place.line_end]);
            } else {
                text.extend([place.line_end, &blanks, &line]);
            }
        }
        Ok(Splice { range: end..end, text })
    }

    /// Everything in the collection goes: what is new takes its place, or empty brackets.
    fn instead_of_all(&self, children: &[Child], collected: &Collected) -> Result<Vec<Splice>, Refusal> {
        let (Some(first), Some(last)) = (children.first(), children.last()) else {
            return Err(self.refuse(self.tree.start(self.node), "the collection has no lines"));
        };
        let is_mapping = self.tree.kind(self.node).is_mapping();
        let start = if is_mapping { self.entry_start(first.start)? } else { self.dash(first)? };
        let column = self.column(start);
        let place = self.place(column);
        let text = match (collected.entries.is_empty(), collected.items.as_slice()) {
            (false, _) => writer::entries(&collected.entries, Quotes::None, place),
            (true, []) => if is_mapping { "{}" } else { "[]" }.to_owned(),
            (true, items) => {
                let lines: Vec<String> = items.iter().map(|value| writer::item(value, Quotes::None, place)).collect();
                lines.join(&format!("{}{}", place.line_end, " ".repeat(column)))
            }
        };
        let end = self.line_end(last.end)?;
        let removed = self.tree.text().get(start..end).unwrap_or_default();
        let line_end = if removed.ends_with('\n') { place.line_end } else { "" };
        let above = self.tree.text().get(..start).unwrap_or_default().trim_ascii_end();
        if text.starts_with(['{', '[']) {
            // Behind the colon, where nothing else stands; else in a line of their own, which may not begin in the column of the key.
            let last_line = above.get(self.tree.line_start(above.len())..).unwrap_or_default();
            let is_comment = last_line.trim_start().starts_with('#') || last_line.contains(" #");
            return Ok(vec![if above.ends_with(':') && !is_comment {
                Splice { range: above.len()..end, text: format!(" {text}{line_end}") }
            } else {
                // The dashes of a list may stand in the column of its key.
                let indent = if column == 0 || !is_mapping { "  " } else { "" };
                Splice { range: start..end, text: format!("{indent}{text}{line_end}") }
            }]);
        }
        Ok(vec![Splice { range: start..end, text: format!("{text}{line_end}") }])
    }

    /// Within braces or brackets.
    fn in_brackets(
        &self,
        children: &[Child],
        gone: &dyn Fn(&Child) -> bool,
        collected: &Collected,
    ) -> Result<Vec<Splice>, Refusal> {
        let tree = self.tree;
        let open = tree.start(self.node) + 1;
        let close = tree.end(self.node).saturating_sub(1);
        let is_quoted = children.first().is_some_and(|first| tree.kind(first.id) == Kind::DoubleQuoted);
        let quotes = if is_quoted || is_json(tree) { Quotes::Double } else { Quotes::None };
        let first_kept = children.iter().find(|child| !gone(child));
        let last_kept = children.iter().rev().find(|child| !gone(child));
        let mut splices = Vec::new();
        if self.has_comments(children, open, close) {
            let mut done = open;
            let behind = children.iter().skip(1).map(|next| next.start).chain([close]);
            for (child, behind) in children.iter().zip(behind).filter(|(child, _)| gone(child)) {
                splices.extend(self.beside_comments(child, done, behind));
                done = splices.last().map_or(open, |splice| splice.range.end);
            }
        } else {
            for (index, child) in children.iter().enumerate().filter(|(_, child)| gone(child)) {
                let end = children.get(index + 1).map_or(child.end, |next| next.start);
                splices.push(Splice { range: child.start..end, text: String::new() });
            }
            if let (Some(last_gone), Some(last_kept)) = (children.last().filter(|last| gone(last)), last_kept) {
                // With those at the end goes the comma before them.
                splices.retain(|splice| splice.range.start < last_kept.end);
                splices.push(Splice { range: last_kept.end..last_gone.end, text: String::new() });
            }
            if let (Some(last), None) = (children.last(), last_kept) {
                // A comma may stand behind the last one.
                let rest = tree.text().get(last.end..close).unwrap_or_default().trim_start();
                if let (true, Some(splice)) = (rest.starts_with(','), splices.last_mut()) {
                    splice.range.end = close - rest.len() + 1;
                }
            }
        }
        let entries = collected.entries.iter().map(|(key, value)| writer::flow_entry(key, value, quotes));
        let new: Vec<String> = entries.chain(collected.items.iter().map(|value| writer::flow(value, quotes))).collect();
        if !new.is_empty() {
            let new = new.join(", ");
            let is_mapping = tree.kind(self.node).is_mapping();
            splices.push(match (first_kept, last_kept) {
                (Some(first), _) if is_mapping => Splice { range: first.start..first.start, text: format!("{new}, ") },
                (_, Some(last)) => Splice { range: last.end..last.end, text: format!(", {new}") },
                _ => Splice { range: close..close, text: new },
            });
        }
        if open > close {
            return Err(self.refuse(open, "the brackets are not found"));
        }
        Ok(splices)
    }

    /// Tells whether comments stand between what is in the brackets.
    fn has_comments(&self, children: &[Child], open: usize, close: usize) -> bool {
        let ends = [open].into_iter().chain(children.iter().map(|child| child.end));
        let starts = children.iter().map(|child| child.start).chain([close]);
        ends.zip(starts).any(|(end, start)| self.tree.text().get(end..start).unwrap_or_default().contains('#'))
    }

    /// Returns the splices that take a child out of brackets with comments in them: it goes with its comma and the comment behind it on its
    /// line. A comma before it may stay: YAML takes it. What stands before `done` has been seen to.
    fn beside_comments(&self, child: &Child, done: usize, behind: usize) -> Vec<Splice> {
        let text = self.tree.text();
        let removal = |range| Splice { range, text: String::new() };
        let line_start = self.tree.line_start(child.start);
        let before = text.get(line_start..child.start).unwrap_or_default();
        let between = text.get(child.end..behind).unwrap_or_default();
        let mut lines = between.split_inclusive('\n');
        let first = lines.next().unwrap_or_default();
        let Some(line) = first.strip_suffix('\n') else {
            let comma = between.trim_end().len();
            return vec![removal(child.start..child.end + if between.contains(',') { between.len() } else { comma })];
        };
        let mut splices = vec![removal(if before.trim().is_empty() && line_start > self.tree.start(self.node) {
            line_start..child.end + first.len()
        } else {
            done.max(line_start + before.trim_end().len())..child.end + line.trim_end_matches('\r').len()
        })];
        if !code(line).contains(',') {
            let mut at = child.end + first.len();
            for line in lines {
                if let Some(comma) = code(line).find(',') {
                    splices.push(removal(at + comma..at + comma + 1));
                    break;
                }
                at += line.len();
            }
        }
        splices
    }
}

/// Returns what stands before the comment of a line.
fn code(line: &str) -> &str {
    let comment = line
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| at == 0 || line.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace));
    line.get(..comment.unwrap_or(line.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is kept of a line knows its number, whatever goes or comes around it.
        #[test]
        fn lines_that_stay_keep_their_numbers(
            fates in prop::collection::vec((any::<bool>(), 0_usize..3, any::<bool>()), 1..30),
        ) {
            let text = (1..=fates.len()).fold(String::new(), |text, number| text + &format!("old {number}\n"));
            let mut splices: Vec<Splice> = Vec::new();
            let mut at = 0;
            for (number, (goes, new, is_within)) in fates.iter().enumerate() {
                let line = format!("old {}\n", number + 1);
                let new = "new\n".repeat(*new);
                if *goes {
                    splices.push(Splice { range: at..at + line.len(), text: new });
                } else if *is_within {
                    splices.push(Splice { range: at + line.len() - 1..at + line.len() - 1, text: format!(" x\n{new}y") });
                } else if !new.is_empty() {
                    splices.push(Splice { range: at..at, text: new });
                }
                at += line.len();
            }
            let edited = apply(&text, &mut splices).expect("they do not overlap");
            let numbers = lines(&text, &splices);
            for (line, number) in edited.lines().zip(&numbers).filter(|(line, _)| line.starts_with("old")) {
                let own = line.trim_start_matches("old ").trim_end_matches(" x");
                prop_assert_eq!(own, number.to_string(), "{:?}", edited);
            }
            prop_assert_eq!(numbers.len(), edited.split('\n').count());
        }
    }
}
