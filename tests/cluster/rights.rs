//! The rights in `examples/`: enough for what README promises of them.

use std::path::Path;

use crate::read_only::assert_no_writes;
use crate::support::program::chart;
use crate::support::{Bed, BedUser, Scene};

#[test]
fn a_user_who_may_only_read_can_plan_verify_and_look() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "reader", &[]);
    let user = bed.user(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    grant_as_the_example_does(&bed, &scene, &user, "rbac-plan.yaml");
    scene.run(&["verify", "shop"]).expect(0);
    scene.run(&["status", "shop"]).expect(0);
    let plan = scene.run(&["plan", "shop", &chart("hubble-2.0.0"), "--skip-crds"]).expect(0);
    plan.says("would be blocked").says("not rehearsed");
    // A dry run that the server refuses is one, too.
    scene.run(&["rehearse", "shop", &chart("hubble-2.0.0"), "--skip-crds"]).expect(20).says("rights");
    assert_no_writes(&user);
}

#[test]
fn the_rights_of_the_example_are_enough_to_upgrade_and_to_go_back() {
    let Some(bed) = Bed::open() else { return };
    let mut scene = Scene::hubble(&bed, "upgrader", &[]);
    let user = bed.user(&scene.namespace.name);
    scene.kubeconfig.clone_from(&user.kubeconfig);
    grant_as_the_example_does(&bed, &scene, &user, "rbac-upgrade.yaml");
    let two = chart("hubble-2.0.0");
    scene.run(&["rehearse", "shop", &two, "--skip-crds"]).expect(0);
    scene.run(&["upgrade", "shop", &two, "--skip-crds", "--yes"]).expect(0);
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
    // A run that is undone: the way back needs rights of its own.
    let crash = ["upgrade", "shop", &two, "--skip-crds", "--yes", "--set", "hazards.behaviour=crash-loop"];
    scene.run(&crash).expect(40);
    scene.run(&["verify", "shop"]).expect(0);
}

/// Applies the example's Role to the scene's namespace, and binds it to the user.
fn grant_as_the_example_does(bed: &Bed, scene: &Scene<'_>, user: &BedUser<'_>, example: &str) {
    let namespace = scene.namespace.name.as_str();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
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
