//! Numbers in words, as every text of ours says them.

/// Returns `1 object`, `2 objects`: of nouns that take an `s`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns `is` for one, `are` for any other number.
#[must_use]
pub fn is_or_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}
