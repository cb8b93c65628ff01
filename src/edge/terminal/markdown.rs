//! Markdown for pull requests: what a plan or a rehearsal says, for a page that renders GitHub's or GitLab's flavour.
//!
//! Whatever comes from outside is shown as text: none of it becomes a heading, a link, an image, HTML or a mention.
//! Source of the characters: `CommonMark` 0.31, section 2.4 (any ASCII punctuation may be escaped by a backslash), and GitHub
//! Flavored Markdown, section 4.10 (a `|` ends a cell, even within code).

use std::fmt::Write;

use super::error::{Failure, render_error};
use super::options::Verbosity;
use super::plan::sentence;
use super::style::{Style, plain};
use super::view::View;
use crate::domain::rehearsed::summary::Heading;
use crate::domain::rehearsed::wording::{self, About, Entry, Tone};
use crate::domain::rehearsed::{Rehearsed, RehearsedObject};
use crate::domain::view::PlanView;
use crate::domain::wording::counted;

/// How texts look that have no Markdown form.
const PLAIN: Style = Style { width: 100, colour: false, unicode: true };
/// Characters that one side of a field's change may take.
const VALUE: usize = 300;
/// Entries of one list.
const ENTRIES: usize = 30;
/// Bytes after which a list ends.
const LIST: usize = 4_000;
/// Bytes of the page after which no object's fields are added: GitHub takes comments of 65,536 characters.
const PAGE: usize = 50_000;

/// Returns the view as Markdown.
///
/// A plan and a rehearsal have a form of their own. Of all else the text for people stands in a code block: a pipeline that posts what
/// a command printed must not lose the end of a run because it has no better form.
#[must_use]
pub fn render_markdown(view: View<'_>, verbosity: Verbosity) -> String {
    match view {
        View::Rehearsal(rehearsed) => {
            let (tone, said) = wording::headline(rehearsed);
            let mut page = format!("### {} {}\n", sign(tone), text(&said));
            rehearsal(&mut page, rehearsed, &About::ALL);
            page
        }
        View::Plan(view) => plan(view),
        View::Report(_) | View::Findings(_) | View::Status(_) | View::Verify(_) | View::Profiles(_) => {
            block("text", &view.render(&PLAIN, verbosity))
        }
    }
}

/// Returns an error that ends a command, as text in a code block.
pub(super) fn render_markdown_error(failure: &Failure) -> String {
    block("text", &render_error(&failure.chain(), &failure.hints, &PLAIN))
}

/// Returns a code block that nothing within can end.
fn block(language: &str, content: &str) -> String {
    let fence = fence(content, 3);
    let line_break = if content.ends_with('\n') || content.is_empty() { "" } else { "\n" };
    format!("{fence}{language}\n{content}{line_break}{fence}\n")
}

fn plan(plan: &PlanView) -> String {
    let mut page = format!("### {}\n", text(&plan.title));
    let way_back = match &plan.point_of_no_return {
        Some(point) => format!("⚠️ **Point of no return:** {}", text(point)),
        None => text(&sentence(&plan.way_back)),
    };
    paragraph(&mut page, &way_back);
    if !plan.steps.is_empty() {
        page.push_str("\n| | step | because | undo |\n|---:|---|---|---|\n");
        for (index, step) in plan.steps.iter().enumerate() {
            let cells = [&step.what, &step.because, &step.undo].map(|said| text(said)).join(" | ");
            line(&mut page, &format!("| {} | {cells} |", index + 1));
        }
    }
    if let Some(rehearsed) = &plan.rehearsal {
        let (tone, said) = wording::headline(rehearsed);
        paragraph(&mut page, &format!("**{} {}**", sign(tone), text(&said)));
        // The plan lists its warnings itself.
        rehearsal(&mut page, rehearsed, &About::BUT_WARNINGS);
    } else {
        list(&mut page, "Changes", plan.changes.iter().map(|change| text(change)));
    }
    list(&mut page, "Rules", plan.rules.iter().map(|rule| text(rule)));
    list(&mut page, "Warnings", plan.warnings.iter().map(|warning| format!("⚠️ {}", text(warning))));
    list(&mut page, "Accepted by name", plan.consent.iter().map(|flag| text(flag)));
    page
}

fn rehearsal(page: &mut String, rehearsed: &Rehearsed, lists: &[About]) {
    if let Some(note) = wording::note(rehearsed) {
        paragraph(page, &text(note));
    }
    let counts = rehearsed.counts();
    if !counts.is_empty() {
        let changes = wording::changes(rehearsed);
        page.push_str("\n| | objects | |\n|---|---:|---|\n");
        for (heading, count) in counts {
            let kinds = changes.iter().find(|(of, ..)| *of == heading).map_or("", |(_, _, kinds)| kinds);
            line(page, &format!("| {} | {count} | {} |", heading.word(), text(kinds)));
        }
        if let Some((count, names)) = wording::restarts(rehearsed) {
            line(page, &format!("| restarts | {count} | {} |", text(&names)));
        }
    }
    for about in lists {
        let entries = wording::entries(rehearsed, *about);
        list(page, about.title(), entries.iter().map(entry));
    }
    details(page, rehearsed);
}

fn entry(entry: &Entry<'_>) -> String {
    let help = entry.help.as_ref().map(|help| format!("<br>**help:** {}", text(help))).unwrap_or_default();
    format!("{} {}{help}", sign(entry.tone), text(&entry.text))
}

/// Adds a list under its title, if it has any entry.
fn list(page: &mut String, title: &str, entries: impl ExactSizeIterator<Item = String>) {
    let count = entries.len();
    if count == 0 {
        return;
    }
    paragraph(page, &format!("**{title} ({count})**"));
    page.push('\n');
    let start = page.len();
    let mut told = 0;
    for entry in entries.take(ENTRIES) {
        if page.len() - start > LIST {
            break;
        }
        line(page, &format!("- {entry}"));
        told += 1;
    }
    if told < count {
        line(page, &format!("- and {} more: `-o json` has all", count - told));
    }
}

/// Adds the fields that differ, folded away: one diff an object, as many as fit.
fn details(page: &mut String, rehearsed: &Rehearsed) {
    let differing: Vec<(Heading, &RehearsedObject)> = Heading::ALL
        .into_iter()
        .flat_map(|heading| rehearsed.under(heading).map(move |object| (heading, object)))
        .filter(|(_, object)| !object.changes.is_empty())
        .collect();
    if differing.is_empty() {
        return;
    }
    let objects = counted(differing.len(), "object");
    line(page, &format!("\n<details>\n<summary>Fields of {objects} that differ</summary>"));
    let mut told = 0;
    let mut inner = String::new();
    for (heading, object) in &differing {
        let diff = format!("\n{} {}{}\n\n{}", heading.word(), bold(object), wording::traits(object), diff(object));
        if page.len() + inner.len() + diff.len() > PAGE {
            break;
        }
        inner.push_str(&diff);
        told += 1;
    }
    page.push_str(&inner);
    if told < differing.len() {
        paragraph(page, &format!("and {} more: `-o json` has all", differing.len() - told));
    }
    line(page, "\n</details>");
}

fn bold(object: &RehearsedObject) -> String {
    format!("**{}**", text(&object.object.to_string()))
}

fn diff(object: &RehearsedObject) -> String {
    let mut lines = String::new();
    for change in &object.changes {
        let (before, after) = wording::values(change);
        for (sign, value) in [('-', before), ('+', after)] {
            if let Some(value) = value {
                line(&mut lines, &format!("{sign} {}: {}", plain(&change.path), short(&plain(&value))));
            }
        }
    }
    block("diff", &lines)
}

fn short(value: &str) -> String {
    match value.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Returns text as Markdown that shows just that text, on one line. Commands in backticks stay code.
fn text(from_outside: &str) -> String {
    let told = plain(from_outside);
    let mut shown = String::with_capacity(told.len());
    let mut rest = told.as_str();
    while let Some((before, from)) = rest.split_once('`') {
        let Some((command, after)) = from.split_once('`') else { break };
        shown.push_str(&escaped(before));
        // Two spans that touch would be read as one.
        let is_apart = !shown.ends_with('`') && !after.starts_with('`');
        shown.push_str(&if is_apart { code(command) } else { html_code(command) });
        rest = after;
    }
    shown.push_str(&escaped(rest));
    shown
}

/// Characters that Markdown gives a meaning in the middle of a line: our texts never begin one.
const MEANINGFUL: &str = "\\`*_[]#|~$";

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            // Between the two nothing is shown, and nobody is notified.
            '@' => shown.push_str("@<!-- -->"),
            _ if MEANINGFUL.contains(character) => shown.extend(['\\', character]),
            _ => shown.push(character),
        }
    }
    shown
}

/// Returns a code span. A `|` would end the cell of a table even there, unless it is escaped, and outside of tables the backslash
/// would be seen: so a command with one is HTML.
fn code(command: &str) -> String {
    if command.trim().is_empty() {
        return escaped(command);
    }
    if command.contains('|') { html_code(command) } else { format!("`{command}`") }
}

fn html_code(command: &str) -> String {
    format!("<code>{}</code>", escaped(command).replace("\\|", "&#124;"))
}

/// Returns a fence of backticks longer than any within.
fn fence(content: &str, least: usize) -> String {
    let longest = content.split(|character| character != '`').map(str::len).max().unwrap_or_default();
    "`".repeat(least.max(longest + 1))
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Warning => "⚠️",
        Tone::Unknown => "❔",
        Tone::Bad => "❌",
    }
}

fn paragraph(page: &mut String, text: &str) {
    line(page, &format!("\n{text}"));
}

fn line(page: &mut String, text: &str) {
    // A String takes all that it is given.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use super::*;
    use crate::domain::view::{StatusView, StepView};

    fn markdown<'a>(view: impl Into<View<'a>>) -> String {
        render_markdown(view.into(), Verbosity::Normal)
    }

    #[test]
    fn a_clean_rehearsal_is_a_table_and_folded_diffs() {
        insta::assert_snapshot!(markdown(&samples::clean()));
    }

    #[test]
    fn what_is_refused_stands_above_the_diffs() {
        let mut rehearsed = samples::refused();
        rehearsed.objects.drain(8..258);
        insta::assert_snapshot!(markdown(&rehearsed));
    }

    fn step(what: &str) -> StepView {
        StepView { what: what.into(), because: "a | b".into(), undo: "`helm rollback shop 3 | cat`".into() }
    }

    #[test]
    fn a_plan_is_its_steps_then_its_rehearsal() {
        let mut rehearsed = samples::lossy();
        rehearsed.objects.truncate(6);
        let plan = PlanView {
            title: "shop 1.2.0 -> 1.3.0 in namespace shop".into(),
            steps: vec![step("remove finished Job shop/migrate"), step("helm upgrade (revision 4)")],
            rules: vec!["mirror: 12 changes (no way to the internet), such as Deployment web: mirrored 1 image".into()],
            warnings: vec!["`--no-hooks` is passed on".into()],
            consent: wording::consent(&rehearsed.findings),
            way_back: "2 steps; each can be undone".into(),
            rehearsal: Some(rehearsed),
            ..PlanView::default()
        };
        insta::assert_snapshot!(markdown(&plan));
    }

    #[test]
    fn a_view_without_a_form_of_its_own_is_its_text_in_a_code_block() {
        let status = StatusView { headline: "Release shop ``` is healthy.".into(), ..StatusView::default() };
        let page = markdown(&status);
        assert!(page.starts_with("````text\n") && page.ends_with("````\n"), "{page}");
        assert!(page.contains("Release shop ``` is healthy."), "{page}");
    }

    #[test]
    fn a_comment_is_not_too_long_for_a_pull_request() {
        for (name, rehearsed) in samples::all() {
            let page = markdown(&rehearsed);
            assert!(page.len() < 65_536, "{name}: {} bytes", page.len());
        }
    }

    /// What is left of a page outside of code blocks.
    fn prose(page: &str) -> String {
        let mut prose = String::new();
        let mut fence: Option<String> = None;
        for line in page.lines() {
            match &fence {
                Some(open) if line == open => fence = None,
                Some(_) => {}
                None if line.starts_with("```") => fence = Some(line.chars().take_while(|c| *c == '`').collect()),
                None => writeln!(prose, "{line}").expect("a string"),
            }
        }
        assert!(fence.is_none(), "a code block is left open:\n{page}");
        prose
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let page = markdown(&samples::hostile());
        let prose = prose(&page);
        assert!(!prose.contains('\u{1b}') && !prose.contains('\u{202e}'));
        assert_eq!(prose.lines().filter(|line| line.contains("<details>")).count(), 1, "only our own");
        assert_eq!(prose.lines().filter(|line| *line == "</details>").count(), 1, "only our own");
        for line in prose.lines().filter(|line| line.starts_with("- ❌ ")) {
            let shown = line.trim_start_matches("- ").replace("<br>**help:** ", " ");
            assert_eq!(unmarked(&shown), Some(()), "{line}");
        }
        for line in prose.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.replace("\\|", "").matches('|').count(), 4, "{line}");
        }
    }

    /// Reads past escapes, entities, code and our own comments: nothing else may be there that Markdown reads.
    fn unmarked(shown: &str) -> Option<()> {
        let mut rest = shown;
        'text: while let Some(first) = rest.chars().next() {
            for whole in ["<!-- -->", "<code>", "</code>", "&amp;", "&lt;", "&gt;", "&#124;"] {
                if let Some(after) = rest.strip_prefix(whole) {
                    rest = after;
                    continue 'text;
                }
            }
            rest = rest.strip_prefix(first)?;
            match first {
                '\\' => {
                    let next = rest.chars().next().filter(|next| MEANINGFUL.contains(*next))?;
                    rest = rest.strip_prefix(next)?;
                }
                '`' => {
                    let (command, after) = rest.split_once('`')?;
                    let is_code = !command.is_empty() && !command.contains('|') && !after.starts_with('`');
                    rest = is_code.then_some(after)?;
                }
                '<' | '>' | '&' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '$' => return None,
                _ => {}
            }
        }
        Some(())
    }

    proptest! {
        #[test]
        fn text_has_no_markup_of_its_own(told in "[ -~\\n\u{e9}]{0,60}") {
            let shown = text(&told);
            prop_assert!(!shown.contains('\n'));
            prop_assert_eq!(unmarked(&shown), Some(()), "{}", shown);
        }

        #[test]
        fn nothing_ends_a_code_block(content in "[`\\na]{0,40}") {
            let shown = block("diff", &content);
            let fence = shown.lines().next().expect("a fence").trim_end_matches("diff").to_owned();
            let end = format!("\n{fence}\n");
            prop_assert!(shown.ends_with(&end));
            prop_assert!(!content.lines().any(|line| line.starts_with(&fence)));
        }
    }
}
