//! Images of containers: another registry, or a digest.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{child, mappings, text};
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

/// What images of containers were called before they were mirrored.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Mirrored(BTreeMap<Container, BTreeSet<String>>);

/// A container, whatever else becomes of the object: its list, its name, its image as it is called now.
type Container = (&'static str, String, String);

impl Mirrored {
    /// Returns what the chart calls the image; several where containers cannot be told apart.
    fn of_chart(&self, container: &Container) -> BTreeSet<String> {
        self.0.get(container).cloned().unwrap_or_else(|| BTreeSet::from([container.2.clone()]))
    }
}

/// Takes images from other registries; the longest of the names that an image begins with counts.
pub(super) fn mirror(edit: &mut ObjectEdit<'_, '_, '_>, mirrors: &BTreeMap<String, String>) -> Done {
    each("mirrored", edit, |image, _| {
        let (place, rest) = mirrors
            .iter()
            .filter_map(|(from, to)| Some((from.len(), to, behind(image, from)?)))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, to, rest)| (to.trim_end_matches('/'), rest))?;
        Some(format!("{place}{rest}"))
    })
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
pub(super) fn pin(edit: &mut ObjectEdit<'_, '_, '_>, digests: &BTreeMap<String, String>) -> Done {
    each("pinned", edit, |image, of_chart| {
        let of_chart: Vec<String> = of_chart.iter().map(|name| full_name(name)).collect();
        let (_, digest) = digests.iter().find(|(of, _)| of_chart.contains(&full_name(of)) && !image.contains('@'))?;
        Some(format!("{image}@{digest}"))
    })
}

/// Gives images other names, which `new` makes of what they are called now and what the chart calls them.
fn each(
    what: &str,
    edit: &mut ObjectEdit<'_, '_, '_>,
    new: impl Fn(&str, &BTreeSet<String>) -> Option<String>,
) -> Done {
    let (mut changed, mut called) = (0, BTreeMap::new());
    for mapping in mappings(edit.editor, edit.object.root)? {
        for list in CONTAINERS {
            // Not every mapping with a merge holds containers.
            let Some(containers) = edit.editor.present(mapping, list)? else { continue };
            for container in edit.editor.items(containers)? {
                let Some(image) = child(edit.editor, container, "image")? else { continue };
                let Some(now) = text(edit.editor, image)? else { continue };
                let name = edit.editor.present(container, "name")?;
                let name = name.map(|name| edit.editor.value(name)).transpose()?.flatten();
                let name = name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
                let of_chart = edit.mirrored.of_chart(&(list, name.clone(), now.clone()));
                let becomes = new(&now, &of_chart).filter(|becomes| *becomes != now);
                if let Some(becomes) = &becomes {
                    changed += usize::from(edit.editor.replace(image, becomes.as_str().into())?);
                }
                let names: &mut BTreeSet<String> = called.entry((list, name, becomes.unwrap_or(now))).or_default();
                names.extend(of_chart);
            }
        }
    }
    edit.mirrored.0 = called;
    Ok((changed > 0).then(|| format!("{what} {}", counted(changed, "image"))))
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
