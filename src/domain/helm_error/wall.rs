//! Takes walls of text apart without being led astray by the dumps in them.

/// A value longer than this, in characters, tells a reader nothing.
const VALUE_LIMIT: usize = 60;

/// Where the reader stands in a text: inside quotes, inside how many braces.
#[derive(Default)]
struct Nesting {
    in_quotes: bool,
    is_escaped: bool,
    braces: usize,
}

impl Nesting {
    fn step(&mut self, letter: char) {
        if self.is_escaped {
            self.is_escaped = false;
        } else if self.in_quotes {
            match letter {
                '\\' => self.is_escaped = true,
                '"' => self.in_quotes = false,
                _ => {}
            }
        } else {
            match letter {
                '"' => self.in_quotes = true,
                '{' => self.braces += 1,
                '}' => self.braces = self.braces.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_top(&self) -> bool {
        !self.in_quotes && self.braces == 0
    }
}

/// Returns the pieces of `text` between the separators that stand outside of quotes and braces, where what follows also
/// `starts_piece`. A text whose quotes or braces never close (someone's own words) is split without regard to them.
pub(crate) fn split_top<'a>(text: &'a str, separator: &str, starts_piece: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let mut nesting = Nesting::default();
    text.chars().for_each(|letter| nesting.step(letter));
    let is_balanced = nesting.is_top();

    let mut pieces = Vec::new();
    let mut nesting = Nesting::default();
    let mut start = 0;
    for (at, letter) in text.char_indices() {
        if at >= start
            && (nesting.is_top() || !is_balanced)
            && let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(separator))
            && starts_piece(rest)
        {
            pieces.extend(text.get(start..at));
            start = at + separator.len();
        }
        nesting.step(letter);
    }
    pieces.extend(text.get(start..));
    pieces
}

/// Returns the value at the start of `text`, and what the server says of it: `VALUE: WHAT`.
pub(crate) fn split_value(text: &str) -> (&str, &str) {
    let pieces = split_top(text, ": ", |_| true);
    let value = pieces.first().copied().unwrap_or(text);
    (value, text.get(value.len()..).unwrap_or_default().trim_start_matches(": "))
}

/// Returns the text without the values that are too long to read: `Invalid value: {20 kB}: field is immutable` becomes
/// `field is immutable`, `Invalid value: 99999: out of range` stays.
pub(crate) fn without_dump(reason: &str) -> String {
    const MARK: &str = "Invalid value: ";
    let Some((before, after)) = reason.split_once(MARK) else { return reason.to_owned() };
    let (value, what) = split_value(after);
    if what.is_empty() || (value.chars().count() <= VALUE_LIMIT && !value.contains('{')) {
        return reason.to_owned();
    }
    format!("{before}{what}")
}

/// Returns the text without its value, however short: `Invalid value: 3: field is immutable` becomes `field is immutable`.
/// What decides by words reads this, since a value may hold any word.
pub(crate) fn without_value(reason: &str) -> String {
    const MARK: &str = "Invalid value: ";
    let Some((before, after)) = reason.split_once(MARK) else { return reason.to_owned() };
    let what = split_value(after).1;
    if what.is_empty() { reason.to_owned() } else { format!("{before}{what}") }
}

/// Returns the text between double quotes at the start of `text`, and the rest.
pub(crate) fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// Returns the text between `before` and the next `after`.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_separators_outside_of_quotes_and_braces_count() {
        let text = r#"a {b && "c } && d"} e && f "g \" && h" && i"#;
        assert_eq!(split_top(text, " && ", |_| true), [r#"a {b && "c } && d"} e"#, r#"f "g \" && h""#, "i"]);
    }

    #[test]
    fn quotes_that_never_close_hide_nothing() {
        assert_eq!(split_top("use 5\" disks && more", " && ", |_| true), ["use 5\" disks", "more"]);
    }

    #[test]
    fn short_values_stay_and_dumps_go() {
        assert_eq!(without_dump("Invalid value: 99999: out of range"), "Invalid value: 99999: out of range");
        assert_eq!(without_dump(r#"Invalid value: {"a":"b: {"}: field is immutable"#), "field is immutable");
        let long = format!("Invalid value: \"{}\": too long", "x".repeat(100));
        assert_eq!(without_dump(&long), "too long");
    }
}
