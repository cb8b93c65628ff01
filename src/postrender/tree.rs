//! A document as the parser sees it: its nodes in the order of the text, each with the bytes that it stands in.
//!
//! The one place of this room that names the parser. Nodes are small and flat, because a document may have millions: a node is
//! followed by its children, a mapping's are key, value, key, value.

mod plain;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, ScalarStyle, Span, StructureStyle};
use serde_json::Value;

use crate::domain::yaml::{self, Indented};

/// The largest document that is edited, in bytes: offsets have 32 bits.
const LARGEST: usize = u32::MAX as usize;

/// The deepest nesting that is edited.
const DEEPEST: usize = yaml::MAX_DEPTH;

/// A node's place in its tree.
pub(super) type NodeId = usize;

/// What a node is, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
    Mapping,
    FlowMapping,
    Sequence,
    FlowSequence,
    /// `*name`.
    Alias,
}

impl Kind {
    pub(super) fn is_mapping(self) -> bool {
        matches!(self, Self::Mapping | Self::FlowMapping)
    }

    pub(super) fn is_sequence(self) -> bool {
        matches!(self, Self::Sequence | Self::FlowSequence)
    }

    pub(super) fn is_flow(self) -> bool {
        matches!(self, Self::FlowMapping | Self::FlowSequence)
    }

    pub(super) fn is_scalar(self) -> bool {
        matches!(self, Self::Plain | Self::SingleQuoted | Self::DoubleQuoted | Self::Block)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    start: u32,
    end: u32,
    /// The node behind this one and all within it.
    next: u32,
    kind: Kind,
    /// Whether its text does not stand in the document as it is.
    is_written_otherwise: bool,
}

/// Why and on which line of the document, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) because: String,
}

/// A parsed document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// Texts of scalars that do not stand in the document as they are, ascending.
    texts: Vec<(NodeId, Cow<'a, str>)>,
    tags: HashMap<NodeId, String>,
    anchors: HashMap<NodeId, usize>,
    /// Aliases, and the anchors that they name.
    aliases: HashMap<NodeId, usize>,
}

impl<'a> Tree<'a> {
    /// Returns the first document of `text`; nothing if it has no content. Plain block style is read without the parser.
    pub(super) fn read(text: &'a str) -> Result<Option<Self>, Fault> {
        if text.len() <= LARGEST
            && let Some(tree) = plain::read(text)
        {
            // Wherever tests and fuzzers come, the two agree.
            debug_assert_eq!(Self::parse(text).as_ref(), Ok(&Some(tree.clone())), "the parser reads otherwise");
            return Ok(Some(tree));
        }
        Self::parse(text)
    }

    /// Returns the first document of `text`, as the parser has it; nothing if it has no content.
    pub(super) fn parse(text: &'a str) -> Result<Option<Self>, Fault> {
        if text.len() > LARGEST {
            return Err(Fault { line: 1, because: "it is larger than 4 GiB".to_owned() });
        }
        match Self::parse_as_it_is(text) {
            // Go reads quoted lines that are not indented, the parser does not.
            Err(fault) => match yaml::indent_quoted(text) {
                Some(indented) => {
                    Ok(Tree::parse_as_it_is(&indented.text)?.map(|tree| tree.without_blanks(text, &indented)))
                }
                None => Err(fault),
            },
            parsed => parsed,
        }
    }

    /// Returns the tree as that of the text without the blanks.
    fn without_blanks<'o>(self, text: &'o str, indented: &Indented) -> Tree<'o> {
        let starts: Vec<usize> =
            indented.lines.iter().enumerate().map(|(index, line)| line + index * indented.blanks).collect();
        let place = |offset: u32| {
            let offset = offset as usize;
            let before = starts.partition_point(|start| start + indented.blanks <= offset);
            let within = starts.get(before).map_or(0, |start| offset.saturating_sub(*start));
            small(offset - before * indented.blanks - within)
        };
        let nodes =
            self.nodes.iter().map(|node| Node { start: place(node.start), end: place(node.end), ..*node }).collect();
        let texts = self.texts.into_iter().map(|(id, words)| (id, Cow::Owned(words.into_owned()))).collect();
        Tree { text, nodes, texts, tags: self.tags, anchors: self.anchors, aliases: self.aliases }
    }

    fn empty(text: &'a str) -> Self {
        Self {
            text,
            nodes: Vec::with_capacity(text.len() / 24),
            texts: Vec::new(),
            tags: HashMap::new(),
            anchors: HashMap::new(),
            aliases: HashMap::new(),
        }
    }

    fn parse_as_it_is(text: &'a str) -> Result<Option<Self>, Fault> {
        let mut tree = Self::empty(text);
        let mut open: Vec<NodeId> = Vec::new();
        for event in yaml::events(text) {
            let (event, span) = event
                .map_err(|error| Fault { line: error.marker().line().max(1), because: error.kind().to_string() })?;
            match event {
                Event::DocumentEnd => {
                    ends_alone(text, &span)?;
                    break;
                }
                Event::Scalar(words, style, anchor, tag) => {
                    let id = tree.push(range(&span), kind_of(style));
                    tree.fit_block(id);
                    tree.keep_text(id, words);
                    tree.keep_properties(id, anchor, tag.as_deref());
                }
                Event::Alias(anchor) => {
                    let id = tree.push(range(&span), Kind::Alias);
                    tree.aliases.insert(id, anchor);
                }
                Event::MappingStart(style, anchor, tag) => {
                    let is_flow = style == StructureStyle::Flow;
                    let id = tree.push(range(&span), if is_flow { Kind::FlowMapping } else { Kind::Mapping });
                    tree.keep_properties(id, anchor, tag.as_deref());
                    open.push(id);
                }
                Event::SequenceStart(style, anchor, tag) => {
                    let is_flow = style == StructureStyle::Flow;
                    let id = tree.push(range(&span), if is_flow { Kind::FlowSequence } else { Kind::Sequence });
                    tree.keep_properties(id, anchor, tag.as_deref());
                    open.push(id);
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    if let Some(id) = open.pop() {
                        tree.close(id, &span);
                    }
                }
                _ => {}
            }
            if open.len() > DEEPEST {
                return Err(Fault { line: span.start.line(), because: format!("it is nested deeper than {DEEPEST}") });
            }
        }
        Ok((!tree.nodes.is_empty()).then_some(tree))
    }

    fn push(&mut self, range: Range<usize>, kind: Kind) -> NodeId {
        let id = self.nodes.len();
        let (start, end, next) = (small(range.start), small(range.end), small(id + 1));
        self.nodes.push(Node { start, end, next, kind, is_written_otherwise: false });
        id
    }

    /// The parser counts the blanks before what follows a block scalar to its bytes; an empty one has none of its own.
    fn fit_block(&mut self, id: NodeId) {
        if self.kind(id) != Kind::Block {
            return;
        }
        let (start, end) = (self.start(id), self.end(id));
        let content = self.text.get(start..end).unwrap_or_default();
        let fitting =
            content.len() - content.rsplit('\n').next().filter(|last| last.trim_ascii().is_empty()).map_or(0, str::len);
        let (start, end) = if content.trim_ascii().is_empty() && fitting == 0 {
            // Behind the line of its indicator.
            let before = self.text.get(..start).unwrap_or_default().trim_ascii_end().len();
            let line = self
                .text
                .get(before..)
                .and_then(|rest| rest.find('\n'))
                .map_or(self.text.len(), |end| before + end + 1);
            (line, line)
        } else {
            (start, start + fitting)
        };
        if let Some(node) = self.nodes.get_mut(id) {
            (node.start, node.end) = (small(start), small(end));
        }
    }

    fn keep_text(&mut self, id: NodeId, words: Cow<'a, str>) {
        let is_block = self.kind(id) == Kind::Block;
        self.set_text(id, if is_block { yaml::block_words(self.text, self.end(id), words) } else { words });
    }

    fn set_text(&mut self, id: NodeId, words: Cow<'a, str>) {
        if self.literal(id) != Some(&*words)
            && let Some(node) = self.nodes.get_mut(id)
        {
            node.is_written_otherwise = true;
            self.texts.push((id, words));
        }
    }

    fn keep_properties(&mut self, id: NodeId, anchor: usize, tag: Option<&granit_parser::Tag>) {
        if anchor != 0 {
            self.anchors.insert(id, anchor);
        }
        if let Some(tag) = tag {
            self.tags.insert(id, format!("{}{}", tag.handle(), tag.suffix()));
        }
    }

    fn close(&mut self, id: NodeId, span: &Span) {
        let next = small(self.nodes.len());
        let end = span.byte_range().map_or(0, |range| small(range.end));
        if let Some(node) = self.nodes.get_mut(id) {
            node.next = next;
            if node.kind.is_flow() {
                node.end = end;
            }
        }
    }

    fn node(&self, id: NodeId) -> Node {
        // Ids come from this very tree.
        self.nodes.get(id).copied().unwrap_or(Node {
            start: 0,
            end: 0,
            next: 0,
            kind: Kind::Plain,
            is_written_otherwise: false,
        })
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind
    }

    /// Where the node begins: behind its tag, its anchor and the indicator of a block scalar.
    pub(super) fn start(&self, id: NodeId) -> usize {
        self.node(id).start as usize
    }

    /// Where its own bytes end; of a block collection, where it begins.
    pub(super) fn end(&self, id: NodeId) -> usize {
        self.node(id).end as usize
    }

    /// Where the last content within the node ends; the line breaks of a block scalar belong to it.
    pub(super) fn content_end(&self, id: NodeId) -> usize {
        let node = self.node(id);
        match node.kind {
            Kind::Mapping | Kind::Sequence if node.next as usize > id + 1 => {
                // The last node of the subtree may itself lie within a flow collection, whose end is further on.
                self.last_child(id).map_or(node.end as usize, |child| self.content_end(child))
            }
            _ => node.end as usize,
        }
    }

    /// The node behind this one and all within it.
    pub(super) fn past(&self, id: NodeId) -> NodeId {
        self.node(id).next as usize
    }

    fn last_child(&self, id: NodeId) -> Option<NodeId> {
        self.children(id).last()
    }

    /// Returns the nodes directly within a collection.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let node = self.node(id);
        let past = node.next as usize;
        let first = if node.kind.is_mapping() || node.kind.is_sequence() { id + 1 } else { past };
        std::iter::successors((first < past).then_some(first), move |&child| {
            let next = self.node(child).next as usize;
            (next < past && next > child).then_some(next)
        })
    }

    /// Returns keys and values of a mapping.
    pub(super) fn entries(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut children = if self.kind(id).is_mapping() { Some(self.children(id)) } else { None };
        std::iter::from_fn(move || {
            let children = children.as_mut()?;
            Some((children.next()?, children.next()?))
        })
    }

    /// Returns the value of the key, the last of equal ones, as Go does.
    pub(super) fn entry(&self, mapping: NodeId, key: &str) -> Option<(NodeId, NodeId)> {
        self.entries(mapping).filter(|&(id, _)| self.key(id).as_deref() == Some(key)).last()
    }

    /// Returns the key that Go makes of the scalar; nothing for a key that is none.
    pub(super) fn key(&self, id: NodeId) -> Option<Cow<'_, str>> {
        if !self.kind(id).is_scalar() {
            return None;
        }
        if self.kind(id) != Kind::Plain && !self.tags.contains_key(&id) {
            return Some(Cow::Borrowed(self.words(id)));
        }
        yaml::scalar_key(self.words(id), self.kind(id) == Kind::Plain, self.tag(id)).ok().map(Cow::Owned)
    }

    /// Tells whether anything in the document is an alias.
    pub(super) fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Tells whether no alias and no `<<` brings in what stands elsewhere.
    pub(super) fn is_literal(&self) -> bool {
        self.aliases.is_empty() && !self.text.contains("<<")
    }

    /// Tells whether `<<` merges something into the mapping.
    pub(super) fn has_merge(&self, mapping: NodeId) -> bool {
        self.entries(mapping).any(|(key, _)| self.kind(key) == Kind::Plain && self.words(key) == "<<")
    }

    /// Returns the scalar's text, without quotes and escapes.
    pub(super) fn words(&self, id: NodeId) -> &str {
        if !self.node(id).is_written_otherwise {
            return self.literal(id).unwrap_or_default();
        }
        let place = self.texts.binary_search_by_key(&id, |(of, _)| *of);
        place.ok().and_then(|place| self.texts.get(place)).map_or("", |(_, words)| words)
    }

    /// Returns the bytes between the quotes, or all.
    fn literal(&self, id: NodeId) -> Option<&'a str> {
        let (start, end) = (self.start(id), self.end(id));
        match self.kind(id) {
            Kind::SingleQuoted | Kind::DoubleQuoted => self.text.get(start + 1..end.checked_sub(1)?),
            _ => self.text.get(start..end),
        }
    }

    pub(super) fn tag(&self, id: NodeId) -> Option<&str> {
        self.tags.get(&id).map(String::as_str)
    }

    pub(super) fn anchor(&self, id: NodeId) -> Option<usize> {
        self.anchors.get(&id).copied()
    }

    /// The anchor that an alias names.
    pub(super) fn target(&self, id: NodeId) -> Option<usize> {
        self.aliases.get(&id).copied()
    }

    /// Returns the node that an alias names.
    pub(super) fn named_by(&self, alias: NodeId) -> Option<NodeId> {
        let target = self.target(alias)?;
        self.anchors.iter().find(|&(_, &anchor)| anchor == target).map(|(&node, _)| node)
    }

    /// Returns the aliases that name this node.
    pub(super) fn aliases_of(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        let anchor = self.anchor(id);
        self.aliases.iter().filter(move |&(_, &target)| Some(target) == anchor).map(|(&alias, _)| alias)
    }

    /// Tells whether an alias names this node.
    pub(super) fn is_shared(&self, id: NodeId) -> bool {
        self.aliases_of(id).next().is_some()
    }

    /// Returns what a node without aliases and merges means.
    pub(super) fn value(&self, id: NodeId) -> Option<Value> {
        match self.kind(id) {
            Kind::Alias => None,
            kind if kind.is_sequence() => self.children(id).map(|item| self.value(item)).collect(),
            kind if kind.is_mapping() && self.has_merge(id) => None,
            kind if kind.is_mapping() => {
                self.entries(id).map(|(key, value)| Some((self.key(key)?.into_owned(), self.value(value)?))).collect()
            }
            kind => yaml::scalar_value(self.words(id), kind == Kind::Plain, self.tag(id)).ok(),
        }
    }

    /// Returns where the line of a byte begins.
    pub(super) fn line_start(&self, byte: usize) -> usize {
        let before = self.text.as_bytes().get(..byte).unwrap_or_default();
        memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1)
    }

    /// Returns the line of a byte, counted from 1.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
    }
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

/// Checks that nothing follows a document, unless behind `...`: of a stream of JSON objects kubectl reads all, Helm the first one.
fn ends_alone(text: &str, end: &Span) -> Result<(), Fault> {
    let range = range(end);
    if !range.is_empty() {
        return Ok(());
    }
    let is_content = |line: &str| !line.trim_ascii().is_empty() && !line.trim_ascii().starts_with('#');
    let mut at = range.end;
    // A lone carriage return ends a line, too.
    for line in text.get(at..).unwrap_or_default().split_inclusive(['\n', '\r']) {
        if is_content(line) {
            let line = text.get(..at).unwrap_or_default().split('\n').count();
            let because = "something follows the object; put `---` on a line between objects".to_owned();
            return Err(Fault { line, because });
        }
        at += line.len();
    }
    Ok(())
}

fn kind_of(style: ScalarStyle) -> Kind {
    match style {
        ScalarStyle::SingleQuoted => Kind::SingleQuoted,
        ScalarStyle::DoubleQuoted => Kind::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Kind::Block,
        ScalarStyle::Plain => Kind::Plain,
    }
}

/// Offsets fit: a larger text is refused.
fn small(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree<'_> {
        Tree::parse(text).expect("YAML").expect("a document")
    }

    fn of<'t>(tree: &'t Tree<'_>, key: &str) -> (NodeId, &'t str) {
        let (_, value) = tree.entry(0, key).expect("the key");
        (value, tree.text().get(tree.start(value)..tree.content_end(value)).expect("bytes"))
    }

    #[test]
    fn nodes_know_their_bytes() {
        let tree = tree("a: 1 # c\nb: |\n  x\n  y\n\nc:\n- o: 1\n  m: \"q\n    r\"\n- [x, {w: z}]\nd: 'it''s'\n");
        assert_eq!(of(&tree, "a").1, "1");
        assert_eq!(of(&tree, "b").1, "x\n  y\n\n");
        assert_eq!(of(&tree, "d").1, "'it''s'");
        let (list, _) = of(&tree, "c");
        assert_eq!(tree.children(list).count(), 2);
        assert_eq!(
            tree.text().get(..tree.content_end(list)).and_then(|text| text.lines().last()),
            Some("- [x, {w: z}]")
        );
        assert_eq!(tree.words(of(&tree, "d").0), "it's");
        assert_eq!(tree.value(list), Some(serde_json::json!([{"o": 1, "m": "q r"}, ["x", {"w": "z"}]])));
    }

    #[test]
    fn the_last_of_equal_keys_is_the_one_that_counts() {
        let tree = tree("a: 1\n'a': 2\non: 3\n");
        assert_eq!(of(&tree, "a").1, "2");
        assert_eq!(of(&tree, "true").1, "3");
        assert!(tree.entry(0, "on").is_none());
    }

    #[test]
    fn anchors_and_merges_are_seen() {
        let tree = tree("a: &x {b: 1}\nc: *x\nd: &y 1\ne: {<<: *x}\n\"f\": {'<<': 1}\n");
        assert!(tree.is_shared(of(&tree, "a").0) && !tree.is_shared(of(&tree, "d").0));
        assert!(tree.has_merge(of(&tree, "e").0) && !tree.has_merge(of(&tree, "f").0));
        assert_eq!(tree.value(of(&tree, "c").0), None);
    }

    #[test]
    fn a_block_at_the_end_without_a_line_break_has_none() {
        assert_eq!(tree("a: |\n  x").words(2), "x");
        assert_eq!(tree("a: |\n  x\n").words(2), "x\n");
    }

    #[test]
    fn what_is_no_document_is_told() {
        assert!(Tree::parse("# nothing\n").expect("YAML").is_none());
        assert_eq!(Tree::parse("a: 1\nb: [\n").expect_err("open").line, 2);
    }
}
