//! Upgrades that fail: told soon and in few lines, undone, the way back compared object by object.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Bed, Helm, Ran, Scene, last_look};

/// Most lines that a failure may take, both streams together.
const MOST_LINES: usize = 25;

/// Runs an upgrade that fails and is brought back: exit code, one deployed revision with the old chart, every object as it
/// was but for `new`, evidence, few lines. Returns what was said and the report.
#[track_caller]
pub(crate) fn fail(scene: &Scene<'_>, flags: &[&str], code: i32, new: &[&str]) -> (Ran, Value) {
    let before = scene.contents();
    let (revision, _) = scene.newest();
    let chart = chart_of(scene);
    let ran = scene.upgrade(flags).expect(code);
    let later = scene.contents();
    assert_eq!(before.differences(&later, new), Vec::<String>::new(), "{}", ran.all());
    for object in new {
        assert!(later.has(object), "{object} is not there: {:?}", later.names());
    }
    assert_eq!(scene.newest(), (revision + 2, "deployed".to_owned()), "{}", ran.all());
    assert_eq!(chart_of(scene), chart, "the old chart is deployed");
    scene.assert_tidy();
    let report = report(scene);
    assert_eq!(report["exit"], if code == 40 { "undone" } else { "not-undone" });
    assert_eq!(report["to_do"].as_array().expect("a list").is_empty(), code == 40, "{report}");
    assert_ne!(report["problems"], serde_json::json!([]));
    let evidence = scene.last_run().join("evidence");
    assert_eq!(report["evidence"], evidence.display().to_string());
    let history = fs::read_to_string(evidence.join("history.txt")).expect("evidence");
    assert!(history.contains(&format!("revision {}", revision + 1)), "{history}");
    assert!(evidence.join("objects").join(&scene.namespace.name).is_dir());
    (ran, report)
}

/// Returns the report that the last run wrote into its folder.
pub(crate) fn report(scene: &Scene<'_>) -> Value {
    let text = fs::read(scene.last_run().join("report.json")).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}

/// Asserts that a failure took no more lines than a person reads, from the first that tells of it, both streams together.
/// Progress is left out: `  verify  3 of 5 objects`, of which there are more the longer it takes.
#[track_caller]
pub(crate) fn assert_few_lines(ran: &Ran) {
    let marks = ['!', '✗', 'x'];
    let told: Vec<&str> = ran.lines.iter().map(|line| line.text.as_str()).collect();
    let is_failure = |line: &&str| line.starts_with(marks) && line.chars().nth(1) == Some(' ');
    let behind: Vec<&str> = told.into_iter().skip_while(|line| !is_failure(line)).collect();
    assert!(!behind.is_empty(), "no failure is told:\n{}", ran.all());
    let mut is_progress = false;
    let mut count = ran.stdout.lines().count();
    for line in behind {
        let indent = line.len() - line.trim_start().len();
        // What is indented further goes on with the line above it.
        if indent <= 2 {
            is_progress = indent == 2;
        }
        count += usize::from(!is_progress);
    }
    assert!(count <= MOST_LINES, "{count} lines:\n{}", ran.all());
}

fn chart_of(scene: &Scene<'_>) -> Value {
    let listed = scene.helm.run(&scene.bed.kubeconfig, &["list", "-n", &scene.namespace.name, "-o", "json"]).must();
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed[0]["chart"].clone()
}

/// Tells whether the report has this object among those left behind, with this fate.
fn is_left(report: &Value, kind: &str, name: &str, fate: &str) -> bool {
    let is = |left: &Value| left["object"]["kind"] == kind && left["object"]["name"] == name && left["fate"] == fate;
    report["left_behind"].as_array().expect("a list").iter().any(is)
}

#[test]
fn a_helm_that_waits_for_a_crash_loop_is_interrupted_and_not_waited_for() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "waiting", helm);
        scene.install("hubble-1.0.0", &[]);
        let flags = ["--wait", "--timeout", "10m", "--set", "hazards.behaviour=crash-loop"];
        let (ran, _) = fail(&scene, &flags, 40, &[]);
        assert!(ran.took < Duration::from_mins(2), "it took {:?}", ran.took);
        ran.says("CrashLoopBackOff").says("FATAL: cannot reach database").says("Helm is asked to stop");
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_and_undone() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "image", &[]);
    let (ran, _) = fail(&scene, &["--set", "hazards.behaviour=image-pull", "--verify-timeout", "15"], 40, &[]);
    ran.says("ImagePullBackOff").says("shop-server");
}

#[test]
fn pods_that_never_get_ready_are_waited_for_as_long_as_was_asked() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "never", &[]);
    let flags = ["--set", "hazards.behaviour=never-ready,hazards.behaviourOf=web", "--verify-timeout", "8"];
    let (ran, _) = fail(&scene, &flags, 40, &[]);
    ran.says("not current after 8 s").says(&format!("Deployment {}/shop-web", scene.namespace.name));
}

#[test]
fn pods_that_start_slowly_are_no_failure() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "slow", &[]);
    let ran = scene.upgrade(&["--set", "hazards.behaviour=slow-start"]).expect(0);
    assert!(ran.took > Duration::from_secs(6), "the pod is ready after 6 s, and it took {:?}", ran.took);
}

/// Plain Helm fails there; the rehearsal names it, and what cannot be cured stops the upgrade before anything was changed.
#[test]
fn a_field_that_cannot_change_is_named_with_its_object_whatever_the_helm() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "immutable", helm);
        let hazard = ["--set", "hazards.immutableService.enabled=true"];
        scene.install("hubble-1.0.0", &hazard);
        let before = scene.state_of_all();
        let ran = scene.upgrade(&hazard).expect(20);
        before.assert_unchanged(&scene);
        ran.says("Service")
            .says("shop-events")
            .says("spec.clusterIP")
            .says("may not change once set")
            .says("kubectl delete service");
    }
}

#[test]
fn a_finished_job_in_the_way_is_removed_whatever_the_helm() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "job", helm);
        let hazard = ["--set", "hazards.immutableJob.enabled=true"];
        scene.install("hubble-1.0.0", &hazard);
        let ran = scene.upgrade(&hazard).expect(0);
        ran.says("remove finished Job").says("shop-importer").says("spec.template");
        scene.assert_tidy();
    }
}

/// The new Job could not be changed back either: it goes before Helm does.
#[test]
fn a_job_that_was_made_anew_goes_again_where_the_upgrade_is_undone() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "jobback");
    scene.install("hubble-1.0.0", &["--set", "hazards.immutableJob.enabled=true"]);
    let flags = ["--set", "hazards.immutableJob.enabled=true,hazards.behaviour=crash-loop"];
    fail(&scene, &flags, 41, &[]);
}

/// Helm never came to the Job; its rollback makes the old one anew, which runs again.
#[test]
fn a_removed_job_that_the_way_back_makes_anew_is_named() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "jobagain");
    let hazard = "hazards.immutableJob.enabled=true";
    scene.install("hubble-1.0.0", &["--set", hazard]);
    let uid = || {
        scene.bed.kubectl(&[
            "get",
            "job",
            "shop-importer",
            "-n",
            &scene.namespace.name,
            "-o",
            "jsonpath={.metadata.uid}",
        ])
    };
    let before = uid();
    let flags = ["--set", &format!("{hazard},hazards.failingHook.enabled=true")];
    let (_, report) = fail(&scene, &flags, 41, &[]);
    assert_ne!(uid(), before, "it was made anew");
    let to_do = report["to_do"].to_string();
    assert!(to_do.contains("shop-importer") && to_do.contains("shop-gate"), "{to_do}");
}

/// Between the removal and Helm nothing of Helm's has begun.
#[test]
fn a_run_that_is_stopped_before_helm_names_the_job_that_it_removed() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "jobgone");
    let hazard = ["--set", "hazards.immutableJob.enabled=true"];
    scene.install("hubble-1.0.0", &hazard);
    let job = format!("Job {}/shop-importer", scene.namespace.name);
    let mut run = scene.start_upgrade(&hazard);
    let get = ["get", "job", "shop-importer", "-n", &scene.namespace.name];
    run.until_soon(|_| (!bed.try_kubectl(&get, None).status.success()).then_some(()));
    run.signal(Signal::INT);
    let ran = run.end().expect(40);
    assert_eq!(scene.newest(), (1, "deployed".to_owned()), "{}", ran.all());
    let report = report(&scene);
    assert_eq!(report["left_behind"][0]["fate"], "removed", "{report}");
    ran.says(&job);
    scene.assert_tidy();
}

#[test]
fn a_value_that_the_server_refuses_is_named_with_its_object() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "refused", &[]);
    let before = scene.state_of_all();
    let flags = ["--set", "hazards.badObject.enabled=true,hazards.badObject.what=nodePort"];
    scene.upgrade(&flags).expect(20).says("Service").says("nodePort");
    before.assert_unchanged(&scene);
}

#[test]
fn a_hook_that_nobody_declared_harmless_leaves_its_data_and_is_named() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "data", &[]);
    let hazards = "hazards.dataHook.enabled=true,hazards.behaviour=crash-loop";
    let (ran, report) = fail(&scene, &["--set", hazards], 41, &[]);
    let to_do = report["to_do"].to_string();
    assert!(to_do.contains("shop-migrations") && to_do.contains("data"), "{to_do}");
    assert_eq!(report["to_do"].as_array().map(Vec::len), Some(1), "{to_do}");
    ran.says("shop-migrations");
    // Helm leaves both behind.
    assert!(is_left(&report, "Job", "shop-migrations", "removed"), "{report}");
    assert!(is_left(&report, "ConfigMap", "shop-migrations", "removed"), "{report}");
}

#[test]
fn a_failure_is_told_in_25_lines() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "lines", &[]);
    // The longest there is: a trouble with a log, something to do, something removed.
    let ran = scene.upgrade(&["--set", "hazards.dataHook.enabled=true,hazards.behaviour=crash-loop"]).expect(41);
    assert_few_lines(&ran);
}

#[test]
fn a_harmless_hook_leaves_nothing_to_do() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "harmless", &[]);
    let hazards = "hazards.harmlessHook.enabled=true,hazards.behaviour=crash-loop";
    let (ran, _) = fail(&scene, &["--set", hazards], 40, &[]);
    ran.says_not("shop-check ran");
}

#[test]
fn a_hook_that_fails_is_named_and_what_it_wrote_is_not_called_undone() {
    let Some(bed) = Bed::open() else { return };
    for helm in Helm::all() {
        let scene = Scene::with_helm(&bed, "gate", helm);
        scene.install("hubble-1.0.0", &[]);
        let (_, report) = fail(&scene, &["--set", "hazards.failingHook.enabled=true"], 41, &[]);
        assert!(report["to_do"].to_string().contains("shop-gate"), "{report}");
        let problem = report["problems"][0].to_string();
        assert!(problem.contains("shop-gate"), "Helm {}: {problem}", scene.helm.version);
        assert!(is_left(&report, "Job", "shop-gate", "removed"), "{report}");
    }
}

#[test]
fn a_job_that_fails_is_a_failure_and_its_data_is_not_called_undone() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "job", &[]);
    let hazards = "hazards.behaviour=job-fail,hazards.behaviourOf=reindex";
    let (_, report) = fail(&scene, &["--set", hazards], 41, &[]);
    let job = format!("Job {}/shop-reindex", scene.namespace.name);
    assert_eq!(report["problems"][0]["object"], job, "{report}");
    assert!(report["to_do"].to_string().contains(&job), "{report}");
}

#[test]
fn hook_objects_that_were_there_before_stay() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "hooks", &[]);
    let hook = "hazards.dataHook.enabled=true";
    scene.upgrade(&["--set", hook]).expect(0);
    assert!(scene.contents().has("Job shop-migrations"));
    let (_, report) = fail(&scene, &["--set", hook, "--set", "hazards.behaviour=crash-loop"], 41, &[]);
    assert_eq!(report["left_behind"], serde_json::json!([]));
}

#[test]
fn a_claim_that_its_policy_keeps_is_kept_and_named_and_what_was_replaced_or_removed_is_back() {
    let Some(bed) = Bed::open() else { return };
    let hazards = "hazards.statefulsetBecomesDeployment.enabled=true,hazards.removedObject.enabled=true,\
                   hazards.keptObject.enabled=true";
    let scene = Scene::hubble(&bed, "claim", &["--set", hazards]);
    let flags = ["--set", hazards, "--set", "hazards.behaviour=crash-loop"];
    let claim = "PersistentVolumeClaim shop-worker";
    let (ran, report) = fail(&scene, &flags, 40, &[claim]);
    assert!(is_left(&report, "PersistentVolumeClaim", "shop-worker", "kept"), "{report}");
    ran.says("kept").says("shop-worker");
}

#[test]
fn an_undo_that_fails_needs_a_person_and_resume_tries_it_again() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "stuck", &[]);
    let namespace = scene.namespace.name.clone();
    let user = bed.user(&namespace);
    user.grant_namespace(&namespace);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let before = scene.contents();
    // Somebody lets Deployments go on, but not back.
    let bar = bar(&namespace);
    bed.apply(&bar);
    // The server goes by a policy some time after it was made, and some time after it was deleted.
    let is_barred = || {
        let words = ["patch", "deployment", "shop-server", "-n", &namespace, "--dry-run=server", BACK];
        let went = bed.try_kubectl(&words, None);
        let told = String::from_utf8_lossy(&went.stderr).into_owned();
        assert!(went.status.success() || told.contains("deployments are barred"), "{told}");
        !went.status.success()
    };
    assert!(last_look(is_barred, |is_barred| *is_barred), "the way back stays open");
    let ran = scene.upgrade(&["--set", "hazards.behaviour=crash-loop"]).expect(41);
    ran.says("revision 2 is deployed").says("person").says("helm csghub resume shop");
    assert_eq!(scene.leases(), Vec::<String>::new(), "a person may take hours");
    let status = scene.run(&["status", "shop"]).expect(0);
    status.says("stuck").says("a person is needed").says("helm csghub resume shop");
    scene.upgrade(&[]).expect(20).says("unfinished-run");
    for object in bar["items"].as_array().expect("a list") {
        let (kind, name) =
            (object["kind"].as_str().expect("a text"), object["metadata"]["name"].as_str().expect("a text"));
        bed.kubectl(&["delete", kind, name]);
    }
    assert!(!last_look(is_barred, |is_barred| !is_barred), "the way back stays barred");
    scene.run(&["resume", "shop"]).expect(40);
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    scene.assert_tidy();
}

/// A change of a Deployment that makes it one of hubble 1.0.0, also where it is one already.
const BACK: &str =
    r#"--patch={"metadata":{"annotations":{"changed":"yes"},"labels":{"app.kubernetes.io/version":"1.0.0"}}}"#;

/// A policy by which no Deployment of a namespace may become one of hubble 1.0.0.
fn bar(namespace: &str) -> Value {
    let name = format!("bar-{namespace}");
    let api_version = "admissionregistration.k8s.io/v1";
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
                "operations": ["UPDATE"], "resources": ["deployments"]}]},
            "validations": [{"expression": "object.metadata.labels['app.kubernetes.io/version'] != '1.0.0'",
                "message": "deployments are barred"}]}},
        {"apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}},
    ]})
}
