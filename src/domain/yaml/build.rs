//! From parser events to a value: anchors, aliases, merge keys, repeated keys.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, ScalarStyle};
use serde_json::{Map, Value};

use super::scalar::{self, Scalar};
use super::syntax;

/// The deepest nesting that is read, aliases included; a guard for all that walks values by recursion.
pub const MAX_DEPTH: usize = 500;

/// The most text that aliases may copy within one document, in bytes. Go shares the text instead, and has no such limit.
const MAX_COPIED_BYTES: usize = 64 * 1024 * 1024;

/// Why and where, the line counted from 1 within the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) cause: String,
    /// The parser wants the lines of a quoted scalar indented, which go-yaml does not.
    pub(super) wants_indent: bool,
}

impl Fault {
    fn new(line: usize, cause: String) -> Self {
        Self { line: line.max(1), cause, wants_indent: false }
    }
}

/// The value of a document, and where its quoted scalars of several lines are: first and last line, counted from 1.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) value: Value,
    pub(super) quoted: Vec<(usize, usize)>,
}

/// Returns the first document in the text; null if there is none.
pub(super) fn first_document(text: &str) -> Result<Reading, Fault> {
    let mut builder = Builder::default();
    let mut quoted = Vec::new();
    for event in syntax::events(text) {
        let (event, span) = event.map_err(|error| Fault {
            wants_indent: *error.kind() == ErrorKind::InvalidQuotedScalarIndent,
            ..Fault::new(error.marker().line(), error.kind().to_string())
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        let is_quoted = matches!(event, Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..));
        if is_quoted && span.start.line() < span.end.line() {
            quoted.push((span.start.line(), span.end.line()));
        }
        let event = match (event, span.end.byte_offset()) {
            (Event::Scalar(words, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag), Some(end)) => {
                Event::Scalar(syntax::block_words(text, end, words), style, anchor, tag)
            }
            (event, _) => event,
        };
        builder.take(event).map_err(|cause| Fault::new(span.start.line(), cause))?;
    }
    let root = builder.root.unwrap_or_else(|| Node::of_scalar(Scalar::Null));
    let value = root.into_value().map_err(|cause| Fault::new(1, cause))?;
    Ok(Reading { value, quoted })
}

/// A finished node and what it costs to copy it.
#[derive(Debug, Clone)]
struct Node {
    content: Content,
    size: Size,
    is_alias: bool,
}

/// Scalars keep their Go type until it is known whether they are a key or a value.
#[derive(Debug, Clone)]
enum Content {
    Scalar(Scalar),
    Value(Value),
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Size {
    fn hold(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.depth = self.depth.max(child.depth + 1);
    }
}

impl Node {
    fn of_scalar(scalar: Scalar) -> Self {
        let bytes = if let Scalar::Text(text) = &scalar { text.len() } else { 0 };
        Self { content: Content::Scalar(scalar), size: Size { nodes: 1, bytes, depth: 1 }, is_alias: false }
    }

    fn into_value(self) -> Result<Value, String> {
        match self.content {
            Content::Scalar(scalar) => scalar.into_value(),
            Content::Value(value) => Ok(value),
        }
    }

    fn into_key(self) -> Result<String, String> {
        match self.content {
            Content::Scalar(scalar) => scalar.into_key(),
            Content::Value(_) => Err("a key is a list or a mapping".to_owned()),
        }
    }
}

enum Key {
    Merge,
    Named(String),
}

enum Collection {
    List(Vec<Value>),
    Mapping { entries: Map<String, Value>, key: Option<Key> },
}

struct Frame {
    collection: Collection,
    anchor: usize,
    size: Size,
}

#[derive(Default)]
struct Builder {
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    /// Nodes so far, and how many of them came through aliases.
    nodes: usize,
    aliased: usize,
    copied_bytes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.nodes += 1;
                let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let is_plain = style == ScalarStyle::Plain;
                if self.awaits_key() && text == "<<" && is_merge(is_plain, tag.as_deref()) {
                    self.open_merge(anchor);
                    return Ok(());
                }
                let scalar = scalar::resolve(&text, is_plain, tag.as_deref())?;
                self.finish(Node::of_scalar(scalar), anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Collection::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Collection::Mapping { entries: Map::new(), key: None }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.expand(anchor),
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { collection: Collection::Mapping { key: None, .. }, .. }))
    }

    fn open_merge(&mut self, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Node::of_scalar(Scalar::Text("<<".to_owned())));
        }
        if let Some(Frame { collection: Collection::Mapping { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(Key::Merge);
        }
    }

    fn begin(&mut self, collection: Collection, anchor: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.open.push(Frame { collection, anchor, size: Size { nodes: 1, bytes: 0, depth: 1 } });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(frame) = self.open.pop() else { return Ok(()) };
        let content = match frame.collection {
            Collection::List(items) => Content::Value(Value::Array(items)),
            Collection::Mapping { entries, .. } => Content::Value(Value::Object(entries)),
        };
        self.finish(Node { content, size: frame.size, is_alias: false }, frame.anchor)
    }

    fn expand(&mut self, anchor: usize) -> Result<(), String> {
        let target = self.anchors.get(&anchor).ok_or("an alias stands within its own anchor")?;
        let mut size = target.size;
        size.nodes += 1;
        self.nodes += size.nodes;
        self.aliased += target.size.nodes;
        self.copied_bytes += size.bytes;
        if self.is_aliasing_excessive() {
            return Err("the document's aliases expand to too much".to_owned());
        }
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let node = Node { content: target.content.clone(), size, is_alias: true };
        self.finish(node, 0)
    }

    /// Go refuses a document when this share of its nodes came through aliases: 99 % of a small one, 10 % of a huge one.
    ///
    /// Source: go-yaml v2 `decode.go`, `allowedAliasRatio`.
    fn is_aliasing_excessive(&self) -> bool {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let (nodes, aliased) = (self.nodes as f64, self.aliased as f64);
        let allowed = 0.99 - 0.89 * ((nodes - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
        self.copied_bytes > MAX_COPIED_BYTES || (self.aliased > 100 && self.nodes > 1000 && aliased / nodes > allowed)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size.hold(node.size);
        match &mut frame.collection {
            Collection::List(items) => items.push(node.into_value()?),
            Collection::Mapping { entries, key } => match key.take() {
                None => *key = Some(Key::Named(node.into_key()?)),
                // The last of equal keys wins.
                Some(Key::Named(name)) => {
                    entries.insert(name, node.into_value()?);
                }
                Some(Key::Merge) => merge(entries, node)?,
            },
        }
        Ok(())
    }
}

fn is_merge(is_plain: bool, tag: Option<&str>) -> bool {
    match tag {
        None => is_plain,
        Some(tag) => tag == "!" || tag == "tag:yaml.org,2002:merge",
    }
}

/// Go merges in the order of the text: a merge overwrites the keys before it, and is overwritten by those behind it. Of a
/// list, the first mapping wins.
fn merge(entries: &mut Map<String, Value>, node: Node) -> Result<(), String> {
    let is_alias = node.is_alias;
    match node.content {
        Content::Value(Value::Object(merged)) => entries.extend(merged),
        Content::Value(Value::Array(list)) if !is_alias => {
            for merged in list.into_iter().rev() {
                let Value::Object(merged) = merged else { return Err(no_merge()) };
                entries.extend(merged);
            }
        }
        _ => return Err(no_merge()),
    }
    Ok(())
}

fn no_merge() -> String {
    "`<<` needs a mapping or a list of mappings".to_owned()
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}
