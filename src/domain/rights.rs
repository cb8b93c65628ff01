//! The rights that a run needs: asked for before anything is changed.

use std::collections::BTreeSet;

use super::facts::{Facts, HelmDriver, ObjectRole, RightFacts};

/// The resource of an object, as the server names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceOfObject {
    /// API group; empty for the core group.
    pub group: String,
    /// Plural name.
    pub resource: String,
    /// None for cluster-scoped resources.
    pub namespace: Option<String>,
}

/// Returns every right that an upgrade and its undo need, each once, `allowed` still false.
///
/// `objects` are those of the release now and after, with their roles. Sources of the verbs: what Helm 3.17 to 4.3 send
/// (GET, POST or PATCH, DELETE; watches on hook kinds), the run's own record, lease and observation.
#[must_use]
pub fn needed(
    release: &str,
    namespace: &str,
    driver: HelmDriver,
    objects: &[(ResourceOfObject, ObjectRole)],
) -> Vec<RightFacts> {
    let mut rights = Collected::default();
    for (resource, role) in objects {
        rights.add(resource, &["get"], "read the objects of the release");
        if role.in_target || role.in_current {
            rights.add(resource, &["create", "patch", "delete"], "change the objects of the release, and undo it");
        }
        if role.target_hook.is_some() || role.current_hook {
            rights.add(resource, &["create", "delete", "list", "watch"], "run the hooks of the chart");
        }
    }
    let in_namespace = |group: &str, resource: &str| ResourceOfObject {
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: Some(namespace.to_owned()),
    };
    let storage = match driver {
        HelmDriver::Secret => in_namespace("", "secrets"),
        HelmDriver::Configmap => in_namespace("", "configmaps"),
    };
    rights.add(&storage, &["get", "list", "create", "update", "delete"], &format!("keep Helm's records of {release}"));
    rights.add(
        &in_namespace("", "secrets"),
        &["get", "list", "create", "update", "delete"],
        "keep the journal of the run",
    );
    rights.add(
        &in_namespace("coordination.k8s.io", "leases"),
        &["get", "create", "update", "delete"],
        "hold the release while the run lasts",
    );
    for namespace in namespaces(namespace, objects) {
        let within = |group: &str, resource: &str| ResourceOfObject {
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: Some(namespace.clone()),
        };
        rights.add(&within("", "pods"), &["list"], "watch the pods of the release");
        rights.add(&within("", "pods/log"), &["get"], "show the log of a failing pod");
        rights.add(&within("apps", "replicasets"), &["list"], "tell new pods from old ones");
        rights.add(&within("", "events"), &["list"], "collect evidence of a failure");
    }
    rights.list
}

/// Tells whether the user may rehearse an upgrade at all: Helm begins with its own record of the release, and a dry run needs the
/// right to the real write. True where the rights could not be asked for: the rehearsal then tells.
#[must_use]
pub fn may_rehearse(facts: &Facts) -> bool {
    let storage = match facts.helm.driver {
        HelmDriver::Secret => "secrets",
        HelmDriver::Configmap => "configmaps",
    };
    let is_record = |right: &&RightFacts| {
        let is_here = right.namespace.as_deref() == Some(facts.namespace.as_str());
        right.verb == "create" && right.group.is_empty() && right.resource == storage && is_here
    };
    facts.rights.known().is_none_or(|rights| rights.iter().filter(is_record).all(|right| right.allowed))
}

fn namespaces(release_namespace: &str, objects: &[(ResourceOfObject, ObjectRole)]) -> BTreeSet<String> {
    let workloads = objects.iter().filter(|(resource, _)| matches!(resource.group.as_str(), "apps" | "batch"));
    workloads.filter_map(|(resource, _)| resource.namespace.clone()).chain([release_namespace.to_owned()]).collect()
}

#[derive(Default)]
struct Collected {
    seen: BTreeSet<(ResourceOfObject, String)>,
    list: Vec<RightFacts>,
}

impl Collected {
    fn add(&mut self, resource: &ResourceOfObject, verbs: &[&str], needed_for: &str) {
        for verb in verbs {
            if self.seen.insert((resource.clone(), (*verb).to_owned())) {
                self.list.push(RightFacts {
                    verb: (*verb).to_owned(),
                    group: resource.group.clone(),
                    resource: resource.resource.clone(),
                    namespace: resource.namespace.clone(),
                    needed_for: needed_for.to_owned(),
                    allowed: false,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_asked_for_once_and_hooks_need_watch() {
        let job = ResourceOfObject { group: "batch".into(), resource: "jobs".into(), namespace: Some("shop".into()) };
        let hook = ObjectRole {
            target_hook: Some(super::super::facts::HookFacts {
                events: vec!["pre-upgrade".into()],
                may_change_data: true,
            }),
            ..ObjectRole::default()
        };
        let rights = needed("shop", "shop", HelmDriver::Secret, &[(job.clone(), hook.clone()), (job, hook)]);
        let jobs: Vec<&str> =
            rights.iter().filter(|right| right.resource == "jobs").map(|right| right.verb.as_str()).collect();
        assert_eq!(jobs, ["get", "create", "delete", "list", "watch"]);
        assert_eq!(rights.iter().filter(|right| right.resource == "secrets").count(), 5);
    }
}
