//! Edits, what they must come to, and what they may touch.

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile::{self, Rule};
use helm_csghub::postrender::{Rules, render};
use serde_json::{Map, Value, json};
use similar::{ChangeTag, DiffTag, TextDiff};

/// A change of every object of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// The value at keys, made where it is missing.
    Set(Vec<String>, Value),
    /// The value at keys goes.
    Remove(Vec<String>),
    /// A list at keys gets an item, unless it has it.
    Add(Vec<String>, Value),
    /// A list at keys loses the items of that text.
    Without(Vec<String>, String),
}

fn keys(path: &[&str]) -> Vec<String> {
    path.iter().map(|&key| key.to_owned()).collect()
}

/// Returns the edits that every document of the corpus goes through.
pub(crate) fn usual() -> Vec<(&'static str, Edit)> {
    vec![
        ("label", Edit::Set(keys(&["metadata", "labels", "team"]), json!("ml"))),
        ("annotation", Edit::Set(keys(&["metadata", "annotations", "example.com/n"]), json!("0644"))),
        ("new field", Edit::Set(keys(&["extra", "deep", "on"]), json!(true))),
        ("field", Edit::Set(keys(&["data", "k"]), json!("yes"))),
        ("removal", Edit::Remove(keys(&["data", "k"]))),
        ("label removal", Edit::Remove(keys(&["metadata", "labels", "a"]))),
        ("item", Edit::Add(keys(&["spec"]), json!("new: item"))),
        ("item removal", Edit::Without(keys(&["spec"]), "a".to_owned())),
    ]
}

impl Edit {
    /// Returns the keys that lead to the edit.
    pub(crate) fn path(&self) -> &[String] {
        match self {
            Self::Set(at, _) | Self::Remove(at) | Self::Add(at, _) | Self::Without(at, _) => at,
        }
    }

    /// Returns the rule of a profile that asks for the edit.
    pub(crate) fn rule(&self) -> Rule {
        let path = |keys: &[String]| keys.iter().map(|key| format!("{key:?}")).collect::<Vec<_>>().join(".");
        let change = match self {
            Self::Set(at, value) => match (at.as_slice(), value) {
                ([metadata, labels, key], Value::String(text)) if metadata == "metadata" && labels == "labels" => {
                    json!({"set-labels": {key.clone(): text}})
                }
                _ => json!({"set": {"path": path(at), "value": value}}),
            },
            Self::Remove(at) => json!({"remove": path(at)}),
            Self::Add(at, item) => json!({"add-items": {"path": path(at), "items": [item]}}),
            Self::Without(at, text) => json!({"remove-items": {"path": path(at), "values": [text]}}),
        };
        let profile = json!({"format": 1, "name": "fidelity", "post-render": [{"name": "edit", "because": "a test", "changes": [change]}]});
        // JSON is YAML.
        profile::parse(&profile.to_string()).expect("a profile").post_render.remove(0)
    }

    /// Returns what a document that means `old` must mean afterwards; nothing if the edit does not fit.
    pub(crate) fn expected(&self, old: &Value) -> Option<Value> {
        let mut new = old.clone();
        self.change_objects(&mut new)?;
        Some(new)
    }

    fn change_objects(&self, value: &mut Value) -> Option<()> {
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind.ends_with("List")
            && let Some(items) = value.get_mut("items").and_then(Value::as_array_mut)
        {
            return items.iter_mut().try_for_each(|item| self.change_objects(item));
        }
        if kind.is_empty() { Some(()) } else { self.change(value) }
    }

    fn change(&self, object: &mut Value) -> Option<()> {
        match self {
            Self::Set(at, value) => {
                let place = make(object, at)?;
                if place.is_object() || place.is_array() {
                    return None;
                }
                *place = value.clone();
            }
            Self::Remove(at) => {
                let (last, above) = at.split_last()?;
                if let Some(Value::Object(map)) = find(object, above) {
                    map.shift_remove(last);
                }
            }
            Self::Add(at, item) => match make(object, at)? {
                Value::Array(items) if items.contains(item) => {}
                Value::Array(items) => items.push(item.clone()),
                place @ Value::Null => *place = json!([item]),
                _ => return None,
            },
            Self::Without(at, text) => {
                if let Some(Value::Array(items)) = find(object, at) {
                    let words = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                    items.retain(|item| item.is_array() || item.is_object() || words(item) != *text);
                }
            }
        }
        Some(())
    }
}

fn find<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| value.get_mut(key))
}

/// Goes down to the keys, and makes mappings on the way.
fn make<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, key| {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        Some(value.as_object_mut()?.entry(key.clone()).or_insert(Value::Null))
    })
}

/// Returns the stream after the edits.
pub(crate) fn edited(text: &[u8], edits: &[&Edit]) -> Result<Vec<u8>, String> {
    let rules: Vec<Rule> =
        edits.iter().enumerate().map(|(index, edit)| Rule { name: format!("edit-{index}"), ..edit.rule() }).collect();
    let rules = Rules::new(&rules, About::default()).expect("they need to know nothing");
    let mut output = Vec::new();
    render(text, &mut output, &rules).map_err(|error| error.to_string())?;
    Ok(output)
}

/// Returns in how many places lines went or came, and how many came.
pub(crate) fn lines_changed(old: &str, new: &str) -> (usize, usize) {
    let diff = TextDiff::from_lines(old, new);
    let places = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal).count();
    (places, diff.iter_all_changes().filter(|change| change.tag() == ChangeTag::Insert).count())
}
