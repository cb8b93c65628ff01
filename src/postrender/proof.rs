//! An edited document is parsed again and must be the old one with the changes that were asked for, and nothing else.
//!
//! Two trees are walked side by side. What was not to change must be the same to any reader: the same text in the same kind of
//! quotes, tag, anchor, alias, order. What was to change must mean what was asked for, as Go reads it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::edit::{Changes, Collected};
use super::tree::{Kind, NodeId, Tree};

/// The edited document is not what it should be: an error of ours, or a text that no splice can follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// Of the old document, counted from 1.
    pub(super) line: usize,
    pub(super) because: String,
}

/// Checks that `new` is `old` with those changes.
pub(super) fn prove(old: &Tree<'_>, changes: &Changes, new: &str) -> Result<(), Mismatch> {
    let mismatch =
        |node: NodeId, because: &str| Mismatch { line: old.line_of(old.start(node)), because: because.to_owned() };
    if new.starts_with("---") || new.contains("\n---") {
        return Err(mismatch(0, "a line of the edited document would begin with `---`, where Helm cuts the stream"));
    }
    let new = Tree::parse(new)
        .map_err(|fault| {
            mismatch(0, &format!("the edited document is no YAML: line {}: {}", fault.line, fault.because))
        })?
        .ok_or_else(|| mismatch(0, "the edited document is empty"))?;
    let mut walk = Walk { old, new: &new, changes, anchors: HashMap::new() };
    walk.same(0, 0).map_err(|node| mismatch(node, "the edited document would not mean what it should"))
}

struct Walk<'w, 'o, 'n> {
    old: &'w Tree<'o>,
    new: &'w Tree<'n>,
    changes: &'w Changes,
    /// Old anchors by their place, and the new ones that stand there.
    anchors: HashMap<usize, usize>,
}

/// The node of the old document at which the two part.
type Parted = NodeId;

impl Walk<'_, '_, '_> {
    fn same(&mut self, one: NodeId, other: NodeId) -> Result<(), Parted> {
        let (old, new) = (self.old, self.new);
        let expect = |is_so: bool| if is_so { Ok(()) } else { Err(one) };
        if let Some(value) = self.changes.replaced.get(&one) {
            return expect(means(new, other, value));
        }
        expect(old.tag(one) == new.tag(other) && old.anchor(one).is_some() == new.anchor(other).is_some())?;
        if let (Some(before), Some(after)) = (old.anchor(one), new.anchor(other)) {
            self.anchors.insert(before, after);
        }
        if let Some(collected) = self.changes.collected.get(&one) {
            return if old.kind(one).is_mapping() {
                self.same_entries(one, other, collected)
            } else {
                self.same_items(one, other, collected)
            };
        }
        expect(old.kind(one) == new.kind(other))?;
        match old.kind(one) {
            Kind::Alias => {
                let expected = old.target(one).and_then(|target| self.anchors.get(&target));
                expect(expected.is_some() && expected.copied() == new.target(other))
            }
            kind if kind.is_scalar() => expect(old.words(one) == new.words(other)),
            _ => self.same_children(old.children(one), new.children(other), one),
        }
    }

    fn same_children(
        &mut self,
        mut ones: impl Iterator<Item = NodeId>,
        mut others: impl Iterator<Item = NodeId>,
        parent: NodeId,
    ) -> Result<(), Parted> {
        loop {
            match (ones.next(), others.next()) {
                (Some(one), Some(other)) => self.same(one, other)?,
                (None, None) => return Ok(()),
                (one, _) => return Err(one.unwrap_or(parent)),
            }
        }
    }

    /// New entries stand where the first one stood, before those that stay.
    fn same_entries(&mut self, one: NodeId, other: NodeId, collected: &Collected) -> Result<(), Parted> {
        let (old, new) = (self.old, self.new);
        if !new.kind(other).is_mapping() {
            return Err(one);
        }
        let expected: Vec<(NodeId, NodeId)> =
            old.entries(one).filter(|(key, _)| !collected.removed.contains(key)).collect();
        let mut entries = new.entries(other);
        let added = entries.by_ref().take(new.entries(other).count().saturating_sub(expected.len()));
        let added: Option<Map<String, Value>> =
            added.map(|(key, value)| Some((new.key(key)?.into_owned(), new.value(value)?))).collect();
        if added.as_ref() != Some(&collected.entries) {
            return Err(one);
        }
        let rest: Vec<NodeId> = entries.flat_map(|(key, value)| [key, value]).collect();
        let expected: Vec<NodeId> = expected.into_iter().flat_map(|(key, value)| [key, value]).collect();
        self.same_children(expected.into_iter(), rest.into_iter(), one)
    }

    fn same_items(&mut self, one: NodeId, other: NodeId, collected: &Collected) -> Result<(), Parted> {
        let (old, new) = (self.old, self.new);
        if !new.kind(other).is_sequence() {
            return Err(one);
        }
        let expected: Vec<NodeId> = old.children(one).filter(|item| !collected.removed.contains(item)).collect();
        let items: Vec<NodeId> = new.children(other).collect();
        let (rest, added) = items.split_at_checked(expected.len()).ok_or(one)?;
        let added: Option<Vec<Value>> = added.iter().map(|&item| new.value(item)).collect();
        if added.as_ref() != Some(&collected.items) {
            return Err(one);
        }
        self.same_children(expected.into_iter(), rest.iter().copied(), one)
    }
}

fn means(tree: &Tree<'_>, node: NodeId, value: &Value) -> bool {
    tree.tag(node).is_none() && tree.value(node).as_ref() == Some(value)
}
