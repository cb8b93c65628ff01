//! Real releases, on beds of their own: their objects have fixed names. Needs the environment variable `CSGHUB_REAL_CHARTS`, a
//! folder with the tool `static-chart`; without it these tests are skipped.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::failure::{assert_few_lines, report};
use crate::read_only::{own_bed, testbed};
use crate::support::{Bed, Contents, Helm, Running};

/// Two beds at once are too much for a small machine.
pub(crate) static ONE_BED: Mutex<()> = Mutex::new(());

/// Makes a chart of a real release.
fn real_chart(tool: &Path, product: &str, version: &str, folder: &Path) -> String {
    let chart = folder.join(format!("{product}-{version}"));
    let made = Command::new(tool).args([product, version]).arg(&chart).output().expect("static-chart starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    chart.display().to_string()
}

fn static_chart() -> Option<PathBuf> {
    let tool = env::var_os("CSGHUB_REAL_CHARTS").map(|folder| PathBuf::from(folder).join("static-chart"));
    let tool = tool.filter(|tool| tool.is_file());
    if tool.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        writeln!(std::io::stderr(), "{test}: skipped: CSGHUB_REAL_CHARTS names no folder with static-chart")
            .expect("stderr");
    }
    tool
}

/// Runs `test` on a bed of its own.
fn on_own_bed(test: impl FnOnce(&Bed, &Path, &Path)) {
    let Some(shared) = Bed::open() else { return };
    let Some(tool) = static_chart() else { return };
    let _one = ONE_BED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().expect("a folder");
    let bed = own_bed(&shared, folder.path());
    test(&bed, &tool, folder.path());
    testbed(&["down", "--dir", &bed.folder.display().to_string()]);
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

#[test]
fn csghub_2_1_2_to_2_2_0_fails_in_few_lines_and_every_object_is_as_it_was() {
    on_own_bed(|bed, tool, folder| {
        let (from, to) = (real_chart(tool, "csghub", "2.1.2", folder), real_chart(tool, "csghub", "2.2.0", folder));
        let scene = crate::support::Scene::in_namespace(bed, "csghub", "csghub", Helm::newest());
        scene.install_folder(&from);
        let before = every_namespace(bed);
        let ran = Running::start(scene.command(&["upgrade", "csghub", &to, "--yes"])).end().expect(41);
        for said in ["csghub-template-importer", "csghub-minio", "spec.template", "csghub-dataflow-migrations"] {
            assert!(ran.all().contains(said), "{said} is not said:\n{}", ran.all());
        }
        assert_eq!(scene.newest(), (3, "deployed".to_owned()));
        let kept = "PersistentVolumeClaim csghub-dataflow";
        for (namespace, contents) in before {
            let later = Contents::of_namespace(bed, &namespace);
            let new: &[&str] = if namespace == "csghub" { &[kept] } else { &[] };
            assert_eq!(contents.differences(&later, new), Vec::<String>::new(), "namespace {namespace}");
        }
        let report = report(&scene);
        let left: Vec<String> = report["left_behind"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|left| {
                format!("{} {} {}", left["fate"], left["object"]["kind"], left["object"]["name"]).replace('"', "")
            })
            .collect();
        for expected in [
            format!("kept {kept}"),
            "removed Job csghub-dataflow-migrations".to_owned(),
            "removed Job agent-sandbox-crd-check".to_owned(),
        ] {
            assert!(left.contains(&expected), "{expected} is not among {left:?}");
        }
        let to_do = report["to_do"].as_array().expect("a list");
        assert_eq!(to_do.len(), 1, "{to_do:?}");
        assert!(to_do[0].as_str().is_some_and(|act| act.contains("csghub-dataflow-migrations")), "{to_do:?}");
        assert!(scene.last_run().join("evidence/history.txt").is_file());
        scene.assert_tidy();
        assert_few_lines(&ran);
    });
}

/// Returns what a user set in every namespace but the cluster's own.
fn every_namespace(bed: &Bed) -> Vec<(String, Contents)> {
    let names = bed.kubectl(&["get", "namespaces", "-o", "name"]);
    let names =
        names.lines().filter_map(|name| name.strip_prefix("namespace/")).filter(|name| !name.starts_with("kube-"));
    names.map(|name| (name.to_owned(), Contents::of_namespace(bed, name))).collect()
}
