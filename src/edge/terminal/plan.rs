//! A plan as text.

use super::layout::{hang, hang_at, headline, text_of};
use super::options::Verbosity;
use super::rehearsal::rehearsal_lines;
use super::style::{Mark, Style};
use crate::domain::rehearsed::wording::About;
use crate::domain::view::PlanView;

/// Changes that are listed unless all are asked for.
const CHANGES: usize = 12;
/// Rows that the rehearsal may take within a plan.
const REHEARSAL_ROWS: usize = 16;

/// Returns the plan: what it is and how far it can be undone in the first lines, what was accepted by name in the last.
#[must_use]
pub fn render_plan(plan: &PlanView, style: &Style, verbosity: Verbosity) -> String {
    let style = *style;
    let mut lines: Vec<String> = headline(style, "", &plan.title);
    lines.extend(way_back(style, plan));
    lines.extend(steps(style, plan));
    match &plan.rehearsal {
        Some(rehearsed) => {
            lines.extend(section(style, "Rehearsal"));
            lines.extend(rehearsal_lines(style, rehearsed, verbosity, REHEARSAL_ROWS, &About::BUT_WARNINGS));
        }
        None => lines.extend(changes(style, plan, verbosity)),
    }
    if !plan.rules.is_empty() {
        lines.extend(section(style, "Rules"));
        lines.extend(plan.rules.iter().flat_map(|rule| hang_at(style, "  ", 4, rule)));
    }
    if !plan.warnings.is_empty() {
        lines.extend(section(style, "Warnings"));
        let mark = format!("  {} ", style.mark(Mark::Warning));
        lines.extend(plan.warnings.iter().flat_map(|warning| hang(style, &mark, warning)));
    }
    if !plan.consent.is_empty() {
        lines.extend(section(style, "Accepted by name"));
        lines.extend(plan.consent.iter().flat_map(|flag| hang_at(style, "  ", 4, flag)));
    }
    text_of(&lines)
}

/// Returns a section's title, after a blank line.
pub(super) fn section(style: Style, title: &str) -> [String; 2] {
    [String::new(), style.strong(title)]
}

fn way_back(style: Style, plan: &PlanView) -> Vec<String> {
    match &plan.point_of_no_return {
        Some(point) => {
            hang_at(style, &format!("{} ", style.mark(Mark::Warning)), 2, &format!("point of no return: {point}"))
        }
        None => hang(style, "", &sentence(&plan.way_back)),
    }
}

/// Returns the text with a capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn steps(style: Style, plan: &PlanView) -> Vec<String> {
    if plan.steps.is_empty() {
        return vec![];
    }
    let mut lines = section(style, "Steps").to_vec();
    for (index, step) in plan.steps.iter().enumerate() {
        lines.extend(hang(style, &format!("{:>3}. ", index + 1), &step.what));
        lines.extend(hang(style, &format!("     {}", style.dim("because  ")), &step.because));
        lines.extend(hang(style, &format!("     {}", style.dim("undo     ")), &step.undo));
    }
    lines
}

fn changes(style: Style, plan: &PlanView, verbosity: Verbosity) -> Vec<String> {
    if plan.changes.is_empty() {
        return vec![];
    }
    let mut lines = section(style, &format!("Changes ({})", plan.changes.len())).to_vec();
    let shown = if verbosity == Verbosity::Verbose { usize::MAX } else { CHANGES };
    lines.extend(plan.changes.iter().take(shown).flat_map(|change| hang_at(style, "  ", 4, change)));
    let hidden = plan.changes.len().saturating_sub(shown);
    if hidden > 0 {
        lines.push(style.dim(&format!("  and {hidden} more: `-v` lists all")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::gallery::gallery;
    use super::super::samples;
    use super::*;
    use crate::domain::view::StepView;

    fn plan() -> PlanView {
        let step = |what: &str, because: &str, undo: &str| StepView {
            what: what.into(),
            because: because.into(),
            undo: undo.into(),
        };
        PlanView {
            title: "Upgrade shop in namespace shop from chart 1.2.0 to 1.3.0".into(),
            steps: vec![
                step("back up database shop", "chart 1.3.0 migrates its schema", "not needed"),
                step(
                    "delete Job shop/migrate",
                    "its spec.template is immutable, and chart 1.3.0 changes it",
                    "create it as it was, suspended",
                ),
                step(
                    "run `helm upgrade`",
                    "chart 1.3.0 was asked for",
                    "`helm rollback` to revision 3, then restore database shop",
                ),
            ],
            way_back: "3 steps; each can be undone".into(),
            point_of_no_return: None,
            rehearsal: None,
            changes: (1..=14)
                .map(|n| format!("change Deployment shop/web-{n}: spec.template.spec.containers[0].image"))
                .collect(),
            rules: vec!["mirror: 12 changes (no way to the internet), such as Deployment web: mirrored 1 image".into()],
            warnings: vec!["`--no-hooks` is passed on: the chart's pre-upgrade hook will not run".into()],
            consent: vec!["--delete job/shop/migrate".into()],
        }
    }

    #[test]
    fn a_plan_says_first_what_it_is_and_last_what_it_needs() {
        insta::assert_snapshot!(gallery(|style| render_plan(&plan(), style, Verbosity::Normal)));
    }

    #[test]
    fn a_rehearsed_plan_shows_the_first_screen_of_its_rehearsal() {
        let plan = PlanView { rehearsal: Some(samples::cured()), ..plan() };
        insta::assert_snapshot!(gallery(|style| render_plan(&plan, style, Verbosity::Normal)));
    }

    #[test]
    fn the_point_of_no_return_stands_in_the_second_line() {
        let style = Style { width: 60, colour: false, unicode: true };
        let plan = PlanView {
            point_of_no_return: Some("step 3, run `helm upgrade`: column orders.note is dropped".into()),
            ..plan()
        };
        let text = render_plan(&plan, &style, Verbosity::Normal);
        assert_eq!(text.lines().nth(1), Some("! point of no return: step 3, run `helm upgrade`: column"));
    }

    #[test]
    fn a_plan_without_steps_says_that_there_is_nothing_to_do() {
        let style = Style { width: 60, colour: false, unicode: true };
        let plan = PlanView {
            title: "Upgrade shop in namespace shop".into(),
            way_back: "nothing to do".into(),
            ..PlanView::default()
        };
        assert_eq!(render_plan(&plan, &style, Verbosity::Normal), "Upgrade shop in namespace shop\nNothing to do.\n");
    }

    #[test]
    fn verbose_lists_every_change() {
        let style = Style { width: 100, colour: false, unicode: true };
        let is_listed = |verbosity| render_plan(&plan(), &style, verbosity).contains("shop/web-14");
        assert!(is_listed(Verbosity::Verbose));
        assert!(!is_listed(Verbosity::Normal));
    }
}
