//! `release-status`: an upgrade starts from a deployed revision, and from nothing half done.
//!
//! Source of what Helm itself accepts: Helm 4.3.1 `pkg/action/upgrade.go` `prepareUpgrade` and `pkg/cmd/upgrade.go`
//! `isReleaseUninstalled`; the same in 3.22.0.

use jiff::Timestamp;

use crate::domain::facts::{Answer, Facts, RevisionFacts};
use crate::domain::preflight::{Check, Outcome, Waivable, revisions, wording};
use crate::domain::release::ReleaseStatus;

pub(super) const CHECK: Check = Check {
    id: "release-status",
    asks: "Is the newest revision deployed, and no Helm operation half done?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    let Answer::Known(history) = &facts.history else {
        return Outcome::could_not_tell("the history of the release could not be read: see `release-exists`");
    };
    let Some(newest) = revisions::newest(history) else {
        return Outcome::skip("there is no release yet");
    };
    let last_good = revisions::last_good(history);
    match newest.status {
        ReleaseStatus::Deployed => Outcome::pass(format!("revision {} is deployed", newest.revision)),
        ReleaseStatus::PendingInstall => pending(facts, newest, last_good, "an install"),
        ReleaseStatus::PendingUpgrade => pending(facts, newest, last_good, "an upgrade"),
        ReleaseStatus::PendingRollback => pending(facts, newest, last_good, "a rollback"),
        ReleaseStatus::Failed => failed(facts, newest, last_good),
        ReleaseStatus::Uninstalling => Outcome::fail(
            format!(
                "revision {}: an uninstall has been running since {}{}, or was killed",
                newest.revision,
                newest.deployed_at,
                age(&newest.deployed_at, &facts.gathered_at)
            ),
            format!(
                "let {} end the removal, then install anew with `--install`",
                wording::helm_command(facts, "uninstall", "")
            ),
        ),
        ReleaseStatus::Uninstalled => Outcome::fail(
            format!("the release was uninstalled and its history kept, up to revision {}", newest.revision),
            format!(
                "bring it back with {}; or clear the history with {} and install anew",
                wording::our_command(facts, "rollback", &newest.revision.to_string()),
                wording::helm_command(facts, "uninstall", "")
            ),
        ),
        ReleaseStatus::Superseded => Outcome::fail(
            format!("revision {} is the newest and superseded: the one that took its place is lost", newest.revision),
            format!("deploy it again: {}", wording::our_command(facts, "rollback", &newest.revision.to_string())),
        ),
        ReleaseStatus::Unknown => Outcome::could_not_tell(format!(
            "revision {} has a status that Helm 3.17 to 4.3 do not know; {} shows it",
            newest.revision,
            wording::helm_command(facts, "history", "")
        )),
    }
}

fn pending(facts: &Facts, newest: &RevisionFacts, last_good: Option<&RevisionFacts>, operation: &str) -> Outcome {
    let found = format!(
        "revision {} is {}: {operation} has been running since {}{}, or was killed; Helm refuses to upgrade it",
        newest.revision,
        newest.status,
        newest.deployed_at,
        age(&newest.deployed_at, &facts.gathered_at)
    );
    let way_out = match last_good {
        Some(good) => format!(
            "{} (the last good one is {})",
            wording::our_command(facts, "rollback", &good.revision.to_string()),
            described(good)
        ),
        None => format!(
            "{}, then install anew: no earlier revision was ever deployed",
            wording::helm_command(facts, "uninstall", "")
        ),
    };
    Outcome::fail(found, first_end_the_run(facts).unwrap_or(format!("once no `helm` runs on it any more: {way_out}")))
}

fn failed(facts: &Facts, newest: &RevisionFacts, last_good: Option<&RevisionFacts>) -> Outcome {
    let description = wording::quote(&newest.description);
    let cause = if description.is_empty() { String::new() } else { format!(": {description}") };
    let Some(good) = last_good else {
        return Outcome::fail(
            format!(
                "revision {} failed and may be half applied; no earlier one was ever deployed{cause}",
                newest.revision
            ),
            format!(
                "remove it with {} and install anew; or go on from it: `--waive release-status=REASON`",
                wording::helm_command(facts, "uninstall", "")
            ),
        );
    };
    let base = if good.status == ReleaseStatus::Deployed {
        format!("Helm would upgrade from {}, not from what is there", described(good))
    } else {
        "no revision is deployed: Helm would upgrade from the failed one".to_owned()
    };
    Outcome::fail(
        format!("revision {} failed and may be half applied; {base}{cause}", newest.revision),
        first_end_the_run(facts).unwrap_or(wording::our_command(facts, "rollback", &good.revision.to_string())),
    )
}

/// A run of ours that left the release so has the way back in its journal; `rollback` to a revision is refused until then.
fn first_end_the_run(facts: &Facts) -> Option<String> {
    let runs = facts.unfinished_runs.known().filter(|runs| !runs.is_empty())?;
    let check = if runs.iter().all(|run| run.is_owner_gone) { "unfinished-run" } else { "run-lock" };
    Some(format!("a run of ours is not finished, and knows the way: see `{check}`"))
}

fn described(revision: &RevisionFacts) -> String {
    format!("revision {}, {} {}", revision.revision, revision.chart.name, revision.chart.version)
}

/// Returns ` (40 min)`; nothing where one of the times does not parse, or the first is the later one.
fn age(since: &str, until: &str) -> String {
    let (Ok(since), Ok(until)) = (since.parse::<Timestamp>(), until.parse::<Timestamp>()) else {
        return String::new();
    };
    match until.as_second() - since.as_second() {
        ..0 => String::new(),
        seconds @ 0..120 => format!(" ({seconds} s)"),
        seconds @ 120..7_200 => format!(" ({} min)", seconds / 60),
        seconds @ 7_200..172_800 => format!(" ({} h)", seconds / 3_600),
        seconds => format!(" ({} days)", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_reads_as_a_person_would_say_it() {
        let until = "2026-03-02T10:00:00Z";
        for (since, said) in [
            ("2026-03-02T09:59:01.5+00:00", " (59 s)"),
            ("2026-03-02T10:30:00+01:00", " (30 min)"),
            ("2026-03-01T09:00:00Z", " (25 h)"),
            ("2026-02-20T10:00:00Z", " (10 days)"),
            ("2026-03-02T10:00:01Z", ""),
            ("yesterday", ""),
        ] {
            assert_eq!(age(since, until), said, "{since}");
        }
    }
}
