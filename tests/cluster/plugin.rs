//! As users run it: `helm csghub`, installed as a plugin, with every Helm that we support.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::program::{chart, program};
use crate::support::{Bed, Helm, Running, Scene};

/// Lays out the plugin as an archive does: its manifests, its scripts, a binary.
pub(crate) fn archive(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugin = folder.join("helm-csghub");
    for path in ["bin", "postrenderer", "scripts"] {
        fs::create_dir_all(plugin.join(path)).expect("a folder");
    }
    for file in ["plugin.yaml", "postrenderer/plugin.yaml", "scripts/install.sh"] {
        fs::copy(root.join(file), plugin.join(file)).expect("copied");
    }
    let binary = plugin.join("bin/csghub");
    // A link: the binary is large, and its place is what counts.
    symlink(program(), &binary).expect("a link");
    assert!(fs::metadata(&binary).expect("it is there").permissions().mode() & 0o111 != 0);
    plugin
}

/// Installs the plugin into the Helm of a scene.
fn install(scene: &Scene<'_>) {
    let plugin = archive(scene.folder());
    let words = ["plugin", "install", plugin.to_str().expect("text")];
    let ran = scene.helm.run(&scene.kubeconfig, &words);
    assert_eq!(ran.code, 0, "Helm {}: {}{}", scene.helm.version, ran.stdout, ran.stderr);
}

/// Returns `helm csghub ...` in the scene's environment.
fn helm(scene: &Scene<'_>, words: &[&str]) -> Command {
    let mut command = scene.in_environment(scene.helm.binary.clone(), words);
    command.env_remove("HELM_BIN").env_remove("HELM_NAMESPACE");
    command
}

#[test]
fn every_helm_installs_the_plugin_and_upgrades_with_it() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "plugin", version);
        scene.install("hubble-1.0.0", &[]);
        install(&scene);
        let two = chart("hubble-2.0.0");
        let place = ["-n", &scene.namespace.name];
        let words = ["csghub", "upgrade", "shop", &two, "--yes", "--skip-crds", "--set", "web.title=A title"];
        let words: Vec<&str> = words.iter().copied().chain(place).collect();
        Running::start(helm(&scene, &words)).end().expect(0).says("2 is deployed");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()), "Helm {}", scene.helm.version);
        let live = bed.get(&scene.namespace.name, "configmap", "shop-web").expect("it is there");
        assert!(live["data"].to_string().contains("A title"), "{live}");
        let words = ["csghub", "status", "shop", "-n", &scene.namespace.name];
        Running::start(helm(&scene, &words)).end().expect(0).says("2 is deployed");
        scene.assert_tidy();
    }
}

/// Helm 4 finds the post-renderer in the plugin's own folder, one deeper than it looks; Helm 3 is given the program's path.
#[test]
fn an_installed_plugin_is_its_own_post_renderer() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "nested", version);
        let random = ["--set", "hazards.randomValue.enabled=true"];
        scene.install("hubble-1.0.0", &random);
        install(&scene);
        let two = chart("hubble-2.0.0");
        let words = ["csghub", "upgrade", "shop", &two, "--yes", "--skip-crds", "-n", &scene.namespace.name];
        let words: Vec<&str> = words.iter().copied().chain(random).collect();
        Running::start(helm(&scene, &words)).end().expect(0).says("random at each render");
        let kept = fs::read_to_string(scene.last_run().join("render")).expect("it was kept");
        let secret = bed.get(&scene.namespace.name, "secret", "shop-session").expect("it is there");
        let key = secret["data"]["key"].as_str().expect("a text");
        assert!(kept.contains(key), "Helm {}: another value than the rehearsed one", scene.helm.version);
        assert!(!scene.last_run().join("plugins").exists(), "the installed one is used");
        scene.assert_tidy();
    }
}

#[test]
fn the_exit_code_of_the_program_is_that_of_helm() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "code", version);
        install(&scene);
        for (words, code) in [
            (vec!["csghub", "status", "shop"], 20),
            (vec!["csghub", "no-such-command"], 2),
            (vec!["csghub", "--version"], 0),
        ] {
            Running::start(helm(&scene, &words)).end().expect(code);
        }
    }
}

#[test]
fn a_command_to_rehearse_is_refused_through_helm_and_taken_without_it() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "through", version);
        install(&scene);
        let kubectl = bed.kubectl.display().to_string();
        let other = bed.namespace("other");
        let command = [kubectl.as_str(), "-n", &other.name, "create", "configmap", "rehearsed"];
        let words: Vec<&str> = ["csghub", "rehearse", "--"].into_iter().chain(command).collect();
        let ran = Running::start(helm(&scene, &words)).end().expect(2);
        ran.says("cannot be rehearsed through Helm")
            .says("`csghub rehearse -- COMMAND...`")
            .says("helm-csghub/bin/csghub");
        let words: Vec<&str> = ["rehearse", "-o", "json", "--"].into_iter().chain(command).collect();
        let ran = scene.run(&words).expect(0);
        assert_eq!(ran.json()["objects"][0]["object"]["namespace"], other.name.as_str(), "Helm {}", scene.helm.version);
        // What is asked for by flags of ours is not lost on the way.
        let two = chart("hubble-2.0.0");
        let words = ["csghub", "rehearse", "shop", &two, "--skip-crds", "--install", "-n", &other.name, "-o", "json"];
        let ran = Running::start(helm(&scene, &words)).end().expect(0);
        let places: Vec<_> = ran.json()["objects"].as_array().expect("a list").clone();
        assert!(places.iter().all(|object| object["object"]["namespace"] == other.name.as_str()), "{places:?}");
        assert!(places.len() > 15, "{places:?}");
    }
}

/// Helm hands no signal on to a plugin: killed by SIGTERM it is gone, and the upgrade must not run on unseen.
#[test]
fn a_helm_that_is_killed_takes_the_run_with_it_and_the_release_is_not_left_pending() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "outer", version);
        scene.install("hubble-1.0.0", &[]);
        install(&scene);
        let two = chart("hubble-2.0.0");
        let hook = "hazards.harmlessHook.enabled=true,hazards.behaviour=never-ready,hazards.behaviourOf=check";
        let namespace = scene.namespace.name.as_str();
        let words = ["csghub", "upgrade", "shop", &two, "--yes", "--skip-crds", "-n", namespace, "--set", hook];
        let mut outer = Running::start(helm(&scene, &words));
        outer.until(|_| bed.get(namespace, "job", "shop-check")).expect("the hook runs");
        outer.signal(Signal::TERM);
        assert_eq!(outer.end().signal, Some(15));
        scene.wait_for_quiet();
        assert_eq!(scene.newest(), (3, "deployed".to_owned()), "Helm {}", scene.helm.version);
        scene.assert_tidy();
    }
}
