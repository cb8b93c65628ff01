//! Rehearsals change nothing: any command, any flags, any chart, with every Helm. By the state of the whole cluster, and by the
//! audit log at level Request, where a deletion counts as a dry run only if its body says so.
//!
//! `CSGHUB_SOAK_REHEARSALS` sets how many (default 12), `CSGHUB_SOAK_SEED` the seed of the random choices, which is printed.
//! `CSGHUB_HELMFILE` names a helmfile; without one its turn goes to another command.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::support::program::chart;
use crate::support::{Bed, BedUser, Dice, Helm, OwnBed, Scene, Snapshot, executable};

/// After so many rehearsals the releases are made anew, in another shape.
const ROUND: usize = 36;

/// What Helm is told to wait at most. A rehearsal that takes nearly as long has waited for something real.
const TIMEOUT: &str = "10m";
const TOO_LONG: Duration = Duration::from_secs(200);

/// Hazards of hubble that may stand in the release that is there.
const STANDING: [&str; 10] = [
    "statefulsetBecomesDeployment",
    "immutableJob",
    "immutableService",
    "immutableSelector",
    "immutableClaimTemplate",
    "immutableConfigMap",
    "immutableRoleRef",
    "removedObject",
    "keptObject",
    "randomValue",
];

/// Values of the chart that is rehearsed.
const COMING: [&str; 29] = [
    "hazards.crdsFolder.enabled=true",
    "hazards.crdsFolder.needs=field",
    "hazards.crdTemplate.enabled=true",
    "hazards.missingKind.enabled=true",
    "hazards.statefulsetBecomesDeployment.enabled=true",
    "hazards.immutableJob.enabled=true",
    "hazards.immutableService.enabled=true",
    "hazards.immutableSelector.enabled=true",
    "hazards.immutableClaimTemplate.enabled=true",
    "hazards.immutableConfigMap.enabled=true",
    "hazards.immutableRoleRef.enabled=true",
    "hazards.dataHook.enabled=true",
    "hazards.harmlessHook.enabled=true",
    "hazards.failingHook.enabled=true",
    "hazards.postHook.enabled=true",
    "hazards.unownedObject.enabled=true",
    "hazards.unownedNamespace.enabled=true",
    "hazards.randomValue.enabled=true",
    "hazards.moreObjects=5",
    "hazards.badObject.enabled=true",
    "hazards.badObject.what=nodePort",
    "hazards.missingNamespace.enabled=true",
    "hazards.duplicateEnv.enabled=true",
    "hazards.duplicateObject.enabled=true",
    "hazards.bigRecord.kilobytes=1200",
    "hazards.behaviour=never-ready",
    "hazards.behaviour=crash-loop",
    "hazards.behaviourOf=web",
    "web.title=Another title",
];

/// What a script does by kubectl. Each line may fail.
const SCRIPT: [&str; 18] = [
    "kubectl apply -f objects.yaml",
    "kubectl apply --server-side --force-conflicts -f objects.yaml",
    "kubectl create -f objects.yaml",
    "kubectl replace -f objects.yaml",
    "kubectl replace --force --timeout=20s -f objects.yaml",
    "kubectl delete --timeout=20s -f objects.yaml",
    "kubectl delete --timeout=20s deployment,service --all",
    "kubectl delete --wait=false --grace-period=0 --force pods --all",
    "kubectl delete --timeout=20s --cascade=orphan statefulset --all",
    "kubectl label deployments --all rehearsed=yes",
    "kubectl annotate --overwrite configmaps --all rehearsed=yes",
    "kubectl patch deployment shop-server --type=json -p '[{\"op\":\"remove\",\"path\":\"/spec/replicas\"}]'",
    "kubectl patch deployment shop-web --type=merge -p '{\"spec\":{\"replicas\":7}}'",
    "kubectl set image deployment/shop-web web=registry.example/hubble/web:9",
    "kubectl rollout restart deployment/shop-server",
    "kubectl scale deployment/shop-server --replicas=5",
    "kubectl create namespace shop-rehearsed && kubectl create configmap there -n shop-rehearsed",
    "kubectl exec deployment/shop-server -- true",
];

/// The state of the cluster before, and what its user has asked since.
struct Watched<'a> {
    bed: &'a OwnBed,
    user: &'a BedUser<'a>,
    before: Snapshot,
}

impl Watched<'_> {
    /// Returns every change of the cluster, and every request that is no dry run in effect.
    fn violations(&self) -> Vec<String> {
        let mut found = self.before.changes_until(&Snapshot::of_cluster(self.bed));
        let audit = self.user.audit();
        found.extend(
            audit.writes().iter().map(|write| format!("write: {} {} -> {}", write.verb, write.uri, write.code)),
        );
        found
    }

    /// Returns how many requests were dry runs.
    fn dry_runs(&self) -> usize {
        let audit = self.user.audit();
        audit.requests.iter().filter(|request| request.uri.contains("dryRun=All") && !request.is_write()).count()
    }
}

/// Makes a release of two revisions, in one of its many shapes.
fn release<'a>(bed: &'a Bed, helm: Helm, dice: &mut Dice) -> Scene<'a> {
    let scene = Scene::with_helm(bed, "play", helm);
    let hazards = dice.some(&STANDING, 3);
    let values =
        hazards.iter().fold("web.title=One".to_owned(), |all, one| all + &format!(",hazards.{one}.enabled=true"));
    scene.install("hubble-1.0.0", &["--set", &values]);
    let namespace = scene.namespace.name.as_str();
    let one = chart("hubble-1.0.0");
    let second = ["upgrade", "shop", &one, "-n", namespace, "--reuse-values", "--set", "web.title=Two", "--skip-crds"];
    scene.helm.run(&bed.kubeconfig, &second).must();
    if dice.one_in(2) {
        bed.kubectl(&["create", "configmap", "shop-shared", "-n", namespace]);
    }
    if dice.one_in(3) {
        let quota = fs::read_to_string(chart("cluster-objects/quota.yaml")).expect("a file");
        let made = bed.try_kubectl(&["apply", "-n", namespace, "-f", "-"], Some(&quota));
        assert!(made.status.success(), "{made:?}");
    }
    dice.say(&format!("Helm {}: release with {hazards:?}", scene.helm.version));
    scene
}

fn helm_flags(dice: &mut Dice, major: u32, of_upgrade: bool) -> Vec<&'static str> {
    let waits: &[&[&str]] = &[&[], &["--wait"], &["--wait", "--wait-for-jobs"]];
    let of_three: &[&[&str]] = &[&[], &[], &["--force"]];
    let of_four: &[&[&str]] = &[
        &[],
        &[],
        &["--server-side=false"],
        &["--force-conflicts"],
        &["--force-replace", "--server-side=false"],
        &["--wait=legacy"],
    ];
    let mut flags = dice.pick(waits).to_vec();
    if of_upgrade {
        flags.extend(dice.pick(if major >= 4 { of_four } else { of_three }));
        flags.extend(dice.some(&["--cleanup-on-fail", "--skip-crds"], 4));
        let values: &[&[&str]] = &[&[], &["--reuse-values"], &["--reset-then-reuse-values"]];
        flags.extend(dice.pick(values));
        if dice.one_in(3) {
            flags.extend(["--history-max", "1"]);
        }
    }
    flags.extend(dice.some(&["--no-hooks"], 4));
    flags.extend(["--timeout", TIMEOUT]);
    flags
}

/// Returns `--set` and its values, now and then none.
fn values(dice: &mut Dice) -> Vec<String> {
    let chosen = dice.some(&COMING, 6);
    if chosen.is_empty() { Vec::new() } else { vec!["--set".to_owned(), chosen.join(",")] }
}

/// Chooses a command to rehearse: the words of `csghub`.
fn choose(dice: &mut Dice, scene: &Scene<'_>, number: usize) -> Vec<String> {
    let major = scene.helm.major();
    let helm = scene.helm.binary.display().to_string();
    let (two, namespace) = (chart("hubble-2.0.0"), scene.namespace.name.clone());
    let mut words = vec!["rehearse"];
    if dice.one_in(3) {
        words.push("--as-helm");
    }
    let new = format!("new{number}");
    let elsewhere = format!("{namespace}-{number}");
    let verb = dice.below(9);
    let rollback = if major >= 4 { "--rollback-on-failure" } else { "--atomic" };
    let mut own: Vec<String> = Vec::new();
    match verb {
        0 | 1 => {
            words.extend(["shop", &two]);
            words.extend(helm_flags(dice, major, true));
            own = values(dice);
        }
        2 => {
            words.extend(["--", &helm, "upgrade", "shop", &two, "-n", &namespace]);
            words.extend(helm_flags(dice, major, true));
            words.extend(dice.some(&[rollback, "--take-ownership"], 2));
            own = values(dice);
        }
        3 => {
            words.extend(["--", &helm, "install", &new, &two]);
            words.extend(helm_flags(dice, major, false));
            let place: &[&[&str]] =
                &[&["-n", &namespace], &["-n", &elsewhere, "--create-namespace"], &["-n", &elsewhere]];
            words.extend(dice.pick(place));
            own = values(dice);
        }
        4 => {
            words.extend(["--", &helm, "upgrade", "--install", &new, &two]);
            words.extend(helm_flags(dice, major, true));
            let place: &[&[&str]] = &[&["-n", &namespace], &["-n", &elsewhere, "--create-namespace"]];
            words.extend(dice.pick(place));
            own = values(dice);
        }
        5 => {
            words.extend(["--", &helm, "rollback", "shop", "1", "-n", &namespace]);
            words.extend(helm_flags(dice, major, false));
            words.extend(dice.some(&["--cleanup-on-fail"], 2));
        }
        6 => {
            words.extend(["--", &helm, "uninstall", "shop", "-n", &namespace, "--timeout", TIMEOUT]);
            words.extend(dice.some(&["--wait", "--keep-history", "--no-hooks", "--cascade=foreground"], 3));
        }
        7 if helmfile().is_some() => {
            own = helmfile_words(dice, scene, number);
            words.push("--");
        }
        _ => {
            own = vec![script(dice, scene, number).display().to_string()];
            words.push("--");
        }
    }
    words.into_iter().map(str::to_owned).chain(own).collect()
}

/// Returns the helmfile that the environment names.
pub(crate) fn helmfile() -> Option<PathBuf> {
    env::var_os("CSGHUB_HELMFILE").map(PathBuf::from).filter(|program| program.is_file())
}

fn helmfile_words(dice: &mut Dice, scene: &Scene<'_>, number: usize) -> Vec<String> {
    let program = helmfile().expect("it was looked for");
    let file = scene.folder().join(format!("helmfile-{number}.yaml"));
    let release = |name: &str, values: &[String]| {
        let set: Vec<_> = values
            .last()
            .into_iter()
            .flat_map(|values| values.split(','))
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        json!({"name": name, "namespace": scene.namespace.name, "chart": chart("hubble-2.0.0"), "set": set})
    };
    let releases = [release("shop", &values(dice)), release("second", &[])];
    let defaults = json!({"timeout": 600, "wait": dice.one_in(2)});
    // helmfile looks for top-level keys line by line.
    fs::write(&file, format!("helmDefaults: {defaults}\nreleases: {}\n", json!(releases))).expect("written");
    let verb = dice.pick(&["sync", "sync", "destroy"]);
    let helm = scene.helm.binary.display().to_string();
    let words = [program.display().to_string(), "--helm-binary".into(), helm, "-f".into(), file.display().to_string()];
    words.into_iter().chain([verb.to_owned()]).collect()
}

/// Writes a script of some lines.
fn script(dice: &mut Dice, scene: &Scene<'_>, number: usize) -> PathBuf {
    let lines = dice.some(&SCRIPT, 4);
    write_script(scene, &format!("script-{number}"), &lines)
}

/// Writes a script of these lines, in which `kubectl` is the bed's and `objects.yaml` has three objects.
pub(crate) fn write_script(scene: &Scene<'_>, name: &str, lines: &[&str]) -> PathBuf {
    let folder = scene.folder().join(name);
    fs::create_dir(&folder).expect("a folder");
    let map =
        |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [map("new-of-script"), map("shop-web"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "of-script"},
            "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}]});
    fs::write(folder.join("objects.yaml"), objects.to_string()).expect("written");
    let kubectl = scene.bed.kubectl.display();
    let text = format!(
        "#!/usr/bin/env bash\ncd {}\nkubectl() {{ {kubectl} -n {} \"$@\"; }}\n{}\n",
        folder.display(),
        scene.namespace.name,
        lines.join("\n")
    );
    let path = folder.join("script.sh");
    executable(&path, &text);
    path
}

/// Sends what a proxy would send that puts the dry run into the query alone (T1).
fn naive_deletion(bed: &Bed, kubeconfig: &Path, folder: &Path, namespace: &str, name: &str) {
    let options = folder.join("options.json");
    let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
    fs::write(&options, body.to_string()).expect("written");
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}?dryRun=All");
    let sent = bed.try_kubectl_as(
        kubeconfig,
        &["delete".as_ref(), "--raw".as_ref(), path.as_ref(), "-f".as_ref(), options.as_os_str()],
        None,
    );
    assert!(sent.status.success(), "{sent:?}");
}

/// Waits until the namespaces of the releases are gone: what still goes would look like a change.
fn clear(bed: &Bed, scenes: Vec<Scene<'_>>) {
    let names: Vec<String> = scenes.iter().map(|scene| scene.namespace.name.clone()).collect();
    drop(scenes);
    for name in names {
        bed.kubectl(&["wait", "--for=delete", &format!("namespace/{name}"), "--timeout=120s"]);
    }
}

#[test]
fn random_rehearsals_change_nothing_and_send_no_write() {
    let Some(shared) = Bed::open() else { return };
    let asked: usize = env::var("CSGHUB_SOAK_REHEARSALS").ok().map_or(12, |count| count.parse().expect("a number"));
    // The dice fall as they did before it: one that went wrong is tried again by its number.
    let from: usize = env::var("CSGHUB_SOAK_FROM").ok().map_or(0, |from| from.parse().expect("a number"));
    let mut dice = Dice::new("rehearsal");
    let bed = OwnBed::up(&shared);
    if helmfile().is_none() {
        dice.say("helmfile: skipped: CSGHUB_HELMFILE names none");
    }
    let (mut number, mut count, mut dry_runs, mut clean) = (0, asked, 0, 0);
    while number < count {
        let mut scenes: Vec<Scene<'_>> = Helm::all().into_iter().map(|helm| release(&bed, helm, &mut dice)).collect();
        let user = bed.user("default");
        user.grant_cluster_role("cluster-admin");
        for scene in &mut scenes {
            scene.kubeconfig.clone_from(&user.kubeconfig);
        }
        let watched = Watched { bed: &bed, user: &user, before: Snapshot::of_cluster(&bed) };
        for _ in 0..ROUND.min(count - number) {
            let scene = &scenes[number % scenes.len()];
            let words = choose(&mut dice, scene, number);
            number += 1;
            if number <= from {
                continue;
            }
            dice.say(&format!("{}: Helm {}: {}", number - 1, scene.helm.version, words.join(" ")));
            let ran = scene.run(&words);
            dice.say(&format!("    {} after {:.1} s", ran.code, ran.took.as_secs_f64()));
            assert!([0, 20].contains(&ran.code), "{}", ran.all());
            assert!(ran.took < TOO_LONG, "it waited for something real: {}", ran.all());
            let logs = rehearsed_errors(scene);
            assert!(!logs.contains("unknown flag"), "{logs}");
            clean += usize::from(ran.code == 0);
        }
        assert_eq!(watched.violations(), Vec::<String>::new());
        dry_runs += watched.dry_runs();
        if number >= count && dry_runs <= 10 * asked && count < 3 * asked {
            // The dice chose many that are refused before Helm runs: they fall again.
            count += asked;
        }
        if number >= count {
            plant(&watched, scenes.first().expect("a scene"));
        }
        drop(watched);
        drop(user);
        clear(&bed, scenes);
    }
    dice.say(&format!("{number} rehearsals, {clean} without a finding, {dry_runs} dry runs, no write and no change"));
    assert!(dry_runs > 10 * asked, "there was something to see: {dry_runs}");
}

/// The same check, with a mistake to find.
fn plant(watched: &Watched<'_>, scene: &Scene<'_>) {
    let namespace = scene.namespace.name.as_str();
    let naive = |kubeconfig: &Path| naive_deletion(watched.bed, kubeconfig, scene.folder(), namespace, "shop-web");
    naive(&scene.kubeconfig);
    let found = watched.violations();
    let gone = format!("gone: ConfigMap {namespace} shop-web");
    let write = format!("write: delete /api/v1/namespaces/{namespace}/configmaps/shop-web?dryRun=All -> 200");
    assert!(found.contains(&gone), "the state is not looked at: {found:?}");
    assert!(found.contains(&write), "the body is not looked at: {found:?}");
}

/// Returns what the newest rehearsed command complained of.
fn rehearsed_errors(scene: &Scene<'_>) -> String {
    let run = scene.last_run();
    let logs = fs::read_dir(run).expect("a run folder").flatten().map(|entry| entry.path());
    let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "err"));
    logs.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

#[test]
fn a_deletion_whose_body_hides_the_dry_run_is_one_all_the_same() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::new(&bed, "trap");
    let user = bed.user(&scene.namespace.name);
    user.grant_namespace(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let namespace = scene.namespace.name.as_str();
    bed.kubectl(&["create", "configmap", "victim", "-n", namespace]);
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
    let line = format!(
        "echo '{options}' | kubectl delete --raw '/api/v1/namespaces/{namespace}/configmaps/victim?dryRun=All' -f -"
    );
    let script = write_script(&scene, "trap", &[&line]);
    let before = scene.state_of_all();
    let ran = scene.run(&["rehearse", "-o", "json", "--", &script.display().to_string()]).expect(0);
    assert_eq!(ran.json()["objects"][0]["operation"], "delete", "{}", ran.all());
    before.assert_unchanged(&scene);
    assert_eq!(user.audit().writes().len(), 0);
    // Without the proxy the very same request deletes.
    naive_deletion(&bed, &user.kubeconfig, scene.folder(), namespace, "victim");
    assert!(bed.get(namespace, "configmap", "victim").is_none());
    assert_eq!(user.audit().writes().len(), 1);
}
