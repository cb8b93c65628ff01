//! Refusals by the server itself: fields that are wrong, fixed, taken or another's, and bodies that are too large.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation/field`, `k8s.io/kubernetes/pkg/apis/*/validation`,
//! `pkg/registry/core/service/{portallocator,ipallocator}`, `sigs.k8s.io/structured-merge-diff/typed`; observed on 1.36.

use super::{Act, Cause, Scene};
use crate::domain::helm_error::{
    between, is_about_immutability, quoted, remedy_for_immutable, told_briefly, without_value, wrong_go_type,
};
use crate::domain::object::{HOOK_ANNOTATION, Object};
use crate::domain::rehearsed::{Class, FieldChange, Finding, Remedy};

/// Words of the allocators of ports and addresses.
const ALLOCATOR: [&str; 6] = [
    "provided port is already allocated",
    "provided port is not in the valid range",
    "provided IP is already allocated",
    "failed to allocate",
    "does not match the current range",
    "range is full",
];

/// Returns what a 409 means that is no race.
pub(super) fn conflict(scene: &Scene<'_>) -> Vec<Finding> {
    let causes: Vec<Cause<'_>> =
        scene.causes().into_iter().filter(|cause| cause.reason == "FieldManagerConflict").collect();
    if !causes.is_empty() {
        return conflicts(scene, &causes);
    }
    let message = scene.message.as_str();
    if !message.contains("already exists") {
        return invalid(scene);
    }
    let target = scene.for_kubectl();
    if message.contains("object is being deleted") {
        let remedy = format!("wait until it is gone, or see which finalizer holds it: `kubectl get {target} -o yaml`");
        return vec![scene.finding(Class::Ownership, "the object of that name is still being deleted", remedy)];
    }
    let owner = scene.owner();
    let cause = match &owner {
        Some(owner) => format!("it exists already, and belongs to {owner}"),
        None => "it exists already, and belongs to no release".to_owned(),
    };
    let is_hook = [scene.write.desired, scene.write.live].into_iter().flatten().any(|object| {
        object.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(HOOK_ANNOTATION).is_some())
    });
    let remedy = if is_hook {
        format!("an earlier run left this hook: see it (`kubectl get {target}`), and delete it if it has ended")
    } else {
        format!("see whose it is: `kubectl get {target} -o yaml`; take another name, or `--take-ownership`")
    };
    let finding = scene.finding(Class::Ownership, &cause, remedy);
    vec![Finding { who: owner, ..finding }]
}

/// One finding for each manager that stands in the way, in the server's order.
fn conflicts(scene: &Scene<'_>, causes: &[Cause<'_>]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for cause in causes {
        let manager = between(cause.message, "\"", "\"").unwrap_or(cause.message);
        let fields = scene.fields.at(cause.field);
        if let Some(known) = findings.iter_mut().find(|known| known.who.as_deref() == Some(manager)) {
            known.fields.extend(fields);
            continue;
        }
        let said = format!("`{manager}` has set it, and Helm wants another value");
        let remedy =
            format!("give up the change that `{manager}` made, or let Helm take the field: `--force-conflicts`");
        findings.push(scene.finding(Class::ApplyConflict, &said, remedy).by(manager).about(fields));
    }
    findings
}

/// Returns what any other code means: the causes that the server lists, or else its message.
pub(super) fn invalid(scene: &Scene<'_>) -> Vec<Finding> {
    if let Some(finding) = too_large(scene) {
        return vec![finding];
    }
    let causes: Vec<Cause<'_>> =
        scene.causes().into_iter().filter(|cause| !cause.reason.is_empty() && !cause.field.is_empty()).collect();
    // A notice beside the errors.
    let is_notice = |cause: &Cause<'_>| cause.message.contains("some validation rules were not checked");
    let only_notices = causes.iter().all(is_notice);
    let mut findings: Vec<Finding> = Vec::new();
    for cause in causes.iter().filter(|cause| only_notices || !is_notice(cause)) {
        let finding = of_field(scene, cause);
        match findings.iter_mut().find(|known| known.is_alike(&finding)) {
            Some(known) => known.add(finding.fields),
            None => findings.push(finding),
        }
    }
    if findings.is_empty() { of_message(scene) } else { findings }
}

impl Finding {
    fn is_alike(&self, other: &Self) -> bool {
        (self.class, &self.cause, &self.who) == (other.class, &other.cause, &other.who)
    }

    fn add(&mut self, fields: Vec<FieldChange>) {
        for field in fields {
            if !self.fields.contains(&field) {
                self.fields.push(field);
            }
        }
    }
}

fn of_field(scene: &Scene<'_>, cause: &Cause<'_>) -> Finding {
    let line = cause.message.lines().next().unwrap_or_default();
    let fields = scene.fields.at(cause.field);
    // The value stands with its field.
    let is_shown = fields.iter().any(|field| field.after.is_some());
    let told = without_go_value(&told_briefly(&if is_shown { without_value(line) } else { line.to_owned() }));
    let told = told.strip_prefix("Invalid value: ").filter(|_| is_shown).unwrap_or(&told);
    let said = without_value(cause.message);
    if ALLOCATOR.iter().any(|mark| said.contains(mark)) {
        return taken(scene, told).about(fields);
    }
    if is_about_immutability(cause.message) && scene.write.act != Act::Create {
        return immutable(scene, cause, told);
    }
    let field = fields.first().map_or(cause.field, |field| field.path.as_str());
    let remedy = if field.contains("finalizers") && told.contains("being deleted") {
        format!("wait until it is gone: `kubectl get {}`", scene.for_kubectl())
    } else {
        format!("correct `{field}` in the values or the chart")
    };
    // `patch: Invalid value: "map[...]"`: the value is the whole patch.
    if field == "patch" {
        let told = told.rsplit_once("]\": ").map_or(told, |(_, told)| told);
        let remedy = "one of its fields has a value of another type: correct it in the values or the chart";
        return scene.finding(Class::Validation, told, remedy.to_owned());
    }
    scene.finding(Class::Validation, told, remedy).about(fields)
}

fn immutable(scene: &Scene<'_>, cause: &Cause<'_>, told: &str) -> Finding {
    let object = scene.write.object;
    // A sentence about the whole spec names the fields that it does not mean.
    let may_change: Vec<&str> = if cause.field == "spec" {
        cause.message.lines().next().unwrap_or_default().split(['\'', '`']).skip(1).step_by(2).collect()
    } else {
        Vec::new()
    };
    let is_claim = object.kind == "PersistentVolumeClaim";
    let fields = scene.fields.below(cause.field, |path| {
        let field = path.trim_start_matches("spec.");
        let is_free = may_change.iter().any(|free| {
            let free = free.trim_start_matches("spec.");
            field == free || field.strip_prefix(free).is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        !(is_free || is_claim && field.starts_with("resources"))
    });
    let first = fields.first().map_or(cause.field, |field| field.path.as_str());
    let remedy = match finished_job(scene) {
        Some(Ok(uid)) => Remedy::RemoveFinishedJob { uid },
        Some(Err(text)) => Remedy::Person { text },
        None => Remedy::Person { text: remedy_for_immutable(&object.kind, &scene.for_kubectl(), first) },
    };
    Finding { remedy, ..scene.finding(Class::ImmutableField, told, String::new()) }.about(fields)
}

/// Returns the uid of the live Job if it has ended and nobody else makes and removes it, or what else helps; nothing if
/// the object is no Job.
///
/// Source: `batch/v1` `JobStatus.conditions`: `Complete` or `Failed` is True once a Job has ended.
fn finished_job(scene: &Scene<'_>) -> Option<Result<String, String>> {
    let object = scene.write.object;
    if (object.group(), object.kind.as_str()) != ("batch", "Job") {
        return None;
    }
    let target = scene.for_kubectl();
    let live = scene.write.live.and_then(|live| Object::new(live.clone()).ok())?;
    let is_true = |condition: &str| {
        live.condition(condition)
            .is_some_and(|found| found.get("status").and_then(serde_json::Value::as_str) == Some("True"))
    };
    let has_controller = live
        .list_at("/metadata/ownerReferences")
        .iter()
        .any(|owner| owner.get("controller").and_then(serde_json::Value::as_bool) == Some(true));
    Some(match live.uid() {
        Some(uid) if (is_true("Complete") || is_true("Failed")) && !has_controller => Ok(uid.to_owned()),
        _ if has_controller => {
            Err(format!("another object makes this Job: see which with `kubectl get {target} -o yaml`"))
        }
        _ => Err(format!("wait until it has ended: `kubectl wait --for=condition=complete {}`", waited_for(&target))),
    })
}

/// `job migrate -n shop` becomes `job/migrate -n shop`.
fn waited_for(target: &str) -> String {
    target.replacen(' ', "/", 1)
}

/// Returns a finding of the allocators. The sentence ends with what is wrong.
fn taken(scene: &Scene<'_>, told: &str) -> Finding {
    let remedy = if told.contains("IP") || told.contains("network") {
        "leave `spec.clusterIP` out, or choose one that is free: `kubectl get services -A`, `kubectl get servicecidrs`"
    } else {
        "leave the node port out, or choose one that is free: `kubectl get services -A`"
    };
    scene.finding(Class::Allocator, told, remedy.to_owned())
}

/// A body, or a part of it, that is larger than what is stored.
fn too_large(scene: &Scene<'_>) -> Option<Finding> {
    let message = scene.message.as_str();
    let is_too_long =
        |cause: &Cause<'_>| cause.reason == "FieldValueTooLong" && cause.message.ends_with("1048576 bytes");
    let is_long = scene.causes().iter().any(is_too_long);
    let is_record = scene.write.is_release_record();
    let is_refused_by_store = ["etcdserver: request is too large", "trying to send message larger than max"]
        .iter()
        .any(|mark| scene.write.code >= 500 && message.contains(mark));
    let is_large = is_long || scene.write.code == 413 || is_refused_by_store;
    if !is_large {
        return None;
    }
    let limit = if is_long { "1 MiB" } else { "what the API server stores" };
    Some(if is_record {
        let cause = format!("Helm's record of the release is larger than {limit}");
        let remedy =
            "the release record (chart, values and manifests, packed) must shrink: take large files out of the chart";
        scene.finding(Class::RecordTooLarge, &cause, remedy.to_owned())
    } else {
        let remedy = "take large files out of it, or split it";
        scene.finding(Class::Validation, &format!("it is larger than {limit}"), remedy.to_owned())
    })
}

impl super::RefusedWrite<'_> {
    /// Tells whether the object is a release record of Helm's.
    ///
    /// Source: Helm `pkg/storage/driver`: Secrets of type `helm.sh/release.v1`; the ConfigMaps of the other driver have the
    /// same names, `sh.helm.release.v1.NAME.vREVISION`.
    fn is_release_record(&self) -> bool {
        let is_typed = self.desired.and_then(|desired| desired.get("type")).and_then(serde_json::Value::as_str)
            == Some("helm.sh/release.v1");
        matches!((self.object.group(), self.object.kind.as_str()), ("", "Secret" | "ConfigMap"))
            && (is_typed || self.object.name.starts_with("sh.helm.release.v1."))
    }
}

/// A field that is not valid; an empty path means the object.
fn wrong(scene: &Scene<'_>, path: &str, cause: &str) -> Finding {
    let fields = scene.fields.at(path);
    let remedy = match fields.first() {
        Some(field) => format!("correct `{}` in the values or the chart", field.path),
        None => "correct it in the values or the chart".to_owned(),
    };
    scene.finding(Class::Validation, cause, remedy).about(fields)
}

/// Messages without causes.
fn of_message(scene: &Scene<'_>) -> Vec<Finding> {
    let message = scene.message.as_str();
    if let Some(port) =
        between(message, "HealthCheck NodePort ", ":").or_else(|| between(message, "HealthCheckNodePort ", ":"))
    {
        let told = message.rsplit_once(": ").map_or(message, |(_, told)| told);
        return vec![
            taken(scene, &format!("health check port {port}: {told}"))
                .about(scene.fields.at("spec.healthCheckNodePort")),
        ];
    }
    // Source: `pkg/registry/core/service/storage/alloc.go`, on an update.
    if let Some(port) = message.strip_prefix("duplicate nodePort: ") {
        let port = port.trim_matches(['{', '}']);
        return vec![
            taken(scene, &format!("node port {port} is asked for twice")).about(scene.fields.at("spec.ports")),
        ];
    }
    if let Some(rest) = message.strip_prefix("Internal error occurred: ")
        && rest.starts_with("failed to allocate")
    {
        return vec![taken(scene, rest)];
    }
    if let Some((_, errors)) = message.split_once("strict decoding error: ") {
        let unknown = |error: &str| {
            let (what, path) = error.split_once(" field ")?;
            let (path, _) = quoted(path)?;
            Some((format!("{what} field"), path.to_owned()))
        };
        let mut findings: Vec<Finding> = Vec::new();
        for error in errors.split(", ") {
            let (cause, path) = unknown(error).unwrap_or_else(|| (error.to_owned(), String::new()));
            let finding = wrong(scene, &path, &cause);
            match findings.iter_mut().find(|known| known.is_alike(&finding)) {
                Some(known) => known.add(finding.fields),
                None => findings.push(finding),
            }
        }
        return findings;
    }
    if let Some(error) = message.strip_prefix("failed to create typed patch object (") {
        let error = error.split_once("): ").map_or(error, |(_, error)| error);
        let (field, cause) = error.split_once(": ").unwrap_or(("", error));
        let field = field.trim_start_matches('.');
        let cause = without_go_value(cause);
        return vec![wrong(scene, field, &cause)];
    }
    if let Some((field, cause)) = wrong_go_type(message) {
        let field = field.unwrap_or_default();
        return vec![wrong(scene, field, &cause)];
    }
    let known = [
        (
            "metadata.managedFields must be nil",
            "metadata.managedFields",
            "must not be set: the chart copies a live object",
        ),
        (
            "the namespace of the provided object does not match",
            "metadata.namespace",
            "is another one than that of the request",
        ),
        ("does not match the name on the URL", "metadata.name", "is another one than that of the request"),
        // The rest of this sentence is what was sent.
        ("couldn't get version/kind", "", "what was sent is no Kubernetes object"),
        ("quantities must match the regular expression", "", "one of its quantities is none (such as `500m` or `2Gi`)"),
    ];
    if let Some((_, field, cause)) = known.iter().find(|(mark, ..)| message.contains(mark)) {
        return vec![wrong(scene, field, cause)];
    }
    let told = message.split_once(" cannot be handled as a ").and_then(|(_, rest)| rest.split_once(": "));
    let told = told.map_or(message, |(_, told)| told);
    let told = told.split_once(" is invalid: ").map_or(told, |(_, told)| told);
    vec![wrong(scene, "", &told_briefly(told))]
}

/// `expected string, got &value.valueUnstructured{Value:true}` becomes `expected string, got true`, and `[]string{"x"}`
/// becomes `"x"`.
fn without_go_value(text: &str) -> String {
    ["&value.valueUnstructured{Value:", "[]string{"].iter().fold(text.to_owned(), |text, mark| {
        match text.split_once(mark).and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            Some((before, (value, after))) => format!("{before}{value}{after}"),
            None => text,
        }
    })
}
