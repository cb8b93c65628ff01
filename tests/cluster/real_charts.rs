//! Real releases, on beds of their own: their objects have fixed names. Needs the environment variable `CSGHUB_REAL_CHARTS`, a
//! folder with the tool `static-chart`; without it these tests are skipped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::{Bed, Contents, Helm, OwnBed, skip};

/// Makes a chart of a real release.
pub(crate) fn real_chart(tool: &Path, product: &str, version: &str, folder: &Path) -> String {
    let chart = folder.join(format!("{product}-{version}"));
    let made = Command::new(tool).args([product, version]).arg(&chart).output().expect("static-chart starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    chart.display().to_string()
}

fn static_chart() -> Option<PathBuf> {
    let tool = env::var_os("CSGHUB_REAL_CHARTS").map(|folder| PathBuf::from(folder).join("static-chart"));
    let tool = tool.filter(|tool| tool.is_file());
    if tool.is_none() {
        skip("CSGHUB_REAL_CHARTS names no folder with static-chart");
    }
    tool
}

/// Runs `test` on a bed of its own.
pub(crate) fn on_own_bed(test: impl FnOnce(&Bed, &Path, &Path)) {
    let Some(shared) = Bed::open() else { return };
    let Some(tool) = static_chart() else { return };
    let bed = OwnBed::up(&shared);
    test(&bed, &tool, bed.folder());
}

#[test]
fn dataflow_2_2_0_is_upgraded_to_2_4_0() {
    on_own_bed(|bed, tool, folder| {
        let (from, to) = (real_chart(tool, "dataflow", "2.2.0", folder), real_chart(tool, "dataflow", "2.4.0", folder));
        let scene = crate::support::Scene::in_namespace(bed, "csghub", "dataflow", Helm::newest());
        scene.install_folder(&from);
        let ran = scene.run(&["upgrade", "dataflow", &to, "--yes"]).expect(0);
        ran.says("dataflow");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()));
        scene.assert_tidy();
    });
}

/// Plain Helm fails half-way: two finished Jobs have another template. The rehearsal says so, and the plan removes them first.
#[test]
fn csghub_2_1_2_to_2_2_0_is_rehearsed_cured_and_upgraded() {
    on_own_bed(|bed, tool, folder| {
        let (from, to) = (real_chart(tool, "csghub", "2.1.2", folder), real_chart(tool, "csghub", "2.2.0", folder));
        let scene = crate::support::Scene::in_namespace(bed, "csghub", "csghub", Helm::newest());
        scene.install_folder(&from);
        let before = every_namespace(bed);
        let found = scene.run(&["rehearse", "csghub", &to, "-o", "json"]).expect(20).json();
        let findings = found["findings"].as_array().expect("a list");
        let jobs: Vec<&str> = findings.iter().filter_map(|finding| finding["object"]["name"].as_str()).collect();
        assert_eq!(jobs.len(), 2, "{findings:#?}");
        for job in ["csghub-minio", "csghub-template-importer"] {
            assert!(jobs.contains(&job), "{jobs:?}");
        }
        for finding in findings {
            assert_eq!(
                (&finding["class"], &finding["remedy"]["kind"]),
                (&json!("immutable-field"), &json!("remove-finished-job"))
            );
            assert!(finding["fields"][0]["path"].as_str().is_some_and(|path| path.starts_with("spec.template")));
        }
        for (namespace, contents) in before {
            let later = Contents::of_namespace(bed, &namespace);
            assert_eq!(contents.differences(&later, &[]), Vec::<String>::new(), "the rehearsal changed {namespace}");
        }
        let ran = scene.run(&["upgrade", "csghub", &to, "--yes"]).expect(0);
        ran.says("remove finished Job csghub/csghub-minio").says("remove finished Job csghub/csghub-template-importer");
        assert_eq!(scene.newest(), (2, "deployed".to_owned()));
        scene.assert_tidy();
    });
}

/// Returns what a user set in every namespace but the cluster's own.
fn every_namespace(bed: &Bed) -> Vec<(String, Contents)> {
    let names = bed.kubectl(&["get", "namespaces", "-o", "name"]);
    let names =
        names.lines().filter_map(|name| name.strip_prefix("namespace/")).filter(|name| !name.starts_with("kube-"));
    names.map(|name| (name.to_owned(), Contents::of_namespace(bed, name))).collect()
}
