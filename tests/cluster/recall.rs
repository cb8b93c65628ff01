//! The recall proof: what a rehearsal says of an upgrade, against what then really happens, over a corpus of faulty and clean
//! cases on every Helm. `tests/rehearsal/corpus/README.md` describes the corpus.
//!
//! A subset is played by default; all of it with `CSGHUB_SOAK_RECALL=1` (`scripts/soak --recall`). `CSGHUB_RECALL_ONLY=word`
//! plays the cases whose title has the word, `CSGHUB_RECALL_REPORT=FILE` keeps the table, `CSGHUB_RECALL_THREADS=N` plays N at
//! a time.

mod case;
mod play;
mod real;
mod report;
mod stage;

use std::collections::VecDeque;
use std::env;
use std::sync::{Mutex, PoisonError};

use case::Case;
use report::Row;

use crate::support::Bed;

/// Legal faulty cases and clean cases that the whole corpus has at least.
const LEAST_FAULTY: usize = 120;
const LEAST_CLEAN: usize = 40;

/// How many cases are played at a time.
const THREADS: usize = 3;

#[test]
fn every_cell_of_the_corpus_has_a_case_or_a_reason() {
    let cases = Case::all();
    assert_eq!(report::holes(&cases), Vec::<String>::new());
    let legal = cases.iter().filter(|case| case.not_applicable.is_none());
    let (clean, faulty): (Vec<&Case>, Vec<&Case>) = legal.partition(|case| case.class.is_none());
    assert!(faulty.len() >= LEAST_FAULTY, "{} faulty cases", faulty.len());
    assert!(clean.len() >= LEAST_CLEAN, "{} clean cases", clean.len());
}

#[test]
fn what_a_rehearsal_says_is_what_then_happens() {
    let Some(bed) = Bed::open() else { return };
    let all = Case::all();
    let is_set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let only = is_set("CSGHUB_RECALL_ONLY");
    let is_whole = is_set("CSGHUB_SOAK_RECALL").is_some();
    let chosen: VecDeque<&Case> = all
        .iter()
        .filter(|case| case.not_applicable.is_none())
        .filter(|case| match &only {
            Some(words) => words.split(',').any(|word| case.title().contains(word)),
            None => is_whole || case.is_quick,
        })
        .collect();
    let count = chosen.len();
    let threads = is_set("CSGHUB_RECALL_THREADS").and_then(|text| text.parse().ok()).unwrap_or(THREADS);
    let rows = play_all(&bed, chosen, threads);
    let table = report::markdown(&all, &rows);
    if let Some(path) = is_set("CSGHUB_RECALL_REPORT") {
        std::fs::write(path, &table).expect("the report is written");
    }
    println!("{table}");
    let wrong: Vec<String> = rows
        .iter()
        .filter(|row| !row.wrong.is_empty())
        .map(|row| format!("{} / {}\n    {}", row.name, row.arm.title(), row.wrong.join("\n    ")))
        .collect();
    assert!(wrong.is_empty(), "{} of {count} cases differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 0, "no case was played");
}

/// Plays the cases, some at a time, and returns what came of them in the order of the corpus.
fn play_all(bed: &Bed, cases: VecDeque<&Case>, threads: usize) -> Vec<Row> {
    let waiting = Mutex::new(cases);
    let played = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(case) = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { break };
                    let row = play::play(bed, case);
                    let verdict = if row.wrong.is_empty() { "as rehearsed".to_owned() } else { row.wrong.join("; ") };
                    eprintln!("{} ({:.0} s): {verdict}", case.title(), row.took.as_secs_f64());
                    played.lock().unwrap_or_else(PoisonError::into_inner).push(row);
                }
            });
        }
    });
    let mut rows = played.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by(|one, other| (&one.name, one.arm).cmp(&(&other.name, other.arm)));
    rows
}
