//! Tests that measure time. `scripts/test` runs them one by one, while no other test keeps the machine busy.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::failure::fail;
use crate::kill::{journal_on_disk, state_of};
use crate::support::program::files;
use crate::support::{Bed, Running, Scene};

#[test]
fn a_crash_loop_is_told_with_its_log_within_15_seconds_of_the_kubelets_report_and_undone() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "crash", &[]);
    let mut watch = Command::new(&bed.kubectl);
    let reasons = "-o=custom-columns=NAME:.metadata.name,WAITING:.status.containerStatuses[*].state.waiting.reason";
    watch.env("KUBECONFIG", &bed.kubeconfig);
    watch.args(["get", "pods", "-n", &scene.namespace.name, "--watch", "--no-headers", reasons]);
    let kubelet = Running::start(watch);
    let (ran, report) = fail(&scene, &["--set", "hazards.behaviour=crash-loop"], 40, &[]);
    let is_crash = |text: &str| text.contains("CrashLoopBackOff");
    let reported = kubelet.output().into_iter().find(|line| is_crash(&line.text)).expect("the pod crashes").at;
    let told = ran.lines.iter().find(|line| is_crash(&line.text)).expect("it is told");
    let object = format!("Deployment {}/shop-server", scene.namespace.name);
    assert!(told.text.contains(&object), "{}", told.text);
    let log =
        ran.lines.iter().find(|line| line.text.contains("FATAL: cannot reach database")).expect("its log is told");
    let delay = log.at.saturating_duration_since(reported);
    println!("told {:.1} s after the kubelet's report", delay.as_secs_f64());
    assert!(delay < Duration::from_secs(15), "{delay:?}");
    assert_eq!(report["problems"][0]["object"], object);
    assert!(report["problems"][0]["cause"].as_str().is_some_and(|cause| cause.contains("FATAL: cannot reach")));
    let evidence = files(&scene.last_run().join("evidence"));
    let previous = evidence.iter().find(|path| path.to_string_lossy().ends_with(".server.previous.log"));
    let log = fs::read_to_string(previous.expect("the log of the container's last life")).expect("a log");
    assert!(log.contains("FATAL"), "{log}");
}

#[test]
fn a_signal_stops_helm_and_undoes_and_the_journal_knows_within_5_seconds() {
    let Some(bed) = Bed::open() else { return };
    for (which, again) in [(Signal::INT, false), (Signal::TERM, true), (Signal::HUP, false)] {
        let scene = Scene::hubble(&bed, "signal", &[]);
        let before = scene.contents();
        let hook = "hazards.harmlessHook.enabled=true,hazards.behaviour=never-ready,hazards.behaviourOf=check";
        let mut run = scene.start_upgrade(&["--set", hook]);
        run.until(|_| bed.get(&scene.namespace.name, "job", "shop-check")).expect("the hook runs");
        run.signal(which);
        let signalled = Instant::now();
        let has_turned = |_: &Running| {
            let state = state_of(&journal_on_disk(&scene, &[])?);
            (!state.starts_with("stepping")).then_some(())
        };
        run.until_soon(has_turned).expect("it turns round");
        let took = signalled.elapsed();
        assert!(took < Duration::from_secs(5), "{which:?}: {took:?}");
        if again {
            // An impatient user: the undo goes on all the same.
            run.signal(which);
        }
        let ran = run.end().expect(40);
        ran.says("stopped");
        scene.assert_tidy();
        assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
        scene.wait_for_quiet();
    }
}
