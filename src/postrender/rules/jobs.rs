//! Names of Jobs that tell their content apart: a Job's template cannot be changed, but another Job can be made.

use super::super::tree::NodeId;
use super::change::child;
use super::{Done, ObjectEdit};
use crate::domain::content;

/// Digits of the digest in a name.
const DIGITS: usize = 10;

/// The longest name of a Job: its pods carry it as a label.
///
/// Source: Kubernetes `pkg/apis/core/validation`, label values.
const LONGEST: usize = 63;

/// Ends the name of a plain Job with a digest of its content. A hook is left alone: Helm makes it anew by itself.
pub(super) fn make_unique(object: &mut ObjectEdit<'_, '_, '_>) -> Done {
    if object.kind != "Job" || object.api_version.split('/').next() != Some("batch") {
        return Ok(None);
    }
    let Some(metadata) = child(object.editor, object.root, "metadata") else { return Ok(None) };
    let annotations = child(object.editor, metadata, "annotations");
    let is_hook = annotations.is_some_and(|annotations| child(object.editor, annotations, "helm.sh/hook").is_some());
    let Some(name) = child(object.editor, metadata, "name") else { return Ok(None) };
    let Some(old) = object.editor.value(name).and_then(|name| name.as_str().map(str::to_owned)) else {
        return Ok(None);
    };
    if is_hook {
        return Ok(None);
    }
    let digest = digest(object, name);
    let (base, _) = old.split_at_checked(old.len().min(LONGEST - DIGITS - 1)).unwrap_or((&old, ""));
    let new = format!("{}-{digest}", base.trim_end_matches(['-', '.']));
    if old.ends_with(&format!("-{digest}")) {
        return Ok(None);
    }
    object.editor.replace(name, new.clone().into())?;
    Ok(Some(format!("renamed to {new}")))
}

/// Returns the digest of the Job's bytes without its name.
fn digest(object: &ObjectEdit<'_, '_, '_>, name: NodeId) -> String {
    let tree = object.editor.tree();
    let text = tree.text();
    // The parsed value where there is one: comments and style change nothing.
    let content = tree.value(object.root).map_or_else(
        || {
            [text.get(..tree.start(name)), text.get(tree.end(name)..)]
                .into_iter()
                .flatten()
                .collect::<String>()
                .into_bytes()
        },
        |mut value| {
            if let Some(metadata) = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
                metadata.shift_remove("name");
            }
            content::canonical_json(&value)
        },
    );
    let digest = content::sha256(&content);
    digest.trim_start_matches("sha256:").chars().take(DIGITS).collect()
}
