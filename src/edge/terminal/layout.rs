//! Lines: wrapping with hanging indents, cutting, columns.

use textwrap::core::{Fragment, display_width};
use textwrap::wrap_algorithms::wrap_first_fit;

use super::style::{Style, plain};

/// A word, or a command in backticks with what sticks to it: never broken, so that it can be copied.
#[derive(Debug)]
struct Word<'a>(&'a str);

impl Fragment for Word<'_> {
    #[expect(clippy::cast_precision_loss, reason = "no text has 2^52 columns")]
    fn width(&self) -> f64 {
        display_width(self.0) as f64
    }

    fn whitespace_width(&self) -> f64 {
        1.0
    }

    fn penalty_width(&self) -> f64 {
        0.0
    }
}

/// Wraps `text` to lines of at most `first_room` columns, then `room` columns.
///
/// A word or command that is longer than that gets a line of its own and is left whole: a terminal folds it, and copies it unfolded.
pub(super) fn wrap(text: &str, first_room: usize, room: usize) -> Vec<String> {
    let text = plain(text);
    let words: Vec<Word<'_>> = words(&text).into_iter().map(Word).collect();
    let rooms = [first_room, room].map(|room| f64::from(u32::try_from(room).unwrap_or(u32::MAX)));
    wrap_first_fit(&words, &rooms)
        .into_iter()
        .map(|line| line.iter().map(|word| word.0).collect::<Vec<_>>().join(" "))
        .collect()
}

/// Wraps `text` after `first`, and indents its further lines to the same column. `first` may carry colours.
pub(super) fn hang(style: Style, first: &str, text: &str) -> Vec<String> {
    hang_at(style, first, display_width(first), text)
}

/// Wraps `text` after `first`, and indents its further lines by `indent` columns.
pub(super) fn hang_at(style: Style, first: &str, indent: usize, text: &str) -> Vec<String> {
    let first_room = style.width.saturating_sub(display_width(first));
    let mut lines = wrap(text, first_room, style.width.saturating_sub(indent)).into_iter();
    let mut hung = vec![format!("{first}{}", emphasise(style, &lines.next().unwrap_or_default()))];
    hung.extend(lines.map(|line| format!("{:indent$}{}", "", emphasise(style, &line))));
    hung
}

/// Returns the one sentence that matters most, in bold, wrapped after `first`.
pub(super) fn headline(style: Style, first: &str, text: &str) -> Vec<String> {
    let indent = display_width(first);
    let room = style.width.saturating_sub(indent);
    let line = |(index, line): (usize, String)| {
        let start = if index == 0 { first.to_owned() } else { " ".repeat(indent) };
        format!("{start}{}", style.strong(&line))
    };
    wrap(text, room, room).into_iter().enumerate().map(line).collect()
}

/// Returns one line for each row: its label, padded to the longest, and its value, wrapped beside it.
pub(super) fn columns(style: Style, indent: usize, rows: &[(String, String)]) -> Vec<String> {
    let widest = rows.iter().map(|(label, _)| display_width(label)).max().unwrap_or_default();
    rows.iter()
        .flat_map(|(label, value)| {
            let padding = widest.saturating_sub(display_width(label)) + 2;
            let label = format!("{:indent$}{}{:padding$}", "", style.dim(&plain(label)), "");
            hang(style, &label, value)
        })
        .collect()
}

/// Returns `text` on one line of at most `room` columns; what is cut is marked by an ellipsis.
pub(super) fn shorten(style: Style, text: &str, room: usize) -> String {
    let text = plain(text);
    if display_width(&text) <= room {
        return text;
    }
    let room = room.saturating_sub(display_width(style.ellipsis()));
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if display_width(&kept) > room {
            kept.pop();
            break;
        }
    }
    format!("{}{}", kept.trim_end(), style.ellipsis())
}

/// Keeps the first `rows` lines of a text that has more, and marks where it was cut.
pub(super) fn cut(style: Style, mut lines: Vec<String>, rows: usize) -> Vec<String> {
    if lines.len() > rows {
        lines.truncate(rows);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} {}", last.trim_end(), style.ellipsis());
        }
    }
    lines
}

/// Returns how many rows of a terminal the line takes.
pub(super) fn rows_of(style: Style, line: &str) -> usize {
    display_width(line).div_ceil(style.width.max(1)).max(1)
}

/// Joins lines to a text that ends with a line break; nothing stays nothing.
pub(super) fn text_of(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// Makes commands in backticks bold. A line holds them whole, or not at all.
fn emphasise(style: Style, line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, from)) = rest.split_once('`') {
        let Some((command, after)) = from.split_once('`') else { break };
        text.push_str(before);
        text.push_str(&style.strong(&format!("`{command}`")));
        rest = after;
    }
    text.push_str(rest);
    text
}

/// Splits at spaces that are not within backticks. A backtick that nothing closes is a character like any other.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut is_quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '`' => is_quoted = !is_quoted && text.get(at + 1..).is_some_and(|rest| rest.contains('`')),
            ' ' if !is_quoted => {
                words.extend(text.get(start..at).filter(|word| !word.is_empty()));
                start = at + 1;
            }
            _ => {}
        }
    }
    words.extend(text.get(start..).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STYLE: Style = Style { width: 20, colour: false, unicode: true };

    #[test]
    fn a_command_stays_whole_where_it_fits() {
        assert_eq!(wrap("first run `helm list -a`, then wait", 20, 20), ["first run", "`helm list -a`, then", "wait"]);
    }

    #[test]
    fn a_command_that_is_too_long_gets_a_line_of_its_own() {
        assert_eq!(wrap("run `helm rollback shop 3`: now", 12, 12), ["run", "`helm rollback shop 3`:", "now"]);
    }

    #[test]
    fn a_lone_backtick_does_not_glue_words() {
        assert_eq!(wrap("it's ` odd", 5, 5), ["it's", "` odd"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(shorten(STYLE, "一二三四五六七八九十一", 20), "一二三四五六七八九…");
        assert_eq!(wrap("一二三 四五六", 10, 10), ["一二三", "四五六"]);
    }

    #[test]
    fn a_short_text_is_not_cut() {
        assert_eq!(shorten(STYLE, "as it is", 8), "as it is");
        assert_eq!(shorten(Style { unicode: false, ..STYLE }, "longer than", 8), "longe...");
    }

    #[test]
    fn text_hangs_below_its_own_start() {
        assert_eq!(hang(STYLE, "cause: ", "the field is immutable"), ["cause: the field is", "       immutable"]);
    }

    proptest! {
        #[test]
        fn wrapping_loses_no_word_and_breaks_none(text in "[a-z` /.]{0,80}", room in 1..40_usize) {
            let joined = wrap(&text, room, room).join(" ");
            let squeeze = |text: &str| text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeeze(&joined), squeeze(&text));
        }

        #[test]
        fn only_a_single_word_is_wider_than_the_room(text in "[a-z` ]{0,80}", room in 1..40_usize) {
            for line in wrap(&text, room, room) {
                prop_assert!(display_width(&line) <= room || words(&line).len() == 1, "{line:?}");
            }
        }

        #[test]
        fn a_shortened_text_fits(text in "\\PC{0,60}", room in 3..40_usize) {
            prop_assert!(display_width(&shorten(STYLE, &text, room)) <= room);
        }
    }
}
