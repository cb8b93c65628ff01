//! Rehearsals of real releases beside what plain Helm then really does, each on a bed of its own: what Helm refused is among
//! what was found, and where Helm succeeded nothing was found. Takes half an hour, so that it needs `CSGHUB_SOAK_REAL=1`
//! beside `CSGHUB_REAL_CHARTS`.

use std::env;
use std::path::Path;
use std::time::Duration;

use helm_csghub::domain::helm_error::{ErrorScene, explain};
use serde_json::Value;

use crate::real_charts::{on_own_bed, real_chart};
use crate::support::{Bed, Helm, Scene, say, skip};

/// An upgrade of a real release, and the Helm that can install where it begins.
struct Pair {
    product: &'static str,
    from: &'static str,
    to: &'static str,
    installed_by: u32,
}

const fn pair(product: &'static str, from: &'static str, to: &'static str, installed_by: u32) -> Pair {
    Pair { product, from, to, installed_by }
}

/// Helm 4 cannot install csghub before 2.0 (its `EnvoyProxy` is no valid server-side apply), Helm 3 not 2.2.0 without complaint.
const PAIRS: [Pair; 7] = [
    pair("csghub", "1.15.1", "1.16.1", 3),
    pair("csghub", "1.16.1", "1.17.0", 3),
    pair("csghub", "1.17.0", "2.1.2", 3),
    pair("csghub", "2.1.2", "2.2.0", 4),
    pair("csghub", "2.2.0", "2.4.0", 4),
    pair("dataflow", "2.1.2", "2.2.0", 4),
    pair("dataflow", "2.2.0", "2.4.0", 4),
];

/// Returns the newest Helm of that major version.
fn newest_of(major: u32) -> Helm {
    Helm::all().into_iter().rfind(|helm| helm.major() == major).expect("a Helm of each major version")
}

#[test]
fn what_helm_refuses_of_a_real_upgrade_was_rehearsed() {
    if env::var_os("CSGHUB_SOAK_REAL").is_none() {
        return skip("it takes half an hour (CSGHUB_SOAK_REAL=1 runs it)");
    }
    let mut wrong = Vec::new();
    for pair in &PAIRS {
        for major in [3, 4] {
            on_own_bed(|bed, tool, folder| wrong.extend(compare(bed, tool, folder, pair, &newest_of(major))));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Rehearses the upgrade with this Helm, then runs it; returns what was wrong.
fn compare(bed: &Bed, tool: &Path, folder: &Path, pair: &Pair, helm: &Helm) -> Vec<String> {
    let Pair { product, from, to, installed_by } = pair;
    let name = format!("{product} {from} -> {to} with Helm {}", helm.version);
    let namespace = "csghub";
    let mut scene = Scene::in_namespace(bed, namespace, product, newest_of(*installed_by));
    let (from, to) = (real_chart(tool, product, from, folder), real_chart(tool, product, to, folder));
    scene.install_folder(&from);
    scene.helm.binary.clone_from(&helm.binary);
    // Let its Jobs end.
    std::thread::sleep(Duration::from_secs(5));
    let rehearsed = scene.run(&["rehearse", product, &to, "-o", "json"]);
    let found = rehearsed.json();
    let ours: Vec<String> = found["findings"].as_array().into_iter().flatten().map(told).collect();
    let problems: Vec<String> = found["end"]["problems"].as_array().into_iter().flatten().map(told_problem).collect();
    let ran = scene.helm.run(&bed.kubeconfig, &["upgrade", product, &to, "-n", namespace]);
    let really: Vec<String> = match ran.code {
        0 => Vec::new(),
        _ => explain(&ran.stderr, &ErrorScene { release: product, namespace })
            .into_iter()
            .map(|problem| format!("{}: {}", problem.object, problem.cause))
            .collect(),
    };
    say(&format!("== {name}\n   rehearsal: exit {}, {:?}", rehearsed.code, rehearsed.took));
    for line in ours.iter().chain(&problems) {
        say(&format!("   ours   {line}"));
    }
    for line in &really {
        say(&format!("   Helm   {line}"));
    }
    let mut wrong = Vec::new();
    if (ran.code == 0) != (rehearsed.code == 0) {
        wrong.push(format!("{name}: Helm ended {} and the rehearsal {}\n{}", ran.code, rehearsed.code, ran.stderr));
    }
    let is_told = |problem: &&String| {
        let object = problem.split(':').next().unwrap_or_default();
        // Helm leaves namespaces out.
        let last = object.rsplit(['/', ' ']).next().unwrap_or_default();
        ours.iter().chain(&problems).any(|line| line.split(':').next().is_some_and(|ours| ours.ends_with(last)))
    };
    wrong.extend(
        really.iter().filter(|problem| !is_told(problem)).map(|problem| format!("{name}: not told: {problem}")),
    );
    wrong
}

fn told(finding: &Value) -> String {
    let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = match text("/object/namespace") {
        "" => text("/object/name").to_owned(),
        namespace => format!("{namespace}/{}", text("/object/name")),
    };
    let field = text("/fields/0/path");
    format!("{} {name}: {}: {} {field}", text("/object/kind"), text("/class"), text("/cause"))
}

fn told_problem(problem: &Value) -> String {
    format!("{}: {}", problem["object"].as_str().unwrap_or_default(), problem["cause"].as_str().unwrap_or_default())
}
