//! Fields that somebody changed in the cluster since the release was made, and that the write sets back.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::manager::{Owner, Step, owner};
use super::{HandEdit, drop_field, group_of, kind_of, quantity, settled, shown};
use crate::domain::content::{self, Difference};
use crate::domain::field_path;

/// Finds what [`super::hand_edits`] returns.
pub(super) fn find(old_manifest: &Value, live: &Value, after: &Value) -> Vec<HandEdit> {
    let (group, kind) = (group_of(old_manifest, live), kind_of(old_manifest, live));
    let (settled_live, after) = settled(live, after);
    let mut manifest = old_manifest.clone();
    content::strip(&mut manifest, group, kind);
    for field in ["apiVersion", "kind"] {
        drop_field(&mut manifest, field);
    }
    if kind == "Secret" {
        fold_string_data(&mut manifest);
    }
    let [manifest, shown_live, after] =
        [&manifest, &settled_live, &after].map(|object| shown::without_secrets(object, kind));
    let mut walk = Walk { live, steps: Vec::new(), edits: Vec::new() };
    walk.compare("", "", &manifest, Some(&shown_live), Some(&after));
    walk.edits
}

/// The server turns `stringData` into `data`.
fn fold_string_data(secret: &mut Value) {
    let Some(fields) = secret.as_object_mut() else { return };
    let Some(Value::Object(texts)) = fields.shift_remove("stringData") else { return };
    let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
    let Some(data) = data.as_object_mut() else { return };
    for (key, value) in texts {
        if let Some(text) = value.as_str() {
            data.insert(key, Value::from(BASE64_STANDARD.encode(text)));
        }
    }
}

struct Walk<'a> {
    /// As the server gave it, with its `managedFields`.
    live: &'a Value,
    /// The way to the field in hand.
    steps: Vec<Step>,
    edits: Vec<HandEdit>,
}

impl Walk<'_> {
    /// Compares what the manifest sets at `path`; `parent` is the name of the map around it.
    fn compare(&mut self, path: &str, parent: &str, set: &Value, live: Option<&Value>, after: Option<&Value>) {
        match (set, live) {
            (Value::Null, _) => {}
            (Value::Object(set), Some(Value::Object(there))) => {
                let name = self.name();
                for (key, set) in set {
                    let after = after.and_then(|after| after.get(key));
                    let path = field_path::child(path, key);
                    self.within(Step::Field(key.clone()), |walk| {
                        walk.compare(&path, &name, set, there.get(key), after);
                    });
                }
            }
            (Value::Array(set_items), Some(Value::Array(there))) => {
                let items = after.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                if let Some(key) = content::item_key(&[set_items, there, items]) {
                    self.compare_keyed(path, key, set_items, there, items);
                } else if [there.len(), items.len()] == [set_items.len(); 2] && set_items.iter().all(Value::is_object) {
                    for (index, set) in set_items.iter().enumerate() {
                        let path = field_path::item(path, index);
                        // Only a list without keys comes here, and that is owned as a whole.
                        self.compare(&path, "", set, there.get(index), items.get(index));
                    }
                } else {
                    self.compare_plain(path, parent, set, live, after);
                }
            }
            _ => self.compare_plain(path, parent, set, live, after),
        }
    }

    fn compare_keyed(&mut self, path: &str, key: &str, set: &[Value], live: &[Value], after: &[Value]) {
        for item in set {
            let there = content::same_item(live, key, item);
            let step = Step::Item(there.unwrap_or(item).clone());
            let path = content::item_path(path, key, item);
            self.within(step, |walk| walk.compare(&path, "", item, there, content::same_item(after, key, item)));
        }
        // Added by hand, and dropped because the server takes the list as one value.
        let is_dropped =
            |item: &&Value| [set, after].iter().all(|items| content::same_item(items, key, item).is_none());
        for item in live.iter().filter(is_dropped) {
            let path = content::item_path(path, key, item);
            self.within(Step::Item(item.clone()), |walk| walk.add(path, Some(item), None));
        }
    }

    fn compare_plain(&mut self, path: &str, parent: &str, set: &Value, live: Option<&Value>, after: Option<&Value>) {
        // The server leaves out what is empty.
        let [set, live, after] = [Some(set), live, after].map(|value| value.filter(|value| !is_empty(value)));
        let field = self.name();
        let same = |one: Option<&Value>, other: Option<&Value>| match (one, other) {
            (Some(one), Some(other)) => covers(parent, &field, one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let stays = same(live, after) && same(after, live);
        if !same(set, live) && !stays {
            self.add(path.to_owned(), live, after);
        }
    }

    fn add(&mut self, path: String, live: Option<&Value>, after: Option<&Value>) {
        let manager = match owner(self.live, &self.steps) {
            Owner::Expected => return,
            Owner::Unknown => None,
            Owner::Other(manager) => Some(manager),
        };
        let path = if path.is_empty() { ".".to_owned() } else { path };
        let change = shown::change(Difference { path, before: live, after });
        self.edits.push(HandEdit { change, manager });
    }

    /// Returns the name of the field in hand; empty for an item.
    fn name(&self) -> String {
        match self.steps.last() {
            Some(Step::Field(name)) => name.clone(),
            _ => String::new(),
        }
    }

    fn within(&mut self, step: Step, compare: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        compare(self);
        self.steps.pop();
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Tells whether `live` has all that is set, whatever else the server filled in.
fn covers(parent: &str, field: &str, set: &Value, live: &Value) -> bool {
    match (set, live) {
        (Value::Object(set), Value::Object(live)) => set.iter().all(|(key, set)| {
            let live = live.get(key).unwrap_or(&Value::Null);
            is_empty(set) && is_empty(live) || covers(field, key, set, live)
        }),
        (Value::Array(set), Value::Array(live)) => {
            set.len() == live.len() && set.iter().zip(live).all(|(set, live)| covers("", "", set, live))
        }
        _ => quantity::means_the_same(parent, field, set, live),
    }
}
