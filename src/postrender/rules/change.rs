//! One change of one object.

use serde_json::Value;

use super::super::edit::{Editor, Refusal};
use super::super::head::Marks;
use super::super::tree::{Kind, NodeId};
use super::{Done, ObjectEdit, images, jobs, schemas};
use crate::domain::field_path::Step;
use crate::domain::post_rendering::About;
use crate::domain::profile::{AddItems, Change, NamePattern, RemoveItems, SetField};
use crate::domain::wording::counted;

/// Fields that only a server sets.
///
/// Source: Kubernetes API conventions, "Metadata"; `kubectl apply` keeps the last of the annotations.
const SERVER_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];
const SERVER_ANNOTATIONS: [&str; 2] =
    ["deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration"];

/// Annotations of ours on a claim that is to be filled from another one.
const COPY_FROM: &str = "helm-csghub/copy-from";
const CLEAN_UP: &str = "helm-csghub/clean-up";

/// Returns the labels and annotations that the change asks for; nothing if it asks for something else.
///
/// Source of the marks by which Helm knows its own: Helm `pkg/action/validate.go`; of the policy: `pkg/kube`.
pub(crate) fn marks(change: &Change, about: &About) -> Option<Vec<(Marks, String, String)>> {
    let of = |marks: Marks, key: &str, value: &str| (marks, key.to_owned(), value.to_owned());
    Some(match change {
        Change::SetLabels(labels) => labels.iter().map(|(key, value)| of(Marks::Labels, key, value)).collect(),
        Change::SetAnnotations(annotations) => {
            annotations.iter().map(|(key, value)| of(Marks::Annotations, key, value)).collect()
        }
        Change::Keep => vec![of(Marks::Annotations, "helm.sh/resource-policy", "keep")],
        Change::Adopt => vec![
            of(Marks::Labels, "app.kubernetes.io/managed-by", "Helm"),
            of(Marks::Annotations, "meta.helm.sh/release-name", about.release.as_deref()?),
            of(Marks::Annotations, "meta.helm.sh/release-namespace", about.namespace.as_deref()?),
        ],
        Change::CopyClaimFrom(claim) => {
            vec![of(Marks::Annotations, COPY_FROM, claim), of(Marks::Annotations, CLEAN_UP, claim)]
        }
        // Not about this document.
        Change::AddDocument(_) => Vec::new(),
        _ => return None,
    })
}

/// Makes one change of an object. `Drop` and `AddDocument` are about documents, and not for here.
pub(crate) fn apply(change: &Change, about: &About, object: &mut ObjectEdit<'_, '_, '_>) -> Done {
    let root = object.root;
    if let Some(marks) = marks(change, about) {
        let mut set = Vec::new();
        for (marks, key, value) in marks {
            if object.editor.set_below(root, &["metadata", marks.key(), &key], value.into())? {
                set.push(key);
            }
        }
        return Ok((!set.is_empty()).then(|| format!("set {}", set.join(", "))));
    }
    match change {
        Change::RemoveLabels(keys) => remove_marks(object.editor, root, "labels", keys),
        Change::RemoveAnnotations(keys) => remove_marks(object.editor, root, "annotations", keys),
        Change::Set(SetField { path, value }) => {
            let places = set(object.editor, root, path.steps(), value)?;
            Ok((places > 0).then(|| in_places(format!("set {path}"), places)))
        }
        Change::Remove(path) => {
            let places = remove(object.editor, root, path.steps())?;
            Ok((places > 0).then(|| in_places(format!("removed {path}"), places)))
        }
        Change::AddItems(items) => add_items(object.editor, root, items),
        Change::RemoveItems(items) => remove_items(object.editor, root, items),
        Change::TakeClaim(claim) => {
            let mut taken = 0;
            for volume in mappings(object.editor, root) {
                let Some(claim_name) = child(object.editor, volume, "persistentVolumeClaim")
                    .and_then(|claim| child(object.editor, claim, "claimName"))
                else {
                    continue;
                };
                if object.editor.value(claim_name).is_some_and(|name| name == *claim.of) {
                    taken += usize::from(object.editor.replace(claim_name, claim.take.clone().into())?);
                }
            }
            Ok((taken > 0).then(|| format!("takes the claim {} in place of {}", claim.take, claim.of)))
        }
        Change::UniqueJobNames => jobs::make_unique(object),
        Change::MirrorImages(mirrors) => images::mirror(object.editor, root, mirrors),
        Change::PinImages(digests) => images::pin(object.editor, root, digests),
        Change::StripServerFields => strip(object.editor, root),
        Change::SlimCrdDescriptions => schemas::slim(object),
        _ => Ok(None),
    }
}

fn in_places(what: String, places: usize) -> String {
    if places > 1 { format!("{what} in {}", counted(places, "place")) } else { what }
}

/// Returns the value of a key that is there.
pub(super) fn child(editor: &Editor<'_, '_>, node: NodeId, key: &str) -> Option<NodeId> {
    editor.tree().kind(node).is_mapping().then(|| editor.present(node, key))?
}

/// Returns all mappings within a node, itself included.
pub(super) fn mappings(editor: &Editor<'_, '_>, node: NodeId) -> Vec<NodeId> {
    let tree = editor.tree();
    let mut found = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if tree.kind(node).is_mapping() {
            found.push(node);
        }
        let children: Vec<NodeId> = tree.children(node).collect();
        open.extend(children.into_iter().rev());
    }
    found
}

fn remove_marks(editor: &mut Editor<'_, '_>, root: NodeId, section: &str, keys: &[String]) -> Done {
    let steps = ["metadata", section].map(|key| Step::Key(key.to_owned()));
    let mut removed = Vec::new();
    for marks in resolve(editor, root, &steps)? {
        for key in keys {
            if editor.remove(marks, key)? {
                removed.push(key.as_str());
            }
        }
    }
    Ok((!removed.is_empty()).then(|| format!("removed {}", removed.join(", "))))
}

fn strip(editor: &mut Editor<'_, '_>, root: NodeId) -> Done {
    let mut removed = Vec::new();
    if editor.remove(root, "status")? {
        removed.push("status".to_owned());
    }
    if let Some(metadata) = child(editor, root, "metadata") {
        for field in SERVER_METADATA {
            if editor.remove(metadata, field)? {
                removed.push(format!("metadata.{field}"));
            }
        }
        if let Some(annotations) = child(editor, metadata, "annotations") {
            for key in SERVER_ANNOTATIONS {
                if editor.remove(annotations, key)? {
                    removed.push(key.to_owned());
                }
            }
        }
    }
    Ok((!removed.is_empty()).then(|| format!("removed {}", removed.join(", "))))
}

/// Returns the nodes at those steps, as far as they are there.
///
/// # Errors
/// An alias or a merge stands on the way: what it brings in cannot be changed here.
fn resolve(editor: &Editor<'_, '_>, root: NodeId, steps: &[Step]) -> Result<Vec<NodeId>, Refusal> {
    let mut nodes = vec![root];
    for step in steps {
        let mut next = Vec::new();
        for node in nodes {
            next.extend(descend(editor, node, step)?);
        }
        nodes = next;
    }
    Ok(nodes)
}

fn descend(editor: &Editor<'_, '_>, node: NodeId, step: &Step) -> Result<Vec<NodeId>, Refusal> {
    let tree = editor.tree();
    let kind = tree.kind(node);
    if kind == Kind::Alias {
        return Err(editor.aliased(node));
    }
    Ok(match step {
        Step::Key(key) => {
            let found = child(editor, node, key);
            if found.is_none() && kind.is_mapping() && tree.has_merge(node) {
                editor.is_plain_mapping(node)?;
            }
            found.into_iter().collect()
        }
        _ if !kind.is_sequence() => Vec::new(),
        Step::Item(index) => tree.children(node).nth(*index).into_iter().collect(),
        Step::Every => tree.children(node).collect(),
        Step::Keyed { field, value } => {
            tree.children(node).filter(|&item| text_of(editor, item, field).as_ref() == Some(value)).collect()
        }
    })
}

/// Returns the text of an item's field.
fn text_of(editor: &Editor<'_, '_>, item: NodeId, field: &str) -> Option<String> {
    match editor.value(child(editor, item, field)?)? {
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn set(editor: &mut Editor<'_, '_>, root: NodeId, steps: &[Step], value: &Value) -> Result<usize, Refusal> {
    // Keys at the end may be missing; list items are never made.
    let keys = steps.iter().rev().take_while(|step| matches!(step, Step::Key(_))).count();
    let (fixed, open) = steps.split_at(steps.len() - keys);
    let open: Vec<&str> =
        open.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
    let mut places = 0;
    for node in resolve(editor, root, fixed)? {
        let is_changed = if open.is_empty() {
            editor.replace(node, value.clone())?
        } else {
            editor.set_below(node, &open, value.clone())?
        };
        places += usize::from(is_changed);
    }
    Ok(places)
}

fn remove(editor: &mut Editor<'_, '_>, root: NodeId, steps: &[Step]) -> Result<usize, Refusal> {
    let Some((last, before)) = steps.split_last() else { return Ok(0) };
    let mut places = 0;
    for node in resolve(editor, root, before)? {
        places += match last {
            Step::Key(key) => usize::from(editor.remove(node, key)?),
            step => {
                let mut removed = 0;
                for item in descend(editor, node, step)? {
                    removed += usize::from(editor.remove_item(node, item)?);
                }
                removed
            }
        };
    }
    Ok(places)
}

fn add_items(editor: &mut Editor<'_, '_>, root: NodeId, add: &AddItems) -> Done {
    let lists = resolve(editor, root, add.path.steps())?;
    if lists.is_empty() {
        let all = Value::Array(add.items.clone());
        let places = set(editor, root, add.path.steps(), &all)?;
        return Ok((places > 0).then(|| in_places(format!("made {}", add.path), places)));
    }
    let mut added = 0;
    for list in lists {
        if editor.value(list).is_some_and(|value| value.is_null()) {
            added += usize::from(editor.replace(list, Value::Array(add.items.clone()))?);
            continue;
        }
        editor.is_list(list)?;
        let items: Vec<NodeId> = editor.tree().children(list).collect();
        for item in &add.items {
            let is_there = items.iter().any(|&there| match &add.key {
                Some(key) => item.get(key).is_some_and(|value| {
                    child(editor, there, key).and_then(|node| editor.value(node)).as_ref() == Some(value)
                }),
                None => editor.value(there).as_ref() == Some(item),
            });
            if !is_there {
                added += usize::from(editor.append(list, item.clone())?);
            }
        }
    }
    Ok((added > 0).then(|| format!("added {} to {}", counted(added, "item"), add.path)))
}

fn remove_items(editor: &mut Editor<'_, '_>, root: NodeId, remove: &RemoveItems) -> Done {
    let covers = |text: &str, values: &[NamePattern]| values.iter().any(|value| value.covers(text));
    let mut removed = 0;
    for list in resolve(editor, root, remove.path.steps())? {
        match editor.tree().kind(list) {
            Kind::Alias => return Err(editor.aliased(list)),
            kind if !kind.is_sequence() => continue,
            _ => {}
        }
        let items: Vec<NodeId> = editor.tree().children(list).collect();
        for item in items {
            let text = match &remove.key {
                Some(key) => text_of(editor, item, key),
                None => editor.value(item).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            };
            if text.is_some_and(|text| covers(&text, &remove.values)) {
                removed += usize::from(editor.remove_item(list, item)?);
            }
        }
    }
    Ok((removed > 0).then(|| format!("removed {} from {}", counted(removed, "item"), remove.path)))
}
