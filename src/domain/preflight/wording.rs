//! How findings are worded: lists that end, one-line quotations, commands for this release.

use std::fmt::Display;

use crate::domain::facts::Facts;
use crate::domain::object::ObjectRef;
pub(super) use crate::domain::wording::{counted, is_or_are};

/// A finding names so many things at most; the rest is counted.
const NAMED_AT_MOST: usize = 5;

/// A text of someone else's is quoted up to so many characters.
const QUOTED_AT_MOST: usize = 300;

/// Returns the first five items, and how many more there are.
pub(super) fn list<T: Display>(items: &[T], separator: &str) -> String {
    list_of(items, separator, NAMED_AT_MOST)
}

/// Returns the first `limit` items, and how many more there are.
pub(super) fn list_of<T: Display>(items: &[T], separator: &str, limit: usize) -> String {
    let named = items.iter().take(limit).map(ToString::to_string).collect::<Vec<_>>().join(separator);
    match items.len().saturating_sub(limit) {
        0 => named,
        more => format!("{named}{} and {more} more", separator.trim_end().trim_end_matches(',')),
    }
}

/// Returns the text on one line, without control characters: a cluster's text must neither break the layout nor reach the
/// terminal as an escape sequence.
pub(super) fn on_one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns a text of someone else's on one line, shortened to 300 characters.
pub(super) fn quote(text: &str) -> String {
    let line = on_one_line(text);
    match line.char_indices().nth(QUOTED_AT_MOST) {
        None => line,
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default().trim_end()),
    }
}

/// Returns a command of ours for this release, such as `helm csghub rollback shop 3 -n prod`, in backticks.
pub(super) fn our_command(facts: &Facts, verb: &str, arguments: &str) -> String {
    helm_command(facts, &format!("csghub {verb}"), arguments)
}

/// Returns a command of Helm's for this release, such as `helm uninstall shop -n prod`, in backticks.
pub(super) fn helm_command(facts: &Facts, verb: &str, arguments: &str) -> String {
    let space = if arguments.is_empty() { "" } else { " " };
    format!("`helm {verb} {}{space}{arguments} -n {}`", facts.release, facts.namespace)
}

/// Returns an object as `kubectl` takes it, such as `deployment.apps/web -n prod`.
pub(super) fn kubectl_name(object: &ObjectRef) -> String {
    let kind = object.kind.to_ascii_lowercase();
    let dot = if object.group().is_empty() { "" } else { "." };
    let namespace = object.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"));
    format!("{kind}{dot}{}/{}{namespace}", object.group(), object.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_after_five() {
        assert_eq!(list(&["a", "b"], ", "), "a, b");
        assert_eq!(list(&["a", "b", "c", "d", "e"], ", "), "a, b, c, d, e");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f", "g"], ", "), "a, b, c, d, e and 2 more");
        assert_eq!(list_of(&["a b", "c d", "e f"], "; ", 2), "a b; c d; and 1 more");
    }

    #[test]
    fn a_quotation_is_one_short_line() {
        assert_eq!(quote("  a\n\tb\u{7} c "), "a b c");
        let long = quote(&"ä".repeat(1000));
        assert_eq!((long.chars().count(), long.ends_with("...")), (QUOTED_AT_MOST + 3, true));
    }
}
