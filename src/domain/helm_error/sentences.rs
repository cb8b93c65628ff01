//! Helm's own sentences, and those that it wraps around the API server's.
//!
//! Source: Helm `pkg/kube/client.go`, `pkg/action/{upgrade,hooks,validate}.go`, `pkg/kube/statuswait.go`,
//! `pkg/engine/engine.go`; observed with 3.17.4, 3.22.0 and 4.3.1.

use super::server::{Culprit, explain_status};
use super::wall::{between, quoted, split_top};
use super::{ErrorScene, one_line};
use crate::domain::object::ObjectRef;
use crate::domain::report::Problem;

/// Sentences that only say what Helm was doing.
const WRAPPERS: [&str; 16] = [
    "unable to continue with update: ",
    "Unable to continue with update: ",
    "unable to continue with install: ",
    "Unable to continue with install: ",
    "unable to build kubernetes objects from new release manifest: ",
    "unable to build kubernetes objects from current release manifest: ",
    "unable to build kubernetes objects from release manifest: ",
    "failed to create resource: ",
    "failed to replace object: ",
    "failed to create patch: ",
    "release name check failed: ",
    "create: failed to create: ",
    "update: failed to update: ",
    "query: failed to query with labels: ",
    "error validating data: ",
    "error validating \"\": ",
];

/// A sentence that says all by itself.
struct Plain {
    /// What is to blame; empty for the release.
    object: &'static str,
    /// What it contains.
    mark: &'static str,
    /// The cause; empty to keep Helm's words.
    cause: &'static str,
    /// What helps; `{release}` and `{n}` (` -n NAMESPACE`) are filled in.
    remedy: &'static str,
}

const PLAIN: [Plain; 15] = [
    Plain {
        object: "",
        mark: "another operation (install/upgrade/rollback) is in progress",
        cause: "another Helm operation runs on it, or was killed",
        remedy: "if no other Helm runs: `helm csghub rollback {release}{n}`",
    },
    Plain {
        object: "",
        mark: "has no deployed releases",
        cause: "it does not exist, or no revision of it was ever deployed",
        remedy: "check name and namespace: `helm list --all-namespaces`; to install it add `--install`",
    },
    Plain {
        object: "",
        mark: "a name that is still in use",
        cause: "it exists already",
        remedy: "choose another name, or upgrade it: `helm csghub upgrade {release} CHART{n}`",
    },
    Plain {
        object: "",
        mark: "release: not found",
        cause: "not found",
        remedy: "check name and namespace: `helm list --all-namespaces`",
    },
    Plain { object: "", mark: "release has no ", cause: "", remedy: "see its revisions: `helm history {release}{n}`" },
    Plain {
        object: "",
        mark: "forceConflicts enabled when serverSideApply disabled",
        cause: "`--force-conflicts` needs server-side apply, and this release is applied client-side",
        remedy: "leave out `--force-conflicts`, or add `--server-side=true`",
    },
    Plain {
        object: "API server",
        mark: "the server has asked for the client to provide credentials",
        cause: "the API server does not accept the credentials",
        remedy: "log in again; to check: `kubectl auth whoami`",
    },
    Plain {
        object: "API server",
        mark: "cluster unreachable",
        cause: "",
        remedy: "check kubeconfig, context and network: `kubectl version`",
    },
    Plain { object: "", mark: "context canceled", cause: "Helm was told to stop", remedy: "" },
    Plain {
        object: "",
        mark: "context deadline exceeded",
        cause: "not ready within Helm's `--timeout`",
        remedy: "see what it waits for: `kubectl get pods,events{n}`",
    },
    Plain {
        object: "",
        mark: "timed out waiting for the condition",
        cause: "not ready within Helm's `--timeout`",
        remedy: "see what it waits for: `kubectl get pods,events{n}`",
    },
    Plain {
        object: "",
        mark: "produced empty output",
        cause: "",
        remedy: "the post-renderer must print what it reads",
    },
    Plain {
        object: "",
        mark: "contains removed kubernetes api(s)",
        cause: "",
        remedy: "rewrite its record to an API that the cluster serves: `helm mapkubeapis {release}{n}`",
    },
    Plain {
        object: "command line",
        mark: "unknown flag: ",
        cause: "",
        remedy: "see the flags of this Helm: `helm upgrade --help`",
    },
    Plain {
        object: "",
        mark: "exceeds the maximum file size",
        cause: "",
        remedy: "take large files out of the chart, or list them in its .helmignore",
    },
];

/// Returns what a whole message says. At least one problem.
pub(super) fn explain_message(message: &str, scene: &ErrorScene<'_>) -> Vec<Problem> {
    for explain in [explain_missing_kinds, explain_render, explain_schema, explain_post_renderer, explain_chart] {
        let problems = explain(message, scene);
        if !problems.is_empty() {
            return problems;
        }
    }
    split_top(message, " && ", |_| true).into_iter().flat_map(|part| explain_part(part, scene)).collect()
}

/// Returns what one answer of the server, with what Helm put around it, says.
fn explain_part(part: &str, scene: &ErrorScene<'_>) -> Vec<Problem> {
    let part = unwrap(part.trim());
    if let Some((hook, rest)) = part.split_once(" hooks failed: ").or_else(|| {
        part.strip_prefix("failed ").and_then(|rest| rest.split_once(": ")).filter(|(hook, _)| hook.starts_with('p'))
    }) && !hook.contains(' ')
    {
        return explain_hook(hook, rest, scene);
    }
    // Helm 3 joins errors of waits and hooks so.
    if let Some((head, list)) = part.split_once(" occurred:\n")
        && (head.ends_with("error") || head.ends_with("errors"))
    {
        return list.split("\n\t* ").flat_map(|item| explain_part(item.trim_start_matches("\t* "), scene)).collect();
    }
    if let Some(problem) = explain_ownership(part) {
        return vec![problem];
    }
    let not_ready = explain_not_ready(part, scene);
    if !not_ready.is_empty() {
        return not_ready;
    }
    let (culprit, status) = parse_target(part).map_or((None, part), |(culprit, status)| (Some(culprit), status));
    let problems = explain_status(status, culprit.clone(), scene);
    if !problems.is_empty() {
        return problems;
    }
    let object = culprit.map_or_else(|| scene.release_object(), |culprit| culprit.told());
    vec![explain_plain(status, object, scene)]
}

fn unwrap(mut part: &str) -> &str {
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| part.strip_prefix(wrapper)) {
        part = rest;
    }
    part
}

/// Parts `cannot patch "NAME" with kind KIND: STATUS` (client-side apply) and
/// `... object NAMESPACE/NAME GROUP/VERSION, Kind=KIND: STATUS` (server-side apply).
fn parse_target(part: &str) -> Option<(Culprit, &str)> {
    if let Some(rest) = part.strip_prefix("cannot patch ") {
        let (name, rest) = quoted(rest)?;
        let (kind, status) = rest.strip_prefix(" with kind ")?.split_once(": ")?;
        return Some((Culprit { kind: kind.to_owned(), namespace: String::new(), name: name.to_owned() }, status));
    }
    let (head, rest) = part.split_once(", Kind=")?;
    let (kind, status) = rest.split_once(": ")?;
    let mut words = head.rsplitn(3, ' ');
    let (_version, object, before) = (words.next()?, words.next()?, words.next()?);
    let (namespace, name) = object.split_once('/')?;
    if before.contains(['{', '"']) || kind.contains(' ') {
        return None;
    }
    Some((Culprit { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }, status))
}

/// `ConfigMap "c" in namespace "shop" exists and cannot be imported into the current release: invalid ownership ...`.
fn explain_ownership(part: &str) -> Option<Problem> {
    let (object, why) = part.split_once(" exists and cannot be imported into the current release: ")?;
    let (kind, rest) = object.split_once(' ')?;
    let (name, rest) = quoted(rest)?;
    let namespace = between(rest, "in namespace \"", "\"").unwrap_or_default();
    let typed = format!("{}/{name}", kind.to_lowercase());
    let within = if namespace.is_empty() { String::new() } else { format!(" -n {namespace}") };
    let owner = |key: &str| {
        let (_, rest) = why.split_once(&format!("key \"{key}\" must equal "))?;
        between(rest, "current value is \"", "\"")
    };
    let (owner, owner_namespace) = (owner("meta.helm.sh/release-name"), owner("meta.helm.sh/release-namespace"));
    let cause = match (owner, owner_namespace) {
        (Some(owner), None) => format!("belongs to release {owner}"),
        (Some(owner), Some(in_namespace)) => format!("belongs to release {in_namespace}/{owner}"),
        (None, Some(in_namespace)) => format!("belongs to a release of that name in namespace {in_namespace}"),
        (None, None) => "exists already and belongs to no release".to_owned(),
    };
    Some(Problem {
        object: Culprit { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }.told(),
        field: None,
        cause,
        remedy: Some(format!(
            "if it is the release's to have: `kubectl label {typed}{within} app.kubernetes.io/managed-by=Helm`, and the \
             annotations `meta.helm.sh/release-name` and `meta.helm.sh/release-namespace`"
        )),
    })
}

/// `resource Job/shop/h not ready. status: Failed, message: Job Failed. failed: 1/1`, one a line.
fn explain_not_ready(part: &str, scene: &ErrorScene<'_>) -> Vec<Problem> {
    part.lines()
        .filter_map(|line| {
            let (object, rest) = line.trim().strip_prefix("resource ")?.split_once(' ')?;
            let mut names = object.splitn(3, '/');
            let (kind, namespace, name) = (names.next()?, names.next()?, names.next()?);
            let what = rest.strip_suffix(", message: ").unwrap_or(rest);
            let (state, what) = what.split_once(". status: ")?;
            let (status, message) = what.split_once(", message: ").unwrap_or((what, ""));
            let cause = match message {
                "" => format!("{state}: {status}"),
                message => format!("{state}: {status}, {message}"),
            };
            let culprit = Culprit { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
            Some(Problem {
                object: culprit.told(),
                field: None,
                cause: one_line(&cause),
                remedy: Some(look_at(&culprit, scene)),
            })
        })
        .collect()
}

/// Returns the command that shows why a workload is not ready.
fn look_at(culprit: &Culprit, scene: &ErrorScene<'_>) -> String {
    let namespace =
        if culprit.namespace.is_empty() { scene.namespace_flag() } else { format!(" -n {}", culprit.namespace) };
    let kind = culprit.kind.to_lowercase();
    match kind.as_str() {
        "job" | "deployment" | "statefulset" | "daemonset" => {
            format!("see its log: `kubectl logs {kind}/{}{namespace}`", culprit.name)
        }
        _ => format!("see its events: `kubectl describe {kind} {}{namespace}`", culprit.name),
    }
}

/// What came of a hook; `hook` is `pre-upgrade`, `post-install`, ...
fn explain_hook(hook: &str, rest: &str, scene: &ErrorScene<'_>) -> Vec<Problem> {
    // `warning: Hook pre-upgrade shop/templates/h.yaml failed: ...`: it could not be created.
    let rest = rest
        .strip_prefix("warning: Hook ")
        .and_then(|rest| rest.split_once(" failed: "))
        .map_or(rest, |(_, rest)| rest)
        .trim();
    let rest = rest.split_once(" occurred:\n\t* ").map_or(rest, |(_, rest)| rest).trim();
    // Helm 3: `job h failed: BackoffLimitExceeded`.
    let job = rest.strip_prefix("job ").and_then(|rest| rest.split_once(" failed: "));
    let mut problems = match job {
        Some((name, reason)) => {
            let culprit = Culprit { kind: "Job".to_owned(), namespace: String::new(), name: name.to_owned() };
            let remedy = Some(look_at(&culprit, scene));
            vec![Problem { object: culprit.told(), field: None, cause: one_line(reason), remedy }]
        }
        None => explain_part(rest, scene),
    };
    for problem in &mut problems {
        problem.cause = one_line(&format!("{hook} hook: {}", problem.cause));
    }
    problems
}

/// `no matches for kind "Widget" in version "example.com/v1"`, any number of them.
fn explain_missing_kinds(message: &str, _scene: &ErrorScene<'_>) -> Vec<Problem> {
    let told = |object: ObjectRef| Problem {
        cause: format!("the cluster has no kind {} in {}", object.kind, object.api_version),
        object: Culprit { kind: object.kind, namespace: object.namespace.unwrap_or_default(), name: object.name }
            .told(),
        field: None,
        remedy: Some(MISSING_KIND_REMEDY.to_owned()),
    };
    missing_kinds(message).into_iter().map(told).collect()
}

/// What helps where a kind is missing.
pub const MISSING_KIND_REMEDY: &str = "install its CRD first: Helm leaves out a chart's `crds/` on upgrade";

/// Returns the objects of which Helm says that the server does not know their kind; it names them one file at a time.
#[must_use]
pub fn missing_kinds(message: &str) -> Vec<ObjectRef> {
    const MARK: &str = "no matches for kind ";
    let mut pieces = message.split(MARK);
    let mut before = pieces.next().unwrap_or_default();
    let mut objects = Vec::new();
    for piece in pieces {
        if let Some((kind, rest)) = quoted(piece) {
            let last = |mark: &str| {
                let found = before.rsplit_once(mark).and_then(|(_, rest)| rest.split_once('"'));
                found.map(|(text, _)| text.to_owned()).filter(|text| !text.is_empty())
            };
            objects.push(ObjectRef {
                api_version: between(rest, "in version \"", "\"").unwrap_or("an unknown version").to_owned(),
                kind: kind.to_owned(),
                namespace: last("namespace: \""),
                name: last("name: \"").unwrap_or_default(),
            });
        }
        before = piece;
    }
    objects
}

/// Errors of templates: where, and what.
fn explain_render(message: &str, _scene: &ErrorScene<'_>) -> Vec<Problem> {
    let at_line = |place: &str| {
        let mut parts = place.splitn(3, ':');
        let (file, line) = (parts.next()?, parts.next()?);
        let is_place = !file.contains(char::is_whitespace) && line.parse::<u32>().is_ok();
        is_place.then(|| (file.to_owned(), Some(format!("line {line}"))))
    };
    let told = |(file, field): (String, Option<String>), cause: &str| {
        let is_nil = cause.contains("nil pointer evaluating");
        let remedy = is_nil.then(|| {
            "set the value that the template reads; `--reuse-values` leaves out new defaults, `--reset-then-reuse-values` does not"
                .to_owned()
        });
        vec![Problem { object: format!("template {file}"), field, cause: one_line(cause), remedy }]
    };
    for mark in ["execution error at (", "parse error at ("] {
        if let Some((_, rest)) = message.split_once(mark)
            && let Some((place, cause)) = rest.split_once("): ")
            && let Some(place) = at_line(place)
        {
            return told(place, cause);
        }
    }
    if let Some((_, rest)) = message.split_once("YAML parse error on ")
        && let Some((file, cause)) = rest.split_once(": ")
    {
        let cause = cause.trim_start_matches("error converting YAML to JSON: ");
        return told((file.to_owned(), None), &format!("does not render to YAML: {cause}"));
    }
    if !message.contains("executing \"") {
        return Vec::new();
    }
    // Helm 3 on one line, `template: FILE:L:C: executing "FILE" at <X>: WHY`; Helm 4 on several, without `template: `.
    let text = message.strip_prefix("template: ").unwrap_or(message);
    let (place, _) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let Some(place) = at_line(place.trim_end_matches(':')) else { return Vec::new() };
    let expression = text.rsplit_once(" at <").and_then(|(_, rest)| rest.split_once(">:"));
    match expression {
        Some((expression, why)) => told(place, &format!("{} at <{expression}>", why.trim())),
        None => told(place, text),
    }
}

/// Values that the chart's schema does not take: under each chart's name, one a line.
fn explain_schema(message: &str, _scene: &ErrorScene<'_>) -> Vec<Problem> {
    if !message.contains("values don't meet the specifications of the schema") {
        return Vec::new();
    }
    let mut chart = "";
    let mut problems = Vec::new();
    for line in message.lines().skip(1) {
        let Some(error) = line.strip_prefix("- ") else {
            chart = line.trim_end_matches(':').trim();
            continue;
        };
        // `at '/replicas': got string, want integer`, before 3.18 `replicas: Invalid type. ...`.
        let (field, cause) = match error.strip_prefix("at '").and_then(|rest| rest.split_once("': ")) {
            Some((pointer, cause)) => (pointer.trim_start_matches('/').replace('/', "."), cause),
            None => error.split_once(": ").map_or((String::new(), error), |(field, cause)| (field.to_owned(), cause)),
        };
        problems.push(Problem {
            object: format!("values of chart {chart}"),
            field: Some(field).filter(|field| !field.is_empty() && field != "(root)"),
            cause: one_line(cause),
            remedy: Some("change the value, the chart's values.schema.json says what it takes".to_owned()),
        });
    }
    problems
}

/// What a post-renderer said, as far as Helm lets it through.
fn explain_post_renderer(message: &str, _scene: &ErrorScene<'_>) -> Vec<Problem> {
    let is_about_it =
        ["error while running post render", "error while parsing post rendered output", "post-renderer plugin"]
            .iter()
            .any(|mark| message.contains(mark));
    if !is_about_it {
        return Vec::new();
    }
    let (name, cause) = if let Some((head, said)) = message.split_once(". error output:\n") {
        let name = head.rsplit_once("running command ").map_or("", |(_, name)| name);
        (name, said.rsplit_once("\n: exit status").map_or(said, |(said, _)| said))
    } else if let Some((_, said)) = message.split_once("got ScalarNode: node contents:") {
        ("", said)
    } else {
        let name = between(message, "plugin \"", "\"").unwrap_or_default();
        (name, message.rsplit_once("\": ").map_or(message, |(_, cause)| cause))
    };
    let object = format!("post-renderer {name}").trim_end().to_owned();
    vec![Problem { object, field: None, cause: one_line(cause), remedy: None }]
}

/// A chart or a values file that cannot be had or read.
fn explain_chart(message: &str, _scene: &ErrorScene<'_>) -> Vec<Problem> {
    let chart = |cause: &str, remedy: &str| {
        vec![Problem {
            object: "chart".to_owned(),
            field: None,
            cause: one_line(cause),
            remedy: Some(remedy.to_owned()),
        }]
    };
    if let Some(name) = message.strip_prefix("repo ").and_then(|rest| rest.strip_suffix(" not found")) {
        return chart(&format!("there is no chart repository {name}"), "add it: `helm repo add NAME URL`");
    }
    if message.starts_with("non-absolute URLs should be in form of repo_name/path_to_chart") {
        return chart(message, "name a folder, an archive, REPO/CHART, a URL, or add `--repo`");
    }
    let is_path = message.starts_with("path \"") && message.ends_with("\" not found");
    if is_path || message.contains("Chart.yaml file is missing") || message.starts_with("unable to detect chart at ") {
        return chart(message, "name a folder with a Chart.yaml, an archive, REPO/CHART or a URL");
    }
    if message.contains("missing in charts/ directory") {
        let missing = message.rsplit_once(": ").map_or(message, |(_, missing)| missing);
        let remedy = "fetch them: `helm dependency update CHART`, or add `--dependency-update`";
        return chart(&format!("dependencies are missing: {missing}"), remedy);
    }
    if let Some(requires) = message.strip_prefix("chart requires ") {
        return chart(&format!("requires {requires}"), "upgrade the cluster, or take a chart version that supports it");
    }
    let is_fetch =
        message.starts_with("Get \"") || message.starts_with("looks like \"") || message.contains("failed to fetch ");
    if is_fetch && !message.contains("cluster unreachable") {
        return chart(message, "check the address, the network and the credentials of the chart's repository");
    }
    if let Some((file, why)) = message.strip_prefix("open ").and_then(|rest| rest.split_once(": ")) {
        return vec![Problem { object: format!("file {file}"), field: None, cause: one_line(why), remedy: None }];
    }
    if message.starts_with("failed parsing --set") {
        return vec![Problem {
            object: "command line".to_owned(),
            field: None,
            cause: one_line(message),
            remedy: None,
        }];
    }
    if let Some((file, why)) = message.strip_prefix("failed to parse ").and_then(|rest| rest.split_once(": ")) {
        let cause = why.rsplit_once("yaml: ").map_or(why, |(_, cause)| cause);
        return vec![Problem {
            object: format!("values file {file}"),
            field: None,
            cause: one_line(&format!("is no YAML: {cause}")),
            remedy: None,
        }];
    }
    Vec::new()
}

/// A sentence of the table, or else its first line.
fn explain_plain(part: &str, object: String, scene: &ErrorScene<'_>) -> Problem {
    let first_line = part.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(part);
    let Some(plain) = PLAIN.iter().find(|plain| part.contains(plain.mark)) else {
        return Problem { object, field: None, cause: one_line(first_line), remedy: None };
    };
    let release = if scene.release.is_empty() { "RELEASE" } else { scene.release };
    let remedy = plain.remedy.replace("{release}", release).replace("{n}", &scene.namespace_flag());
    Problem {
        object: if plain.object.is_empty() { object } else { plain.object.to_owned() },
        field: None,
        cause: if plain.cause.is_empty() { one_line(first_line) } else { plain.cause.to_owned() },
        remedy: Some(remedy).filter(|remedy| !remedy.is_empty()),
    }
}
