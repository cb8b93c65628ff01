//! Who owns a field of a live object: `metadata.managedFields`.
//!
//! Source: `sigs.k8s.io/structured-merge-diff/v6/fieldpath/serialize-pe.go`, `FieldsV1`: `f:NAME` is a field, `k:{...}` the item
//! with those keys, `v:...` the item with that value, `.` the thing itself; an empty map is owned with all that is in it.

use serde_json::{Map, Value};

/// One step on the way to a field.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A field of a map.
    Field(String),
    /// An item of a list, as it is on the server.
    Item(Value),
}

/// Who owns a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody, or the server does not say.
    Unknown,
    /// Helm, or a controller that keeps the object's status and writes fields as it goes.
    Expected,
    /// Somebody else, by the name of the field manager.
    Other(String),
}

/// The name under which Helm 3 and 4 write. Source: `helm.sh/helm`, `cmd/helm`: `kube.ManagedFieldsManager = "helm"`.
const HELM: &str = "helm";

/// Returns who owns the field; of several the one that is neither Helm nor a controller, and wrote last.
///
/// Who writes through the subresource `scale` (an autoscaler, `kubectl scale`) is told even if it is a controller.
pub(super) fn owner(live: &Value, steps: &[Step]) -> Owner {
    let entries = live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let owners = entries.iter().filter(|entry| {
        let fields = entry.get("fieldsV1").and_then(Value::as_object);
        fields.is_some_and(|fields| owns(fields, steps))
    });
    let keeps_status =
        |name: &str| entries.iter().any(|e| text(e, "manager") == name && text(e, "subresource") == "status");
    let mut found = Owner::Unknown;
    let mut newest = String::new();
    for entry in owners {
        let (name, time) = (text(entry, "manager"), text(entry, "time"));
        if name == HELM || text(entry, "subresource") != "scale" && keeps_status(&name) {
            if found == Owner::Unknown {
                found = Owner::Expected;
            }
        } else if time >= newest {
            (found, newest) = (Owner::Other(name), time);
        }
    }
    found
}

/// Tells whether the set has the field itself, or a list or map around it as a whole.
fn owns(fields: &Map<String, Value>, steps: &[Step]) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let found = match step {
        Step::Field(name) => fields.get(&format!("f:{name}")),
        Step::Item(item) => fields.iter().find(|(key, _)| names(key, item)).map(|(_, inner)| inner),
    };
    match found.and_then(Value::as_object) {
        Some(inner) => inner.is_empty() || owns(inner, rest),
        None => false,
    }
}

fn names(key: &str, item: &Value) -> bool {
    if let Some(keys) = key.strip_prefix("k:") {
        let keys: Option<Map<String, Value>> = serde_json::from_str(keys).ok();
        return keys.is_some_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value)));
    }
    let value = key.strip_prefix("v:").and_then(|value| serde_json::from_str::<Value>(value).ok());
    value.is_some_and(|value| value == *item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(names: &[&str]) -> Vec<Step> {
        names.iter().map(|name| Step::Field((*name).to_owned())).collect()
    }

    fn live() -> Value {
        json!({"metadata": {"managedFields": [
            {"manager": "helm", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {
                "f:paused": {}, "f:selector": {},
                "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}}}}}}}},
            {"manager": "kubectl-edit", "time": "2026-01-03T00:00:00Z", "fieldsV1": {
                "f:metadata": {"f:finalizers": {"v:\"x\"": {}}},
                "f:spec": {"f:paused": {}, "f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"web\"}": {"f:image": {}}}}}}}},
            {"manager": "older", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:paused": {}}}},
            {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "kube-controller-manager", "fieldsV1": {"f:metadata": {"f:annotations": {"f:note": {}}}}},
            {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]}})
    }

    #[test]
    fn a_field_is_owned_by_who_wrote_it_or_all_around_it() {
        let live = live();
        let mut image = fields(&["spec", "template", "spec", "containers"]);
        image.push(Step::Item(json!({"name": "web", "image": "x"})));
        image.push(Step::Field("image".to_owned()));
        assert_eq!(owner(&live, &image), Owner::Other("kubectl-edit".to_owned()));
        assert_eq!(owner(&live, &fields(&["spec", "selector", "matchLabels", "app"])), Owner::Expected);
        let mut finalizer = fields(&["metadata", "finalizers"]);
        finalizer.push(Step::Item(json!("x")));
        assert_eq!(owner(&live, &finalizer), Owner::Other("kubectl-edit".to_owned()));
        assert_eq!(owner(&live, &fields(&["spec", "strategy"])), Owner::Unknown);
        assert_eq!(owner(&json!({}), &fields(&["spec"])), Owner::Unknown);
    }

    #[test]
    fn of_several_owners_the_newest_stranger_counts() {
        assert_eq!(owner(&live(), &fields(&["spec", "paused"])), Owner::Other("kubectl-edit".to_owned()));
    }

    #[test]
    fn a_controller_is_expected_but_an_autoscaler_is_told() {
        assert_eq!(owner(&live(), &fields(&["metadata", "annotations", "note"])), Owner::Expected);
        let autoscaler = Owner::Other("kube-controller-manager".to_owned());
        assert_eq!(owner(&live(), &fields(&["spec", "replicas"])), autoscaler);
    }
}
