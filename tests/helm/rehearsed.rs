//! Rehearsed commands: what they are told, that nothing leads past the proxy, that nothing is left running.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use helm_csghub::edge::helm::{
    HelmEnvironment, RehearsalEntry, RehearsedError, RehearsedRun, SUPERVISE_COMMAND, Stream,
};

use crate::{Fake, GUARD, until, wait_for};

impl Fake {
    fn entry(&self) -> (PathBuf, PathBuf) {
        (self.path("kubeconfig"), self.path("cache"))
    }

    fn try_rehearse(&self, words: &[&str]) -> Result<RehearsedRun, RehearsedError> {
        let (kubeconfig, cache_folder) = self.entry();
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let entry = RehearsalEntry { kubeconfig: &kubeconfig, cache_folder: &cache_folder };
        self.helm.rehearse(entry, &words, self.folder.path())
    }

    /// Starts the script as a rehearsed command.
    fn rehearse(&self, words: &[&str]) -> RehearsedRun {
        let program = self.path("helm");
        let mut all = vec![program.to_str().expect("UTF-8")];
        all.extend(words);
        self.try_rehearse(&all).expect("started")
    }
}

fn is_alive(pid: &str) -> bool {
    // A process that nobody has collected yet is there, but does nothing any more.
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    status.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

#[tokio::test]
async fn lines_come_while_it_runs_and_its_exit_code_is_its_own() {
    let fake =
        Fake::new(&format!("echo \"$@\"; {}; echo two >&2; {}; printf last; exit 7", until("heard"), until("go")));
    let mut run = fake.rehearse(&["list", "-n", "shop"]);
    let mut lines = Vec::new();
    for heard in ["heard", "go"] {
        let line = run.next_line().await.expect("read").expect("still running");
        lines.push((line.stream, line.text));
        fs::write(fake.path(heard), "").expect("written");
    }
    assert_eq!(lines, [(Stream::Out, "list -n shop".to_owned()), (Stream::Err, "two".to_owned())]);
    let end = run.wait().await.expect("ended");
    assert_eq!((end.status.code(), end.stdout.as_str(), end.stderr.as_str()), (Some(7), "list -n shop\nlast", "two\n"));
    assert!(run.log_files()[0].ends_with("rehearsed.1.out"));
    let end = fake.try_rehearse(&["sh", "-c", "kill -9 $$"]).expect("started").wait().await.expect("ended");
    assert_eq!(end.status.code(), Some(128 + 9));
}

#[tokio::test]
async fn it_gets_the_proxys_kubeconfig_and_no_other_way_to_a_cluster() {
    let mut fake = Fake::new("env; cat");
    fake.helm = fake.helm.with_environment(
        HelmEnvironment::default()
            .with_kubeconfig("/real")
            .with_namespace("shop")
            .with("HELM_KUBETOKEN", "s3cr3t")
            .with("KUBERNETES_SERVICE_HOST", "10.0.0.1")
            .with("HELM_BURST_LIMIT", "7"),
    );
    let end = fake.rehearse(&[]).wait().await.expect("ended");
    assert!(end.status.success(), "standard input is empty: {}", end.stderr);
    let (kubeconfig, cache) = fake.entry();
    for expected in [
        format!("KUBECONFIG={}", kubeconfig.display()),
        format!("KUBECACHEDIR={}", cache.display()),
        "HELM_NAMESPACE=shop".to_owned(),
        "HELM_BURST_LIMIT=7".to_owned(),
    ] {
        assert!(end.stdout.lines().any(|line| line == expected), "{expected}: {}", end.stdout);
    }
    let no_proxy = end.stdout.lines().find_map(|line| line.strip_prefix("NO_PROXY=")).expect("a list");
    assert!(no_proxy == "*" || no_proxy.split(',').any(|host| host == "127.0.0.1"), "{no_proxy}");
    assert!(!end.stdout.contains("HELM_KUBE") && !end.stdout.contains("KUBERNETES_SERVICE"), "{}", end.stdout);
}

#[tokio::test]
async fn what_would_leave_the_rehearsal_is_not_started() {
    let mut fake = Fake::new("touch started");
    let program = fake.path("helm").to_str().expect("UTF-8").to_owned();
    for words in [vec![program.as_str(), "--kube-context", "prod"], vec!["sudo", &program], vec![&program, "-s", "x"]] {
        assert!(matches!(fake.try_rehearse(&words), Err(RehearsedError::Refused(_))), "{words:?}");
    }
    assert!(matches!(fake.try_rehearse(&[]), Err(RehearsedError::Empty)));
    let missing = fake.try_rehearse(&["no-such-program"]).expect_err("not there").to_string();
    assert_eq!(missing, "no program `no-such-program`, neither as a path nor on PATH");
    fake.helm = fake.helm.with_environment(HelmEnvironment::default().with("HELM_DRIVER", "sql"));
    let refused = fake.try_rehearse(&[&program]).expect_err("a database").to_string();
    assert!(refused.contains("HELM_DRIVER=sql"), "{refused}");
    assert!(!fake.path("started").exists());
    assert!(!fake.path("rehearsed.1.out").exists(), "nothing was begun");
}

const FAMILY: &str = "(sh -c 'trap \"\" INT TERM; echo $$ > child; while :; do sleep 0.1; done') & \
                      while [ ! -s child ]; do sleep 0.02; done; echo $$ > parent; while :; do sleep 0.1; done";

#[tokio::test]
async fn dropped_it_is_killed_with_all_that_it_started() {
    let fake = Fake::new(FAMILY);
    let run = fake.rehearse(&[]);
    wait_for("it runs", || !fake.said("parent").is_empty());
    let pids = [fake.said("parent"), fake.said("child")];
    assert!(pids.iter().all(|pid| is_alive(pid)));
    drop(run);
    wait_for("all have gone", || !pids.iter().any(|pid| is_alive(pid)));
}

#[test]
fn when_we_are_killed_it_is_killed_with_all_that_it_started() {
    let fake = Fake::new(FAMILY);
    // The pipe's other end is held by the process that is killed.
    let script = format!(
        "mkfifo pipe; setsid '{GUARD}' {SUPERVISE_COMMAND} '{}' < pipe & exec sleep 1000 > pipe",
        fake.path("helm").display()
    );
    let mut parent = Command::new("sh")
        .args(["-c", &script])
        .current_dir(fake.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    wait_for("it runs", || !fake.said("parent").is_empty());
    let pids = [fake.said("parent"), fake.said("child")];
    std::thread::sleep(Duration::from_millis(200));
    assert!(pids.iter().all(|pid| is_alive(pid)));
    parent.kill().expect("killed");
    parent.wait().expect("collected");
    wait_for("all have gone", || !pids.iter().any(|pid| is_alive(pid)));
}

#[tokio::test]
async fn what_it_leaves_behind_is_told_to_end() {
    let fake =
        Fake::new("sh -c 'echo $$ > child; while :; do sleep 0.1; done' & while [ ! -s child ]; do sleep 0.02; done");
    let end = fake.rehearse(&[]).wait().await.expect("ended");
    assert_eq!(end.status.code(), Some(0));
    let child = fake.said("child");
    wait_for("it has gone", || !is_alive(&child));
}
