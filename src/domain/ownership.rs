//! Who owns an object, by the marks that the owner has left on it.

use super::facts::GitOpsOwner;
use super::object::Object;

/// Returns the Helm release that owns it, as (namespace, name).
///
/// Source: Helm `pkg/action/validate.go`: annotations `meta.helm.sh/release-namespace` and `meta.helm.sh/release-name`.
#[must_use]
pub fn helm_owner(live: &Object) -> Option<(String, String)> {
    let owner = |key: &str| live.annotation(key).map(str::to_owned);
    owner("meta.helm.sh/release-namespace").zip(owner("meta.helm.sh/release-name"))
}

/// Returns the GitOps tool that owns it.
///
/// Sources: Argo CD "resource tracking" (annotation `argocd.argoproj.io/tracking-id`, `<application>:<group>/<kind>:...`,
/// or label `argocd.argoproj.io/instance`); Flux origin labels `{helm,kustomize}.toolkit.fluxcd.io/{name,namespace}` of its
/// helm-controller and kustomize-controller.
#[must_use]
pub fn gitops_owner(live: &Object) -> Option<GitOpsOwner> {
    for controller in ["helm", "kustomize"] {
        if let Some(name) = live.label(&format!("{controller}.toolkit.fluxcd.io/name")) {
            let namespace = live.label(&format!("{controller}.toolkit.fluxcd.io/namespace")).unwrap_or_default();
            return Some(GitOpsOwner { tool: "Flux".to_owned(), name: format!("{namespace}/{name}") });
        }
    }
    let tracked = live.annotation("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    let name = tracked.or_else(|| live.label("argocd.argoproj.io/instance"))?;
    Some(GitOpsOwner { tool: "Argo CD".to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn owners(metadata: &Value) -> (Option<(String, String)>, Option<String>) {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        object["metadata"]["name"] = json!("c");
        let object = Object::new(object).expect("an object");
        (helm_owner(&object), gitops_owner(&object).map(|owner| format!("{} {}", owner.tool, owner.name)))
    }

    #[test]
    fn an_owner_is_known_by_its_marks() {
        assert_eq!(owners(&json!({})), (None, None));
        let helm = json!({"annotations": {"meta.helm.sh/release-name": "a", "meta.helm.sh/release-namespace": "b"}});
        assert_eq!(owners(&helm).0, Some(("b".into(), "a".into())));
        assert_eq!(owners(&json!({"annotations": {"meta.helm.sh/release-name": "a"}})).0, None);
        for (metadata, owner) in [
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "a", "helm.toolkit.fluxcd.io/namespace": "b"}}),
                "Flux b/a",
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "b"}}),
                "Flux b/a",
            ),
            (json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:/ConfigMap:x/c"}}), "Argo CD app"),
            (json!({"labels": {"argocd.argoproj.io/instance": "app"}}), "Argo CD app"),
        ] {
            assert_eq!(owners(&metadata).1.as_deref(), Some(owner));
        }
    }
}
