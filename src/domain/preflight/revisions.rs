//! Which revision of a release counts: the newest, the one that Helm upgrades from, the one to go back to.

use crate::domain::facts::RevisionFacts;
use crate::domain::release::ReleaseStatus;

/// Returns the revision with the highest number.
#[must_use]
pub fn newest(history: &[RevisionFacts]) -> Option<&RevisionFacts> {
    history.iter().max_by_key(|revision| revision.revision)
}

/// Returns the revision that Helm takes as the base of an upgrade: the newest deployed one, else the newest of all.
///
/// Source: Helm 4.3.1 `pkg/action/upgrade.go`, `prepareUpgrade`. Helm itself refuses if none is deployed and the newest is
/// neither `failed` nor `superseded`; the check `release-status` says so.
#[must_use]
pub fn base(history: &[RevisionFacts]) -> Option<&RevisionFacts> {
    newest_with(history, ReleaseStatus::Deployed).or_else(|| newest(history))
}

/// Returns the revision to go back to from the newest: the newest earlier one that is deployed, else one that was.
#[must_use]
pub fn last_good(history: &[RevisionFacts]) -> Option<&RevisionFacts> {
    let newest = newest(history)?.revision;
    let earlier = |status| {
        history
            .iter()
            .filter(|revision| revision.revision < newest && revision.status == status)
            .max_by_key(|revision| revision.revision)
    };
    earlier(ReleaseStatus::Deployed).or_else(|| earlier(ReleaseStatus::Superseded))
}

/// Returns the newest revision of that chart version that was once deployed.
#[must_use]
pub fn newest_of_version<'a>(history: &'a [RevisionFacts], chart_version: &str) -> Option<&'a RevisionFacts> {
    history
        .iter()
        .filter(|revision| matches!(revision.status, ReleaseStatus::Deployed | ReleaseStatus::Superseded))
        .filter(|revision| revision.chart.version == chart_version)
        .max_by_key(|revision| revision.revision)
}

fn newest_with(history: &[RevisionFacts], status: ReleaseStatus) -> Option<&RevisionFacts> {
    history.iter().filter(|revision| revision.status == status).max_by_key(|revision| revision.revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chart::ChartMetadata;
    use ReleaseStatus::{Deployed, Failed, PendingUpgrade, Superseded};

    fn history(statuses: &[ReleaseStatus]) -> Vec<RevisionFacts> {
        (1..)
            .zip(statuses)
            .map(|(revision, status)| RevisionFacts {
                revision,
                status: *status,
                chart: ChartMetadata {
                    name: "shop".into(),
                    version: "1.0.0".into(),
                    app_version: None,
                    kube_version: None,
                },
                description: String::new(),
                deployed_at: String::new(),
                resource_version: String::new(),
            })
            .collect()
    }

    fn number(revision: Option<&RevisionFacts>) -> Option<u32> {
        revision.map(|revision| revision.revision)
    }

    #[test]
    fn helm_upgrades_from_the_last_deployed_revision_even_if_a_later_one_failed() {
        assert_eq!(number(base(&history(&[Superseded, Deployed, Failed, Failed]))), Some(2));
        assert_eq!(number(base(&history(&[Superseded, Deployed]))), Some(2));
    }

    #[test]
    fn helm_upgrades_from_the_newest_revision_if_none_is_deployed() {
        assert_eq!(number(base(&history(&[Superseded, Failed]))), Some(2));
        assert_eq!(number(base(&[])), None);
    }

    #[test]
    fn the_way_back_is_a_revision_that_was_once_deployed_and_never_the_newest() {
        assert_eq!(number(last_good(&history(&[Superseded, Deployed, PendingUpgrade]))), Some(2));
        assert_eq!(number(last_good(&history(&[Superseded, Superseded, Failed, Failed]))), Some(2));
        assert_eq!(number(last_good(&history(&[Deployed]))), None);
        assert_eq!(number(last_good(&history(&[Failed, Failed]))), None);
    }

    #[test]
    fn revisions_count_by_number_whatever_their_order() {
        let mut backwards = history(&[Superseded, Deployed, Failed]);
        backwards.reverse();
        assert_eq!((number(newest(&backwards)), number(base(&backwards))), (Some(3), Some(2)));
    }
}
