//! The objects of a parsed document: itself, or the items of a list.

use std::borrow::Cow;

use serde_json::Value;

use super::tree::{Kind, NodeId, Tree};
use crate::domain::yaml::{self, YamlError};

/// An object of a parsed document. A list may have very many.
pub(super) struct Found<'t> {
    pub(super) root: NodeId,
    /// The list that holds it, within a `List`.
    pub(super) item_of: Option<NodeId>,
    pub(super) api_version: Cow<'t, str>,
    pub(super) kind: Cow<'t, str>,
    pub(super) name: Cow<'t, str>,
    pub(super) namespace: Option<Cow<'t, str>>,
    /// What it means, where the tree does not tell.
    pub(super) whole: Option<Box<Value>>,
}

impl Found<'_> {
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
        text_at(tree, labels, key).map(Cow::into_owned)
    }
}

/// Returns how an object is called in notes and errors.
pub(super) fn named(kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn text_at<'t>(tree: &'t Tree<'_>, mapping: NodeId, key: &str) -> Option<Cow<'t, str>> {
    let (_, value) = tree.entry(mapping, key)?;
    tree.text_of(value)
}

/// Returns what a document means whose aliases and merges bring in what stands elsewhere.
pub(super) fn whole(text: &str) -> Result<Value, YamlError> {
    let documents = yaml::parse_documents(text)?;
    Ok(documents.into_iter().next().map(|document| document.value).unwrap_or_default())
}

/// What items of a list may leave to it.
#[derive(Debug, Default)]
struct List<'t> {
    api_version: Cow<'t, str>,
    kind: Cow<'t, str>,
}

/// Returns the objects of a document: itself, or the items of a list, however deep. `whole` is what it means, where the tree does not
/// tell.
///
/// Source: `k8s.io/apimachinery` `unstructured`: what has a list `items`, or `null` there, is a list; its items may leave out their type.
///
/// # Errors
/// The line on which items stand that are an alias.
pub(super) fn objects<'t>(tree: &'t Tree<'_>, whole: Option<Value>) -> Result<Vec<Found<'t>>, usize> {
    let mut found = Vec::new();
    find(tree, Place { root: 0, item_of: None }, whole, &List::default(), &mut found)?;
    Ok(found)
}

/// Tells whether the items of a list are `null`.
fn is_null(tree: &Tree<'_>, items: Option<NodeId>, whole: Option<&Value>) -> bool {
    match whole {
        Some(whole) => whole.get("items").is_some_and(Value::is_null),
        None => items.is_some_and(|items| tree.kind(items).is_scalar() && tree.value(items) == Some(Value::Null)),
    }
}

/// Where an object may be.
#[derive(Debug, Clone, Copy)]
struct Place {
    root: NodeId,
    item_of: Option<NodeId>,
}

fn find<'t>(
    tree: &'t Tree<'_>,
    place: Place,
    whole: Option<Value>,
    list: &List<'t>,
    found: &mut Vec<Found<'t>>,
) -> Result<(), usize> {
    let Place { root, item_of } = place;
    let mut whole = whole;
    let owned = |value: Option<&Value>| value?.as_str().map(|text| Cow::Owned(text.to_owned()));
    let text = |key: &str| match &whole {
        Some(whole) => owned(whole.get(key)),
        None => text_at(tree, root, key),
    };
    let (mut api_version, mut kind) = (text("apiVersion").unwrap_or_default(), text("kind").unwrap_or_default());
    if kind.is_empty() && api_version.is_empty() {
        (api_version, kind) = (list.api_version.clone(), list.kind.clone());
    }
    if kind.is_empty() {
        return Ok(());
    }
    let mut whole_items = match whole.as_mut().and_then(|whole| whole.get_mut("items")) {
        Some(Value::Array(items)) => Some(std::mem::take(items).into_iter()),
        _ => None,
    };
    match tree.entry(root, "items") {
        Some((_, items)) if tree.kind(items).is_sequence() => {
            let kind = kind.strip_suffix("List").unwrap_or_default().to_owned();
            let list = List { api_version, kind: Cow::Owned(kind) };
            for item in tree.children(items) {
                let whole = whole_items.as_mut().and_then(Iterator::next);
                if tree.kind(item) == Kind::Alias {
                    return Err(tree.line_of(tree.start(item)));
                }
                // Of lists in lists, the innermost one holds it.
                find(tree, Place { root: item, item_of: Some(items) }, whole, &list, found)?;
            }
            return Ok(());
        }
        _ if whole_items.is_some() => return Err(tree.line_of(tree.start(root))),
        // Charts make such lists of loops that go round no time.
        entry if kind.ends_with("List") && is_null(tree, entry.map(|(_, items)| items), whole.as_ref()) => {
            return Ok(());
        }
        _ => {}
    }
    let metadata = tree.entry(root, "metadata").map(|(_, metadata)| metadata);
    let of_metadata = |key: &str| match &whole {
        Some(whole) => owned(whole.get("metadata")?.get(key)),
        None => text_at(tree, metadata?, key),
    };
    let (name, namespace) = (of_metadata("name").unwrap_or_default(), of_metadata("namespace"));
    found.push(Found { root, item_of, api_version, kind, name, namespace, whole: whole.map(Box::new) });
    Ok(())
}
