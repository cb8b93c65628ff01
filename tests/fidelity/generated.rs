//! Generated manifests in every style, with random edits: thousands of them, from a seed that is printed. What fails is made smaller: edits
//! and lines go as long as it still fails.

use std::cell::RefCell;
use std::env;

use proptest::prelude::Rng as _;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::edits::{EVERY, Edit, edited_where};
use crate::judge::{Session, Verdict, judge, say};
use crate::manifests::{Dice, KEYS, NAMES, WORDS, any_stream};
use crate::places::strays;
use crate::real::documents;

fn any_edit(dice: &mut Dice, document: &Value) -> Edit {
    let mut path = vec![(*dice.pick(&["metadata", "data", "spec", "extra"])).to_owned()];
    if path[0] == "metadata" {
        path.push((*dice.pick(&["labels", "annotations"])).to_owned());
    }
    // Mostly along what is there.
    while path.last().is_some_and(|last| last == EVERY) || !dice.one_in(3) {
        let here = path.iter().try_fold(document, |value, key| match value {
            Value::Array(items) if key == EVERY => items.iter().rfind(|item| item.is_object()).or(items.first()),
            _ => value.get(key),
        });
        if here.is_some_and(Value::is_array) && !dice.one_in(4) {
            path.push(EVERY.to_owned());
            continue;
        }
        let keys: Vec<&String> = here.and_then(Value::as_object).map(|map| map.keys().collect()).unwrap_or_default();
        let key = if keys.is_empty() || dice.one_in(3) {
            (*dice.pick(&KEYS)).to_owned()
        } else {
            (*dice.pick(&keys)).clone()
        };
        path.push(key);
    }
    any_edit_at(dice, path)
}

fn any_edit_at(dice: &mut Dice, path: Vec<String>) -> Edit {
    match dice.below(6) {
        0 => Edit::Remove(path),
        1 => Edit::Add(path, json!(*dice.pick(&WORDS))),
        2 => Edit::Without(path, (*dice.pick(&WORDS)).to_owned()),
        3 => Edit::Set(path, json!(dice.below(9))),
        _ => Edit::Set(path, json!(*dice.pick(&WORDS))),
    }
}

/// Returns an edit, or some that may meet in one place.
fn any_edits(dice: &mut Dice, document: &Value) -> Vec<Edit> {
    let count = *dice.pick(&[1, 1, 2, 3]);
    let mut edits: Vec<Edit> = Vec::new();
    let mut so_far = document.clone();
    for _ in 0..count {
        let mut edit = any_edit(dice, &so_far);
        // Mostly one that fits.
        for _ in 0..8 {
            let fits = edit.expected(&so_far).is_some_and(|new| new != so_far);
            if fits || dice.one_in(8) {
                break;
            }
            edit = any_edit(dice, &so_far);
        }
        if let Some(last) = edits.last().filter(|_| dice.one_in(3)) {
            edit = any_edit_at(dice, last.path().to_vec());
        }
        so_far = edit.expected(&so_far).unwrap_or(so_far);
        edits.push(edit);
    }
    edits
}

/// A stream and the edits of its documents.
#[derive(Debug, Clone)]
struct Case {
    text: String,
    edits: Vec<Edit>,
    /// The objects of that name are edited, or all.
    name: Option<&'static str>,
    is_odd: bool,
}

fn any_case(dice: &mut Dice) -> Case {
    let stream = any_stream(dice);
    let chosen = dice.below(stream.objects.len());
    let object = &stream.objects[chosen];
    let object = object.pointer("/items/0").unwrap_or(object);
    let edits = any_edits(dice, object);
    let name = (stream.objects.len() > 1 || dice.one_in(4)).then_some(NAMES[chosen]);
    Case { text: stream.text, edits, name, is_odd: stream.is_odd }
}

/// Makes cases, and smaller ones of one that fails.
#[derive(Debug)]
struct Cases;

#[derive(Debug)]
struct Smaller {
    /// The smallest one that fails so far.
    fails: Case,
    tried: Case,
    /// The edit that goes next.
    edit: usize,
    /// The line that goes next, and how many with it.
    line: usize,
    lines: usize,
}

impl Strategy for Cases {
    type Tree = Smaller;
    type Value = Case;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let case = any_case(&mut Dice(runner.rng().next_u64()));
        let lines = case.text.lines().count();
        Ok(Smaller { tried: case.clone(), fails: case, edit: 0, line: 0, lines })
    }
}

impl ValueTree for Smaller {
    type Value = Case;

    fn current(&self) -> Case {
        self.tried.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.tried.edits.len() < self.fails.edits.len() {
            self.edit -= 1;
        } else if self.tried.text.len() < self.fails.text.len() {
            self.line -= self.lines;
        }
        self.fails = self.tried.clone();
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.tried = self.fails.clone();
        self.next()
    }
}

impl Smaller {
    /// Takes the next edit or lines out of what fails; tells whether there are any.
    fn next(&mut self) -> bool {
        if self.fails.edits.len() > 1 && self.edit < self.fails.edits.len() {
            self.tried.edits.remove(self.edit);
            self.edit += 1;
            return true;
        }
        let lines: Vec<&str> = self.fails.text.split_inclusive('\n').collect();
        while self.line >= lines.len() {
            self.line = 0;
            if self.lines <= 1 {
                return false;
            }
            self.lines /= 2;
        }
        let past = (self.line + self.lines).min(lines.len());
        self.tried.text = [&lines[..self.line], &lines[past..]].concat().concat();
        self.line += self.lines;
        true
    }
}

/// What became of the cases.
#[derive(Debug, Default)]
struct Counts {
    valid: usize,
    several: usize,
    made: usize,
    unfit: usize,
    refused: usize,
    odd: usize,
    odd_refused: usize,
}

/// Returns what a document means after all edits, each in what those before it made, and whether any of them changes it; nothing if one
/// does not fit.
fn expected(case: &Case, document: &Value) -> Option<(Value, bool)> {
    case.edits.iter().try_fold((document.clone(), false), |(old, is_changed), edit| {
        let new = edit.expected_of(&old, case.name)?;
        let is_changed = is_changed || new != old;
        Some((new, is_changed))
    })
}

fn check(case: &Case, judge: &mut Session, counts: &mut Counts) -> Result<(), String> {
    let old = documents(&case.text);
    let before: Result<Vec<Value>, String> = old.iter().map(|document| judge.decode(document)).collect();
    let Ok(before) = before else { return Ok(()) };
    if before.iter().all(Value::is_null) {
        return Ok(());
    }
    counts.valid += 1;
    counts.odd += usize::from(case.is_odd);
    counts.several += usize::from(before.iter().filter(|value| !value.is_null()).count() > 1);
    let expected: Option<Vec<(Value, bool)>> = before.iter().map(|document| expected(case, document)).collect();
    let edits: Vec<&Edit> = case.edits.iter().collect();
    let output = match (edited_where(case.text.as_bytes(), &edits, case.name), &expected) {
        (Ok(output), Some(_)) => String::from_utf8(output).map_err(|error| error.to_string())?,
        (Ok(output), None) => {
            return Err(format!("the edits do not fit, and came to\n{}", String::from_utf8_lossy(&output)));
        }
        (Err(error), _) if !error.starts_with("document ") || !error.contains(", line ") => return Err(error),
        (Err(_), None) => {
            counts.unfit += 1;
            return Ok(());
        }
        (Err(_), Some(_)) => {
            counts.refused += usize::from(!case.is_odd);
            counts.odd_refused += usize::from(case.is_odd);
            return Ok(());
        }
    };
    counts.made += 1;
    let new = documents(&output);
    if new.len() != old.len() {
        return Err(format!("{} documents became {}\n{output}", old.len(), new.len()));
    }
    let all = old.iter().zip(&new).zip(before.iter().zip(expected.unwrap_or_default()));
    for ((old, new), (before, (expected, is_changed))) in all {
        match (old == new, is_changed) {
            (true, _) if *before == expected => continue,
            (false, false) => return Err(format!("nothing was to change, and it became\n{new}")),
            _ => {}
        }
        let after: Verdict = judge.decode(new);
        if after.as_ref() != Ok(&expected) {
            return Err(format!("{after:?}\nand not {expected}\n{new}"));
        }
        if let Some(what) = strays(old, new, before, &edits, case.name) {
            return Err(format!("{what}\n{new}"));
        }
    }
    Ok(())
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[test]
fn generated_documents_mean_what_they_meant_with_the_edit() {
    let Some(judge) = judge() else { return };
    let all = number("CSGHUB_FIDELITY_DOCUMENTS", 2_000);
    let seed = number("CSGHUB_FIDELITY_SEED", 20_261_121);
    let cases = u32::try_from(all).expect("a number of streams");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 5_000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let state = RefCell::new((Session::open(judge), Counts::default()));
    let outcome = runner.run(&Cases, |case| {
        let (judge, counts) = &mut *state.borrow_mut();
        check(&case, judge, counts).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, Case { text, edits, name, .. })) => {
            panic!("seed {seed}: {edits:?} of {}\n{text:?}\n{text}\n--- {why}", name.unwrap_or("all"))
        }
        Err(error) => panic!("seed {seed}: {error}"),
    }
    let Counts { valid, several, made, unfit, refused, odd, odd_refused } = state.into_inner().1;
    say(&format!(
        "fidelity: seed {seed}: {all} streams generated, {valid} of them YAML to Go, {several} of several documents, {made} edited as meant, \
         {unfit} edits did not fit, {refused} refused, {odd_refused} of {odd} with aliases, merges, tags or equal keys, 0 changes of meaning, \
         no other line changed"
    ));
    assert!(refused * 20 < valid - odd, "{refused} of {} were refused", valid - odd);
    assert!(odd_refused * 2 < odd, "{odd_refused} of {odd} odd ones were refused");
}
