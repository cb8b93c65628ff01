//! What `<<` brings into a mapping.

use std::collections::BTreeSet;

use super::{Kind, NodeId, Tree};

impl Tree<'_> {
    /// Tells whether `<<` merges something into the mapping.
    pub(in super::super) fn has_merge(&self, mapping: NodeId) -> bool {
        self.merges(mapping).next().is_some()
    }

    /// Returns what `<<` brings in for a key, where it stands behind that node: to Go, that counts, and not what stands before it.
    ///
    /// Source: `go.yaml.in/yaml/v2` `decode.go`, `mapping`, with which `sigs.k8s.io/yaml` reads.
    pub(in super::super) fn merged(&self, mapping: NodeId, key: &str, behind: NodeId) -> Option<NodeId> {
        if self.is_literal() {
            return None;
        }
        let mut open: Vec<NodeId> = self.merges(mapping).filter(|&merge| merge > behind).collect();
        open.reverse();
        // The same may be merged over and over.
        let mut seen = BTreeSet::new();
        while let Some(node) = open.pop() {
            let named = if self.kind(node) == Kind::Alias { self.named_by(node)? } else { node };
            if !seen.insert(named) {
                continue;
            }
            if self.kind(named).is_sequence() {
                let first = open.len();
                open.extend(self.children(named));
                open.get_mut(first..)?.reverse();
            } else if let Some((_, value)) = self.entry(named, key) {
                return Some(value);
            } else {
                open.extend(self.merges(named));
            }
        }
        None
    }

    /// Returns the values of `<<`.
    fn merges(&self, mapping: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let is_merge = |&(key, _): &(NodeId, NodeId)| self.kind(key) == Kind::Plain && self.words(key) == "<<";
        self.entries(mapping).filter(is_merge).map(|(_, value)| value)
    }
}
