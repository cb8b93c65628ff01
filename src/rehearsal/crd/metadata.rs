//! `metadata` of an object, and of objects embedded in it.
//!
//! Source: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta`, `k8s.io/apimachinery/pkg/api/validation`
//! `ValidateObjectMeta`, `k8s.io/apimachinery/pkg/apis/meta/v1` `ObjectMeta`.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::cause::{self, Cause, Kind};
use super::schema::Schema;

/// What a field of metadata holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Integer,
    Bool,
    Time,
    Texts,
    TextMap,
    Anything,
    List(&'static [(&'static str, Self)]),
}

const OWNER: &[(&str, Holds)] = &[
    ("apiVersion", Holds::Text),
    ("kind", Holds::Text),
    ("name", Holds::Text),
    ("uid", Holds::Text),
    ("controller", Holds::Bool),
    ("blockOwnerDeletion", Holds::Bool),
];

const MANAGED: &[(&str, Holds)] = &[
    ("manager", Holds::Text),
    ("operation", Holds::Text),
    ("apiVersion", Holds::Text),
    ("time", Holds::Time),
    ("fieldsType", Holds::Text),
    ("fieldsV1", Holds::Anything),
    ("subresource", Holds::Text),
];

const METADATA: &[(&str, Holds)] = &[
    ("name", Holds::Text),
    ("generateName", Holds::Text),
    ("namespace", Holds::Text),
    ("selfLink", Holds::Text),
    ("uid", Holds::Text),
    ("resourceVersion", Holds::Text),
    ("generation", Holds::Integer),
    ("creationTimestamp", Holds::Time),
    ("deletionTimestamp", Holds::Time),
    ("deletionGracePeriodSeconds", Holds::Integer),
    ("labels", Holds::TextMap),
    ("annotations", Holds::TextMap),
    ("ownerReferences", Holds::List(OWNER)),
    ("finalizers", Holds::Texts),
    ("managedFields", Holds::List(MANAGED)),
];

/// Brings metadata, here and in embedded objects, into its form: unknown fields are taken out and named in `unknown`.
///
/// Returns what cannot be read; the server then answers 400 and looks no further.
pub(super) fn read(object: &mut Value, schema: &Schema, unknown: &mut Vec<String>) -> Vec<Cause> {
    let root = Schema { embedded_resource: true, ..schema.clone() };
    let mut causes = Vec::new();
    read_at(object, &root, "", unknown, &mut causes);
    causes
}

fn read_at(value: &mut Value, schema: &Schema, path: &str, unknown: &mut Vec<String>, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let is_property = schema.properties.contains_key(name);
                let path = if is_property || schema.embedded_resource {
                    cause::child(path, name)
                } else {
                    cause::key(path, name)
                };
                if schema.embedded_resource {
                    match name.as_str() {
                        "apiVersion" | "kind" if !value.is_string() => {
                            causes.push(Cause::invalid(&path, value.clone(), "must be a string"));
                        }
                        "metadata" => {
                            read_fields(value, METADATA, &path, unknown, causes);
                            continue;
                        }
                        _ => {}
                    }
                }
                if let Some(schema) = schema.field(name) {
                    read_at(value, schema, &path, unknown, causes);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter_mut().enumerate() {
                    read_at(item, schema, &cause::index(path, at), unknown, causes);
                }
            }
        }
        _ => {}
    }
}

fn read_fields(
    value: &mut Value,
    known: &[(&str, Holds)],
    path: &str,
    unknown: &mut Vec<String>,
    causes: &mut Vec<Cause>,
) {
    if value.is_null() {
        *value = Map::new().into();
    }
    let Value::Object(fields) = value else {
        causes.push(Cause::invalid(path, value.clone(), "must be an object"));
        return;
    };
    fields.retain(|name, value| {
        let path = cause::child(path, name);
        let Some((_, holds)) = known.iter().find(|(known, _)| known == name) else {
            unknown.push(path);
            return false;
        };
        read_field(value, *holds, &path, unknown, causes);
        // What is empty is left out when metadata is written again.
        !(value.is_null() || value == "" || value == &json!({}) || value == &json!([]))
    });
}

fn read_field(value: &mut Value, holds: Holds, path: &str, unknown: &mut Vec<String>, causes: &mut Vec<Cause>) {
    if value.is_null() {
        return;
    }
    let is_text = |value: &Value| value.is_string() || value.is_null();
    let (fits, what) = match holds {
        Holds::Text => (value.is_string(), "must be a string"),
        Holds::Integer => (value.is_i64(), "must be an integer"),
        Holds::Bool => (value.is_boolean(), "must be a boolean"),
        Holds::Time => (is_time(value), "must be a time such as 2006-01-02T15:04:05Z"),
        Holds::Anything => (true, ""),
        Holds::Texts => (value.as_array().is_some_and(|items| items.iter().all(is_text)), "must be a list of strings"),
        Holds::TextMap => (value.as_object().is_some_and(|map| map.values().all(is_text)), "must be a map of strings"),
        Holds::List(known) => {
            let Value::Array(items) = value else {
                causes.push(Cause::invalid(path, value.clone(), "must be a list of objects"));
                return;
            };
            for (at, item) in items.iter_mut().enumerate() {
                read_fields(item, known, &cause::index(path, at), unknown, causes);
            }
            return;
        }
    };
    match value {
        Value::Array(items) if matches!(holds, Holds::Texts) => items.iter_mut().for_each(null_to_empty),
        Value::Object(map) if matches!(holds, Holds::TextMap) => map.values_mut().for_each(null_to_empty),
        _ => {}
    }
    if !fits {
        causes.push(Cause::invalid(path, value.clone(), what));
    }
}

fn null_to_empty(text: &mut Value) {
    if text.is_null() {
        *text = "".into();
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
}

/// Returns what is wrong with the metadata of the object itself.
pub(super) fn check_object(object: &Value) -> Vec<Cause> {
    let empty = Map::new();
    let metadata = object.get("metadata").and_then(Value::as_object).unwrap_or(&empty);
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut causes = Vec::new();
    let (name, prefix) = (text("name"), text("generateName"));
    if !prefix.is_empty() {
        // The server puts an `a` for the last two characters if a dash ends it.
        let shortened = match prefix
            .strip_suffix('-')
            .and_then(|rest| rest.char_indices().next_back().map(|(at, _)| rest.split_at(at).0))
        {
            Some(rest) => format!("{rest}a"),
            None => prefix.to_owned(),
        };
        causes.extend(
            subdomain(&shortened).into_iter().map(|what| Cause::invalid("metadata.generateName", prefix.into(), what)),
        );
    }
    if !name.is_empty() {
        causes.extend(subdomain(name).into_iter().map(|what| Cause::invalid("metadata.name", name.into(), what)));
    } else if prefix.is_empty() {
        causes.push(Cause::bare(Kind::Required, "metadata.name", "name or generateName is required"));
    }
    causes.extend(check_shared(metadata, "metadata"));
    causes
}

/// Returns what is wrong with embedded objects.
pub(super) fn check_embedded(value: &Value, schema: &Schema, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    match value {
        Value::Object(fields) => {
            if schema.embedded_resource {
                causes.extend(check_embedded_object(fields, path));
            }
            for (name, value) in fields {
                if let Some(schema) = schema.properties.get(name) {
                    causes.extend(check_embedded(value, schema, &cause::child(path, name)));
                } else if let Some(schema) = schema.values() {
                    causes.extend(check_embedded(value, schema, &cause::key(path, name)));
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.items.as_deref() {
                for (at, item) in items.iter().enumerate() {
                    causes.extend(check_embedded(item, schema, &cause::index(path, at)));
                }
            }
        }
        _ => {}
    }
    causes
}

fn check_embedded_object(fields: &Map<String, Value>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for name in ["apiVersion", "kind"] {
        let at = cause::child(path, name);
        match fields.get(name).map(|value| (value, value.as_str())) {
            None => causes.push(Cause::bare(Kind::Required, at, "")),
            Some((value, None)) => causes.push(Cause::invalid(at, value.clone(), "must be a string")),
            Some((value, Some(""))) => causes.push(Cause::invalid(at, value.clone(), "must not be empty")),
            Some((_, Some(text))) if name == "apiVersion" && text.matches('/').count() > 1 => {
                causes.push(Cause::invalid(at, text.into(), format!("unexpected GroupVersion string: {text}")));
            }
            Some((_, Some(text))) if name == "kind" && !is_kind(text) => {
                causes.push(Cause::invalid(at, text.into(), format!("{KIND_RULE}{}", kind_wrong(text))));
            }
            Some(_) => {}
        }
    }
    if let Some(Value::Object(metadata)) = fields.get("metadata") {
        let path = cause::child(path, "metadata");
        let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
        for name in ["generateName", "name"] {
            let value = text(name);
            let at = cause::child(&path, name);
            if name == "name" && matches!(value, "." | "..") {
                causes.push(Cause::invalid(at, value.into(), format!("may not be '{value}'")));
                continue;
            }
            for part in ["/", "%"].into_iter().filter(|part| value.contains(part)) {
                causes.push(Cause::invalid(&at, value.into(), format!("may not contain '{part}'")));
            }
        }
        let namespace = text("namespace");
        let is_label = namespace.len() <= 63 && fits(&LABEL, namespace);
        if !namespace.is_empty() && !is_label {
            causes.push(Cause::invalid(cause::child(&path, "namespace"), namespace.into(), LABEL_RULE));
        }
        causes.extend(check_shared(metadata, &path));
    }
    causes
}

/// What holds for metadata anywhere.
fn check_shared(metadata: &Map<String, Value>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64).filter(|generation| *generation < 0) {
        let what = "must be greater than or equal to 0";
        causes.push(Cause::invalid(cause::child(path, "generation"), generation.into(), what));
    }
    let map = |name: &str| metadata.get(name).and_then(Value::as_object).into_iter().flatten();
    let labels = cause::child(path, "labels");
    for (name, value) in map("labels") {
        causes.extend(qualified_name(name).into_iter().map(|what| Cause::invalid(&labels, name.as_str().into(), what)));
        let value = value.as_str().unwrap_or_default();
        if value.len() > 63 {
            causes.push(Cause::invalid(&labels, value.into(), "must be no more than 63 bytes"));
        }
        if !value.is_empty() && !fits(&NAME, value) {
            causes.push(Cause::invalid(&labels, value.into(), LABEL_VALUE_RULE));
        }
    }
    let annotations = cause::child(path, "annotations");
    let mut size = 0;
    for (name, value) in map("annotations") {
        size += name.len() + value.as_str().unwrap_or_default().len();
        let wrong = qualified_name(&name.to_lowercase());
        causes.extend(wrong.into_iter().map(|what| Cause::invalid(&annotations, name.as_str().into(), what)));
    }
    if size > 256 << 10 {
        causes.push(Cause::bare(Kind::TooLong, &annotations, format!("may not be more than {} bytes", 256 << 10)));
    }
    let list = |name: &str| metadata.get(name).and_then(Value::as_array).into_iter().flatten();
    causes.extend(check_owners(list("ownerReferences"), &cause::child(path, "ownerReferences")));
    let finalizers = cause::child(path, "finalizers");
    for name in list("finalizers").filter_map(Value::as_str) {
        causes.extend(qualified_name(name).into_iter().map(|what| Cause::invalid(&finalizers, name.into(), what)));
    }
    causes
}

fn check_owners<'a>(owners: impl Iterator<Item = &'a Value>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controllers = 0;
    for owner in owners {
        controllers += usize::from(owner.get("controller") == Some(&true.into()));
        for (name, what) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.get(name).and_then(Value::as_str).unwrap_or_default().is_empty() {
                causes.push(Cause::invalid(cause::child(path, name), "".into(), what));
            }
        }
    }
    if controllers > 1 {
        causes.push(Cause::bare(Kind::Invalid, path, "Only one reference can have Controller set to true"));
    }
    causes
}

type Pattern = LazyLock<Option<Regex>>;

static LABEL: Pattern = LazyLock::new(|| Regex::new("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$").ok());
static SUBDOMAIN: Pattern =
    LazyLock::new(|| Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").ok());
static NAME: Pattern = LazyLock::new(|| Regex::new("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$").ok());

const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const NAME_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KIND_RULE: &str = "may have mixed case, but should otherwise match: ";
const DNS_1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

fn fits(pattern: &Pattern, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn is_kind(kind: &str) -> bool {
    kind_wrong(kind).is_empty()
}

fn kind_wrong(kind: &str) -> String {
    let kind = kind.to_lowercase();
    let too_long = (kind.len() > 63).then_some("must be no more than 63 characters");
    let is_written_so = kind.starts_with(|first: char| first.is_ascii_lowercase()) && fits(&LABEL, &kind);
    let wrong: Vec<&str> = too_long.into_iter().chain((!is_written_so).then_some(DNS_1035_RULE)).collect();
    wrong.join(",")
}

fn subdomain(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > 253 {
        wrong.push("must be no more than 253 characters".to_owned());
    }
    if !fits(&SUBDOMAIN, name) {
        wrong.push(SUBDOMAIN_RULE.to_owned());
    }
    wrong
}

fn qualified_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let local = match name.split('/').collect::<Vec<_>>().as_slice() {
        [local] => (*local).to_owned(),
        [prefix, local] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(subdomain(prefix).into_iter().map(|what| format!("prefix part {what}")));
            }
            (*local).to_owned()
        }
        _ => {
            return vec![format!(
                "a valid label key {NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if local.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if local.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !fits(&NAME, &local) {
        wrong.push(format!("name part {NAME_RULE}"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_checked_as_the_server_checks_them() {
        let told = |metadata: Value| {
            let causes = check_object(&json!({"metadata": metadata}));
            causes.iter().map(|cause| cause.field.clone()).collect::<Vec<_>>()
        };
        assert!(told(json!({"name": "a.b-c", "labels": {"x.y/Z": "", "a": "B_c"}})).is_empty());
        assert!(told(json!({"generateName": "a-"})).is_empty());
        assert_eq!(told(json!({})), ["metadata.name"]);
        assert_eq!(told(json!({"name": "A"})), ["metadata.name"]);
        assert_eq!(told(json!({"name": "a", "labels": {"a b": "c"}})), ["metadata.labels"]);
        assert_eq!(told(json!({"name": "a", "labels": {"a": "b c"}})), ["metadata.labels"]);
        assert_eq!(told(json!({"name": "a", "annotations": {"/a": "b c"}})), ["metadata.annotations"]);
    }

    #[test]
    fn what_metadata_does_not_know_is_named_and_what_is_of_another_type_is_refused() {
        let mut object =
            json!({"metadata": {"name": "a", "lables": {}, "labels": {"a": 1}, "creationTimestamp": null}});
        let mut unknown = Vec::new();
        let causes = read(&mut object, &Schema::default(), &mut unknown);
        assert_eq!(unknown, ["metadata.lables"]);
        assert_eq!(causes.len(), 1);
        assert_eq!(object, json!({"metadata": {"name": "a", "labels": {"a": 1}}}));
    }
}
