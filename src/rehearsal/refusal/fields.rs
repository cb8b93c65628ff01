//! The fields that a refusal names, with the value before and the value that was wanted.
//!
//! Source of the paths' forms: `k8s.io/apimachinery/pkg/util/validation/field` `Path`
//! (`spec.containers[0].image`, `metadata.labels[a.b/c]`) and `sigs.k8s.io/structured-merge-diff/fieldpath` `PathElement`
//! (`.spec.containers[name="c"].image`, `.metadata.finalizers[="x"]`).

use serde_json::{Value, json};

use super::{Act, RefusedWrite};
use crate::domain::object::{Object, ObjectRef};
use crate::domain::rehearsed::FieldChange;
use crate::domain::{content, field_path, redaction};

/// More fields than this tell a reader nothing.
const FIELD_LIMIT: usize = 20;

/// An object before and as it was wanted; what may be secret is a digest.
pub(super) struct Fields {
    before: Option<Value>,
    after: Option<Value>,
    /// Whether what was sent leaves nothing out that is to stay.
    is_whole: bool,
}

impl Fields {
    /// Reads the scene of a refusal.
    pub(super) fn of(scene: &RefusedWrite<'_>) -> Self {
        let redacted = |value: Option<&Value>| value.and_then(|value| redacted(value, scene.object));
        Self {
            before: redacted(scene.live),
            after: redacted(scene.desired),
            // The server adds volumes to Pods; a patch names only what it changes.
            is_whole: scene.act != Act::Patch && scene.object.kind != "Pod",
        }
    }

    /// Returns the field at a path of the server's, or where that is no single value, what differs below it. A path that
    /// neither object has is returned without values; a path that is none gives nothing.
    pub(super) fn at(&self, path: &str) -> Vec<FieldChange> {
        self.below(path, |_| true)
    }

    /// As [`Self::at`], without the differences that `counts` takes out.
    pub(super) fn below(&self, path: &str, counts: impl Fn(&str) -> bool) -> Vec<FieldChange> {
        let path = path.trim_start_matches('.');
        if path.is_empty() || path == "[]" || path == "<nil>" {
            return Vec::new();
        }
        let in_after = self.after.as_ref().and_then(|after| resolve(after, path));
        let in_before = self.before.as_ref().and_then(|before| resolve(before, path));
        let Some((path, _)) = in_after.as_ref().or(in_before.as_ref()) else {
            return vec![FieldChange { path: path.to_owned(), before: None, after: None }];
        };
        // An index counts the items of what was wanted: in the object before, the same name may stand elsewhere.
        let before = self.before.as_ref().and_then(|before| resolve(before, path)).map(|(_, value)| value);
        let after = in_after.as_ref().map(|(_, value)| *value);
        match (before, after) {
            (Some(before), Some(after)) if is_nested(before) && is_nested(after) => {
                let found = self.differing(path, before, after, counts);
                if found.is_empty() {
                    vec![FieldChange { path: path.clone(), before: None, after: None }]
                } else {
                    found
                }
            }
            // A whole tree that is on one side only says nothing.
            (before, after) => vec![FieldChange {
                path: path.clone(),
                before: before.filter(|value| !is_nested(value)).cloned(),
                after: after.filter(|value| !is_nested(value)).cloned(),
            }],
        }
    }

    /// Returns the fields below `path` that what was wanted sets to another value; what only the server has set is none.
    fn differing(&self, path: &str, before: &Value, after: &Value, counts: impl Fn(&str) -> bool) -> Vec<FieldChange> {
        content::differences(before, after)
            .into_iter()
            .map(|below| match below.as_str() {
                "." => path.to_owned(),
                below if below.starts_with('[') => format!("{path}{below}"),
                below => format!("{path}.{below}"),
            })
            .filter(|path| counts(path))
            .filter_map(|path| {
                let value =
                    |of: &Option<Value>| of.as_ref().and_then(|of| resolve(of, &path)).map(|(_, value)| value.clone());
                let (before, after) = (value(&self.before), value(&self.after));
                let is_left_out = after.is_none() && !(self.is_whole && path.ends_with(']'));
                let is_a_default = matches!((&before, &after), (Some(before), Some(after)) if covers(before, after));
                (!is_left_out && !is_a_default).then_some(FieldChange { path, before, after })
            })
            .take(FIELD_LIMIT)
            .collect()
    }
}

/// Tells whether `wanted` asks for nothing that `live` does not have.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| live.get(key).is_some_and(|live| covers(live, wanted)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        _ => live == wanted,
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn redacted(value: &Value, object: &ObjectRef) -> Option<Value> {
    let mut value = value.clone();
    // A patch names no type, but what is secret depends on it.
    let map = value.as_object_mut()?;
    map.insert("apiVersion".to_owned(), json!(object.api_version));
    map.insert("kind".to_owned(), json!(object.kind));
    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
    metadata.as_object_mut()?.entry("name").or_insert_with(|| json!(object.name));
    Object::new(value).ok().map(|object| redaction::redacted(&object))
}

/// Returns the value at a path of the server's, or of ours, and the path as we write it.
pub(super) fn resolve<'a>(value: &'a Value, path: &str) -> Option<(String, &'a Value)> {
    step(value, path, String::new())
}

fn step<'a>(value: &'a Value, rest: &str, at: String) -> Option<(String, &'a Value)> {
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    if rest.is_empty() {
        return Some((at, value));
    }
    match value {
        Value::Object(map) => {
            if let Some((key, rest)) = bracketed(rest).or_else(|| in_quotes(rest)) {
                let key = in_quotes(key).map_or(key, |(key, _)| key);
                return step(map.get(key)?, rest, field_path::child(&at, key));
            }
            // Keys may hold dots, and paths do not always quote them.
            let mut keys: Vec<(&String, &str)> = map
                .keys()
                .filter_map(|key| {
                    let rest = rest.strip_prefix(key.as_str())?;
                    (rest.is_empty() || rest.starts_with(['.', '['])).then_some((key, rest))
                })
                .collect();
            keys.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
            keys.into_iter().find_map(|(key, rest)| step(map.get(key)?, rest, field_path::child(&at, key)))
        }
        Value::Array(items) => {
            let (selector, rest) = bracketed(rest)?;
            let index = items.iter().enumerate().position(|(index, item)| selects(selector, index, item))?;
            let item = items.get(index)?;
            let at = match item.get("name").and_then(Value::as_str) {
                Some(name) => field_path::keyed_item(&at, "name", name),
                None => field_path::item(&at, index),
            };
            step(item, rest, at)
        }
        _ => None,
    }
}

/// Tells whether `0`, `name="web"`, `containerPort=80,protocol="TCP"` or `="x"` means this item.
fn selects(selector: &str, index: usize, item: &Value) -> bool {
    let is = |value: &Value, wanted: &str| {
        let wanted = in_quotes(wanted).map_or(wanted, |(wanted, _)| wanted);
        match value.as_str() {
            Some(text) => text == wanted,
            None => value.to_string().as_str() == wanted,
        }
    };
    if let Some(wanted) = selector.strip_prefix('=') {
        return is(item, wanted);
    }
    if !selector.contains('=') {
        return selector.parse() == Ok(index);
    }
    selector.split(',').all(|pair| {
        pair.split_once('=').is_some_and(|(key, wanted)| match item.get(key) {
            Some(value) => is(value, wanted),
            // What has a default is often left out of the manifest.
            None => key == "protocol" && is(&json!("TCP"), wanted),
        })
    })
}

/// Parts `[SELECTOR]REST`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let mut is_quoted = false;
    let end = inner.char_indices().find_map(|(at, letter)| {
        is_quoted ^= letter == '"';
        (letter == ']' && !is_quoted).then_some(at)
    })?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}

/// Parts `"KEY"REST`.
fn in_quotes(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolved(path: &str) -> Option<String> {
        let value = json!({
            "metadata": {"labels": {"a.b/c": "1", "a": "2"}, "finalizers": ["x/y", "z"]},
            "spec": {"containers": [
                {"name": "web", "image": "a:1", "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]},
                {"name": "side]car", "image": "b:1"},
            ]},
        });
        resolve(&value, path).map(|(path, value)| format!("{path} = {value}"))
    }

    #[test]
    fn paths_of_every_form_lead_to_their_value() {
        for (path, expected) in [
            ("spec.containers[0].image", "spec.containers[name=web].image = \"a:1\""),
            (".spec.containers[name=\"web\"].image", "spec.containers[name=web].image = \"a:1\""),
            ("spec.containers[name=web].image", "spec.containers[name=web].image = \"a:1\""),
            (".spec.containers[name=\"side]car\"].image", "spec.containers[name=side]car].image = \"b:1\""),
            (
                ".spec.containers[name=\"web\"].ports[containerPort=80,protocol=\"TCP\"].containerPort",
                "spec.containers[name=web].ports[0].containerPort = 80",
            ),
            ("metadata.labels[a.b/c]", "metadata.labels.\"a.b/c\" = \"1\""),
            (".metadata.labels.a.b/c", "metadata.labels.\"a.b/c\" = \"1\""),
            ("metadata.labels.\"a.b/c\"", "metadata.labels.\"a.b/c\" = \"1\""),
            ("metadata.labels.a", "metadata.labels.a = \"2\""),
            (".metadata.finalizers[=\"z\"]", "metadata.finalizers[1] = \"z\""),
        ] {
            assert_eq!(resolved(path).as_deref(), Some(expected), "{path}");
        }
        for path in
            ["spec.nothing", "spec.containers[7]", "spec.containers", "spec.containers[0].image.x", "spec[", "]["]
        {
            let is_list = path == "spec.containers";
            assert_eq!(resolved(path).is_some(), is_list, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_breaks_the_reader(path in r#"[\.\[\]"=,a-c0-2]{0,24}"#) {
            let value = json!({"a": {"b": [{"name": "c", "a": 1}, 2], "a.b": "x"}, "c": "\"]"});
            let _ = resolve(&value, &path);
        }

        #[test]
        fn a_written_path_leads_back_to_where_it_was_found(path in r"a(\.b(\[[01]\](\.(name|a))?)?|\.a\.b)?") {
            let value = json!({"a": {"b": [{"name": "c", "a": 1}, 2], "a.b": "x"}});
            if let Some((written, found)) = resolve(&value, &path) {
                prop_assert_eq!(resolve(&value, &written), Some((written.clone(), found)));
            }
        }
    }
}
