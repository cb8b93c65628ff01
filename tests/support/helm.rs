//! The Helms that we test with, each with folders of its own.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One version of Helm.
pub struct Helm {
    /// Such as `4.3.1`.
    pub version: String,
    /// The binary.
    pub binary: PathBuf,
    folder: tempfile::TempDir,
}

/// What came of a run.
#[derive(Debug)]
pub struct HelmOutput {
    /// Exit code; -1 if it was killed.
    pub code: i32,
    /// Its output.
    pub stdout: String,
    /// Its complaints.
    pub stderr: String,
}

impl HelmOutput {
    /// Returns the output of a run that must have ended well.
    pub fn must(self) -> String {
        assert_eq!(self.code, 0, "helm: {}{}", self.stdout, self.stderr);
        self.stdout
    }
}

impl Helm {
    /// Returns every Helm that the bed names (`CSGHUB_HELM_4_3_1=...`), oldest first.
    pub fn all() -> Vec<Self> {
        let mut found: Vec<(Vec<u32>, Self)> = env::vars_os()
            .filter_map(|(name, binary)| {
                let numbers: Option<Vec<u32>> =
                    name.to_str()?.strip_prefix("CSGHUB_HELM_")?.split('_').map(|part| part.parse().ok()).collect();
                let numbers = numbers?;
                let version = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
                let folder = tempfile::tempdir().expect("a folder");
                Some((numbers, Self { version, binary: binary.into(), folder }))
            })
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found.into_iter().map(|(_, helm)| helm).collect()
    }

    /// Returns the newest.
    pub fn newest() -> Self {
        Self::all().pop().expect("a Helm: CSGHUB_HELM_* is not set")
    }

    /// Returns its major version.
    pub fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|digits| digits.parse().ok()).expect("a version")
    }

    /// Returns a command that runs it against the cluster of `kubeconfig`, without any of the caller's own Helm settings.
    pub fn command(&self, kubeconfig: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HELM_") {
                command.env_remove(name);
            }
        }
        command.env("KUBECONFIG", kubeconfig).env("KUBECACHEDIR", self.folder.path().join("kube"));
        for (name, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(name, self.folder.path().join(folder));
        }
        command
    }

    /// Runs it.
    pub fn run<A: AsRef<OsStr>>(&self, kubeconfig: &Path, arguments: &[A]) -> HelmOutput {
        let output = self.command(kubeconfig).args(arguments).output().expect("helm starts");
        HelmOutput {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
