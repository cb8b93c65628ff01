//! Waits are rehearsed without waiting for anything real: what Helm looks at is made up.

use std::time::Duration;

use serde_json::Value;

use crate::rehearsal::write_script;
use crate::support::program::chart;
use crate::support::{Bed, Helm, Ran, Running, Scene};

/// In the rehearsal nothing of this may be used up; on a busy machine Helm itself takes its seconds.
const TIMEOUT: &str = "10m";
const SECONDS: Duration = Duration::from_secs(200);

/// Pods that never get ready, a Job that fails, a hook whose pod fails.
const STUCK: [&str; 4] = [
    "hazards.behaviour=never-ready",
    "hazards.behaviour=crash-loop,hazards.behaviourOf=postgresql",
    "hazards.behaviour=job-fail,hazards.behaviourOf=reindex",
    "hazards.behaviour=unschedulable,hazards.behaviourOf=redis,hazards.harmlessHook.enabled=true",
];

fn rehearse(scene: &Scene<'_>, mode: &[&str], command: &[&str]) -> Ran {
    let helm = scene.helm.binary.display().to_string();
    let mut words = vec!["rehearse", "-o", "json"];
    words.extend(mode);
    words.extend(["--", &helm]);
    words.extend(command);
    words.extend(["-n", &scene.namespace.name]);
    scene.run(&words)
}

#[test]
fn what_never_gets_ready_is_rehearsed_in_seconds() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "waits", version);
        scene.install("hubble-1.0.0", &[]);
        let two = chart("hubble-2.0.0");
        let before = scene.state_of_all();
        let mut commands: Vec<Vec<&str>> = Vec::new();
        for stuck in STUCK {
            commands.push(vec!["upgrade", "shop", &two, "--skip-crds", "--set", stuck, "--wait", "--wait-for-jobs"]);
        }
        commands.push(vec!["upgrade", "shop", &two, "--skip-crds", "--set", STUCK[0], automatic(&scene)]);
        commands.push(vec!["install", "new", &two, "--skip-crds", "--set", STUCK[0], "--wait", "--wait-for-jobs"]);
        commands.push(vec!["uninstall", "shop", "--wait"]);
        if scene.helm.major() >= 4 {
            commands.push(vec!["upgrade", "shop", &two, "--skip-crds", "--set", STUCK[0], "--wait=legacy"]);
        }
        for mut command in commands {
            command.extend(["--timeout", TIMEOUT]);
            let loses_data = command.first() == Some(&"uninstall");
            let ran = rehearse(&scene, &[], &command).expect(if loses_data { 20 } else { 0 });
            let told = format!("Helm {}: {}", scene.helm.version, command.join(" "));
            assert!(ran.took < SECONDS, "{told}: {:?}", ran.took);
            let rehearsed = ran.json();
            assert_eq!(rehearsed["end"]["exit_code"], 0, "{told}");
            let findings = rehearsed["findings"].as_array().expect("a list");
            let is_of_data = |finding: &Value| finding["class"] == "data-loss";
            assert!(findings.iter().all(|finding| loses_data && is_of_data(finding)), "{told}: {findings:?}");
            assert!(rehearsed["objects"].as_array().expect("a list").len() > 15, "{told}: {rehearsed}");
        }
        before.assert_unchanged(&scene);
        // It is no wait that would have ended anyway.
        let real = ["upgrade", "shop", &two, "--skip-crds", "--set", STUCK[0], "--wait", "--timeout", "8s", "-n"];
        let real: Vec<&str> = real.into_iter().chain([scene.namespace.name.as_str()]).collect();
        let ran = scene.helm.run(&bed.kubeconfig, &real);
        assert_ne!(ran.code, 0, "Helm {}", scene.helm.version);
        // Back from where it failed, and with the real ReplicaSets of the stuck version beside.
        let ran = rehearse(&scene, &[], &["rollback", "shop", "1", "--wait", "--timeout", TIMEOUT]).expect(0);
        assert!(ran.took < SECONDS, "Helm {}: {:?}", scene.helm.version, ran.took);
    }
}

/// The flag by which this Helm goes back by itself; it implies `--wait`.
fn automatic(scene: &Scene<'_>) -> &'static str {
    if scene.helm.major() >= 4 { "--rollback-on-failure" } else { "--atomic" }
}

/// The last line of a Helm that failed, without what differs from run to run.
fn last_line(text: &str) -> String {
    let line = text.lines().rfind(|line| line.starts_with("Error: ")).unwrap_or_default();
    line.to_owned()
}

#[test]
fn an_automatic_rollback_is_rehearsed_as_helm_does_it() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "back", version);
        let hazard = "hazards.immutableService.enabled=true";
        scene.install("hubble-1.0.0", &["--set", hazard]);
        let two = chart("hubble-2.0.0");
        let command =
            ["upgrade", "shop", &two, "--skip-crds", "--set", hazard, automatic(&scene), "--timeout", TIMEOUT];
        let before = scene.state_of_all();
        let ran = rehearse(&scene, &["--as-helm"], &command).expect(20);
        before.assert_unchanged(&scene);
        assert!(ran.took < SECONDS, "Helm {}: {:?}", scene.helm.version, ran.took);
        let rehearsed = ran.json();
        assert_eq!(rehearsed["mode"], "as-helm");
        assert_eq!(rehearsed["findings"][0]["class"], "immutable-field", "{rehearsed}");
        let run = scene.last_run();
        let logs = std::fs::read_dir(run).expect("a run folder").flatten().map(|entry| entry.path());
        let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "err"));
        let rehearsed_error: String = logs.filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        let arguments: Vec<&str> = command.iter().copied().chain(["-n", &scene.namespace.name]).collect();
        let real = Running::start(scene.in_environment(scene.helm.binary.clone(), &arguments)).end();
        assert_eq!(rehearsed["end"]["exit_code"], real.code, "{}", real.all());
        assert!(rehearsed_error.contains("rolled back"), "Helm {}: {rehearsed_error}", scene.helm.version);
        assert_eq!(last_line(&rehearsed_error), last_line(&real.stderr), "Helm {}", scene.helm.version);
    }
}

#[test]
fn a_watch_sees_what_another_request_wrote_in_the_rehearsal() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::new(&bed, "watched");
    let script = write_script(
        &scene,
        "watched",
        &[
            "kubectl get configmaps -l watched=yes --watch --output-watch-events \
             -o jsonpath='{.type} {.object.metadata.name}{\"\\n\"}' >seen &",
            "watcher=$!",
            "until_seen() { for _ in {1..600}; do grep -q \"$1\" seen && return; sleep 0.1; done; echo \"$1 was not seen\" >&2; exit 9; }",
            // Until the watch is open.
            "sleep 2",
            "kubectl create configmap seen && kubectl label configmap seen watched=yes",
            "until_seen 'ADDED seen'",
            "kubectl annotate configmap seen a=b",
            "until_seen 'MODIFIED seen'",
            "kubectl label --overwrite configmap seen watched=no",
            "until_seen 'DELETED seen'",
            "kubectl delete configmap seen",
            "kubectl create configmap other",
            "kill $watcher",
            "! grep -q other seen",
        ],
    );
    let ran = scene.run(&["rehearse", "-o", "json", "--", &script.display().to_string()]).expect(0);
    assert_eq!(ran.json()["objects"].as_array().map(Vec::len), Some(2), "{}", ran.all());
    assert!(bed.get(&scene.namespace.name, "configmap", "other").is_none());
}
