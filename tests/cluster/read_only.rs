//! `plan`, `preflight`, `verify` and `status` change nothing: by the state of the cluster and by what the server was asked.

use crate::support::program::chart;
use crate::support::{Bed, BedUser, OwnBed, Scene, Snapshot};

/// Returns the lines of every read-only command, those that work and those that end badly.
fn commands() -> Vec<(Vec<String>, i32)> {
    let (two, other, future) = (chart("hubble-2.0.0"), chart("other"), chart("future"));
    let crash = "hazards.behaviour=crash-loop,hazards.dataHook.enabled=true";
    let lines: [(&[&str], i32); 13] = [
        (&["plan", "shop", &two, "--skip-crds"], 0),
        (&["plan", "shop", &two, "--skip-crds", "--detailed-exitcode", "-o", "json"], 10),
        (&["plan", "shop", &two, "--skip-crds", "--set", crash, "-v"], 0),
        (&["plan", "shop", &two, "--skip-crds", "--install", "--wait", "--history-max", "1"], 0),
        (&["upgrade", "shop", &two, "--skip-crds", "--dry-run", "--yes"], 0),
        (&["preflight", "shop", &two, "--skip-crds"], 0),
        (&["preflight", "shop", &other], 20),
        (&["preflight", "shop", &future], 20),
        (&["plan", "missing", &two], 20),
        (&["plan", "missing", &two, "--skip-crds", "--install"], 0),
        (&["verify", "shop", "--timeout-secs", "20"], 0),
        (&["status", "shop"], 0),
        (&["status", "missing"], 20),
    ];
    lines.iter().map(|(words, code)| (words.iter().map(|word| (*word).to_owned()).collect(), *code)).collect()
}

/// Checks that nothing was sent that writes, or would if it were allowed.
pub(crate) fn assert_no_writes(user: &BedUser<'_>) {
    let audit = user.audit();
    assert!(audit.requests.len() > 20, "the audit log has what was asked");
    let told: Vec<String> =
        audit.writes().iter().map(|write| format!("{} {} -> {}", write.verb, write.uri, write.code)).collect();
    // Nothing is sent that would write if the user were allowed to, Helm's own dry runs included.
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn read_only_commands_change_nothing_and_send_no_write() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "readonly", &[]);
    let user = bed.user(&scene.namespace.name);
    // All rights: what is not written is not for want of a right.
    user.grant_namespace(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let before = scene.state_of_all();
    for (words, code) in commands() {
        scene.run(&words).expect(code);
    }
    before.assert_unchanged(&scene);
    assert_no_writes(&user);
}

#[test]
fn read_only_commands_on_a_release_in_trouble_change_nothing() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::new(&bed, "trouble");
    scene.helm.run(&bed.kubeconfig, &["install", "shop", &chart("small"), "-n", &scene.namespace.name]).must();
    let broken = ["upgrade", "shop", &chart("small"), "-n", &scene.namespace.name, "--set", "behaviour=never-ready"];
    scene.helm.run(&bed.kubeconfig, &broken).must();
    let user = bed.user(&scene.namespace.name);
    user.grant_namespace(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let rolled_out = scene.run(&["verify", "shop", "--timeout-secs", "3"]).expect(50);
    rolled_out.says("Deployment").says("shop-small");
    let before = scene.state_of_all();
    scene.run(&["verify", "shop", "--timeout-secs", "3", "-o", "json"]).expect(50);
    scene.run(&["status", "shop"]).expect(0);
    scene.run(&["plan", "shop", &chart("small"), "--set", "version=2.0.0,behaviour="]).expect(0);
    before.assert_unchanged(&scene);
    assert_no_writes(&user);
}

/// The whole cluster can only be compared where nobody else works: on a bed of this test's own.
#[test]
fn read_only_commands_change_nothing_anywhere_in_the_cluster() {
    let Some(shared) = Bed::open() else { return };
    let bed = OwnBed::up(&shared);
    let mut scene = Scene::hubble(&bed, "cluster", &[]);
    let user = bed.user(&scene.namespace.name);
    user.grant_cluster_role("cluster-admin");
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let before = Snapshot::of_cluster(&bed);
    for (words, code) in commands() {
        scene.run(&words).expect(code);
    }
    assert_eq!(before.changes_until(&Snapshot::of_cluster(&bed)), Vec::<String>::new());
    assert_no_writes(&user);
}
