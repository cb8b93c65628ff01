//! `post-render` and `filter` are pure: neither a kubeconfig nor a home folder is read, and no connection opened.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

const MANIFESTS: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\nspec: {template: {spec: {containers: [{name: c, image: nginx}]}}}\n";
const PROFILE: &str = "format: 1
name: p
post-render:
  - name: all
    because: b
    changes: [{set-labels: {team: ml}}, adopt, {mirror-images: {docker.io: mirror.example.com}}]
";

/// How long it may take where it is to take a few milliseconds: an open of what nobody writes would take forever.
const PATIENCE: Duration = Duration::from_mins(1);

/// Makes a pipe with a name: who opens it to read waits for somebody who writes.
fn pipe(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo starts").success());
}

/// Returns what it came to; one that does not end is killed.
fn end(mut child: Child, input: &str) -> Output {
    let pid = Pid::from_child(&child);
    let mut stdin = child.stdin.take().expect("piped");
    let (has_ended, ends) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        scope.spawn(move || {
            if ends.recv_timeout(PATIENCE).is_err() {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let output = child.wait_with_output().expect("it ends");
        has_ended.send(()).expect("it is heard");
        output
    })
}

#[test]
fn rules_are_followed_where_no_kubeconfig_and_no_home_can_be_read_and_nothing_is_connected_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let kubeconfig = folder.path().join("kubeconfig");
    let profile = folder.path().join("p.yaml");
    fs::write(&profile, PROFILE).expect("written");
    pipe(&kubeconfig);
    for file in
        [".kube/config", ".config/helm/repositories.yaml", ".config/helm/registry/config.json", ".docker/config.json"]
    {
        pipe(&home.join(file));
    }
    // Whoever connects anywhere, does so here.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it does not wait");
    let port = listener.local_addr().expect("an address").port();
    let proxy = format!("http://127.0.0.1:{port}");
    for command in ["post-render", "filter"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_csghub"));
        program.args([command, "--release", "shop", "-n", "front", "--profile-file"]).arg(&profile).env_clear();
        program.env("HOME", &home).env("KUBECONFIG", &kubeconfig).env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        program.env("KUBERNETES_SERVICE_PORT", port.to_string()).env("HELM_KUBEAPISERVER", &proxy);
        program.envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, &proxy)));
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = end(program.spawn().expect("it starts"), MANIFESTS);
        let (told, written) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
        assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""), "{command}");
        assert_eq!(written.matches("team: ml").count(), 2, "{command}: {written}");
        assert_eq!(written.matches("meta.helm.sh/release-namespace: front").count(), 2, "{command}: {written}");
        assert!(written.contains("mirror.example.com/library/nginx"), "{command}: {written}");
    }
    let called = listener.accept().expect_err("nobody called");
    assert_eq!(called.kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_open_of_such_a_pipe_would_be_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    pipe(&path);
    let mut program = Command::new("cat");
    program.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.spawn().expect("it starts");
    thread::sleep(Duration::from_millis(100));
    assert!(child.try_wait().expect("it is asked").is_none(), "it waits");
    child.kill().expect("killed");
    child.wait().expect("it ends");
}
