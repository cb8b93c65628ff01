//! Images of containers: another registry, or a digest.

use std::collections::BTreeMap;

use super::super::edit::{Editor, Refusal};
use super::super::tree::NodeId;
use super::Done;
use super::change::{child, items, mappings, text};
use crate::domain::profile::is_registry;
use crate::domain::wording::counted;

/// The keys below which a pod's containers stand, in a workload or in a custom resource that holds a pod template.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Where an image without a registry comes from.
///
/// Source: `github.com/distribution/reference` `normalize.go`.
const DEFAULT_REGISTRY: &str = "docker.io";
const OFFICIAL: &str = "library";
const OLD_NAME: &str = "index.docker.io";

/// Takes images from other registries; the longest of the names that an image begins with counts.
pub(super) fn mirror(editor: &mut Editor<'_, '_>, root: NodeId, mirrors: &BTreeMap<String, String>) -> Done {
    each("mirrored", editor, root, |_, image| {
        let full = full_name(image);
        let rest = |from: &str| {
            full.strip_prefix(from.trim_end_matches('/'))
                .filter(|rest| rest.is_empty() || rest.starts_with(['/', ':', '@']))
        };
        let (from, to) = mirrors.iter().filter(|(from, _)| rest(from).is_some()).max_by_key(|(from, _)| from.len())?;
        Some(format!("{}{}", to.trim_end_matches('/'), rest(from)?))
    })
}

/// Adds digests to images that have none; they are named as the chart names them, whatever became of them since.
pub(super) fn pin(editor: &mut Editor<'_, '_>, root: NodeId, digests: &BTreeMap<String, String>) -> Done {
    each("pinned", editor, root, |of_chart, image| {
        let full = full_name(of_chart);
        let (_, digest) = digests.iter().find(|(of, _)| full_name(of) == full && !image.contains('@'))?;
        Some(format!("{image}@{digest}"))
    })
}

fn each(what: &str, editor: &mut Editor<'_, '_>, root: NodeId, new: impl Fn(&str, &str) -> Option<String>) -> Done {
    let mut changed = 0;
    for mapping in mappings(editor, root) {
        for list in CONTAINERS {
            // Not every mapping with a merge holds containers.
            let Some(list) = editor.present(mapping, list) else { continue };
            for container in items(editor, list)? {
                changed += usize::from(one(editor, container, &new)?);
            }
        }
    }
    Ok((changed > 0).then(|| format!("{what} {}", counted(changed, "image"))))
}

fn one(
    editor: &mut Editor<'_, '_>,
    container: NodeId,
    new: &impl Fn(&str, &str) -> Option<String>,
) -> Result<bool, Refusal> {
    let Some(image) = child(editor, container, "image")? else { return Ok(false) };
    let Some(now) = text(editor, image)? else { return Ok(false) };
    let of_chart = editor.tree().value(image).and_then(|value| value.as_str().map(str::to_owned));
    match new(of_chart.as_deref().unwrap_or(&now), &now) {
        Some(name) if name != now => editor.replace(image, name.into()),
        _ => Ok(false),
    }
}

/// Returns the image with its registry: `docker.io/library/nginx:1` for `nginx:1`.
fn full_name(image: &str) -> String {
    let of_hub = |path: &str| {
        let official = if path.contains('/') { String::new() } else { format!("{OFFICIAL}/") };
        format!("{DEFAULT_REGISTRY}/{official}{path}")
    };
    match image.split_once('/') {
        Some((DEFAULT_REGISTRY | OLD_NAME, path)) => of_hub(path),
        Some((first, _)) if is_registry(first) => image.to_owned(),
        _ => of_hub(image),
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
            ("docker.io/nginx", "docker.io/library/nginx"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx"),
            ("quay.io/a/b:1", "quay.io/a/b:1"),
            ("localhost/a", "localhost/a"),
            ("host:5000/a", "host:5000/a"),
        ] {
            assert_eq!(full_name(image), full);
        }
    }
}
