//! What tests say while they run.

use std::io::Write as _;

/// Prints a line at once, straight to the file: the test harness keeps what passing tests print.
pub fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// Says loudly that this test is skipped, and why.
pub fn skip(because: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    say(&format!("{test}: skipped: {because}"));
}
