//! What the server really answered, each provoked on Kubernetes 1.36 with a request of our own: the files of
//! `tests/fixtures/rehearsal/statuses`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Debug, Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    what: String,
    request: Sent,
    object: ObjectRef,
    verb: String,
    code: u16,
    status: Value,
    live: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    body: Value,
}

impl Case {
    fn classify(&self) -> Refusal {
        let verb = match self.verb.as_str() {
            "create" => Act::Create,
            "update" => Act::Update,
            "patch" => Act::Patch,
            "apply" => Act::Apply,
            "delete" => Act::Delete,
            other => panic!("{}: {other}", self.name),
        };
        let desired = Some(&self.request.body).filter(|body| body.is_object() && verb != Act::Delete);
        let (object, code, status) = (&self.object, self.code, &self.status);
        classify(&RefusedWrite { object, act: verb, code, status, live: self.live.as_ref(), desired })
    }
}

fn corpus() -> BTreeMap<String, Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rehearsal/statuses");
    let read = |path: &Path| -> Case {
        let text = fs::read_to_string(path).expect("a case can be read");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let files = fs::read_dir(folder).expect("the corpus is there");
    files.map(|file| read(&file.expect("a file").path())).map(|case| (case.name.clone(), case)).collect()
}

/// Every case, by what it means.
const MEANT: [(&str, &[&str]); 13] = [
    (
        "immutable field",
        &[
            "configmap-immutable",
            "crd-scope",
            "custom-resource-transition-rule",
            "daemonset-selector",
            "claim-storage-class",
            "deployment-selector",
            "ingress-class-controller",
            "job-completions",
            "job-failed-template",
            "job-finished-template",
            "job-running-template",
            "pod-spec",
            "priority-class-value",
            "rolebinding-role-ref",
            "secret-immutable",
            "secret-type",
            "service-cluster-ip",
            "service-health-check-node-port",
            "service-load-balancer-class",
            "service-to-headless",
            "statefulset-claim-template",
            "statefulset-selector",
            "statefulset-service-name",
            "storage-class-parameters",
            "volume-source",
        ],
    ),
    ("ownership", &["already-exists", "already-exists-foreign", "hook-job-left-over", "still-being-deleted"]),
    ("apply conflict", &["apply-conflict-in-a-list", "apply-conflict-one-field", "apply-conflict-two-managers"]),
    (
        "admission",
        &[
            "claim-grown-not-expandable",
            "conversion-webhook-missing",
            "namespace-default-deleted",
            "pod-security",
            "policy-apply",
            "policy-create",
            "policy-delete",
            "policy-expression-fails",
            "policy-parameter-missing",
            "priority-class-missing",
            "runtime-class-missing",
            "service-account-missing",
            "webhook-500",
            "webhook-denies",
            "webhook-denies-429",
            "webhook-denies-conflict",
            "webhook-denies-invalid",
            "webhook-denies-lines",
            "webhook-denies-silently",
            "webhook-mutating-missing",
            "webhook-refuses-connections",
            "webhook-service-missing",
            "webhook-unknown-certificate",
        ],
    ),
    (
        "quota",
        &[
            "limit-range-claim",
            "limit-range-max-cpu",
            "limit-range-several",
            "quota-compute",
            "quota-configmaps",
            "quota-count-zero",
            "quota-must-specify",
            "quota-node-ports",
            "quota-storage",
        ],
    ),
    (
        "validation",
        &[
            "annotations-too-long",
            "apply-duplicate-keys",
            "apply-unknown-field",
            "bad-name",
            "bad-quantity",
            "bad-resources",
            "claim-shrunk",
            "cluster-ip-invalid",
            "configmap-too-long",
            "crd-not-structural",
            "cronjob-schedule",
            "custom-resource-apply-schema",
            "custom-resource-cel-rule",
            "custom-resource-schema",
            "etcd-request-too-large",
            "hpa-invalid",
            "ingress-path-type",
            "ip-family",
            "managed-fields-set",
            "node-port-on-cluster-ip",
            "not-json",
            "other-name",
            "other-namespace",
            "policy-not-compiling",
            "required-value",
            "several-errors",
            "terminating-finalizer",
            "unknown-field",
            "unsupported-media-type",
            "unsupported-value",
            "wrong-type-apply",
            "wrong-type-apply-number",
            "wrong-type-create",
            "wrong-type-patch",
        ],
    ),
    ("missing kind", &["method-not-allowed", "missing-group", "missing-kind", "removed-version"]),
    ("missing namespace", &["missing-namespace", "missing-namespace-apply", "namespace-terminating"]),
    (
        "rights",
        &[
            "rights-binding",
            "rights-cluster",
            "rights-create",
            "rights-delete",
            "rights-escalation",
            "rights-no-login",
            "rights-patch",
        ],
    ),
    (
        "allocator",
        &[
            "cluster-ip-range",
            "cluster-ip-range-dry-run",
            "cluster-ip-taken",
            "health-check-node-port-range",
            "health-check-node-port-taken",
            "node-port-invalid",
            "node-port-range",
            "node-port-taken",
            "node-port-twice",
            "node-port-twice-update",
        ],
    ),
    (
        "release record too large",
        &["release-configmap-too-long", "release-request-too-large", "release-secret-too-long"],
    ),
    ("unpredictable", &["cluster-ip-allocator-not-ready", "rights-binding-missing-role", "webhook-no-dry-run"]),
    (
        "passing",
        &[
            "aggregated-api-down",
            "delete-not-found",
            "delete-precondition",
            "resource-version-conflict",
            "update-not-found",
        ],
    ),
];

#[test]
fn every_answer_of_the_corpus_is_classified() {
    let expected: BTreeMap<&str, &str> =
        MEANT.iter().flat_map(|(meant, cases)| cases.iter().map(move |case| (*case, *meant))).collect();
    let corpus = corpus();
    let missing: Vec<&&str> = expected.keys().filter(|case| !corpus.contains_key(**case)).collect();
    assert!(missing.is_empty(), "the corpus lacks {missing:?}");
    let mut wrong = Vec::new();
    for (name, case) in &corpus {
        let found = match case.classify() {
            Refusal::Findings(findings) => {
                assert!(!findings.is_empty(), "{name}");
                let mut classes: Vec<&str> = findings.iter().map(|finding| finding.class.title()).collect();
                classes.dedup();
                classes.join(" and ")
            }
            Refusal::Unpredictable { .. } => "unpredictable".to_owned(),
            Refusal::Passing => "passing".to_owned(),
        };
        if expected.get(name.as_str()) != Some(&found.as_str()) {
            wrong.push(format!("{name}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(corpus.len() >= 100, "{}", corpus.len());
}

fn told(case: &Case) -> String {
    let mut text = format!("{}: {}\n", case.name, case.what);
    match case.classify() {
        Refusal::Findings(findings) => {
            for finding in findings {
                let who = finding.who.map_or_else(String::new, |who| format!(" <{who}>"));
                text.extend(["  ", finding.class.title(), &who, ": ", &finding.cause, "\n"]);
                for field in finding.fields {
                    let value = |value: Option<Value>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
                    text.extend(["    ", &field.path, ": ", &value(field.before), " -> ", &value(field.after), "\n"]);
                }
                match finding.remedy {
                    Remedy::Person { text: remedy } => text.extend(["    => ", &remedy, "\n"]),
                    Remedy::RemoveFinishedJob { .. } => text.push_str("    => the plan removes the finished Job\n"),
                }
            }
        }
        Refusal::Unpredictable { because } => text.extend(["  unpredictable: ", &because, "\n"]),
        Refusal::Passing => text.push_str("  passing\n"),
    }
    text
}

#[test]
fn every_answer_of_the_corpus_is_told_in_few_words() {
    let corpus = corpus();
    let told: String = corpus.values().map(told).collect();
    insta::assert_snapshot!(told);
}

#[test]
fn causes_are_one_short_line_without_dumps_and_every_remedy_says_something() {
    for (name, case) in corpus() {
        let Refusal::Findings(findings) = case.classify() else { continue };
        for finding in findings {
            let cause = &finding.cause;
            assert!(!cause.is_empty() && cause.chars().count() <= 200 && !cause.contains('\n'), "{name}: {cause}");
            for dump in ["map[", "&value.", "v1.", "core.", "string{", "Resources:["] {
                assert!(!cause.contains(dump), "{name}: {cause}");
            }
            match finding.remedy {
                Remedy::Person { text } => assert!(text.len() > 8 && !text.contains('\n'), "{name}"),
                Remedy::RemoveFinishedJob { uid } => {
                    assert_eq!(finding.class, Class::ImmutableField, "{name}");
                    let live = case.live.as_ref().and_then(|live| live.pointer("/metadata/uid"));
                    assert_eq!(live, Some(&json!(uid)), "{name}");
                }
            }
        }
    }
}

#[test]
fn what_a_secret_holds_is_never_told() {
    let corpus = corpus();
    for (name, secret) in [("secret-immutable", ["Zmlyc3Q=", "c2Vjb25k"]), ("secret-type", ["\"YQ==\"", "\"Yg==\""])] {
        let told = told(&corpus[name]);
        assert!(secret.iter().all(|secret| !told.contains(secret)), "{told}");
    }
    assert!(told(&corpus["secret-immutable"]).contains("sha256:"));
}

fn job(conditions: &Value, owners: &Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "shop", "uid": "u-1", "ownerReferences": owners},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "a:1"}]}}},
        "status": {"conditions": conditions}})
}

fn remedy_of_changed_job(live: Option<&Value>) -> Remedy {
    let object = ObjectRef {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: Some("shop".into()),
        name: "migrate".into(),
    };
    let desired = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "a:2"}]}}}});
    let status = json!({"message": "Job.batch \"migrate\" is invalid", "details": {"causes": [
        {"reason": "FieldValueInvalid", "field": "spec.template", "message": "Invalid value: {\"a\":1}: field is immutable"}]}});
    let write =
        RefusedWrite { object: &object, act: Act::Update, code: 422, status: &status, live, desired: Some(&desired) };
    let Refusal::Findings(findings) = classify(&write) else { panic!("refused") };
    findings[0].remedy.clone()
}

#[test]
fn only_a_job_that_has_ended_and_has_no_other_maker_may_be_removed() {
    let condition = |of: &str, status: &str| json!([{"type": of, "status": status}]);
    let cron = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "name": "n", "uid": "o", "controller": true}]);
    let removed = Remedy::RemoveFinishedJob { uid: "u-1".into() };
    for (conditions, owners, is_removed) in [
        (condition("Complete", "True"), json!([]), true),
        (condition("Failed", "True"), json!([]), true),
        (condition("Complete", "True"), json!([{"kind": "X", "name": "n", "uid": "o"}]), true),
        (condition("Complete", "False"), json!([]), false),
        (condition("Suspended", "True"), json!([]), false),
        (condition("SuccessCriteriaMet", "True"), json!([]), false),
        (condition("Complete", "True"), cron, false),
        (json!([]), json!([]), false),
    ] {
        let live = job(&conditions, &owners);
        assert_eq!(remedy_of_changed_job(Some(&live)) == removed, is_removed, "{live}");
    }
    assert_ne!(remedy_of_changed_job(None), removed);
}

#[test]
fn an_answer_that_says_nothing_is_still_a_finding() {
    let object = ObjectRef { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: None, name: "c".into() };
    for status in [Value::Null, json!(""), json!({}), json!({"message": ""}), json!([1])] {
        let write =
            RefusedWrite { object: &object, act: Act::Create, code: 500, status: &status, live: None, desired: None };
        let Refusal::Findings(findings) = classify(&write) else { panic!("{status}") };
        assert_eq!((findings[0].class, findings[0].cause.contains("500")), (Class::Validation, true));
    }
}

proptest! {
    /// Dumps hold users' text: it must not lead to another class.
    #[test]
    fn what_stands_in_a_value_does_not_choose_the_class(word in "[a-z :{}\\[\\]]{0,12}(is immutable|exceeded quota: x|failed to allocate|already exists)[a-z ]{0,8}") {
        let object = ObjectRef { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: None, name: "c".into() };
        let value = Value::from(word.as_str()).to_string();
        let message = format!("Invalid value: {{\"a\":{value}}}: must not be empty");
        let status = json!({"message": format!("ConfigMap \"c\" is invalid: data: {message}"), "details": {"causes": [
            {"reason": "FieldValueInvalid", "field": "data", "message": message}]}});
        let write = RefusedWrite { object: &object, act: Act::Update, code: 422, status: &status, live: None, desired: None };
        let Refusal::Findings(findings) = classify(&write) else { panic!("refused") };
        prop_assert_eq!(findings[0].class, Class::Validation);
    }

    #[test]
    fn no_answer_breaks_the_reader(code in 400u16..600, message in "\\PC{0,80}", field in "[a-z\\[\\]\\.\"=]{0,12}") {
        let object = ObjectRef { api_version: "batch/v1".into(), kind: "Job".into(), namespace: None, name: "c".into() };
        let status = json!({"message": message, "details": {"causes": [{"reason": "x", "field": field, "message": message}]}});
        for verb in [Act::Create, Act::Update, Act::Patch, Act::Apply, Act::Delete] {
            let write = RefusedWrite { object: &object, act: verb, code, status: &status, live: Some(&status), desired: Some(&status) };
            if let Refusal::Findings(findings) = classify(&write) {
                prop_assert!(!findings.is_empty());
            }
        }
    }
}
