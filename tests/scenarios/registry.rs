//! The registry of checks, their files and their documentation say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use helm_csghub::domain::preflight::{ALL, ROLLBACK, Waivable};

use crate::scenario::read;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_in_checks_is_a_registered_check_of_that_name() {
    let files: BTreeSet<String> = fs::read_dir(here().join("src/domain/preflight/checks"))
        .expect("the folder of the checks")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|file| file != "mod.rs")
        .collect();
    let registered: BTreeSet<String> = ALL.iter().map(|check| format!("{}.rs", check.id.replace('-', "_"))).collect();
    assert_eq!(files, registered);
    assert_eq!(ALL.len(), registered.len(), "an id is registered twice");
}

#[test]
fn every_check_asks_one_question() {
    for check in ALL {
        assert!(check.asks.ends_with('?') && check.asks.matches('?').count() == 1, "{}: {}", check.id, check.asks);
        assert!(check.id.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'), "{}", check.id);
    }
}

#[test]
fn the_documentation_has_a_row_for_every_check_in_their_order() {
    let documentation = read(&here().join("docs/checks.md"));
    let rows: Vec<Vec<&str>> = documentation
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), ALL.len(), "rows and checks");
    for (row, check) in rows.iter().zip(ALL) {
        let waivable = match check.waivable {
            Waivable::Yes => "yes".to_owned(),
            Waivable::Never { because } => format!("never: {because}"),
        };
        assert_eq!(row.len(), 5, "{}: columns", check.id);
        assert_eq!((row[0], row[1], row[4]), (format!("`{}`", check.id).as_str(), check.asks, waivable.as_str()));
        assert!(!row[2].is_empty() && !row[3].is_empty(), "{}: an empty column", check.id);
    }
}

#[test]
fn the_documentation_names_the_checks_before_a_rollback() {
    let documentation = read(&here().join("docs/checks.md"));
    let (_, after) = documentation.split_once("Before a rollback only ").expect("the sentence");
    let (sentence, _) = after.split_once(" are asked").expect("its end");
    let named: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, ROLLBACK.iter().map(|check| check.id).collect::<Vec<_>>());
}
