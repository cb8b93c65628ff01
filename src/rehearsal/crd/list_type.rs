//! Lists whose items must be unique: `x-kubernetes-list-type` `set` and `map`.
//!
//! Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::cause::{self, Cause, Kind, Shown, go_json};
use super::schema::Schema;

/// Returns every duplicate at or below `value`.
pub(super) fn duplicates(schema: &Schema, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(schema) = schema.properties.get(name) {
                    causes.extend(duplicates(schema, value, &cause::child(path, name)));
                }
                if let Some(schema) = schema.values() {
                    causes.extend(duplicates(schema, value, &cause::key(path, name)));
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type.as_deref() {
                Some("set") => {
                    causes.extend(repeated(path, items, &items.iter().cloned().map(Some).collect::<Vec<_>>()));
                }
                Some("map") => causes.extend(repeated_keys(schema, path, items)),
                _ => {}
            }
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter().enumerate() {
                    causes.extend(duplicates(schema, item, &cause::index(path, at)));
                }
            }
        }
        _ => {}
    }
    causes
}

fn repeated_keys(schema: &Schema, path: &str, items: &[Value]) -> Vec<Cause> {
    if let Some((at, item)) = items.iter().enumerate().find(|(_, item)| !item.is_object() && !item.is_null()) {
        let what = "must be an object for an array of list-type map";
        return vec![Cause::invalid(cause::index(path, at), item.clone(), what)];
    }
    let keys: Vec<Value> = items.iter().map(|item| key_of(schema, item)).collect();
    let compared: Vec<Option<Value>> = match schema.list_map_keys.as_slice() {
        [only] => keys.iter().map(|key| key.get(only).cloned()).collect(),
        _ => keys.iter().cloned().map(Some).collect(),
    };
    repeated(path, &keys, &compared)
}

/// Returns the fields of an item that name it.
fn key_of(schema: &Schema, item: &Value) -> Value {
    let key: Map<String, Value> =
        (schema.list_map_keys.iter()).filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect();
    key.into()
}

/// The second of each is a duplicate; the third is not named again.
fn repeated(path: &str, shown: &[Value], compared: &[Option<Value>]) -> Vec<Cause> {
    let mut seen: HashMap<Option<String>, usize> = HashMap::new();
    let mut causes = Vec::new();
    for (at, (shown, compared)) in shown.iter().zip(compared).enumerate() {
        let times = seen.entry(compared.as_ref().map(identity)).or_default();
        *times += 1;
        if *times == 2 {
            causes.push(Cause {
                kind: Kind::Duplicate,
                field: cause::index(path, at),
                value: Shown::Value(shown.clone()),
                detail: String::new(),
            });
        }
    }
    causes
}

/// To Go the integer 1 and the number 1.0 differ outside of objects and lists.
fn identity(value: &Value) -> String {
    match value {
        Value::Number(_) => value.to_string(),
        _ => go_json(value),
    }
}

/// Returns the item of `old` that has the same key as `item`, if the list is one that has keys.
pub(super) fn same_item<'a>(schema: &Schema, old: Option<&'a Value>, item: &Value) -> Option<&'a Value> {
    if schema.list_type.as_deref() != Some("map") || !item.is_object() {
        return None;
    }
    let key = key_of(schema, item);
    old?.as_array()?.iter().find(|old| old.is_object() && key_of(schema, old) == key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: Value, value: &Value) -> Vec<String> {
        let schema: Schema = serde_json::from_value(schema).expect("a schema");
        duplicates(&schema, value, "l").iter().map(|cause| format!("{}: {}", cause.field, cause.text())).collect()
    }

    #[test]
    fn the_second_of_two_equal_items_is_named() {
        let set = json!({"x-kubernetes-list-type": "set"});
        assert_eq!(told(set.clone(), &json!(["a", "b", "a", "a"])), ["l[2]: Duplicate value: \"a\""]);
        assert!(told(set, &json!([1, 1.0, "1"])).is_empty());
    }

    #[test]
    fn items_of_a_map_differ_in_their_keys() {
        let map = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"]});
        let items = json!([{"port": 1}, {"port": 1, "protocol": "UDP"}, {"port": 1, "x": 2}]);
        assert_eq!(told(map, &items), ["l[2]: Duplicate value: {\"port\":1}"]);
    }
}
