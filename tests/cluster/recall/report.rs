//! The table of all cases and the sums.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use helm_csghub::domain::rehearsed::Class;
use serde::Deserialize;

use super::case::{Arm, Case, Verb, corpus};
use super::play::Fault;

/// A case that was played.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) arm: Arm,
    pub(super) class: Option<Class>,
    pub(super) verb: Verb,
    pub(super) is_hook: bool,
    pub(super) ours: String,
    pub(super) real: String,
    pub(super) dry_run: String,
    pub(super) real_faults: Vec<Fault>,
    pub(super) missed: Vec<Fault>,
    pub(super) false_alarms: Vec<Fault>,
    /// How many objects, and how many changed fields, were compared with the real ones.
    pub(super) objects: usize,
    pub(super) fields: usize,
    /// How many objects were compared whole with what they were within the rehearsal.
    pub(super) contents: usize,
    /// Every difference; empty if all is as it was said.
    pub(super) wrong: Vec<String>,
    pub(super) took: Duration,
}

impl Row {
    /// Returns the row of a case of which nothing is known yet.
    pub(super) fn of(case: &Case) -> Self {
        Self {
            name: case.name.clone(),
            about: case.about.clone(),
            arm: case.arm,
            class: case.class,
            verb: case.verb,
            is_hook: case.is_hook,
            ours: String::new(),
            real: String::new(),
            dry_run: String::new(),
            real_faults: Vec::new(),
            missed: Vec::new(),
            false_alarms: Vec::new(),
            objects: 0,
            fields: 0,
            contents: 0,
            wrong: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

/// A cell of the table of classes, Helms and verbs in which there can be no case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Void {
    class: Class,
    verbs: Vec<Verb>,
    /// Absent: every Helm.
    helm: Option<Vec<Arm>>,
    because: String,
}

impl Void {
    /// Reads them all.
    pub(super) fn all() -> Vec<Self> {
        let text = std::fs::read_to_string(corpus().join("void.yaml")).expect("void.yaml");
        serde_saphyr::from_str(&text).expect("void.yaml")
    }

    fn has(&self, class: Class, verb: Verb, arm: Arm) -> bool {
        let is_of_helm = self.helm.as_ref().is_none_or(|arms| arms.contains(&arm));
        self.class == class && self.verbs.contains(&verb) && is_of_helm
    }
}

/// Returns what is wrong with the cells: each has a case or a reason why it has none, and not both.
pub(super) fn holes(cases: &[Case]) -> Vec<String> {
    let voids = Void::all();
    let mut holes = Vec::new();
    for (class, verb, arm) in cells() {
        let count = cases.iter().filter(|case| is_in(case, class, verb, arm)).count();
        let reasons = voids.iter().filter(|void| void.has(class, verb, arm)).count();
        if (count > 0) == (reasons > 0) || reasons > 1 {
            holes.push(format!(
                "{} / {} / {}: {count} cases, {reasons} reasons",
                class.title(),
                verb.title(),
                arm.title()
            ));
        }
    }
    holes
}

fn cells() -> impl Iterator<Item = (Class, Verb, Arm)> {
    let verbs = Class::ALL.into_iter().flat_map(|class| Verb::ALL.map(|verb| (class, verb)));
    verbs.flat_map(|(class, verb)| Arm::ALL.map(|arm| (class, verb, arm)))
}

fn is_in(case: &Case, class: Class, verb: Verb, arm: Arm) -> bool {
    case.not_applicable.is_none() && case.class == Some(class) && case.verb == verb && case.arm == arm
}

/// Returns the whole report as Markdown. `all` are the cases of the corpus, `rows` those that were played.
pub(super) fn markdown(all: &[Case], rows: &[Row]) -> String {
    let mut text = String::from("# Rehearsed against real\n\n");
    write_sums(&mut text, all, rows);
    write_cells(&mut text, all);
    write_rows(&mut text, rows);
    text
}

fn write_sums(text: &mut String, all: &[Case], rows: &[Row]) {
    let (clean, faulty): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.class.is_none());
    let alarms: BTreeSet<&str> =
        clean.iter().filter(|row| !row.false_alarms.is_empty()).map(|row| row.name.as_str()).collect();
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let hooks = faulty.iter().filter(|row| row.is_hook).count();
    let not_applicable = all.iter().filter(|case| case.not_applicable.is_some()).count();
    let passed = faulty.iter().filter(|row| row.dry_run == "passes").count();
    let good = rows.iter().filter(|row| row.wrong.is_empty()).count();
    let lines = [
        format!("faulty cases played: {} ({hooks} with hooks); clean cases: {}", faulty.len(), clean.len()),
        format!("cases as rehearsed: {good} of {}", rows.len()),
        format!(
            "faults that really were: {}; missed: {}",
            sum(|row| row.real_faults.len()),
            sum(|row| row.missed.len())
        ),
        format!("false alarms: {}; clean cases with one: {}", sum(|row| row.false_alarms.len()), alarms.len()),
        format!(
            "objects compared with the real ones: {}; changed fields: {}",
            sum(|row| row.objects),
            sum(|row| row.fields)
        ),
        format!("whole contents compared: {} objects of clean cases", sum(|row| row.contents)),
        format!("faulty cases that `--dry-run=server` lets pass: {passed} of {}", faulty.len()),
        format!("cases that are none on one of the Helms: {not_applicable}"),
    ];
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    let mut classes: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for row in rows {
        for (fault, is_missed) in row.real_faults.iter().map(|fault| (fault, row.missed.contains(fault))) {
            let place = Class::ALL.iter().position(|class| *class == fault.0).unwrap_or_default();
            let (found, real) = classes.entry(place).or_default();
            *real += 1;
            *found += usize::from(!is_missed);
        }
    }
    text.push_str("\n| class | found | really there | recall |\n|---|---|---|---|\n");
    for (place, (found, real)) in classes {
        let percent = 100 * found / real.max(1);
        let _ = writeln!(text, "| {} | {found} | {real} | {percent} % |", Class::ALL[place].title());
    }
}

/// How many cases each cell has, or why it has none.
fn write_cells(text: &mut String, all: &[Case]) {
    text.push_str("\n| class | verb | 3.22.0 | 4.3.1 client | 4.3.1 server |\n|---|---|---|---|---|\n");
    let voids = Void::all();
    let (mut void_cells, mut legal) = (0, 0);
    for class in Class::ALL {
        for verb in Verb::ALL {
            let cells = Arm::ALL.map(|arm| {
                let count = all.iter().filter(|case| is_in(case, class, verb, arm)).count();
                legal += count;
                let reason = voids.iter().find(|void| void.has(class, verb, arm));
                void_cells += usize::from(reason.is_some());
                reason.map_or_else(|| count.to_string(), |void| format!("n/a: {}", void.because))
            });
            let _ = writeln!(text, "| {} | {} | {} |", class.title(), verb.title(), cells.join(" | "));
        }
    }
    let _ = writeln!(text, "\n{legal} legal faulty cases; {void_cells} of {} cells n/a.", Class::ALL.len() * 9);
}

fn write_rows(text: &mut String, rows: &[Row]) {
    text.push_str(
        "\n| case | Helm | verb | ours | real | `--dry-run=server` | as rehearsed |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let verdict =
            if row.wrong.is_empty() { "yes".to_owned() } else { row.wrong.join("; ").replace(['\n', '|'], " ") };
        let hook = if row.is_hook { " (hook)" } else { "" };
        let _ = writeln!(
            text,
            "| {}: {} | {} | {}{hook} | {} | {} | {} | {verdict} |",
            row.name,
            row.about.replace('|', "/"),
            row.arm.title(),
            row.verb.title(),
            row.ours.replace('|', "/"),
            row.real.replace('|', "/"),
            row.dry_run,
        );
    }
}
