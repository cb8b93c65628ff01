//! Which kinds the server serves, under which path. One request for each API version that is asked about, so that an
//! aggregated API that is down fails the questions about its own kinds and no other.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::sync::Mutex;

use super::Cluster;
use super::error::{ClusterError, ErrorClass};
use super::transport::{Call, escape};
use crate::domain::object::{Object, ObjectRef};

/// How long a "no such kind" or a failure is believed: a CRD may be installed at any moment.
const DOUBT: Duration = Duration::from_secs(2);

/// A kind that the server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedKind {
    /// `apps/v1`, or `v1` for the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// `get`, `list`, `create`, ...
    pub verbs: Vec<String>,
}

impl ResolvedKind {
    /// Returns the path of all objects of this kind, of one namespace if one is named.
    pub(super) fn collection_path(&self, namespace: Option<&str>) -> String {
        let root = group_path(&self.api_version);
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{}/{}", escape(namespace), escape(&self.plural)),
            None => format!("{root}/{}", escape(&self.plural)),
        }
    }

    /// Returns the path of one object.
    pub(super) fn object_path(&self, namespace: Option<&str>, name: &str) -> String {
        format!("{}/{}", self.collection_path(namespace), escape(name))
    }
}

fn group_path(api_version: &str) -> String {
    match api_version.split_once('/') {
        Some((group, version)) => format!("/apis/{}/{}", escape(group), escape(version)),
        None => format!("/api/{}", escape(api_version)),
    }
}

/// What is known of each API version; one question at a time for each.
#[derive(Default)]
pub(super) struct DiscoveryCache(std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Known>>>>>);

struct Known {
    since: Instant,
    kinds: Result<Vec<ResolvedKind>, ClusterError>,
}

impl DiscoveryCache {
    fn of(&self, api_version: &str) -> Arc<Mutex<Option<Known>>> {
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.entry(api_version.to_owned()).or_default().clone()
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    kind: String,
    namespaced: bool,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Cluster {
    /// Returns the kind as the server serves it; nothing if it does not.
    ///
    /// Answers are kept for the life of the value; "no" is believed for two seconds.
    ///
    /// # Errors
    /// If the server, or the aggregated API behind it, does not answer.
    pub async fn resolve(&self, api_version: &str, kind: &str) -> Result<Option<ResolvedKind>, ClusterError> {
        let find = |kinds: &[ResolvedKind]| kinds.iter().find(|known| known.kind == kind).cloned();
        let slot = self.inner.discovery.of(api_version);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref() {
            let is_fresh = known.since.elapsed() < DOUBT;
            match &known.kinds {
                Ok(kinds) => match find(kinds) {
                    Some(found) => return Ok(Some(found)),
                    None if is_fresh => return Ok(None),
                    None => {}
                },
                Err(error) if is_fresh => return Err(error.clone()),
                Err(_) => {}
            }
        }
        let kinds = self.read_kinds(api_version).await;
        let answer = kinds.as_ref().map(|kinds| find(kinds)).map_err(Clone::clone);
        *slot = Some(Known { since: Instant::now(), kinds });
        answer
    }

    /// Forgets which kinds the server serves: after CRDs were changed or removed.
    pub fn forget_kinds(&self) {
        self.inner.discovery.clear();
    }

    async fn read_kinds(&self, api_version: &str) -> Result<Vec<ResolvedKind>, ClusterError> {
        let call = Call::read("read", format!("the kinds of `{api_version}`"), group_path(api_version));
        let list: ResourceList = match self.inner.transport.ask(&call).await {
            Ok(list) => list,
            Err(error) if error.class() == ErrorClass::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let served = list.resources.into_iter().filter(|resource| !resource.name.contains('/'));
        Ok(served
            .map(|resource| ResolvedKind {
                api_version: api_version.to_owned(),
                kind: resource.kind,
                plural: resource.name,
                namespaced: resource.namespaced,
                verbs: resource.verbs,
            })
            .collect())
    }

    /// Returns the full name of the object of a manifest: with the release's namespace where its kind is namespaced and the
    /// manifest names none, without one where its kind is cluster-scoped. Nothing if the server does not know the kind.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn complete(
        &self,
        manifest: &Object,
        release_namespace: &str,
    ) -> Result<Option<ObjectRef>, ClusterError> {
        let Some(kind) = self.resolve(manifest.api_version(), manifest.kind()).await? else { return Ok(None) };
        let mut name = manifest.reference(Some(release_namespace));
        if !kind.namespaced {
            name.namespace = None;
        }
        Ok(Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(api_version: &str, plural: &str, namespaced: bool) -> ResolvedKind {
        ResolvedKind {
            api_version: api_version.into(),
            kind: "Any".into(),
            plural: plural.into(),
            namespaced,
            verbs: Vec::new(),
        }
    }

    #[test]
    fn the_path_follows_group_and_scope() {
        assert_eq!(kind("v1", "pods", true).object_path(Some("shop"), "a"), "/api/v1/namespaces/shop/pods/a");
        assert_eq!(kind("apps/v1", "deployments", true).collection_path(None), "/apis/apps/v1/deployments");
        assert_eq!(kind("v1", "nodes", false).object_path(Some("shop"), "a"), "/api/v1/nodes/a");
        assert_eq!(
            kind("rbac.authorization.k8s.io/v1", "clusterroles", false).object_path(None, "system:node"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"
        );
    }

    #[test]
    fn a_hostile_name_stays_in_its_place() {
        assert_eq!(kind("v1", "pods", true).object_path(Some("../.."), "a?b"), "/api/v1/namespaces/..%2F../pods/a%3Fb");
    }
}
