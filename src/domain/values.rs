//! Values: what an upgrade would lose of them, and how Helm lays one over another.

use serde_json::{Map, Value};

use super::facts::LostValue;
use super::field_path;

/// Returns what the user values of the current revision set and the next ones leave out. A value that merely changed is
/// not lost; of a subtree that is gone only the top is named; a list is one value.
///
/// A null counts: it removes a default of the chart.
#[must_use]
pub fn lost(current: &Value, next: &Value) -> Vec<LostValue> {
    let mut paths = Vec::new();
    let nothing = Map::new();
    if let Value::Object(current) = current {
        collect_lost("", current, next.as_object().unwrap_or(&nothing), &mut paths);
    }
    paths
}

fn collect_lost(parent: &str, current: &Map<String, Value>, next: &Map<String, Value>, paths: &mut Vec<LostValue>) {
    for (key, value) in current {
        let path = field_path::child(parent, key);
        match (value, next.get(key)) {
            (_, None) => {
                if has_leaf(value) {
                    paths.push(LostValue { path });
                }
            }
            (Value::Object(current), Some(Value::Object(next))) => collect_lost(&path, current, next, paths),
            (_, Some(_)) => {}
        }
    }
}

/// A mapping without any value in it sets nothing.
fn has_leaf(value: &Value) -> bool {
    value.as_object().is_none_or(|map| map.values().any(has_leaf))
}

/// Returns `base` with `over` laid upon it: mappings are merged, all else is replaced, and a null takes a key of `base`
/// away. A null for a key that `base` does not have stays.
///
/// Source: Helm `pkg/chart/common/util/coalesce.go`, `CoalesceTables`.
#[must_use]
pub fn merge_values(base: &Value, over: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (base, over) else { return over.clone() };
    let mut merged = base.clone();
    for (key, value) in over {
        match (merged.get_mut(key), value) {
            (Some(_), Value::Null) => {
                merged.shift_remove(key);
            }
            (Some(below), value) => *below = merge_values(below, value),
            (None, value) => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn paths(current: &Value, next: &Value) -> Vec<String> {
        lost(current, next).into_iter().map(|lost| lost.path).collect()
    }

    #[test]
    fn a_lost_subtree_is_named_by_its_top() {
        let current = json!({"global": {"ingress": {"domain": "a", "tls": {"enabled": true}}, "x": 1}});
        assert_eq!(paths(&current, &json!({"global": {"x": 1}})), ["global.ingress"]);
        assert_eq!(paths(&current, &Value::Null), ["global"]);
    }

    #[test]
    fn a_changed_value_is_not_lost() {
        let current = json!({"a": 1, "b": [1, 2], "c": {"d": 1}, "e": 1});
        assert_eq!(paths(&current, &json!({"a": 2, "b": [], "c": "text", "e": null})), Vec::<String>::new());
    }

    #[test]
    fn a_null_counts_and_an_empty_mapping_does_not() {
        assert_eq!(paths(&json!({"a": null, "b": {"c": {}}}), &json!({})), ["a"]);
    }

    #[test]
    fn a_key_with_a_dot_is_quoted() {
        assert_eq!(paths(&json!({"a": {"b.c": 1}}), &json!({"a": {}})), ["a.\"b.c\""]);
    }

    #[test]
    fn a_null_takes_a_default_away() {
        let base = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1]});
        let over = json!({"a": null, "b": {"c": null, "f": 3}, "e": [2], "g": null});
        assert_eq!(merge_values(&base, &over), json!({"b": {"d": 2, "f": 3}, "e": [2], "g": null}));
    }

    #[test]
    fn what_lies_above_wins_over_a_mapping_and_under_one() {
        assert_eq!(merge_values(&json!({"a": {"b": 1}}), &json!({"a": 2})), json!({"a": 2}));
        assert_eq!(merge_values(&json!({"a": 2}), &json!({"a": {"b": 1}})), json!({"a": {"b": 1}}));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
        let tree = leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        proptest::collection::btree_map("[a-d]", tree, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    fn values_without_null() -> impl Strategy<Value = Value> {
        values().prop_map(|values| {
            let text = values.to_string().replace("null", "0");
            serde_json::from_str(&text).expect("JSON still")
        })
    }

    proptest! {
        #[test]
        fn nothing_is_lost_where_nothing_changed(current in values()) {
            prop_assert_eq!(lost(&current, &current), vec![]);
        }

        #[test]
        fn nothing_is_lost_by_laying_values_without_nulls_above(current in values(), over in values_without_null()) {
            prop_assert_eq!(lost(&current, &merge_values(&current, &over)), vec![]);
        }

        #[test]
        fn merging_twice_changes_nothing_more(base in values(), over in values_without_null()) {
            let once = merge_values(&base, &over);
            prop_assert_eq!(merge_values(&once, &over), once);
        }
    }
}
