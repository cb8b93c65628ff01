//! One change of one object.

use serde_json::Value;

use super::super::edit::{Editor, Refusal, Stop};
use super::super::marks::{Marks, Wanted};
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
pub(crate) fn marks(change: &Change, about: &About) -> Option<Vec<Wanted>> {
    let label = |key: &str, value: &str| Wanted::new(Marks::Labels, key, value);
    let annotation = |key: &str, value: &str| Wanted::new(Marks::Annotations, key, value);
    Some(match change {
        Change::SetLabels(labels) => labels.iter().map(|(key, value)| label(key, value)).collect(),
        Change::SetAnnotations(annotations) => annotations.iter().map(|(key, value)| annotation(key, value)).collect(),
        Change::Keep => vec![annotation("helm.sh/resource-policy", "keep")],
        Change::Adopt => vec![
            label("app.kubernetes.io/managed-by", "Helm"),
            annotation("meta.helm.sh/release-name", about.release.as_deref()?),
            annotation("meta.helm.sh/release-namespace", about.namespace.as_deref()?),
        ],
        Change::CopyClaimFrom(claim) => vec![annotation(COPY_FROM, claim), annotation(CLEAN_UP, claim)],
        // Not about this document.
        Change::AddDocument(_) => Vec::new(),
        _ => return None,
    })
}

/// Makes one change of an object; a refusal names the change.
pub(crate) fn apply(change: &Change, about: &About, edit: &mut ObjectEdit<'_, '_, '_>) -> Done {
    make(change, about, edit).map_err(|stop| match stop {
        Stop::Refused(Refusal { line, because }) => {
            let path = change.path().map(|path| format!(" {path}")).unwrap_or_default();
            Refusal { line, because: format!("{}{path}: {because}", change.word()) }.into()
        }
        Stop::Later => Stop::Later,
    })
}

/// Makes one change of an object. `Drop` and `AddDocument` are about documents, and not for here.
fn make(change: &Change, about: &About, edit: &mut ObjectEdit<'_, '_, '_>) -> Done {
    let root = edit.object.root;
    if let Some(marks) = marks(change, about) {
        let mut set = Vec::new();
        for Wanted { marks, key, value, .. } in marks {
            if edit.editor.set_below(root, &["metadata", marks.key(), &key], value.into())? {
                set.push(key);
            }
        }
        return Ok((!set.is_empty()).then(|| format!("set {}", set.join(", "))));
    }
    match change {
        Change::RemoveLabels(keys) => remove_marks(edit.editor, root, "labels", keys),
        Change::RemoveAnnotations(keys) => remove_marks(edit.editor, root, "annotations", keys),
        Change::Set(SetField { path, value }) => {
            let places = set(edit.editor, root, path.steps(), value)?;
            Ok((places > 0).then(|| in_places(format!("set {path}"), places)))
        }
        Change::Remove(path) => {
            let places = remove(edit.editor, root, path.steps())?;
            Ok((places > 0).then(|| in_places(format!("removed {path}"), places)))
        }
        Change::AddItems(items) => add_items(edit.editor, root, items),
        Change::RemoveItems(items) => remove_items(edit.editor, root, items),
        Change::TakeClaim(claim) => {
            let mut taken = 0;
            for volume in mappings(edit.editor, root)? {
                // Not every mapping with a merge is a volume.
                if edit.editor.present(volume, "persistentVolumeClaim")?.is_none() {
                    continue;
                }
                let Some(source) = child(edit.editor, volume, "persistentVolumeClaim")? else { continue };
                let Some(name) = child(edit.editor, source, "claimName")? else { continue };
                if text(edit.editor, name)?.as_ref() == Some(&claim.of) {
                    taken += usize::from(edit.editor.replace(name, claim.take.clone().into())?);
                }
            }
            Ok((taken > 0).then(|| format!("takes the claim {} in place of {}", claim.take, claim.of)))
        }
        Change::UniqueJobNames => jobs::make_unique(edit),
        Change::MirrorImages(mirrors) => images::mirror(edit, mirrors),
        Change::PinImages(digests) => images::pin(edit, digests),
        Change::StripServerFields => strip(edit.editor, root),
        Change::SlimCrdDescriptions => schemas::slim(edit),
        _ => Ok(None),
    }
}

fn in_places(what: String, places: usize) -> String {
    if places > 1 { format!("{what} in {}", counted(places, "place")) } else { what }
}

/// Returns the value of a key that is there.
///
/// # Errors
/// An alias or a merge stands in the way: what it brings in cannot be changed here.
pub(super) fn child(editor: &Editor<'_, '_>, node: NodeId, key: &str) -> Result<Option<NodeId>, Stop> {
    let tree = editor.tree();
    editor.is_as_it_was(node)?;
    match tree.kind(node) {
        Kind::Alias => Err(editor.aliased(node).into()),
        kind if !kind.is_mapping() => Ok(None),
        _ => {
            let found = editor.present(node, key)?;
            let is_brought_in = match found {
                None => tree.has_merge(node),
                Some(found) => tree.merged(node, key, found).is_some(),
            };
            if is_brought_in {
                editor.is_plain_mapping(node)?;
            }
            Ok(found)
        }
    }
}

/// Returns the text of a scalar as it will be; nothing for what is no text.
///
/// # Errors
/// As [`child`].
pub(super) fn text(editor: &Editor<'_, '_>, node: NodeId) -> Result<Option<String>, Stop> {
    match editor.value(node)? {
        None if editor.tree().kind(node) == Kind::Alias => Err(editor.aliased(node).into()),
        Some(Value::String(text)) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// Returns all mappings within a node, itself included.
///
/// # Errors
/// Some are yet to be written.
pub(super) fn mappings(editor: &Editor<'_, '_>, node: NodeId) -> Result<Vec<NodeId>, Stop> {
    let tree = editor.tree();
    let mut found = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        let kind = tree.kind(node);
        if kind.is_mapping() {
            found.push(node);
            open.extend(editor.values(node)?.into_iter().rev().map(|(_, value)| value));
        } else if kind.is_sequence() {
            open.extend(editor.items(node)?.into_iter().rev());
        } else {
            editor.is_as_it_was(node)?;
        }
    }
    Ok(found)
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
    if let Some(metadata) = child(editor, root, "metadata")? {
        for field in SERVER_METADATA {
            if editor.remove(metadata, field)? {
                removed.push(format!("metadata.{field}"));
            }
        }
        if let Some(annotations) = child(editor, metadata, "annotations")? {
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
fn resolve(editor: &Editor<'_, '_>, root: NodeId, steps: &[Step]) -> Result<Vec<NodeId>, Stop> {
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

fn descend(editor: &Editor<'_, '_>, node: NodeId, step: &Step) -> Result<Vec<NodeId>, Stop> {
    editor.is_as_it_was(node)?;
    fits(editor, node, step)?;
    Ok(match step {
        Step::Key(key) => child(editor, node, key)?.into_iter().collect(),
        Step::Item(index) => editor.items(node)?.get(*index).copied().into_iter().collect(),
        Step::Every => editor.items(node)?,
        Step::Keyed { field, value } => {
            let mut fitting = Vec::new();
            for item in editor.items(node)? {
                if words(editor, item, field)?.as_ref() == Some(value) {
                    fitting.push(item);
                }
            }
            fitting
        }
    })
}

/// Checks that no key is looked for in a list: such a path leads nowhere, ever.
fn fits(editor: &Editor<'_, '_>, node: NodeId, step: &Step) -> Result<(), Stop> {
    if matches!(step, Step::Key(_)) && editor.tree().kind(node).is_sequence() {
        return Err(editor.is_list_instead(node).into());
    }
    Ok(())
}

/// Returns the text, or the number, of an item's field.
fn words(editor: &Editor<'_, '_>, item: NodeId, field: &str) -> Result<Option<String>, Stop> {
    let Some(node) = child(editor, item, field)? else { return Ok(None) };
    editor.known(node).map(|value| Some(as_words(&value)))
}

fn as_words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn set(editor: &mut Editor<'_, '_>, root: NodeId, steps: &[Step], value: &Value) -> Result<usize, Stop> {
    let (fixed, open) = fixed_and_keys(steps);
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

/// Parts a path: the keys at its end may be missing, and are made; list items never are.
fn fixed_and_keys(steps: &[Step]) -> (&[Step], Vec<&str>) {
    let keys = steps.iter().rev().take_while(|step| matches!(step, Step::Key(_))).count();
    let (fixed, keys) = steps.split_at(steps.len() - keys);
    (fixed, keys.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect())
}

fn remove(editor: &mut Editor<'_, '_>, root: NodeId, steps: &[Step]) -> Result<usize, Stop> {
    let Some((last, before)) = steps.split_last() else { return Ok(0) };
    let mut places = 0;
    for node in resolve(editor, root, before)? {
        fits(editor, node, last)?;
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
    let (fixed, keys) = fixed_and_keys(add.path.steps());
    let mut added = 0;
    for place in resolve(editor, root, fixed)? {
        let mut list = Some(place);
        for key in &keys {
            list = match list {
                Some(node) => child(editor, node, key)?,
                None => None,
            };
        }
        added += match list {
            Some(list) if editor.value(list)?.is_some_and(|value| value.is_null()) => {
                usize::from(editor.replace(list, Value::Array(add.items.clone()))?) * add.items.len()
            }
            Some(list) => add_to(editor, list, add)?,
            // It is made.
            None => usize::from(editor.set_below(place, &keys, Value::Array(add.items.clone()))?) * add.items.len(),
        };
    }
    Ok((added > 0).then(|| format!("added {} to {}", counted(added, "item"), add.path)))
}

fn add_to(editor: &mut Editor<'_, '_>, list: NodeId, add: &AddItems) -> Result<usize, Stop> {
    let there = editor.items(list)?;
    editor.is_list(list)?;
    // What tells an item apart: a field of it, or the whole.
    let mut marks = Vec::new();
    for item in there {
        let mark = match &add.key {
            Some(key) => child(editor, item, key)?,
            None => Some(item),
        };
        marks.extend(mark.map(|node| editor.known(node)).transpose()?);
    }
    let mut added = 0;
    for item in &add.items {
        let mark = add.key.as_ref().map_or(Some(item), |key| item.get(key));
        if !mark.is_some_and(|mark| marks.contains(mark)) {
            added += usize::from(editor.append(list, item.clone())?);
        }
    }
    Ok(added)
}

fn remove_items(editor: &mut Editor<'_, '_>, root: NodeId, remove: &RemoveItems) -> Done {
    let covers = |text: &str, values: &[NamePattern]| values.iter().any(|value| value.covers(text));
    let mut removed = 0;
    for list in resolve(editor, root, remove.path.steps())? {
        for item in editor.items(list)? {
            let text = match &remove.key {
                Some(key) => words(editor, item, key)?,
                None => Some(as_words(&editor.known(item)?)),
            };
            if text.is_some_and(|text| covers(&text, &remove.values)) {
                removed += usize::from(editor.remove_item(list, item)?);
            }
        }
    }
    Ok((removed > 0).then(|| format!("removed {} from {}", counted(removed, "item"), remove.path)))
}
