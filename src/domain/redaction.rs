//! An object as it may be written to disk: what a Secret, a ConfigMap or an environment variable holds appears as a digest.

use serde_json::Value;

use super::content;
use super::object::Object;

/// Returns the object without managed fields, with every value that may be secret replaced by its digest:
/// `data`, `stringData` and `binaryData` of Secrets and ConfigMaps, `value` of environment variables, and the copy that
/// `kubectl apply` keeps in an annotation.
#[must_use]
pub fn redacted(object: &Object) -> Value {
    let holds_data = matches!((object.group(), object.kind()), ("", "Secret" | "ConfigMap"));
    let mut value = object.as_value().clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if holds_data {
        for field in ["data", "stringData", "binaryData"] {
            if let Some(Value::Object(data)) = value.get_mut(field) {
                data.values_mut().for_each(digest_in_place);
            }
        }
    }
    redact_environment(&mut value);
    value
}

/// Environment variables stand in pod templates of any depth: lists called `env` of mappings with `name` and `value`.
fn redact_environment(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key == "env"
                    && let Value::Array(variables) = value
                {
                    variables.iter_mut().filter_map(|variable| variable.get_mut("value")).for_each(digest_in_place);
                }
                redact_environment(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_environment),
        _ => {}
    }
}

fn digest_in_place(value: &mut Value) {
    *value = Value::String(content::sha256(&content::canonical_json(value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_secrets_config_maps_and_variables_become_digests() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "managedFields": []},
            "data": {"password": "Y2FuYXJ5"}});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "b"}, "spec": {"template": {"spec":
            {"containers": [{"name": "main", "env": [{"name": "TOKEN", "value": "canary"}, {"name": "REF", "valueFrom": {}}]}]}}}});
        for object in [secret, job] {
            let text = redacted(&Object::new(object).expect("an object")).to_string();
            assert!(text.contains("sha256:") && !text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
            assert!(!text.contains("managedFields"));
        }
    }
}
