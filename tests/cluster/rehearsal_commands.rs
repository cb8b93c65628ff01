//! Any command is rehearsed: what was foretold is compared with what the command then really does, on the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rehearsal::write_script;
use crate::support::bed::random_word;
use crate::support::program::chart;
use crate::support::{Bed, Contents, Helm, Running, Scene};

/// How long controllers may take until what was deleted is gone.
const PATIENCE: Duration = Duration::from_mins(2);

/// What controllers make in a namespace by themselves, beside what [`Contents`] leaves out.
fn is_of_controllers(name: &str) -> bool {
    name == "ConfigMap kube-root-ca.crt"
        || name == "ServiceAccount default"
        // Claims of StatefulSets carry an ordinal.
        || name.starts_with("PersistentVolumeClaim ") && name.ends_with("-0")
        || name.starts_with("CSIStorageCapacity ")
}

/// Returns what was foretold, by `Kind name`, of one namespace.
fn foretold(rehearsed: &Value, namespace: &str) -> BTreeMap<String, String> {
    let objects = rehearsed["objects"].as_array().expect("a list");
    let of_namespace = objects.iter().filter(|object| object["object"]["namespace"] == namespace);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entry = |object: &Value| {
        let name = format!("{} {}", text(&object["object"]["kind"]), text(&object["object"]["name"]));
        (name, text(&object["operation"]))
    };
    of_namespace.map(entry).filter(|(name, _)| !is_of_controllers(name)).collect()
}

/// Returns what really came, by `Kind name`: `create`, `delete` or `change`.
fn came(before: &Contents, after: &Contents) -> BTreeMap<String, String> {
    let lines = before.differences(after, &[]);
    let entry = |line: &String| {
        let (what, rest) = line.split_once(": ").expect("a difference");
        let name = rest.lines().next().expect("a name").to_owned();
        let operation = match what {
            "new" => "create",
            "gone" => "delete",
            _ => "change",
        };
        (name, operation.to_owned())
    };
    lines.iter().map(entry).filter(|(name, _)| !is_of_controllers(name)).collect()
}

/// Rehearses a command in plain `csghub`, looks that nothing has changed, runs it, and compares. Returns the rehearsal.
#[track_caller]
fn compare(scene: &Scene<'_>, namespace: &str, program: &Path, arguments: &[String]) -> Value {
    let told = program.file_name().expect("a name").to_string_lossy().into_owned();
    let told = format!("Helm {}: {told} {}", scene.helm.version, arguments.join(" "));
    let before = scene.state_of_all();
    let contents = Contents::of_namespace(scene.bed, namespace);
    let mut words: Vec<String> = ["rehearse", "-o", "json", "--"].map(str::to_owned).to_vec();
    words.push(program.display().to_string());
    words.extend(arguments.iter().cloned());
    let ran = scene.run(&words);
    before.assert_unchanged(scene);
    let rehearsed = ran.json();
    let real = Running::start(scene.in_environment(program.to_owned(), arguments)).end();
    assert_eq!(rehearsed["end"]["exit_code"], real.code, "{told}: {}\n{}", ran.all(), real.all());
    let mut expected = foretold(&rehearsed, namespace);
    expected.retain(|_, operation| operation != "unchanged" && operation != "pass");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = came(&contents, &Contents::of_namespace(scene.bed, namespace));
        let is_as_foretold = |(name, operation): (&String, &String)| match operation.as_str() {
            // What is made anew may look as it did.
            "replace" => found.get(name).is_none_or(|found| found == "change"),
            operation => found.get(name).is_some_and(|found| found == operation),
        };
        if expected.iter().all(is_as_foretold) && found.keys().all(|name| expected.contains_key(name)) {
            break;
        }
        // What is deleted may take its time to go.
        if Instant::now() > deadline {
            assert_eq!(expected, found, "{told}\n{}", ran.all());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for object in rehearsed["objects"].as_array().expect("a list") {
        let (named, operation) = (&object["object"], object["operation"].as_str().expect("a text"));
        if named["namespace"].is_null() {
            let kind = named["kind"].as_str().expect("a kind");
            let is_there = scene.bed.get("default", kind, named["name"].as_str().expect("a name")).is_some();
            assert_eq!(is_there, !matches!(operation, "delete" | "pass"), "{told}: {object}");
        }
    }
    rehearsed
}

fn helm(scene: &Scene<'_>, namespace: &str, words: &[&str]) -> Value {
    let arguments = words.iter().copied().chain(["-n", namespace]).map(str::to_owned);
    compare(scene, namespace, &scene.helm.binary, &arguments.collect::<Vec<_>>())
}

fn operations(rehearsed: &Value) -> BTreeSet<&str> {
    let objects = rehearsed["objects"].as_array().expect("a list");
    objects.iter().map(|object| object["operation"].as_str().expect("a text")).collect()
}

fn classes(rehearsed: &Value) -> BTreeSet<&str> {
    let findings = rehearsed["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["class"].as_str().expect("a text")).collect()
}

#[test]
fn a_rollback_and_an_uninstall_do_what_was_foretold() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "foretold", version);
        let namespace = scene.namespace.name.as_str();
        scene.install("hubble-1.0.0", &["--set", "hazards.removedObject.enabled=true"]);
        let two = chart("hubble-2.0.0");
        let values = "hazards.harmlessHook.enabled=true,hazards.moreObjects=2";
        let upgraded = helm(&scene, namespace, &["upgrade", "shop", &two, "--skip-crds", "--set", values]);
        for operation in ["create", "change", "delete", "pass"] {
            assert!(operations(&upgraded).contains(operation), "{operation}: {upgraded}");
        }
        let back = helm(&scene, namespace, &["rollback", "shop", "1"]);
        for operation in ["create", "change", "delete"] {
            assert!(operations(&back).contains(operation), "{operation}: {back}");
        }
        assert_eq!(classes(&back), BTreeSet::new(), "{back}");
        let kept = helm(&scene, namespace, &["uninstall", "shop", "--keep-history"]);
        assert_eq!(operations(&kept), BTreeSet::from(["delete"]), "{kept}");
        assert!(!foretold(&kept, namespace).contains_key("Secret shop-postgresql"), "it is to be kept: {kept}");
        assert_eq!(classes(&kept), BTreeSet::from(["data-loss"]), "its objects are its own: {kept}");
        let purged = helm(&scene, namespace, &["uninstall", "shop"]);
        assert!(operations(&purged).is_empty(), "{purged}");
        assert_eq!(scene.history(), Vec::new());
    }
}

#[test]
fn a_new_release_in_a_new_namespace_does_what_was_foretold() {
    let Some(bed) = Bed::open() else { return };
    for (number, version) in Helm::all().into_iter().enumerate() {
        let scene = Scene::with_helm(&bed, "fresh", version);
        let one = chart("hubble-1.0.0");
        for words in [
            vec!["install", "fresh", &one, "--skip-crds", "--create-namespace"],
            vec!["upgrade", "--install", "fresh", &one, "--skip-crds", "--create-namespace"],
            // The namespace is there.
            vec!["upgrade", "--install", "again", &one, "--skip-crds", "--create-namespace"],
        ] {
            let is_new = !words.contains(&"again");
            let namespace =
                if is_new { format!("fresh-{number}-{}", random_word()) } else { scene.namespace.name.clone() };
            let rehearsed = helm(&scene, &namespace, &words);
            let made = rehearsed["objects"].as_array().expect("a list");
            // Helm 4 applies one that is there too, and puts a label on it.
            let is_new_namespace =
                |object: &&Value| object["object"]["kind"] == "Namespace" && object["operation"] == "create";
            assert_eq!(made.iter().filter(is_new_namespace).count(), usize::from(is_new), "{rehearsed}");
            assert!(made.len() > 20, "{rehearsed}");
            if is_new {
                bed.kubectl(&["delete", "namespace", &namespace, "--wait=false"]);
            }
        }
        // Without the flag the namespace is not made.
        let missing = format!("missing-{}", random_word());
        let program = scene.helm.binary.display().to_string();
        let words = ["rehearse", "-o", "json", "--", &program, "install", "fresh", &one, "--skip-crds", "-n", &missing];
        let rehearsed = scene.run(&words).expect(20).json();
        assert_eq!(classes(&rehearsed), BTreeSet::from(["missing-namespace"]), "{rehearsed}");
        assert!(bed.get("default", "namespace", &missing).is_none());
        let real = scene.helm.run(&bed.kubeconfig, &words[5..]);
        assert!(real.stderr.contains("not found"), "{}", real.stderr);
    }
}

/// Writes a chart with a definition in `crds/` and an object of it.
fn chart_with_definition(folder: &Path, group: &str, size: &Value) -> PathBuf {
    let chart = folder.join(format!("things-{}", random_word()));
    for part in ["crds", "templates"] {
        fs::create_dir_all(chart.join(part)).expect("a folder");
    }
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"],
        "properties": {"size": {"type": "integer", "maximum": 10}}}}});
    let version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    let names = json!({"kind": "Thing", "plural": "things", "singular": "thing"});
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}});
    let thing = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": "thing"},
        "spec": {"size": size}});
    let write = |path: &str, content: &Value| fs::write(chart.join(path), content.to_string()).expect("written");
    write("Chart.yaml", &json!({"apiVersion": "v2", "name": "things", "version": "1.0.0"}));
    write("crds/things.yaml", &definition);
    write("templates/thing.yaml", &thing);
    chart
}

#[test]
fn an_object_of_a_definition_that_comes_with_it_is_checked_by_its_schema() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "things", version);
        let namespace = scene.namespace.name.as_str();
        for (size, fits) in [(json!(11), false), (json!(3), true)] {
            let group = format!("g{}.hubble.example", random_word());
            let folder = chart_with_definition(scene.folder(), &group, &size).display().to_string();
            let words = ["rehearse", "-o", "json", "--"].map(str::to_owned).to_vec();
            let helm = scene.helm.binary.display().to_string();
            let command = [helm.as_str(), "install", "things", folder.as_str(), "-n", namespace].map(str::to_owned);
            let words: Vec<String> = words.into_iter().chain(command.clone()).collect();
            let before = scene.state_of_all();
            let ran = scene.run(&words).expect(if fits { 0 } else { 20 });
            before.assert_unchanged(&scene);
            assert!(bed.get("default", "crd", &format!("things.{group}")).is_none(), "it is only rehearsed");
            let rehearsed = ran.json();
            let kinds: Vec<&str> = rehearsed["objects"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|of| of["object"]["kind"].as_str())
                .collect();
            assert_eq!(kinds, ["CustomResourceDefinition", "Thing"], "Helm {}: {rehearsed}", scene.helm.version);
            let classes: Vec<&str> = rehearsed["findings"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|of| of["class"].as_str())
                .collect();
            assert_eq!(classes, if fits { vec![] } else { vec!["validation"] }, "{rehearsed}");
            let real = Running::start(scene.in_environment(scene.helm.binary.clone(), &command[1..])).end();
            assert_eq!(real.code == 0, fits, "Helm {}: {}", scene.helm.version, real.all());
            assert_eq!(bed.get(namespace, &format!("things.{group}"), "thing").is_some(), fits);
            bed.kubectl(&["delete", "crd", &format!("things.{group}")]);
            scene.helm.run(&bed.kubeconfig, &["uninstall", "things", "-n", namespace]);
        }
    }
}

#[test]
fn a_script_does_what_was_foretold() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "script", &[]);
    let namespace = scene.namespace.name.as_str();
    let script = write_script(
        &scene,
        "script",
        &[
            "set -e",
            "kubectl apply -f objects.yaml",
            "kubectl delete cronjob --all",
            "kubectl label configmap new-of-script step=2",
            "kubectl patch deployment shop-web -p '{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"a\":\"b\"}}}}}'",
            "kubectl create secret generic gone-again && kubectl delete secret gone-again",
            "[[ $(kubectl get configmap new-of-script -o jsonpath='{.metadata.labels.step}') == 2 ]]",
            "kubectl rollout status deployment/shop-web --timeout=60s",
        ],
    );
    let rehearsed = compare(&scene, namespace, &script, &[]);
    let told = foretold(&rehearsed, namespace);
    for (name, operation) in [
        ("ConfigMap new-of-script", "create"),
        ("Service of-script", "create"),
        ("ConfigMap shop-web", "change"),
        ("Deployment shop-web", "change"),
        ("Secret gone-again", "pass"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(operation), "{name}: {told:?}");
    }
    assert!(told.values().any(|operation| operation == "delete"), "{told:?}");
    assert_eq!(rehearsed["end"]["exit_code"], 0);
}

#[test]
fn a_script_that_fails_blocks_with_its_own_code() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "fails");
    let script = write_script(&scene, "fails", &["kubectl create configmap a", "exit 7"]);
    let ran = scene.run(&["rehearse", "-o", "json", "--", &script.display().to_string()]).expect(20);
    assert_eq!(ran.json()["end"]["exit_code"], 7, "{}", ran.all());
    assert!(bed.get(&scene.namespace.name, "configmap", "a").is_none());
}

#[test]
fn what_the_proxy_denies_is_told_to_the_command_and_to_the_user() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "denied", &[]);
    let lines = [
        "kubectl exec deployment/shop-server -- true",
        "kubectl scale deployment/shop-server --replicas=5",
        "kubectl create token default",
    ];
    let script = write_script(&scene, "denied", &lines);
    let before = scene.state_of_all();
    let ran = scene.run(&["rehearse", "-o", "json", "--", &script.display().to_string()]).expect(20);
    before.assert_unchanged(&scene);
    let denied = ran.json()["denied"].to_string();
    for what in ["/exec (", "deployments/scale", "serviceaccounts/token"] {
        assert!(denied.contains(what), "{what}: {denied}");
    }
}

#[test]
fn helmfile_sync_is_rehearsed_with_every_helm() {
    let Some(bed) = Bed::open() else { return };
    let Some(helmfile) = crate::rehearsal::helmfile() else {
        return crate::support::skip("CSGHUB_HELMFILE names none");
    };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "helmfile", version);
        scene.install("hubble-1.0.0", &[]);
        let namespace = scene.namespace.name.as_str();
        let release = |name: &str| json!({"name": name, "namespace": namespace, "chart": chart("hubble-2.0.0")});
        let file = scene.folder().join("helmfile.yaml");
        // helmfile looks for top-level keys line by line.
        let releases = json!([release("shop"), release("second")]);
        fs::write(&file, format!("releases: {releases}\n")).expect("written");
        let file = file.display().to_string();
        let helm = scene.helm.binary.display().to_string();
        let words = ["--helm-binary", &helm, "-f", &file, "sync", "--skip-crds"].map(str::to_owned);
        let rehearsed = compare(&scene, namespace, &helmfile, &words);
        assert_eq!(rehearsed["end"]["exit_code"], 0, "{rehearsed}");
        let told = foretold(&rehearsed, namespace);
        assert_eq!(told.get("Deployment shop-web").map(String::as_str), Some("change"), "{told:?}");
        assert_eq!(told.get("Deployment second-web").map(String::as_str), Some("create"), "{told:?}");
    }
}
