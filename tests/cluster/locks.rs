//! Two runs on one release: one works, the other leaves it alone.

use rustix::process::Signal;

use crate::support::program::signal;
use crate::support::{Bed, Running, Scene};

/// A chart that takes its time: verify waits for it.
const SLOW: [&str; 2] = ["--set", "hazards.behaviour=slow-start"];

/// Returns once the run's journal says that Helm is done and `verify` has begun.
fn until_verify(scene: &Scene<'_>, running: &mut Running) {
    let is_verifying = |_: &Running| {
        let journal =
            scene.runs().into_iter().find_map(|run| std::fs::read_to_string(run.join("journal.jsonl")).ok())?;
        let last = journal.lines().last()?.to_owned();
        (last.contains("step-started") && last.contains("verify")).then_some(())
    };
    running.until(is_verifying).expect("verify begins");
}

#[test]
fn a_second_upgrade_is_refused_while_the_first_runs() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "locks", &[]);
    let mut first = scene.start_upgrade(&SLOW);
    until_verify(&scene, &mut first);
    scene.upgrade(&[]).expect(60).says("run-lock");
    first.end().expect(0);
    scene.assert_tidy();
    assert_eq!(scene.newest(), (2, "deployed".to_owned()));
}

#[test]
fn a_run_that_was_taken_over_changes_nothing_more() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "fence", &[]);
    let mut first = scene.start_upgrade(&["--set", "hazards.behaviour=never-ready", "--verify-timeout", "600"]);
    until_verify(&scene, &mut first);
    // It hangs, as on a machine that is suspended.
    signal(first.pid(), Signal::STOP);
    scene.run(&["resume", &scene.release]).expect(60).says("--take-over");
    scene.run(&["rollback", &scene.release, "--yes", "--take-over"]).expect(40);
    let (revision, status) = scene.newest();
    assert_eq!((revision, status.as_str()), (3, "deployed"));
    let before = scene.contents();
    signal(first.pid(), Signal::CONT);
    // Stopped by us now, it would undo: but the run is not its own any more.
    signal(first.pid(), Signal::INT);
    first.end().expect(60).says("taken over");
    assert_eq!(scene.newest(), (3, "deployed".to_owned()));
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    scene.assert_tidy();
}
