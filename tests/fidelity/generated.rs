//! Generated manifests in every style, with random edits: thousands of them, from a seed that is printed.

use std::env;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::edits::{Edit, edited};
use crate::judge::{decode, judge, say};

/// A generator of random numbers: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).expect("small")
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'v, T>(&mut self, of: &'v [T]) -> &'v T {
        &of[self.below(of.len())]
    }
}

const WORDS: [&str; 34] = [
    "web",
    "yes",
    "0644",
    "1.10",
    "on",
    "null",
    "~",
    "a b",
    "it's",
    "say \"x\"",
    "a: b",
    "a #b",
    "#",
    "-",
    "- a",
    "1e3",
    "é",
    "漢字",
    "",
    " ",
    "two\nlines",
    "two\nlines\n",
    "tab\there",
    "back\\slash",
    "{a}",
    "[b]",
    "*x",
    "&y",
    "!z",
    "%d",
    "@e",
    "`",
    "---",
    "long words that go on and on",
];
const KEYS: [&str; 14] =
    ["a", "b", "name", "data", "spec", "k", "on", "0644", "a b", "x.y/z", "é", "items", "team", "labels"];

/// Returns a value of any shape.
fn any_value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.one_in(2)),
        2 => json!(dice.below(1000)),
        3 | 4 => json!(*dice.pick(&WORDS)),
        5 | 6 => {
            let length = dice.below(4);
            (0..length).map(|_| any_value(dice, depth - 1)).collect()
        }
        _ => Value::Object(any_mapping(dice, depth - 1)),
    }
}

fn any_mapping(dice: &mut Dice, depth: usize) -> Map<String, Value> {
    let length = dice.below(4);
    (0..length).map(|_| ((*dice.pick(&KEYS)).to_owned(), any_value(dice, depth))).collect()
}

fn any_object(dice: &mut Dice) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!("a"));
    for marks in ["labels", "annotations"] {
        if dice.one_in(2) {
            let length = dice.below(3);
            let marks_in =
                (0..length).map(|_| ((*dice.pick(&["team", "a", "x.y/z"])).to_owned(), json!(*dice.pick(&WORDS))));
            let marks_in: Map<String, Value> = marks_in.collect();
            metadata.insert(
                marks.to_owned(),
                if marks_in.is_empty() && dice.one_in(2) { Value::Null } else { marks_in.into() },
            );
        }
    }
    let mut fields = vec![("apiVersion", json!("v1")), ("kind", json!("ConfigMap")), ("metadata", metadata.into())];
    for key in ["data", "spec", "extra"] {
        if dice.one_in(2) {
            fields.push((key, any_value(dice, 4)));
        }
    }
    if dice.one_in(4) {
        let (one, other) = (dice.below(fields.len()), dice.below(fields.len()));
        fields.swap(one, other);
    }
    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Writes values in a style that changes at every node.
struct Writer<'d> {
    dice: &'d mut Dice,
    out: String,
    step: usize,
    anchors: usize,
}

impl Writer<'_> {
    fn comment(&mut self) {
        if self.dice.one_in(12) {
            self.out.push_str(" # c: 'd");
        }
    }

    fn line(&mut self, indent: usize) {
        if self.dice.one_in(20) {
            let _ = write!(self.out, "\n{}# comment", " ".repeat(self.dice.below(6)));
        }
        if self.dice.one_in(25) {
            self.out.push('\n');
        }
        let _ = write!(self.out, "\n{}", " ".repeat(indent));
    }

    fn scalar(&mut self, value: &Value, indent: usize, is_flow: bool) {
        let Value::String(text) = value else {
            self.out.push_str(&if value.is_null() && self.dice.one_in(2) { "~".to_owned() } else { value.to_string() });
            return;
        };
        let is_plain =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'));
        let is_printable = text.chars().all(|character| character >= ' ' && character != '\u{7f}');
        match self.dice.below(5) {
            // What this means is for the judge to say.
            0 | 1 if is_plain => self.out.push_str(text),
            2 if is_printable => {
                let _ = write!(self.out, "'{}'", text.replace('\'', "''"));
            }
            3 if !is_flow && !text.trim().is_empty() && !text.starts_with(' ') => {
                let style = self.dice.pick(&["|", "|-", "|+", ">", ">-"]).to_owned();
                self.out.push_str(style);
                for line in text.lines() {
                    let _ = write!(self.out, "\n{}{line}", " ".repeat(indent + self.step));
                }
            }
            _ => self.out.push_str(&json!(text).to_string()),
        }
    }

    fn key(&mut self, key: &str) {
        let is_plain =
            key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')) && !key.is_empty();
        if is_plain && !self.dice.one_in(5) {
            self.out.push_str(key);
        } else {
            self.out.push_str(&json!(key).to_string());
        }
        self.out.push(':');
    }

    fn flow(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                self.out.push('{');
                for (index, (key, value)) in map.iter().enumerate() {
                    self.out.push_str(if index > 0 { ", " } else { "" });
                    self.key(key);
                    self.out.push(' ');
                    self.flow(value);
                }
                self.out.push('}');
            }
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.out.push_str(if index > 0 { ", " } else { "" });
                    self.flow(item);
                }
                self.out.push(']');
            }
            scalar => self.scalar(scalar, 0, true),
        }
    }

    /// Writes what stands behind a colon or a dash.
    fn value(&mut self, value: &Value, indent: usize) {
        if self.dice.one_in(15) {
            self.anchors += 1;
            let _ = write!(self.out, " &a{}", self.anchors);
        }
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        match value {
            Value::Null if self.dice.one_in(2) => self.comment(),
            Value::Object(map) if !is_empty && !self.dice.one_in(6) => {
                self.comment();
                self.mapping(map, indent + self.step, true);
            }
            Value::Array(items) if !is_empty && !self.dice.one_in(6) => {
                self.comment();
                let indent = if self.dice.one_in(2) { indent } else { indent + self.step };
                for item in items {
                    self.line(indent);
                    self.item(item, indent);
                }
            }
            Value::Object(_) | Value::Array(_) => {
                self.out.push(' ');
                self.flow(value);
                self.comment();
            }
            scalar => {
                self.out.push(' ');
                self.scalar(scalar, indent, false);
                if !self.out.ends_with('\n') && !scalar.is_string() {
                    self.comment();
                }
            }
        }
    }

    fn item(&mut self, item: &Value, indent: usize) {
        self.out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() && !self.dice.one_in(4) => {
                self.out.push(' ');
                self.mapping(map, indent + 2, false);
            }
            // In a list within a list the items may not stand in the column of the dash.
            Value::Array(items) if !items.is_empty() => {
                self.out.push(' ');
                self.flow(item);
            }
            other => self.value(other, indent),
        }
    }

    fn mapping(&mut self, map: &Map<String, Value>, indent: usize, on_new_line: bool) {
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 || on_new_line {
                self.line(indent);
            }
            self.key(key);
            self.value(value, indent);
        }
    }
}

fn any_document(dice: &mut Dice) -> String {
    let object = any_object(dice);
    let step = *dice.pick(&[2, 2, 2, 4, 1, 3]);
    let is_json = dice.one_in(15);
    let mut writer = Writer { dice, out: String::new(), step, anchors: 0 };
    if is_json {
        writer.out = if writer.dice.one_in(2) { object.to_string() } else { format!("{object:#}") };
    } else if let Value::Object(map) = &object {
        writer.mapping(map, 0, false);
    }
    let mut text = writer.out;
    if !dice.one_in(10) {
        text.push('\n');
    }
    if dice.one_in(20) {
        text = text.replace('\n', "\r\n");
    }
    text
}

fn any_edit(dice: &mut Dice, document: &Value) -> Edit {
    let mut path = vec![(*dice.pick(&["metadata", "data", "spec", "extra"])).to_owned()];
    if path[0] == "metadata" {
        path.push((*dice.pick(&["labels", "annotations"])).to_owned());
    }
    // Mostly along what is there.
    while !dice.one_in(3) {
        let here = path.iter().try_fold(document, |value, key| value.get(key));
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
        let edit = match edits.last() {
            Some(last) if dice.one_in(3) => any_edit_at(dice, last.path().to_vec()),
            _ => any_edit(dice, &so_far),
        };
        so_far = edit.expected(&so_far).unwrap_or(so_far);
        edits.push(edit);
    }
    edits
}

/// Returns what a document means after all edits, each in what those before it made, and whether any of them changes it; nothing if one
/// does not fit.
fn expected(edits: &[Edit], document: &Value) -> Option<(Value, bool)> {
    edits.iter().try_fold((document.clone(), false), |(old, is_changed), edit| {
        let new = edit.expected(&old)?;
        let is_changed = is_changed || new != old;
        Some((new, is_changed))
    })
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
    let mut dice = Dice(seed);
    let (mut valid, mut refused, mut unfit, mut made) = (0, 0, 0, 0);
    let mut done = 0;
    while done < all {
        let some = usize::try_from((all - done).min(2_000)).expect("small");
        done += some as u64;
        let documents: Vec<String> = (0..some).map(|_| any_document(&mut dice)).collect();
        let before = decode(judge, &documents);
        let mut outputs = Vec::new();
        let mut asked = Vec::new();
        for (document, before) in documents.iter().zip(&before) {
            let Ok(before) = before else { continue };
            valid += 1;
            let edits = any_edits(&mut dice, before);
            let all: Vec<&Edit> = edits.iter().collect();
            match (edited(document.as_bytes(), &all), expected(&edits, before)) {
                (Ok(output), Some((expected, is_changed))) => {
                    if !is_changed {
                        assert_eq!(
                            String::from_utf8_lossy(&output),
                            *document,
                            "seed {seed}: nothing was to change: {edits:?}"
                        );
                    }
                    outputs.push(output);
                    asked.push((document, edits, expected));
                }
                (Ok(output), None) => {
                    panic!("seed {seed}: {edits:?} do not fit\n{document}\n---\n{}", String::from_utf8_lossy(&output))
                }
                (Err(_), None) => unfit += 1,
                (Err(_), Some(_)) => refused += 1,
            }
        }
        for (((document, edits, expected), output), after) in asked.iter().zip(&outputs).zip(decode(judge, &outputs)) {
            made += 1;
            let output = String::from_utf8_lossy(output);
            assert_eq!(after.as_ref(), Ok(expected), "seed {seed}: {edits:?}\n{document}\n--- became\n{output}");
        }
    }
    say(&format!(
        "fidelity: seed {seed}: {all} generated, {valid} of them YAML to Go, {made} edited as meant, {unfit} edits did not fit, {refused} refused, 0 changes of meaning"
    ));
    assert!(refused * 20 < valid, "{refused} of {valid} were refused");
}
