//! Documents of one topic each, through every edit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::edits::{edited, lines_changed, usual};
use crate::judge::{Verdict, decode, judge, say};
use crate::places::strays;

pub(crate) struct Case {
    pub(crate) topic: String,
    pub(crate) text: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fidelity")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = fs::read_dir(folder().join("torture"))
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| Case {
            topic: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            text: fs::read(&path).expect("a file"),
        })
        .collect();
    cases.sort_by(|one, other| one.topic.cmp(&other.topic));
    assert!(cases.len() >= 150, "the corpus has {} files", cases.len());
    cases
}

#[test]
fn without_rules_every_byte_stays() {
    for case in cases() {
        assert_eq!(edited(&case.text, &[]).as_deref(), Ok(case.text.as_slice()), "{}", case.topic);
    }
}

#[test]
fn go_reads_what_was_meant_and_nothing_else_changed() {
    let Some(judge) = judge() else { return };
    let cases = cases();
    let before = decode(judge, &cases.iter().map(|case| case.text.as_slice()).collect::<Vec<_>>());
    let mut wrong = Vec::new();
    let mut refused = String::new();
    let mut edits_made = 0;
    for (name, edit) in usual() {
        let results: Vec<Result<Vec<u8>, String>> = cases.iter().map(|case| edited(&case.text, &[&edit])).collect();
        let outputs: Vec<&[u8]> = results.iter().map(|result| result.as_deref().unwrap_or_default()).collect();
        let after = decode(judge, &outputs);
        for (((case, old), result), new) in cases.iter().zip(&before).zip(&results).zip(&after) {
            let Ok(old) = old else { continue };
            let expected = edit.expected(old);
            match (result, expected) {
                (Err(error), _) => refused.extend([case.topic.as_str(), ", ", name, ": ", error, "\n"]),
                (Ok(_), None) => wrong.push(format!("{}, {name}: the edit does not fit, and was made", case.topic)),
                (Ok(output), Some(expected)) => {
                    edits_made += 1;
                    wrong.extend(differs(case, name, output, &expected, new));
                    let (text, output) = (String::from_utf8_lossy(&case.text), String::from_utf8_lossy(output));
                    let strays = strays(&text, &output, old, &[&edit], None);
                    wrong.extend(
                        strays.map(|what| format!("{}, {name}: {what}\n{text}\n--- became\n{output}", case.topic)),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    compare_refused(&refused);
    // What Go reads and the parser does not is a handful of topics.
    let valid = before.iter().filter(|verdict| verdict.is_ok()).count();
    say(&format!(
        "fidelity: {} topics, {valid} of them YAML to Go, {edits_made} edits, 0 changes of meaning, no other line changed, {} refused",
        cases.len(),
        refused.lines().count()
    ));
}

#[test]
fn two_edits_touch_what_each_of_them_may() {
    let Some(judge) = judge() else { return };
    let cases = cases();
    let before = decode(judge, &cases.iter().map(|case| case.text.as_slice()).collect::<Vec<_>>());
    let edits = usual();
    let mut wrong = Vec::new();
    let mut pairs_made = 0;
    // Every edit behind three others.
    for (first, second) in
        (0..edits.len()).flat_map(|first| [1, 3, 6].map(|step| (first, (first + step) % edits.len())))
    {
        let ((one, first), (other, second)) = (&edits[first], &edits[second]);
        let results: Vec<_> = cases.iter().map(|case| edited(&case.text, &[first, second])).collect();
        let outputs: Vec<&[u8]> = results.iter().map(|result| result.as_deref().unwrap_or_default()).collect();
        for (((case, old), result), new) in cases.iter().zip(&before).zip(&results).zip(decode(judge, &outputs)) {
            let (Ok(old), Ok(output)) = (old, result) else { continue };
            pairs_made += 1;
            let (text, output) = (String::from_utf8_lossy(&case.text), String::from_utf8_lossy(output));
            let what = if new.ok() == first.expected(old).and_then(|old| second.expected(&old)) {
                strays(&text, &output, old, &[first, second], None)
            } else {
                Some("Go reads something else".to_owned())
            };
            wrong.extend(
                what.map(|what| format!("{}, {one}, {other}: {what}\n{text}\n--- became\n{output}", case.topic)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    say(&format!("fidelity: {pairs_made} pairs of edits, 0 changes of meaning, no other line changed"));
}

fn differs(case: &Case, name: &str, output: &[u8], expected: &serde_json::Value, new: &Verdict) -> Option<String> {
    let topic = &case.topic;
    match new {
        Err(error) => return Some(format!("{topic}, {name}: Go refuses what came out: {error}")),
        Ok(new) if new != expected => {
            let output = String::from_utf8_lossy(output);
            return Some(format!("{topic}, {name}: Go reads {new}\n  and not {expected}\n{output}"));
        }
        Ok(_) => {}
    }
    // Two objects in a `List`.
    let objects = if topic == "document-list" { 2 } else { 1 };
    let (places, come) = lines_changed(&String::from_utf8_lossy(&case.text), &String::from_utf8_lossy(output));
    (places > objects || come > 4 * objects)
        .then(|| format!("{topic}, {name}: lines changed in {places} places, {come} came"))
}

/// What is refused is known by name: `refused.txt`. `UPDATE_EXPECT=1` writes it anew.
fn compare_refused(refused: &str) {
    let path = folder().join("refused.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, refused).expect("written");
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(refused, known, "refused.txt");
}
