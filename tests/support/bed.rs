//! The test bed: a real API server, with etcd, controllers and a kubelet's stand-in, started by `scripts/test`.

use std::collections::hash_map::RandomState;
use std::env;
use std::ffi::OsStr;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::saying::skip;

/// A bed that is up. Every test makes a namespace of its own and leaves the rest alone.
pub struct Bed {
    /// Its folder.
    pub folder: PathBuf,
    /// Kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    /// The bed's kubectl.
    pub kubectl: PathBuf,
    /// File with a line `token,user,uid,groups` for each user.
    pub tokens: PathBuf,
    /// The API server's audit log, at level Request.
    pub audit: PathBuf,
}

impl Bed {
    /// Returns the bed that the environment names; says loudly that the test is skipped if there is none.
    pub fn open() -> Option<Self> {
        let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let bed = path("CSGHUB_BED_DIR").zip(path("KUBECONFIG"));
        let Some((folder, kubeconfig)) = bed else {
            skip("no test bed (run through scripts/test)");
            return None;
        };
        Some(Self {
            kubectl: path("CSGHUB_BED_KUBECTL").unwrap_or_else(|| "kubectl".into()),
            tokens: path("CSGHUB_BED_TOKENS").unwrap_or_else(|| folder.join("tokens.csv")),
            audit: path("CSGHUB_BED_AUDIT").unwrap_or_else(|| folder.join("audit.log")),
            folder,
            kubeconfig,
        })
    }

    /// Runs kubectl as the administrator and returns what came of it, success or not.
    pub fn try_kubectl<A: AsRef<OsStr>>(&self, arguments: &[A], input: Option<&str>) -> Output {
        self.try_kubectl_as(&self.kubeconfig, arguments, input)
    }

    /// Runs kubectl with a kubeconfig of the caller's choice.
    pub fn try_kubectl_as<A: AsRef<OsStr>>(&self, kubeconfig: &Path, arguments: &[A], input: Option<&str>) -> Output {
        let mut child = Command::new(&self.kubectl)
            .env("KUBECONFIG", kubeconfig)
            .args(["--cache-dir".as_ref(), self.folder.join("kubectl-cache").as_os_str()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        // kubectl may end without having read everything; its exit code tells why.
        let _ = child.stdin.take().expect("piped").write_all(input.unwrap_or_default().as_bytes());
        child.wait_with_output().expect("kubectl ends")
    }

    /// Runs kubectl as the administrator and returns what it prints.
    pub fn kubectl<A: AsRef<OsStr>>(&self, arguments: &[A]) -> String {
        self.must(arguments, None)
    }

    /// Applies manifests, server-side.
    pub fn apply(&self, manifests: &Value) {
        self.must(&["apply", "--server-side", "--force-conflicts", "-f", "-"], Some(&manifests.to_string()));
    }

    /// Creates one object and returns it as the server has it.
    pub fn create(&self, manifest: &Value) -> Value {
        let created = self.must(&["create", "-o", "json", "-f", "-"], Some(&manifest.to_string()));
        serde_json::from_str(&created).expect("kubectl prints JSON")
    }

    /// Returns one object; nothing if it is not there.
    pub fn get(&self, namespace: &str, kind: &str, name: &str) -> Option<Value> {
        let found = self.kubectl(&["get", "-n", namespace, kind, name, "-o", "json", "--ignore-not-found"]);
        (!found.trim().is_empty()).then(|| serde_json::from_str(&found).expect("kubectl prints JSON"))
    }

    /// Returns the kinds that can be listed, as `deployments.apps`; `flags` choose among them.
    ///
    /// # Errors
    /// What kubectl complains of: also that an API of another test does not answer.
    pub fn kinds(&self, flags: &[&str]) -> Result<Vec<String>, String> {
        let words = ["api-resources", "--verbs=list", "-o", "name", "--cached=false"];
        let listed = self.try_kubectl(&[&words, flags].concat(), None);
        if !listed.status.success() {
            return Err(String::from_utf8_lossy(&listed.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect())
    }

    fn must<A: AsRef<OsStr>>(&self, arguments: &[A], input: Option<&str>) -> String {
        let output = self.try_kubectl(arguments, input);
        let shown: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {complaint}", shown.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Creates a namespace with a name that nobody else has; it is deleted with the value.
    pub fn namespace(&self, purpose: &str) -> TestNamespace<'_> {
        self.named_namespace(&format!("{purpose}-{}", random_word()))
    }

    /// Creates the namespace of that name; it is deleted with the value.
    pub fn named_namespace(&self, name: &str) -> TestNamespace<'_> {
        self.kubectl(&["create", "namespace", name]);
        TestNamespace { bed: self, name: name.to_owned() }
    }
}

/// A namespace of one test, deleted with the value.
pub struct TestNamespace<'a> {
    bed: &'a Bed,
    /// Its name.
    pub name: String,
}

impl Drop for TestNamespace<'_> {
    fn drop(&mut self) {
        // A test that failed has its own message; this one must not hide it.
        self.bed.try_kubectl(&["delete", "namespace", &self.name, "--wait=false"], None);
    }
}

/// Returns eight letters and digits that are not used elsewhere.
pub fn random_word() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish()).chars().take(8).collect()
}
