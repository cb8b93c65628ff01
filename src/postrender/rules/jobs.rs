//! Names of Jobs that tell their content apart: a Job's template cannot be changed, but another Job can be made.

use super::super::tree::NodeId;
use super::change::{child, text};
use super::{Done, ObjectEdit};
use crate::domain::content;

/// Digits of the digest in a name.
const DIGITS: usize = 10;

/// The longest name of a Job: its pods carry it as a label.
///
/// Source: Kubernetes `pkg/apis/core/validation`, label values.
const LONGEST: usize = 63;

/// Ends the name of a plain Job with a digest of its spec, as all other changes have left it. A hook is left alone: Helm makes it anew by itself.
pub(super) fn make_unique(object: &mut ObjectEdit<'_, '_, '_>) -> Done {
    if object.kind != "Job" || object.api_version.split('/').next() != Some("batch") {
        return Ok(None);
    }
    let Some(metadata) = child(object.editor, object.root, "metadata")? else { return Ok(None) };
    let is_hook = match child(object.editor, metadata, "annotations")? {
        Some(annotations) => child(object.editor, annotations, "helm.sh/hook")?.is_some(),
        None => false,
    };
    let Some(name) = child(object.editor, metadata, "name")? else { return Ok(None) };
    let Some(old) = text(object.editor, name)? else { return Ok(None) };
    if is_hook {
        return Ok(None);
    }
    let Some(spec) = child(object.editor, object.root, "spec")? else { return Ok(None) };
    let digest = digest(object, spec);
    let (base, _) = old.split_at_checked(old.len().min(LONGEST - DIGITS - 1)).unwrap_or((&old, ""));
    let new = format!("{}-{digest}", base.trim_end_matches(['-', '.']));
    if old.ends_with(&format!("-{digest}")) {
        return Ok(None);
    }
    object.editor.replace(name, new.clone().into())?;
    Ok(Some(format!("renamed to {new}")))
}

/// Returns the digest of what cannot be changed of a Job: its spec. Comments, style and labels change nothing.
fn digest(object: &ObjectEdit<'_, '_, '_>, spec: NodeId) -> String {
    let tree = object.editor.tree();
    let content = tree.value(spec).map_or_else(
        || tree.text().get(tree.start(spec)..tree.content_end(spec)).unwrap_or_default().as_bytes().to_vec(),
        |value| content::canonical_json(&value),
    );
    let digest = content::sha256(&content);
    digest.trim_start_matches("sha256:").chars().take(DIGITS).collect()
}
