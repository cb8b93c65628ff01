//! Real releases: charts that render exactly the objects of CSGHub and Dataflow. Third-party data, so they are made by a
//! tool outside this repository and never copied into it; without the tool these tests are skipped.
//!
//! Their names and namespaces are fixed, so each test has a bed of its own, one at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::support::{Bed, Contents, Helm, Running};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A bed of its own with a folder for the charts.
struct OwnBed {
    folder: tempfile::TempDir,
    tool: PathBuf,
    bed: Bed,
    _turn: MutexGuard<'static, ()>,
}

impl OwnBed {
    /// Starts a bed; nothing, and a line that says why, where the tool or the shared bed is missing.
    fn start(test: &str) -> Option<Self> {
        // The shared bed tells that the binaries are built and that cluster tests are wanted.
        Bed::open()?;
        let Some(tool) = std::env::var_os("CSGHUB_REAL_CHARTS")
            .map(|folder| PathBuf::from(folder).join("static-chart"))
            .filter(|tool| tool.is_file())
        else {
            eprintln!("skipped: {test}: CSGHUB_REAL_CHARTS names no folder with static-chart");
            return None;
        };
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("bed");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/testbed");
        let owner = std::process::id().to_string();
        let up = Command::new(script)
            .arg("up")
            .arg("--dir")
            .arg(&own)
            .args(["--owner-pid", &owner])
            .output()
            .expect("testbed runs");
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let bed = Bed::at(&own);
        Some(Self { folder, tool, bed, _turn: turn })
    }

    /// Makes the chart of a real release, and returns its folder.
    fn chart(&self, product: &str, version: &str) -> String {
        let folder = self.folder.path().join(format!("{product}-{version}"));
        let made = Command::new(&self.tool).args([product, version]).arg(&folder).output().expect("static-chart runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder.to_string_lossy().into_owned()
    }

    /// Installs a real release as its vendor's users have it: with plain Helm, in namespace `csghub`.
    fn install(&self, release: &str, chart: &str) {
        let words = ["install", release, chart, "-n", "csghub", "--create-namespace"];
        Helm::newest().run(&self.bed.kubeconfig, &words).must();
    }

    /// Runs the program on the release.
    fn run(&self, words: &[&str]) -> crate::support::Ran {
        let helm = Helm::newest();
        let mut command = Command::new(crate::support::program::program());
        for (name, value) in helm.command(&self.bed.kubeconfig).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("HELM_BIN", &helm.binary).env("HELM_NAMESPACE", "csghub").env("NO_COLOR", "1");
        command.env("XDG_STATE_HOME", self.folder.path().join("state")).env_remove("COLUMNS").args(words);
        Running::start(command).end()
    }

    fn newest(&self, release: &str) -> (u64, String) {
        let words = ["history", release, "-n", "csghub", "-o", "json"];
        let listed: serde_json::Value =
            serde_json::from_str(&Helm::newest().run(&self.bed.kubeconfig, &words).must()).expect("JSON");
        let last = listed.as_array().and_then(|rows| rows.last()).expect("a revision").clone();
        (last["revision"].as_u64().expect("a number"), last["status"].as_str().expect("a text").to_owned())
    }
}

impl Drop for OwnBed {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/testbed");
        let _ = Command::new(script).arg("down").arg("--dir").arg(self.folder.path().join("bed")).output();
    }
}

#[test]
fn dataflow_2_2_0_is_upgraded_to_2_4_0() {
    let Some(own) = OwnBed::start("dataflow 2.2.0 -> 2.4.0") else { return };
    own.install("dataflow", &own.chart("dataflow", "2.2.0"));
    let chart = own.chart("dataflow", "2.4.0");
    let ran = own.run(&["upgrade", "dataflow", &chart, "--yes"]).expect(0);
    ran.says("dataflow 2.2.0 -> 2.4.0 is done");
    assert_eq!(own.newest("dataflow"), (2, "deployed".to_owned()));
}

/// Helm 4.3.1 fails this upgrade half-way: two Jobs that are still there have an immutable template.
#[test]
fn csghub_2_1_2_to_2_2_0_fails_and_every_object_is_as_it_was() {
    let Some(own) = OwnBed::start("csghub 2.1.2 -> 2.2.0") else { return };
    own.install("csghub", &own.chart("csghub", "2.1.2"));
    let chart = own.chart("csghub", "2.2.0");
    // A release is upgraded when it stands: what is compared must not be on its way.
    own.run(&["verify", "csghub"]).expect(0);
    let before = Contents::of_namespace(&own.bed, "csghub");
    let ran = own.run(&["upgrade", "csghub", &chart, "--yes"]).expect(41);
    let rows = ran.stdout.lines().count();
    assert!(rows <= 25, "{rows} rows:\n{}", ran.stdout);
    for text in [
        "csghub-template-importer",
        "csghub-minio",
        "spec.template",
        "field is immutable",
        "Job csghub/csghub-dataflow-migrations",
        "ConfigMap csghub/csghub-dataflow-migrations",
        "ServiceAccount csghub/agent-sandbox-crd-check",
        "PersistentVolumeClaim csghub/csghub-dataflow",
    ] {
        let flat: Vec<&str> = ran.stdout.split_whitespace().collect();
        assert!(flat.join(" ").contains(text), "{text} is not named:\n{}", ran.stdout);
    }
    assert_eq!(own.newest("csghub"), (3, "deployed".to_owned()));
    let after = Contents::of_namespace(&own.bed, "csghub");
    let kept = ["PersistentVolumeClaim csghub-dataflow"];
    let differences = before.differences(&after, &kept);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let evidence = ran.stdout.lines().find_map(|line| line.strip_prefix("evidence: ")).expect("evidence is named");
    assert!(Path::new(evidence.trim()).join("report.json").is_file(), "{evidence}");
}
