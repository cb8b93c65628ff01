//! The objects of a parsed document: itself, or the items of a list.

use serde_json::Value;

use super::tree::{Kind, NodeId, Tree};
use crate::domain::yaml::{self, YamlError};

/// An object of a parsed document.
pub(super) struct Found {
    pub(super) root: NodeId,
    /// The list that holds it, within a `List`.
    pub(super) item_of: Option<NodeId>,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// What it means, where the tree does not tell.
    pub(super) whole: Option<Value>,
}

impl Found {
    /// How it is called in notes and errors.
    pub(super) fn title(&self) -> String {
        named(&self.kind, self.namespace.as_deref(), &self.name)
    }

    pub(super) fn label(&self, tree: &Tree<'_>, key: &str) -> Option<String> {
        if let Some(whole) = &self.whole {
            return whole.get("metadata")?.get("labels")?.get(key)?.as_str().map(str::to_owned);
        }
        let (_, metadata) = tree.entry(self.root, "metadata")?;
        let (_, labels) = tree.entry(metadata, "labels")?;
        text_at(tree, labels, key)
    }
}

/// Returns how an object is called in notes and errors.
pub(super) fn named(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn text_at(tree: &Tree<'_>, mapping: NodeId, key: &str) -> Option<String> {
    let (_, value) = tree.entry(mapping, key)?;
    tree.value(value)?.as_str().map(str::to_owned)
}

/// Returns what a document means whose aliases and merges bring in what stands elsewhere.
pub(super) fn whole(text: &str) -> Result<Value, YamlError> {
    let documents = yaml::parse_documents(text)?;
    Ok(documents.into_iter().next().map(|document| document.value).unwrap_or_default())
}

/// What items of a list may leave to it.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    api_version: String,
    kind: String,
}

/// Returns the objects of a document: itself, or the items of a list, however deep. `whole` is what the node means, where the tree
/// does not tell.
///
/// Source: `k8s.io/apimachinery` `unstructured`: what has a list `items` is a list; its items may leave out their type.
///
/// # Errors
/// The line on which items stand that are an alias.
pub(super) fn objects(tree: &Tree<'_>, root: NodeId, whole: Option<Value>, list: &List) -> Result<Vec<Found>, usize> {
    let mut whole = whole;
    let text = |key: &str| match &whole {
        Some(whole) => whole.get(key).and_then(Value::as_str).map(str::to_owned),
        None => text_at(tree, root, key),
    };
    let (mut api_version, mut kind) = (text("apiVersion").unwrap_or_default(), text("kind").unwrap_or_default());
    if kind.is_empty() && api_version.is_empty() {
        (api_version, kind) = (list.api_version.clone(), list.kind.clone());
    }
    if kind.is_empty() {
        return Ok(Vec::new());
    }
    let mut whole_items = match whole.as_mut().and_then(|whole| whole.get_mut("items")) {
        Some(Value::Array(items)) => Some(std::mem::take(items).into_iter()),
        _ => None,
    };
    match tree.entry(root, "items") {
        Some((_, items)) if tree.kind(items).is_sequence() => {
            let list = List { api_version, kind: kind.strip_suffix("List").unwrap_or_default().to_owned() };
            let mut found = Vec::new();
            for item in tree.children(items) {
                let whole = whole_items.as_mut().and_then(Iterator::next);
                if tree.kind(item) == Kind::Alias {
                    return Err(tree.line_of(tree.start(item)));
                }
                let of_item = objects(tree, item, whole, &list)?;
                found
                    .extend(of_item.into_iter().map(|found| Found { item_of: found.item_of.or(Some(items)), ..found }));
            }
            return Ok(found);
        }
        _ if whole_items.is_some() => return Err(tree.line_of(tree.start(root))),
        _ => {}
    }
    let metadata = tree.entry(root, "metadata").map(|(_, metadata)| metadata);
    let of_metadata = |key: &str| match &whole {
        Some(whole) => whole.get("metadata")?.get(key)?.as_str().map(str::to_owned),
        None => text_at(tree, metadata?, key),
    };
    let (name, namespace) = (of_metadata("name").unwrap_or_default(), of_metadata("namespace"));
    Ok(vec![Found { root, item_of: None, api_version, name, namespace, kind, whole }])
}
