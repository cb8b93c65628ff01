//! Where a release stands, as text.

use super::layout::{columns, hang_at, headline, text_of};
use super::plan::section;
use super::style::Style;
use crate::domain::view::StatusView;

/// Returns the state of the release in one sentence, its rows, and what can be done now.
#[must_use]
pub fn render_status(status: &StatusView, style: &Style) -> String {
    let style = *style;
    let mut lines: Vec<String> = headline(style, "", &status.headline);
    let release = ("release".to_owned(), format!("{}, namespace {}", status.release, status.namespace));
    // An overview is of no one release.
    let release = (!status.release.is_empty()).then_some(release);
    let rows: Vec<(String, String)> = release.into_iter().chain(status.rows.iter().cloned()).collect();
    lines.extend(columns(style, 2, &rows));
    if !status.next.is_empty() {
        lines.extend(section(style, "Next"));
        lines.extend(status.next.iter().flat_map(|next| hang_at(style, "  ", 4, next)));
    }
    text_of(&lines)
}

#[cfg(test)]
mod tests {
    use super::super::gallery::gallery;
    use super::*;

    #[test]
    fn a_status_says_the_state_the_details_and_what_can_be_done() {
        let row = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        let status = StatusView {
            release: "shop".into(),
            namespace: "shop".into(),
            headline: "An upgrade to chart 1.3.0 was interrupted in step 3 of 7.".into(),
            rows: vec![
                row("revision", "4, pending-upgrade"),
                row("run", "20260728-0312-shop, owner gone since 03:12 UTC"),
                row("done", "back up database shop; delete Job shop/migrate"),
            ],
            next: vec![
                "go on: `helm csghub resume shop -n shop`".into(),
                "go back: `helm csghub rollback shop 3 -n shop`".into(),
            ],
        };
        insta::assert_snapshot!(gallery(|style| render_status(&status, style)));
    }
}
