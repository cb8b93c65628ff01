//! Two runs on one release: one works, the other is told; one that hangs is taken over and fenced off.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::program::{chart, signal};
use crate::support::{Bed, Running, Scene};

/// Values with which Helm waits for ever for its hook.
const ENDLESS: [&str; 2] =
    ["--set", "hazards.harmlessHook.enabled=true,hazards.behaviour=never-ready,hazards.behaviourOf=check"];

/// Starts an upgrade and returns it once Helm waits for its hook.
fn start_endless<'a>(bed: &'a Bed, scene: &Scene<'a>) -> Running {
    let mut run = scene.start_upgrade(&ENDLESS);
    let hook = run.until(|_| bed.get(&scene.namespace.name, "job", "shop-check"));
    assert!(hook.is_some(), "the hook was not started: {:?}", run.end());
    run
}

#[test]
fn a_second_upgrade_is_told_who_holds_the_release() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "second", &[]);
    let first = start_endless(&bed, &scene);
    let before = scene.contents();
    let holder = format!("process {}", first.pid());
    for words in [
        scene.upgrade_words(&[]),
        vec!["resume".into(), "shop".into()],
        vec!["rollback".into(), "shop".into(), "--yes".into()],
    ] {
        let ran = scene.run(&words).expect(60);
        assert!(ran.all().contains("held by") || ran.all().contains("another run"), "{}", ran.all());
    }
    scene.run(&["status", "shop"]).expect(0).says(&holder).says("at work");
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    first.signal(Signal::INT);
    first.end().expect(40);
    scene.assert_tidy();
}

#[test]
fn of_two_upgrades_at_once_one_runs() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "race", &[]);
    let runs: Vec<Running> = (0..3).map(|_| scene.start_upgrade(&[])).collect();
    let mut codes: Vec<i32> = runs.into_iter().map(|run| run.end().code).collect();
    codes.sort_unstable();
    assert_eq!(codes[0], 0, "one is done: {codes:?}");
    // One that came late enough finds the release upgraded, and upgrades it to the same version; one that looked before
    // and came to act afterwards finds that the release has moved.
    assert!(codes.iter().all(|code| [0, 20, 40, 60].contains(code)), "{codes:?}");
    assert!(codes.contains(&60), "nobody was kept out: {codes:?}");
    assert_eq!(scene.newest().1, "deployed");
    scene.assert_tidy();
}

#[test]
fn a_run_that_hangs_is_taken_over_and_changes_nothing_more() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "fence", &[]);
    let first = start_endless(&bed, &scene);
    first.signal(Signal::STOP);
    // Its Helm runs on, and is not ours to stop: whoever takes over waits for its end.
    scene.run(&["resume", "shop"]).expect(60).says("--take-over");
    for helm in scene.helms() {
        signal(helm, Signal::INT);
    }
    let ended = scene.run(&["resume", "shop", "--take-over"]).expect(40);
    ended.says("revision 1");
    assert_eq!(scene.newest(), (3, "deployed".to_owned()));
    let before = scene.state_of_all();
    first.signal(Signal::CONT);
    let fenced = first.end().expect(60);
    fenced.says("taken over").says("changes nothing more");
    before.assert_unchanged(&scene);
    scene.assert_tidy();
}

#[test]
fn a_lease_whose_holder_was_killed_holds_nobody_up() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "killed", &[]);
    let run = start_endless(&bed, &scene);
    run.signal(Signal::KILL);
    assert_eq!(run.end().signal, Some(9));
    let status = scene.run(&["status", "shop"]).expect(0);
    status.says("stepping").says("gone").says("helm csghub resume shop");
    scene.upgrade(&[]).expect(20).says("unfinished-run");
    std::thread::sleep(Duration::from_secs(1));
    scene.run(&["rollback", "shop", "--yes"]).expect(40);
    scene.assert_tidy();
    let two = chart("hubble-2.0.0");
    scene.run(&["upgrade", "shop", &two, "--yes", "--skip-crds"]).expect(0);
}
