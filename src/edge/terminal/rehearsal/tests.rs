use proptest::prelude::*;
use serde_json::json;
use textwrap::core::display_width;

use super::super::gallery::gallery_of_widths;
use super::super::samples;
use super::*;

const PLAIN: Style = Style { width: 80, colour: false, unicode: true };

fn snapshot(name: &str, rehearsed: &Rehearsed) {
    insta::assert_snapshot!(name, gallery_of_widths(|style| render_rehearsal(rehearsed, style, Verbosity::Normal)));
}

#[test]
fn a_clean_upgrade_is_counted_and_no_more() {
    snapshot("clean", &samples::clean());
}

#[test]
fn what_the_plan_cures_is_said_to_be_cured() {
    snapshot("cured", &samples::cured());
}

#[test]
fn what_is_refused_comes_before_what_is_unpredictable_and_warnings() {
    snapshot("refused", &samples::refused());
}

#[test]
fn loss_of_data_and_foreign_deletions_have_lists_of_their_own() {
    snapshot("lossy", &samples::lossy());
}

#[test]
fn any_command_is_told_with_what_was_not_let_through() {
    snapshot("uninstall", &samples::uninstall());
}

#[test]
fn a_command_that_failed_for_itself_is_told_with_its_problem() {
    snapshot("ended-badly", &samples::ended_badly());
}

#[test]
fn a_rehearsal_as_helm_says_that_it_stopped_early() {
    snapshot("as-helm", &samples::as_helm());
}

#[test]
fn quiet_tells_the_first_line_and_what_needs_a_person() {
    let shown = |(name, rehearsed): &(&str, Rehearsed)| {
        format!("==== {name} ====\n{}", render_rehearsal(rehearsed, &PLAIN, Verbosity::Quiet))
    };
    let quiet: String = samples::all().iter().filter(|(name, _)| *name != "hostile").map(shown).collect();
    insta::assert_snapshot!(quiet);
}

#[test]
fn verbose_lists_each_object_with_its_fields() {
    let mut rehearsed = samples::refused();
    rehearsed.objects.drain(22..258);
    insta::assert_snapshot!(gallery_of_widths(|style| render_rehearsal(&rehearsed, style, Verbosity::Verbose)));
}

#[test]
fn verbose_hides_nothing() {
    for (name, rehearsed) in samples::all() {
        let text = render_rehearsal(&rehearsed, &Style { width: 200, ..PLAIN }, Verbosity::Verbose);
        for object in rehearsed.objects.iter().map(|object| &object.object) {
            assert!(text.contains(&object.to_string()), "{name}: {object} is not listed");
        }
        assert!(!text.contains("shows all") && !text.contains("also shows"), "{name}");
    }
}

#[test]
fn a_first_screen_has_25_rows_and_keeps_the_first_refusal() {
    for (name, rehearsed) in samples::all() {
        for width in [40, 60, 80, 100, 200] {
            for verbosity in [Verbosity::Quiet, Verbosity::Normal] {
                let style = Style { width, ..PLAIN };
                let text = render_rehearsal(&rehearsed, &style, verbosity);
                let rows: usize = text.lines().map(|line| rows_of(style, line)).sum();
                assert!(rows <= ROWS, "{name}: {rows} rows at {width}:\n{text}");
                let refusal =
                    rehearsed.findings.iter().find(|finding| finding.needs_a_person() && finding.is_refusal());
                assert!(refusal.is_none_or(|first| text.contains(&first.object.name)), "{name} at {width}:\n{text}");
            }
        }
    }
}

#[test]
fn lists_that_do_not_fit_say_how_much_they_hide() {
    let mut many = samples::refused();
    let first = many.findings[0].clone();
    many.findings.extend((0..30).map(|n| {
        let mut finding = first.clone();
        finding.object.name = format!("job-{n}");
        finding
    }));
    let text = render_rehearsal(&many, &PLAIN, Verbosity::Normal);
    assert!(text.contains("Refused (32)\n") && text.contains(" more: `-v` shows all\n"), "{text}");
    assert!(text.ends_with("`-v` also shows: Unpredictable (1), Warnings (1)\n"), "{text}");
}

proptest! {
    #[test]
    fn two_values_that_differ_are_shown_to_differ(start in "[a-z]{0,200}", old in "[a-z]{1,40}", new in "[A-Z]{1,40}",
        end in "[a-z]{0,200}", width in 40..120_usize) {
        let change = FieldChange {
            path: "spec.x".into(),
            before: Some(json!(format!("{start}{old}{end}"))),
            after: Some(json!(format!("{start}{new}{end}"))),
        };
        let lines = field_lines(Style { width, ..PLAIN }, 6, &change);
        prop_assert!(lines.iter().all(|line| display_width(line) <= width), "{lines:?}");
        if let [_, before, after] = lines.as_slice() {
            prop_assert_ne!(before.trim_start_matches([' ', '-']), after.trim_start_matches([' ', '-', '>']));
        }
    }
}
