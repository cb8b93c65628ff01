//! What no type says of a rule: changes that could never be made, or that no server would take.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rule::{AddItems, Change, Rule, SetField};
use crate::domain::field_path::{self, FieldPath, Step};
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
        if let Some(cause) = self.path().and_then(|path| self.mark_fault(path)) {
            return wrong(&cause);
        }
        match self {
            Self::SetLabels(marks) | Self::SetAnnotations(marks) => {
                let of = if matches!(self, Self::SetLabels(_)) { Mark::Label } else { Mark::Annotation };
                match marks.iter().find_map(|(key, value)| Some((key, of.fault(key, value)?))) {
                    Some((key, cause)) => Err((field_path::child(self.word(), key), cause)),
                    None => Ok(()),
                }
            }
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

    /// Tells what is wrong with a path to labels or annotations: they are mappings of texts, and most of their keys have dots.
    ///
    /// Those of the object itself are what the server takes them for. Below, they may be a template or a pattern, or another's altogether:
    /// there, the dots alone are looked at.
    fn mark_fault(&self, path: &FieldPath) -> Option<String> {
        let steps = path.steps();
        let is_key = |step: &Step, key: &str| matches!(step, Step::Key(step) if step == key);
        let (at, mark) = steps.array_windows().enumerate().find_map(|(at, [metadata, section])| {
            let mark = [Mark::Label, Mark::Annotation].into_iter().find(|mark| is_key(section, mark.section()))?;
            is_key(metadata, "metadata").then_some((at, mark))
        })?;
        let (before, rest) = steps.split_at_checked(at + 2)?;
        let section = field_path::written(before);
        let keys: Option<Vec<&str>> =
            rest.iter().map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
        let (name, names) = (mark.name(), mark.section());
        let is_of_object = at == 0;
        if !matches!(self, Self::Set(_) | Self::Remove(_)) {
            return is_of_object
                .then(|| format!("{names} are no list: `set-{names}` and `remove-{names}` change them"));
        }
        match (keys.as_deref(), self) {
            (Some(keys @ [first, _, ..]), _) => {
                let whole = field_path::child(&section, &keys.join("."));
                Some(format!("nothing is below the value of {name} `{first}`; is it the key? Then write `{whole}`"))
            }
            _ if !is_of_object => None,
            (None, _) => Some(format!("{names} are no list: write `{}`", field_path::child(&section, "KEY"))),
            (Some([]), Self::Set(_)) => {
                Some(format!("{names} have a key each: write `{}`", field_path::child(&section, "KEY")))
            }
            (Some([key]), Self::Set(SetField { value, .. })) => match value.as_str() {
                Some(value) => mark.fault(key, value),
                None => Some(format!("the value of {name} `{key}` is a text: put `{value}` in quotes")),
            },
            (Some(_), _) => None,
        }
    }
}

/// What Kubernetes asks of labels and annotations.
///
/// Source: `k8s.io/apimachinery` `pkg/util/validation`, `pkg/api/validation/objectmeta.go`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Label,
    Annotation,
}

/// The longest name in a key, and the longest value of a label.
const LONGEST_NAME: usize = 63;

/// The longest domain before a name.
const LONGEST_DOMAIN: usize = 253;

impl Mark {
    fn section(self) -> &'static str {
        match self {
            Self::Label => "labels",
            Self::Annotation => "annotations",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Annotation => "annotation",
        }
    }

    /// Tells why no server would take it.
    fn fault(self, key: &str, value: &str) -> Option<String> {
        let name = self.name();
        let (domain, word) = key.split_once('/').map_or((None, key), |(domain, word)| (Some(domain), word));
        // The server looks at an annotation's key in lower-case letters.
        let is_domain =
            |domain: &str| is_domain(&if self == Self::Label { domain.to_owned() } else { domain.to_lowercase() });
        if !is_mark_word(word) || !domain.is_none_or(is_domain) {
            return Some(format!(
                "no server takes that key of {name}s: write at most {LONGEST_NAME} letters, digits, `-`, `_` and `.`, a letter or digit at \
                 both ends, and before it, if you like, a domain and `/`"
            ));
        }
        if self == Self::Label && !value.is_empty() && !is_mark_word(value) {
            return Some(format!(
                "no server takes that value of a label ({} bytes): write at most {LONGEST_NAME} letters, digits, `-`, `_` and `.`, a letter or \
                 digit at both ends; annotations take any text",
                value.len()
            ));
        }
        None
    }
}

fn is_mark_word(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    text.len() <= LONGEST_NAME && is_end(bytes.first()) && is_end(bytes.last()) && text.bytes().all(is_inner)
}

fn is_domain(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_word =
        |word: &str| !word.is_empty() && !word.starts_with('-') && !word.ends_with('-') && word.bytes().all(is_inner);
    text.len() <= LONGEST_DOMAIN && text.split('.').all(is_word)
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
