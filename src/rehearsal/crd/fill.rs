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

/// A field that the schema does not know.
#[derive(Debug)]
pub(super) struct Unknown {
    /// Such as `spec.ports[0].nme`.
    pub(super) path: String,
    /// Whether nothing above it lets unknown fields through: server-side apply refuses it then.
    pub(super) is_in_typed: bool,
}

/// Takes unknown fields out and returns them. `schema` is that of a whole object.
pub(super) fn prune(object: &mut Value, schema: &Schema) -> Vec<Unknown> {
    let mut unknown = Vec::new();
    let root = Schema { embedded_resource: true, ..schema.clone() };
    prune_at(object, Some(&root), "", true, &mut unknown);
    unknown
}

fn prune_at(value: &mut Value, schema: Option<&Schema>, path: &str, is_in_typed: bool, unknown: &mut Vec<Unknown>) {
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
                let below = schema.and_then(|schema| schema.field(name));
                prune_at(value, below, &path, is_in_typed && below.is_some(), unknown);
            } else {
                unknown.push(Unknown { path, is_in_typed });
            }
            known
        }),
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                let items = schema.and_then(|schema| schema.items.as_deref());
                prune_at(item, items, &cause::index(path, at), is_in_typed, unknown);
            }
        }
        _ => {}
    }
}

/// Below a node that keeps unknown fields, only what is specified is pruned.
fn keep(value: &mut Value, schema: &Schema, path: &str, unknown: &mut Vec<Unknown>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_meta = schema.embedded_resource && META_FIELDS.contains(&name.as_str());
                if !is_meta && (schema.properties.contains_key(name) || schema.additional_properties.is_some()) {
                    prune_at(value, schema.field(name), &cause::child(path, name), false, unknown);
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

/// Returns the lists that stand where a text belongs. Validation lets them through where the text has a format; server-side
/// apply does not. The same goes for finalizers of embedded objects that come twice.
pub(super) fn untyped_for_apply(value: &Value, schema: &Schema, path: &str) -> Vec<cause::Cause> {
    let mut causes = Vec::new();
    match value {
        Value::Array(_) if schema.declared_type.as_deref() == Some("string") => {
            causes.push(cause::Cause::bare(cause::Kind::Invalid, path, "expected any scalar"));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                causes.extend(
                    schema.items.iter().flat_map(|schema| untyped_for_apply(item, schema, &cause::index(path, at))),
                );
            }
        }
        Value::Object(fields) => {
            let finalizers = value.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
            let mut seen = Vec::new();
            for finalizer in finalizers.filter(|_| schema.embedded_resource) {
                if seen.contains(&finalizer) {
                    let path = format!("{path}.metadata.finalizers");
                    causes.push(cause::Cause::bare(cause::Kind::Duplicate, path, ""));
                }
                seen.push(finalizer);
            }
            for (name, value) in fields {
                let below =
                    schema.field(name).map(|schema| untyped_for_apply(value, schema, &cause::child(path, name)));
                causes.extend(below.into_iter().flatten());
            }
        }
        _ => {}
    }
    causes
}
