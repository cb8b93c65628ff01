//! A document as the parser sees it: its nodes in the order of the text, each with the bytes that it stands in.
//!
//! The one place of this room that names the parser (in `steps` and `written`). Nodes are small and flat, because a document may have millions: a node is
//! followed by its children, a mapping's are key, value, key, value.

mod merges;
mod plain;
mod steps;
mod written;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use crate::domain::yaml::{self, Indented};

pub(super) use steps::{Properties, Scalar, Step, Steps};
pub(super) use written::Written;

/// The largest document that is edited, in bytes, is smaller: offsets have so many values.
const LARGEST: usize = 1 << OFFSET_BITS;

/// The bits of an offset; what is left of 32 tells what a node is.
const OFFSET_BITS: u32 = 29;

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
    const ALL: [Self; 9] = [
        Self::Plain,
        Self::SingleQuoted,
        Self::DoubleQuoted,
        Self::Block,
        Self::Mapping,
        Self::FlowMapping,
        Self::Sequence,
        Self::FlowSequence,
        Self::Alias,
    ];

    pub(super) fn is_mapping(self) -> bool {
        matches!(self, Self::Mapping | Self::FlowMapping)
    }

    pub(super) fn is_sequence(self) -> bool {
        matches!(self, Self::Sequence | Self::FlowSequence)
    }

    pub(super) fn is_collection(self) -> bool {
        self.is_mapping() || self.is_sequence()
    }

    pub(super) fn is_flow(self) -> bool {
        matches!(self, Self::FlowMapping | Self::FlowSequence)
    }

    pub(super) fn is_scalar(self) -> bool {
        matches!(self, Self::Plain | Self::SingleQuoted | Self::DoubleQuoted | Self::Block)
    }
}

/// Where a node begins, and where it ends; of a collection, the node behind all within it. The lowest bits of the two tell its kind, and
/// whether its words are others than its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    start: u32,
    end: u32,
}

impl Node {
    const TAG_BITS: u32 = u32::BITS - OFFSET_BITS;
    const TAG: u32 = (1 << Self::TAG_BITS) - 1;
    /// Of the second tag, behind what is left of the kind.
    const OTHERWISE: u32 = 0b100;

    fn new(start: usize, end: usize, kind: Kind, is_otherwise: bool) -> Self {
        let kind = kind as u32;
        let flag = if is_otherwise { Self::OTHERWISE } else { 0 };
        Self {
            start: small(start) << Self::TAG_BITS | kind & Self::TAG,
            end: small(end) << Self::TAG_BITS | kind >> Self::TAG_BITS | flag,
        }
    }

    fn start(self) -> usize {
        (self.start >> Self::TAG_BITS) as usize
    }

    fn end(self) -> usize {
        (self.end >> Self::TAG_BITS) as usize
    }

    fn kind(self) -> Kind {
        let kind = self.start & Self::TAG | (self.end & Self::TAG & !Self::OTHERWISE) << Self::TAG_BITS;
        Kind::ALL.get(kind as usize).copied().unwrap_or(Kind::Alias)
    }

    fn is_otherwise(self) -> bool {
        self.end & Self::OTHERWISE != 0
    }

    fn with(self, start: usize, end: usize) -> Self {
        Self::new(start, end, self.kind(), self.is_otherwise())
    }
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
    /// Where collections in brackets end, by their ids, ascending.
    brackets: Vec<(u32, u32)>,
    /// Words that cannot be read from the bytes of their scalars alone, by their ids, ascending.
    words: Vec<(NodeId, String)>,
    tags: HashMap<NodeId, String>,
    anchors: HashMap<NodeId, usize>,
    /// The nodes that have them.
    anchored: HashMap<usize, NodeId>,
    /// Aliases, and the anchors that they name.
    aliases: HashMap<NodeId, usize>,
    has_merges: bool,
}

impl<'a> Tree<'a> {
    /// Returns the first document of `text`; nothing if it has no content. Plain block style is read without the parser.
    pub(super) fn read(text: &'a str) -> Result<Option<Self>, Fault> {
        if text.len() < LARGEST
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
        match Self::parse_as_it_is(text, false) {
            // Go reads quoted lines that are not indented, the parser does not.
            Err(fault) => match yaml::indent_quoted(text) {
                Some(indented) => {
                    Ok(Tree::parse_as_it_is(&indented.text, true)?.map(|tree| tree.without_blanks(text, &indented)))
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
        let place = |offset: usize| {
            let before = starts.partition_point(|start| start + indented.blanks <= offset);
            let within = starts.get(before).map_or(0, |start| offset.saturating_sub(*start));
            offset - before * indented.blanks - within
        };
        let nodes = self.nodes.iter().map(|node| {
            node.with(place(node.start()), if node.kind().is_collection() { node.end() } else { place(node.end()) })
        });
        Tree {
            text,
            nodes: nodes.collect(),
            brackets: self.brackets.iter().map(|&(id, end)| (id, small(place(end as usize)))).collect(),
            words: self.words,
            tags: self.tags,
            anchors: self.anchors,
            anchored: self.anchored,
            aliases: self.aliases,
            has_merges: self.has_merges,
        }
    }

    fn empty(text: &'a str) -> Self {
        Self {
            text,
            // Room for more than most have: what is not written to takes no memory, what must grow is held twice.
            nodes: Vec::with_capacity(text.len() / 8),
            brackets: Vec::new(),
            words: Vec::new(),
            tags: HashMap::new(),
            anchors: HashMap::new(),
            anchored: HashMap::new(),
            aliases: HashMap::new(),
            has_merges: false,
        }
    }

    /// `keeps_words` of scalars that cannot be read again in another text.
    fn parse_as_it_is(text: &'a str, keeps_words: bool) -> Result<Option<Self>, Fault> {
        let mut tree = Self::empty(text);
        let mut open: Vec<NodeId> = Vec::new();
        let mut steps = Steps::of(text);
        while let Some(step) = steps.next()? {
            match step {
                Step::Scalar(scalar) => tree.push_parsed(scalar, keeps_words),
                Step::Alias { range, target } => {
                    let id = tree.push(range, Kind::Alias);
                    tree.aliases.insert(id, target);
                }
                Step::Open { kind, range, properties } => {
                    let id = tree.push(range, kind);
                    tree.keep_properties(id, properties);
                    open.push(id);
                }
                Step::Close { end } => {
                    if let Some(id) = open.pop() {
                        tree.close(id, end);
                    }
                }
            }
        }
        Ok((!tree.nodes.is_empty()).then_some(tree))
    }

    fn push_parsed(&mut self, scalar: Scalar<'a>, keeps_words: bool) {
        let Scalar { kind, range, words, properties, written } = scalar;
        let is_otherwise = written.is_none_or(|written| written.is_otherwise());
        let id = self.push_scalar(range, kind, is_otherwise);
        self.has_merges |= kind == Kind::Plain && words == "<<";
        // Of a plain one that is read alone, the first line could be a marker.
        let is_known = || match written {
            Some(written) if kind == Kind::Plain => written.words().is_some_and(|known| known == words),
            known => known.is_some(),
        };
        if is_otherwise && (keeps_words || !is_known()) {
            self.words.push((id, words.into_owned()));
        } else {
            debug_assert_eq!(self.words(id), words, "read once more, it says something else");
        }
        self.keep_properties(id, properties);
    }

    fn push_scalar(&mut self, range: Range<usize>, kind: Kind, is_otherwise: bool) -> NodeId {
        self.nodes.push(Node::new(range.start, range.end, kind, is_otherwise));
        self.nodes.len() - 1
    }

    /// A collection that is open, or an alias.
    fn push(&mut self, range: Range<usize>, kind: Kind) -> NodeId {
        let id = self.nodes.len();
        let end = if kind.is_collection() { id + 1 } else { range.end };
        self.nodes.push(Node::new(range.start, end, kind, false));
        if kind.is_flow() {
            self.brackets.push((small(id), small(range.end)));
        }
        id
    }

    fn keep_properties(&mut self, id: NodeId, properties: Properties) {
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(id, anchor);
            self.anchored.insert(anchor, id);
        }
        if let Some(tag) = properties.tag {
            self.tags.insert(id, tag);
        }
    }

    /// The collection ends behind the last node, at that byte.
    fn close(&mut self, id: NodeId, end: usize) {
        let past = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(id) {
            *node = node.with(node.start(), past);
        }
        if let Ok(place) = self.brackets.binary_search_by_key(&small(id), |&(of, _)| of)
            && let Some((_, until)) = self.brackets.get_mut(place)
        {
            *until = small(end);
        }
    }

    fn node(&self, id: NodeId) -> Node {
        // Ids come from this very tree.
        self.nodes.get(id).copied().unwrap_or(Node { start: 0, end: 0 })
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn kind(&self, id: NodeId) -> Kind {
        self.node(id).kind()
    }

    /// Where the node begins: behind its tag, its anchor and the indicator of a block scalar.
    pub(super) fn start(&self, id: NodeId) -> usize {
        self.node(id).start()
    }

    /// Where its own bytes end; of a block collection, where it begins.
    pub(super) fn end(&self, id: NodeId) -> usize {
        let node = self.node(id);
        match node.kind() {
            kind if kind.is_flow() => {
                let place = self.brackets.binary_search_by_key(&small(id), |&(of, _)| of);
                place.ok().and_then(|place| self.brackets.get(place)).map_or(node.start(), |&(_, end)| end as usize)
            }
            kind if kind.is_collection() => node.start(),
            _ => node.end(),
        }
    }

    /// Where the last content within the node ends; the line breaks of a block scalar belong to it.
    pub(super) fn content_end(&self, id: NodeId) -> usize {
        match self.kind(id) {
            Kind::Mapping | Kind::Sequence if self.past(id) > id + 1 => {
                // The last node of the subtree may itself lie within a flow collection, whose end is further on.
                self.last_child(id).map_or(self.end(id), |child| self.content_end(child))
            }
            _ => self.end(id),
        }
    }

    /// The node behind this one and all within it.
    pub(super) fn past(&self, id: NodeId) -> NodeId {
        let node = self.node(id);
        if node.kind().is_collection() { node.end() } else { id + 1 }
    }

    fn last_child(&self, id: NodeId) -> Option<NodeId> {
        self.children(id).last()
    }

    /// Returns the nodes directly within a collection.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let past = self.past(id);
        let first = if self.kind(id).is_collection() { id + 1 } else { past };
        std::iter::successors((first < past).then_some(first), move |&child| {
            let next = self.past(child);
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
            return Some(self.words(id));
        }
        yaml::scalar_key(&self.words(id), self.kind(id) == Kind::Plain, self.tag(id)).ok().map(Cow::Owned)
    }

    /// Tells whether no alias and no `<<` brings in what stands elsewhere.
    pub(super) fn is_literal(&self) -> bool {
        self.aliases.is_empty() && !self.has_merges
    }

    /// Returns the scalar's text, without quotes and escapes.
    pub(super) fn words(&self, id: NodeId) -> Cow<'_, str> {
        if !self.node(id).is_otherwise() {
            return Cow::Borrowed(self.literal(id).unwrap_or_default());
        }
        let place = self.words.binary_search_by_key(&id, |&(of, _)| of);
        match place.ok().and_then(|place| self.words.get(place)) {
            Some((_, words)) => Cow::Borrowed(words),
            None => self.written(id).and_then(|written| written.words()).unwrap_or_default(),
        }
    }

    /// Returns the scalar as it is written; nothing if its words hang on more than that.
    pub(super) fn written(&self, id: NodeId) -> Option<Written<'a>> {
        Written::of(self.text, self.kind(id), self.start(id)..self.end(id), self.scalar_end_before(id))
    }

    /// Returns where the indicator of a block stands.
    pub(super) fn header(&self, id: NodeId) -> Option<usize> {
        written::header(self.text, self.scalar_end_before(id), self.start(id))
    }

    /// Returns where the scalar ends that stands next before a node: its key, mostly.
    fn scalar_end_before(&self, id: NodeId) -> usize {
        let before = id.checked_sub(1).filter(|&before| self.kind(before).is_scalar());
        before.map_or(0, |before| self.end(before))
    }

    /// Returns the bytes between the quotes, or all.
    fn literal(&self, id: NodeId) -> Option<&'a str> {
        let bytes = self.text.get(self.start(id)..self.end(id))?;
        match self.kind(id) {
            Kind::SingleQuoted | Kind::DoubleQuoted => written::between_quotes(bytes),
            _ => Some(bytes),
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
        self.anchored.get(&self.target(alias)?).copied()
    }

    /// Returns every alias and the node that it names.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        self.aliases.iter().filter_map(|(&alias, target)| Some((alias, self.anchored.get(target).copied()?)))
    }

    /// Returns the text that a scalar means; nothing for what is no text.
    pub(super) fn text_of(&self, id: NodeId) -> Option<Cow<'_, str>> {
        let kind = self.kind(id);
        if !kind.is_scalar() {
            return None;
        }
        if self.tags.contains_key(&id) {
            return self.value(id)?.as_str().map(|text| Cow::Owned(text.to_owned()));
        }
        let words = self.words(id);
        (kind != Kind::Plain || yaml::is_text(&words)).then_some(words)
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
            kind => yaml::scalar_value(&self.words(id), kind == Kind::Plain, self.tag(id)).ok(),
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
        assert_eq!(tree.named_by(of(&tree, "c").0), Some(of(&tree, "a").0));
        assert!(tree.aliases().all(|(_, named)| named == of(&tree, "a").0));
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
