//! `edge::helm` with the real Helms: what they answer, what becomes of an upgrade that is interrupted or whose parent is
//! killed.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use helm_csghub::domain::helm_flags::split;
use helm_csghub::domain::release::ReleaseStatus;
use helm_csghub::edge::helm::{EXEC_COMMAND, Helm, HelmEnvironment, HelmRun, PullRequest, UpgradeRequest};

use crate::support::{self, Bed, TestNamespace};

const GUARD: &str = env!("CARGO_BIN_EXE_csghub");

/// One Helm, a namespace of its own, and charts.
struct Workplace<'a> {
    bed: &'a Bed,
    helm: Helm,
    real: &'a support::Helm,
    namespace: TestNamespace<'a>,
    folder: tempfile::TempDir,
}

impl<'a> Workplace<'a> {
    fn new(bed: &'a Bed, real: &'a support::Helm, test: &str) -> Self {
        let namespace = bed.namespace(test);
        let helm = Helm::locate(real.binary.as_os_str(), Path::new("/"), OsStr::new("")).expect("the bed's Helm");
        let environment = HelmEnvironment::default().with_namespace(&namespace.name).with_kubeconfig(&bed.kubeconfig);
        let helm = helm.with_guard(PathBuf::from(GUARD)).with_environment(environment);
        Self { bed, helm, real, namespace, folder: tempfile::tempdir().expect("a folder") }
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
        let end = self.upgrade(chart, &["--install"]).wait(None).await.expect("waited").expect("ended");
        assert!(end.is_success(), "{}: {}", self.real.version, end.stderr);
    }

    /// Returns what `kubectl get` prints; nothing for what is not there.
    fn read(&self, kind: &str, name: &str, output: &str) -> String {
        self.bed.kubectl(&["get", "-n", &self.namespace.name, kind, name, "-o", output, "--ignore-not-found"])
    }

    fn status_of(&self, revision: u32) -> String {
        self.read("secret", &format!("sh.helm.release.v1.shop.v{revision}"), "jsonpath={.metadata.labels.status}")
    }

    /// Installs the release, and returns a chart whose upgrade waits in a hook that never ends.
    async fn with_endless_hook(&self) -> PathBuf {
        self.install(&self.chart("one", &config("1"))).await;
        let hook = job("hook", "busybox:1", "helm.sh/hook: pre-upgrade");
        self.chart("two", &format!("{}---\n{hook}", config("2")))
    }

    fn has_hook(&self) -> bool {
        !self.read("job", "hook", "name").is_empty()
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
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "flags");
        assert_eq!(place.helm.version().await.expect("a version").to_string(), real.version);
        let table = place.helm.upgrade_flag_table().await.expect("a table");
        let line = "shop ./chart -f a.yaml --set x=1 --wait --timeout 5m --dry-run --install -n prod --kube-context c --debug --force";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let args = split(&words, &table, &[]).expect("a good command line");
        assert_eq!((args.release.as_str(), args.chart.as_str()), ("shop", "./chart"), "{}", real.version);
        assert!(args.is_dry_run() && args.installs());
        assert!(split(&["shop".into(), "./chart".into(), "--take-ownership".into()], &table, &[]).is_err());
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_will_be_stored() {
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "dryrun");
        place.install(&place.chart("one", &config("1"))).await;
        let chart = place.chart("two", &config("2"));
        let mut numbers = String::new();
        (0..20_000).try_for_each(|number| writeln!(numbers, "{number}")).expect("in memory");
        fs::write(chart.join("notes.txt"), numbers).expect("written");
        let request =
            PullRequest { chart: chart.to_str().expect("UTF-8"), source_flags: &[], updates_dependencies: false };
        let pulled = place.helm.pull_chart(&request, &place.folder.path().join("pulled")).await.expect("a chart");
        let request = UpgradeRequest { release: "shop", chart: &pulled.path, flags: &[] };
        let dry_run = place.helm.dry_run(&request).await.expect("an answer");
        assert_eq!((dry_run.release.revision, dry_run.release.info.status), (2, ReleaseStatus::PendingUpgrade));
        assert!(dry_run.release.manifest.contains("v: \"2\""));
        assert_eq!(place.status_of(2), "", "{}: nothing was stored", real.version);

        place.upgrade(&pulled.path, &[]).wait(None).await.expect("waited").expect("ended");
        let stored = place.read("secret", "sh.helm.release.v1.shop.v2", "jsonpath={.data.release}");
        let stored_bytes = stored.len() * 3 / 4;
        assert!(
            stored_bytes.abs_diff(dry_run.record_bytes) * 20 <= stored_bytes,
            "{}: {stored_bytes}, told {}",
            real.version,
            dry_run.record_bytes
        );
    }
}

#[tokio::test]
async fn an_immutable_job_is_told_in_one_line() {
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "immutable");
        place.install(&place.chart("one", &job("migrate", "busybox:1", ""))).await;
        let end =
            place.upgrade(&place.chart("two", &job("migrate", "busybox:2", "")), &[]).wait(None).await.expect("waited");
        let problems = end.expect("ended").problems;
        assert_eq!(problems.len(), 1, "{}: {problems:?}", real.version);
        assert!(problems[0].object.starts_with("Job ") && problems[0].object.ends_with("migrate"));
        assert_eq!(problems[0].field.as_deref(), Some("spec.template"));
        assert_eq!(problems[0].cause, "field is immutable");
        let remedy = format!("`kubectl delete job migrate -n {}`", place.namespace.name);
        assert!(problems[0].remedy.as_deref().is_some_and(|told| told.contains(&remedy)), "{problems:?}");
    }
}

#[tokio::test]
async fn an_interrupted_upgrade_is_marked_failed() {
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "interrupt");
        let mut run = place.upgrade(&place.with_endless_hook().await, &[]);
        wait_for("the hook was created", || place.has_hook());
        run.interrupt().expect("signalled");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        let end = run.wait(Some(deadline)).await.expect("waited").expect("it ends soon");
        assert_eq!(end.problems[0].cause, "Helm was told to stop", "{}", real.version);
        assert_eq!(place.status_of(2), "failed", "{}", real.version);
    }
}

#[tokio::test]
async fn an_upgrade_whose_parent_is_killed_is_marked_failed() {
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "killed");
        let chart = place.with_endless_hook().await;
        // A background process of a shell ignores SIGINT; Helm heeds it all the same.
        let script = format!(
            "'{GUARD}' {EXEC_COMMAND} $$ 2 '{}' upgrade shop '{}' -n {} > '{}' 2>&1 & wait",
            real.binary.display(),
            chart.display(),
            place.namespace.name,
            place.folder.path().join("log").display()
        );
        let mut parent = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("started");
        wait_for("the hook was created", || place.has_hook());
        assert_eq!(place.status_of(2), "pending-upgrade");
        parent.kill().expect("killed");
        parent.wait().expect("collected");
        wait_for("Helm has ended", || place.status_of(2) == "failed");
    }
}

#[tokio::test]
async fn a_rollback_names_its_revision() {
    let Some(bed) = Bed::open() else { return };
    for real in support::Helm::all() {
        let place = Workplace::new(&bed, &real, "rollback");
        place.install(&place.chart("one", &config("1"))).await;
        place.upgrade(&place.chart("two", &config("2")), &[]).wait(None).await.expect("waited").expect("ended");
        let mut run = place.helm.rollback("shop", 1, &[], place.folder.path()).expect("started");
        assert!(run.wait(None).await.expect("waited").expect("ended").is_success());
        assert_eq!(place.read("configmap", "c", "jsonpath={.data.v}"), "1");
        let mut run = place.helm.uninstall("shop", &[], place.folder.path()).expect("started");
        assert!(run.wait(None).await.expect("waited").expect("ended").is_success());
        assert_eq!(place.status_of(3), "");
    }
}
