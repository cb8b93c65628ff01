//! What preflight finds, folder by folder.

use std::collections::{BTreeMap, BTreeSet};

use helm_csghub::domain::facts::Answer;
use helm_csghub::domain::preflight::{ALL, Finding, Outcome, ROLLBACK, is_blocked, is_locked, run_all, run_rollback};

use crate::scenario::{self, Scenario};

/// Every outcome that a check can have. A scenario must show each, and none can show another.
const OUTCOMES: &[(&str, &[&str])] = &[
    ("release-exists", &["pass", "fail", "could not tell"]),
    ("run-lock", &["pass", "fail", "could not tell"]),
    ("unfinished-run", &["pass", "fail", "could not tell"]),
    ("release-status", &["pass", "fail", "skip", "could not tell"]),
    ("chart-matches", &["pass", "fail", "skip", "could not tell"]),
    ("not-downgrade", &["pass", "fail", "skip", "could not tell"]),
    ("helm-version", &["pass", "warn", "fail", "could not tell"]),
    ("kube-version", &["pass", "fail", "skip", "could not tell"]),
    ("rights", &["pass", "fail", "could not tell"]),
    ("renders", &["pass", "fail", "could not tell"]),
    ("record-size", &["pass", "warn", "fail", "could not tell"]),
    ("values-kept", &["pass", "fail", "skip", "could not tell"]),
    ("live-objects", &["pass", "warn", "skip", "could not tell"]),
    ("foreign-objects", &["pass", "fail", "could not tell"]),
    ("gitops-owner", &["pass", "fail"]),
    ("workloads-current", &["pass", "warn", "skip", "could not tell"]),
    ("risky-flags", &["pass", "warn"]),
];

fn findings(scenario: &Scenario) -> Vec<Finding> {
    run_all(&scenario.facts, &scenario.waivers).unwrap_or_else(|error| panic!("{}: {error}", scenario.name))
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass { .. } => "pass",
        Outcome::Warn { .. } => "warn",
        Outcome::Fail { .. } => "fail",
        Outcome::Skip { .. } => "skip",
        Outcome::CouldNotTell { .. } => "could not tell",
    }
}

fn explain(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (found, fix) = match &finding.outcome {
            Outcome::Pass { found } => (found, None),
            Outcome::Warn { found, fix } | Outcome::Fail { found, fix } => (found, Some(fix)),
            Outcome::Skip { because } | Outcome::CouldNotTell { because } => (because, None),
        };
        text.push_str(&[word(&finding.outcome), " ", &finding.check, ": ", found, "\n"].concat());
        text.push_str(&fix.map_or_else(String::new, |fix| format!("    fix: {fix}\n")));
        text.push_str(&finding.waived.as_ref().map_or_else(String::new, |reason| format!("    waived: {reason}\n")));
    }
    let end = match (is_blocked(findings), is_locked(findings)) {
        (true, true) => "locked",
        (true, false) => "blocked",
        (false, false) => "goes on",
        (false, true) => "goes on although locked",
    };
    format!("{text}=> {end}\n")
}

#[test]
fn every_scenario_finds_what_its_file_expects() {
    let scenarios = scenario::read_all("preflight");
    assert!(scenarios.len() >= 25, "only {} scenarios were found", scenarios.len());
    let differences: Vec<String> =
        scenarios.iter().filter_map(|scenario| scenario.compare(&explain(&findings(scenario)))).collect();
    assert!(
        differences.is_empty(),
        "{} of {} scenarios differ; UPDATE_EXPECT=1 accepts that\n{}",
        differences.len(),
        scenarios.len(),
        differences.join("\n")
    );
}

#[test]
fn every_outcome_of_every_check_has_a_scenario() {
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for scenario in scenario::read_all("preflight") {
        let findings = findings(&scenario);
        for (finding, check) in findings.iter().zip(ALL) {
            assert_eq!(finding.check, check.id, "{}", scenario.name);
            seen.entry(finding.check.clone()).or_default().insert(word(&finding.outcome));
        }
    }
    assert_eq!(
        OUTCOMES.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        ALL.iter().map(|check| check.id).collect::<Vec<_>>()
    );
    for (id, outcomes) in OUTCOMES {
        assert_eq!(seen.get(*id), Some(&outcomes.iter().copied().collect()), "outcomes of `{id}`");
    }
}

#[test]
fn in_every_scenario_but_the_waived_ones_no_waiver_is_recorded() {
    for scenario in scenario::read_all("preflight").iter().filter(|scenario| scenario.waivers.is_empty()) {
        assert!(findings(scenario).iter().all(|finding| finding.waived.is_none()), "{}", scenario.name);
    }
}

#[test]
fn a_rollback_asks_some_of_the_same_questions_in_the_same_order_and_gets_the_same_answers() {
    let ids: Vec<&str> =
        ALL.iter().map(|check| check.id).filter(|id| ROLLBACK.iter().any(|check| check.id == *id)).collect();
    assert_eq!(ROLLBACK.iter().map(|check| check.id).collect::<Vec<_>>(), ids);
    for scenario in scenario::read_all("preflight") {
        let of_upgrade = findings(&scenario);
        let of_rollback = run_rollback(&scenario.facts, &[]).expect("no waiver, no error");
        assert_eq!(of_rollback.len(), ROLLBACK.len(), "{}", scenario.name);
        for finding in of_rollback {
            let same =
                of_upgrade.iter().find(|other| other.check == finding.check).expect("asked before an upgrade too");
            assert_eq!(finding.outcome, same.outcome, "{}", scenario.name);
        }
    }
}

#[test]
fn a_release_that_is_half_upgraded_may_be_rolled_back() {
    let scenarios = scenario::read_all("preflight");
    for name in ["upgrade-was-killed", "last-upgrade-failed", "workloads-broken-beforehand"] {
        let mut facts = scenarios.iter().find(|scenario| scenario.name == name).expect("the scenario").facts.clone();
        // Before a rollback the target is a revision that Helm has stored: it is always known.
        facts.target = scenarios
            .iter()
            .find_map(|scenario| scenario.facts.target.known().cloned())
            .map(Answer::Known)
            .expect("one");
        assert!(!is_blocked(&run_rollback(&facts, &[]).expect("no waiver, no error")), "{name}");
    }
}
