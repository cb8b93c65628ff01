//! The edge that starts Helm. A shell script plays Helm: what it is told, what becomes of what it says, how it is stopped.
//! The real ones are in `tests/cluster/edge_helm.rs`.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use helm_csghub::edge::helm::{
    EXEC_COMMAND, Helm, HelmEnvironment, HelmError, HelmRun, PullRequest, Stream, UpgradeRequest,
};

#[path = "../support/argo_cd.rs"]
mod argo_cd;
mod examples;
#[path = "../support/executable.rs"]
mod executable;
mod post_render;
mod rehearsed;

const GUARD: &str = env!("CARGO_BIN_EXE_csghub");

/// A folder with a script `helm`, and the Helm that starts it.
struct Fake {
    folder: tempfile::TempDir,
    helm: Helm,
}

impl Fake {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("helm");
        executable::script(&program, &format!("cd '{}'\n{script}", folder.path().display()));
        let helm = Helm::locate(OsStr::new("./helm"), folder.path(), OsStr::new("")).expect("a program");
        Self { folder, helm: helm.with_guard(PathBuf::from(GUARD)) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn upgrade(&self, flags: &[&str]) -> HelmRun {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let request = UpgradeRequest { release: "shop", chart: Path::new("/charts/shop"), flags: &flags };
        self.helm.upgrade(&request, self.folder.path()).expect("started")
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// The words by which a script waits for a file.
fn until(file: &str) -> String {
    format!("while [ ! -e {file} ]; do sleep 0.02; done")
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn lines_come_while_helm_runs_and_stay_in_private_files() {
    let fake = Fake::new(&format!("echo one; {}; echo two >&2; {}; printf 'last'", until("heard"), until("go")));
    let mut run = fake.upgrade(&[]);
    let mut lines = Vec::new();
    // What comes of the two streams has no order of its own.
    for heard in ["heard", "go"] {
        lines.push(run.next_line().await.expect("read").expect("still running"));
        fs::write(fake.path(heard), "").expect("written");
    }
    while let Some(line) = run.next_line().await.expect("read") {
        lines.push(line);
    }
    let told: Vec<(Stream, &str)> = lines.iter().map(|line| (line.stream, line.text.as_str())).collect();
    assert_eq!(told, [(Stream::Out, "one"), (Stream::Err, "two"), (Stream::Out, "last")]);
    let end = run.wait(None).await.expect("waited").expect("ended");
    assert!(end.is_success());
    assert_eq!((end.stdout.as_str(), end.stderr.as_str()), ("one\nlast", "two\n"));
    for file in run.log_files() {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_second_run_leaves_the_files_of_the_first() {
    let fake = Fake::new("echo \"$@\"");
    for flags in [["--wait"], ["--no-hooks"]] {
        fake.upgrade(&flags).wait(None).await.expect("waited").expect("ended");
    }
    assert_eq!(fake.said("helm-upgrade.1.out"), "upgrade shop /charts/shop --wait\n");
    assert_eq!(fake.said("helm-upgrade.2.out"), "upgrade shop /charts/shop --no-hooks\n");
}

#[tokio::test]
async fn the_end_of_a_failed_run_is_explained() {
    let fake = Fake::new("echo 'Error: UPGRADE FAILED: job migrate failed: BackoffLimitExceeded' >&2; exit 1");
    let end = fake.upgrade(&[]).wait(None).await.expect("waited").expect("ended");
    assert_eq!(end.status.code(), Some(1));
    assert_eq!(end.problems.len(), 1);
    assert_eq!(end.problems[0].object, "release shop");
}

#[tokio::test]
async fn helm_is_interrupted_once_and_waited_for() {
    let fake = Fake::new(
        "trap 'echo INT >> signals; touch go' INT; touch ready; while [ ! -e go ]; do sleep 0.02; done; sleep 0.3; exit 1",
    );
    let mut run = fake.upgrade(&[]);
    wait_for("the script is ready", || fake.path("ready").exists());
    let soon = tokio::time::Instant::now() + Duration::from_millis(50);
    assert!(run.wait(Some(soon)).await.expect("waited").is_none(), "it still runs");
    run.interrupt().expect("signalled");
    run.interrupt().expect("signalled");
    let end = run.wait(None).await.expect("waited").expect("ended");
    assert!(end.was_interrupted && !end.is_success());
    assert_eq!(fake.said("signals"), "INT\n");
}

/// A shell starts its background jobs with SIGINT ignored, and so does `nohup` where it stands behind one.
#[test]
fn helm_hears_an_interrupt_although_we_were_started_with_it_ignored() {
    let fake = Fake::new("trap 'echo INT > signals; exit 7' INT; touch ready; while :; do sleep 0.02; done");
    let mut child = Command::new("sh")
        .args(["-c", "trap '' INT; exec \"$@\"", "sh", GUARD, EXEC_COMMAND])
        .args([std::process::id().to_string(), "15".to_owned()])
        .arg(fake.path("helm"))
        .spawn()
        .expect("it starts");
    wait_for("the script is ready", || fake.path("ready").exists());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("signalled");
    wait_for("it has ended", || child.try_wait().expect("it can be waited for").is_some());
    assert_eq!(fake.said("signals"), "INT\n");
    assert_eq!(child.wait().expect("it ended").code(), Some(7));
}

#[tokio::test]
async fn a_run_that_is_dropped_is_interrupted() {
    let fake = Fake::new("trap 'echo INT > signals; exit 1' INT; touch ready; while :; do sleep 0.02; done");
    let run = fake.upgrade(&[]);
    wait_for("the script is ready", || fake.path("ready").exists());
    drop(run);
    wait_for("the script was interrupted", || fake.said("signals") == "INT\n");
}

#[tokio::test]
async fn a_kill_takes_helm_and_all_that_it_started() {
    let fake = Fake::new("trap '' INT TERM; sleep 60 & echo $! > child; touch ready; wait");
    let mut run = fake.upgrade(&[]);
    wait_for("the script is ready", || fake.path("ready").exists());
    run.kill().await.expect("killed");
    let child = fake.said("child");
    // A killed process may linger as a zombie until the system collects it.
    wait_for("its child is gone", || {
        fs::read_to_string(format!("/proc/{}/stat", child.trim())).map_or(true, |stat| stat.contains(") Z "))
    });
    assert!(!run.wait(None).await.expect("waited").expect("ended").is_success());
}

#[tokio::test]
async fn helm_runs_in_a_process_group_of_its_own_with_the_environment_it_was_given() {
    let mut fake = Fake::new("ps -o pgid= -p $$ | tr -d ' '; echo $$; echo \"$HELM_NAMESPACE/$HELM_KUBETOKEN\"; cat");
    fake.helm =
        fake.helm.with_environment(HelmEnvironment::default().with("HELM_NAMESPACE", "prod").without("HELM_KUBETOKEN"));
    let end = fake.upgrade(&[]).wait(None).await.expect("waited").expect("ended");
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert_eq!(lines[0], lines[1], "leader of its group");
    assert_eq!(lines[2], "prod/");
}

#[test]
fn helm_is_told_when_we_are_killed() {
    let fake = Fake::new("trap 'echo TERM > signals; exit 1' TERM; echo $$ > ready; while :; do sleep 0.02; done");
    let script = format!("'{GUARD}' {EXEC_COMMAND} $$ 15 '{}' upgrade & wait", fake.path("helm").display());
    let mut parent = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).spawn().expect("started");
    wait_for("the script is ready", || !fake.said("ready").is_empty());
    parent.kill().expect("killed");
    parent.wait().expect("collected");
    wait_for("the script was told", || fake.said("signals") == "TERM\n");
}

#[tokio::test]
async fn a_program_that_cannot_be_started_says_so() {
    let fake = Fake::new("");
    executable::executable(&fake.path("helm"), "#!/no/such/interpreter\n");
    let end = fake.upgrade(&[]).wait(None).await.expect("waited").expect("ended");
    assert!(!end.is_success());
    assert!(end.problems[0].cause.contains("cannot start `"), "{:?}", end.problems);
}

#[tokio::test]
async fn a_version_is_read_behind_warnings() {
    let fake = Fake::new("echo 'WARNING: both command and platformCommand'; printf v4.3.1");
    assert_eq!(fake.helm.version().await.expect("a version").to_string(), "4.3.1");
    let silent = Fake::new("echo nothing");
    assert!(matches!(silent.helm.version().await, Err(HelmError::Answer { .. })));
}

#[tokio::test]
async fn a_dry_run_is_read_behind_warnings() {
    let fake = Fake::new(
        r#"echo "$@" > args; echo 'WARNING: {x}'; printf '%s\n' '{"name":"shop","namespace":"prod","version":2,"info":{"status":"pending-upgrade"},"chart":{"metadata":{"name":"shop","version":"1.0.0"}},"manifest":"---\n"}'"#,
    );
    let flags = ["--wait".to_owned()];
    let request = UpgradeRequest { release: "shop", chart: Path::new("/charts/shop"), flags: &flags };
    let dry_run = fake.helm.dry_run(&request).await.expect("an answer");
    assert_eq!(dry_run.release.revision, 2);
    assert!(dry_run.json.starts_with(b"{\"name\"") && dry_run.record_bytes > 0);
    assert_eq!(fake.said("args"), "upgrade shop /charts/shop --wait --dry-run=server --output json\n");
}

#[tokio::test]
async fn a_refused_dry_run_is_explained() {
    let fake = Fake::new(
        "echo 'Error: UPGRADE FAILED: execution error at (shop/templates/a.yaml:3:5): set the domain' >&2; exit 1",
    );
    let request = UpgradeRequest { release: "shop", chart: Path::new("/charts/shop"), flags: &[] };
    match fake.helm.dry_run(&request).await {
        Err(HelmError::Failed { problems, .. }) => assert_eq!(problems[0].object, "template shop/templates/a.yaml"),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_chart_that_is_no_path_is_left_to_helm() {
    let fake = Fake::new(
        r#"echo "$@" > args; while [ "$1" != --destination ]; do shift; done
        mkdir -p shop && printf 'apiVersion: v2\nname: shop\nversion: 1.2.3\n' > shop/Chart.yaml && tar czf "$2/shop-1.2.3.tgz" shop"#,
    );
    let flags = ["--version".to_owned(), "1.2.x".to_owned()];
    let request =
        PullRequest { chart: "oci://registry.example/shop", source_flags: &flags, updates_dependencies: false };
    let into = fake.path("pulled");
    let chart = fake.helm.pull_chart(&request, &into).await.expect("a chart");
    assert_eq!(chart.path, into.join("shop-1.2.3.tgz"));
    assert_eq!(chart.metadata.version, "1.2.3");
    assert_eq!(
        fake.said("args"),
        format!("pull oci://registry.example/shop --version 1.2.x --destination {}\n", into.display())
    );
}

#[tokio::test]
async fn a_chart_in_a_folder_is_copied_and_helm_is_not_asked() {
    let fake = Fake::new("touch asked");
    let chart = fake.path("shop");
    fs::create_dir_all(chart.join("templates")).expect("a folder");
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"7\"\n")
        .expect("written");
    fs::write(chart.join("templates/a.yaml"), "kind: ConfigMap\n").expect("written");
    let named = chart.to_str().expect("UTF-8");
    let request = PullRequest { chart: named, source_flags: &[], updates_dependencies: false };
    let first = fake.helm.pull_chart(&request, &fake.path("one")).await.expect("a chart");
    assert_eq!(first.metadata.app_version.as_deref(), Some("7"));
    assert_eq!(fs::read_to_string(first.path.join("templates/a.yaml")).expect("copied"), "kind: ConfigMap\n");
    assert!(!fake.path("asked").exists());

    fs::write(chart.join("templates/a.yaml"), "kind: Secret\n").expect("written");
    let second = fake.helm.pull_chart(&request, &fake.path("two")).await.expect("a chart");
    assert_ne!(first.digest, second.digest);

    let packed = fake.path("shop.tgz");
    let tar =
        Command::new("tar").current_dir(fake.folder.path()).args(["czf", "shop.tgz", "shop"]).status().expect("tar");
    assert!(tar.success());
    let request = PullRequest { chart: packed.to_str().expect("UTF-8"), ..request };
    let third = fake.helm.pull_chart(&request, &fake.path("three")).await.expect("a chart");
    assert_eq!(second.digest, third.digest);
}
