//! The post-renderer with rules, called by a Helm that we did not start.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::plugin::archive;
use crate::support::argo_cd::generate;
use crate::support::program::{chart, program};
use crate::support::{Bed, Contents, Helm, Scene, script, skip};

pub(crate) const PROFILE: &str = "format: 1
name: shop
post-render:
  - name: team
    because: every object has an owner
    changes: [{set-labels: {team: ml, app.kubernetes.io/part-of: 'on'}}]
  - name: mirror
    because: no way to the internet
    changes: [{mirror-images: {registry.example: mirror.example.com}}]
  - name: jobs
    because: their templates cannot be changed, and their images are others now
    changes: [unique-job-names]
  - name: server
    because: it is told so
    select: {kinds: [Deployment.apps], names: ['*-server']}
    changes:
      - set: {path: 'metadata.annotations.\"example.com/mode\"', value: '0644'}
      - add-items: {path: 'spec.template.spec.containers[*].env', key: name, items: [{name: MODE, value: 'yes'}]}
  - name: keep
    because: data outlives the release
    select: {kinds: [PersistentVolumeClaim]}
    changes: [keep]
  - name: budget
    because: not here
    select: {kinds: [PodDisruptionBudget.policy]}
    changes: [drop]
  - name: note
    because: read by people
    changes: [{add-document: {apiVersion: v1, kind: ConfigMap, metadata: {name: note}, data: {text: \"two\\nlines\"}}}]
";

/// Returns `helm upgrade` of the release with our post-renderer and those arguments, as a user writes it.
pub(crate) fn upgrade(scene: &Scene<'_>, arguments: &[&str]) -> Command {
    let folder = scene.folder().join("plugins");
    let plugin = if folder.exists() { folder.join("helm-csghub") } else { archive(&folder) };
    let mut command = scene.in_environment(scene.helm.binary.clone(), &["upgrade", "shop"]);
    command.arg(chart("hubble-2.0.0")).args(["--skip-crds", "-n", &scene.namespace.name, "--post-renderer"]);
    if scene.helm.major() < 4 {
        command.arg(program()).args(["--post-renderer-args", "post-render"]);
    } else {
        command.env("HELM_PLUGINS", plugin).arg("csghub-postrender");
    }
    for argument in arguments {
        command.args(["--post-renderer-args", argument]);
    }
    command
}

pub(crate) fn profile(scene: &Scene<'_>, text: &str) -> PathBuf {
    let path = scene.folder().join("profile.yaml");
    fs::write(&path, text).expect("written");
    path
}

pub(crate) fn option(path: &Path) -> String {
    format!("--profile-file={}", path.display())
}

/// Returns what users see of every object, hooks aside, without what differs between namespaces.
pub(crate) fn objects(bed: &Bed, namespace: &str) -> BTreeMap<String, Value> {
    let mut objects = Contents::of_namespace(bed, namespace).into_objects();
    objects.retain(|_, object| !object.to_string().contains("helm.sh/hook\""));
    for object in objects.values_mut() {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            for allocated in ["clusterIP", "clusterIPs", "volumeName"] {
                spec.shift_remove(allocated);
            }
        }
        let text = object.to_string().replace(namespace, "NAMESPACE");
        *object = serde_json::from_str(&text).expect("JSON");
    }
    objects
}

#[test]
fn the_same_rules_end_in_the_same_objects_with_every_helm() {
    let Some(bed) = Bed::open() else { return };
    let mut first: Option<(String, BTreeMap<String, Value>)> = None;
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "rules", version);
        scene.install("hubble-1.0.0", &[]);
        let profile = profile(&scene, PROFILE);
        let output = upgrade(&scene, &[&option(&profile)]).output().expect("helm starts");
        let version = &scene.helm.version;
        assert!(output.status.success(), "Helm {version}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(scene.newest(), (2, "deployed".to_owned()), "Helm {version}");
        let objects = objects(&bed, &scene.namespace.name);
        let server = &objects["Deployment shop-server"];
        assert_eq!(server["metadata"]["annotations"]["example.com/mode"], "0644", "{server}");
        assert!(server.to_string().contains(r#"{"name":"MODE","value":"yes"}"#), "{server}");
        assert!(server.to_string().contains("mirror.example.com/"), "{server}");
        assert_eq!(objects["ConfigMap note"]["data"]["text"], "two\nlines");
        assert!(!objects.keys().any(|name| name.starts_with("PodDisruptionBudget")), "{:?}", objects.keys());
        match &first {
            None => first = Some((version.clone(), objects)),
            Some((other, expected)) => {
                let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(&objects), names(expected), "Helm {version} and {other}");
                for (name, object) in &objects {
                    assert_eq!(object, &expected[name], "{name} with Helm {version} and {other}");
                }
            }
        }
    }
}

#[test]
fn a_post_renderer_that_fails_leaves_the_release_as_it_was() {
    let Some(bed) = Bed::open() else { return };
    let drop_all = "format: 1\nname: p\npost-render: [{name: all-gone, because: b, changes: [drop]}]\n";
    let no_list = "format: 1\nname: p\npost-render:\n  - {name: no-list, because: b, select: {kinds: [Service]}, changes: [{add-items: {path: spec, items: [a]}}]}\n";
    let cases = [
        ("an empty result", drop_all, "the rules drop every document"),
        ("a rule that does not fit", no_list, "what is no list"),
        ("a profile with a field that nobody knows", "format: 1\nname: p\npost-rendr: []\n", "post-rendr"),
        ("no profile", "", "read the profile"),
    ];
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "fails", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Contents::of_namespace(&bed, &scene.namespace.name);
        for (what, text, said) in cases {
            let profile = profile(&scene, text);
            if text.is_empty() {
                fs::remove_file(&profile).expect("removed");
            }
            let output = upgrade(&scene, &[&option(&profile)]).output().expect("helm starts");
            let told = String::from_utf8_lossy(&output.stderr);
            let version = &scene.helm.version;
            assert_eq!(output.status.code(), Some(1), "Helm {version}, {what}: {told}");
            assert!(told.contains(said), "Helm {version}, {what}: {told}");
            assert_eq!(scene.newest(), (1, "deployed".to_owned()), "Helm {version}, {what}");
            let after = Contents::of_namespace(&bed, &scene.namespace.name);
            assert_eq!(before.differences(&after, &[]), Vec::<String>::new(), "Helm {version}, {what}");
        }
    }
}

#[test]
fn a_post_renderer_that_is_killed_leaves_the_release_as_it_was() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "killed", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Contents::of_namespace(&bed, &scene.namespace.name);
        let profile = profile(&scene, PROFILE);
        let mut command = upgrade(&scene, &[&option(&profile)]);
        // A post-renderer that has written half of its result when it is gone: Helm starts it by its name.
        let half = scene.folder().join("half");
        let lines = format!("{} \"$@\" | head -c 3000\nkill -9 $$", program().display());
        script(&half, &lines);
        if scene.helm.major() < 4 {
            command = replace_argument(&command, program().as_os_str(), half.as_os_str());
        } else {
            let plugin = scene.folder().join("plugins/helm-csghub/bin/csghub");
            fs::remove_file(&plugin).expect("a link");
            script(&plugin, &lines);
        }
        let output = command.output().expect("helm starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "Helm {}: {told}", scene.helm.version);
        let said = if scene.helm.major() < 4 { "signal: killed" } else { "exited with error" };
        assert!(told.contains(said), "Helm {}: {told}", scene.helm.version);
        assert_eq!(scene.newest(), (1, "deployed".to_owned()), "Helm {}", scene.helm.version);
        let after = Contents::of_namespace(&bed, &scene.namespace.name);
        assert_eq!(before.differences(&after, &[]), Vec::<String>::new(), "Helm {}", scene.helm.version);
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

#[test]
fn the_example_for_helmfile_checks_renders_and_verifies_with_every_helm() {
    let Some(bed) = Bed::open() else { return };
    let Some(helmfile) = crate::rehearsal::helmfile() else {
        return skip("CSGHUB_HELMFILE names none");
    };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "helmfile", version);
        let plugin = archive(&scene.folder().join("plugins"));
        let helm = scene.helm.binary.display().to_string();
        let file = example("helmfile/helmfile.yaml.gotmpl").display().to_string();
        // Definitions are of the whole cluster, which other tests share.
        let words = ["--helm-binary", &helm, "-f", &file, "sync", "--skip-crds"];
        let sync = |of: &str| {
            let mut command = scene.in_environment(helmfile.clone(), &words);
            command.env("CSGHUB", program()).env("NAMESPACE", &scene.namespace.name).env("CHART", chart(of));
            command.env("HELM_MAJOR", scene.helm.major().to_string()).env("HELM_PLUGINS", &plugin);
            let output = command.output().expect("helmfile starts");
            let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
            (output.status.success(), told)
        };
        let version = &scene.helm.version;
        // A release that is not there yet, and its upgrade.
        for of in ["hubble-1.0.0", "hubble-2.0.0"] {
            let (is_well, told) = sync(of);
            assert!(is_well, "Helm {version}, {of}: {told}");
            assert!(told.contains("checks passed") && told.contains("is current"), "Helm {version}, {of}: {told}");
        }
        let live = bed.get(&scene.namespace.name, "deployment", "shop-server").expect("it is there");
        assert_eq!(live["metadata"]["labels"]["team"], "ml", "Helm {version}");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()), "Helm {version}");
        // What preflight finds stops helmfile before Helm is begun.
        let before = scene.state_of_all();
        let (is_well, told) = sync("other");
        assert!(!is_well && told.contains("chart-matches"), "Helm {version}: {told}");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()), "Helm {version}");
        before.assert_unchanged(&scene);
    }
}

#[test]
fn the_example_for_argo_cd_renders_what_helm_renders_with_the_rules() {
    let Some(helm) = Helm::all().pop() else {
        return skip("there is no Helm");
    };
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(&helm.binary, folder.path().join("helm")).expect("a link");
    std::os::unix::fs::symlink(program(), folder.path().join("csghub")).expect("a link");
    let run = |chart: &Path| generate(folder.path(), chart).output().expect("a shell");
    let output = run(Path::new(&chart("hubble-2.0.0")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let objects = helm_csghub::domain::manifest::parse(&String::from_utf8_lossy(&output.stdout)).expect("manifests");
    assert!(objects.len() > 20, "{}", objects.len());
    assert!(objects.iter().all(|object| object.text_at("/metadata/labels/team") == Some("ml")));
    let broken = run(folder.path());
    assert!(!broken.status.success() && broken.stdout.is_empty(), "no chart, no manifests");
}

/// Returns the same command with another word in the place of one.
pub(crate) fn replace_argument(command: &Command, one: &std::ffi::OsStr, other: &std::ffi::OsStr) -> Command {
    let mut replaced = Command::new(command.get_program());
    replaced.args(command.get_args().map(|word| if word == one { other } else { word }));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => replaced.env(name, value),
            None => replaced.env_remove(name),
        };
    }
    replaced
}
