//! Who serves a kind. An extension API server gets its requests handed on by the real server as they are, and whether it
//! honours a dry run nobody can tell: no write is sent to one.
//!
//! It is asked once for each group and version: its `APIService` says it. Users with rights in their namespace alone may not
//! read that; the page of its schemas anyone may read, and that of custom resources says that it is one. An extension API
//! server would have to say the same of itself to pass for them. If neither tells, the write is not sent, and what the server
//! would say is unpredictable: to deny it would end the rehearsal of a chart that may well be harmless.
//!
//! Sources: `k8s.io/kube-aggregator/pkg/apis/apiregistration/v1` `APIServiceSpec` (without `service` it is served locally);
//! `pkg/apiserver/apiserver.go` of the same: what has no `APIService` is never handed on.

use serde_json::Value;

use super::Rehearsal;
use super::call::{Denied, Resource};
use super::lookup::Lookup;
use super::message::Next;
use super::read::{already_exists, not_found};
use super::write::{Act, Base, Write};

/// Who serves a group and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// The API server itself: custom resources too.
    Own,
    /// An extension API server.
    Extension,
    /// It could not be read.
    Unknown,
}

/// Groups that the API server serves itself, without the core group.
///
/// Source: `k8s.io/kubernetes/pkg/controlplane/instance.go`, `k8s.io/apiextensions-apiserver`, `k8s.io/kube-aggregator`.
const OWN_GROUPS: [&str; 23] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
    "",
];

/// What the schemas of custom resources are called.
///
/// Source: `k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder/builder.go` `getOpenAPIConfig`.
const CUSTOM_RESOURCES: &str = "Kubernetes CRD Swagger";

impl Rehearsal {
    /// Returns what is still to be asked about who serves the kind of a write.
    pub(super) fn backend_lookup(&self, write: &Write) -> Option<Lookup> {
        let resource = &write.target.resource;
        let api_version = resource.api_version();
        if OWN_GROUPS.contains(&resource.group.as_str()) {
            return None;
        }
        match self.known.extensions.get(&api_version) {
            None => Some(Lookup::ApiService { resource: resource.clone() }),
            Some(None) if !self.known.has_schema(&api_version) => Some(Lookup::Schema { api_version }),
            Some(_) => None,
        }
    }

    /// Returns who serves a resource, as far as it was asked.
    pub(super) fn backend(&self, resource: &Resource) -> Backend {
        let api_version = resource.api_version();
        if OWN_GROUPS.contains(&resource.group.as_str()) {
            return Backend::Own;
        }
        match self.known.extensions.get(&api_version) {
            Some(Some(true)) => Backend::Extension,
            Some(Some(false)) => Backend::Own,
            None | Some(None) => {
                let title = self.known.schema(&api_version).and_then(|page| page.pointer("/info/title"));
                if title.and_then(Value::as_str) == Some(CUSTOM_RESOURCES) { Backend::Own } else { Backend::Unknown }
            }
        }
    }

    /// Answers a write that is not sent.
    pub(super) fn hold_back(&mut self, write: Write, backend: Backend) -> Next {
        let Resource { group, plural, .. } = &write.target.resource;
        let told = format!("{} {plural}.{group}", write.act.method());
        if backend == Backend::Extension {
            return Next::Answer(self.deny(Denied::extension(told)));
        }
        // Of a body that only the server reads no success can be made up, and what has no name yet could not be told.
        if write.is_opaque() || write.target.name.is_none() {
            return Next::Answer(self.deny(Denied::unknown_backend(told)));
        }
        let is_gone = matches!(write.base, Some(Base::Absent | Base::Written { now: None, .. }));
        match (&write.base, write.act) {
            (_, Act::Patch | Act::Update | Act::Delete) if is_gone => Next::Answer(not_found(&write.target)),
            (Some(Base::Written { now: Some(_), .. }), Act::Create) => {
                let answer = already_exists(&write.target);
                self.judge(write, answer)
            }
            _ => {
                let because = format!(
                    "whether an extension API server serves {plural}.{group} could not be read, and such a one may not \
                     honour dry runs: it was not sent"
                );
                self.cannot_tell(&write, &because)
            }
        }
    }
}

/// Returns whether an `APIService` names an extension API server.
pub(super) fn is_extension(api_service: &Value) -> bool {
    api_service.pointer("/spec/service").is_some_and(|service| !service.is_null())
}
