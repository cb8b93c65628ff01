//! What `<<` brings into a mapping.

use std::collections::BTreeSet;

use super::{Kind, NodeId, Tree};

/// Where a value may be.
enum Look {
    Found(NodeId),
    Into(NodeId),
}

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
        let mut open: Vec<Look> = self.merges(mapping).filter(|&merge| merge > behind).map(Look::Into).collect();
        // The same may be merged over and over.
        let mut seen = BTreeSet::new();
        while let Some(look) = open.pop() {
            let node = match look {
                Look::Found(value) => return Some(value),
                Look::Into(node) if self.kind(node) == Kind::Alias => self.named_by(node)?,
                Look::Into(node) => node,
            };
            if !seen.insert(node) {
                continue;
            }
            // What is pushed last is looked at first: of a list the first one counts, of several `<<` the last.
            if self.kind(node).is_sequence() {
                let items: Vec<NodeId> = self.children(node).collect();
                open.extend(items.into_iter().rev().map(Look::Into));
            } else {
                let own = self.entry(node, key).map(|(_, value)| value);
                open.extend(own.map(Look::Found));
                open.extend(self.merges(node).filter(|&merge| own.is_none_or(|own| merge > own)).map(Look::Into));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::yaml;

    #[test]
    fn of_several_values_the_one_counts_that_counts_to_go() {
        let base = "a: &a {x: one}\nb: &b {x: two}\nc: &c {<<: *a, x: three}\nd: &d {x: four, <<: *b}\ne: &e {y: y}\n";
        for mapping in [
            "{x: own, <<: *a}",
            "{<<: *a, x: own}",
            "{<<: *a, <<: *b}",
            "{<<: *a, x: own, <<: *e}",
            "{x: own, <<: [*b, *a]}",
            "{<<: [*e, *a, *b]}",
            "{<<: *c}",
            "{<<: *d}",
            "{x: own, <<: [*e, *d], <<: *e}",
            "{<<: {<<: *d, x: inner}}",
            "{<<: [{<<: *e}, {<<: [*e, *c]}]}",
        ] {
            let text = format!("{base}m: {mapping}\n");
            let meant = yaml::parse_mapping(&text).expect("well-formed");
            let tree = Tree::read(&text).expect("well-formed").expect("a document");
            let (_, root) = tree.entry(0, "m").expect("a mapping");
            let own = tree.entry(root, "x").map(|(_, value)| value);
            let value = tree.merged(root, "x", own.unwrap_or_default()).or(own).expect("a value");
            assert_eq!(meant["m"]["x"], *tree.words(value), "{mapping}");
        }
    }
}
