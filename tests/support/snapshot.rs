//! The state of the cluster: uid and resourceVersion of every object of every kind that can be listed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::bed::Bed;
use super::own_bed::OwnBed;
use super::waiting::eventually;

/// Kinds whose objects change all by themselves: heartbeats of nodes and components, and events, which tell and are not told.
const RESTLESS: [&str; 6] = [
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "nodes",
    "componentstatuses",
    "csistoragecapacities.storage.k8s.io",
];

/// Kinds whose controller looks for metrics, and writes that there are none, whenever it likes. That nobody else writes them is
/// seen by their contents.
const RESTLESS_STATUS: [&str; 1] = ["HorizontalPodAutoscaler"];

/// How long nothing may change in what has come to rest.
const REST: Duration = Duration::from_secs(1);

/// How long that may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);

/// Every object with its version; Leases only outside the namespaces where components keep theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

const LINE: &str = "{{range .items}}{{.kind}} {{or .metadata.namespace \"-\"}} {{.metadata.name}}\t{{.metadata.uid}} \
                    {{.metadata.resourceVersion}}\n{{end}}";

impl Snapshot {
    /// Takes one of the whole cluster at rest: on a bed of one's own, as on a shared one other tests change things all the time.
    pub fn of_cluster(bed: &OwnBed) -> Self {
        Self::at_rest(|| Self::of_cluster_in_motion(bed))
    }

    /// Takes one of the whole cluster as it is while others work in it. It tells what is there, and cannot be compared.
    pub fn of_cluster_in_motion(bed: &Bed) -> Self {
        let mut objects = Self::read(bed, "-A", &[], "");
        let leases = Self::read_kinds(bed, "-A", "leases.coordination.k8s.io").expect("every server has Leases");
        let of_components = ["Lease kube-node-lease ", "Lease kube-system "];
        objects.extend(leases.into_iter().filter(|(name, _)| !of_components.iter().any(|own| name.starts_with(own))));
        Self(objects)
    }

    /// Takes one of a namespace at rest: what a test that shares its bed can compare.
    pub fn of_namespace(bed: &Bed, namespace: &str) -> Self {
        let scope = format!("--namespace={namespace}");
        Self::at_rest(|| Self(Self::read(bed, &scope, &["--namespaced"], ",leases.coordination.k8s.io")))
    }

    /// Takes one again and again until two are the same: what the cluster itself still has to do is no change of ours.
    fn at_rest(take: impl Fn() -> Self) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let mut snapshot = take();
        loop {
            std::thread::sleep(REST);
            let later = take();
            let changes = snapshot.changes_until(&later);
            if changes.is_empty() {
                return later;
            }
            assert!(Instant::now() < deadline, "it does not come to rest: {changes:?}");
            snapshot = later;
        }
    }

    /// Returns what is new, gone or changed in `later`, one line each; empty if nothing is.
    pub fn changes_until(&self, later: &Self) -> Vec<String> {
        let gone = self.0.keys().filter(|name| !later.0.contains_key(*name)).map(|name| format!("gone: {name}"));
        let other = later.0.iter().filter_map(|(name, version)| match self.0.get(name) {
            None => Some(format!("new: {name}")),
            Some(before) if !is_same(name, before, version) => Some(format!("changed: {name}: {before} -> {version}")),
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

    /// Lists all kinds and their objects; again where another test removed a kind in between, or has an API that is down.
    fn read(bed: &Bed, scope: &str, flags: &[&str], further: &str) -> BTreeMap<String, String> {
        eventually(|| {
            let mut kinds = bed.kinds(flags)?;
            kinds.retain(|kind| !RESTLESS.contains(&kind.as_str()));
            Self::read_kinds(bed, scope, &format!("{}{further}", kinds.join(",")))
        })
    }

    fn read_kinds(bed: &Bed, scope: &str, kinds: &str) -> Result<BTreeMap<String, String>, String> {
        let output = bed.try_kubectl(&["get", kinds, scope, "-o", &format!("go-template={LINE}")], None);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let listed = String::from_utf8_lossy(&output.stdout);
        let lines = listed.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(name, version)| (name.to_owned(), version.to_owned())).collect())
    }
}

/// Tells whether an object has not changed, by uid and resourceVersion; of one whose status is restless the uid alone tells.
fn is_same(name: &str, before: &str, later: &str) -> bool {
    let is_restless = name.split(' ').next().is_some_and(|kind| RESTLESS_STATUS.contains(&kind));
    let uid = |version: &str| version.split(' ').next().map(str::to_owned);
    before == later || is_restless && uid(before) == uid(later)
}
