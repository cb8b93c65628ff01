//! `tests/postrender`: a folder with a profile, manifests, and what must come of them.
//!
//! A folder holds `profile.yaml`, `in.yaml`, `about.json` where rules may know the release, and `out.yaml` with `notes.txt`, or
//! `error.txt`. `UPDATE_EXPECT=1` writes what comes out anew.

use std::fs;
use std::path::{Path, PathBuf};

use helm_csghub::domain::manifest;
use helm_csghub::domain::post_rendering::{About, Notes};
use helm_csghub::domain::profile;
use helm_csghub::postrender::{Rules, render};

use crate::scenario::{read, read_json};

const FILES: [&str; 6] = ["about.json", "error.txt", "in.yaml", "notes.txt", "out.yaml", "profile.yaml"];

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postrender");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .expect("the scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() > 35, "the scenarios were not found");
    folders
}

fn run(folder: &Path, input: &[u8]) -> Result<(Vec<u8>, Notes), String> {
    let profile = profile::parse(&read(&folder.join("profile.yaml")))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let about = folder.join("about.json");
    let about =
        if about.exists() { serde_json::from_value(read_json(&about)).expect("about") } else { About::default() };
    let rules = Rules::new(&profile.post_render, about).map_err(|error| error.to_string())?;
    let mut output = Vec::new();
    let notes = render(input, &mut output, &rules).map_err(|error| error.to_string())?;
    Ok((output, notes))
}

/// Compares a file with what it should hold; returns what differs.
fn compare(folder: &Path, file: &str, actual: Option<&[u8]>) -> Option<String> {
    let path = folder.join(file);
    // Other tests read at the same time, so that only what changes is written.
    if std::env::var_os("UPDATE_EXPECT").is_some() && fs::read(&path).ok().as_deref() != actual {
        match actual {
            Some(actual) => fs::write(&path, actual).expect("written"),
            None if path.exists() => fs::remove_file(&path).expect("removed"),
            None => {}
        }
    }
    let expected = fs::read(&path).ok();
    if expected.as_deref() == actual {
        return None;
    }
    let show =
        |bytes: Option<&[u8]>| bytes.map_or("nothing".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    Some(format!("{}\n--- expected\n{}\n--- actual\n{}", path.display(), show(expected.as_deref()), show(actual)))
}

#[test]
fn each_scenario_comes_out_as_its_files_say() {
    let mut wrong = Vec::new();
    for folder in folders() {
        for entry in fs::read_dir(&folder).expect("a scenario") {
            let name = entry.expect("an entry").file_name();
            assert!(FILES.iter().any(|file| name == *file), "{}: unknown file {}", folder.display(), name.display());
        }
        let input = fs::read(folder.join("in.yaml")).expect("in.yaml");
        let outcome = run(&folder, &input);
        let (output, notes, error) = match outcome {
            Ok((output, notes)) => {
                assert_eq!(notes.changed == 0, output == input, "{}", folder.display());
                let notes = notes.lines().iter().fold(String::new(), |notes, line| notes + line + "\n");
                (Some(output), Some(notes.into_bytes()), None)
            }
            Err(error) => (None, None, Some(format!("{error}\n").into_bytes())),
        };
        wrong.extend(compare(&folder, "out.yaml", output.as_deref()));
        wrong.extend(compare(&folder, "notes.txt", notes.as_deref()));
        wrong.extend(compare(&folder, "error.txt", error.as_deref()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_came_out_comes_out_again_as_it_is() {
    for folder in folders() {
        let Ok(output) = fs::read(folder.join("out.yaml")) else { continue };
        let (again, _) = run(&folder, &output).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&output), "{}", folder.display());
    }
}

#[test]
fn what_came_out_can_be_read() {
    for folder in folders() {
        let Ok(output) = fs::read_to_string(folder.join("out.yaml")) else { continue };
        let objects = manifest::parse(&output).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let came = fs::read_to_string(folder.join("in.yaml")).ok().and_then(|input| manifest::parse(&input).ok());
        assert_eq!(objects.is_empty(), came.is_some_and(|came| came.is_empty()), "{}", folder.display());
    }
}
