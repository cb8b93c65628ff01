//! Names of Jobs that tell their content apart: a Job's template cannot be changed, but another Job can be made.

use super::change::{child, text};
use super::{Done, ObjectEdit};
use crate::domain::content;
use crate::domain::object::HOOK_ANNOTATION;

/// Digits of the digest in a name.
const DIGITS: usize = 10;

/// The longest name of a Job: its pods carry it as a label.
///
/// Source: Kubernetes `pkg/apis/core/validation`, label values.
const LONGEST: usize = 63;

/// Ends the name of a plain Job with a digest of its spec, as all other changes have left it. A hook is left alone: Helm makes it anew by itself.
pub(super) fn make_unique(edit: &mut ObjectEdit<'_, '_, '_>) -> Done {
    let (api_version, kind) = edit.type_now()?;
    if kind != "Job" || api_version.split('/').next() != Some("batch") {
        return Ok(None);
    }
    let Some(metadata) = child(edit.editor, edit.object.root, "metadata")? else { return Ok(None) };
    let is_hook = match child(edit.editor, metadata, "annotations")? {
        Some(annotations) => child(edit.editor, annotations, HOOK_ANNOTATION)?.is_some(),
        None => false,
    };
    let Some(name) = child(edit.editor, metadata, "name")? else { return Ok(None) };
    let Some(old) = text(edit.editor, name)? else { return Ok(None) };
    if is_hook {
        return Ok(None);
    }
    let Some(spec) = child(edit.editor, edit.object.root, "spec")? else { return Ok(None) };
    edit.editor.is_settled(spec)?;
    // Comments, style and labels change nothing.
    let content = match &edit.object.whole {
        Some(whole) => whole.get("spec").cloned().unwrap_or_default(),
        None => edit.editor.known(spec)?,
    };
    let digest = content::short_sha256(&content::canonical_json(&content), DIGITS);
    if old.ends_with(&format!("-{digest}")) {
        return Ok(None);
    }
    let new = name_with(&old, &digest);
    edit.editor.replace(name, new.clone().into())?;
    Ok(Some(format!("renamed to {new}")))
}

/// Returns the name with the digest behind it. One that is too long is cut, and has a digest of itself, so that names that are cut alike
/// stay apart.
fn name_with(old: &str, digest_of_spec: &str) -> String {
    let cut = |length: usize| {
        // A name of Kubernetes has no other characters; what is none is for the server to refuse.
        let kept: String = old.chars().take(length).collect();
        kept.trim_end_matches(['-', '.']).to_owned()
    };
    if old.len() < LONGEST - DIGITS {
        return format!("{}-{digest_of_spec}", cut(old.len()));
    }
    format!("{}-{}-{digest_of_spec}", cut(LONGEST - 2 * (DIGITS + 1)), content::short_sha256(old.as_bytes(), DIGITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_at_most_as_long_as_they_may_be_and_stay_apart() {
        let digest = "0123456789";
        for length in 1..100 {
            let old = "n".repeat(length);
            let new = name_with(&old, digest);
            assert!(new.len() <= LONGEST && new.ends_with("-0123456789"), "{new}");
            assert_ne!(new, name_with(&format!("{old}n"), digest));
            assert_eq!(new.starts_with(&format!("{old}-0")), length <= 52, "{new}");
        }
        assert_eq!(name_with("a-.", digest), "a-0123456789");
    }
}
