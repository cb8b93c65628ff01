//! `plan`, `preflight`, `verify` and `status` change nothing: by the state of the cluster and by what the server was asked.

use std::fs;
use std::path::Path;

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

fn assert_no_writes(user: &BedUser<'_>) {
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

#[test]
fn a_user_who_may_only_read_can_plan_verify_and_look() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "reader", &[]);
    let user = bed.user(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rbac-plan.yaml");
    let Ok(text) = fs::read_to_string(&manifest) else {
        panic!("examples/rbac-plan.yaml is what README promises");
    };
    grant_as_the_example_does(&bed, &scene, &user, &text);
    scene.run(&["verify", "shop"]).expect(0);
    scene.run(&["status", "shop"]).expect(0);
    let plan = scene.run(&["plan", "shop", &chart("hubble-2.0.0"), "--skip-crds"]).expect(0);
    plan.says("would be blocked").says("not rehearsed");
    // A dry run that the server refuses is one, too.
    scene.run(&["rehearse", "shop", &chart("hubble-2.0.0"), "--skip-crds"]).expect(20).says("rights");
    assert_no_writes(&user);
}

/// Applies the example's Role to the scene's namespace, and binds it to the user.
fn grant_as_the_example_does(bed: &Bed, scene: &Scene<'_>, user: &BedUser<'_>, text: &str) {
    let namespace = scene.namespace.name.as_str();
    let path = scene.folder().join("rbac.yaml");
    fs::write(&path, text).expect("written");
    let rendered = bed.kubectl(&["create", "--dry-run=client", "-o", "json", "-f", path.to_str().expect("text")]);
    let objects = serde_json::Deserializer::from_str(&rendered).into_iter::<serde_json::Value>();
    for object in objects.map(|object| object.expect("kubectl prints JSON")) {
        let items = object["items"].as_array().cloned().unwrap_or_else(|| vec![object.clone()]);
        for mut role in items.into_iter().filter(|item| item["kind"] == "Role") {
            role["metadata"]["namespace"] = namespace.into();
            bed.apply(&role);
            let name = role["metadata"]["name"].as_str().expect("a name").to_owned();
            let bound = ["create", "rolebinding", &name, "--role", &name, "--user", &user.name, "-n", namespace];
            bed.kubectl(&bound);
            user.wait_for_rule(Some(namespace), &role["rules"][0]);
        }
    }
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
