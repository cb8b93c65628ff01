//! Images of containers: another registry, or a digest.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::edit::{Editor, Stop};
use super::super::tree::{Kind, NodeId, Tree};
use super::change::{child, mappings, text};
use super::{Done, ObjectEdit};
use crate::domain::image::{CONTAINERS, Image, MORE_LISTS, Place, SINGLE, VOLUMES};
use crate::domain::wording::counted;

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
    // Most objects have no image.
    let mirrors = LazyCell::new(|| -> Vec<(Place, &String)> {
        mirrors.iter().filter_map(|(from, to)| Some((Place::parse(from)?, to))).collect()
    });
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
    let digests = LazyCell::new(|| -> Vec<(String, &String)> {
        digests.iter().filter_map(|(of, digest)| Some((full_name(of)?, digest))).collect()
    });
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
        for (list, container, image) in images(edit.editor, edit.left, mapping)? {
            let Some(now) = text(edit.editor, image)? else { continue };
            let name = edit.editor.present(container, "name")?;
            let name = name.map(|name| edit.editor.value(name)).transpose()?.flatten();
            let name = name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
            let of_chart = edit.mirrored.of_chart(&(list, name.clone(), now.clone()));
            let mut becomes = match Image::parse(&now) {
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
            match becomes.as_deref().map(|becomes| edit.editor.replace(image, becomes.into())).transpose() {
                Ok(is_changed) => changed += usize::from(is_changed == Some(true)),
                // What others call so may be of theirs: it is told, and no error.
                Err(Stop::Refused(_)) if !CONTAINERS.contains(&list) => {
                    edit.left.push(format!(
                        "left the image `{now}` of `{list}`, which an alias elsewhere names: write out what it names"
                    ));
                    becomes = None;
                }
                Err(stop) => return Err(stop),
            }
            let names: &mut BTreeSet<String> = called.entry((list, name, becomes.unwrap_or(now))).or_default();
            names.extend(of_chart);
        }
    }
    edit.mirrored.0 = called;
    Ok((changed > 0).then(|| format!("{what} {}", counted(changed, "image"))))
}

/// Returns the images that a mapping holds: the key below which each stands, the container, where its image is named.
fn images(
    editor: &Editor<'_, '_>,
    left: &mut Vec<String>,
    mapping: NodeId,
) -> Result<Vec<(&'static str, NodeId, NodeId)>, Stop> {
    let tree = editor.tree();
    let mut found = Vec::new();
    for (key, value) in editor.values(mapping)? {
        let Some(key) = tree.key(key) else { continue };
        let one_of = |keys: &[&'static str]| keys.iter().copied().find(|one| *one == key);
        let is_overruled = tree.merged(mapping, &key, value).is_some();
        if let Some(list) = one_of(&CONTAINERS) {
            if is_overruled {
                editor.is_plain_mapping(mapping)?;
            }
            for container in editor.items(value)? {
                found.extend(child(editor, container, "image")?.map(|image| (list, container, image)));
            }
        } else if let Some(list) = one_of(&MORE_LISTS).or_else(|| one_of(&[VOLUMES])) {
            let path: &[&str] = if list == VOLUMES { &["image", "reference"] } else { &["image"] };
            if is_overruled || is_list_elsewhere(tree, value, path) {
                left.push(format!("left the images of `{list}`, which an alias or `<<` brings in: write them out"));
            } else if tree.kind(value).is_sequence() {
                for item in editor.items(value)? {
                    found.extend(seen(editor, left, list, item, path)?.map(|image| (list, item, image)));
                }
            }
        } else if let Some(single) = one_of(&SINGLE) {
            if is_overruled {
                left.push(aliased(single));
            } else {
                found.extend(seen(editor, left, single, value, &["image"])?.map(|image| (single, value, image)));
            }
        }
    }
    Ok(found)
}

/// Returns where an image is named, below `path` of what may be no container: others call something so, too. What an alias brings in is
/// left alone, and told.
fn seen(
    editor: &Editor<'_, '_>,
    left: &mut Vec<String>,
    below: &str,
    from: NodeId,
    path: &[&str],
) -> Result<Option<NodeId>, Stop> {
    let tree = editor.tree();
    let mut node = from;
    for (at, key) in path.iter().enumerate() {
        if tree.kind(node) == Kind::Alias {
            if is_image_elsewhere(tree, node, path.get(at..).unwrap_or_default()) {
                left.push(aliased(below));
            }
            return Ok(None);
        }
        let found = editor.present(node, key)?;
        if let Some(merged) = tree.merged(node, key, found.unwrap_or_default()) {
            if is_image_elsewhere(tree, merged, path.get(at + 1..).unwrap_or_default()) {
                left.push(aliased(below));
            }
            return Ok(None);
        }
        match found {
            Some(value) => node = value,
            None => return Ok(None),
        }
    }
    // A change of before may have put an image in the place of the alias.
    if tree.kind(node) == Kind::Alias && editor.value(node)?.is_none() {
        if is_image_elsewhere(tree, node, &[]) {
            left.push(aliased(below));
        }
        return Ok(None);
    }
    Ok(Some(node))
}

fn aliased(below: &str) -> String {
    format!("left an image of `{below}`, which an alias or `<<` brings in: write it out")
}

/// Tells whether a text stands below the path of what the node is, or names.
fn is_image_elsewhere(tree: &Tree<'_>, node: NodeId, path: &[&str]) -> bool {
    let named = |node: NodeId| if tree.kind(node) == Kind::Alias { tree.named_by(node) } else { Some(node) };
    let image = path.iter().try_fold(node, |node, key| {
        let (mapping, found) = (named(node)?, tree.entry(named(node)?, key).map(|(_, value)| value));
        tree.merged(mapping, key, found.unwrap_or_default()).or(found)
    });
    image.and_then(named).and_then(|image| tree.value(image)).is_some_and(|image| image.is_string())
}

/// Tells whether the node is an alias of a list in which some image stands.
fn is_list_elsewhere(tree: &Tree<'_>, node: NodeId, path: &[&str]) -> bool {
    let named = if tree.kind(node) == Kind::Alias { tree.named_by(node) } else { None };
    named.is_some_and(|list| {
        tree.kind(list).is_sequence() && tree.children(list).any(|item| is_image_elsewhere(tree, item, path))
    })
}
