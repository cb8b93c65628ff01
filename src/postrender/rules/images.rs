//! Images of containers: another registry, or a digest.

use std::collections::BTreeMap;

use super::super::edit::{Editor, Refusal};
use super::super::tree::NodeId;
use super::Done;
use super::change::{child, mappings};
use crate::domain::wording::counted;

/// The keys below which a pod's containers stand, in a workload or in a custom resource that holds a pod template.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Where an image without a registry comes from.
///
/// Source: `github.com/distribution/reference` `normalize.go`.
const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library";

/// Takes images from other registries; the longest of the names that an image begins with counts.
pub(super) fn mirror(editor: &mut Editor<'_, '_>, root: NodeId, mirrors: &BTreeMap<String, String>) -> Done {
    each("mirrored", editor, root, |image| {
        let full = full_name(image);
        let fits = |from: &str| full.strip_prefix(from).is_some_and(|rest| rest.starts_with('/'));
        let (from, to) =
            mirrors.iter().filter(|(from, _)| fits(from.trim_end_matches('/'))).max_by_key(|(from, _)| from.len())?;
        let rest = full.strip_prefix(from.trim_end_matches('/'))?;
        Some(format!("{}{rest}", to.trim_end_matches('/')))
    })
}

/// Adds digests to images that have none.
pub(super) fn pin(editor: &mut Editor<'_, '_>, root: NodeId, digests: &BTreeMap<String, String>) -> Done {
    each("pinned", editor, root, |image| {
        let full = full_name(image);
        let (_, digest) = digests.iter().find(|(of, _)| full_name(of) == full && !image.contains('@'))?;
        Some(format!("{image}@{digest}"))
    })
}

fn each(what: &str, editor: &mut Editor<'_, '_>, root: NodeId, new: impl Fn(&str) -> Option<String>) -> Done {
    let mut changed = 0;
    for mapping in mappings(editor, root) {
        for list in CONTAINERS {
            let Some(list) = child(editor, mapping, list) else { continue };
            let containers: Vec<NodeId> = editor.tree().children(list).collect();
            for container in containers {
                changed += usize::from(one(editor, container, &new)?);
            }
        }
    }
    Ok((changed > 0).then(|| format!("{what} {}", counted(changed, "image"))))
}

fn one(editor: &mut Editor<'_, '_>, container: NodeId, new: &impl Fn(&str) -> Option<String>) -> Result<bool, Refusal> {
    let Some(image) = child(editor, container, "image") else { return Ok(false) };
    let Some(text) = editor.value(image).and_then(|value| value.as_str().map(str::to_owned)) else { return Ok(false) };
    match new(&text) {
        Some(name) if name != text => editor.replace(image, name.into()),
        _ => Ok(false),
    }
}

/// Returns the image with its registry: `docker.io/library/nginx:1` for `nginx:1`.
fn full_name(image: &str) -> String {
    let is_registry = |name: &str| {
        name.contains(['.', ':']) || name == "localhost" || name.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    match image.split_once('/') {
        Some((first, _)) if is_registry(first) => image.to_owned(),
        Some(_) => format!("{DEFAULT_REGISTRY}/{image}"),
        None => format!("{DEFAULT_REGISTRY}/{OFFICIAL}/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_registry_is_of_docker_hub() {
        for (image, full) in [
            ("nginx:1", "docker.io/library/nginx:1"),
            ("a/b", "docker.io/a/b"),
            ("quay.io/a/b:1", "quay.io/a/b:1"),
            ("localhost/a", "localhost/a"),
            ("host:5000/a", "host:5000/a"),
        ] {
            assert_eq!(full_name(image), full);
        }
    }
}
