//! Numbers and lists in words, as every text of ours says them.

use std::fmt::Display;

/// Returns `1 object`, `2 objects`: of nouns that take an `s`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns at most `limit` of the names, then `and N more`.
#[must_use]
pub fn some<T: Display>(names: &[T], limit: usize) -> String {
    let told: Vec<String> = names.iter().take(limit).map(ToString::to_string).collect();
    match names.len().saturating_sub(limit) {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// Returns `is` for one, `are` for any other number.
#[must_use]
pub fn is_or_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
