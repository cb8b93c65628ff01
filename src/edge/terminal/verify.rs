//! What `verify` saw, as text.

use super::event::trouble_lines;
use super::layout::{columns, headline, text_of};
use super::options::Verbosity;
use super::plan::section;
use super::style::{Mark, Style};
use crate::domain::rollout::RolloutStatus;
use crate::domain::view::{KindCount, ObjectView, VerifyView};

/// Objects that are listed unless all are asked for.
const OBJECTS: usize = 8;

/// Returns the state of the release in one sentence, its objects counted by status and kind, and what ails those not current.
#[must_use]
pub fn render_verify(verify: &VerifyView, style: &Style, verbosity: Verbosity) -> String {
    let style = *style;
    let mark = verify.not_current.iter().map(|object| mark_of(&object.status)).max().unwrap_or(Mark::Good);
    let mut lines = headline(style, &format!("{} ", style.mark(mark)), &verify.headline);
    lines.extend(columns(style, 2, &counts(&verify.counts)));
    if !verify.not_current.is_empty() {
        lines.extend(section(style, "Not current"));
        let shown = if verbosity == Verbosity::Verbose { usize::MAX } else { OBJECTS };
        lines.extend(verify.not_current.iter().take(shown).flat_map(|object| object_lines(style, object)));
        let hidden = verify.not_current.len().saturating_sub(shown);
        if hidden > 0 {
            lines.push(style.dim(&format!("  and {hidden} more: `-v` lists all")));
        }
    }
    text_of(&lines)
}

type Of = fn(&KindCount) -> usize;

/// Returns one row for each status that some object has: the counts of its kinds.
fn counts(counts: &[KindCount]) -> Vec<(String, String)> {
    let statuses: [(&str, Of); 5] = [
        ("current", |count| count.current),
        ("in progress", |count| count.in_progress),
        ("failed", |count| count.failed),
        ("terminating", |count| count.terminating),
        ("not found", |count| count.not_found),
    ];
    statuses
        .into_iter()
        .filter_map(|(status, of)| {
            let total: usize = counts.iter().map(of).sum();
            let kinds: Vec<String> = counts
                .iter()
                .filter(|count| of(count) > 0)
                .map(|count| format!("{} {}", of(count), count.kind))
                .collect();
            let listed = kinds.join(", ");
            let told = if kinds.len() == 1 { listed } else { format!("{total}: {listed}") };
            (total > 0).then(|| (status.to_owned(), told))
        })
        .collect()
}

fn object_lines(style: Style, object: &ObjectView) -> Vec<String> {
    let said = match &object.status {
        RolloutStatus::Current => "current".to_owned(),
        RolloutStatus::InProgress { waiting_for } => format!("waiting for {waiting_for}"),
        RolloutStatus::Failed { because } => because.clone(),
        RolloutStatus::Terminating => "being deleted".to_owned(),
        RolloutStatus::NotFound => "not found".to_owned(),
    };
    let mark = style.mark(mark_of(&object.status));
    let mut lines = trouble_lines(style, 2, &mark, &format!("{}: {said}", object.object), &[]);
    lines.extend(object.troubles.iter().flat_map(|trouble| trouble_lines(style, 6, "", &trouble.what, &trouble.log)));
    lines
}

fn mark_of(status: &RolloutStatus) -> Mark {
    match status {
        RolloutStatus::Current => Mark::Good,
        RolloutStatus::InProgress { .. } | RolloutStatus::Terminating => Mark::Warning,
        RolloutStatus::Failed { .. } | RolloutStatus::NotFound => Mark::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::super::gallery::{deployment, gallery, object};
    use super::*;
    use crate::domain::object::ObjectRef;
    use crate::domain::view::TroubleView;

    fn view(object: ObjectRef, status: RolloutStatus) -> ObjectView {
        ObjectView { object, status, troubles: vec![] }
    }

    #[test]
    fn what_is_not_current_is_told_with_its_troubles() {
        let trouble = TroubleView {
            what: "CrashLoopBackOff, 3 restarts".into(),
            log: vec!["panic: no such table: orders".into(), "goroutine 1 [running]:".into()],
        };
        let mut objects = vec![
            ObjectView {
                troubles: vec![trouble],
                ..view(deployment("web"), RolloutStatus::InProgress { waiting_for: "1 of 2 replicas ready".into() })
            },
            view(
                object("batch/v1", "Job", "migrate"),
                RolloutStatus::Failed {
                    because: "BackoffLimitExceeded: Job has reached the specified backoff limit".into(),
                },
            ),
            view(object("v1", "PersistentVolumeClaim", "old-data"), RolloutStatus::Terminating),
            view(object("v1", "Service", "web"), RolloutStatus::NotFound),
        ];
        objects.extend((1..=12).map(|n| view(deployment(&format!("worker-{n}")), RolloutStatus::Current)));
        objects.extend((1..=3).map(|n| view(object("v1", "ConfigMap", &format!("c-{n}")), RolloutStatus::Current)));
        let verify =
            VerifyView::new("shop", "shop", "Release shop is not healthy: 4 of 19 objects are not current.", objects);
        insta::assert_snapshot!(gallery(|style| render_verify(&verify, style, Verbosity::Normal)));
    }

    #[test]
    fn a_healthy_release_takes_two_lines() {
        let style = Style { width: 100, colour: false, unicode: true };
        let objects =
            vec![view(deployment("web"), RolloutStatus::Current), view(deployment("api"), RolloutStatus::Current)];
        let verify = VerifyView::new("shop", "shop", "Release shop is healthy.", objects);
        assert_eq!(
            render_verify(&verify, &style, Verbosity::Normal),
            "✓ Release shop is healthy.\n  current  2 Deployment\n"
        );
    }

    #[test]
    fn a_release_on_its_way_has_not_failed() {
        let style = Style { width: 100, colour: false, unicode: true };
        let waiting = RolloutStatus::InProgress { waiting_for: "1 of 2 replicas ready".into() };
        let verify = VerifyView::new("shop", "shop", "1 object is on its way.", vec![view(deployment("web"), waiting)]);
        let text = render_verify(&verify, &style, Verbosity::Normal);
        assert!(text.starts_with("! 1 object is on its way.\n"), "{text}");
    }

    #[test]
    fn verbose_lists_every_object_that_is_not_current() {
        let style = Style { width: 100, colour: false, unicode: true };
        let objects = (1..=10).map(|n| view(deployment(&format!("w{n:02}")), RolloutStatus::NotFound)).collect();
        let verify = VerifyView::new("shop", "shop", "10 objects are gone.", objects);
        let text = render_verify(&verify, &style, Verbosity::Normal);
        assert!(text.ends_with("and 2 more: `-v` lists all\n") && !text.contains("w10"), "{text}");
        assert!(render_verify(&verify, &style, Verbosity::Verbose).contains("w10"));
    }
}
