//! What one object uses, by the names under which quotas limit it.
//!
//! Source: `k8s.io/kubernetes/pkg/quota/v1/evaluator/core` (pods, services, claims), `k8s.io/apiserver/pkg/quota/v1/generic`
//! (counts), `k8s.io/component-helpers/resource` `PodRequests`; observed on 1.36.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quantity::Quantity;

/// Amounts by name, such as `requests.cpu`.
pub(super) type Amounts = BTreeMap<String, Quantity>;

/// Kinds of the core group whose count has an old name too: the plural.
const OLD_NAMES: [&str; 6] =
    ["configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"];

/// Returns what an object uses; `group` and `plural` name its resource.
pub(super) fn of(group: &str, plural: &str, object: &Value) -> Amounts {
    let one = Quantity::count(1);
    let name = if group.is_empty() { format!("count/{plural}") } else { format!("count/{plural}.{group}") };
    let mut amounts = Amounts::from([(name, one)]);
    if !group.is_empty() {
        return amounts;
    }
    if OLD_NAMES.contains(&plural) {
        amounts.insert(plural.to_owned(), one);
    }
    match plural {
        "services" => add_service(&mut amounts, object),
        "persistentvolumeclaims" => add_claim(&mut amounts, object),
        "pods" if !has_ended(object) => {
            amounts.insert("pods".to_owned(), one);
            add_pod(&mut amounts, object);
        }
        _ => {}
    }
    amounts
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list_at<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::parse(text),
        Value::Number(number) => Quantity::parse(&number.to_string()),
        _ => None,
    }
}

fn add_service(amounts: &mut Amounts, service: &Value) {
    let ports = list_at(service, "/spec/ports");
    let is_fixed = |port: &&Value| port.get("nodePort").and_then(Value::as_i64).is_some_and(|port| port != 0);
    let node_ports = match text_at(service, "/spec/type") {
        "NodePort" => ports.len(),
        "LoadBalancer" => {
            amounts.insert("services.loadbalancers".to_owned(), Quantity::count(1));
            let takes_all =
                service.pointer("/spec/allocateLoadBalancerNodePorts").and_then(Value::as_bool) != Some(false);
            if takes_all { ports.len() } else { ports.iter().filter(is_fixed).count() }
        }
        _ => 0,
    };
    amounts.insert("services.nodeports".to_owned(), Quantity::count(node_ports));
}

fn add_claim(amounts: &mut Amounts, claim: &Value) {
    let storage = claim.pointer("/spec/resources/requests/storage").and_then(quantity);
    let old_class =
        claim.pointer("/metadata/annotations").and_then(|all| all.get("volume.beta.kubernetes.io/storage-class"));
    let class = old_class.and_then(Value::as_str).unwrap_or_else(|| text_at(claim, "/spec/storageClassName"));
    let mut add = |name: &str, amount: Quantity| {
        amounts.insert(name.to_owned(), amount);
        if !class.is_empty() {
            amounts.insert(format!("{class}.storageclass.storage.k8s.io/{name}"), amount);
        }
    };
    add("persistentvolumeclaims", Quantity::count(1));
    if let Some(storage) = storage {
        add("requests.storage", storage);
    }
}

/// Tells whether the pod has run to its end: it holds no room any more.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(text_at(pod, "/status/phase"), "Succeeded" | "Failed")
}

fn add_pod(amounts: &mut Amounts, pod: &Value) {
    for (name, amount) in pod_amounts(pod, "requests") {
        // Requests of these have an old name without the prefix.
        let has_old_name =
            matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if has_old_name {
            amounts.insert(name.clone(), amount);
        }
        amounts.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in pod_amounts(pod, "limits") {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            amounts.insert(format!("limits.{name}"), amount);
        }
    }
}

/// Returns the requests or limits of a whole pod: containers and sidecars run together, each other init container beside
/// the sidecars before it; what the pod itself sets counts instead; its overhead comes on top.
fn pod_amounts(pod: &Value, kind: &str) -> Amounts {
    let mut running = Amounts::new();
    let mut most = Amounts::new();
    for container in list_at(pod, "/spec/initContainers") {
        let own = container_amounts(container, kind);
        if text_at(container, "/restartPolicy") == "Always" {
            add(&mut running, &own);
            raise(&mut most, &running);
        } else {
            let mut together = running.clone();
            add(&mut together, &own);
            raise(&mut most, &together);
        }
    }
    for container in list_at(pod, "/spec/containers") {
        add(&mut running, &container_amounts(container, kind));
    }
    raise(&mut most, &running);
    most.extend(amounts_at(pod, &format!("/spec/resources/{kind}")));
    for (name, overhead) in amounts_at(pod, "/spec/overhead") {
        // A limit that is not set stays so.
        if let Some(amount) = most.get_mut(&name) {
            *amount = amount.plus(overhead);
        } else if kind == "requests" {
            most.insert(name, overhead);
        }
    }
    most
}

/// The server fills in requests from limits, but an object that it has not answered yet may lack them.
fn container_amounts(container: &Value, kind: &str) -> Amounts {
    let mut amounts = if kind == "requests" { amounts_at(container, "/resources/limits") } else { Amounts::new() };
    amounts.extend(amounts_at(container, &format!("/resources/{kind}")));
    amounts
}

fn amounts_at(value: &Value, pointer: &str) -> Amounts {
    let map = value.pointer(pointer).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), quantity(value)?))).collect()
}

fn add(sum: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        let total = sum.get(name).map_or(*amount, |sum| sum.plus(*amount));
        sum.insert(name.clone(), total);
    }
}

fn raise(most: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        let largest = most.get(name).map_or(*amount, |most| *most.max(amount));
        most.insert(name.clone(), largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(group: &str, plural: &str, object: &Value) -> String {
        of(group, plural, object).iter().map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn everything_is_counted_and_some_under_an_old_name_too() {
        for (group, plural, expected) in [
            ("", "configmaps", "configmaps=1 count/configmaps=1"),
            ("", "serviceaccounts", "count/serviceaccounts=1"),
            ("apps", "deployments", "count/deployments.apps=1"),
            ("example.com", "secrets", "count/secrets.example.com=1"),
        ] {
            assert_eq!(told(group, plural, &json!({})), expected);
        }
    }

    #[test]
    fn a_service_uses_as_many_node_ports_as_it_gets() {
        let of = |spec: Value| {
            let told = told("", "services", &json!({"spec": spec}));
            told.replace("count/services=1 services=1 ", "")
        };
        let ports = json!([{"port": 1, "nodePort": 30000}, {"port": 2}]);
        assert_eq!(of(json!({"ports": ports})), "services.nodeports=0");
        assert_eq!(of(json!({"type": "NodePort", "ports": ports})), "services.nodeports=2");
        assert_eq!(
            of(json!({"type": "LoadBalancer", "ports": ports})),
            "services.loadbalancers=1 services.nodeports=2"
        );
        assert_eq!(
            of(json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": ports})),
            "services.loadbalancers=1 services.nodeports=1"
        );
    }

    #[test]
    fn a_pod_uses_what_it_needs_at_its_most() {
        let needs = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let sidecar = |cpu: &str| json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}});
        let cpu = |spec: Value| of("", "pods", &json!({"spec": spec})).get("requests.cpu").map(ToString::to_string);
        assert_eq!(cpu(json!({"containers": [needs("1"), needs("500m")]})).as_deref(), Some("1500m"));
        assert_eq!(
            cpu(json!({"containers": [needs("1")], "initContainers": [needs("3"), needs("2")]})).as_deref(),
            Some("3")
        );
        let spec = json!({"containers": [needs("1")], "initContainers": [sidecar("1"), needs("3")]});
        assert_eq!(cpu(spec).as_deref(), Some("4"));
        let spec = json!({"containers": [needs("1")], "initContainers": [needs("1500m"), sidecar("1")]});
        assert_eq!(cpu(spec).as_deref(), Some("2"));
        let spec = json!({"containers": [needs("1")], "overhead": {"cpu": "100m"}});
        assert_eq!(cpu(spec).as_deref(), Some("1100m"));
        let spec = json!({"containers": [needs("1")], "resources": {"requests": {"cpu": "7"}}});
        assert_eq!(cpu(spec).as_deref(), Some("7"));
        assert_eq!(cpu(json!({"containers": [{"resources": {"limits": {"cpu": "2"}}}]})).as_deref(), Some("2"));
        assert_eq!(cpu(json!({"containers": [{}]})), None);
    }

    #[test]
    fn a_pod_that_has_ended_is_only_counted() {
        for phase in ["Succeeded", "Failed"] {
            assert_eq!(told("", "pods", &json!({"status": {"phase": phase}})), "count/pods=1");
        }
        assert_eq!(told("", "pods", &json!({"status": {"phase": "Running"}})), "count/pods=1 pods=1");
    }
}
