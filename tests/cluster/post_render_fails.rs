//! What a Helm that we did not start does when the post-renderer ends in the middle of its work: nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::post_render::{PROFILE, option, profile, replace_argument, upgrade};
use crate::support::program::program;
use crate::support::{Bed, Contents, Helm, Running, Scene, eventually, script};

/// `ConfigMaps` of 254 KiB each, before all that rules change: far more than what is gathered before it is written, and than what any
/// pipe holds.
const LARGE: [&str; 2] = ["--set", "hazards.bigRecord.kilobytes=2000"];

/// A release as it must be afterwards.
struct Before<'s, 'b> {
    scene: &'s Scene<'b>,
    contents: Contents,
}

impl<'s, 'b> Before<'s, 'b> {
    fn of(scene: &'s Scene<'b>) -> Self {
        Self { scene, contents: Contents::of_namespace(scene.bed, &scene.namespace.name) }
    }

    /// Asserts that Helm refused with that reason, and changed nothing.
    fn assert_refused(&self, ran: &crate::support::Ran, said: &str) {
        let version = &self.scene.helm.version;
        assert_eq!(ran.code, 1, "Helm {version}: {}", ran.all());
        assert!(ran.stderr.contains(said), "Helm {version} does not say `{said}`: {}", ran.stderr);
        assert_eq!(self.scene.newest(), (1, "deployed".to_owned()), "Helm {version}");
        let after = Contents::of_namespace(self.scene.bed, &self.scene.namespace.name);
        assert_eq!(self.contents.differences(&after, &[]), Vec::<String>::new(), "Helm {version}");
    }
}

/// Returns `helm upgrade` with a script in the place of the post-renderer; `"$RENDERER" "$@"` in it is ours.
fn upgrade_by(scene: &Scene<'_>, arguments: &[&str], lines: &str) -> Command {
    let command = upgrade(scene, arguments);
    let lines = format!("RENDERER='{}'\ncd '{}'\n{lines}", program().display(), scene.folder().display());
    let mut command = if scene.helm.major() < 4 {
        let wrapper = scene.folder().join("wrapper");
        script(&wrapper, &lines);
        replace_argument(&command, program().as_os_str(), wrapper.as_os_str())
    } else {
        let plugin = scene.folder().join("plugins/helm-csghub/bin/csghub");
        fs::remove_file(&plugin).expect("a link, or the last script");
        script(&plugin, &lines);
        command
    };
    command.args(LARGE);
    command
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).expect("it was written").len()
}

#[test]
fn a_rule_that_fails_after_much_was_written_changes_nothing_and_is_told() {
    let Some(bed) = Bed::open() else { return };
    let no_list = "format: 1\nname: p\npost-render:\n  - {name: no-list, because: b, select: {kinds: [Service]}, changes: [{add-items: {path: spec, items: [a]}}]}\n";
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "late", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Before::of(&scene);
        let profile = profile(&scene, no_list);
        // What it writes is kept on the way.
        let lines = "{ \"$RENDERER\" \"$@\"; echo $? >code; } | tee written\nexit \"$(cat code)\"";
        let ran = Running::start(upgrade_by(&scene, &[&option(&profile)], lines)).end();
        before.assert_refused(&ran, "what is no list");
        assert!(ran.stderr.contains("asked for by no-list"), "Helm {}: {}", scene.helm.version, ran.stderr);
        let written = size(&scene.folder().join("written"));
        assert!(
            written > 1_500_000,
            "Helm {}: {written} bytes were written before the rule failed",
            scene.helm.version
        );
    }
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_changes_nothing() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "deaf", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Before::of(&scene);
        let profile = profile(&scene, PROFILE);
        let lines =
            "{ \"$RENDERER\" \"$@\" 2>said; echo $? >code; } | head -c 3000\ncat said >&2\nexit \"$(cat code)\"";
        let ran = Running::start(upgrade_by(&scene, &[&option(&profile)], lines)).end();
        let version = &scene.helm.version;
        let said = fs::read_to_string(scene.folder().join("said")).expect("it was written");
        assert!(said.contains("Broken pipe") && !said.contains("panicked"), "Helm {version}: {said}");
        assert_eq!(fs::read_to_string(scene.folder().join("code")).expect("it was written"), "1\n", "Helm {version}");
        // Helm 4 shows nothing of what a post-renderer says.
        before.assert_refused(&ran, if scene.helm.major() < 4 { "Broken pipe" } else { "exited with error" });
    }
}

/// Returns our own process, not the shell around it.
fn renderer(scene: &Scene<'_>) -> Option<Pid> {
    let ours = fs::canonicalize(program()).expect("the program");
    let is_it = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == ours);
    let (pid, _) = scene.processes().into_iter().find(|(pid, line)| is_it(pid) && line.contains("post-render"))?;
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Kills our own process.
fn kill_renderer(scene: &Scene<'_>) {
    let pid = eventually(|| renderer(scene).ok_or_else(|| "the post-renderer does not run".to_owned()));
    kill_process(pid, Signal::KILL).expect("killed");
}

#[test]
fn our_own_process_killed_after_it_has_written_changes_nothing() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "half", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Before::of(&scene);
        let profile = profile(&scene, PROFILE);
        // It gets the first megabyte, and waits for the rest.
        let lines = "touch held\n\
            { head -c 1000000; while [ -e held ]; do sleep 0.1; done; cat >/dev/null; } |\n\
            { \"$RENDERER\" \"$@\"; echo $? >code; rm held; } | tee written\nexit \"$(cat code)\"";
        let running = Running::start(upgrade_by(&scene, &[&option(&profile)], lines));
        let written = scene.folder().join("written");
        eventually(|| {
            let bytes = fs::metadata(&written).map_or(0, |file| file.len());
            if bytes > 500_000 { Ok(()) } else { Err(format!("{bytes} bytes were written")) }
        });
        kill_renderer(&scene);
        let ran = running.end();
        let code = fs::read_to_string(scene.folder().join("code")).expect("it was written");
        assert_eq!(code, "137\n", "Helm {}: killed by signal 9", scene.helm.version);
        before.assert_refused(&ran, if scene.helm.major() < 4 { "exit status 137" } else { "exited with error" });
    }
}

#[test]
fn our_own_process_killed_as_helms_child_changes_nothing() {
    let Some(bed) = Bed::open() else { return };
    for version in Helm::all() {
        let scene = Scene::with_helm(&bed, "child", version);
        scene.install("hubble-1.0.0", &[]);
        let before = Before::of(&scene);
        // A pipe that nobody writes: it waits for its rules.
        let pipe = scene.folder().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
        let running = Running::start(upgrade(&scene, &[&option(&pipe)]));
        kill_renderer(&scene);
        let ran = running.end();
        before.assert_refused(&ran, if scene.helm.major() < 4 { "signal: killed" } else { "exited with error" });
    }
}
