//! Rehearsals as they come, for tests of what is made of them.

use serde_json::{Value, json};

use super::gallery::object;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{
    Class, CommandEnd, FieldChange, Finding, Mode, Operation, REHEARSED_FORMAT, Rehearsed, RehearsedObject, Remedy,
    Verdict,
};
use crate::domain::report::Problem;

/// Every sample, by name.
pub(super) fn all() -> Vec<(&'static str, Rehearsed)> {
    vec![
        ("clean", clean()),
        ("cured", cured()),
        ("refused", refused()),
        ("lossy", lossy()),
        ("uninstall", uninstall()),
        ("ended-badly", ended_badly()),
        ("as-helm", as_helm()),
        ("empty", empty()),
        ("hostile", hostile()),
    ]
}

pub(super) fn empty() -> Rehearsed {
    Rehearsed {
        format: REHEARSED_FORMAT,
        subject: None,
        mode: Mode::All,
        objects: vec![],
        findings: vec![],
        denied: vec![],
        notes: vec![],
        end: CommandEnd::default(),
    }
}

/// An upgrade of 263 objects that the server takes.
pub(super) fn clean() -> Rehearsed {
    let image = |n: usize| {
        change(
            "spec.template.spec.containers[name=web].image",
            json!(format!("registry.example.com/shop/web-{n}:1.2.0")),
            json!(format!("registry.example.com/shop/web-{n}:1.3.0")),
        )
    };
    let mut objects = Vec::new();
    objects.extend((1..=3).map(|n| accepted("v1", "ConfigMap", &format!("new-{n}"), Operation::Create)));
    objects.extend(
        (1..=2).map(|n| accepted("networking.k8s.io/v1", "NetworkPolicy", &format!("p{n}"), Operation::Create)),
    );
    objects.extend((1..=6).map(|n| RehearsedObject {
        changes: vec![image(n), change("spec.replicas", json!(1), json!(2))],
        restarts_pods: true,
        ..accepted("apps/v1", "Deployment", &format!("web-{n}"), Operation::Change)
    }));
    let configuration = |port: u16| {
        let lines: Vec<String> = (1..=30).map(|n| format!("key-{n}: value")).collect();
        json!(format!("{}\nport: {port}\nlog: info\n", lines.join("\n")))
    };
    objects.extend((1..=5).map(|n| RehearsedObject {
        changes: vec![change("data[shop.yaml]", configuration(8080), configuration(9090))],
        ..accepted("v1", "ConfigMap", &format!("settings-{n}"), Operation::Change)
    }));
    objects.push(RehearsedObject {
        changes: vec![change(
            "data.password",
            json!("sha256:391552c099c101b131feaf24c5795a6a15bc8ec82015424e0d2b4274a369a0bf"),
            json!("sha256:cc11310c456c3690d5a74c23aa31cc25b4e74cdae146c71e54ad9dbc1d109fde"),
        )],
        ..accepted("v1", "Secret", "database", Operation::Change)
    });
    objects.push(accepted("networking.k8s.io/v1", "Ingress", "old", Operation::Delete));
    objects.extend((1..=2).map(|n| RehearsedObject {
        is_hook: true,
        ..accepted("batch/v1", "Job", &format!("migrate-{n}"), Operation::Pass)
    }));
    let unchanged = 263 - objects.len();
    objects.extend((1..=unchanged).map(|n| accepted("v1", "Service", &format!("service-{n}"), Operation::Unchanged)));
    Rehearsed { subject: Some("The upgrade".into()), objects, ..empty() }
}

fn with_refused_jobs(remedy: impl Fn(usize) -> Remedy) -> Rehearsed {
    let mut rehearsed = clean();
    rehearsed.objects.truncate(261);
    for (index, name) in ["csghub-template-importer", "csghub-minio"].into_iter().enumerate() {
        let job = object("batch/v1", "Job", name);
        rehearsed.findings.push(Finding {
            class: Class::ImmutableField,
            object: job.clone(),
            fields: vec![change(
                "spec.template.spec.containers[name=init].image",
                json!("shop/init:1.2.0"),
                json!("shop/init:1.3.0"),
            )],
            who: None,
            cause: "spec.template cannot be changed once it is set".into(),
            remedy: remedy(index),
        });
        rehearsed.objects.push(RehearsedObject {
            object: job,
            operation: Operation::Change,
            verdict: Verdict::Refused,
            is_hook: false,
            changes: vec![],
            restarts_pods: false,
        });
    }
    rehearsed
}

/// Two finished Jobs stand in the way, and the plan removes them.
pub(super) fn cured() -> Rehearsed {
    with_refused_jobs(|n| Remedy::RemoveFinishedJob { uid: format!("7f0c-{n}") })
}

/// Two Jobs stand in the way, one of which runs. And there is more that a person should know.
pub(super) fn refused() -> Rehearsed {
    let mut rehearsed = with_refused_jobs(|_| {
        person("wait until it has ended, then delete it: `kubectl delete job csghub-minio -n shop`")
    });
    rehearsed.findings.push(Finding {
        class: Class::HandEdit,
        object: object("apps/v1", "Deployment", "web-1"),
        fields: vec![change("spec.replicas", json!(5), json!(2))],
        who: Some("kubectl-scale".into()),
        cause: "somebody changed it after Helm did, and Helm changes it back".into(),
        remedy: person("set it in the release's values if it is to stay"),
    });
    let because = "the webhook `check.example.com` does not declare that it takes dry runs";
    for object in rehearsed.objects.iter_mut().take(5) {
        object.verdict = Verdict::Unpredictable { because: because.into() };
    }
    rehearsed
}

/// An upgrade that succeeds and takes data with it.
pub(super) fn lossy() -> Rehearsed {
    let mut rehearsed = clean();
    rehearsed.objects.truncate(20);
    let claim = object("v1", "PersistentVolumeClaim", "data");
    rehearsed.objects.push(accepted("v1", "PersistentVolumeClaim", "data", Operation::Delete));
    rehearsed.objects.push(accepted("v1", "ConfigMap", "shared", Operation::Delete));
    rehearsed.findings = vec![
        finding(
            Class::ForeignDeletion,
            object("v1", "ConfigMap", "shared"),
            "it belongs to release shop/cart",
            "leave it to that release; to keep it: `kubectl annotate configmap/shared -n shop helm.sh/resource-policy=keep`",
        ),
        finding(
            Class::DataLoss,
            claim,
            "volume `pvc-4711` is given back, and destroyed if its reclaim policy is Delete",
            "back it up; to keep it: `kubectl annotate persistentvolumeclaim/data -n shop helm.sh/resource-policy=keep`",
        ),
    ];
    rehearsed
}

/// Any command: what it deletes, and a request that was not let through.
pub(super) fn uninstall() -> Rehearsed {
    Rehearsed {
        subject: Some("`helm uninstall shop`".into()),
        objects: vec![
            accepted("apps/v1", "Deployment", "web", Operation::Delete),
            accepted("apps/v1", "Deployment", "api", Operation::Delete),
            accepted("v1", "Service", "web", Operation::Delete),
        ],
        denied: vec!["POST pods/exec in namespace shop: it leaves HTTP (exec, attach, port-forward)".into()],
        notes: Vec::new(),
        ..empty()
    }
}

/// Helm failed for a reason of its own.
pub(super) fn ended_badly() -> Rehearsed {
    let mut rehearsed = clean();
    rehearsed.objects.truncate(7);
    rehearsed.end = CommandEnd {
        exit_code: 1,
        problems: vec![Problem {
            object: "chart shop".into(),
            field: Some("templates/web.yaml, line 12".into()),
            cause: "nil pointer evaluating interface {}.tag".into(),
            remedy: Some("set `web.image.tag` in the values".into()),
        }],
    };
    rehearsed
}

/// Helm saw the refusal, as in a real run, and stopped.
pub(super) fn as_helm() -> Rehearsed {
    let mut rehearsed = with_refused_jobs(|_| person("delete it first: `kubectl delete job csghub-minio -n shop`"));
    rehearsed.mode = Mode::AsHelm;
    rehearsed.objects.drain(7..262);
    rehearsed.findings.remove(0);
    rehearsed.end = CommandEnd {
        exit_code: 1,
        problems: vec![Problem {
            object: "Job shop/csghub-minio".into(),
            field: Some("spec.template".into()),
            cause: "field is immutable".into(),
            remedy: None,
        }],
    };
    rehearsed
}

/// More of everything than fits, in text that would break what it is shown in.
pub(super) fn hostile() -> Rehearsed {
    let evil = "</details> <script>x</script> | ``` \n # @team *b* [l](u) \u{1b}[31m\u{202e} & \\ end ".repeat(6);
    let mut rehearsed = clean();
    rehearsed.subject = None;
    rehearsed.findings = Class::ALL
        .iter()
        .cycle()
        .take(90)
        .enumerate()
        .map(|(n, class)| Finding {
            who: Some(evil.clone()),
            fields: vec![change(&format!("data[`{evil}`]"), json!(evil), json!({ "``````": evil }))],
            ..finding(*class, object("v1", "ConfigMap", &format!("c-{n}")), &evil, &evil)
        })
        .collect();
    for (n, object) in rehearsed.objects.iter_mut().enumerate() {
        object.changes = vec![change("data.x", json!(evil), Value::Null)];
        if n % 3 == 0 {
            object.verdict = Verdict::Unpredictable { because: format!("{n} {evil}") };
        }
    }
    rehearsed.denied = vec![evil.clone(); 30];
    let problem = Problem { object: evil.clone(), field: Some(evil.clone()), cause: evil.clone(), remedy: Some(evil) };
    rehearsed.end = CommandEnd { exit_code: 1, problems: vec![problem; 30] };
    rehearsed
}

fn accepted(api_version: &str, kind: &str, name: &str, operation: Operation) -> RehearsedObject {
    RehearsedObject {
        object: object(api_version, kind, name),
        operation,
        verdict: Verdict::Accepted,
        is_hook: false,
        changes: vec![],
        restarts_pods: false,
    }
}

fn finding(class: Class, object: ObjectRef, cause: &str, help: &str) -> Finding {
    Finding { class, object, fields: vec![], who: None, cause: cause.into(), remedy: person(help) }
}

fn person(text: &str) -> Remedy {
    Remedy::Person { text: text.into() }
}

fn change(path: &str, before: Value, after: Value) -> FieldChange {
    FieldChange { path: path.into(), before: Some(before), after: Some(after) }
}
