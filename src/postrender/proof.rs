//! An edited document is parsed again and must be the old one with the changes that were asked for, and nothing else.
//!
//! The tree of the old one and the steps of the parser through the new one go side by side. What was not to change must be the same to
//! any reader: the same text in the same kind of quotes, tag, anchor, alias, order. What was to change must mean what was asked for, as
//! Go reads it. The new document gets no tree: one of many megabytes is held once, not twice.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::edit::{Changes, Collected};
use super::tree::{Fault, Kind, NodeId, Properties, Scalar, Step, Steps, Tree};
use crate::domain::yaml;

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
    let walked = match walk(old, changes, new) {
        // Go reads quoted lines that are not indented, the parser does not.
        Err(Parted::Unread(fault)) => match yaml::indent_quoted(new) {
            Some(indented) => walk(old, changes, &indented.text),
            None => Err(Parted::Unread(fault)),
        },
        walked => walked,
    };
    walked.map_err(|parted| match parted {
        Parted::At(node) => mismatch(node, "the edited document would not mean what it should"),
        Parted::Empty => mismatch(0, "the edited document is empty"),
        Parted::Unread(fault) => {
            mismatch(0, &format!("the edited document is no YAML: line {}: {}", fault.line, fault.because))
        }
    })
}

/// Where the two part.
enum Parted {
    /// At that node of the old document.
    At(NodeId),
    /// The new one cannot be read.
    Unread(Fault),
    /// The new one has no content.
    Empty,
}

impl From<Fault> for Parted {
    fn from(fault: Fault) -> Self {
        Self::Unread(fault)
    }
}

fn walk(old: &Tree<'_>, changes: &Changes, new: &str) -> Result<(), Parted> {
    let mut walk = Walk { old, new: Steps::of(new), changes, anchors: HashMap::new() };
    let Some(step) = walk.new.next()? else { return Err(Parted::Empty) };
    walk.same(0, step)?;
    // What stands behind the document is a fault.
    match walk.new.next()? {
        None => Ok(()),
        Some(_) => Err(Parted::At(0)),
    }
}

struct Walk<'w, 'o, 'n> {
    old: &'w Tree<'o>,
    new: Steps<'n>,
    changes: &'w Changes,
    /// Old anchors by their place, and the new ones that stand there.
    anchors: HashMap<usize, usize>,
}

impl<'n> Walk<'_, '_, 'n> {
    /// The node of the old document against what begins with that step.
    fn same(&mut self, one: NodeId, other: Step<'n>) -> Result<(), Parted> {
        let (old, changes) = (self.old, self.changes);
        if let Some(value) = changes.replaced.get(&one) {
            let has_tag = other.properties().is_some_and(|properties| properties.tag.is_some());
            return expect(!has_tag && self.value(other)?.as_ref() == Some(&**value), one);
        }
        let none = Properties::default();
        let properties = other.properties().unwrap_or(&none);
        expect(old.tag(one) == properties.tag.as_deref(), one)?;
        match (old.anchor(one), properties.anchor) {
            (None, None) => {}
            (Some(before), Some(after)) => {
                self.anchors.insert(before, after);
            }
            _ => return Err(Parted::At(one)),
        }
        match (other, changes.collected.get(&one)) {
            (Step::Open { kind, .. }, Some(collected)) if old.kind(one).is_mapping() && kind.is_mapping() => {
                self.same_entries(one, collected)
            }
            (Step::Open { kind, .. }, Some(collected)) if old.kind(one).is_sequence() && kind.is_sequence() => {
                self.same_items(one, collected)
            }
            (Step::Open { kind, .. }, None) => {
                expect(old.kind(one) == kind, one)?;
                old.children(one).try_for_each(|child| self.same_next(child))?;
                self.closes(one)
            }
            (Step::Scalar(scalar), None) => expect(self.is_same_scalar(one, &scalar), one),
            (Step::Alias { target, .. }, None) => {
                let expected = old.target(one).and_then(|target| self.anchors.get(&target));
                expect(expected == Some(&target), one)
            }
            (_, Some(_)) | (Step::Close { .. }, None) => Err(Parted::At(one)),
        }
    }

    /// The node against what comes next.
    fn same_next(&mut self, one: NodeId) -> Result<(), Parted> {
        let step = self.new.next()?.ok_or(Parted::At(one))?;
        self.same(one, step)
    }

    fn is_same_scalar(&self, one: NodeId, scalar: &Scalar<'n>) -> bool {
        let is_written_alike = || scalar.written.is_some() && scalar.written == self.old.written(one);
        scalar.kind == self.old.kind(one) && (is_written_alike() || scalar.words == self.old.words(one))
    }

    /// The collection of the new document ends here.
    fn closes(&mut self, one: NodeId) -> Result<(), Parted> {
        match self.new.next()? {
            Some(Step::Close { .. }) => Ok(()),
            _ => Err(Parted::At(one)),
        }
    }

    /// New entries stand where the first one stood, before those that stay.
    fn same_entries(&mut self, one: NodeId, collected: &Collected) -> Result<(), Parted> {
        let old = self.old;
        let mut added = Map::new();
        for _ in 0..collected.entries.len() {
            let key = self.new.next()?.as_ref().and_then(key).ok_or(Parted::At(one))?;
            let value = self.next_value()?.ok_or(Parted::At(one))?;
            added.insert(key, value);
        }
        expect(added == collected.entries, one)?;
        let stay = old.entries(one).filter(|(key, _)| !collected.removed.contains(key));
        for (key, value) in stay {
            self.same_next(key)?;
            self.same_next(value)?;
        }
        self.closes(one)
    }

    /// New items come last.
    fn same_items(&mut self, one: NodeId, collected: &Collected) -> Result<(), Parted> {
        let old = self.old;
        for item in old.children(one).filter(|item| !collected.removed.contains(item)) {
            self.same_next(item)?;
        }
        for item in &collected.items {
            let added = self.next_value()?;
            expect(added.as_ref() == Some(item), one)?;
        }
        self.closes(one)
    }

    /// Returns what comes next; nothing where it ends, or where an alias or a merge brings in what stands elsewhere.
    fn next_value(&mut self) -> Result<Option<Value>, Parted> {
        match self.new.next()? {
            Some(step) => self.value(step),
            None => Ok(None),
        }
    }

    /// Returns what begins with that step.
    fn value(&mut self, step: Step<'n>) -> Result<Option<Value>, Parted> {
        match step {
            Step::Scalar(scalar) => {
                let tag = scalar.properties.tag.as_deref();
                Ok(yaml::scalar_value(&scalar.words, scalar.kind == Kind::Plain, tag).ok())
            }
            Step::Open { kind, .. } if kind.is_mapping() => {
                let mut map = Map::new();
                loop {
                    let step = self.new.next()?;
                    if matches!(step, Some(Step::Close { .. })) {
                        return Ok(Some(Value::Object(map)));
                    }
                    let Some(key) = step.as_ref().and_then(key) else { return Ok(None) };
                    let Some(value) = self.next_value()? else { return Ok(None) };
                    map.insert(key, value);
                }
            }
            Step::Open { .. } => {
                let mut items = Vec::new();
                loop {
                    match self.new.next()? {
                        Some(Step::Close { .. }) => return Ok(Some(Value::Array(items))),
                        Some(step) => match self.value(step)? {
                            Some(item) => items.push(item),
                            None => return Ok(None),
                        },
                        None => return Ok(None),
                    }
                }
            }
            Step::Alias { .. } | Step::Close { .. } => Ok(None),
        }
    }
}

/// Returns the key that Go makes of a scalar; nothing for one that is none, and for a merge.
fn key(step: &Step<'_>) -> Option<String> {
    let Step::Scalar(Scalar { kind, words, properties, .. }) = step else { return None };
    let is_plain = *kind == Kind::Plain;
    if is_plain && words == "<<" {
        return None;
    }
    yaml::scalar_key(words, is_plain, properties.tag.as_deref()).ok()
}

fn expect(is_so: bool, one: NodeId) -> Result<(), Parted> {
    if is_so { Ok(()) } else { Err(Parted::At(one)) }
}
