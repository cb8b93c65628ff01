//! Strategic merge patch, as the API server applies it: maps.
//!
//! Source of every rule here and in `lists`: `k8s.io/apimachinery/pkg/util/strategicpatch/patch.go`, `StrategicMergeMapPatch`
//! with `MergeParallelList` and `IgnoreUnmatchedNulls`, which is how the server calls it.

use serde_json::{Map, Value};

use super::schema::{Rule, Schema, Strategy, TypeRef};
use super::{PatchError, lists};
use crate::domain::field_path;

/// In a map: `replace` or `delete` it as a whole; in an item of a list: delete that item, or replace the whole list.
pub(super) const DIRECTIVE: &str = "$patch";
/// The fields of a map that stay; all others go.
const RETAIN_KEYS: &str = "$retainKeys";
/// Items that leave a list of plain values.
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
/// The order that the items of a merged list shall have.
const ELEMENT_ORDER: &str = "$setElementOrder";

/// Returns `base` with the patch applied; both must be maps.
pub(super) fn apply(base: &Value, patch: &Value, schema: Option<&Schema>) -> Result<Value, PatchError> {
    let (Value::Object(base), Value::Object(patch)) = (base, patch) else {
        return Err(PatchError::unfit("", "it is no mapping"));
    };
    let root = Place { known: schema.map(Schema::root), path: String::new() };
    merge_maps(base.clone(), patch.clone(), &root).map(Value::Object)
}

/// A value within the object: its path, and its type if there is a schema.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    known: Option<TypeRef<'a>>,
    pub(super) path: String,
}

impl<'a> Place<'a> {
    pub(super) fn unfit(&self, problem: impl Into<String>) -> PatchError {
        PatchError::unfit(&self.path, problem)
    }

    /// Returns the item of this list that `key` tells apart.
    pub(super) fn item(&self, key: &str, value: &Value) -> Self {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { known: self.known, path: field_path::keyed_item(&self.path, key, &value) }
    }

    fn path_of(&self, field: &str) -> String {
        field_path::child(&self.path, field)
    }

    /// Returns the rule of a map that is here and in the patch, and the place of it.
    fn map(&self, field: &str) -> Result<(Rule<'a>, Self), PatchError> {
        // The only map of a core kind with another strategy: `spec.selector` of `k8s.io/api/policy/v1` PodDisruptionBudget.
        self.field(field, field != "selector")
    }

    /// Returns the rule of a list that is here and in the patch, and the place of it.
    fn list(&self, field: &str) -> Result<(Rule<'a>, Self), PatchError> {
        self.field(field, false)
    }

    fn field(&self, field: &str, may_do_without: bool) -> Result<(Rule<'a>, Self), PatchError> {
        let path = self.path_of(field);
        match self.known {
            Some(known) => match known.field(field) {
                Some((rule, inner)) => Ok((rule, Self { known: Some(inner), path })),
                None => Err(PatchError::unfit(&path, "the kind has no such field")),
            },
            None if may_do_without => {
                Ok((Rule { strategy: Strategy::Default, merge_key: None }, Self { known: None, path }))
            }
            None => Err(PatchError::NeedsSchema { path }),
        }
    }
}

/// Returns `original` with the patch merged into it.
pub(super) fn merge_maps(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    place: &Place<'_>,
) -> Result<Map<String, Value>, PatchError> {
    if let Some(directive) = patch.shift_remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(place.unfit(format!("`{DIRECTIVE}: {directive}` is unknown"))),
        };
    }
    retain_keys(&mut original, &mut patch, place)?;
    order_lists(&mut original, &mut patch, place)?;
    for (key, value) in patch {
        let (field, is_deletion) = match directed_field(&key, DELETE_FROM_LIST, place)? {
            Some(field) => (field, true),
            None => (key.as_str(), false),
        };
        if value.is_null() {
            original.shift_remove(field);
            continue;
        }
        let Some(there) = original.get_mut(field) else {
            if !is_deletion && let Some(value) = without_directives(without_nulls(value)) {
                original.insert(field.to_owned(), value);
            }
            continue;
        };
        let merged = match (there.take(), value) {
            (Value::Object(there), Value::Object(value)) => {
                let (rule, inner) = place.map(field)?;
                let is_replaced = rule.strategy == Strategy::Replace;
                Some(Value::Object(if is_replaced { value } else { merge_maps(there, value, &inner)? }))
            }
            (Value::Array(there), Value::Array(value)) => {
                let (rule, inner) = place.list(field)?;
                Some(Value::Array(lists::merge(there, value, rule, is_deletion, &inner)?))
            }
            (there, _) if is_deletion => Some(there),
            (_, value) => without_directives(without_nulls(value)),
        };
        match merged {
            Some(merged) => *there = merged,
            None => drop(original.shift_remove(field)),
        }
    }
    Ok(original)
}

/// Returns the field that a key such as `$setElementOrder/containers` is about; nothing if it is no such key.
fn directed_field<'k>(key: &'k str, directive: &str, place: &Place<'_>) -> Result<Option<&'k str>, PatchError> {
    if !key.starts_with(directive) {
        return Ok(None);
    }
    match key.split_once('/') {
        Some((start, field)) if start == directive => Ok(Some(field)),
        _ => Err(place.unfit(format!("`{key}` names no field"))),
    }
}

/// `$retainKeys` names every field that stays; the patch may set no other.
fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), PatchError> {
    let Some(retained) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(retained) = retained else {
        return Err(place.unfit(format!("`{RETAIN_KEYS}` is no list")));
    };
    let stays = |key: &str| retained.iter().any(|retained| retained.as_str() == Some(key));
    for (key, value) in patch {
        let is_directive = key.starts_with(DELETE_FROM_LIST) || key.starts_with(ELEMENT_ORDER);
        if !value.is_null() && !is_directive && !stays(key) {
            return Err(place.unfit(format!("`{key}` is set, but not in `{RETAIN_KEYS}`")));
        }
    }
    original.retain(|key, _| stays(key));
    Ok(())
}

/// Merges every list that has a `$setElementOrder`, and takes it out of the patch.
fn order_lists(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), PatchError> {
    let keys: Vec<String> = patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for key in keys {
        let Some(field) = directed_field(&key, ELEMENT_ORDER, place)? else { continue };
        let list = |value: Option<Value>| match value {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(PatchError::unfit(&place.path_of(field), "it is no list")),
        };
        let order = list(patch.shift_remove(&key))?.unwrap_or_default();
        let there = list(original.get(field).cloned())?;
        let given = list(patch.shift_remove(field))?;
        let (rule, inner) = place.list(field)?;
        if let Some(merged) = lists::merge_ordered(there, given, &order, rule, &inner)? {
            original.insert(field.to_owned(), Value::Array(merged));
        }
    }
    Ok(())
}

/// Drops the nulls of every map within.
fn without_nulls(mut value: Value) -> Value {
    drop_nulls(&mut value);
    value
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Drops every map within that holds a `$patch`; nothing is left if the whole does.
///
/// The other directives stay where they are, as they do on the server, which then meets them as unknown fields.
pub(super) fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => Some(Value::Object(
            map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?))).collect(),
        )),
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        plain => Some(plain),
    }
}
