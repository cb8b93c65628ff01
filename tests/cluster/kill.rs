//! Killed anywhere: `status` tells the truth, `resume` or `rollback` ends it, and nothing is left behind.
//!
//! `CSGHUB_SOAK_KILLS` sets how often (default 6: one for each state of the journal), `CSGHUB_SOAK_SEED` the
//! seed of the random choices, which is printed.

use std::env;
use std::fs;
use std::ops::Range;
use std::time::Duration;

use helm_csghub::domain::journal::{Journal, RunState};
use rustix::process::Signal;

use crate::support::program::signal;
use crate::support::{Bed, Contents, Dice, Running, Scene, SlowRoad};

/// Prints a line at once.
fn say(line: &str) {
    crate::support::say(&format!("kill: {line}"));
}

/// When a process is killed: in which state of the run's journal, and how long after it was first seen in it.
#[derive(Debug, Clone, Copy)]
struct Moment {
    state: &'static str,
    fails: bool,
    delay: Duration,
}

/// A state in which a run can be for any time at all.
struct Station {
    state: &'static str,
    /// The upgrade must fail to get there.
    fails: bool,
    /// When a run is killed in it: milliseconds after the state was first seen on disk.
    delays: Range<u64>,
    /// It lasts no longer than the server takes to store a line of the journal, so that takes longer here.
    is_short: bool,
}

impl Station {
    const fn long(state: &'static str, fails: bool) -> Self {
        Self { state, fails, delays: 0..3000, is_short: false }
    }

    /// Killed in the second half of the time that the server's answer takes: the line is stored by then.
    const fn short(state: &'static str, fails: bool) -> Self {
        Self { state, fails, delays: ANSWER_MS / 2..ANSWER_MS, is_short: true }
    }
}

const STATES: [Station; 6] = [
    Station::short("ready", false),
    Station::long("stepping helm-upgrade", false),
    Station::long("stepping verify", false),
    Station::short("unwinding", true),
    Station::short("undoing verify", true),
    Station::long("undoing helm-upgrade", true),
];

/// How much later the server's answers come where a state is short.
const ANSWER_MS: u64 = 80;

/// Values of an upgrade that succeeds or fails; the keys are always the same, so that none is lost.
fn flags(fails: bool, nonce: u64) -> Vec<String> {
    let behaviour = if fails { "crash-loop" } else { "slow-start" };
    let values = format!(
        "hazards.harmlessHook.enabled=true,hazards.behaviour={behaviour},hazards.behaviourOf=server,web.title=t{nonce}"
    );
    let profile = concat!("--profile-file=", env!("CARGO_MANIFEST_DIR"), "/examples/profile.yaml");
    vec!["--set".to_owned(), values, profile.to_owned()]
}

/// Starts an upgrade; on a slow road each line of the journal takes a while to be stored.
fn start(scene: &Scene<'_>, road: Option<&SlowRoad>, fails: bool, nonce: u64) -> Running {
    let flags = flags(fails, nonce);
    let words = scene.upgrade_words(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let mut command = scene.command(&words);
    if let Some(road) = road {
        command.env("KUBECONFIG", &road.kubeconfig);
    }
    Running::start(command)
}

/// Returns the journal of the newest run, as it is on disk; nothing before it has begun.
pub(crate) fn journal_on_disk(scene: &Scene<'_>, but: &[std::path::PathBuf]) -> Option<Journal> {
    let run = scene.runs().pop().filter(|run| !but.contains(run))?;
    let text = fs::read_to_string(run.join("journal.jsonl")).ok()?;
    Journal::parse(&text).ok()
}

/// Returns the newest journal beside the release.
fn journal_in_cluster(scene: &Scene<'_>) -> Option<Journal> {
    let run = scene.last_run();
    let name = format!("csghub.run.{}.{}", scene.release, run.file_name()?.to_str()?);
    let is_there = scene.records().contains(&name);
    is_there.then(|| Journal::parse(&scene.record_text(&name)).expect("a journal"))
}

/// The state in words: `stepping verify`.
pub(crate) fn state_of(journal: &Journal) -> String {
    let step = |index: usize| journal.plan().expect("a plan").steps[index].id.clone();
    match journal.state() {
        RunState::Stepping { step: index } | RunState::Undoing { step: index } => {
            format!("{} {}", journal.state().word(), step(*index))
        }
        state => state.word().to_owned(),
    }
}

/// Waits for the moment; tells whether it came before the end.
fn wait_for(run: &mut Running, scene: &Scene<'_>, old: &[std::path::PathBuf], moment: Moment) -> bool {
    let is_there = |_: &Running| {
        let journal = journal_on_disk(scene, old)?;
        (state_of(&journal) == moment.state).then_some(())
    };
    let came = run.until_soon(is_there).is_some();
    if came {
        std::thread::sleep(moment.delay);
    }
    came
}

/// Ends what was killed, by `resume` or `rollback`, looks whether all is well, and returns the state in which it was.
fn end(scene: &Scene<'_>, before: &Contents, dice: &mut Dice, moment: Moment) -> String {
    // What the cluster knows is what counts: a line on disk that was not stored there announced an act that never began.
    let Some(journal) = journal_in_cluster(scene) else {
        say("  before its first record was stored: nothing had begun");
        scene.run(&["resume", "shop"]).expect(0);
        scene.assert_tidy();
        assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
        return String::new();
    };
    let status = scene.run(&["status", "shop", "-o", "json"]).expect(0).json();
    let rows = status["rows"].as_array().expect("a list");
    let row = |label: &str| rows.iter().find(|row| row[0] == label).map_or("", |row| row[1].as_str().expect("a text"));
    let word = journal.state().word();
    assert!(row("run").ends_with(&format!(", {word}")), "the journal is {word}, and it says {rows:?}");
    let is_over = matches!(journal.state(), RunState::Finished { .. });
    if !is_over {
        assert!(row("holder").ends_with(": gone"), "{rows:?}");
    }
    let goes_on = is_over || dice.one_in(2);
    let words: &[&str] = if goes_on { &["resume", "shop"] } else { &["rollback", "shop", "--yes"] };
    let ran = scene.run(words);
    say(&format!("  {} in {:?}: {} -> exit {}", state_of(&journal), moment, words.join(" "), ran.code));
    let right: &[i32] = match journal.state() {
        RunState::Finished { .. } => &[0],
        // Nothing was begun, so nothing is undone.
        RunState::Ready { done: 0 } if !goes_on => &[30],
        // It may not have stored its inputs yet.
        RunState::Ready { done: 0 } if !moment.fails => &[0, 30, 40],
        RunState::Ready { .. } | RunState::Stepping { .. } if goes_on && !moment.fails => &[0, 40],
        _ => &[40],
    };
    assert!(
        right.contains(&ran.code),
        "exit {} and not {right:?} after {}\n{}",
        ran.code,
        state_of(&journal),
        ran.all()
    );
    scene.wait_for_quiet();
    scene.assert_tidy();
    assert_eq!(scene.newest().1, "deployed");
    let is_upgraded = ran.code == 0 && !is_over;
    if !is_upgraded && !is_over {
        assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new(), "{}", ran.all());
    }
    if is_upgraded {
        let live = scene.bed.get(&scene.namespace.name, "deployment", "shop-server").expect("it is there");
        assert_eq!(live["metadata"]["labels"]["team"], "ml", "the rules were followed to the end");
    }
    scene.run(&["verify", "shop"]).expect(0);
    state_of(&journal)
}

#[test]
fn killed_in_any_state_a_run_is_told_truly_and_ended() {
    let Some(bed) = Bed::open() else { return };
    let kills: usize = env::var("CSGHUB_SOAK_KILLS").ok().map_or(6, |kills| kills.parse().expect("a number"));
    let mut dice = Dice::new("kill");
    let scene = Scene::hubble(&bed, "kill", &[]);
    let road = SlowRoad::open(&bed, scene.folder(), Duration::from_millis(ANSWER_MS));
    let mut left: Vec<Station> = Vec::new();
    let mut missed: Vec<&str> = STATES.iter().map(|station| station.state).filter(|_| kills >= STATES.len()).collect();
    let mut number = 0;
    while number < kills || (!missed.is_empty() && number < kills + 12) {
        if left.is_empty() {
            left = STATES.into_iter().filter(|station| number < kills || missed.contains(&station.state)).collect();
        }
        let chosen = usize::try_from(dice.below(left.len() as u64)).expect("small");
        let Station { state, fails, delays, is_short } = left.remove(chosen);
        let delay = Duration::from_millis(delays.start + dice.below(delays.end - delays.start));
        let moment = Moment { state, fails, delay };
        let before = scene.contents();
        let old = scene.runs();
        number += 1;
        let mut run = start(&scene, is_short.then_some(&road), fails, number as u64);
        if !wait_for(&mut run, &scene, &old, moment) {
            let ran = run.end();
            say(&format!("{number}: the run ended with {} before {moment:?}", ran.code));
            assert!([0, 40].contains(&ran.code), "{}", ran.all());
            continue;
        }
        run.signal(Signal::KILL);
        run.end();
        say(&format!("{number} of {kills}: killed in {moment:?}"));
        let found = end(&scene, &before, &mut dice, moment);
        missed.retain(|state| *state != found);
    }
    assert_eq!(missed, Vec::<&str>::new(), "never killed in these states");
}

#[test]
fn a_run_killed_before_it_had_begun_leaves_nothing() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "early", &[]);
    let mut dice = Dice::new("kill");
    for number in 0..3 {
        let before = scene.contents();
        let mut run = start(&scene, None, false, number);
        // The lease is taken just before the journal is written.
        run.until_soon(|_| (!scene.leases().is_empty()).then_some(()));
        std::thread::sleep(Duration::from_millis(dice.below(20)));
        run.signal(Signal::KILL);
        run.end();
        scene.wait_for_quiet();
        let code = scene.run(&["resume", "shop"]).code;
        say(&format!("early {number}: resume -> exit {code}"));
        // 30: it had not stored its inputs yet, so nothing had begun.
        assert!([0, 30, 40].contains(&code), "{code}");
        scene.assert_tidy();
        if scene.newest().0 == 1 {
            assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
        }
    }
}

#[test]
fn a_helm_that_is_killed_is_undone_by_the_run_itself() {
    let Some(bed) = Bed::open() else { return };
    let kills: usize = env::var("CSGHUB_SOAK_KILLS").ok().map_or(3, |kills| kills.parse().expect("a number"));
    let mut dice = Dice::new("kill");
    let scene = Scene::hubble(&bed, "helm", &[]);
    for number in 0..kills {
        let before = scene.contents();
        let old = scene.runs();
        let mut run = start(&scene, None, false, number as u64);
        let moment =
            Moment { state: "stepping helm-upgrade", fails: false, delay: Duration::from_millis(dice.below(2500)) };
        assert!(wait_for(&mut run, &scene, &old, moment));
        let helms = scene.helms();
        for helm in &helms {
            signal(*helm, Signal::KILL);
        }
        let ran = run.end();
        say(&format!("{} of {kills}: Helm {helms:?} killed in {moment:?} -> exit {}", number + 1, ran.code));
        scene.wait_for_quiet();
        scene.assert_tidy();
        assert_eq!(scene.newest().1, "deployed");
        if ran.code == 0 {
            // It had ended just before.
            continue;
        }
        assert_eq!(ran.code, 40, "{}", ran.all());
        assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
    }
}

#[test]
fn a_helm_that_is_killed_within_the_undo_is_called_again_by_resume() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "undo", &[]);
    let before = scene.contents();
    let old = scene.runs();
    let mut run = start(&scene, None, true, 1);
    let moment = Moment { state: "undoing helm-upgrade", fails: true, delay: Duration::ZERO };
    assert!(wait_for(&mut run, &scene, &old, moment));
    let killed = run.until_soon(|_| scene.helms().first().copied());
    if let Some(helm) = killed {
        signal(helm, Signal::KILL);
    }
    let ran = run.end();
    assert!(killed.is_some(), "the rollback was too fast");
    if ran.code == 41 {
        let ran = ran.says("helm csghub resume shop");
        scene.run(&["resume", "shop"]).expect(40).says_not(&ran.stdout);
    } else {
        assert_eq!(ran.code, 40, "{}", ran.all());
    }
    scene.assert_tidy();
    assert_eq!(scene.newest().1, "deployed");
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new());
}

#[test]
fn a_signal_before_anything_was_changed_ends_with_30() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "early", &[]);
    let before = scene.state_of_all();
    let mut run = scene.start_upgrade(&[]);
    run.until(|_| (!scene.runs().is_empty()).then_some(())).expect("it begins to gather");
    run.signal(Signal::INT);
    run.end().expect(30).says("nothing was changed");
    before.assert_unchanged(&scene);
    assert_eq!(scene.leases(), Vec::<String>::new());
}

/// Whenever it comes, nothing is upgraded in spite of it.
#[test]
fn a_signal_while_the_run_begins_is_not_lost() {
    let Some(bed) = Bed::open() else { return };
    let scene = Scene::hubble(&bed, "begin", &[]);
    let before = scene.contents();
    let mut run = scene.start_upgrade(&[]);
    run.until_soon(|_| (!scene.leases().is_empty()).then_some(())).expect("it begins");
    run.signal(Signal::INT);
    let ran = run.end();
    assert!([30, 40].contains(&ran.code), "{}", ran.all());
    let ran = ran.says("stopped").says_not("revision 2 is deployed");
    assert_eq!(before.differences(&scene.contents(), &[]), Vec::<String>::new(), "{}", ran.all());
    scene.assert_tidy();
}
