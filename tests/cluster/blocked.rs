//! What stops an upgrade before anything is changed: exit 20, the object and the way out named, the cluster as it was.

use serde_json::{Value, json};

use crate::support::program::chart;
use crate::support::user::Rule;
use crate::support::{Bed, Running, Scene};

/// Runs an upgrade that must be blocked, and returns the findings that block by the id of their check.
#[track_caller]
fn blocked(scene: &Scene<'_>, words: &[&str]) -> Vec<(String, Value)> {
    let before = scene.state_of_all();
    let json: Vec<&str> = words.iter().copied().chain(["--yes", "-o", "json"]).collect();
    let report = scene.run(&json).expect(20).json();
    before.assert_unchanged(scene);
    assert_eq!(report["exit"], "blocked");
    let findings = report["findings"].as_array().expect("a list").clone();
    let blocks = |finding: &&Value| finding["outcome"] == "fail" || finding["outcome"] == "could-not-tell";
    let id = |finding: &Value| finding["check"].as_str().expect("a text").to_owned();
    findings.iter().filter(blocks).map(|finding| (id(finding), finding.clone())).collect()
}

/// Asserts that this check alone blocks, and says all of `said`.
#[track_caller]
fn assert_blocked_by(scene: &Scene<'_>, words: &[&str], check: &str, said: &[&str]) {
    let findings = blocked(scene, words);
    let ids: Vec<&str> = findings.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [check]);
    let text = findings[0].1.to_string();
    for part in said {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_release_that_does_not_exist_is_named_with_its_namespace() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "unknown");
    let findings = blocked(&scene, &["upgrade", "shop", &chart("small")]);
    assert_eq!(findings[0].0, "release-exists");
    let text = findings[0].1.to_string();
    assert!(text.contains("shop") && text.contains(&scene.namespace.name), "{text}");
    scene.run(&["verify", "shop"]).expect(20).says("does not exist");
    scene.run(&["status", "shop"]).expect(20).says("does not exist");
    scene.run(&["rollback", "shop", "--yes"]).expect(20).says("does not exist");
}

#[test]
fn the_wrong_chart_an_older_chart_and_a_chart_for_another_kubernetes_are_refused() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "chart", &[]);
    let (other, future) = (chart("other"), chart("future"));
    assert_blocked_by(&scene, &["upgrade", "shop", &other], "chart-matches", &["hubble", "other"]);
    let findings = blocked(&scene, &["upgrade", "shop", &future]);
    let (_, version) = findings.iter().find(|(id, _)| id == "kube-version").expect("kube-version blocks");
    assert!(version.to_string().contains(">=99.0.0"), "{version}");
    scene.upgrade(&[]).expect(0);
    let old = chart("hubble-1.0.0");
    assert_blocked_by(
        &scene,
        &["upgrade", "shop", &old, "--skip-crds"],
        "not-downgrade",
        &["1.0.0", "2.0.0", "rollback"],
    );
}

#[test]
fn values_that_would_be_lost_block_and_a_waiver_lets_them_go() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "values", &["--set", "server.token=of-the-user,web.title=Mine"]);
    let two = chart("hubble-2.0.0");
    let words = ["upgrade", "shop", &two, "--skip-crds", "--set", "web.theme=light"];
    assert_blocked_by(&scene, &words, "values-kept", &["`server`", "`web.title`", "--reset-then-reuse-values"]);
    let ran = scene.upgrade(&["--set", "web.theme=light", "--waive", "values-kept=they are not wanted"]).expect(0);
    ran.says("they are not wanted").says_not("of-the-user");
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
}

#[test]
fn an_object_of_nobody_is_in_the_way_and_named() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "foreign", &[]);
    bed.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"owner": "somebody"},
        "metadata": {"name": "shop-shared", "namespace": scene.namespace.name}}));
    let two = chart("hubble-2.0.0");
    let words = ["upgrade", "shop", &two, "--skip-crds", "--set", "hazards.unownedObject.enabled=true"];
    let findings = blocked(&scene, &words);
    let text: String = findings.iter().map(|(_, finding)| finding.to_string()).collect();
    assert!(text.contains("ConfigMap") && text.contains("shop-shared"), "{text}");
    assert!(text.contains("helm csghub adopt") || text.contains("kubectl"), "no way out is named: {text}");
}

#[test]
fn a_release_record_that_does_not_fit_is_known_beforehand() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "record", &[]);
    let two = chart("hubble-2.0.0");
    let words = ["upgrade", "shop", &two, "--skip-crds", "--set", "hazards.bigRecord.kilobytes=1300"];
    assert_blocked_by(&scene, &words, "record-size", &["1024 KiB"]);
}

#[test]
fn rights_that_are_missing_are_named_before_anything_is_changed() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "rights", &[]);
    let user = bed.user(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let read = ["get", "list", "watch"];
    let rule = |group, resources, verbs| Rule { group, resources, verbs };
    user.grant(&scene.namespace.name, &[rule("*", &["*"][..], &read[..])]);
    let two = chart("hubble-2.0.0");
    let findings = blocked(&scene, &["upgrade", "shop", &two, "--skip-crds"]);
    let (_, rights) = findings.iter().find(|(id, _)| id == "rights").expect("rights blocks");
    for part in ["create, patch, delete `configmaps`", "more"] {
        assert!(rights.to_string().contains(part), "{part}: {rights}");
    }
    // What was asked for is all that is needed.
    user.grant_namespace(&scene.namespace.name);
    scene.upgrade(&[]).expect(0);
    let refused: Vec<_> = user.audit().requests.into_iter().filter(|request| request.code == 403).collect();
    let after_grant = refused.iter().filter(|request| request.verb != "get" && request.verb != "list").count();
    assert_eq!(after_grant, 0, "a write was refused: {refused:?}");
}

#[test]
fn a_user_who_may_not_even_read_is_told_which_right_is_missing() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "blind", &[]);
    let user = bed.user(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    for words in [vec!["status", "shop"], vec!["verify", "shop"], vec!["plan", "shop", &chart("hubble-2.0.0")]] {
        scene.run(&words).expect(20).says("cannot list resource \"secrets\"").says(&user.name);
    }
}

#[test]
fn a_pending_release_is_explained_and_our_rollback_ends_it() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "pending", &["--set", "hazards.harmlessHook.enabled=true"]);
    kill_helm_within_a_hook(&scene);
    assert_eq!(scene.newest(), (2, "pending-upgrade".to_owned()));
    let two = chart("hubble-2.0.0");
    let findings = blocked(&scene, &["upgrade", "shop", &two, "--skip-crds"]);
    let (_, status) = findings.iter().find(|(id, _)| id == "release-status").expect("release-status blocks");
    assert!(status.to_string().contains("pending-upgrade") && status.to_string().contains("rollback"), "{status}");
    scene.run(&["status", "shop"]).expect(0).says("pending-upgrade").says("helm csghub rollback shop");
    scene.run(&["rollback", "shop", "--yes"]).expect(0);
    assert_eq!(scene.newest(), (3, "deployed".to_owned()));
    scene.assert_tidy();
    scene.upgrade(&["--set", "hazards.harmlessHook.enabled=true"]).expect(0);
}

/// Starts plain `helm upgrade`, whose hook never ends, and kills it.
fn kill_helm_within_a_hook(scene: &Scene<'_>) {
    let chart = chart("hubble-2.0.0");
    let hook = "hazards.harmlessHook.enabled=true,hazards.behaviour=never-ready,hazards.behaviourOf=check";
    let words = ["upgrade", "shop", &chart, "-n", &scene.namespace.name, "--skip-crds", "--set", hook];
    let mut command = scene.helm.command(&scene.bed.kubeconfig);
    command.args(words);
    let mut helm = Running::start(command);
    let job = helm.until(|_| scene.bed.get(&scene.namespace.name, "job", "shop-check"));
    assert!(job.is_some(), "the hook was not started: {}", helm.end().stderr);
    helm.signal(rustix::process::Signal::KILL);
    assert_eq!(helm.end().signal, Some(9));
}

#[test]
fn a_cluster_that_does_not_answer_and_a_helm_that_is_not_there_block() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "neighbours");
    let mut command = scene.command(&["status", "shop"]);
    command.env("HELM_KUBEAPISERVER", "https://127.0.0.1:1");
    Running::start(command).end().expect(20).says("127.0.0.1:1");
    let mut command = scene.command(&["status", "shop"]);
    command.env("KUBECONFIG", "/no/such/kubeconfig");
    Running::start(command).end().expect(20).says("/no/such/kubeconfig");
    let mut command = scene.command(&["upgrade", "shop", &chart("small")]);
    command.env("HELM_BIN", "/no/such/helm");
    Running::start(command).end().expect(20).says("/no/such/helm");
    scene.run(&["upgrade", "shop", "/no/such/chart"]).expect(20).says("/no/such/chart");
}
