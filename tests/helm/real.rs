//! The real Helms of the test bed. Without its exports (`CSGHUB_HELM_4_3_1`, `CSGHUB_BED_KUBECTL`, `KUBECONFIG`, ...) each
//! test says that it was skipped.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use helm_csghub::domain::helm_flags::split;
use helm_csghub::domain::release::ReleaseStatus;
use helm_csghub::edge::helm::{EXEC_COMMAND, Helm, HelmEnvironment, HelmRun, PullRequest, UpgradeRequest};

const GUARD: &str = env!("CARGO_BIN_EXE_csghub");

const HELMS: [(&str, &str); 3] =
    [("3.17.4", "CSGHUB_HELM_3_17_4"), ("3.22.0", "CSGHUB_HELM_3_22_0"), ("4.3.1", "CSGHUB_HELM_4_3_1")];

/// One Helm, a namespace of its own, and charts.
struct Bed {
    helm: Helm,
    version: &'static str,
    program: String,
    kubectl: String,
    namespace: String,
    folder: tempfile::TempDir,
}

impl Bed {
    /// Returns one bed a Helm; none, loudly, where no bed runs.
    fn all(test: &str) -> Vec<Self> {
        let kubectl = std::env::var("CSGHUB_BED_KUBECTL");
        let beds: Vec<Self> = HELMS
            .iter()
            .filter_map(|(version, variable)| Some((*version, std::env::var(variable).ok()?, kubectl.as_ref().ok()?)))
            .map(|(version, program, kubectl)| {
                let namespace = format!("{test}-{}-{}", version.replace('.', "-"), std::process::id());
                let helm = Helm::locate(OsStr::new(&program), Path::new("/"), OsStr::new("")).expect("the bed's Helm");
                let environment = HelmEnvironment::default().with_namespace(&namespace);
                let helm = helm.with_guard(PathBuf::from(GUARD)).with_environment(environment);
                let folder = tempfile::tempdir().expect("a folder");
                Self { helm, version, program, kubectl: kubectl.clone(), namespace, folder }
            })
            .collect();
        if beds.is_empty() {
            eprintln!("SKIPPED {test}: no test bed (eval its exports first)");
        }
        beds
    }

    fn chart(&self, name: &str, templates: &str) -> PathBuf {
        let chart = self.folder.path().join(name);
        fs::create_dir_all(chart.join("templates")).expect("a folder");
        fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 1.0.0\n").expect("written");
        fs::write(chart.join("templates/all.yaml"), templates).expect("written");
        chart
    }

    fn upgrade(&self, chart: &Path, flags: &[&str]) -> HelmRun {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let request = UpgradeRequest { release: "shop", chart, flags: &flags };
        self.helm.upgrade(&request, self.folder.path()).expect("started")
    }

    async fn install(&self, chart: &Path) {
        let end =
            self.upgrade(chart, &["--install", "--create-namespace"]).wait(None).await.expect("waited").expect("ended");
        assert!(end.is_success(), "{}: {}", self.version, end.stderr);
    }

    fn kubectl(&self, words: &[&str]) -> String {
        let output = Command::new(&self.kubectl).args(["-n", &self.namespace]).args(words).output().expect("kubectl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn status_of(&self, revision: u32) -> String {
        let secret = format!("sh.helm.release.v1.shop.v{revision}");
        self.kubectl(&["get", "secret", &secret, "-o", "jsonpath={.metadata.labels.status}"])
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn config(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{v: \"{value}\"}}\n")
}

fn job(name: &str, image: &str, annotations: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {{template: {{spec: \
         {{restartPolicy: Never, nodeSelector: {{no: such}}, containers: [{{name: c, image: \"{image}\"}}]}}}}}}\n"
    )
}

#[tokio::test]
async fn helm_answers_its_version_and_its_flags() {
    for bed in Bed::all("flags") {
        assert_eq!(bed.helm.version().await.expect("a version").to_string(), bed.version);
        let table = bed.helm.upgrade_flag_table().await.expect("a table");
        let line = "shop ./chart -f a.yaml --set x=1 --wait --timeout 5m --dry-run --install -n prod --kube-context c --debug --force";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args = split(&words, &table, &[]).expect("a good command line");
        assert_eq!((args.release.as_str(), args.chart.as_str()), ("shop", "./chart"), "{}", bed.version);
        assert!(args.is_dry_run() && args.installs());
        assert!(split(&["shop".into(), "./chart".into(), "--take-ownership".into()], &table, &[]).is_err());
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_will_be_stored() {
    for bed in Bed::all("dryrun") {
        bed.install(&bed.chart("one", &config("1"))).await;
        let chart = bed.chart("two", &config("2"));
        fs::write(chart.join("notes.txt"), (0..20_000).fold(String::new(), |text, n| text + &n.to_string() + "\n"))
            .expect("written");
        let request =
            PullRequest { chart: chart.to_str().expect("UTF-8"), source_flags: &[], updates_dependencies: false };
        let pulled = bed.helm.pull_chart(&request, &bed.folder.path().join("pulled")).await.expect("a chart");
        let request = UpgradeRequest { release: "shop", chart: &pulled.path, flags: &[] };
        let dry_run = bed.helm.dry_run(&request).await.expect("an answer");
        assert_eq!((dry_run.release.revision, dry_run.release.info.status), (2, ReleaseStatus::PendingUpgrade));
        assert!(dry_run.release.manifest.contains("v: \"2\""));
        assert_eq!(bed.status_of(2), "", "{}: nothing was stored", bed.version);

        bed.upgrade(&pulled.path, &[]).wait(None).await.expect("waited").expect("ended");
        let stored = bed.kubectl(&["get", "secret", "sh.helm.release.v1.shop.v2", "-o", "jsonpath={.data.release}"]);
        let stored_bytes = stored.len() * 3 / 4;
        assert!(
            stored_bytes.abs_diff(dry_run.record_bytes) * 20 <= stored_bytes,
            "{}: {stored_bytes}, told {}",
            bed.version,
            dry_run.record_bytes
        );
    }
}

#[tokio::test]
async fn an_immutable_job_is_told_in_one_line() {
    for bed in Bed::all("immutable") {
        bed.install(&bed.chart("one", &job("migrate", "busybox:1", ""))).await;
        let end =
            bed.upgrade(&bed.chart("two", &job("migrate", "busybox:2", "")), &[]).wait(None).await.expect("waited");
        let problems = end.expect("ended").problems;
        assert_eq!(problems.len(), 1, "{}: {problems:?}", bed.version);
        assert!(problems[0].object.starts_with("Job ") && problems[0].object.ends_with("migrate"));
        assert_eq!(problems[0].field.as_deref(), Some("spec.template"));
        assert_eq!(problems[0].cause, "field is immutable");
        let remedy = format!("`kubectl delete job migrate -n {}`", bed.namespace);
        assert!(problems[0].remedy.as_deref().is_some_and(|told| told.contains(&remedy)), "{problems:?}");
    }
}

#[tokio::test]
async fn an_interrupted_upgrade_is_marked_failed() {
    for bed in Bed::all("interrupt") {
        bed.install(&bed.chart("one", &config("1"))).await;
        let hook = job("hook", "busybox:1", "helm.sh/hook: pre-upgrade");
        let mut run = bed.upgrade(&bed.chart("two", &format!("{}---\n{hook}", config("2"))), &[]);
        wait_for("the hook was created", || !bed.kubectl(&["get", "job", "hook", "-o", "name"]).is_empty());
        run.interrupt().expect("signalled");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let end = run.wait(Some(deadline)).await.expect("waited").expect("it ends soon");
        assert_eq!(end.problems[0].cause, "Helm was told to stop", "{}", bed.version);
        assert_eq!(bed.status_of(2), "failed", "{}", bed.version);
    }
}

#[tokio::test]
async fn an_upgrade_whose_parent_is_killed_is_marked_failed() {
    for bed in Bed::all("killed") {
        bed.install(&bed.chart("one", &config("1"))).await;
        let hook = job("hook", "busybox:1", "helm.sh/hook: pre-upgrade");
        let chart = bed.chart("two", &format!("{}---\n{hook}", config("2")));
        // A background process of a shell ignores SIGINT; Helm heeds it all the same.
        let script = format!(
            "'{GUARD}' {EXEC_COMMAND} $$ 2 '{}' upgrade shop '{}' -n {} > '{}' 2>&1 & wait",
            bed.program,
            chart.display(),
            bed.namespace,
            bed.folder.path().join("log").display()
        );
        let mut parent = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("started");
        wait_for("the hook was created", || !bed.kubectl(&["get", "job", "hook", "-o", "name"]).is_empty());
        assert_eq!(bed.status_of(2), "pending-upgrade");
        parent.kill().expect("killed");
        parent.wait().expect("collected");
        wait_for("Helm has ended", || bed.status_of(2) == "failed");
    }
}

#[tokio::test]
async fn a_rollback_names_its_revision() {
    for bed in Bed::all("rollback") {
        bed.install(&bed.chart("one", &config("1"))).await;
        bed.upgrade(&bed.chart("two", &config("2")), &[]).wait(None).await.expect("waited").expect("ended");
        let mut run = bed.helm.rollback("shop", 1, &[], bed.folder.path()).expect("started");
        assert!(run.wait(None).await.expect("waited").expect("ended").is_success());
        assert_eq!(bed.kubectl(&["get", "configmap", "c", "-o", "jsonpath={.data.v}"]), "1");
        let mut run = bed.helm.uninstall("shop", &[], bed.folder.path()).expect("started");
        assert!(run.wait(None).await.expect("waited").expect("ended").is_success());
        assert_eq!(bed.status_of(3), "");
    }
}
