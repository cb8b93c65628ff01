//! The fuzz targets, each over the topics and over what `tests/postrender` holds: what they are made of is read, and they find nothing
//! there. `scripts/soak --fuzz` begins with the same files.

use std::fs;
use std::path::Path;

use crate::corpus::cases;

#[path = "../../fuzz/bodies/scan.rs"]
mod scan;
#[path = "../../fuzz/bodies/splice.rs"]
mod splice;

/// Returns the manifests that both begin with.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postrender");
    let scenarios: Vec<Vec<u8>> = fs::read_dir(folder)
        .expect("the scenarios")
        .map(|entry| fs::read(entry.expect("an entry").path().join("in.yaml")).expect("in.yaml"))
        .collect();
    assert!(scenarios.len() > 35, "the scenarios were not found");
    cases().into_iter().map(|case| case.text).chain(scenarios).collect()
}

#[test]
fn manifests_that_no_rule_selects_leave_as_they_came() {
    for seed in seeds() {
        scan::run(&seed);
    }
}

#[test]
fn edits_of_manifests_mean_the_same_again_and_together() {
    let edits = u8::try_from(splice::EDITS.len()).expect("few");
    for (number, seed) in seeds().iter().enumerate() {
        for one in 0..edits {
            // Every two edits meet in some of the files.
            let other = (usize::from(one) + number) % usize::from(edits);
            splice::run(&[&[one, u8::try_from(other).expect("few")], seed.as_slice()].concat());
        }
    }
}

#[test]
fn each_target_is_run_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the targets")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["scan.rs", "splice.rs"]);
}
