//! Images of containers: another registry, or a digest.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{child, mappings, text};
use super::{Done, ObjectEdit};
use crate::domain::image::{Image, Place};
use crate::domain::wording::counted;

/// The keys below which a pod's containers stand, in a workload or in a custom resource that holds a pod template.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// What charts of gateways write where an injector puts an image of its own.
///
/// Source: Istio, gateway injection.
const INJECTED: &str = "auto";

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
    let mirrors: Vec<(Place, &String)> =
        mirrors.iter().filter_map(|(from, to)| Some((Place::parse(from)?, to))).collect();
    each("mirrored", edit, |now, image, _| {
        let covering = mirrors.iter().filter_map(|(from, to)| Some((from.covered(image)?, from, to)));
        // An official image that is named in full goes before a place of its name.
        let longest = covering.max_by_key(|(covered, from, _)| (covered.len(), from.is_whole(covered)));
        let Some((covered, _, to)) = longest else { return Ok(None) };
        let to = to.trim_end_matches('/');
        let becomes = format!("{to}{}", image.behind(covered));
        match Image::parse(&becomes).filter(|_| becomes.starts_with(&format!("{to}/")) || to.contains('/')) {
            Some(_) => Ok(Some(becomes)),
            None => Err(format!(
                "`{now}` would become `{becomes}`, which is no image of `{to}`; write the image's name behind it"
            )),
        }
    })
}

/// Adds digests to images that have none; they are named as the chart names them, mirrored or not.
pub(super) fn pin(edit: &mut ObjectEdit<'_, '_, '_>, digests: &BTreeMap<String, String>) -> Done {
    let full_name = |name: &str| Image::parse(name).map(|image| image.full_name());
    let digests: Vec<(String, &String)> =
        digests.iter().filter_map(|(of, digest)| Some((full_name(of)?, digest))).collect();
    each("pinned", edit, |now, image, of_chart| {
        let of_chart: Vec<String> = of_chart.iter().filter_map(|name| full_name(name)).collect();
        let digest = digests.iter().find(|(of, _)| image.digest().is_none() && of_chart.contains(of));
        Ok(digest.map(|(_, digest)| format!("{now}@{digest}")))
    })
}

/// Gives images other names, which `new` makes of what they are called now and what the chart calls them. What is no image, and what an
/// injector fills in, is left alone.
fn each(
    what: &str,
    edit: &mut ObjectEdit<'_, '_, '_>,
    new: impl Fn(&str, &Image<'_>, &BTreeSet<String>) -> Result<Option<String>, String>,
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
                let becomes = match Image::parse(&now) {
                    _ if now == INJECTED => {
                        edit.left.push(format!("left the image `{now}`, in whose place an injector puts another"));
                        None
                    }
                    None => {
                        edit.left.push(format!("left the image `{now}`, which is no name of one"));
                        None
                    }
                    Some(named) => new(&now, &named, &of_chart)
                        .map_err(|because| edit.editor.refuse(image, &because))?
                        .filter(|becomes| *becomes != now),
                };
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
