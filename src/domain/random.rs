//! Fields that a chart fills with another value at each render: passwords, tokens, times, and the checksums of those.
//!
//! Two renders of the same inputs are compared, object by object and hook by hook; what differs is random. The same comparison,
//! with the random fields left out, tells whether a later render is the one that was rehearsed. Values never leave this module.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content;
use super::field_path;
use super::manifest::{self, ManifestError};
use super::object::{Object, ObjectRef};
use super::release::Release;

/// What stands at the end of a name of which the rest differs at each render.
const ANY: char = '*';

/// What stands between the fixed part of a name and the one that differs.
const SEPARATORS: [char; 2] = ['-', '.'];

/// The field that is random where the object has another name at each render.
const NAME: &str = "metadata.name";

/// A field that has another value at each render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RandomField {
    /// Its object, as the manifest names it: without the namespace that the manifest leaves to Helm. A name that differs at each
    /// render ends with `*`.
    pub object: ObjectRef,
    /// Such as `data.key`.
    pub field: String,
    /// Whether the object is a hook.
    #[serde(default)]
    pub is_hook: bool,
}

impl RandomField {
    fn is_of(&self, object: &Object) -> bool {
        let named = object.reference(None);
        let (group, kind, namespace, name) = self.object.identity();
        let (own_group, own_kind, own_namespace, own_name) = named.identity();
        let is_name = match name.strip_suffix(ANY) {
            Some(start) => own_name.starts_with(start),
            None => own_name == name,
        };
        (group, kind, namespace) == (own_group, own_kind, own_namespace) && is_name
    }

    fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.field.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// One rendered document.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The object.
    pub object: Object,
    /// Whether Helm runs it as a hook.
    pub is_hook: bool,
}

/// Returns what a revision was rendered to, hooks first.
///
/// # Errors
/// [`ManifestError`] names the document that is no object.
pub fn of_release(release: &Release) -> Result<Vec<Rendered>, ManifestError> {
    let mut rendered = Vec::new();
    for hook in &release.hooks {
        let objects = manifest::parse(&hook.manifest)?;
        rendered.extend(objects.into_iter().map(|object| Rendered { object, is_hook: true }));
    }
    let objects = manifest::parse(&release.manifest)?;
    rendered.extend(objects.into_iter().map(|object| Rendered { object, is_hook: false }));
    Ok(rendered)
}

/// Returns what stands in a stream of manifests, as a post-renderer gets it.
///
/// # Errors
/// As [`of_release`].
pub fn of_stream(text: &str) -> Result<Vec<Rendered>, ManifestError> {
    let rendered = |object: Object| Rendered { is_hook: object.is_hook(), object };
    Ok(manifest::parse(text)?.into_iter().map(rendered).collect())
}

/// Returns the fields in which two renders of the same inputs differ, in the order of the documents.
///
/// An object that only one of the renders has is no field: the next comparison names it.
#[must_use]
pub fn recognise(one: &[Rendered], other: &[Rendered]) -> Vec<RandomField> {
    let pairs = Pairs::of(one, other);
    let mut found: Vec<RandomField> = Vec::new();
    let mut find = |object: &ObjectRef, field: String, is_hook| {
        let random = RandomField { object: object.clone(), field, is_hook };
        if !found.contains(&random) {
            found.push(random);
        }
    };
    for (one, other) in pairs.same {
        let object = one.object.reference(None);
        for field in differences(one, other) {
            find(&object, field, one.is_hook);
        }
    }
    for (one, other) in pairs.renamed {
        let mut object = one.object.reference(None);
        object.name = pattern(one.object.name(), other.object.name());
        find(&object, NAME.to_owned(), one.is_hook);
        for field in differences(one, other) {
            find(&object, field, one.is_hook);
        }
    }
    found
}

/// What a later render has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// A field differs.
    Field {
        /// The object.
        object: ObjectRef,
        /// The field.
        field: String,
    },
    /// The object was rendered, and is not any more.
    Gone(ObjectRef),
    /// The object was not rendered before.
    New(ObjectRef),
}

impl Otherwise {
    /// Returns the object.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Field { object, .. } | Self::Gone(object) | Self::New(object) => object,
        }
    }

    /// Returns the field, where one differs.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field { field, .. } => Some(field),
            Self::Gone(_) | Self::New(_) => None,
        }
    }

    /// Returns what is otherwise, in a few words.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Field { .. } => "it is rendered otherwise than in the rehearsal",
            Self::Gone(_) => "it is not rendered any more, and was in the rehearsal",
            Self::New(_) => "it is rendered now, and was not in the rehearsal",
        }
    }
}

/// Returns what `now` has otherwise than `kept`, random fields left out; nothing if they are the same render but for those.
#[must_use]
pub fn otherwise(kept: &[Rendered], now: &[Rendered], random: &[RandomField]) -> Vec<Otherwise> {
    let pairs = Pairs::of(kept, now);
    let mut found = Vec::new();
    for (kept, now) in pairs.same {
        fields_otherwise(kept, now, random, &mut found);
    }
    for (kept, now) in pairs.renamed {
        let is_random = |object: &Object| random.iter().any(|random| random.is_of(object) && random.field == NAME);
        if is_random(&kept.object) && is_random(&now.object) {
            fields_otherwise(kept, now, random, &mut found);
        } else {
            found.push(Otherwise::Gone(kept.object.reference(None)));
            found.push(Otherwise::New(now.object.reference(None)));
        }
    }
    found.extend(pairs.only_one.iter().map(|kept| Otherwise::Gone(kept.object.reference(None))));
    found.extend(pairs.only_other.iter().map(|now| Otherwise::New(now.object.reference(None))));
    found
}

fn fields_otherwise(kept: &Rendered, now: &Rendered, random: &[RandomField], found: &mut Vec<Otherwise>) {
    let masks: Vec<&RandomField> = random.iter().filter(|random| random.is_of(&kept.object)).collect();
    let fields = differences(kept, now).into_iter().filter(|field| !masks.iter().any(|mask| mask.covers(field)));
    found.extend(fields.map(|field| Otherwise::Field { object: now.object.reference(None), field }));
}

/// Returns the digest of each rendered object with its random fields left out, by object; several of one name are one digest.
#[must_use]
pub fn digests(rendered: &[Rendered], random: &[RandomField]) -> Vec<(ObjectRef, String)> {
    let mut texts: Vec<(ObjectRef, Vec<u8>)> = Vec::new();
    for Rendered { object, .. } in rendered {
        let masks: Vec<&RandomField> = random.iter().filter(|random| random.is_of(object)).collect();
        let mut named = object.reference(None);
        if let Some(mask) = masks.iter().find(|mask| mask.field == NAME) {
            named.name.clone_from(&mask.object.name);
        }
        let text = content::canonical_json(&without("", object.as_value(), &masks));
        match texts.iter_mut().find(|(known, _)| *known == named) {
            Some((_, known)) => known.extend(text),
            None => texts.push((named, text)),
        }
    }
    texts.into_iter().map(|(object, text)| (object, content::sha256(&text))).collect()
}

/// Returns the value with a fixed word in the place of each random field.
fn without(path: &str, value: &Value, masks: &[&RandomField]) -> Value {
    if masks.iter().any(|mask| mask.field == path) {
        return Value::String("random".to_owned());
    }
    match value {
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| (key.clone(), without(&field_path::child(path, key), value, masks));
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Array(items) => {
            let key = content::item_key(&[items]);
            let item = |(index, item): (usize, &Value)| {
                let path = match key {
                    Some(key) => content::item_path(path, key, item),
                    None => field_path::item(path, index),
                };
                without(&path, item, masks)
            };
            Value::Array(items.iter().enumerate().map(item).collect())
        }
        scalar => scalar.clone(),
    }
}

fn differences(one: &Rendered, other: &Rendered) -> Vec<String> {
    content::differences(one.object.as_value(), other.object.as_value())
}

/// Returns what two names share up to a separator, and `*`: letters that are equal by chance are not taken for fixed ones.
fn pattern(one: &str, other: &str) -> String {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    let shared = same.map(|(letter, _)| letter.len_utf8()).sum::<usize>();
    let shared = one.get(..shared).unwrap_or_default();
    let fixed = shared.rfind(SEPARATORS).and_then(|at| shared.get(..=at)).unwrap_or_default();
    format!("{fixed}{ANY}")
}

/// The documents of two renders, each beside its counterpart.
struct Pairs<'a> {
    /// Of the same name; several of one name by their order.
    same: Vec<(&'a Rendered, &'a Rendered)>,
    /// Left over, and as many of a kind in both: taken for the same objects under another name.
    renamed: Vec<(&'a Rendered, &'a Rendered)>,
    only_one: Vec<&'a Rendered>,
    only_other: Vec<&'a Rendered>,
}

impl<'a> Pairs<'a> {
    fn of(one: &'a [Rendered], other: &'a [Rendered]) -> Self {
        let key = |rendered: &Rendered| {
            let named = rendered.object.reference(None);
            let (group, kind, namespace, name) = named.identity();
            [group, kind, namespace, name].map(str::to_owned)
        };
        let mut waiting: BTreeMap<_, VecDeque<&Rendered>> = BTreeMap::new();
        for rendered in other {
            waiting.entry(key(rendered)).or_default().push_back(rendered);
        }
        let (mut same, mut left) = (Vec::new(), Vec::new());
        for rendered in one {
            match waiting.get_mut(&key(rendered)).and_then(VecDeque::pop_front) {
                Some(other) => same.push((rendered, other)),
                None => left.push(rendered),
            }
        }
        let left_other: Vec<&Rendered> = waiting.into_values().flatten().collect();
        let mut pairs = Self { same, renamed: Vec::new(), only_one: Vec::new(), only_other: Vec::new() };
        let mut kinds: BTreeMap<_, (Vec<&Rendered>, Vec<&Rendered>)> = BTreeMap::new();
        let kind_of = |rendered: &Rendered| {
            let [group, kind, namespace, _] = key(rendered);
            [group, kind, namespace]
        };
        for rendered in left {
            kinds.entry(kind_of(rendered)).or_default().0.push(rendered);
        }
        for rendered in left_other {
            kinds.entry(kind_of(rendered)).or_default().1.push(rendered);
        }
        for (mut one, mut other) in kinds.into_values() {
            if one.len() == other.len() {
                // Charts draw the ends of names.
                let fixed = |rendered: &&Rendered| {
                    let name = rendered.object.name();
                    name.rsplit_once(SEPARATORS).map_or(name, |(fixed, _)| fixed).to_owned()
                };
                one.sort_by_key(fixed);
                other.sort_by_key(fixed);
                pairs.renamed.extend(one.into_iter().zip(other));
            } else {
                pairs.only_one.extend(one);
                pairs.only_other.extend(other);
            }
        }
        pairs
    }
}

/// How many fields are named before `and N more`.
const SHOWN: usize = 6;

/// What a person should know of the random fields, as [`fmt::Display`]: one sentence.
pub struct Told<'a> {
    /// The fields.
    pub random: &'a [RandomField],
    /// The namespace of objects whose manifest leaves it to Helm.
    pub name_of: &'a dyn Fn(&ObjectRef) -> ObjectRef,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("random at each render: ")?;
        for (index, random) in self.random.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", (self.name_of)(&random.object), random.field)?;
        }
        if let Some(more) = self.random.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            write!(f, " and {more} more")?;
        }
        let mut restarted: Vec<String> = Vec::new();
        for random in self.random.iter().filter(|random| restarts(random)) {
            let name = (self.name_of)(&random.object).to_string();
            if !restarted.contains(&name) {
                restarted.push(name);
            }
        }
        if !restarted.is_empty() {
            write!(f, "; the pods of {} restart at every upgrade", restarted.join(", "))?;
        }
        Ok(())
    }
}

fn restarts(random: &RandomField) -> bool {
    let has_pods = matches!(random.object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
    has_pods && random.field.starts_with("spec.template")
}

#[cfg(test)]
mod tests;
