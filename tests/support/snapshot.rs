//! The state of the cluster: uid and resourceVersion of every object of every kind that can be listed.

use std::collections::BTreeMap;

use super::bed::Bed;

/// Kinds whose objects change all by themselves: heartbeats of nodes and components, and events, which tell and are not told.
const RESTLESS: [&str; 6] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "nodes",
    "componentstatuses",
    "csistoragecapacities.storage.k8s.io",
];

/// Every object with its version; Leases only outside the namespaces where components keep theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

const LINE: &str = "{{range .items}}{{.kind}} {{or .metadata.namespace \"-\"}} {{.metadata.name}}\t{{.metadata.uid}} \
                    {{.metadata.resourceVersion}}\n{{end}}";

impl Snapshot {
    /// Takes one of the whole cluster. Only on a bed of one's own: other tests change things all the time.
    pub fn of_cluster(bed: &Bed) -> Self {
        let mut objects = Self::read(bed, "-A", &Self::kinds(bed, None));
        let leases = Self::read(bed, "-A", "leases.coordination.k8s.io");
        let of_components = ["Lease kube-node-lease ", "Lease kube-system "];
        objects.extend(leases.into_iter().filter(|(name, _)| !of_components.iter().any(|own| name.starts_with(own))));
        Self(objects)
    }

    /// Takes one of a namespace: what a test that shares its bed can compare.
    pub fn of_namespace(bed: &Bed, namespace: &str) -> Self {
        let kinds = format!("{},leases.coordination.k8s.io", Self::kinds(bed, Some("--namespaced")));
        Self(Self::read(bed, &format!("--namespace={namespace}"), &kinds))
    }

    /// Returns what is new, gone or changed in `later`, one line each; empty if nothing is.
    pub fn changes_until(&self, later: &Self) -> Vec<String> {
        let gone = self.0.keys().filter(|name| !later.0.contains_key(*name)).map(|name| format!("gone: {name}"));
        let other = later.0.iter().filter_map(|(name, version)| match self.0.get(name) {
            None => Some(format!("new: {name}")),
            Some(before) if before != version => Some(format!("changed: {name}: {before} -> {version}")),
            Some(_) => None,
        });
        gone.chain(other).collect()
    }

    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `Kind namespace name` of every object; `-` stands for no namespace.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn kinds(bed: &Bed, scope: Option<&str>) -> String {
        let mut arguments = vec!["api-resources", "--verbs=list", "-o", "name", "--cached=false"];
        arguments.extend(scope);
        let listed = bed.kubectl(&arguments);
        listed.lines().filter(|kind| !RESTLESS.contains(kind)).collect::<Vec<_>>().join(",")
    }

    fn read(bed: &Bed, scope: &str, kinds: &str) -> BTreeMap<String, String> {
        let template = format!("go-template={LINE}");
        let listed = bed.kubectl(&["get", kinds, scope, "-o", &template]);
        listed.lines().filter_map(|line| line.split_once('\t')).map(|(name, at)| (name.into(), at.into())).collect()
    }
}
