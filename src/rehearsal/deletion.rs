//! What a deletion would take from others, or destroy. The server accepts all of these: nobody else warns.

use serde_json::Value;

use crate::domain::object::{Object, ObjectRef};
use crate::domain::ownership;
use crate::domain::rehearsed::{Class, Finding, Remedy};

/// Returns what a person should know before `object` is deleted; `live` is how it stands in the cluster.
///
/// `release` is the release that deletes it, as (namespace, name). `custom_objects` counts, for a CRD, the objects of its
/// kind; nothing if they could not be counted.
pub(super) fn judge(
    object: &ObjectRef,
    live: &Value,
    release: Option<(&str, &str)>,
    custom_objects: Option<usize>,
) -> Vec<Finding> {
    let mut named = live.clone();
    // Items of lists have no type, and what is judged by it must be.
    if let Some(fields) = named.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::from(object.api_version.as_str()));
        fields.insert("kind".to_owned(), Value::from(object.kind.as_str()));
    }
    let Ok(live) = Object::new(named) else { return Vec::new() };
    let scene = Scene { object, live };
    let mut findings = scene.owned_by_another(release);
    findings.extend(scene.data_loss(custom_objects));
    findings
}

struct Scene<'a> {
    object: &'a ObjectRef,
    live: Object,
}

impl Scene<'_> {
    fn owned_by_another(&self, release: Option<(&str, &str)>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some((namespace, name)) = ownership::helm_owner(&self.live)
            && release != Some((namespace.as_str(), name.as_str()))
        {
            let who = format!("release {namespace}/{name}");
            let remedy = format!("leave it to that release; to keep it: {}", self.keep_command());
            findings.push(self.foreign(&who, &format!("it belongs to {who}"), remedy));
        }
        if let Some((kind, name)) = self.controller() {
            let who = format!("{kind} {name}");
            let cause = format!("{who} makes and removes it, and would make it anew");
            let remedy = format!("change {who} instead: `kubectl get {}{}`", typed(kind, name), self.namespace_flag());
            findings.push(self.foreign(&who, &cause, remedy));
        }
        if let Some(owner) = ownership::gitops_owner(&self.live) {
            let who = format!("{} {}", owner.tool, owner.name);
            let cause = format!("{} keeps it for `{}`, and would make it anew", owner.tool, owner.name);
            findings.push(self.foreign(&who, &cause, format!("remove it through {}, or pause that first", owner.tool)));
        }
        findings
    }

    /// Returns kind and name of the controller.
    ///
    /// Source: `meta/v1` `OwnerReference.controller`: at most one of the owners has it.
    fn controller(&self) -> Option<(&str, &str)> {
        let owners = self.live.list_at("/metadata/ownerReferences");
        let owner = owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
        Some((owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?))
    }

    fn data_loss(&self, custom_objects: Option<usize>) -> Option<Finding> {
        if self.live.annotation("helm.sh/resource-policy") == Some("keep") {
            let cause = "its annotation `helm.sh/resource-policy` says that it is to be kept";
            return Some(self.loss(cause, "delete it by hand if it is really to go".to_owned()));
        }
        let keep = || format!("back it up; to keep it: {}", self.keep_command());
        match (self.object.group(), self.object.kind.as_str()) {
            ("", "PersistentVolumeClaim") => {
                let volume = match self.live.text_at("/spec/volumeName").filter(|volume| !volume.is_empty()) {
                    Some(volume) => format!("volume `{volume}`"),
                    None => "the volume".to_owned(),
                };
                let cause = format!("{volume} is given back, and destroyed if its reclaim policy is Delete");
                Some(self.loss(&cause, keep()))
            }
            // Source: `core/v1` `PersistentVolumeSpec.persistentVolumeReclaimPolicy`. A volume that was made by hand
            // has `Retain` by default, but the server writes that out.
            ("", "PersistentVolume") => match self.live.text_at("/spec/persistentVolumeReclaimPolicy") {
                Some("Retain") => None,
                policy => {
                    let cause =
                        format!("its reclaim policy is {}: the storage goes with it", policy.unwrap_or("unknown"));
                    Some(self.loss(&cause, keep()))
                }
            },
            ("", "Namespace") => {
                let cause = "all that is in it goes with it: workloads, Secrets, claims";
                Some(self.loss(cause, keep()))
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let kind = self.live.text_at("/spec/names/kind").unwrap_or("its kind");
                let cause = match custom_objects {
                    Some(0) => return None,
                    Some(1) => format!("the one object of kind {kind} goes with it"),
                    Some(count) => format!("all {count} objects of kind {kind} go with it"),
                    None => format!("all objects of kind {kind} go with it, and they could not be counted"),
                };
                Some(self.loss(&cause, keep()))
            }
            // Source: `apps/v1` `StatefulSetPersistentVolumeClaimRetentionPolicy`: the default is Retain.
            ("apps", "StatefulSet") => {
                let is_deleted =
                    self.live.text_at("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == Some("Delete");
                let has_claims = !self.live.list_at("/spec/volumeClaimTemplates").is_empty();
                (is_deleted && has_claims).then(|| {
                    let patch = r#"{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain"}}}"#;
                    let remedy = format!("to keep them: `kubectl patch {} --type merge -p '{patch}'`", self.target());
                    self.loss("its policy says that its volume claims go with it (`whenDeleted: Delete`)", remedy)
                })
            }
            _ => None,
        }
    }

    /// Returns the command after which Helm leaves the object where it is.
    ///
    /// Source: Helm `pkg/kube/client.go` `Update` reads the annotation of the live object. (An uninstall reads the one in the
    /// manifest.)
    fn keep_command(&self) -> String {
        format!("`kubectl annotate {} helm.sh/resource-policy=keep`", self.target())
    }

    fn target(&self) -> String {
        format!("{}{}", typed(&self.object.kind, &self.object.name), self.namespace_flag())
    }

    fn namespace_flag(&self) -> String {
        self.object.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
    }

    fn foreign(&self, who: &str, cause: &str, remedy: String) -> Finding {
        Finding { who: Some(who.to_owned()), class: Class::ForeignDeletion, ..self.loss(cause, remedy) }
    }

    fn loss(&self, cause: &str, remedy: String) -> Finding {
        Finding {
            class: Class::DataLoss,
            object: self.object.clone(),
            fields: Vec::new(),
            who: None,
            cause: cause.to_owned(),
            remedy: Remedy::Person { text: remedy },
        }
    }
}

fn typed(kind: &str, name: &str) -> String {
    format!("{} {name}", kind.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHOP: Option<(&str, &str)> = Some(("prod", "shop"));

    fn judged(api_version: &str, kind: &str, live: Value, custom_objects: Option<usize>) -> Vec<Finding> {
        let mut live = live;
        live["metadata"]["name"] = json!("x");
        let is_cluster = matches!(kind, "Namespace" | "PersistentVolume" | "CustomResourceDefinition");
        let object = ObjectRef {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: (!is_cluster).then(|| "prod".to_owned()),
            name: "x".into(),
        };
        judge(&object, &live, SHOP, custom_objects)
    }

    fn told(findings: &[Finding]) -> Vec<String> {
        findings
            .iter()
            .map(|finding| {
                format!("{}: {} <{}>", finding.class.title(), finding.cause, finding.who.as_deref().unwrap_or(""))
            })
            .collect()
    }

    #[test]
    fn what_another_owns_is_found() {
        let helm = |name: &str| json!({"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": "prod"});
        let owner = |controller: bool| json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "1", "controller": controller}]);
        for (metadata, expected) in [
            (json!({}), None),
            (json!({"annotations": helm("shop")}), None),
            (json!({"ownerReferences": owner(false)}), None),
            (json!({"annotations": helm("cart")}), Some("it belongs to release prod/cart <release prod/cart>")),
            (
                json!({"ownerReferences": owner(true)}),
                Some("ReplicaSet web-1 makes and removes it, and would make it anew <ReplicaSet web-1>"),
            ),
            (
                json!({"labels": {"argocd.argoproj.io/instance": "app"}}),
                Some("Argo CD keeps it for `app`, and would make it anew <Argo CD app>"),
            ),
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "a", "helm.toolkit.fluxcd.io/namespace": "b"}}),
                Some("Flux keeps it for `b/a`, and would make it anew <Flux b/a>"),
            ),
        ] {
            let found = told(&judged("v1", "ConfigMap", json!({"metadata": metadata}), None));
            let expected: Vec<String> =
                expected.into_iter().map(|cause| format!("deletion of what another owns: {cause}")).collect();
            assert_eq!(found, expected, "{metadata}");
        }
    }

    #[test]
    fn whoever_has_no_release_owns_no_release_s_objects() {
        let live = json!({"metadata": {"name": "x", "annotations":
            {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "prod"}}});
        let object = ObjectRef {
            api_version: "v1".into(),
            kind: "Secret".into(),
            namespace: Some("prod".into()),
            name: "x".into(),
        };
        assert_eq!(judge(&object, &live, SHOP, None), []);
        assert_eq!(judge(&object, &live, None, None).len(), 1);
        assert_eq!(judge(&object, &live, Some(("other", "shop")), None).len(), 1);
        assert_eq!(judge(&object, &Value::Null, SHOP, None), []);
    }

    #[test]
    fn what_would_be_destroyed_is_found() {
        let crd = || json!({"spec": {"names": {"kind": "Widget"}}});
        let set = |policy: &str, claims: Value| {
            json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy, "whenScaled": "Delete"},
                "volumeClaimTemplates": claims}})
        };
        for (api_version, kind, live, count, expected) in [
            ("v1", "ConfigMap", json!({}), None, None),
            ("v1", "Secret", json!({}), None, None),
            ("apps/v1", "Deployment", json!({}), None, None),
            (
                "v1",
                "PersistentVolumeClaim",
                json!({"spec": {"volumeName": "pv-1"}}),
                None,
                Some("volume `pv-1` is given back"),
            ),
            ("v1", "PersistentVolumeClaim", json!({}), None, Some("the volume is given back")),
            // Of another group: somebody's own kind.
            ("example.com/v1", "PersistentVolumeClaim", json!({}), None, None),
            (
                "v1",
                "PersistentVolume",
                json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}),
                None,
                Some("its reclaim policy is Delete"),
            ),
            ("v1", "PersistentVolume", json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}), None, None),
            ("v1", "PersistentVolume", json!({}), None, Some("its reclaim policy is unknown")),
            ("v1", "Namespace", json!({}), None, Some("all that is in it")),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", crd(), Some(0), None),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                crd(),
                Some(1),
                Some("the one object of kind Widget"),
            ),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                crd(),
                Some(7),
                Some("all 7 objects of kind Widget"),
            ),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                crd(),
                None,
                Some("all objects of kind Widget go with it, and they could not"),
            ),
            ("apps/v1", "StatefulSet", set("Delete", json!([{}])), None, Some("its policy says")),
            ("apps/v1", "StatefulSet", set("Retain", json!([{}])), None, None),
            ("apps/v1", "StatefulSet", set("Delete", json!([])), None, None),
            (
                "v1",
                "ConfigMap",
                json!({"metadata": {"annotations": {"helm.sh/resource-policy": "keep"}}}),
                None,
                Some("its annotation"),
            ),
        ] {
            let found = judged(api_version, kind, live.clone(), count);
            let causes: Vec<&str> = found.iter().map(|finding| finding.cause.as_str()).collect();
            assert_eq!(causes.len(), usize::from(expected.is_some()), "{kind} {live} {causes:?}");
            assert!(found.iter().all(|finding| finding.class == Class::DataLoss), "{kind} {live}");
            assert!(causes.first().is_none_or(|cause| cause.starts_with(expected.unwrap_or_default())), "{causes:?}");
        }
    }

    #[test]
    fn a_claim_of_another_release_is_both() {
        let live = json!({"metadata": {"annotations":
            {"meta.helm.sh/release-name": "cart", "meta.helm.sh/release-namespace": "prod"}}});
        let found = judged("v1", "PersistentVolumeClaim", live, None);
        let classes: Vec<Class> = found.iter().map(|finding| finding.class).collect();
        assert_eq!(classes, [Class::ForeignDeletion, Class::DataLoss]);
    }
}
