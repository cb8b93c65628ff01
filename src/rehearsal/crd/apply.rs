//! Server-side apply of a custom resource on the object that is there: what `metadata.managedFields` says of its owners decides
//! what stays.
//!
//! Source: `sigs.k8s.io/structured-merge-diff/v6/merge` `Updater.Apply`; `fieldpath/serialize-pe.go`, `FieldsV1`: `f:NAME` is a
//! field, `k:{...}` the item with those keys, `v:...` the item with that value, `.` the thing itself; an empty map is owned with
//! all that is in it.

use serde_json::{Map, Value};

use super::schema::Schema;
use super::{Definition, cause, fill};

/// What a manager owns of an object or a part of it.
type Owned = Map<String, Value>;

/// A server-side apply.
#[derive(Debug, Clone, Copy)]
pub struct Apply<'a> {
    /// What is applied.
    pub body: &'a Value,
    /// The field manager who does it.
    pub manager: &'a str,
    /// Whether fields are taken from their other owners.
    pub is_forced: bool,
}

impl Definition {
    /// Returns `live` as the server reads it: without the fields that the definition does not know.
    #[must_use]
    pub fn as_read(&self, live: &Value, api_version: &str) -> Value {
        let mut live = live.clone();
        if let Some(schema) = self.schema_in(api_version) {
            fill::prune(&mut live, schema);
        }
        live
    }

    /// Returns `live` after an apply that nobody refuses: what is applied wins, and what this manager alone applied before and
    /// now leaves out goes.
    ///
    /// # Errors
    /// Why that cannot be told, in one line: somebody else owns a part of it, too.
    pub fn merge_applied(&self, live: &Value, apply: Apply<'_>) -> Result<Value, String> {
        let api_version = apply.body.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let mut merged = self.as_read(live, api_version);
        let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (own, others): (Vec<&Value>, Vec<&Value>) = entries.iter().partition(|entry| {
            text(entry, "manager") == apply.manager
                && text(entry, "operation") == "Apply"
                && text(entry, "subresource").is_empty()
        });
        let fields = |entries: Vec<&'_ Value>| -> Vec<Owned> {
            entries.iter().filter_map(|entry| entry.get("fieldsV1")?.as_object().cloned()).collect()
        };
        let (own, others) = (fields(own), fields(others));
        let others: Vec<&Owned> = others.iter().collect();
        for own in &own {
            take_out(&mut merged, Some(apply.body), own, &others, "")?;
        }
        merge(&mut merged, apply, self.schema_in(api_version), &others, "")?;
        Ok(merged)
    }

    fn schema_in(&self, api_version: &str) -> Option<&Schema> {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        self.served(version).map(|version| &version.schema)
    }
}

/// Returns of each owner what it owns below a field; nothing of those who do not own it.
fn below<'a>(owners: &[&'a Owned], key: &str) -> Vec<&'a Owned> {
    owners.iter().filter_map(|owned| owned.get(key)?.as_object()).collect()
}

/// Takes out of `live` what is in `own` and neither in `body` nor anybody else's.
fn take_out(live: &mut Value, body: Option<&Value>, own: &Owned, others: &[&Owned], path: &str) -> Result<(), String> {
    let Some(fields) = live.as_object_mut() else { return Ok(()) };
    for (key, owned) in own {
        // Items of lists are the merge's business where the list is applied.
        let (Some(name), Some(owned)) = (key.strip_prefix("f:"), owned.as_object()) else { continue };
        let path = cause::child(path, name);
        let applied = body.and_then(|body| body.get(name));
        let others = below(others, key);
        // Who owns it as a whole keeps all of it.
        let is_kept = others.iter().any(|owned| owned.is_empty());
        let Some(value) = fields.get_mut(name).filter(|_| !is_kept) else { continue };
        if owned.is_empty() || !value.is_object() {
            match applied {
                Some(_) => {}
                None if others.is_empty() => drop(fields.shift_remove(name)),
                None => return Err(shared(&path)),
            }
            continue;
        }
        let was_filled = value.as_object().is_some_and(|fields| !fields.is_empty());
        take_out(value, applied, owned, &others, &path)?;
        if applied.is_none() && was_filled && value.as_object().is_some_and(Map::is_empty) {
            fields.shift_remove(name);
        }
    }
    Ok(())
}

/// Puts what is applied into `live`.
fn merge(
    live: &mut Value,
    apply: Apply<'_>,
    schema: Option<&Schema>,
    others: &[&Owned],
    path: &str,
) -> Result<(), String> {
    let is_atomic = schema.is_some_and(|schema| schema.map_type.as_deref() == Some("atomic"));
    if let (Value::Object(fields), Value::Object(applied), false) = (&mut *live, apply.body, is_atomic) {
        for (name, value) in applied {
            let schema = schema.and_then(|schema| schema.field(name));
            let path = cause::child(path, name);
            let others = below(others, &format!("f:{name}"));
            match fields.get_mut(name) {
                Some(before) => merge(before, Apply { body: value, ..apply }, schema, &others, &path)?,
                None => drop(fields.insert(name.clone(), value.clone())),
            }
        }
        return Ok(());
    }
    if live == apply.body {
        return Ok(());
    }
    let has_items = |owned: &&Owned| owned.keys().any(|key| key.starts_with("k:") || key.starts_with("v:"));
    let is_keyed = schema.is_some_and(|schema| matches!(schema.list_type.as_deref(), Some("map" | "set")));
    let is_merged = apply.body.is_array() && (is_keyed || others.iter().any(has_items));
    if !others.is_empty() && (is_merged || !apply.is_forced) {
        return Err(shared(path));
    }
    live.clone_from(apply.body);
    Ok(())
}

fn shared(path: &str) -> String {
    format!(
        "somebody else owns {path} too, and the definition is changed by the same command: what is left is not known"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition() -> Definition {
        let text = json!({"type": "string"});
        let list = |kind: &str| {
            json!({"type": "array", "x-kubernetes-list-type": kind, "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": text, "value": text}}})
        };
        let spec = json!({"type": "object", "properties": {"new": text, "kept": text, "env": list("map"), "args": list("atomic"),
            "deep": {"type": "object", "properties": {"a": text, "b": text}}}});
        Definition::read(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "gauges", "kind": "Gauge"},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]}}))
        .expect("a definition")
    }

    fn gauge(spec: &Value) -> Value {
        json!({"apiVersion": "example.com/v1", "kind": "Gauge", "metadata": {"name": "a"}, "spec": spec})
    }

    fn owned(manager: &str, operation: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": fields}})
    }

    /// Returns the spec after an apply by `helm`.
    fn merged(live: &Value, owners: &[Value], applied: &Value, is_forced: bool) -> Result<Value, String> {
        let mut live = gauge(live);
        live["metadata"]["managedFields"] = json!(owners);
        let body = gauge(applied);
        let merged = definition().merge_applied(&live, Apply { body: &body, manager: "helm", is_forced })?;
        assert_eq!(merged["metadata"], live["metadata"]);
        Ok(merged["spec"].clone())
    }

    #[test]
    fn what_the_definition_no_longer_has_goes_and_what_nobody_applied_stays() {
        let live = json!({"old": "1", "kept": "1"});
        assert_eq!(merged(&live, &[], &json!({"new": "2"}), false), Ok(json!({"kept": "1", "new": "2"})));
        // What the definition does not know stays where it is applied: that is refused.
        assert_eq!(merged(&live, &[], &json!({"old": "2"}), false), Ok(json!({"kept": "1", "old": "2"})));
    }

    #[test]
    fn what_the_manager_alone_applied_and_leaves_out_goes() {
        let live = json!({"kept": "1", "deep": {"a": "1", "b": "1"}, "args": [{"name": "x"}]});
        let all = json!({"f:kept": {}, "f:deep": {"f:a": {}, "f:b": {}}, "f:args": {}});
        let of_helm = owned("helm", "Apply", &all);
        let applied = json!({"deep": {"a": "1"}});
        assert_eq!(merged(&live, std::slice::from_ref(&of_helm), &applied, false), Ok(applied.clone()));
        assert_eq!(merged(&live, std::slice::from_ref(&of_helm), &json!({}), false), Ok(json!({})));
        // What it wrote otherwise, or another did, stays.
        for other in [owned("helm", "Update", &all), owned("other", "Apply", &all)] {
            assert_eq!(merged(&live, &[of_helm.clone(), other.clone()], &applied, false), Ok(live.clone()));
            assert_eq!(merged(&live, &[other], &applied, false), Ok(live.clone()));
        }
        let of_other = owned("other", "Update", &json!({"f:deep": {"f:b": {}}}));
        assert_eq!(merged(&live, &[of_helm, of_other], &applied, false), Ok(json!({"deep": {"a": "1", "b": "1"}})));
    }

    #[test]
    fn what_somebody_else_owns_too_cannot_be_told() {
        let live = json!({"kept": "1", "env": [{"name": "a", "value": "1"}], "args": [{"name": "x"}]});
        let env = json!({"f:env": {"k:{\"name\":\"a\"}": {".": {}, "f:name": {}, "f:value": {}}}});
        let (of_helm, of_other) = (owned("helm", "Apply", &env), owned("other", "Apply", &env));
        let changed = json!({"env": [{"name": "b", "value": "1"}]});
        let expected = json!({"kept": "1", "args": [{"name": "x"}], "env": [{"name": "b", "value": "1"}]});
        assert_eq!(merged(&live, std::slice::from_ref(&of_helm), &changed, false), Ok(expected));
        assert!(merged(&live, std::slice::from_ref(&of_other), &changed, true).is_err());
        assert!(merged(&live, &[of_helm, of_other], &json!({}), true).is_err());
        for (field, value) in [("kept", json!("2")), ("args", json!([{"name": "y"}]))] {
            let fields: Map<String, Value> = [(format!("f:{field}"), json!({}))].into_iter().collect();
            let of_other = [owned("other", "Update", &Value::Object(fields))];
            let changed: Map<String, Value> = [(field.to_owned(), value)].into_iter().collect();
            let changed = Value::Object(changed);
            assert!(merged(&live, &of_other, &changed, false).is_err(), "a conflict");
            assert!(merged(&live, &of_other, &changed, true).is_ok());
        }
    }
}
