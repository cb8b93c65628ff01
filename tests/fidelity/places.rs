//! Which bytes of a document edits may take out, and where they may put others in: all else comes out as it was, comments included.
//!
//! The places are found by the parser's events alone, not by the code that is tested.

use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle};
use helm_csghub::domain::yaml;
use serde_json::{Value, json};

use crate::edits::{EVERY, Edit};

enum What {
    Scalar { words: String, is_plain: bool, is_block: bool },
    Alias,
    Mapping(Vec<(Node, Node)>),
    Sequence(Vec<Node>),
}

/// A node and the bytes that it stands in; of a block collection, where it begins.
struct Node {
    what: What,
    start: usize,
    end: usize,
    is_flow: bool,
}

impl Node {
    fn value(&self, key: &str) -> Option<&Self> {
        let What::Mapping(entries) = &self.what else { return None };
        entries.iter().rfind(|(of, _)| of.key().as_deref() == Some(key)).map(|(_, value)| value)
    }

    fn key(&self) -> Option<String> {
        match &self.what {
            What::Scalar { words, is_plain, .. } => yaml::scalar_key(words, *is_plain, None).ok(),
            _ => None,
        }
    }

    /// Its text as Go has it, where it has one.
    fn words(&self) -> Option<String> {
        match &self.what {
            What::Scalar { words, is_plain, .. } => {
                let value = yaml::scalar_value(words, *is_plain, None).ok()?;
                Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            }
            _ => None,
        }
    }
}

/// Returns the node that an event begins; nothing where the parser fails.
fn node<'a>(parser: &mut Parser<'a, granit_parser::StrInput<'a>>, event: Event<'_>, at: Range<usize>) -> Option<Node> {
    let (what, is_flow) = match event {
        Event::Scalar(words, style, ..) => {
            let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
            let is_plain = style == ScalarStyle::Plain;
            (What::Scalar { words: words.into_owned(), is_plain, is_block }, false)
        }
        Event::MappingStart(style, ..) => {
            let mut entries = Vec::new();
            let end = loop {
                let (event, span) = parser.next()?.ok()?;
                if matches!(event, Event::MappingEnd) {
                    break span.byte_range()?.end;
                }
                let key = node(parser, event, span.byte_range()?)?;
                let (event, span) = parser.next()?.ok()?;
                let value = node(parser, event, span.byte_range()?)?;
                entries.push((key, value));
            };
            let is_flow = style == StructureStyle::Flow;
            let end = if is_flow { end } else { at.end };
            return Some(Node { what: What::Mapping(entries), start: at.start, end, is_flow });
        }
        Event::SequenceStart(style, ..) => {
            let mut items = Vec::new();
            let end = loop {
                let (event, span) = parser.next()?.ok()?;
                if matches!(event, Event::SequenceEnd) {
                    break span.byte_range()?.end;
                }
                items.push(node(parser, event, span.byte_range()?)?);
            };
            let is_flow = style == StructureStyle::Flow;
            let end = if is_flow { end } else { at.end };
            return Some(Node { what: What::Sequence(items), start: at.start, end, is_flow });
        }
        _ => (What::Alias, false),
    };
    Some(Node { what, start: at.start, end: at.end, is_flow })
}

fn root(text: &str) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    loop {
        let (event, span) = parser.next()?.ok()?;
        if !matches!(event, Event::StreamStart | Event::DocumentStart(..)) {
            return node(&mut parser, event, span.byte_range()?);
        }
    }
}

/// Returns what is wrong with a new text, where the edits are of the objects of that name, or of all, and the old one means `value`.
pub(crate) fn strays(old: &str, new: &str, value: &Value, edits: &[&Edit], name: Option<&str>) -> Option<String> {
    let places = places(old, value, edits, name).or_else(|| {
        // Go reads quoted lines that are not indented.
        let indented = yaml::indent_quoted(old)?;
        let place = |at: usize| {
            let lines = indented.lines.iter().enumerate().map(|(index, line)| line + index * indented.blanks);
            at - lines.map(|blanks| at.saturating_sub(blanks).min(indented.blanks)).sum::<usize>()
        };
        let mut places = places(&indented.text, value, edits, name)?;
        places.ranges.iter_mut().for_each(|range| *range = place(range.start)..place(range.end));
        Some(places)
    });
    places.map_or_else(|| Some("only Go reads the document".to_owned()), |places| places.strays(old, new))
}

/// Returns what edits may touch; nothing where the parser does not read the text.
fn places(text: &str, value: &Value, edits: &[&Edit], name: Option<&str>) -> Option<Places> {
    let root = root(text)?;
    let mut search = Search { text, removed: Vec::new(), ranges: Vec::new(), lines: 0 };
    let mut objects = Vec::new();
    find_objects(&root, value, (name, ""), &mut objects);
    for object in &objects {
        for edit in edits {
            search.lines += edit.lines();
            search.follow(object, object.start, edit.path(), edit);
        }
        search.take_out();
    }
    search.ranges.sort_by_key(|range| (range.start, range.end));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for range in search.ranges {
        match ranges.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => ranges.push(range),
        }
    }
    Some(Places { ranges, lines: search.lines })
}

/// What has a list `items` is a list, whatever its kind, and one of nothing where a list's are null; its items may leave out their type.
fn find_objects<'n>(node: &'n Node, value: &Value, (name, of_list): (Option<&str>, &str), objects: &mut Vec<&'n Node>) {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let has_type = !(text("kind").is_empty() && text("apiVersion").is_empty());
    let kind = if has_type { text("kind") } else { of_list };
    let named = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    match (value.get("items").and_then(Value::as_array), node.value("items")) {
        _ if kind.is_empty() => {}
        (Some(values), Some(Node { what: What::Sequence(items), .. })) => {
            let of_items = kind.strip_suffix("List").unwrap_or_default();
            for (item, value) in items.iter().zip(values) {
                find_objects(item, value, (name, of_items), objects);
            }
        }
        (None, _) if kind.ends_with("List") && value.get("items").is_some_and(Value::is_null) => {}
        (None, _) if name.is_none_or(|name| name == named) => objects.push(node),
        _ => {}
    }
}

struct Search<'t, 'n> {
    text: &'t str,
    /// Collections, where the text before them ends, and which of their children go.
    removed: Vec<(&'n Node, usize, BTreeSet<usize>)>,
    ranges: Vec<Range<usize>>,
    /// How many may come.
    lines: usize,
}

impl<'n> Search<'_, 'n> {
    /// Goes down the path from a node, whose key or dash ends at `from`.
    fn follow(&mut self, node: &'n Node, from: usize, path: &[String], edit: &Edit) {
        let makes = matches!(edit, Edit::Set(..) | Edit::Add(..));
        match (&node.what, path) {
            (What::Scalar { .. }, _) if makes => self.replace(node, from),
            (What::Sequence(items), [every, rest @ ..]) if every == EVERY => {
                self.lines += edit.lines() * items.len();
                for (item, place) in items.iter().zip(self.children(node, from)) {
                    self.follow(item, if node.is_flow { item.start } else { place.start + 1 }, rest, edit);
                }
            }
            (What::Sequence(items), []) => match edit {
                Edit::Add(..) => self.put_in(node, from),
                Edit::Without(_, text) => {
                    // What an alias names may be that text.
                    let goes = |item: &Node| item.words().as_ref() == Some(text) || matches!(item.what, What::Alias);
                    let gone = items.iter().enumerate().filter(|(_, item)| goes(item)).map(|(index, _)| index);
                    self.remove(node, from, gone.collect());
                }
                _ => {}
            },
            (What::Mapping(entries), [key, rest @ ..]) => {
                if makes {
                    self.put_in(node, from);
                }
                let is_it = |of: &Node| of.key().as_ref() == Some(key);
                if let (Edit::Remove(_), []) = (edit, rest) {
                    let gone = entries.iter().enumerate().filter(|(_, (of, _))| is_it(of)).map(|(index, _)| index);
                    return self.remove(node, from, gone.collect());
                }
                // Of equal keys the last one counts.
                if let Some((of, value)) = entries.iter().rfind(|(of, _)| is_it(of)) {
                    self.follow(value, of.end, rest, edit);
                }
            }
            _ => {}
        }
    }

    fn remove(&mut self, node: &'n Node, from: usize, gone: BTreeSet<usize>) {
        match self.removed.iter_mut().find(|(of, ..)| std::ptr::eq(*of, node)) {
            Some((_, _, all)) => all.extend(gone),
            None => self.removed.push((node, from, gone)),
        }
    }

    /// The value of a scalar becomes another one.
    fn replace(&mut self, node: &Node, from: usize) {
        let is_block = matches!(node.what, What::Scalar { is_block: true, .. });
        let range = if is_block {
            // From its indicator on, which stands on the last line before the content.
            let before = self.text[..node.start].trim_end();
            let line = before.rfind('\n').map_or(0, |end| end + 1).max(from);
            let header = before[line..].split(" #").next().unwrap_or_default().rfind(['|', '>']).unwrap_or(0);
            line + header..self.block_end(node)
        } else if node.start == node.end {
            // Nothing stands there.
            let colon = self.text[from..].find(':').map_or(from, |colon| from + colon + 1);
            colon..colon
        } else {
            node.start..node.end
        };
        self.ranges.push(range);
    }

    /// The parser counts the blanks before what follows to a block.
    fn block_end(&self, node: &Node) -> usize {
        let content = &self.text[node.start..node.end];
        let last = content.rsplit('\n').next().unwrap_or_default();
        if last.trim().is_empty() { node.end - last.len() } else { node.end }
    }

    fn content_end(&self, node: &Node) -> usize {
        match &node.what {
            What::Scalar { is_block: true, .. } => self.block_end(node),
            What::Mapping(entries) if !node.is_flow => entries
                .last()
                .map_or(node.end, |(key, value)| if is_empty(value) { key.end } else { self.content_end(value) }),
            What::Sequence(items) if !node.is_flow => {
                items.last().map_or(node.end, |item| if is_empty(item) { item.start } else { self.content_end(item) })
            }
            _ => node.end,
        }
    }

    /// Returns where the children of a collection begin, dashes, anchors and tags included, and where their content ends.
    fn children(&self, node: &Node, from: usize) -> Vec<Range<usize>> {
        match &node.what {
            What::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| {
                    let line = self.line_start(key.start);
                    let before = &self.text[line..key.start];
                    let marks = before.trim_start_matches([' ', '-', '\u{feff}']);
                    let is_mark = |word: &str| word.starts_with(['&', '!']);
                    let start = if !node.is_flow && marks.split_whitespace().all(is_mark) {
                        key.start - marks.len()
                    } else {
                        key.start
                    };
                    start..if is_empty(value) { key.end } else { self.content_end(value) }
                })
                .collect(),
            What::Sequence(items) if node.is_flow => items.iter().map(|item| item.start..item.end).collect(),
            What::Sequence(items) => {
                let mut from = from;
                let mut children = Vec::new();
                for item in items {
                    let dash = self.dash(from);
                    from = if is_empty(item) { dash + 1 } else { self.content_end(item) };
                    children.push(dash..from);
                }
                children
            }
            _ => Vec::new(),
        }
    }

    /// Returns where the next dash stands that begins an item.
    fn dash(&self, from: usize) -> usize {
        let mut at = from;
        for line in self.text[from..].split_inclusive('\n') {
            let content = line.trim_start();
            if content.starts_with('-') {
                return at + line.len() - content.len();
            }
            at += line.len();
        }
        from
    }

    /// Something may be put into a collection.
    fn put_in(&mut self, node: &Node, from: usize) {
        let children = self.children(node, from);
        let mut places = Vec::new();
        if node.is_flow {
            places.extend([node.start + 1, node.end - 1]);
            places.extend(children.iter().flat_map(|child| [child.start, child.end]));
        } else {
            places.extend(children.iter().flat_map(|child| [self.line_start(child.start), child.start]));
            // Behind the line of its key, or at its end.
            places.extend((from > 0).then(|| self.line_end(from)));
            // What is last may go.
            self.ends(node, from, &mut places);
        }
        self.ranges.extend(places.into_iter().map(|place| place..place));
    }

    /// Adds where the lines of everything within a block end.
    fn ends(&self, node: &Node, from: usize, ends: &mut Vec<usize>) {
        if node.is_flow {
            return;
        }
        let children = self.children(node, from);
        ends.extend(children.iter().map(|child| self.line_end(child.end)));
        match &node.what {
            What::Mapping(entries) => entries.iter().for_each(|(key, value)| self.ends(value, key.end, ends)),
            What::Sequence(items) => {
                items.iter().zip(&children).for_each(|(item, place)| self.ends(item, place.start + 1, ends));
            }
            _ => {}
        }
    }

    /// Adds the places of all that goes.
    fn take_out(&mut self) {
        for (node, from, gone) in std::mem::take(&mut self.removed) {
            let children = self.children(node, from);
            if gone.is_empty() {
                continue;
            }
            if gone.len() == children.len() {
                let ranges = self.all_of(node, &children);
                self.ranges.extend(ranges);
            } else {
                for index in gone {
                    let ranges = if node.is_flow {
                        self.in_brackets(node, &children, index)
                    } else {
                        vec![self.lines(&children, index)]
                    };
                    self.ranges.extend(ranges);
                }
            }
        }
    }

    /// Empty brackets take the place of all children: behind the key, if no comment stands there.
    fn all_of(&self, node: &Node, children: &[Range<usize>]) -> Option<Range<usize>> {
        if node.is_flow {
            return Some(node.start + 1..node.end - 1);
        }
        let (first, last) = (children.first()?, children.last()?);
        let above = self.text[..first.start].trim_end_matches([' ', '\n', '\r']);
        let start = if above.ends_with([':', '-']) { above.len() } else { first.start };
        Some(start..self.line_end(last.end))
    }

    /// A child of a block goes with its lines, and with a comment behind it.
    fn lines(&self, children: &[Range<usize>], index: usize) -> Range<usize> {
        let child = &children[index];
        let line = self.line_start(child.start);
        let end = self.line_end(child.end);
        if self.text[line..child.start].trim_matches([' ', '\u{feff}']).is_empty() {
            return line.max(self.text[line..].find(|first| first != '\u{feff}').map_or(line, |bom| line + bom))..end;
        }
        // Behind a dash: what is next moves up.
        match children.get(index + 1) {
            Some(next) if self.text[end..next.start].trim().is_empty() => child.start..next.start,
            _ => line + self.text[line..child.start].trim_end().len()..end,
        }
    }

    /// Within brackets a child goes with blanks and commas around it, and with a comment behind it on its line.
    fn in_brackets(&self, node: &Node, children: &[Range<usize>], index: usize) -> Vec<Range<usize>> {
        let child = &children[index];
        let before = index.checked_sub(1).map_or(node.start + 1, |before| children[before].end);
        let behind = children.get(index + 1).map_or(node.end - 1, |next| next.start);
        let mut ranges = Vec::new();
        let line = self.line_end(child.end).min(behind);
        ranges.push(child.start..line);
        for between in [before..child.start, line..behind] {
            let mut at = between.start;
            for part in self.text[between].split_inclusive('\n') {
                ranges.push(at..at + part.find('#').unwrap_or(part.len()));
                at += part.len();
            }
        }
        ranges
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        if self.text[..at].ends_with('\n') {
            return at;
        }
        self.text[at..].find('\n').map_or(self.text.len(), |end| at + end + 1)
    }
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.what, What::Scalar { words, is_plain: true, .. } if words.is_empty())
}

/// Where a document may change.
struct Places {
    /// Ascending, apart from each other; where they are empty something may come.
    ranges: Vec<Range<usize>>,
    /// How many lines may come.
    lines: usize,
}

impl Places {
    /// Returns what is wrong: bytes of the old text that are gone without need, or too many new lines.
    fn strays(&self, old: &str, new: &str) -> Option<String> {
        let mut kept = Vec::new();
        let mut at = 0;
        for range in &self.ranges {
            kept.push(&old[at..range.start]);
            at = range.end;
        }
        let last = &old[at..];
        let mut rest = new;
        for (index, kept) in kept.iter().enumerate() {
            let found = if index == 0 { rest.starts_with(kept).then_some(0) } else { rest.find(kept) };
            let Some(found) = found else { return Some(format!("this is gone: {kept:?}")) };
            rest = &rest[found + kept.len()..];
        }
        let is_whole = if kept.is_empty() { rest == last } else { rest.ends_with(last) };
        if !is_whole {
            return Some(format!("this is gone: {last:?}"));
        }
        let breaks = |text: &str| text.matches('\n').count();
        (breaks(new) > breaks(old) + self.lines)
            .then(|| format!("{} lines came where {} may", breaks(new) - breaks(old), self.lines))
    }
}

#[test]
fn what_goes_without_need_is_told() {
    let keys = |path: &[&str]| path.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    let old = "# a\nkind: A\nspec: # b\n  # c\n  k: 1 # d\n  # e\n  l:\n  # f\n  - x # g\n  # h\n  - y\n  m: {p: 1, # i\n    # j\n    o: 2}\n  q:\n  - r: 1\n    # s\n    t: 2\n";
    let cases = [
        (Edit::Remove(keys(&["spec", "k"])), "  k: 1 # d\n", "", true),
        (Edit::Remove(keys(&["spec", "k"])), "  k: 1 # d\n  # e\n", "", false),
        (Edit::Remove(keys(&["spec", "k"])), "  # c\n  k: 1 # d\n", "", false),
        (Edit::Set(keys(&["spec", "k"]), 2.into()), "k: 1 # d", "k: 2 # d", true),
        (Edit::Set(keys(&["spec", "k"]), 2.into()), "k: 1 # d", "k: 2", false),
        (Edit::Set(keys(&["spec", "new"]), 2.into()), "  k: 1", "  new: 2\n  k: 1", true),
        (Edit::Set(keys(&["spec", "new"]), 2.into()), "  k: 1", "  new: 2\n\n\n  k: 1", false),
        (Edit::Without(keys(&["spec", "l"]), "x".to_owned()), "  - x # g\n", "", true),
        (Edit::Without(keys(&["spec", "l"]), "x".to_owned()), "  - x # g\n  # h\n", "", false),
        (Edit::Remove(keys(&["spec", "m", "p"])), "p: 1, # i\n", "\n", true),
        (Edit::Remove(keys(&["spec", "m", "p"])), "p: 1, # i\n    # j\n    ", "", false),
        (Edit::Remove(keys(&["spec", "q", EVERY, "r"])), "r: 1\n    # s\n    t", "t", false),
    ];
    for (edit, goes, comes, is_fine) in cases {
        assert_eq!(old.matches(goes).count(), 1, "{goes}");
        let strays =
            places(old, &json!({"kind": "A"}), &[&edit], None).expect("YAML").strays(old, &old.replace(goes, comes));
        assert_eq!(strays.is_none(), is_fine, "{edit:?}, {goes:?} -> {comes:?}: {strays:?}");
    }
}
