//! What no type says of a rule: changes that could never be made, or that no server would take.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rule::{AddItems, Change, Rule, SetField};
use crate::domain::image::{Image, Place, is_registry};
use crate::domain::object::Object;
use crate::domain::version::satisfies;

/// A field, and what is wrong with it.
type Fault = (String, String);

impl Rule {
    /// Checks what no type says; the error is a field within the rule and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), Fault> {
        for (field, version) in [("from", &self.select.from), ("to", &self.select.to)] {
            if let Some(version) = version
                && let Err(error) = satisfies(version, "1.0.0")
            {
                return Err((format!("select.{field}"), error.to_string()));
            }
        }
        if let Some(of) = self.select.kinds.iter().find(|of| of.matches_nothing()) {
            let kind = &of.kind;
            let cause = format!(
                "`{kind}` is no kind of the core group, and would select nothing: write its group, too, as in `Deployment.apps`"
            );
            return Err(("select.kinds".to_owned(), cause));
        }
        for (index, change) in self.changes.iter().enumerate() {
            change.check().map_err(|(within, cause)| (format!("changes[{index}].{within}"), cause))?;
        }
        Ok(())
    }
}

impl Change {
    fn check(&self) -> Result<(), Fault> {
        let wrong = |cause: &str| Err((self.word().to_owned(), cause.to_owned()));
        match self {
            Self::Set(SetField { value, .. }) if value.is_array() || value.is_object() || value.is_null() => wrong(
                "the value must be a text, a number or a boolean; `add-items` adds to lists, `remove` takes a field away",
            ),
            Self::AddItems(AddItems { key: Some(key), items, .. })
                if items.iter().any(|item| item.get(key).is_none()) =>
            {
                wrong(&format!("an item has no `{key}`"))
            }
            Self::AddItems(AddItems { key: Some(key), items, .. })
                if items
                    .iter()
                    .enumerate()
                    .any(|(index, item)| items.iter().take(index).any(|earlier| earlier.get(key) == item.get(key))) =>
            {
                wrong(&format!("two items have the same `{key}`"))
            }
            Self::AddDocument(document) => match Object::new(Value::Object(document.clone())) {
                Ok(_) => Ok(()),
                Err(error) => wrong(&error.to_string()),
            },
            Self::PinImages(images) => pins_fault(images).map_or(Ok(()), |cause| wrong(&cause)),
            Self::MirrorImages(mirrors) => mirrors_fault(mirrors).map_or(Ok(()), |cause| wrong(&cause)),
            _ => Ok(()),
        }
    }
}

fn mirrors_fault(mirrors: &BTreeMap<String, String>) -> Option<String> {
    if let Some(fault) = mirrors.iter().flat_map(|(from, to)| [from, to]).find_map(|place| place_fault(place)) {
        return Some(fault);
    }
    let (one, other) = equals(mirrors, Place::parse)?;
    Some(format!("`{one}` and `{other}` are the same place: write one of them"))
}

fn pins_fault(images: &BTreeMap<String, String>) -> Option<String> {
    if let Some(digest) = images.values().find(|digest| !is_digest(digest)) {
        return Some(format!("`{digest}` is no digest such as sha256:<64 lower-case digits>"));
    }
    for name in images.keys() {
        match Image::parse(name) {
            None => {
                return Some(format!(
                    "`{name}` is no name of an image: write it as the chart does, such as nginx:1.27"
                ));
            }
            Some(image) if image.digest().is_some() => {
                let bare = name.split('@').next().unwrap_or_default();
                return Some(format!("`{name}` has a digest already, and keeps it: write `{bare}`"));
            }
            Some(_) => {}
        }
    }
    let (one, other) = equals(images, |name| Image::parse(name).map(|image| image.full_name()))?;
    Some(format!("`{one}` and `{other}` are the same image: write one of them"))
}

/// Returns two keys that mean the same, and have two values.
fn equals<T: PartialEq>(map: &BTreeMap<String, String>, read: impl Fn(&str) -> Option<T>) -> Option<(&str, &str)> {
    let is_same = |one: &str, other: &str| read(one) == read(other);
    map.iter().enumerate().find_map(|(index, (one, value))| {
        let (other, _) =
            map.iter().skip(index + 1).find(|(other, further)| *further != value && is_same(one, other))?;
        Some((one.as_str(), other.as_str()))
    })
}

/// Tells what is wrong with a place of images, and what to write.
fn place_fault(text: &str) -> Option<String> {
    if Place::parse(text).is_some() {
        return None;
    }
    let bare = text.trim().trim_end_matches('/');
    let bare = bare.split_once("://").map_or(bare, |(_, bare)| bare);
    let unpinned = bare.split('@').next().unwrap_or_default();
    let untagged = match unpinned.rsplit_once(':') {
        Some((name, tag)) if name.contains('/') && !tag.contains('/') => name,
        _ => unpinned,
    };
    let (registry, path) = untagged.split_once('/').unwrap_or((untagged, ""));
    let cause = if text.contains("://") {
        "begins with a scheme"
    } else if untagged != bare {
        "has a tag or a digest, and images keep theirs"
    } else if text.contains(char::is_whitespace) {
        "has a blank in it"
    } else if !is_registry(registry) {
        "does not begin with a registry, such as docker.io or host:5000"
    } else if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        "has upper-case letters behind the registry, which no image has"
    } else {
        "is no place of images"
    };
    let lower = if path.is_empty() { registry.to_owned() } else { format!("{registry}/{}", path.to_ascii_lowercase()) };
    let write = Place::parse(&lower)
        .map_or_else(|| "a registry and a path, such as docker.io/library".to_owned(), |_| format!("`{lower}`"));
    Some(format!("`{text}` {cause}: write {write}"))
}

/// Source: `github.com/opencontainers/go-digest`: upper-case digits are refused.
fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}
