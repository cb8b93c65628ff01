//! `edge::proxy` before a real API server: what kubectl and the Helms see through it, what never reaches the server, and who else gets in.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use helm_csghub::domain::rehearsed::Mode;
use helm_csghub::edge::cluster::Cluster;
use helm_csghub::edge::proxy::{Counters, Proxy};
use helm_csghub::rehearsal::{Rehearsal, Settings};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::edge::{options, run};
use crate::support::{Bed, BedUser, Helm, Scene, eventually};

fn rehearsal() -> Rehearsal {
    Rehearsal::new(Settings {
        mode: Mode::All,
        now: "2026-01-01T00:00:00Z".into(),
        release: None,
        pretended: Vec::new(),
    })
}

/// A proxy that runs beside the test, in a thread of its own.
struct Doorway {
    kubeconfig: PathBuf,
    cache: PathBuf,
    folder: tempfile::TempDir,
    end: oneshot::Sender<()>,
    thread: JoinHandle<Counters>,
}

impl Doorway {
    fn open(kubeconfig: &Path, namespace: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (end, ended) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let (parent, options, namespace) = (folder.path().to_owned(), options(kubeconfig), namespace.to_owned());
        let thread = std::thread::spawn(move || {
            run(async {
                let cluster = Cluster::connect(&options).await.expect("the bed answers");
                let proxy = Proxy::start(&cluster, rehearsal(), &parent, &namespace).expect("a proxy");
                tell.send((proxy.kubeconfig().to_owned(), proxy.cache_folder().to_owned())).expect("told");
                let _ = ended.await;
                proxy.stop().await.1
            })
        });
        let (kubeconfig, cache) = told.recv().expect("it runs");
        Self { kubeconfig, cache, folder, end, thread }
    }

    fn field(&self, pointer: &str) -> String {
        let text = fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        let config: Value = serde_json::from_str(&text).expect("JSON");
        config.pointer(pointer).and_then(Value::as_str).expect("a field").to_owned()
    }

    fn token(&self) -> String {
        self.field("/users/0/user/token")
    }

    fn server(&self) -> String {
        self.field("/clusters/0/cluster/server")
    }

    fn kubectl(&self, bed: &Bed, words: &[&str]) -> Command {
        let mut command = Command::new(&bed.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", &self.cache).args(words).stdin(Stdio::null());
        command
    }

    fn close(self) -> Counters {
        let _ = self.end.send(());
        self.thread.join().expect("it ends well")
    }
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A release at rest, a user who may do everything to it, and a proxy for that user.
fn scene<'a>(bed: &'a Bed, purpose: &str) -> (Scene<'a>, BedUser<'a>, Doorway) {
    let scene = Scene::hubble(bed, purpose, &[]);
    let user = bed.user(&scene.namespace.name);
    user.grant_namespace(&scene.namespace.name);
    let doorway = Doorway::open(&user.kubeconfig, &scene.namespace.name);
    (scene, user, doorway)
}

/// Ages go on while one looks.
fn without_ages(text: &str) -> String {
    let is_age = |word: &str| {
        word.chars().next().is_some_and(|first| first.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word.chars().all(|letter| letter.is_ascii_digit() || "smh".contains(letter))
    };
    let line = |line: &str| {
        line.split_whitespace().map(|word| if is_age(word) { "(age)" } else { word }).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns what is read through the proxy and what is read without, at a time when nothing changes by itself: before and
/// after, the same is read without.
fn at_rest<T: PartialEq>(through: impl Fn() -> T, direct: impl Fn() -> T) -> (T, T) {
    eventually(|| {
        let (before, seen, after) = (direct(), through(), direct());
        if before == after { Ok((seen, after)) } else { Err("what is read without the proxy changes".to_owned()) }
    })
}

#[test]
fn kubectl_sees_through_the_proxy_what_it_sees_without() {
    let Some(bed) = Bed::open() else { return };
    let (scene, user, doorway) = scene(&bed, "through");
    let pods = bed.kubectl(&["get", "pods", "-n", &scene.namespace.name, "-o", "name"]);
    let pod = pods.lines().next().expect("a pod").to_owned();
    let pod_path = format!("/api/v1/namespaces/{}/{}", scene.namespace.name, pod.replace("pod/", "pods/"));
    let mut compared = 0;
    for words in [
        vec!["get", "all,secrets,configmaps", "-o", "yaml"],
        vec!["get", "pods", "-o", "wide"],
        vec!["get", "pods", "-l", "app.kubernetes.io/instance in (shop, other),!none"],
        vec!["get", "--raw", &pod_path],
        vec!["get", "--raw", "/openapi/v3"],
        vec!["get", "nodes"],
        vec!["get", "configmap", "is-not-there"],
        vec!["describe", &pod],
        vec!["describe", "deployments"],
        vec!["logs", &pod, "--tail=3"],
        vec!["api-resources", "-o", "name"],
        vec!["explain", "deployment.spec.template"],
        vec!["version"],
    ] {
        let plain = |output: &Output| {
            let (code, out, err) = texts(output);
            (code, without_ages(&out), without_ages(&err))
        };
        let (through, direct) = at_rest(
            || plain(&doorway.kubectl(&bed, &words).output().expect("kubectl starts")),
            || plain(&bed.try_kubectl_as(&user.kubeconfig, &words, None)),
        );
        assert_eq!(through, direct, "kubectl {words:?}");
        compared += direct.1.len();
    }
    assert!(compared > 50_000, "there was something to compare: {compared}");
    let counters = doorway.close();
    assert!(counters.requests > 13 && counters.unanswered == 0, "{counters:?}");
}

#[test]
fn a_watch_through_the_proxy_tells_what_happens_and_ends_when_asked() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("watch");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let doorway = Doorway::open(&user.kubeconfig, &namespace.name);
    let words = ["get", "configmaps", "-l", "watched=yes", "--watch", "--output-watch-events", "-o", "name"];
    let mut watcher = doorway.kubectl(&bed, &words).stdout(Stdio::piped()).spawn().expect("kubectl starts");
    let (tell, told) = mpsc::channel();
    let output = BufReader::new(watcher.stdout.take().expect("piped"));
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let config = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value},
            "metadata": {"name": "w", "namespace": namespace.name, "labels": {"watched": "yes"}}})
    };
    let next = || told.recv_timeout(Duration::from_secs(30)).expect("an event in time");
    bed.apply(&config("1"));
    assert!(next().contains("configmap/w"));
    bed.apply(&config("2"));
    assert!(next().contains("configmap/w"));
    bed.kubectl(&["delete", "configmap", "w", "-n", &namespace.name]);
    assert!(next().contains("configmap/w"));
    watcher.kill().expect("killed");
    watcher.wait().expect("collected");
    let began = Instant::now();
    let path = format!("/api/v1/namespaces/{}/configmaps?watch=true&timeoutSeconds=2", namespace.name);
    let ended = doorway.kubectl(&bed, &["get", "--raw", &path]).output().expect("kubectl ends");
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        (2..20).contains(&began.elapsed().as_secs()),
        "timeoutSeconds is the server's affair: {:?}",
        began.elapsed()
    );
    assert!(doorway.close().watches >= 2);
}

#[test]
fn what_is_not_in_the_table_never_reaches_the_server() {
    let Some(bed) = Bed::open() else { return };
    let (scene, user, doorway) = scene(&bed, "denied");
    let namespace = scene.namespace.name.as_str();
    let pods = bed.kubectl(&["get", "pods", "-n", namespace, "-o", "name"]);
    let pod = pods.lines().next().expect("a pod").trim_start_matches("pod/").to_owned();
    let before = scene.state_of_all();
    let pods_path = format!("/api/v1/namespaces/{namespace}/pods");
    let raw = |path: &str| format!("{pods_path}/{pod}/{path}");
    let eviction =
        json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}});
    let file = scene.folder().join("eviction.json");
    fs::write(&file, eviction.to_string()).expect("written");
    let file = file.to_str().expect("UTF-8");
    for words in [
        vec!["exec", &pod, "--", "ls"],
        vec!["attach", &pod],
        vec!["cp", &format!("{pod}:/etc/hostname"), "/dev/null"],
        vec!["get", "--raw", &raw("exec?command=ls")],
        vec!["get", "--raw", &raw("portforward")],
        vec!["get", "--raw", &raw("proxy/")],
        vec!["create", "--raw", &raw("eviction"), "-f", file],
        vec!["create", "token", "default"],
        vec!["delete", "--raw", &pods_path],
        vec!["delete", "--raw", &format!("{pods_path}?dryRun=All")],
        vec!["get", "--raw", &format!("/api/v1/watch/namespaces/{namespace}/pods")],
    ] {
        let (code, out, err) = texts(&doorway.kubectl(&bed, &words).output().expect("kubectl starts"));
        assert_ne!(code, Some(0), "kubectl {words:?}: {out}");
        let told = format!("{out}{err}");
        assert!(
            told.contains("does not let") || told.contains("not allow") || told.contains("container"),
            "{words:?}: {told}"
        );
    }
    // kubectl listens before it connects.
    let mut forward = doorway
        .kubectl(&bed, &["port-forward", &pod, ":80"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let line = BufReader::new(forward.stdout.take().expect("piped")).lines().next();
    assert!(line.is_none(), "{line:?}");
    assert!(!forward.wait().expect("it ends").success());
    // Both ways out of HTTP.
    for protocol in ["websocket", "SPDY/3.1"] {
        let (code, out, err) = curl(
            &doorway,
            "0",
            &[
                "-H",
                "Connection: Upgrade",
                "-H",
                &format!("Upgrade: {protocol}"),
                "-H",
                "Sec-WebSocket-Version: 13",
                "-H",
                "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==",
                "-H",
                &format!("Authorization: Bearer {}", doorway.token()),
                &format!("{}{}", doorway.server(), raw("exec?command=ls")),
            ],
        );
        assert!(out.ends_with(" 405"), "{code:?} {out} {err}");
    }
    // A second kubeconfig in the same file would lead to the real server.
    let edited =
        doorway.kubectl(&bed, &["config", "set-cluster", "x", "--server=https://10.0.0.1"]).output().expect("starts");
    assert!(!edited.status.success(), "{edited:?}");
    let requests = user.audit().requests;
    assert!(requests.len() > 3, "what kubectl reads is in the log");
    for request in &requests {
        assert!(["get", "list", "watch"].contains(&request.verb.as_str()), "{} {}", request.verb, request.uri);
        assert!(!request.resource.contains('/') || request.resource == "pods/log", "{}", request.uri);
    }
    before.assert_unchanged(&scene);
    assert!(!doorway.close().kubeconfig_edited);
}

#[test]
fn every_helm_reads_releases_through_the_proxy() {
    let Some(bed) = Bed::open() else { return };
    let (scene, user, _) = scene(&bed, "helms");
    let namespace = scene.namespace.name.as_str();
    for helm in Helm::all() {
        let doorway = Doorway::open(&user.kubeconfig, namespace);
        for words in [
            vec!["list", "-n", namespace, "-o", "json"],
            vec!["history", "shop", "-n", namespace],
            vec!["get", "manifest", "shop", "-n", namespace],
            vec!["get", "values", "shop", "--all", "-n", namespace],
            vec!["status", "shop", "-n", namespace],
        ] {
            let read = |kubeconfig: &Path| {
                let ran = helm.run(kubeconfig, &words);
                assert_eq!(ran.code, 0, "{} {words:?}: {}", helm.version, ran.stderr);
                // Helm 4 shows kinds in no order.
                let mut lines: Vec<String> = without_ages(&ran.stdout).lines().map(str::to_owned).collect();
                lines.sort_unstable();
                lines
            };
            let (through, direct) = at_rest(|| read(&doorway.kubeconfig), || read(&user.kubeconfig));
            assert_eq!(through, direct, "{} {words:?}", helm.version);
            assert!(!direct.is_empty());
        }
        // However it ends here, nothing is written.
        helm.run(&doorway.kubeconfig, &["rollback", "shop", "1", "-n", namespace]);
        assert_eq!(doorway.close().unanswered, 0);
    }
    assert_eq!(scene.history().len(), 1);
    assert_eq!(user.audit().writes().len(), 0);
}

/// Asks by curl, as that uid; the answer ends with its code.
fn curl(doorway: &Doorway, uid: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        uid,
        "--regid",
        uid,
        "--clear-groups",
        "curl",
        "-sk",
        "--max-time",
        "20",
        "-w",
        " %{http_code}",
    ]);
    if uid == "0" {
        command = Command::new("curl");
        command.args(["-sk", "--http1.1", "--max-time", "20", "-w", " %{http_code}"]);
    }
    command.current_dir("/").env_remove("HTTPS_PROXY").env_remove("https_proxy").args(words);
    texts(&command.output().unwrap_or_else(|error| panic!("{} beside {}: {error}", "curl", doorway.server())))
}

#[test]
fn another_user_of_this_machine_gets_nothing() {
    let Some(bed) = Bed::open() else { return };
    if !rustix::process::getuid().is_root() {
        return crate::support::skip("only root can be somebody else");
    }
    let namespace = bed.namespace("nobody");
    let user = bed.user(&namespace.name);
    let doorway = Doorway::open(&user.kubeconfig, &namespace.name);
    // The folders above are open to all: it is file and folder of the run that are not.
    for path in [&doorway.kubeconfig, &doorway.kubeconfig.with_file_name("")] {
        for program in ["cat", "ls"] {
            let mut command = Command::new("setpriv");
            let words = ["--reuid", "65534", "--regid", "65534", "--clear-groups", program];
            let output = command.current_dir("/").args(words).arg(path).output().expect("setpriv starts");
            assert!(!output.status.success() && output.stdout.is_empty(), "{}: {output:?}", path.display());
        }
    }
    for path in ["/version", "/api/v1/secrets", "/"] {
        for words in [vec![], vec!["-H", "Authorization: Bearer x"], vec!["-X", "DELETE"]] {
            let url = format!("{}{path}", doorway.server());
            let mut words = words;
            words.push(&url);
            let (code, out, err) = curl(&doorway, "65534", &words);
            assert!(out.contains("Unauthorized") && out.ends_with(" 401"), "{code:?} {out} {err}");
        }
    }
    let requests = user.audit().requests;
    assert!(requests.iter().all(|request| request.uri.starts_with("/version")), "{requests:?}");
    let counters = doorway.close();
    assert_eq!((counters.requests, counters.unauthorized), (0, 9));
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn token_and_key_are_in_no_file_and_in_no_output() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("secret");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let doorway = Doorway::open(&user.kubeconfig, &namespace.name);
    let token = doorway.token();
    let holds = |file: &PathBuf, word: &str| {
        let content = fs::read(file).expect("a file");
        content.windows(word.len()).any(|window| window == word.as_bytes())
    };
    let (code, out, err) = texts(&doorway.kubectl(&bed, &["get", "pods", "-v=9"]).output().expect("kubectl starts"));
    assert_eq!(code, Some(0), "{err}");
    assert!(!out.contains(&token) && !err.contains(&token));
    assert!(!err.contains(&user.token), "nor is the real one");
    let files = files_below(doorway.folder.path());
    assert!(files.len() > 2, "kubectl has cached what it discovered: {files:?}");
    for file in &files {
        assert_eq!(holds(file, &token), *file == doorway.kubeconfig, "{}", file.display());
        assert!(!holds(file, "PRIVATE KEY") && !holds(file, &user.token), "{}", file.display());
    }
    let counters = format!("{:?}", doorway_counters(doorway));
    assert!(!counters.contains(&token));
}

/// Closes it, and looks that nothing is left.
fn doorway_counters(doorway: Doorway) -> Counters {
    let Doorway { folder, end, thread, .. } = doorway;
    let _ = end.send(());
    let counters = thread.join().expect("it ends well");
    assert_eq!(files_below(folder.path()), Vec::<PathBuf>::new());
    counters
}

const HELD: &str = "CSGHUB_TEST_HELD_KUBECONFIG";

/// The process that the next test kills: started by it alone, with the variable set.
#[test]
fn a_proxy_is_held_until_the_process_is_killed() {
    let Some(kubeconfig) = std::env::var_os(HELD) else { return };
    let folder = std::env::var_os("CSGHUB_TEST_HELD_FOLDER").expect("a folder");
    run(async {
        let cluster = Cluster::connect(&options(Path::new(&kubeconfig))).await.expect("the bed answers");
        let proxy = Proxy::start(&cluster, rehearsal(), Path::new(&folder), "default").expect("a proxy");
        fs::write(Path::new(&folder).join("path"), proxy.kubeconfig().to_str().expect("UTF-8")).expect("written");
        std::future::pending::<()>().await;
    });
}

#[test]
fn what_a_killed_process_leaves_opens_nothing() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("killed");
    let user = bed.user(&namespace.name);
    let folder = tempfile::tempdir().expect("a folder");
    let mut holder = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "proxy::a_proxy_is_held_until_the_process_is_killed"])
        .env(HELD, &user.kubeconfig)
        .env("CSGHUB_TEST_HELD_FOLDER", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let path = folder.path().join("path");
    let since = Instant::now();
    while fs::read_to_string(&path).unwrap_or_default().is_empty() {
        assert!(since.elapsed() < Duration::from_mins(1), "it runs");
        std::thread::sleep(Duration::from_millis(20));
    }
    let kubeconfig = PathBuf::from(fs::read_to_string(&path).expect("a path"));
    let ask = || bed.try_kubectl_as(&kubeconfig, &["get", "--raw", "/version"], None);
    assert!(ask().status.success(), "{:?}", ask());
    holder.kill().expect("killed");
    holder.wait().expect("collected");
    assert!(kubeconfig.exists(), "nobody was left to remove it");
    let refused = texts(&ask());
    assert_eq!(refused.0, Some(1));
    assert!(refused.2.contains("refused"), "{refused:?}");
    for file in files_below(folder.path()) {
        let text = fs::read_to_string(&file).expect("text");
        assert!(!text.contains("PRIVATE KEY") && !text.contains(&user.token), "{}", file.display());
    }
    // Not even where another run listens now: it has another authority and another token.
    let other = Doorway::open(&user.kubeconfig, &namespace.name);
    let text = fs::read_to_string(&kubeconfig).expect("still there");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["clusters"][0]["cluster"]["server"] = json!(other.server());
    let stale = folder.path().join("stale");
    fs::write(&stale, config.to_string()).expect("written");
    let refused = texts(&bed.try_kubectl_as(&stale, &["get", "--raw", "/version"], None));
    assert!(refused.0 == Some(1) && refused.2.contains("certificate"), "{refused:?}");
    assert_eq!(other.close().requests, 0);
}
