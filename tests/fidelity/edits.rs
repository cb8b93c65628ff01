//! Edits, what they must come to, and what they may touch.

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile::{NamePattern, Rule, Select};
use helm_csghub::postrender::{Rules, render};
use serde_json::{Map, Value, json};
use similar::{ChangeTag, DiffTag, TextDiff};

/// In a path: every item of the list.
pub(crate) const EVERY: &str = "*";

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

    /// Returns by how many lines one object may grow: one for each key, and one for the item.
    pub(crate) fn lines(&self) -> usize {
        match self {
            Self::Set(at, _) => at.len(),
            Self::Add(at, _) => at.len() + 1,
            Self::Remove(_) | Self::Without(..) => 0,
        }
    }

    /// Returns the rule of a profile that asks for the edit.
    pub(crate) fn rule(&self) -> Rule {
        let path = |keys: &[String]| {
            let step = |key: &String| if key == EVERY { "[*]".to_owned() } else { format!(".{key:?}") };
            keys.iter().map(step).collect::<String>().trim_start_matches('.').to_owned()
        };
        let change = match self {
            Self::Set(at, value) => match (marks(at), value) {
                (Some((section, key)), Value::String(text)) => json!({format!("set-{section}"): {key: text}}),
                _ => json!({"set": {"path": path(at), "value": value}}),
            },
            Self::Remove(at) => match marks(at) {
                Some((section, key)) => json!({format!("remove-{section}"): [key]}),
                None => json!({"remove": path(at)}),
            },
            Self::Add(at, item) => json!({"add-items": {"path": path(at), "items": [item]}}),
            Self::Without(at, text) => json!({"remove-items": {"path": path(at), "values": [text]}}),
        };
        // Some are no labels to a server, which `profile check` would say.
        let rule = json!({"name": "edit", "because": "a test", "changes": [change]});
        serde_json::from_value(rule).expect("a rule")
    }

    /// Returns what a document that means `old` must mean afterwards, if the edit is one of objects of that name, or of all; nothing if it
    /// does not fit.
    pub(crate) fn expected_of(&self, old: &Value, name: Option<&str>) -> Option<Value> {
        let mut new = old.clone();
        self.change_objects(&mut new, name, "")?;
        Some(new)
    }

    /// Returns what a document that means `old` must mean afterwards; nothing if the edit does not fit.
    pub(crate) fn expected(&self, old: &Value) -> Option<Value> {
        self.expected_of(old, None)
    }

    /// What has a list `items` is a list, whatever its kind, and one of nothing where a list's are null; its items may leave out their type.
    fn change_objects(&self, value: &mut Value, name: Option<&str>, of_list: &str) -> Option<()> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let has_type = !(text("kind").is_empty() && text("apiVersion").is_empty());
        let kind = if has_type { text("kind") } else { of_list.to_owned() };
        if !kind.is_empty()
            && let Some(items) = value.get_mut("items").and_then(Value::as_array_mut)
        {
            let of_items = kind.strip_suffix("List").unwrap_or_default();
            return items.iter_mut().try_for_each(|item| self.change_objects(item, name, of_items));
        }
        if kind.ends_with("List") && value.get("items").is_some_and(Value::is_null) {
            return Some(());
        }
        let named = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if kind.is_empty() || name.is_some_and(|name| name != named) {
            return Some(());
        }
        // Keys at the end of a path may be missing, items never are made.
        let path = self.path();
        let keys = path.iter().rposition(|key| key == EVERY).map_or(0, |every| every + 1);
        let (fixed, keys) = path.split_at(keys);
        each(value, fixed, &mut |place| self.change(place, keys))
    }

    fn change(&self, object: &mut Value, at: &[String]) -> Option<()> {
        match self {
            Self::Set(_, value) => {
                let place = make(object, at)?;
                if place.is_object() || place.is_array() {
                    return None;
                }
                *place = value.clone();
            }
            Self::Remove(_) => {
                let (last, above) = at.split_last()?;
                if let Some(Value::Object(map)) = find(object, above) {
                    map.shift_remove(last);
                }
            }
            Self::Add(_, item) => match make(object, at)? {
                Value::Array(items) if items.contains(item) => {}
                Value::Array(items) => items.push(item.clone()),
                place @ Value::Null => *place = json!([item]),
                _ => return None,
            },
            Self::Without(_, text) => {
                if let Some(Value::Array(items)) = find(object, at) {
                    let words = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                    items.retain(|item| item.is_array() || item.is_object() || words(item) != *text);
                }
            }
        }
        Some(())
    }
}

/// Tells whether keys lead to a label or an annotation.
fn marks(at: &[String]) -> Option<(&str, &str)> {
    match at {
        [metadata, section, key] if metadata == "metadata" && (section == "labels" || section == "annotations") => {
            Some((section, key))
        }
        _ => None,
    }
}

/// Does something to every value at those steps that is there.
fn each(value: &mut Value, path: &[String], act: &mut dyn FnMut(&mut Value) -> Option<()>) -> Option<()> {
    match path {
        [] => act(value),
        [every, rest @ ..] if every == EVERY => match value {
            Value::Array(items) => items.iter_mut().try_for_each(|item| each(item, rest, act)),
            _ => Some(()),
        },
        [key, rest @ ..] => value.get_mut(key).map_or(Some(()), |below| each(below, rest, act)),
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
    edited_where(text, edits, None)
}

/// Returns the stream after the edits of objects of that name, or of all.
pub(crate) fn edited_where(text: &[u8], edits: &[&Edit], name: Option<&str>) -> Result<Vec<u8>, String> {
    let names: Vec<NamePattern> = name.iter().map(|name| name.parse().expect("a name")).collect();
    let rule = |(index, edit): (usize, &&Edit)| {
        let select = Select { names: names.clone(), ..Select::default() };
        Rule { name: format!("edit-{index}"), select, ..edit.rule() }
    };
    let rules: Vec<Rule> = edits.iter().enumerate().map(rule).collect();
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
