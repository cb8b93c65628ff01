//! Reads a scenario folder, and compares what came of it with what its file expects.
//!
//! A folder holds `facts.patch.json` (an RFC 7386 merge patch on `base.json` beside the folders), `expected.txt`, and
//! `waivers.txt` where waivers are given, one `CHECK=REASON` a line. `UPDATE_EXPECT=1` writes `expected.txt` anew.

use std::fs;
use std::path::{Path, PathBuf};

use helm_csghub::domain::facts::Facts;
use helm_csghub::domain::preflight::Waiver;
use serde_json::Value;

const FILES: [&str; 3] = ["expected.txt", "facts.patch.json", "waivers.txt"];

pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) facts: Facts,
    pub(crate) waivers: Vec<Waiver>,
    folder: PathBuf,
}

/// Returns the folder of all scenarios.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn read_json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns every scenario of a folder, by name.
pub(crate) fn read_all(suite: &str) -> Vec<Scenario> {
    let suite = root().join(suite);
    let base = read_json(&suite.join("base.json"));
    let mut folders: Vec<PathBuf> = fs::read_dir(&suite)
        .expect("the folder of the scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders.into_iter().map(|folder| read_one(&base, folder)).collect()
}

fn read_one(base: &Value, folder: PathBuf) -> Scenario {
    for entry in fs::read_dir(&folder).expect("a scenario") {
        let name = entry.expect("an entry").file_name();
        assert!(FILES.iter().any(|file| name == *file), "{}: unknown file {}", folder.display(), name.display());
    }
    let mut facts = base.clone();
    merge(&mut facts, read_json(&folder.join("facts.patch.json")));
    let facts = serde_json::from_value(facts).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let waivers = folder.join("waivers.txt");
    let waivers = if waivers.exists() { read(&waivers) } else { String::new() };
    Scenario {
        name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
        facts,
        waivers: waivers.lines().map(|line| line.parse().expect("CHECK=REASON")).collect(),
        folder,
    }
}

impl Scenario {
    /// Returns what differs from `expected.txt`; nothing if it was met, or written anew.
    pub(crate) fn compare(&self, actual: &str) -> Option<String> {
        let path = self.folder.join("expected.txt");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&path, actual).expect("expected.txt is writable");
            return None;
        }
        let expected = match fs::read_to_string(&path) {
            Ok(expected) if expected == actual => return None,
            Ok(expected) => expected,
            Err(error) => return Some(format!("{}: {error}\n{actual}", path.display())),
        };
        let gone = expected.lines().filter(|line| !actual.lines().any(|other| other == *line));
        let new = actual.lines().filter(|line| !expected.lines().any(|other| other == *line));
        let differences: Vec<String> =
            gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
        Some(format!("{}\n{}\n", path.display(), differences.join("\n")))
    }
}

/// Applies a merge patch, as RFC 7386 section 2 has it.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let target = target.as_object_mut().expect("it was made one");
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

#[test]
fn a_merge_patch_removes_by_null_and_replaces_lists_whole() {
    let mut target = serde_json::json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "text": "x"});
    merge(&mut target, serde_json::json!({"a": {"b": null, "d": {"e": null}}, "list": [3], "text": {"f": 1}}));
    assert_eq!(target, serde_json::json!({"a": {"c": 2, "d": {}}, "list": [3], "text": {"f": 1}}));
}
