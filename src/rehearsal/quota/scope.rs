//! Which objects a quota with scopes is about.
//!
//! Source: `core/v1` `ResourceQuotaScope`, `ScopedResourceSelectorRequirement`;
//! `k8s.io/kubernetes/pkg/quota/v1/evaluator/core` `podMatchesScopeFunc`, `pvcMatchesScopeFunc`.

use serde_json::Value;

/// Tells whether a quota is about this object. Scopes are about pods, one about claims; a quota with scopes is about
/// nothing else.
pub(super) fn covers(quota: &Value, group: &str, plural: &str, object: &Value) -> bool {
    let list = |pointer: &str| quota.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let plain = list("/spec/scopes").iter().filter_map(Value::as_str).map(|scope| (scope, "Exists", &[][..]));
    let selected = list("/spec/scopeSelector/matchExpressions").iter().map(|selector| {
        let text = |key: &str| selector.get(key).and_then(Value::as_str).unwrap_or_default();
        let values = selector.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        (text("scopeName"), text("operator"), values)
    });
    plain.chain(selected).all(|(scope, operator, values)| match (group, plural) {
        ("", "pods") => covers_pod(scope, operator, values, object),
        ("", "persistentvolumeclaims") if scope == "VolumeAttributesClass" => {
            let class = object.pointer("/spec/volumeAttributesClassName").and_then(Value::as_str).unwrap_or_default();
            is_selected(class, operator, values)
        }
        _ => false,
    })
}

fn covers_pod(scope: &str, operator: &str, values: &[Value], pod: &Value) -> bool {
    let has_deadline =
        || pod.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds >= 0);
    match scope {
        "Terminating" => has_deadline(),
        "NotTerminating" => !has_deadline(),
        "BestEffort" => is_best_effort(pod),
        "NotBestEffort" => !is_best_effort(pod),
        "PriorityClass" => {
            let class = pod.pointer("/spec/priorityClassName").and_then(Value::as_str).unwrap_or_default();
            is_selected(class, operator, values)
        }
        "CrossNamespacePodAffinity" => looks_across_namespaces(pod),
        _ => false,
    }
}

fn is_selected(class: &str, operator: &str, values: &[Value]) -> bool {
    let is_among = || values.iter().any(|value| value.as_str() == Some(class));
    match operator {
        "In" => is_among(),
        "NotIn" => !is_among(),
        "Exists" => !class.is_empty(),
        "DoesNotExist" => class.is_empty(),
        _ => false,
    }
}

/// Tells whether no container asks for cpu or memory.
fn is_best_effort(pod: &Value) -> bool {
    let asks = |owner: &Value| {
        ["requests", "limits"].iter().any(|kind| {
            ["cpu", "memory"].iter().any(|name| owner.pointer(&format!("/resources/{kind}/{name}")).is_some())
        })
    };
    let list = |pointer: &str| pod.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let is_pod_level = pod.pointer("/spec").is_some_and(asks);
    !is_pod_level && !list("/spec/containers").iter().chain(list("/spec/initContainers")).any(asks)
}

fn looks_across_namespaces(pod: &Value) -> bool {
    let across = |term: &Value| {
        let has_names = term.get("namespaces").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        has_names || term.get("namespaceSelector").is_some_and(|selector| !selector.is_null())
    };
    ["podAffinity", "podAntiAffinity"].iter().any(|affinity| {
        let list = |kind: &str| {
            let terms = pod.pointer(&format!("/spec/affinity/{affinity}/{kind}")).and_then(Value::as_array);
            terms.map_or(&[][..], Vec::as_slice)
        };
        let preferred = list("preferredDuringSchedulingIgnoredDuringExecution").iter();
        list("requiredDuringSchedulingIgnoredDuringExecution").iter().any(across)
            || preferred.filter_map(|term| term.get("podAffinityTerm")).any(across)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quota_with_scopes_is_about_pods_that_match_all_of_them() {
        let quota = |scopes: Value, selector: Value| json!({"spec": {"scopes": scopes, "scopeSelector": {"matchExpressions": selector}}});
        let scoped = |scope: &str| quota(json!([scope]), json!([]));
        let class = |operator: &str, values: Value| {
            quota(json!([]), json!([{"scopeName": "PriorityClass", "operator": operator, "values": values}]))
        };
        let pod = |spec: Value| json!({"spec": spec});
        let (plain, deadline) = (pod(json!({"containers": [{}]})), pod(json!({"activeDeadlineSeconds": 5})));
        let busy = pod(json!({"containers": [{"resources": {"limits": {"memory": "1Gi"}}}]}));
        let high = pod(json!({"priorityClassName": "high"}));
        let across = pod(json!({"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution":
            [{"podAffinityTerm": {"namespaceSelector": {}}}]}}}));
        for (quota, pod, expected) in [
            (quota(json!([]), json!([])), &plain, true),
            (scoped("Terminating"), &plain, false),
            (scoped("Terminating"), &deadline, true),
            (scoped("NotTerminating"), &plain, true),
            (scoped("NotTerminating"), &deadline, false),
            (scoped("BestEffort"), &plain, true),
            (scoped("BestEffort"), &busy, false),
            (scoped("NotBestEffort"), &busy, true),
            (quota(json!(["BestEffort", "Terminating"]), json!([])), &plain, false),
            (class("In", json!(["high", "low"])), &high, true),
            (class("In", json!(["low"])), &high, false),
            (class("NotIn", json!(["low"])), &high, true),
            (class("NotIn", json!(["low"])), &plain, true),
            (class("Exists", json!([])), &high, true),
            (class("Exists", json!([])), &plain, false),
            (class("DoesNotExist", json!([])), &plain, true),
            (scoped("CrossNamespacePodAffinity"), &across, true),
            (scoped("CrossNamespacePodAffinity"), &plain, false),
            (scoped("SomethingNew"), &plain, false),
        ] {
            assert_eq!(covers(&quota, "", "pods", pod), expected, "{quota} {pod}");
        }
        assert!(!covers(&scoped("NotTerminating"), "", "secrets", &json!({})));
        assert!(covers(&quota(json!([]), json!([])), "", "secrets", &json!({})));
    }
}
