//! What a server's refusal of a write means: a class, the fields, who stands in the way, one line of cause, and what helps.
//!
//! The server's sentences differ by kind and by plugin; each that is known was provoked once, and stands with the request
//! that caused it in `tests/fixtures/rehearsal/statuses`. A sentence that is not known still counts: it is told as it is.

mod admission;
mod fields;
mod invalid;

use serde_json::Value;

pub(super) use admission::{exceeded, is_exceeded, remedy_for_quota};

use super::write::Act;
use crate::domain::helm_error::{between, one_line, quoted};
use crate::domain::object::ObjectRef;
use crate::domain::ownership;
use crate::domain::rehearsed::{Class, Finding, Remedy};
use fields::Fields;

/// A write that the server refused, with an HTTP status of 400 or more.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefusedWrite<'a> {
    /// The object that was to be written.
    pub(super) object: &'a ObjectRef,
    /// How.
    pub(super) act: Act,
    /// The HTTP status.
    pub(super) code: u16,
    /// The server's answer: a Status; a string if it was no JSON; null if it was empty.
    pub(super) status: &'a Value,
    /// The object as it is in the cluster, if it is there.
    pub(super) live: Option<&'a Value>,
    /// The object as it was sent; of a patch, what it names.
    pub(super) desired: Option<&'a Value>,
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The real run would be refused too.
    Findings(Vec<Finding>),
    /// The server refuses the dry run, and that says nothing about the real one.
    Unpredictable {
        /// Why not, in one line.
        because: String,
    },
    /// It passes by itself, or Helm knows what to do: the answer is handed on as it is.
    Passing,
}

/// Returns what the server's refusal means. Findings are never empty.
///
/// Source: `k8s.io/apimachinery/pkg/api/errors` and `pkg/apis/meta/v1` `StatusReason`, `CauseType`; observed on 1.36.
pub(super) fn classify(write: &RefusedWrite<'_>) -> Refusal {
    let scene = Scene::of(write);
    let message = scene.message.as_str();
    if let Some((head, _)) = message.split_once(" does not support dry run")
        && let Some((webhook, _)) = head.strip_prefix("admission webhook ").and_then(quoted)
    {
        let because = format!("admission webhook `{webhook}` takes no dry runs: what it would say is not known");
        return Refusal::Unpredictable { because };
    }
    // A dry run asks any of the ranges for an address, one that is being deleted too; a real write asks those that are ready.
    if write.code == 422 && message.ends_with("allocator not ready") {
        let because = "one of the cluster's ranges of clusterIPs is not ready (`kubectl get servicecidrs`), and a dry run \
                       asks that one too";
        return Refusal::Unpredictable { because: because.to_owned() };
    }
    // Webhooks and policies choose the code of their refusals: 422, 409, 429, ...
    if let Some(findings) = admission::by_webhook_or_policy(&scene) {
        return Refusal::Findings(findings);
    }
    if is_passing(&scene) {
        return Refusal::Passing;
    }
    let findings = match write.code {
        401 => vec![scene.finding(
            Class::Rights,
            "the API server does not accept the credentials",
            "log in again; to check: `kubectl auth whoami`".to_owned(),
        )],
        403 => admission::forbidden(&scene),
        404 => match not_found(&scene) {
            Ok(findings) => findings,
            Err(refusal) => return refusal,
        },
        409 => invalid::conflict(&scene),
        _ => invalid::invalid(&scene),
    };
    Refusal::Findings(findings)
}

/// Tells whether it passes by itself, or is a race that the real run may lose or win.
fn is_passing(scene: &Scene<'_>) -> bool {
    let write = scene.write;
    let is_race = write.code == 409
        && ["the object has been modified", "in the precondition", "Precondition failed"]
            .iter()
            .any(|mark| scene.message.contains(mark));
    let is_etcd = write.code >= 500
        && [
            "etcdserver: request timed out",
            "etcdserver: leader changed",
            "etcdserver: no leader",
            "etcdserver: too many requests",
        ]
        .iter()
        .any(|mark| scene.message.contains(mark));
    // Helm takes a deletion of what is gone for done, and has just read what it patches.
    let is_gone = write.code == 404 && write.act != Act::Create && scene.names_object_itself();
    matches!(write.code, 408 | 429 | 502..=504) || is_race || is_etcd || is_gone
}

fn not_found(scene: &Scene<'_>) -> Result<Vec<Finding>, Refusal> {
    let (object, message) = (scene.write.object, scene.message.as_str());
    if let Some(namespace) = between(message, "namespaces \"", "\" not found") {
        let cause = format!("namespace `{namespace}` does not exist");
        let remedy = format!("create it: `kubectl create namespace {namespace}`");
        return Ok(vec![scene.finding(Class::MissingNamespace, &cause, remedy)]);
    }
    // Who has not all of a role's rights must hold `bind` on it, and that is looked up when the role is.
    if matches!(object.kind.as_str(), "RoleBinding" | "ClusterRoleBinding")
        && let Some(role) = between(message, "rbac.authorization.k8s.io \"", "\" not found")
    {
        let because = format!("role `{role}` is not there yet, so whether you may bind it cannot be asked");
        return Err(Refusal::Unpredictable { because });
    }
    if message.contains("could not find the requested resource") || message.starts_with("404 page not found") {
        let cause = format!("the cluster has no kind {} in {}", object.kind, object.api_version);
        let remedy = "install its CRD first (Helm leaves out a chart's `crds/` on upgrade), or write the object in a \
                      version that `kubectl api-resources` lists";
        return Ok(vec![scene.finding(Class::MissingKind, &cause, remedy.to_owned())]);
    }
    Ok(vec![scene.finding(Class::Validation, message, "create what is missing first".to_owned())])
}

/// A refusal, ready to be read.
struct Scene<'a> {
    write: &'a RefusedWrite<'a>,
    message: String,
    fields: Fields,
}

impl<'a> Scene<'a> {
    fn of(write: &'a RefusedWrite<'a>) -> Self {
        let text = write.status.get("message").unwrap_or(write.status).as_str().unwrap_or_default().trim();
        let message = if text.is_empty() {
            format!("the API server refuses it with HTTP {} and says no more", write.code)
        } else {
            text.to_owned()
        };
        Self { write, message, fields: Fields::of(write) }
    }

    /// Returns the causes that the server lists.
    fn causes(&self) -> Vec<Cause<'a>> {
        let text = |cause: &'a Value, key: &str| cause.get(key).and_then(Value::as_str).unwrap_or_default();
        let causes = self.write.status.pointer("/details/causes").and_then(Value::as_array);
        causes
            .into_iter()
            .flatten()
            .map(|cause| Cause {
                reason: text(cause, "reason"),
                field: text(cause, "field"),
                message: text(cause, "message"),
            })
            .collect()
    }

    /// Tells whether `... "NAME" not found` means the object that was written.
    fn names_object_itself(&self) -> bool {
        self.message.ends_with(&format!("\"{}\" not found", self.write.object.name))
            && !self.message.starts_with("namespaces \"")
    }

    /// Returns the object as kubectl takes it: `job migrate -n shop`.
    fn for_kubectl(&self) -> String {
        format!("{} {}{}", self.write.object.kind.to_lowercase(), self.write.object.name, self.namespace_flag())
    }

    fn namespace_flag(&self) -> String {
        self.write.object.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
    }

    /// Returns a finding about the whole object. `what_helps` is one command or one sentence.
    fn finding(&self, class: Class, cause: &str, what_helps: String) -> Finding {
        // What the server adds on further lines are comparisons of Go values.
        let cause = cause.trim().lines().next().unwrap_or_default();
        Finding {
            class,
            object: self.write.object.clone(),
            fields: Vec::new(),
            who: None,
            cause: one_line(cause),
            remedy: Remedy::Person { text: what_helps },
        }
    }

    /// Returns who owns the object now, as far as it says so.
    fn owner(&self) -> Option<String> {
        let live = crate::domain::object::Object::new(self.write.live?.clone()).ok()?;
        let (namespace, name) = ownership::helm_owner(&live)?;
        Some(format!("release {namespace}/{name}"))
    }
}

/// One entry of `details.causes`.
#[derive(Debug, Clone, Copy)]
struct Cause<'a> {
    reason: &'a str,
    field: &'a str,
    message: &'a str,
}

impl Finding {
    /// The same, with who stands in the way.
    fn by(mut self, who: &str) -> Self {
        self.who = Some(who.to_owned());
        self
    }

    /// The same, about these fields.
    fn about(mut self, fields: Vec<crate::domain::rehearsed::FieldChange>) -> Self {
        self.fields = fields;
        self
    }
}

#[cfg(test)]
mod tests;
