//! The house rules that no compiler checks: which room may use which, who names kube, who prints, how long a file may be.

#![allow(clippy::expect_used, clippy::panic)] // A test's way to fail.

use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room may use. `edge` stands for all its rooms.
const ARROWS: &[(&str, &[&str])] = &[
    ("cli", &["flow", "domain", "postrender", "edge::disk", "edge::terminal"]),
    ("flow", &["domain", "rehearsal", "edge"]),
    ("edge::proxy", &["edge::cluster", "domain", "rehearsal"]),
    ("edge::database", &["edge::cluster", "domain", "rehearsal"]),
    ("edge", &["domain"]),
    ("rehearsal", &["domain"]),
    ("postrender", &["domain"]),
    ("domain", &[]),
    ("main", &["cli", "edge::terminal", "edge::helm"]),
];

const FORBIDDEN_NAMES: [&str; 4] = ["utils", "common", "helpers", "types"];
const LONGEST_FILE: usize = 600;

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path: PathBuf = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("a source file is UTF-8")));
            }
        }
    }
    assert!(files.len() > 10, "the sources were not found");
    files.sort();
    files
}

/// `edge/cluster/lease.rs` stands in room `edge::cluster`, `main.rs` in `main`.
fn room_of(file: &str) -> String {
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if parts.first() == Some(&"edge") {
        parts.truncate(2);
    } else {
        parts.truncate(1);
    }
    parts.join("::")
}

/// Every `crate::room` (or `helm_csghub::room`) that a file names, as far as rooms go: `edge::cluster`, `domain`.
fn rooms_used(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (line, root) in text.lines().flat_map(|line| [(line, "crate::"), (line, "helm_csghub::")]) {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices(root) {
            let path = &line[at + root.len()..];
            let names: Vec<&str> =
                path.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|n| !n.is_empty()).collect();
            match names.as_slice() {
                ["edge", room, ..] => rooms.push(format!("edge::{room}")),
                [room, ..] => rooms.push((*room).to_owned()),
                [] => {}
            }
        }
    }
    rooms
}

fn may_use(room: &str, used: &str) -> bool {
    let same = used == room || used.split("::").next() == Some(room) && !room.contains("::");
    if same {
        return true;
    }
    let rule = ARROWS
        .iter()
        .find(|(name, _)| *name == room)
        .or_else(|| ARROWS.iter().find(|(name, _)| room.starts_with(&format!("{name}::"))));
    let (_, allowed) = rule.unwrap_or_else(|| panic!("room `{room}` has no arrows in this test"));
    allowed.iter().any(|allowed| used == *allowed || used.starts_with(&format!("{allowed}::")))
}

#[test]
fn every_arrow_between_rooms_is_allowed() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let room = room_of(&file);
        if room == "lib" {
            continue;
        }
        for used in rooms_used(&text) {
            if !may_use(&room, &used) {
                wrong.push(format!("{file}: room `{room}` uses `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_edge_cluster_names_kube() {
    let names_kube = |line: &str| {
        let line = line.trim_start();
        !line.starts_with("//") && ["kube::", "k8s_openapi::", "kube_client::"].iter().any(|name| line.contains(name))
    };
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| !file.starts_with("edge/cluster/") && text.lines().any(names_kube))
        .map(|(file, _)| file)
        .collect();
    assert!(wrong.is_empty(), "these name kube outside edge/cluster: {wrong:?}");
}

#[test]
fn only_edge_terminal_prints() {
    let prints = ["println!", "print!(", "dbg!(", "io::stdout()", "io::stderr()"];
    let wrong: Vec<String> = sources()
        .into_iter()
        // Streams of manifests are data, not messages.
        .filter(|(file, _)| !file.starts_with("edge/terminal/") && file != "cli/stream.rs")
        .flat_map(|(file, text)| {
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            lines
                .filter(|line| prints.iter().any(|word| line.contains(word)))
                .map(|line| format!("{file}: {line}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_is_one_idea() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{file} has {lines} lines: past {LONGEST_FILE} it is two ideas");
        for name in FORBIDDEN_NAMES {
            assert!(!file.split(['/', '.']).any(|part| part == name), "{file}: `{name}` says nothing");
        }
    }
}

#[test]
fn a_script_is_one_idea() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for entry in fs::read_dir(folder).expect("scripts can be read") {
        let path = entry.expect("scripts can be read").path();
        let lines = fs::read_to_string(&path).expect("a script is UTF-8").lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines: past {LONGEST_FILE} it is two ideas", path.display());
    }
}

#[test]
fn the_arrows_are_checked() {
    assert!(!may_use("domain", "edge::cluster"));
    assert!(!may_use("edge::helm", "edge::cluster"));
    assert!(!may_use("cli", "edge::cluster"));
    assert!(may_use("cli", "edge::disk"));
    assert!(may_use("flow", "edge::cluster"));
    assert_eq!(rooms_used("use crate::edge::cluster::Cluster;\n// crate::flow\n"), ["edge::cluster"]);
}
