//! How text may look: width, colours, characters. And what outside text must lose before it is shown.

use anstyle::{AnsiColor, Style as Paint};

/// What the place that text is written to can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// In columns; text is wrapped to it.
    pub width: usize,
    /// Whether ANSI colours may be used. Nothing is told by colour alone.
    pub colour: bool,
    /// Whether characters beyond ASCII may be used for our own marks.
    pub unicode: bool,
}

/// What a line is about, in its first column; ordered from what matters least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// Running, or of no interest.
    None,
    Good,
    Warning,
    CouldNotTell,
    Failure,
}

impl Style {
    pub(super) fn mark(self, mark: Mark) -> String {
        match (mark, self.unicode) {
            (Mark::Good, true) => self.good("✓"),
            (Mark::Good, false) => self.good("+"),
            (Mark::Warning, _) => self.warning("!"),
            (Mark::Failure, true) => self.failure("✗"),
            (Mark::Failure, false) => self.failure("x"),
            (Mark::CouldNotTell, _) => self.failure("?"),
            (Mark::None, _) => " ".to_owned(),
        }
    }

    pub(super) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "..." }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    pub(super) fn failure(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Paint::new().dimmed(), text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint(Paint::new().bold(), text)
    }

    fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{paint}{text}{paint:#}") } else { text.to_owned() }
    }
}

/// Returns `text` on one line, without what would move the cursor, change colours or reorder characters:
/// logs and server messages come from outside, and may carry any of it.
pub(super) fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .filter(|character| !reorders_text(*character))
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// The explicit directional formatting characters. Source: Unicode Standard Annex 9, section 2.
fn reorders_text(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_cannot_steer_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m and\u{7} \u{9b}2J\u{202e}back\rover\n"), "red and  2Jback over");
        assert_eq!(plain("\tindented"), " indented");
        assert_eq!(plain("\u{1b}]0;title\u{7}日本"), "日本");
    }

    #[test]
    fn without_colour_no_escape_is_written() {
        let style = Style { width: 80, colour: false, unicode: true };
        for text in [style.good("a"), style.warning("a"), style.failure("a"), style.dim("a"), style.strong("a")] {
            assert_eq!(text, "a");
        }
    }
}
