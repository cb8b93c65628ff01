//! Changes of a document as splices of its bytes: what is not asked for stays as it is.
//!
//! A change names a node of the tree. Splices keep the document's own indent, line ends and quotes; what cannot be spliced in such
//! a way (an alias, a merged mapping, a key with a tag) is refused. Each edited document is then proven: `proof`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::splice::{self, Splice};
use super::tree::{Kind, NodeId, Tree};

/// A change cannot be made in this document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Counted from 1 within the document.
    pub(super) line: usize,
    pub(super) because: String,
}

/// Why a change is not made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// It cannot be made.
    Refused(Refusal),
    /// It looks at what an earlier change makes and nobody has written yet: its turn comes in the text that has it.
    Later,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Refusal {
    /// Refuses because of what stands at a byte.
    pub(super) fn at(tree: &Tree<'_>, byte: usize, because: &str) -> Self {
        Self { line: tree.line_of(byte), because: because.to_owned() }
    }
}

/// What happens to one collection.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Collected {
    /// Keys or items that go.
    pub(super) removed: BTreeSet<NodeId>,
    /// New entries of a mapping; they come first.
    pub(super) entries: Map<String, Value>,
    /// New items of a list; they come last.
    pub(super) items: Vec<Value>,
}

/// The changes of one document, by the node that they are about.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Changes {
    /// Nodes that get another value; in a long list very many may get the same one.
    pub(super) replaced: BTreeMap<NodeId, Rc<Value>>,
    /// Collections that gain or lose something.
    pub(super) collected: BTreeMap<NodeId, Collected>,
}

/// An edited document.
#[derive(Debug)]
pub(super) struct Edited {
    pub(super) text: String,
    pub(super) changes: Changes,
    /// Ascending.
    pub(super) splices: Vec<Splice>,
}

/// A document and the changes that are asked for.
#[derive(Debug)]
pub(super) struct Editor<'t, 'a> {
    tree: &'t Tree<'a>,
    shared: Shared,
    changes: Changes,
    /// The value that a node got last.
    last: Rc<Value>,
    /// What the present change has found where it asked for something.
    before: Before,
}

/// The nodes that aliases name and that lie in no other such one, ascending: each with all within it, and its aliases.
#[derive(Debug)]
struct Shared(Vec<(Range<NodeId>, Vec<NodeId>)>);

impl Shared {
    fn of(tree: &Tree<'_>) -> Self {
        let mut named: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (alias, node) in tree.aliases() {
            named.entry(node).or_default().push(alias);
        }
        let mut outermost: Vec<(Range<NodeId>, Vec<NodeId>)> = Vec::new();
        for (node, aliases) in named {
            if outermost.last().is_none_or(|(within, _)| !within.contains(&node)) {
                outermost.push((node..tree.past(node), aliases));
            }
        }
        Self(outermost)
    }

    /// Returns the aliases of the one that the node is, or lies in.
    fn around(&self, node: NodeId) -> Option<&[NodeId]> {
        let before = self.0.partition_point(|(within, _)| within.start <= node).checked_sub(1)?;
        self.0.get(before).filter(|(within, _)| within.contains(&node)).map(|(_, aliases)| aliases.as_slice())
    }
}

/// What was asked for of some nodes at one time; nothing where nothing was.
#[derive(Debug, Default)]
struct Before {
    replaced: BTreeMap<NodeId, Option<Rc<Value>>>,
    collected: BTreeMap<NodeId, Option<Collected>>,
}

impl<'t, 'a> Editor<'t, 'a> {
    pub(super) fn new(tree: &'t Tree<'a>) -> Self {
        Self {
            tree,
            shared: Shared::of(tree),
            changes: Changes::default(),
            last: Rc::default(),
            before: Before::default(),
        }
    }

    pub(super) fn tree(&self) -> &'t Tree<'a> {
        self.tree
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changes.replaced.is_empty() || !self.changes.collected.is_empty()
    }

    /// Begins a change that may be taken back.
    pub(super) fn begin(&mut self) {
        self.before = Before::default();
    }

    /// Takes back what was asked for since the last change began.
    pub(super) fn take_back(&mut self) {
        let Before { replaced, collected } = std::mem::take(&mut self.before);
        for (node, before) in replaced {
            match before {
                Some(value) => self.changes.replaced.insert(node, value),
                None => self.changes.replaced.remove(&node),
            };
        }
        for (node, before) in collected {
            match before {
                Some(collected) => self.changes.collected.insert(node, collected),
                None => self.changes.collected.remove(&node),
            };
        }
    }

    /// Returns the value that takes the place of a node, to be changed.
    fn replaced(&mut self, node: NodeId) -> Option<&mut Value> {
        let replaced = self.changes.replaced.get_mut(&node)?;
        self.before.replaced.entry(node).or_insert_with(|| Some(Rc::clone(replaced)));
        Some(Rc::make_mut(replaced))
    }

    /// Gives a node another value.
    fn set_replaced(&mut self, node: NodeId, value: Value) {
        if *self.last != value {
            self.last = Rc::new(value);
        }
        let before = self.changes.replaced.insert(node, Rc::clone(&self.last));
        self.before.replaced.entry(node).or_insert(before);
    }

    /// Returns what happens to a collection, to be changed.
    fn collected(&mut self, node: NodeId) -> &mut Collected {
        let before = self.changes.collected.get(&node);
        self.before.collected.entry(node).or_insert_with(|| before.cloned());
        self.changes.collected.entry(node).or_default()
    }

    /// Gives the key below `path` of mappings that value, from a node on; mappings that are missing are made. Returns whether that
    /// changes anything.
    pub(super) fn set_below(&mut self, from: NodeId, path: &[&str], value: Value) -> Result<bool, Stop> {
        let mut node = from;
        for (depth, key) in path.iter().enumerate() {
            if let Some(replacement) = self.replaced(node) {
                return put(replacement, path.get(depth..).unwrap_or_default(), value);
            }
            if self.is_null(node) {
                self.may_change(node)?;
                self.set_replaced(node, nested(path.get(depth..).unwrap_or_default(), value));
                return Ok(true);
            }
            self.is_plain_mapping(node)?;
            if let Some(found) = self.staying(node, key) {
                node = found;
                continue;
            }
            self.may_change(node)?;
            let rest = path.get(depth + 1..).unwrap_or_default();
            let entries = &mut self.collected(node).entries;
            if let Some(pending) = entries.get_mut(*key) {
                return put(pending, rest, value);
            }
            entries.insert((*key).to_owned(), nested(rest, value));
            return Ok(true);
        }
        self.replace(node, value)
    }

    /// Gives a node another value; a collection is not replaced. Returns whether that changes anything.
    pub(super) fn replace(&mut self, node: NodeId, value: Value) -> Result<bool, Stop> {
        if let Some(replacement) = self.replaced(node) {
            return put(replacement, &[], value);
        }
        let kind = self.tree.kind(node);
        if kind.is_mapping() || kind.is_sequence() {
            return Err(self.refuse(node, "a mapping or a list stands where a single value is to be set").into());
        }
        if self.tree.value(node).is_some_and(|old| old == value) {
            return Ok(false);
        }
        self.may_change(node)?;
        self.set_replaced(node, value);
        Ok(true)
    }

    /// Takes the key out of a mapping. Returns whether it was there.
    pub(super) fn remove(&mut self, mapping: NodeId, key: &str) -> Result<bool, Stop> {
        self.is_as_it_was(mapping)?;
        match self.tree.kind(mapping) {
            Kind::Alias => return Err(self.aliased(mapping).into()),
            kind if !kind.is_mapping() => return Ok(false),
            _ => {}
        }
        if self.is_pending(mapping, key) {
            return Err(Stop::Later);
        }
        let tree = self.tree;
        // Every one of equal keys: the one before the last would count otherwise.
        let keys: Vec<NodeId> =
            tree.entries(mapping).map(|(id, _)| id).filter(|&id| tree.key(id).as_deref() == Some(key)).collect();
        if keys.is_empty() || keys.iter().all(|&id| self.is_gone(mapping, id)) {
            if tree.has_merge(mapping) {
                self.is_plain_mapping(mapping)?;
            }
            return Ok(false);
        }
        self.is_plain_mapping(mapping)?;
        self.may_change(mapping)?;
        for &id in &keys {
            // Key and value.
            self.forget(&(id..tree.past(tree.past(id))));
        }
        self.collected(mapping).removed.extend(keys);
        Ok(true)
    }

    /// Takes an item out of a list.
    pub(super) fn remove_item(&mut self, sequence: NodeId, item: NodeId) -> Result<bool, Stop> {
        self.may_change(sequence)?;
        self.forget(&(item..self.tree.past(item)));
        Ok(self.collected(sequence).removed.insert(item))
    }

    /// Puts an item at the end of a list.
    pub(super) fn append(&mut self, sequence: NodeId, value: Value) -> Result<bool, Stop> {
        self.is_list(sequence)?;
        let items = self.changes.collected.get(&sequence).map(|all| all.items.as_slice()).unwrap_or_default();
        if items.contains(&value) {
            return Ok(false);
        }
        self.may_change(sequence)?;
        self.collected(sequence).items.push(value);
        Ok(true)
    }

    /// Checks that items can be added.
    pub(super) fn is_list(&self, node: NodeId) -> Result<(), Refusal> {
        if self.tree.kind(node).is_sequence() {
            Ok(())
        } else {
            Err(self.refuse(node, "an item is to be added to what is no list"))
        }
    }

    /// Returns the value of a key that is there and stays.
    pub(super) fn present(&self, mapping: NodeId, key: &str) -> Result<Option<NodeId>, Stop> {
        self.is_as_it_was(mapping)?;
        if self.is_pending(mapping, key) { Err(Stop::Later) } else { Ok(self.staying(mapping, key)) }
    }

    /// Returns the values of a mapping that stay. Single values that are yet to be written are none of them.
    pub(super) fn values(&self, mapping: NodeId) -> Result<Vec<(NodeId, NodeId)>, Stop> {
        self.is_as_it_was(mapping)?;
        let collected = self.changes.collected.get(&mapping);
        if collected.is_some_and(|all| all.entries.values().any(is_collection)) {
            return Err(Stop::Later);
        }
        Ok(self.tree.entries(mapping).filter(|&(key, _)| !self.is_gone(mapping, key)).collect())
    }

    /// Returns the items of a list that stay; none of what is no list.
    ///
    /// # Errors
    /// An alias stands there, or items are yet to be written.
    pub(super) fn items(&self, sequence: NodeId) -> Result<Vec<NodeId>, Stop> {
        self.is_as_it_was(sequence)?;
        match self.tree.kind(sequence) {
            Kind::Alias => return Err(self.aliased(sequence).into()),
            kind if !kind.is_sequence() => return Ok(Vec::new()),
            _ => {}
        }
        if self.changes.collected.get(&sequence).is_some_and(|all| !all.items.is_empty()) {
            return Err(Stop::Later);
        }
        Ok(self.tree.children(sequence).filter(|&item| !self.is_gone(sequence, item)).collect())
    }

    /// Returns what a node means; nothing where an alias or a merge brings in what stands elsewhere.
    pub(super) fn value(&self, node: NodeId) -> Result<Option<Value>, Stop> {
        if let Some(value) = self.changes.replaced.get(&node) {
            return Ok(Some(Value::clone(value)));
        }
        self.is_settled(node)?;
        Ok(self.tree.value(node))
    }

    /// Returns what a node means.
    pub(super) fn known(&self, node: NodeId) -> Result<Value, Stop> {
        let unknown = || self.refuse(node, "an alias, `<<` or a tag stands in what is to be compared; write it out");
        // What an alias names does not change.
        let named = self.tree.named_by(node).and_then(|named| self.tree.value(named));
        Ok(self.value(node)?.or(named).ok_or_else(unknown)?)
    }

    /// Checks that nothing within the node is yet to be written.
    pub(super) fn is_settled(&self, node: NodeId) -> Result<(), Stop> {
        let within = node..self.tree.past(node);
        let is_open = self.changes.replaced.range(within.clone()).next().is_some()
            || self.changes.collected.range(within).next().is_some();
        if is_open { Err(Stop::Later) } else { Ok(()) }
    }

    /// Checks that no other value takes the place of the node.
    pub(super) fn is_as_it_was(&self, node: NodeId) -> Result<(), Stop> {
        if self.changes.replaced.get(&node).is_some_and(|value| is_collection(value)) {
            Err(Stop::Later)
        } else {
            Ok(())
        }
    }

    fn is_pending(&self, mapping: NodeId, key: &str) -> bool {
        self.changes.collected.get(&mapping).is_some_and(|all| all.entries.contains_key(key))
    }

    fn is_gone(&self, collection: NodeId, child: NodeId) -> bool {
        self.changes.collected.get(&collection).is_some_and(|all| all.removed.contains(&child))
    }

    /// Tells whether a node goes with a key or an item.
    fn goes(&self, node: NodeId) -> bool {
        let tree = self.tree;
        self.changes.collected.iter().any(|(&collection, all)| {
            let past =
                |child| if tree.kind(collection).is_mapping() { tree.past(tree.past(child)) } else { tree.past(child) };
            all.removed.range(..=node).next_back().is_some_and(|&child| node < past(child))
        })
    }

    fn staying(&self, mapping: NodeId, key: &str) -> Option<NodeId> {
        let (id, value) = self.tree.entry(mapping, key)?;
        (!self.is_gone(mapping, id)).then_some(value)
    }

    /// Drops what was asked for of nodes that go as a whole.
    fn forget(&mut self, gone: &Range<NodeId>) {
        let replaced: Vec<NodeId> = self.changes.replaced.range(gone.clone()).map(|(&node, _)| node).collect();
        let collected: Vec<NodeId> = self.changes.collected.range(gone.clone()).map(|(&node, _)| node).collect();
        for node in replaced {
            let before = self.changes.replaced.remove(&node);
            self.before.replaced.entry(node).or_insert(before);
        }
        for node in collected {
            let before = self.changes.collected.remove(&node);
            self.before.collected.entry(node).or_insert(before);
        }
    }

    fn is_null(&self, node: NodeId) -> bool {
        self.tree.kind(node).is_scalar() && self.tree.value(node).is_some_and(|value| value.is_null())
    }

    /// Checks that the node is a mapping whose keys all stand in it.
    pub(super) fn is_plain_mapping(&self, node: NodeId) -> Result<(), Refusal> {
        match self.tree.kind(node) {
            Kind::Alias => Err(self.aliased(node)),
            kind if kind.is_sequence() => Err(self.is_list_instead(node)),
            kind if !kind.is_mapping() => Err(self.refuse(node, "a mapping is expected where a change is to be made")),
            _ if self.tree.entries(node).any(|(key, _)| self.tree.key(key).is_none()) => {
                Err(self
                    .refuse(node, "a key of the mapping that is to be changed is an alias or no text; write it out"))
            }
            _ if self.tree.has_merge(node) => {
                Err(self.refuse(node, "`<<` merges keys into the mapping that is to be changed; write them out"))
            }
            _ => Ok(()),
        }
    }

    /// A key is named in a list.
    pub(super) fn is_list_instead(&self, node: NodeId) -> Refusal {
        self.refuse(node, "a list stands where a mapping is expected; name its items, by `[*]` or such as `[name=web]`")
    }

    /// What an alias elsewhere names may not change: it would change there, too.
    fn may_change(&self, node: NodeId) -> Result<(), Stop> {
        if self.tree.kind(node) == Kind::Alias {
            return Err(self.aliased(node).into());
        }
        match self.shared.around(node) {
            None => Ok(()),
            Some(aliases) if aliases.iter().all(|&alias| self.goes(alias)) => Err(Stop::Later),
            Some(_) => {
                let because = "an alias elsewhere names what is to be changed; write out what it names";
                Err(self.refuse(node, because).into())
            }
        }
    }

    /// The way to a change leads through an alias.
    pub(super) fn aliased(&self, node: NodeId) -> Refusal {
        self.refuse(node, "an alias stands where a change is to be made; write out what it names")
    }

    /// Refuses because of a node.
    pub(super) fn refuse(&self, node: NodeId, because: &str) -> Refusal {
        Refusal::at(self.tree, self.tree.start(node), because)
    }

    /// Returns the edited text and how it came about, to be proven.
    ///
    /// # Errors
    /// [`Refusal`] where the text is written in a way that no splice can follow.
    pub(super) fn finish(self) -> Result<Edited, Refusal> {
        let mut splices = self.splices()?;
        let text = splice::apply(self.tree.text(), &mut splices)
            .map_err(|byte| Refusal::at(self.tree, byte, "two changes meet in one place"))?;
        Ok(Edited { text, changes: self.changes, splices })
    }

    fn splices(&self) -> Result<Vec<Splice>, Refusal> {
        let mut splices = Vec::new();
        for (&node, value) in &self.changes.replaced {
            splices.push(splice::replacement(self.tree, node, value)?);
        }
        for (&node, collected) in &self.changes.collected {
            splices.extend(splice::collection(self.tree, node, collected)?);
        }
        Ok(splices)
    }
}

/// Returns the value below those keys.
fn nested(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |inner, key| Value::Object(Map::from_iter([((*key).to_owned(), inner)])))
}

/// Sets a single value within one that is not written yet; returns whether that changes anything.
fn put(target: &mut Value, path: &[&str], value: Value) -> Result<bool, Stop> {
    let mut at = target;
    for (depth, key) in path.iter().enumerate() {
        let Value::Object(map) = at else { return Err(Stop::Later) };
        at = match map.entry(*key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(nested(path.get(depth + 1..).unwrap_or_default(), value));
                return Ok(true);
            }
        };
    }
    if is_collection(at) || is_collection(&value) {
        return Err(Stop::Later);
    }
    let is_new = *at != value;
    *at = value;
    Ok(is_new)
}

fn is_collection(value: &Value) -> bool {
    value.is_object() || value.is_array()
}
