//! Strategic merge patch, as the API server applies it: lists, and the order of their items.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::PatchError;
use super::schema::{Rule, Strategy};
use super::strategic::{DIRECTIVE, Place, merge_maps, without_directives};

/// What the items of a list are told apart by.
#[derive(Debug, Clone, Copy)]
enum Identity<'a> {
    /// The value of this field.
    Field(&'a str),
    /// Themselves: they are plain values.
    Whole,
}

impl Identity<'_> {
    fn of(self, item: &Value) -> Option<&Value> {
        match self {
            Self::Field(key) => item.get(key),
            Self::Whole => Some(item),
        }
    }

    fn same(self, one: &Value, other: &Value) -> bool {
        self.of(one) == self.of(other)
    }

    fn position(self, list: &[Value], item: &Value) -> Option<usize> {
        list.iter().position(|other| self.same(other, item))
    }
}

/// Returns the two lists merged, the one of the patch first in rank; `is_deletion` takes its items out of `original`.
pub(super) fn merge(
    original: Vec<Value>,
    patch: Vec<Value>,
    rule: Rule<'_>,
    is_deletion: bool,
    place: &Place<'_>,
) -> Result<Vec<Value>, PatchError> {
    if !is_deletion && rule.strategy != Strategy::Merge {
        return Ok(patch);
    }
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    if are_maps(&[&original, &patch], place)? {
        let Some(key) = rule.merge_key else {
            return Err(place.unfit("its items have no key to be merged by"));
        };
        return merge_maps_by(original, patch, key, place).map(|(merged, _)| merged);
    }
    if is_deletion {
        return Ok(original.into_iter().filter(|item| !patch.contains(item)).collect());
    }
    let mut merged: Vec<Value> = Vec::with_capacity(original.len() + patch.len());
    for item in original.iter().chain(&patch) {
        if !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    arrange(merged, &patch, &original, Identity::Whole, place)
}

/// Returns the two lists of maps merged, and what the server then takes for the order of before.
///
/// The server works in place: what it appends comes to stand where deleted items were, as far as the list of before went. So
/// a new item may count as if it had been there, and the places of the others follow from it.
fn merge_maps_by(
    original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    place: &Place<'_>,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut before = original.clone();
    let mut left = original;
    let mut given = Vec::with_capacity(patch.len());
    let mut is_replaced = false;
    for item in patch {
        match item.get(DIRECTIVE).map(Value::as_str) {
            None => given.push(item),
            Some(Some("delete")) => {
                let deleted = key_of(&item, key, place)?;
                while let Some(at) = left.iter().position(|item| item.get(key) == Some(deleted)) {
                    left.remove(at);
                    overwrite(&mut before, &left);
                }
            }
            Some(Some("replace")) => is_replaced = true,
            Some(_) => return Err(place.unfit(format!("an item's `{DIRECTIVE}` is neither delete nor replace"))),
        }
    }
    if is_replaced {
        let merged = arrange(given.clone(), &[], &given, Identity::Field(key), place)?;
        return Ok((merged, before));
    }
    let merged = merge_items(left.clone(), &given, key, place)?;
    overwrite(&mut before, &merged);
    Ok((arrange(merged, &given, &left, Identity::Field(key), place)?, before))
}

fn overwrite(cells: &mut [Value], items: &[Value]) {
    for (cell, item) in cells.iter_mut().zip(items) {
        cell.clone_from(item);
    }
}

/// Returns the two lists merged and in the order of `$setElementOrder`; nothing if there is neither.
///
/// What the order does not name stays near its neighbours of before.
pub(super) fn merge_ordered(
    original: Option<Vec<Value>>,
    patch: Option<Vec<Value>>,
    order: &[Value],
    rule: Rule<'_>,
    place: &Place<'_>,
) -> Result<Option<Vec<Value>>, PatchError> {
    let identity = rule.merge_key.map_or(Identity::Whole, Identity::Field);
    check_order(patch.as_deref().unwrap_or_default(), order, identity, place)?;
    let mut before = original.clone().unwrap_or_default();
    let given = patch.clone().unwrap_or_default();
    let merged = match (original, patch) {
        (None, None) => return Ok(None),
        (Some(original), None) => original,
        (None, Some(patch)) => patch.into_iter().filter_map(without_directives).collect(),
        (Some(original), Some(patch)) => match identity {
            Identity::Field(key) if rule.strategy == Strategy::Merge && are_maps(&[&original, &patch], place)? => {
                let (merged, then_before) = merge_maps_by(original, patch, key, place)?;
                before = then_before;
                merged
            }
            _ => merge(original, patch, rule, false, place)?,
        },
    };
    if before.is_empty() && given.is_empty() {
        return Err(place.unfit("there is an order, but no item"));
    }
    if are_maps(&[&before, &given], place)? && rule.merge_key.is_none() {
        return Err(place.unfit("its items have no key to be ordered by"));
    }
    arrange(merged, order, &before, identity, place).map(Some)
}

/// Tells whether the items are maps; else they are plain values.
///
/// # Errors
/// They are of several types, null, or lists.
fn are_maps(lists: &[&[Value]], place: &Place<'_>) -> Result<bool, PatchError> {
    let mut items = lists.iter().copied().flatten();
    let Some(first) = items.next() else { return Ok(false) };
    if matches!(first, Value::Null | Value::Array(_)) {
        return Err(place.unfit("a list of lists or nulls cannot be merged"));
    }
    if items.any(|item| type_of(item) != type_of(first)) {
        return Err(place.unfit("its items are not of one type"));
    }
    Ok(first.is_object())
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(number) if number.is_f64() => 2,
        Value::Number(_) => 3,
        Value::String(_) => 4,
        Value::Array(_) => 5,
        Value::Object(_) => 6,
    }
}

/// The items of the patch must stand in the order that it demands, and all be named in it; those that are deleted need not.
fn check_order(patch: &[Value], order: &[Value], identity: Identity<'_>, place: &Place<'_>) -> Result<(), PatchError> {
    if order.is_empty() || patch.is_empty() {
        return Ok(());
    }
    let mut items = Vec::with_capacity(patch.len());
    for item in patch {
        if let Identity::Field(_) = identity {
            let directive = map_of(item, place)?.get(DIRECTIVE);
            if directive.and_then(Value::as_str) == Some("delete") {
                continue;
            }
        }
        items.push(item);
    }
    let mut items = items.into_iter().peekable();
    let mut order = order.iter().peekable();
    while let (Some(item), Some(next)) = (items.peek(), order.peek()) {
        if item.get(DIRECTIVE).is_some() {
            items.next();
            continue;
        }
        if let Identity::Field(key) = identity {
            key_of(item, key, place)?;
            key_of(next, key, place)?;
        }
        if identity.same(item, next) {
            items.next();
        }
        order.next();
    }
    if items.next().is_some() && order.next().is_none() {
        return Err(place.unfit("its items are not in the order that the patch demands"));
    }
    Ok(())
}

fn map_of<'v>(item: &'v Value, place: &Place<'_>) -> Result<&'v Map<String, Value>, PatchError> {
    item.as_object().ok_or_else(|| place.unfit("an item is no mapping"))
}

fn key_of<'v>(item: &'v Value, key: &str, place: &Place<'_>) -> Result<&'v Value, PatchError> {
    match map_of(item, place)?.get(key) {
        None => Err(place.unfit(format!("an item has no `{key}`"))),
        Some(Value::Object(_) | Value::Array(_)) => Err(place.unfit(format!("an item's `{key}` is no plain value"))),
        Some(value) => Ok(value),
    }
}

/// Merges each item of the patch into the one with its key, or appends it.
fn merge_items(
    mut original: Vec<Value>,
    patch: &[Value],
    key: &str,
    place: &Place<'_>,
) -> Result<Vec<Value>, PatchError> {
    for item in patch {
        let name = key_of(item, key, place)?;
        match original.iter_mut().find(|there| there.get(key) == Some(name)) {
            Some(there) => {
                let (was, given) = (map_of(there, place)?.clone(), map_of(item, place)?.clone());
                *there = Value::Object(merge_maps(was, given, &place.item(key, name))?);
            }
            None => original.push(item.clone()),
        }
    }
    Ok(original)
}

/// Returns the items with those named in `order` in that order, and the rest in the order of `before`, interleaved so that
/// both keep near their places of before.
fn arrange(
    items: Vec<Value>,
    order: &[Value],
    before: &[Value],
    identity: Identity<'_>,
    place: &Place<'_>,
) -> Result<Vec<Value>, PatchError> {
    if let Identity::Field(key) = identity {
        for item in items.iter().chain(order).chain(before) {
            key_of(item, key, place)?;
        }
    }
    let (mut ordered, mut rest): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| identity.position(order, item).is_some());
    sort(&mut ordered, order, identity);
    sort(&mut rest, before, identity);

    let place_before = |item: Option<&Value>| item.and_then(|item| identity.position(before, item));
    let mut arranged = Vec::with_capacity(ordered.len() + rest.len());
    let (mut ordered, mut rest) = (ordered.into_iter().peekable(), rest.into_iter().peekable());
    loop {
        let rest_first = match (rest.peek(), ordered.peek()) {
            (None, None) => return Ok(arranged),
            (rest, None) => rest.is_some(),
            (None, _) => false,
            (rest, ordered) => match (place_before(rest), place_before(ordered)) {
                (Some(rest), Some(ordered)) => rest < ordered,
                _ => false,
            },
        };
        arranged.extend(if rest_first { rest.next() } else { ordered.next() });
    }
}

/// Sorts by the place in `order`.
///
/// An item that is not in it comes before all that stand in front of it, as in the insertion sort of Go's `sort.SliceStable`
/// with the server's comparison (exact up to 20 items; it takes an empty `$setElementOrder` to get there).
fn sort(items: &mut [Value], order: &[Value], identity: Identity<'_>) {
    let compare = |one: &Value, other: &Value| match (identity.position(order, one), identity.position(order, other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => Ordering::Less,
    };
    for end in 1..items.len() {
        for at in (1..=end).rev() {
            let (Some(one), Some(other)) = (items.get(at), items.get(at - 1)) else { break };
            if compare(one, other) != Ordering::Less {
                break;
            }
            items.swap(at, at - 1);
        }
    }
}
