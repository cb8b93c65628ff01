//! What the server makes of an object before it validates it: defaults put in, unknown fields and nulls taken out.
//!
//! Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{defaulting,pruning}`.

use serde_json::Value;

use super::cause;
use super::schema::Schema;

const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Puts defaults in: where a field is absent, and where it is null and may not be.
pub(super) fn put_defaults(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let Some(default) = &property.default_value else { continue };
                if fields.get(name).is_none_or(|value| value.is_null() && !property.nullable) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(property) = schema.properties.get(name) {
                    put_defaults(value, property);
                } else if let Some(values) = schema.values() {
                    put_default_for_null(value, values);
                    put_defaults(value, values);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for item in items {
                    put_default_for_null(item, schema);
                    put_defaults(item, schema);
                }
            }
        }
        _ => {}
    }
}

fn put_default_for_null(value: &mut Value, schema: &Schema) {
    if value.is_null()
        && !schema.nullable
        && let Some(default) = &schema.default_value
    {
        *value = default.clone();
    }
}

/// Takes unknown fields out and returns their paths, such as `spec.ports[0].nme`. `schema` is that of a whole object.
pub(super) fn prune(object: &mut Value, schema: &Schema) -> Vec<String> {
    let mut unknown = Vec::new();
    let root = Schema { embedded_resource: true, ..schema.clone() };
    prune_at(object, Some(&root), "", &mut unknown);
    unknown.sort();
    unknown
}

fn prune_at(value: &mut Value, schema: Option<&Schema>, path: &str, unknown: &mut Vec<String>) {
    if let Some(schema) = schema
        && schema.preserve_unknown_fields
    {
        return keep(value, schema, path, unknown);
    }
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let path = cause::child(path, name);
            if schema.is_some_and(|schema| schema.embedded_resource) && META_FIELDS.contains(&name.as_str()) {
                return true;
            }
            let known = schema.is_some_and(|s| s.properties.contains_key(name) || s.additional_properties.is_some());
            if known {
                prune_at(value, schema.and_then(|schema| schema.field(name)), &path, unknown);
            } else {
                unknown.push(path);
            }
            known
        }),
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                let items = schema.and_then(|schema| schema.items.as_deref());
                prune_at(item, items, &cause::index(path, at), unknown);
            }
        }
        _ => {}
    }
}

/// Below a node that keeps unknown fields, only what is specified is pruned.
fn keep(value: &mut Value, schema: &Schema, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_meta = schema.embedded_resource && META_FIELDS.contains(&name.as_str());
                if !is_meta && (schema.properties.contains_key(name) || schema.additional_properties.is_some()) {
                    prune_at(value, schema.field(name), &cause::child(path, name), unknown);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter_mut().enumerate() {
                    keep(item, schema, &cause::index(path, at), unknown);
                }
            }
        }
        _ => {}
    }
}

/// Takes out nulls of fields that may not be null and have no default.
pub(super) fn drop_nulls(value: &mut Value, schema: Option<&Schema>) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let field = schema.and_then(|schema| schema.field(name));
            let dropped =
                value.is_null() && field.is_some_and(|field| !field.nullable && field.default_value.is_none());
            if !dropped {
                drop_nulls(value, field);
            }
            !dropped
        }),
        Value::Array(items) => {
            let schema = schema.and_then(|schema| schema.items.as_deref());
            for item in items {
                drop_nulls(item, schema);
            }
        }
        _ => {}
    }
}

/// Brings numbers into the form in which the server writes them: 3.0 is 3.
pub(super) fn as_written(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(as_written),
        Value::Array(items) => items.iter_mut().for_each(as_written),
        Value::Number(number) if number.is_f64() => {
            if let Ok(integer) = cause::go_number(number).parse::<i64>() {
                *value = integer.into();
            }
        }
        _ => {}
    }
}
