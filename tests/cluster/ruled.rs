//! Rules of a profile in a run of ours: the plan says what they change, Helm applies it, and what fails changes nothing.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::post_render::PROFILE;
use crate::saved_plans::{own_renderer, with_plugins};
use crate::support::program::{chart, files};
use crate::support::{Bed, Helm, Running, Scene, script};

/// Writes a profile, and returns the flag that names it.
fn flag(scene: &Scene<'_>, text: &str) -> String {
    let path: PathBuf = scene.folder().join("profile.yaml");
    fs::write(&path, text).expect("written");
    format!("--profile-file={}", path.display())
}

#[test]
fn an_upgrade_follows_rules_and_its_plan_says_what_they_change() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "ruled", version);
        scene.install("hubble-1.0.0", &[]);
        let flag = flag(&scene, PROFILE);
        let ran = scene.upgrade(&[&flag, "--set", "hazards.harmlessHook.enabled=true"]).expect(0);
        let ran = ran.says("changes (every object has an owner), such as").says("budget: 1 change (not here): PodDisr");
        let hooks = "2 rules (`team` is the first) are not applied to hooks, which Helm 3 gives to no post-renderer:";
        if scene.helm.major() < 4 {
            ran.says(hooks)
        } else {
            ran.says_not("is not applied to hooks")
        };
        let namespace = &scene.namespace.name;
        let server = bed.get(namespace, "deployment", "shop-server").expect("it is there");
        let version = &scene.helm.version;
        assert_eq!(server["metadata"]["labels"]["team"], "ml", "Helm {version}");
        assert_eq!(server["metadata"]["annotations"]["example.com/mode"], "0644", "Helm {version}");
        assert!(server.to_string().contains("mirror.example.com/"), "Helm {version}: {server}");
        let note = bed.get(namespace, "configmap", "note").expect("it was added");
        assert_eq!(note["data"]["text"], "two\nlines", "Helm {version}");
        assert_eq!(bed.get(namespace, "poddisruptionbudget", "shop-server"), None, "Helm {version}");
        scene.run(&["verify", "shop"]).expect(0);
        scene.assert_tidy();
        // What rules set may be secret: no file of the run holds it.
        for file in files(&scene.state()).into_iter().filter(|file| file.is_file()) {
            let text = String::from_utf8_lossy(&fs::read(&file).expect("a file")).into_owned();
            assert!(!text.contains("two\nlines") && !text.contains("two\\nlines"), "{}", file.display());
        }
    }
}

#[test]
fn a_helm_that_loses_our_orders_on_the_way_follows_no_rules_and_nothing_else() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "orders", version);
        scene.install("hubble-1.0.0", &[]);
        let before = scene.state_of_all();
        let flag = flag(&scene, PROFILE);
        let wrapper = scene.folder().join("helm");
        for lost in ["CSGHUB_POST_RENDER", "CSGHUB_POST_RENDER_RULES"] {
            script(&wrapper, &format!("unset {lost}\nexec '{}' \"$@\"", scene.helm.binary.display()));
            let mut command = scene.command(&scene.upgrade_words(&[&flag]));
            command.env("HELM_BIN", &wrapper);
            Running::start(command).end().expect(20).says(&format!("{lost} did not reach the post-renderer"));
            before.assert_unchanged(&scene);
        }
        scene.assert_tidy();
    }
}

#[test]
fn rules_that_cannot_be_followed_stop_a_run_before_it_changes_anything() {
    let Some(bed) = Bed::open() else { return };
    let drop_all = "format: 1\nname: p\npost-render: [{name: all-gone, because: b, changes: [drop]}]\n";
    let no_list = "format: 1\nname: p\npost-render:\n  - {name: no-list, because: b, select: {kinds: [Service]}, changes: [{add-items: {path: spec, items: [a]}}]}\n";
    let cases = [
        ("an empty result", drop_all, 20, "the rules drop every document"),
        ("a rule that does not fit", no_list, 20, "(Service shop-"),
        ("a profile with a field that nobody knows", "format: 1\nname: p\npost-rendr: []\n", 2, "post-rendr"),
        ("a profile that is a folder", "", 2, "read the profile"),
    ];
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "unruly", version);
        scene.install("hubble-1.0.0", &[]);
        let before = scene.state_of_all();
        for (what, text, code, said) in cases {
            let mut flag = flag(&scene, text);
            if text.is_empty() {
                flag = format!("--profile-file={}", scene.folder().display());
            }
            let ran = scene.upgrade(&[&flag]);
            assert_eq!(ran.code, code, "Helm {}, {what}: {}", scene.helm.version, ran.all());
            ran.says(said);
            before.assert_unchanged(&scene);
        }
        scene.assert_tidy();
    }
}

#[test]
fn a_post_renderer_that_dies_in_the_upgrade_itself_is_told_and_undone() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "dies", version);
        scene.install("hubble-1.0.0", &[]);
        let before = scene.contents();
        let flag = flag(&scene, PROFILE);
        let chart = chart("hubble-2.0.0");
        // Once the run has begun, the user's own, which is ours' child, ends ours half-way, or writes nothing.
        let begun = format!("ls {} >/dev/null 2>&1", scene.state().join("helm-csghub/runs/*/journal.jsonl").display());
        for (what, act) in
            [("killed", "kill -9 $PPID"), ("nothing", "cat >/dev/null"), ("half", "head -c 3000; exit 1")]
        {
            let _ = fs::remove_dir_all(scene.state().join("helm-csghub"));
            let own = own_renderer(&scene, &format!("if {begun}; then {act}; else exec cat; fi"));
            let words = ["upgrade", "shop", &chart, "--yes", "--skip-crds", &flag, "--post-renderer", &own];
            let ran = with_plugins(&scene, &words).end();
            assert_eq!(ran.code, 40, "Helm {}, {what}: {}", scene.helm.version, ran.all());
            assert_eq!(scene.newest(), (1, "deployed".to_owned()), "Helm {}, {what}", scene.helm.version);
            assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new(), "{what}");
            scene.assert_tidy();
        }
    }
}

#[test]
fn a_saved_plan_holds_the_rules_too() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "ruled-plan", &[]);
    let flag = flag(&scene, PROFILE);
    let file = scene.folder().join("plan.json").display().to_string();
    let chart = chart("hubble-2.0.0");
    let words = ["plan", "shop", &chart, "--skip-crds", &flag, "--out", &file];
    scene.run(&words).expect(0).says("changes (no way to the internet), such as");
    let saved: serde_json::Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(saved["plan"]["following"]["about"]["to"], json!("2.0.0"));
    scene.upgrade(&["--plan", &file]).expect(20).says("the rules of profiles are not those that were planned with");
    scene.upgrade(&["--plan", &file, &flag]).expect(0);
    let live = bed.get(&scene.namespace.name, "deployment", "shop-server").expect("it is there");
    assert_eq!(live["metadata"]["labels"]["team"], "ml");
}

#[test]
fn a_rehearsal_is_of_what_the_rules_make() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "ruled-rehearsal", &[]);
    let before = scene.state_of_all();
    let wrong = "format: 1\nname: p\npost-render:\n  - {name: wrong, because: b, select: {kinds: [Deployment.apps]}, changes: [{set: {path: spec.replicas, value: -3}}]}\n";
    let flag = flag(&scene, wrong);
    let chart = chart("hubble-2.0.0");
    let words = ["rehearse", "shop", &chart, "--skip-crds", &flag];
    Running::start(scene.command(&words)).end().expect(20).says("spec.replicas");
    before.assert_unchanged(&scene);
    scene.run(&["rehearse", &flag, "--", "helm", "list"]).expect(2);
    let nothing = "format: 1\nname: p\npost-render: [{name: none, because: b, select: {kinds: [Nothing.example.com]}, changes: [drop]}]\n";
    let flag = self::flag(&scene, nothing);
    scene
        .run(&["plan", "shop", &chart, "--skip-crds", &flag])
        .expect(0)
        .says("no rule of the profile changes anything that Helm gives to a post-renderer");
}

#[test]
fn the_plan_says_what_a_rule_left_alone() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "ruled-left", version);
        scene.install("hubble-1.0.0", &[]);
        let flag = flag(&scene, PROFILE);
        let words =
            ["plan", "shop", &chart("hubble-2.0.0"), "--skip-crds", &flag, "--set", "image.repository=$(IMAGES)"];
        let others = "which is no name of one; and others, which `helm csghub filter -v` names";
        scene.run(&words).expect(0).says("rule `mirror`: ").says("left the image `$(IMAGES)/").says(others);
    }
}

#[test]
fn a_rule_may_wait_until_helms_record_would_be_too_large() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "ruled-size", &[]);
    let text = "format: 1\nname: p\npost-render:\n\
        - {name: large, because: b, select: {kinds: [Service], record-over: 2000}, changes: [{set-labels: {size: large}}]}\n\
        - {name: huge, because: b, select: {kinds: [Service], record-over: 20000000}, changes: [{set-labels: {size: huge}}]}\n";
    let flag = flag(&scene, text);
    let chart = chart("hubble-2.0.0");
    scene.run(&["rehearse", "shop", &chart, "--skip-crds", &flag, "-v"]).expect(0).says("metadata.labels.size");
    scene.upgrade(&[&flag]).expect(0).says("large: 4 changes (b)").says_not("huge");
    let live = bed.get(&scene.namespace.name, "service", "shop-server").expect("it is there");
    assert_eq!(live["metadata"]["labels"]["size"], "large");
}
