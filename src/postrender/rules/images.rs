//! Images of containers: another registry, or a digest.

use std::collections::{BTreeMap, BTreeSet};

use super::super::edit::Stop;
use super::super::tree::NodeId;
use super::change::{child, items, mappings, text};
use super::{Done, ObjectEdit};
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

/// What images were called before they were mirrored, by what they are called now.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Mirrored(BTreeMap<String, BTreeSet<String>>);

impl Mirrored {
    fn add(&mut self, now: &str, was: &str) {
        let of_chart = self.0.get(was).cloned().unwrap_or_else(|| BTreeSet::from([was.to_owned()]));
        self.0.entry(now.to_owned()).or_default().extend(of_chart);
    }

    /// Returns what the chart calls the image, in full; several where they have become one.
    fn of_chart(&self, now: &str) -> Vec<String> {
        self.0.get(now).map_or_else(|| vec![full_name(now)], |names| names.iter().map(|name| full_name(name)).collect())
    }
}

/// Takes images from other registries; the longest of the names that an image begins with counts.
pub(super) fn mirror(object: &mut ObjectEdit<'_, '_, '_>, mirrors: &BTreeMap<String, String>) -> Done {
    let mirrored = each("mirrored", object, |image, _| {
        let (place, rest) = mirrors
            .iter()
            .filter_map(|(from, to)| Some((from.len(), to, behind(image, from)?)))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, to, rest)| (to.trim_end_matches('/'), rest))?;
        Some(format!("{place}{rest}"))
    })?;
    Ok(mirrored)
}

/// Returns what follows that name of a registry or a place in it; nothing if the image does not come from there. An official image of
/// Docker Hub has two names.
fn behind(image: &str, from: &str) -> Option<String> {
    let from = from.trim_end_matches('/');
    let from = match from.strip_prefix(OLD_NAME) {
        Some(path) if path.is_empty() || path.starts_with('/') => format!("{DEFAULT_REGISTRY}{path}"),
        _ => from.to_owned(),
    };
    let full = full_name(image);
    let official = full.strip_prefix(&format!("{DEFAULT_REGISTRY}/{OFFICIAL}/"));
    let short = official.map(|name| format!("{DEFAULT_REGISTRY}/{name}"));
    let rest = |name: &str| {
        let rest = name.strip_prefix(&from)?;
        (rest.is_empty() || rest.starts_with(['/', ':', '@'])).then(|| rest.to_owned())
    };
    rest(&full).or_else(|| rest(&short?))
}

/// Adds digests to images that have none; they are named as the chart names them, mirrored or not.
pub(super) fn pin(object: &mut ObjectEdit<'_, '_, '_>, digests: &BTreeMap<String, String>) -> Done {
    each("pinned", object, |image, mirrored| {
        let of_chart = mirrored.of_chart(image);
        let (_, digest) = digests.iter().find(|(of, _)| of_chart.contains(&full_name(of)) && !image.contains('@'))?;
        Some(format!("{image}@{digest}"))
    })
}

fn each(what: &str, object: &mut ObjectEdit<'_, '_, '_>, new: impl Fn(&str, &Mirrored) -> Option<String>) -> Done {
    let mut changed = 0;
    for mapping in mappings(object.editor, object.root)? {
        for list in CONTAINERS {
            // Not every mapping with a merge holds containers.
            let Some(list) = object.editor.present(mapping, list)? else { continue };
            for container in items(object.editor, list)? {
                changed += usize::from(one(object, container, &new)?);
            }
        }
    }
    Ok((changed > 0).then(|| format!("{what} {}", counted(changed, "image"))))
}

fn one(
    object: &mut ObjectEdit<'_, '_, '_>,
    container: NodeId,
    new: &impl Fn(&str, &Mirrored) -> Option<String>,
) -> Result<bool, Stop> {
    let Some(image) = child(object.editor, container, "image")? else { return Ok(false) };
    let Some(now) = text(object.editor, image)? else { return Ok(false) };
    match new(&now, object.mirrored) {
        Some(name) if name != now => {
            object.mirrored.add(&name, &now);
            object.editor.replace(image, name.into())
        }
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

    #[test]
    fn a_place_may_be_named_in_every_way_that_an_image_can() {
        for (image, from, rest) in [
            ("nginx:1", "docker.io", Some("/library/nginx:1")),
            ("nginx:1", "index.docker.io", Some("/library/nginx:1")),
            ("nginx:1", "docker.io/library", Some("/nginx:1")),
            ("nginx:1", "docker.io/nginx", Some(":1")),
            ("a/b@sha256:0", "docker.io/a/", Some("/b@sha256:0")),
            ("a/b", "docker.io/b", None),
            ("ab/c", "docker.io/a", None),
            ("quay.io/a", "docker.io", None),
        ] {
            assert_eq!(behind(image, from).as_deref(), rest, "{image} from {from}");
        }
    }
}
