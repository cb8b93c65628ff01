//! An object that a client read from the overlay and sends back, in the form in which the server can take it.

use http::StatusCode;
use serde_json::Value;

use super::message::Response;
use super::overlay;

/// How often the version of an object is read anew for one write.
const MOST_READS: u8 = 3;

/// The `resourceVersion` with which a whole object is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Version {
    /// Whether it was put in here: then the command does not know of it, and cannot be told that it is an old one.
    is_ours: bool,
    /// The server's, if that was read anew.
    fresh: Option<String>,
    reads: u8,
}

impl Version {
    /// Gives the object the version that the server has, `real`, in place of one of the overlay, which is unknown to it. Where
    /// the client sent none it means any: then one is put in only if `is_patched`, for what was a patch.
    pub(super) fn put_in(&mut self, object: &mut Value, real: Option<&Value>, is_patched: bool) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        let is_wanted = match metadata.get("resourceVersion").and_then(Value::as_str) {
            Some(version) => overlay::is_made_up(version),
            None => is_patched,
        };
        if !is_wanted {
            return;
        }
        let known = real.and_then(|real| real.get("metadata")?.get("resourceVersion")).cloned();
        match self.fresh.clone().map(Value::String).or(known) {
            Some(version) => metadata.insert("resourceVersion".to_owned(), version),
            None => metadata.shift_remove("resourceVersion"),
        };
        self.is_ours = true;
    }

    /// Tells whether the server refuses a write for a version of ours: somebody else has written the object since.
    ///
    /// Source: `k8s.io/apiserver/pkg/registry/generic/registry` `OptimisticLockErrorMsg`.
    pub(super) fn is_outdated(&self, answer: &Response) -> bool {
        const SAID: &str = "the object has been modified";
        let said = || serde_json::from_slice::<Value>(answer.body()).ok()?.get("message")?.as_str().map(str::to_owned);
        self.is_ours && answer.status() == StatusCode::CONFLICT && said().is_some_and(|said| said.contains(SAID))
    }

    /// Tells whether it may be read once more.
    pub(super) fn may_be_read(&self) -> bool {
        self.reads < MOST_READS
    }

    /// Takes the answer to a read of the object; tells whether it has a version.
    pub(super) fn learn(&mut self, answer: &Response) -> bool {
        self.reads += 1;
        let object = serde_json::from_slice::<Value>(answer.body()).ok().filter(|_| answer.status() == StatusCode::OK);
        let version = object.as_ref().and_then(|object| object.pointer("/metadata/resourceVersion")?.as_str());
        self.fresh = version.map(str::to_owned);
        self.fresh.is_some()
    }
}

/// The object as if it had never been stored: without what a server gives at that time, and what a dry run made up (T7).
pub(super) fn as_new(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
            metadata.shift_remove(field);
        }
    }
    match object.get("kind").and_then(Value::as_str) {
        Some("Service") => unallocate(&mut object),
        Some("Job") => unselect(&mut object),
        _ => {}
    }
    object
}

/// A Service without the addresses that a dry run made up, and without the fields that a server fills in for another type: an
/// update clears those itself, a create refuses them.
fn unallocate(service: &mut Value) {
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let kind = spec.get("type").and_then(Value::as_str).unwrap_or("ClusterIP").to_owned();
    let mut dropped: Vec<&str> = Vec::new();
    // A headless Service says so itself.
    if spec.get("clusterIP").and_then(Value::as_str) != Some("None") || kind == "ExternalName" {
        dropped.extend(["clusterIP", "clusterIPs"]);
    }
    match kind.as_str() {
        "ClusterIP" => dropped.extend(["externalTrafficPolicy", "allocateLoadBalancerNodePorts"]),
        "ExternalName" => dropped.extend(["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"]),
        _ => {}
    }
    for field in dropped {
        spec.shift_remove(field);
    }
}

/// A Job without what the server generated to tie its pods to it.
fn unselect(job: &mut Value) {
    if job.pointer("/spec/manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    if let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) {
        spec.shift_remove("selector");
    }
    for pointer in ["/metadata/labels", "/spec/template/metadata/labels"] {
        let Some(labels) = job.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        labels.retain(|label, _| !JOB_LABELS.contains(&label.as_str()));
    }
}

/// Source: `k8s.io/api/batch/v1` `ControllerUidLabel`, `JobNameLabel` and their older forms.
const JOB_LABELS: [&str; 4] =
    ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];
