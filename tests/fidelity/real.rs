//! Real releases, every document of them.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::edits::{EVERY, Edit, edited, lines_changed, usual};
use crate::judge::{decode, judge, say};
use crate::places::strays;

/// Returns the rendered releases and CRDs beside the charts; none where they are not at hand.
pub(crate) fn releases() -> Vec<(String, String)> {
    let Some(charts) = env::var_os("CSGHUB_REAL_CHARTS").map(PathBuf::from) else { return Vec::new() };
    let mut files = Vec::new();
    let mut folders = vec![charts.join("../data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".yaml.gz") && !path.to_string_lossy().contains(".values.") {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(|path| (name(path), unpacked(path))).collect()
}

fn name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    format!("{}/{}", folder.display(), path.file_name().unwrap_or_default().display())
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path).expect("a file")).read_to_string(&mut text).expect("a text");
    text
}

/// Cuts a stream as Helm does.
pub(crate) fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        let body = line.strip_prefix("---");
        if body.is_some() {
            documents.push(String::new());
        }
        documents.last_mut().expect("one").push_str(body.unwrap_or(line));
    }
    documents
}

#[test]
fn real_releases_mean_what_they_meant_with_the_edit() {
    let releases = releases();
    if releases.is_empty() {
        return say("fidelity: real releases skipped: CSGHUB_REAL_CHARTS is not set");
    }
    let Some(judge) = judge() else { return };
    let mut wrong = Vec::new();
    let (mut all, mut edits_made) = (0, 0);
    let at = |path: &[&str]| path.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    let mut edits = usual();
    // Only in the corpus is `spec` a list.
    edits.retain(|(what, _)| *what != "item");
    edits.push(("replicas", Edit::Set(at(&["spec", "replicas"]), 3.into())));
    edits.push(("no spec", Edit::Remove(at(&["spec"]))));
    edits.push(("no data", Edit::Remove(at(&["data"]))));
    edits.push((
        "image policy",
        Edit::Remove(at(&["spec", "template", "spec", "containers", EVERY, "imagePullPolicy"])),
    ));
    let several = ["no data", "label", "replicas", "image policy", "annotation", "new field"];
    let one = |name: &str| edits.iter().find(|(of, _)| *of == name).expect("an edit").1.clone();
    let several = several.map(one).to_vec();
    let mut edits: Vec<(&str, Vec<Edit>)> = edits.into_iter().map(|(name, edit)| (name, vec![edit])).collect();
    edits.push(("several", several));
    for (name, text) in &releases {
        assert_eq!(edited(text.as_bytes(), &[]).as_deref(), Ok(text.as_bytes()), "{name}");
        let old = documents(text);
        let before = decode(judge, &old);
        all += old.len();
        for (what, edits) in &edits {
            let edits: Vec<&Edit> = edits.iter().collect();
            let output = match edited(text.as_bytes(), &edits) {
                Ok(output) => String::from_utf8(output).expect("a text"),
                Err(error) => {
                    wrong.push(format!("{name}, {what}: {error}"));
                    continue;
                }
            };
            let new = documents(&output);
            let after = decode(judge, &new);
            if new.len() != old.len() {
                wrong.push(format!("{name}, {what}: {} documents became {}", old.len(), new.len()));
                continue;
            }
            for (index, (before, after)) in before.iter().zip(&after).enumerate() {
                let expected = before
                    .as_ref()
                    .ok()
                    .and_then(|before| edits.iter().try_fold(before.clone(), |value, edit| edit.expected(&value)));
                if after.as_ref().ok() != expected.as_ref() {
                    wrong.push(format!("{name}, {what}, document {index}: {after:?}\n  and not {expected:?}"));
                }
                if before == after && old[index] != new[index] {
                    wrong.push(format!("{name}, {what}, document {index}: other bytes of the same meaning"));
                }
                edits_made += usize::from(before != after);
                if let (Ok(value), true) = (before, old[index] != new[index]) {
                    let strays = strays(&old[index], &new[index], value, &edits, None);
                    wrong.extend(strays.map(|strays| format!("{name}, {what}, document {index}: {strays}")));
                }
                if matches!(edits.as_slice(), [Edit::Set(..)]) {
                    let (places, come) = lines_changed(&old[index], &new[index]);
                    if places > 1 || come > 3 {
                        wrong.push(format!(
                            "{name}, {what}, document {index}: lines changed in {places} places, {come} came"
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    say(&format!(
        "fidelity: {} real files, {all} documents, {edits_made} edits, 0 changes of meaning, no other line changed",
        releases.len()
    ));
}
