//! Fields of `spec` that Helm reads as if they were always there, since a server always fills them in.

use serde_json::{Map, Value, json};

use super::{MADE_UP_ADDRESS, keep_or};

/// Fills in what an object lacks that no server has seen; each with the server's own default.
///
/// Sources: what Helm 3.22.0 and 4.3.1 read without asking: `pkg/kube/ready.go`, and `MaxUnavailable` of its copy of
/// Kubernetes' `deployment/util`. The defaults: Kubernetes `pkg/apis/apps/v1/defaults.go`, `pkg/apis/batch/v1/defaults.go`.
pub(super) fn fill_in(object: &mut Value) {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    match (group, kind.as_str()) {
        ("apps" | "extensions", "Deployment") => {
            keep_or(spec, "replicas", 1);
            fill_in_rolling_update(spec, "strategy", json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
        }
        ("apps" | "extensions", "DaemonSet") => {
            fill_in_rolling_update(spec, "updateStrategy", json!({"maxSurge": 0, "maxUnavailable": 1}));
        }
        ("batch", "Job") => keep_or(spec, "backoffLimit", 6),
        ("", "Service") => {
            let text = |field: &str| spec.get(field).and_then(Value::as_str).unwrap_or_default();
            if text("clusterIP").is_empty() && text("type") != "ExternalName" {
                spec.insert("clusterIP".to_owned(), MADE_UP_ADDRESS.into());
            }
        }
        _ => {}
    }
}

/// The parameters of a rolling update may only be missing where the strategy is another one.
fn fill_in_rolling_update(spec: &mut Map<String, Value>, strategy: &str, parameters: Value) {
    let Some(strategy) = spec.get_mut(strategy).and_then(Value::as_object_mut) else { return };
    if strategy.get("type").and_then(Value::as_str) == Some("RollingUpdate") {
        keep_or(strategy, "rollingUpdate", parameters);
    }
}
