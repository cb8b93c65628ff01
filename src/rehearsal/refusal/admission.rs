//! Refusals by whoever is asked between the request and the store: rights, webhooks, policies, quotas, limit ranges.
//!
//! Source: `k8s.io/apiserver/pkg/admission/plugin/webhook/errors`, `.../policy/validating`, `.../resourcequota`,
//! `k8s.io/kubernetes/plugin/pkg/admission/*`, `k8s.io/pod-security-admission`, `pkg/registry/rbac/escalation_check.go`;
//! observed on 1.36.

use super::Scene;
use crate::domain::helm_error::{between, parse_right, quoted, split_top};
use crate::domain::rehearsed::{Class, Finding};

/// Returns what a webhook or a `ValidatingAdmissionPolicy` said; nothing if none did.
pub(super) fn by_webhook_or_policy(scene: &Scene<'_>) -> Option<Vec<Finding>> {
    let message = scene.message.as_str();
    if let Some((webhook, rest)) = message.strip_prefix("admission webhook ").and_then(quoted)
        && let Some(said) = rest.strip_prefix(" denied the request")
    {
        let said = said.trim_start_matches(": ").split_whitespace().collect::<Vec<_>>().join(" ");
        let cause = format!("admission webhook `{webhook}` says no: {said}");
        let fields = scene.causes().iter().flat_map(|cause| scene.fields.at(cause.field)).collect();
        let remedy = format!("change the object so that `{webhook}` accepts it");
        return Some(vec![scene.finding(Class::Admission, &cause, remedy).by(webhook).about(fields)]);
    }
    let inner = message.strip_prefix("Internal error occurred: ").unwrap_or(message);
    if let Some(rest) = inner.strip_prefix("failed calling webhook ")
        && let Some((webhook, why)) = quoted(rest)
    {
        let why = why.trim_start_matches(": ").trim_start_matches("failed to call webhook: ");
        let cause = format!("admission webhook `{webhook}` cannot be called, and nothing passes without it: {why}");
        let remedy = "bring its service back, or remove its registration: \
                      `kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations`";
        return Some(vec![scene.finding(Class::Admission, &cause, remedy.to_owned()).by(webhook)]);
    }
    if let Some(rest) = message.strip_prefix("conversion webhook for ")
        && let Some((kind, why)) = rest.split_once(" failed: ")
    {
        let cause = format!("the conversion webhook of {kind} cannot be called: {why}");
        let remedy = "bring the service back that its CRD names under `spec.conversion`";
        return Some(vec![scene.finding(Class::Admission, &cause, remedy.to_owned())]);
    }
    let (_, rest) = message.split_once(" is forbidden: ")?;
    let policy =
        between(rest, "ValidatingAdmissionPolicy '", "'").filter(|_| rest.starts_with("ValidatingAdmission"))?;
    let said = rest.split_once("denied request: ").map_or(rest, |(_, said)| said);
    let cause = format!("ValidatingAdmissionPolicy `{policy}` says no: {said}");
    let remedy =
        format!("change the object so that it accepts it: `kubectl get validatingadmissionpolicy {policy} -o yaml`");
    Some(vec![scene.finding(Class::Admission, &cause, remedy).by(policy)])
}

/// Returns what a 403 means.
pub(super) fn forbidden(scene: &Scene<'_>) -> Vec<Finding> {
    let rest = scene.message.split_once(" forbidden: ").map_or(scene.message.as_str(), |(_, rest)| rest);
    let is_terminating = scene.causes().iter().any(|cause| cause.reason == "NamespaceTerminating");
    if is_terminating || rest.contains("because it is being terminated") {
        let namespace = between(rest, "in namespace ", " because").or(scene.write.object.namespace.as_deref());
        let namespace = namespace.unwrap_or_default();
        let cause = format!("namespace `{namespace}` is being deleted");
        let remedy = format!("wait until it is gone (`kubectl get namespace {namespace}`), then create it anew");
        return vec![scene.finding(Class::MissingNamespace, &cause, remedy)];
    }
    if rest.starts_with("exceeded quota: ")
        || rest.starts_with("failed quota: ")
        || rest.starts_with("status unknown for quota: ")
    {
        return vec![quota(scene, rest)];
    }
    if rest.starts_with("insufficient quota ") {
        let remedy =
            format!("create a ResourceQuota that allows it: `kubectl get resourcequota{}`", scene.namespace_flag());
        return vec![scene.finding(Class::Quota, rest, remedy)];
    }
    if let Some(findings) = limit_range(scene, rest) {
        return findings;
    }
    if let Some(finding) = rights(scene, rest) {
        return vec![finding];
    }
    vec![built_in(scene, rest)]
}

/// `exceeded quota: NAME, requested: cpu=2, used: cpu=0, limited: cpu=1`, `failed quota: NAME: must specify ...`.
fn quota(scene: &Scene<'_>, rest: &str) -> Finding {
    let (what, rest) = rest.split_once("quota: ").unwrap_or(("", rest));
    let name = rest.split([',', ':']).next().unwrap_or(rest).trim();
    let cause = match (
        between(rest, "requested: ", ", used: "),
        between(rest, ", used: ", ", limited: "),
        rest.split_once(", limited: "),
    ) {
        (Some(requested), Some(used), Some((_, limited))) => exceeded(name, requested, used, limited),
        _ if what.starts_with("status unknown") => format!("quota `{name}` is so new that its use is not counted yet"),
        _ => {
            let wants = rest.get(name.len()..).unwrap_or_default().trim_start_matches([':', ' ']);
            format!("quota `{name}` asks for what is not set: {}", wants.trim_start_matches("must specify "))
        }
    };
    let remedy = if what.starts_with("failed") {
        "set these requests and limits in the values, or have a LimitRange give defaults".to_owned()
    } else if what.starts_with("status unknown") {
        "try again".to_owned()
    } else {
        remedy_for_quota(name, scene.write.object.namespace.as_deref())
    };
    scene.finding(Class::Quota, &cause, remedy).by(name)
}

/// Returns one line of what is asked for, is used and may be: lists such as `pods=1,requests.cpu=2` in the same order.
pub(in crate::rehearsal) fn exceeded(quota: &str, requested: &str, used: &str, hard: &str) -> String {
    let value = |list: &str, name: &str| {
        list.split(',')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
            .map(|(_, value)| value.to_owned())
    };
    let parts: Vec<String> = requested
        .split(',')
        .filter_map(|pair| {
            let (name, requested) = pair.split_once('=')?;
            let (used, hard) = (value(used, name)?, value(hard, name)?);
            Some(format!("{name}: {requested} more, {used} of {hard} used"))
        })
        .collect();
    let told = if parts.is_empty() { requested.to_owned() } else { parts.join("; ") };
    format!("quota `{quota}` is exceeded: {told}")
}

/// Tells whether a finding says that a quota is exceeded: not that a range is, nor that requests are missing.
pub(in crate::rehearsal) fn is_exceeded(finding: &Finding) -> bool {
    finding.class == Class::Quota && finding.cause.starts_with("quota `") && finding.cause.contains("` is exceeded: ")
}

/// Returns what helps against a quota that is exceeded.
pub(in crate::rehearsal) fn remedy_for_quota(quota: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map_or_else(String::new, |namespace| format!(" -n {namespace}"));
    format!("raise the ResourceQuota or free some of it: `kubectl describe quota {quota}{namespace}`")
}

/// `maximum cpu usage per Container is 1, but limit is 3`, one or a list.
fn limit_range(scene: &Scene<'_>, rest: &str) -> Option<Vec<Finding>> {
    let is_one = |text: &str| {
        ((text.starts_with("maximum ") || text.starts_with("minimum ")) && text.contains(" usage per "))
            || text.contains(" max limit to request ratio per ")
    };
    let list = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(rest);
    if !is_one(list) {
        return None;
    }
    // Each holds a comma of its own: `is 1, but limit is 3`.
    let remedy = format!(
        "change the requests and limits in the values, or the range: `kubectl describe limitrange{}`",
        scene.namespace_flag()
    );
    let starts_another = |rest: &str| is_one(rest.split(", but ").next().unwrap_or(rest)) && !rest.starts_with("but ");
    let findings = split_top(list, ", ", starts_another)
        .into_iter()
        .map(|sentence| scene.finding(Class::Quota, sentence, remedy.clone()).by("LimitRange"))
        .collect();
    Some(findings)
}

fn rights(scene: &Scene<'_>, rest: &str) -> Option<Finding> {
    if let Some(who) = rest.strip_prefix("User ") {
        let user = quoted(who).map_or("", |(user, _)| user);
        let remedy = match parse_right(who) {
            Some(right) => format!("ask for the right; to check it: `kubectl auth can-i {right}`"),
            None => "ask for the right".to_owned(),
        };
        return Some(scene.finding(Class::Rights, &format!("user {who}"), remedy).by(user));
    }
    let (who, grants) = rest.split_once("is attempting to grant RBAC permissions not currently held")?;
    let user = between(who, "user \"", "\"").unwrap_or_default();
    let rights: Vec<String> = grants.split('{').filter_map(right).collect();
    let cause = format!("it grants what `{user}` does not hold: {}", rights.join("; "));
    let remedy = "have it created by somebody who holds these rights, or who has the verb `escalate` (for a role) or `bind` \
                  (for a binding)";
    Some(scene.finding(Class::Rights, &cause, remedy.to_owned()).by(user))
}

/// `APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}` becomes `get, list deployments.apps`.
fn right(rule: &str) -> Option<String> {
    let list = |key: &str| -> Vec<String> {
        let inner = between(rule, &format!("{key}:["), "]").unwrap_or_default();
        inner.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let (verbs, groups) = (list("Verbs"), list("APIGroups"));
    let named: Vec<String> = match (list("Resources"), list("NonResourceURLs")) {
        (resources, _) if !resources.is_empty() => resources
            .iter()
            .map(|resource| match groups.first().map(String::as_str) {
                None | Some("") => resource.clone(),
                Some(group) => format!("{resource}.{group}"),
            })
            .collect(),
        (_, urls) => urls,
    };
    (!verbs.is_empty()).then(|| format!("{} {}", verbs.join(", "), named.join(", ")))
}

/// A plugin of the server itself.
fn built_in(scene: &Scene<'_>, rest: &str) -> Finding {
    let namespace = scene.namespace_flag();
    if let Some(said) = rest.strip_prefix("violates PodSecurity ") {
        let level = quoted(said).map_or("", |(level, _)| level);
        let remedy = "change the pod's securityContext, or the namespace's label `pod-security.kubernetes.io/enforce`";
        return scene.finding(Class::Admission, rest, remedy.to_owned()).by(&format!("PodSecurity {level}"));
    }
    let remedy = if let Some(name) = between(rest, "serviceaccount \"", "\" not found") {
        format!("create it: `kubectl create serviceaccount {name}{namespace}`")
    } else if let Some(name) = between(rest, "no PriorityClass with name ", " was found") {
        format!("create PriorityClass {name} first, or take another: `kubectl get priorityclass`")
    } else if let Some(name) = between(rest, "RuntimeClass \"", "\" not found") {
        format!("create RuntimeClass {name} first, or take another: `kubectl get runtimeclass`")
    } else if rest.contains("storageclass that provisions the pvc must support resize") {
        "keep the old size, or set `allowVolumeExpansion: true` on its StorageClass if the driver can: `kubectl get storageclass`"
            .to_owned()
    } else {
        "change the object so that the API server accepts it".to_owned()
    };
    scene.finding(Class::Admission, rest, remedy)
}
