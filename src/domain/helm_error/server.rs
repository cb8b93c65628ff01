//! The API server's sentences: the `message` of a Status.
//!
//! Source: `k8s.io/apimachinery/pkg/api/errors` `NewInvalid`, `NewForbidden`, `NewApplyConflict`, ...;
//! `pkg/util/validation/field` `Error`; `sigs.k8s.io/structured-merge-diff` `Conflicts`; observed on 1.36.

use super::wall::{between, quoted, split_top, split_value, without_dump, without_value};
use super::{ErrorScene, one_line};
use crate::domain::report::Problem;

/// An object as an error names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Culprit {
    /// `Job`.
    pub kind: String,
    /// Empty if not told.
    pub namespace: String,
    /// Empty if not told.
    pub name: String,
}

impl Culprit {
    /// Returns it as a report names it: `Job shop/migrate`, or `Job migrate`.
    pub(super) fn told(&self) -> String {
        match (self.namespace.is_empty(), self.name.is_empty()) {
            (_, true) => self.kind.clone(),
            (true, false) => format!("{} {}", self.kind, self.name),
            (false, false) => format!("{} {}/{}", self.kind, self.namespace, self.name),
        }
    }

    /// Returns `job migrate -n shop`, as kubectl takes it.
    fn for_kubectl(&self, scene: &ErrorScene<'_>) -> String {
        let namespace =
            if self.namespace.is_empty() { scene.namespace_flag() } else { format!(" -n {}", self.namespace) };
        format!("{} {}{namespace}", self.kind.to_lowercase(), self.name)
    }
}

/// Field errors start so, after the path of the field.
const FIELD_ERRORS: [&str; 9] = [
    "Invalid value: ",
    "Required value",
    "Forbidden: ",
    "Unsupported value: ",
    "Duplicate value: ",
    "Not found: ",
    "Too long: ",
    "Too many: ",
    "Internal error: ",
];

/// Returns what the server's message says; `culprit` is the object that Helm named around it. Nothing if the message is
/// none that is known.
pub(super) fn explain_status(message: &str, culprit: Option<Culprit>, scene: &ErrorScene<'_>) -> Vec<Problem> {
    let named = named_object(message);
    let rest = named.as_ref().map_or(message, |(_, _, rest)| rest);
    let is = named.as_ref().map_or("", |(_, is, _)| is);
    let culprit = match (culprit, named.as_ref().map(|(named, _, _)| named.clone())) {
        (Some(culprit), _) => culprit,
        (None, Some(named)) => named,
        (None, None) => Culprit { kind: scene.release_object(), namespace: String::new(), name: String::new() },
    };
    match is {
        "invalid" => explain_invalid(rest, &culprit, scene),
        "forbidden" => vec![explain_forbidden(rest, &culprit, scene)],
        _ => explain_unnamed(message, &culprit, scene),
    }
}

/// Parts `Job.batch "init" is invalid: REST` and `configmaps "c" is forbidden: REST`.
fn named_object(message: &str) -> Option<(Culprit, &'static str, &str)> {
    for (mark, is) in [(" is invalid: ", "invalid"), (" is forbidden: ", "forbidden")] {
        let Some((head, rest)) = message.split_once(mark) else { continue };
        let (resource, name) = head.split_once(' ').unwrap_or((head, ""));
        let name = if name.is_empty() { "" } else { quoted(name)?.0 };
        if head.len() > 300 || resource.contains(['{', ':']) {
            continue;
        }
        return Some((Culprit { kind: kind_of(resource), namespace: String::new(), name: name.to_owned() }, is, rest));
    }
    None
}

/// Returns the kind of a resource: forbidden requests name `configmaps`, invalid objects name `Job.batch`.
fn kind_of(resource: &str) -> String {
    const KINDS: [&str; 28] = [
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CronJob",
        "CustomResourceDefinition",
        "DaemonSet",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "Job",
        "LimitRange",
        "MutatingWebhookConfiguration",
        "Namespace",
        "NetworkPolicy",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "PriorityClass",
        "ReplicaSet",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "StatefulSet",
        "StorageClass",
    ];
    let resource = resource.split('.').next().unwrap_or(resource);
    let plural = |kind: &str| match kind.to_lowercase() {
        kind if kind.ends_with('s') => format!("{kind}es"),
        kind if kind.ends_with("cy") => format!("{}ies", kind.trim_end_matches('y')),
        kind => format!("{kind}s"),
    };
    KINDS.iter().find(|kind| plural(kind) == resource).map_or_else(|| resource.to_owned(), |kind| (*kind).to_owned())
}

fn explain_invalid(errors: &str, culprit: &Culprit, scene: &ErrorScene<'_>) -> Vec<Problem> {
    // Client-side patches of a wrong type: the value is the whole object.
    if let Some(value) = errors.strip_prefix("patch: Invalid value: ") {
        return vec![go_type_problem(split_value(value).1, culprit)];
    }
    let list = errors.strip_prefix('[').and_then(|errors| errors.strip_suffix(']')).unwrap_or(errors);
    let starts_error = |rest: &str| {
        rest.split_once(": ").is_some_and(|(path, reason)| {
            !path.contains(' ') && FIELD_ERRORS.iter().any(|error| reason.starts_with(error))
        })
    };
    split_top(list, ", ", starts_error)
        .into_iter()
        .map(|error| {
            let (field, reason) = error.split_once(": ").unwrap_or(("", error));
            let remedy = remedy_for_invalid(field, reason, culprit, scene);
            problem(culprit, Some(field), &told_briefly(reason), remedy)
        })
        .collect()
}

/// Returns what the server says of a field, without the value where that is a dump:
/// `Invalid value: {20 kB}: field is immutable` becomes `field is immutable`.
pub(crate) fn told_briefly(reason: &str) -> String {
    let reason = without_dump(reason);
    let cause = reason.strip_prefix("Forbidden: ").unwrap_or(&reason);
    // The one long sentence whose end matters.
    between(cause, "updates to statefulset spec for fields other than ", " are forbidden")
        .map_or_else(|| cause.to_owned(), |allowed| format!("only {} may change", allowed.replace('\'', "")))
}

/// Returns what helps against a field that the server does not take. Nothing that holds data is ever to be deleted.
fn remedy_for_invalid(field: &str, reason: &str, culprit: &Culprit, scene: &ErrorScene<'_>) -> Option<String> {
    if reason.contains("Too long: ") && culprit.kind == "Secret" && culprit.name.starts_with("sh.helm.release.") {
        return Some(
            "the release record (chart, values and manifests, packed) must shrink: take large files out of the chart"
                .to_owned(),
        );
    }
    is_about_immutability(reason).then(|| remedy_for_immutable(&culprit.kind, &culprit.for_kubectl(scene), field))
}

/// Tells whether what the server says of a field means that it can never be changed.
///
/// Source: `k8s.io/kubernetes/pkg/apis/*/validation` (each kind has its own words), observed on 1.36.
pub(crate) fn is_about_immutability(reason: &str) -> bool {
    let reason = without_value(reason);
    let marks = [
        "immutable",
        "updates to statefulset spec",
        "cannot change roleRef",
        "may not change once set",
        "may not be changed",
        "may not change fields",
    ];
    let is_update_forbidden = || reason.split_once("updates to ").is_some_and(|(_, rest)| rest.contains("forbidden"));
    marks.iter().any(|mark| reason.contains(mark)) || is_update_forbidden()
}

/// Returns what helps where `field` can never be changed; `target` is the object as kubectl takes it. Nothing that holds
/// data is ever to be deleted.
pub(crate) fn remedy_for_immutable(kind: &str, target: &str, field: &str) -> String {
    match kind {
        "Job" => format!("delete the finished Job first: `kubectl delete {target}`"),
        "StatefulSet" => {
            format!(
                "delete it but keep its pods and volumes, Helm creates it anew: `kubectl delete {target} --cascade=orphan`"
            )
        }
        "Deployment" | "DaemonSet" | "ReplicaSet" => {
            format!("delete it first, Helm creates it anew and its pods are replaced: `kubectl delete {target}`")
        }
        "RoleBinding" | "ClusterRoleBinding" | "StorageClass" | "PriorityClass" | "CSIDriver" => {
            format!("delete it first, Helm creates it anew: `kubectl delete {target}`")
        }
        "ConfigMap" | "Secret" => {
            format!("give the new one another name, or delete the old one first: `kubectl delete {target}`")
        }
        "Service" => format!("keep the old value of `{field}`, or delete it first: `kubectl delete {target}`"),
        _ => format!("keep the old value of `{field}`"),
    }
}

fn explain_forbidden(rest: &str, culprit: &Culprit, scene: &ErrorScene<'_>) -> Problem {
    let in_namespace =
        if culprit.namespace.is_empty() { scene.namespace_flag() } else { format!(" -n {}", culprit.namespace) };
    if let Some(quota) = rest.strip_prefix("exceeded quota: ") {
        let name = quota.split(',').next().unwrap_or(quota);
        let remedy =
            format!("raise the ResourceQuota or free some of it: `kubectl describe quota {name}{in_namespace}`");
        return problem(culprit, None, rest, Some(remedy));
    }
    if let Some(right) = rest.strip_prefix("User ").and_then(parse_right) {
        let remedy = format!("ask for the right; to check it: `kubectl auth can-i {right}`");
        return problem(culprit, None, rest, Some(remedy));
    }
    if let Some(policy) = between(rest, "ValidatingAdmissionPolicy '", "'") {
        let cause = rest.split_once("denied request: ").map_or(rest, |(_, cause)| cause);
        let cause = format!("denied by ValidatingAdmissionPolicy `{policy}`: {cause}");
        return problem(culprit, None, &cause, Some(format!("change the object so that `{policy}` accepts it")));
    }
    if rest.starts_with("violates PodSecurity ") {
        let remedy = "change the pod's securityContext, or the namespace's label `pod-security.kubernetes.io/enforce`";
        return problem(culprit, None, rest, Some(remedy.to_owned()));
    }
    problem(culprit, None, rest, None)
}

/// Parts `"bob" cannot patch resource "configmaps" in API group "" in the namespace "shop"` into what
/// `kubectl auth can-i` takes.
pub(crate) fn parse_right(text: &str) -> Option<String> {
    let (user, rest) = quoted(text)?;
    let verb = between(rest, " cannot ", " resource ")?;
    let resource = between(rest, "resource \"", "\"")?;
    let group = between(rest, "in API group \"", "\"").filter(|group| !group.is_empty());
    let namespace = between(rest, "in the namespace \"", "\"");
    let mut right = format!("{verb} {resource}");
    right.extend(group.map(|group| format!(".{group}")));
    right.extend(namespace.map(|namespace| format!(" -n {namespace}")));
    Some(format!("{right} --as {user}"))
}

/// Messages that name no object of their own.
fn explain_unnamed(message: &str, culprit: &Culprit, scene: &ErrorScene<'_>) -> Vec<Problem> {
    if let Some((_, conflicts)) = message.split_once("Apply failed with ").and_then(|(_, rest)| rest.split_once(": ")) {
        return explain_conflicts(conflicts, culprit);
    }
    if let Some((_, error)) = message.split_once("failed to create typed patch object (") {
        let error = error.split_once("): ").map_or(error, |(_, error)| error);
        let (field, cause) = error.split_once(": ").unwrap_or(("", error));
        return vec![problem(culprit, Some(field.trim_start_matches('.')), cause, None)];
    }
    if let Some(namespace) = between(message, "namespaces \"", "\" not found") {
        let missing = Culprit { kind: "Namespace".into(), namespace: String::new(), name: namespace.into() };
        let wanted_by = if culprit.name.is_empty() { String::new() } else { format!(", wanted by {}", culprit.told()) };
        let remedy = format!("create it: `kubectl create namespace {namespace}`");
        return vec![problem(&missing, None, &format!("not found{wanted_by}"), Some(remedy))];
    }
    if let Some((head, cause)) = message.split_once(" denied the request: ")
        && let Some(webhook) = between(head, "admission webhook \"", "\"")
    {
        let cause = format!("denied by admission webhook `{webhook}`: {cause}");
        return vec![problem(culprit, None, &cause, Some(format!("change the object so that `{webhook}` accepts it")))];
    }
    if let Some((_, rest)) = message.split_once("failed calling webhook ")
        && let Some((webhook, why)) = quoted(rest)
    {
        let cause = format!("admission webhook `{webhook}` cannot be called: {}", why.trim_start_matches(": "));
        let remedy = "bring its service back, or remove its registration: \
                      `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`";
        return vec![problem(culprit, None, &cause, Some(remedy.to_owned()))];
    }
    if message.contains("json: cannot unmarshal ") {
        return vec![go_type_problem(message, culprit)];
    }
    if message.contains("metadata.managedFields must be nil") {
        let remedy = "the chart copies a live object: it must leave out `metadata.managedFields`";
        return vec![problem(culprit, Some("metadata.managedFields"), "must not be set", Some(remedy.to_owned()))];
    }
    if message.contains("the object has been modified") {
        let remedy =
            format!("someone else writes to it: run again once `kubectl get {}` is quiet", culprit.for_kubectl(scene));
        return vec![problem(culprit, None, "changed by someone else at the same moment", Some(remedy))];
    }
    Vec::new()
}

/// `conflict with "kubectl-edit" using v1: .data.v`, or a list: `conflicts with "kubectl-edit" using v1:\n- .data.v\n...`.
fn explain_conflicts(conflicts: &str, culprit: &Culprit) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut manager = "";
    for line in conflicts.lines() {
        let mut field = line.strip_prefix("- ");
        if let Some((_, rest)) = line.split_once(" with ")
            && let Some((name, rest)) = quoted(rest)
        {
            manager = name;
            field = rest.split_once(": ").map(|(_, field)| field);
        }
        if let Some(field) = field {
            let remedy =
                format!("give up the change that `{manager}` made, or let Helm take the field: `--force-conflicts`");
            let cause = format!("`{manager}` has set it, and Helm wants another value");
            problems.push(problem(culprit, Some(field.trim_start_matches('.')), &cause, Some(remedy)));
        }
    }
    problems
}

fn go_type_problem(message: &str, culprit: &Culprit) -> Problem {
    match wrong_go_type(message) {
        Some((field, cause)) => problem(culprit, field, &cause, None),
        None => problem(culprit, None, message, None),
    }
}

/// Returns the field, and what is wrong with its type, of
/// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
pub(crate) fn wrong_go_type(message: &str) -> Option<(Option<&str>, String)> {
    let found = between(message, "cannot unmarshal ", " into")?;
    let (_, wanted) = message.split_once(" of type ")?;
    let field =
        between(message, "Go struct field ", " of type ").and_then(|path| path.split_once('.')).map(|path| path.1);
    Some((field, format!("is a {found}, must be {}", wanted.trim())))
}

fn problem(culprit: &Culprit, field: Option<&str>, cause: &str, remedy: Option<String>) -> Problem {
    Problem {
        object: culprit.told(),
        field: field.filter(|field| !field.is_empty()).map(str::to_owned),
        cause: one_line(cause),
        remedy,
    }
}
