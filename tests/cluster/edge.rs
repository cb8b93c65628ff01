//! `edge::cluster`: connecting, reading, listing, deleting, rights, logs, Helm's storage.

use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use helm_csghub::domain::facts::{HelmDriver, RightFacts};
use helm_csghub::domain::object::{Object, ObjectRef};
use helm_csghub::domain::release;
use helm_csghub::edge::cluster::{
    Cluster, ClusterError, ClusterOptions, Deleted, ErrorClass, Gone, LogRequest, Propagation, Selector,
};
use serde_json::{Value, json};

use crate::support::user::Rule;
use crate::support::{Bed, BedUser, Helm, Snapshot, eventually, waiting};

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub(crate) fn options(kubeconfig: &Path) -> ClusterOptions {
    ClusterOptions { kubeconfig: Some(kubeconfig.into()), ..ClusterOptions::default() }
}

pub(crate) async fn connect(user: &BedUser<'_>) -> Cluster {
    Cluster::connect(&options(&user.kubeconfig)).await.expect("the bed answers")
}

fn name_of(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: api_version.into(),
        kind: kind.into(),
        namespace: namespace.map(str::to_owned),
        name: name.into(),
    }
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": {"a": "b"}})
}

/// A server that says `answers` one after the other, the last one for ever, and counts the questions.
fn answering_server(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move |stream: TcpStream| {
        let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let index = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        // An empty answer breaks the connection.
        let mut stream = stream;
        stream.write_all(answers[index].as_bytes()).expect("written");
    };
    std::thread::spawn(move || listener.incoming().flatten().for_each(&answer));
    (url, asked)
}

const VERSION: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 24\r\n\r\n{\"gitVersion\":\"v1.36.3\"}";
const BUSY: &str =
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbusy";
const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 4\r\n\r\noops";
const BROKEN: &str = "";

#[test]
fn an_overloaded_server_is_asked_again_when_it_said_so() {
    let (url, asked) = answering_server(&[BUSY, VERSION]);
    let begun = Instant::now();
    let options = ClusterOptions { api_server: Some(url), kubeconfig: Some("/dev/null".into()), ..Default::default() };
    let cluster = run(Cluster::connect(&options)).expect("answers the second time");
    assert_eq!((run(cluster.server_version()).expect("known"), asked.load(Ordering::SeqCst)), ("v1.36.3".into(), 2));
    assert!(begun.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");
}

#[test]
fn a_broken_connection_is_tried_again_on_a_server_that_answered_before() {
    let (url, asked) =
        answering_server(&[VERSION, BROKEN, FAILED, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]);
    let options = ClusterOptions { api_server: Some(url), kubeconfig: Some("/dev/null".into()), ..Default::default() };
    run(async {
        let cluster = Cluster::connect(&options).await.expect("answers");
        assert_eq!(cluster.resolve("v1", "Pod").await.expect("an answer"), None);
    });
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[test]
fn a_server_that_cannot_be_reached_is_named_with_its_context() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": url}}], "users": [],
        "contexts": [{"name": "prod", "context": {"cluster": "c"}}]});
    std::fs::write(&kubeconfig, config.to_string()).expect("written");
    let begun = Instant::now();
    let error = run(Cluster::connect(&options(&kubeconfig))).err().expect("nobody listens");
    assert_eq!(error.class(), ErrorClass::Unreachable, "{error:?}");
    assert!(error.to_string().contains(&url) && error.to_string().contains("context `prod`"), "{error}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("context `prod`")), "{:?}", error.remedy());
    assert!(begun.elapsed() < Duration::from_secs(5), "a refused connection was tried for {:?}", begun.elapsed());
}

#[test]
fn a_credential_plugin_that_fails_is_told_from_a_server_that_does_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"});
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": exec}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}]});
    std::fs::write(&kubeconfig, config.to_string()).expect("written");
    let error = run(Cluster::connect(&options(&kubeconfig))).err().expect("no credentials");
    assert_eq!(error.class(), ErrorClass::Unauthorized, "{error:?}");
}

#[test]
fn the_server_tells_its_version_and_who_we_are() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("who");
    let user = bed.user(&namespace.name);
    run(async {
        let cluster = connect(&user).await;
        assert!(cluster.server_version().await.expect("a version").starts_with("v1."));
        let identity = cluster.whoami().await.expect("an answer").expect("served since 1.28");
        assert_eq!(identity.username, user.name);
        assert_eq!(cluster.namespace(), namespace.name);
    });
}

#[test]
fn a_wrong_token_and_a_wrong_certificate_are_told_apart() {
    let Some(bed) = Bed::open() else { return };
    let mut wrong = options(&bed.kubeconfig);
    wrong.token = Some("wrong".into());
    let error = run(Cluster::connect(&wrong)).err().expect("refused");
    assert_eq!(error.class(), ErrorClass::Unauthorized, "{error:?}");

    let mut wrong = options(&bed.kubeconfig);
    let plain = std::env::var("CSGHUB_BED_SERVER").expect("set with the bed").replace("https://", "http://");
    wrong.api_server = Some(plain);
    assert!(run(Cluster::connect(&wrong)).is_err(), "the server wants TLS");

    let mut wrong = options(&bed.kubeconfig);
    wrong.tls_server_name = Some("another.example".into());
    let error = run(Cluster::connect(&wrong)).err().expect("not its name");
    assert_eq!(error.class(), ErrorClass::Unreachable, "{error:?}");
    wrong.insecure_skip_tls_verify = true;
    assert!(run(Cluster::connect(&wrong)).is_ok(), "certificates are not to be checked");
}

#[test]
fn a_server_by_its_name_an_exec_plugin_and_another_user_all_work() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("ways");
    let user = bed.user(&namespace.name);
    let text = std::fs::read_to_string(&bed.kubeconfig).expect("readable");
    let server = text.lines().find_map(|line| line.trim().strip_prefix("server: ")).expect("a server");
    let port = server.rsplit(':').next().expect("a port");
    let mut by_name = options(&bed.kubeconfig);
    by_name.api_server = Some(format!("https://localhost:{port}"));
    by_name.as_user = Some("alice".into());
    by_name.as_groups = vec!["ops".into(), "dev".into()];
    let identity = run(async {
        let cluster = Cluster::connect(&by_name).await.expect("localhost is in the certificate");
        cluster.whoami().await.expect("an answer").expect("served")
    });
    assert_eq!(identity.username, "alice");
    assert!(["ops", "dev"].iter().all(|group| identity.groups.iter().any(|known| known == group)), "{identity:?}");

    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": user.token}});
    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(&user.kubeconfig).expect("readable")).expect("JSON");
    config["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo", "args": [credential.to_string()], "interactiveMode": "Never"}});
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    std::fs::write(&kubeconfig, config.to_string()).expect("written");
    let identity = run(async {
        let cluster = Cluster::connect(&options(&kubeconfig)).await.expect("the plugin gives a token");
        cluster.whoami().await.expect("an answer").expect("served")
    });
    assert_eq!(identity.username, user.name);
}

#[test]
fn a_kind_that_is_not_served_is_no_error_and_a_new_one_is_found() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("kinds");
    let user = bed.user(&namespace.name);
    let group = format!("{}.example.com", namespace.name);
    let api_version = format!("{group}/v1");
    run(async {
        let cluster = connect(&user).await;
        let deployment = cluster.resolve("apps/v1", "Deployment").await.expect("served").expect("known");
        assert_eq!((deployment.plural.as_str(), deployment.namespaced), ("deployments", true));
        assert_eq!(cluster.resolve("apps/v1", "Widget").await.expect("served"), None);
        assert_eq!(cluster.resolve(&api_version, "Widget").await.expect("served"), None);
        let widget = name_of(&api_version, "Widget", Some(&namespace.name), "a");
        assert_eq!(cluster.read_object(&widget).await.expect("no such kind"), None);

        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let crd = format!("widgets.{group}");
        bed.apply(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": crd}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}}));
        bed.kubectl(&["wait", "--for", "condition=Established", "crd", &crd]);
        let begun = Instant::now();
        while cluster.resolve(&api_version, "Widget").await.expect("an answer").is_none() {
            assert!(begun.elapsed() < waiting::PATIENCE, "a new kind is not seen");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bed.kubectl(&["delete", "crd", &crd, "--wait=false"]);
    });
}

/// An aggregated API that is down. It goes with the value, for it is in the way of everybody who lists all kinds.
struct DownApi<'a> {
    bed: &'a Bed,
    service: String,
}

impl<'a> DownApi<'a> {
    /// Registers it, and waits until the server says that it is down.
    fn register(bed: &'a Bed, group: &str, namespace: &str) -> Self {
        let down = Self { bed, service: format!("v1.{group}") };
        bed.apply(&json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": down.service}, "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100,
            "versionPriority": 1, "insecureSkipTLSVerify": true, "service": {"name": "none", "namespace": namespace}}}));
        eventually(|| {
            let answer = bed.try_kubectl(&["get", "--raw", &format!("/apis/{group}/v1")], None);
            let is_down = String::from_utf8_lossy(&answer.stderr).contains("(ServiceUnavailable)");
            if is_down { Ok(()) } else { Err(format!("{answer:?}")) }
        });
        down
    }
}

impl Drop for DownApi<'_> {
    fn drop(&mut self) {
        // A test that failed has its own message; this one must not hide it.
        self.bed.try_kubectl(&["delete", "apiservice", &self.service], None);
    }
}

#[test]
fn an_aggregated_api_that_is_down_fails_nothing_but_itself() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("down");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let group = format!("{}.example.com", namespace.name);
    bed.apply(&config_map(&namespace.name, "there"));
    let objects = [
        name_of(&format!("{group}/v1"), "Widget", Some(&namespace.name), "a"),
        name_of("v1", "ConfigMap", Some(&namespace.name), "there"),
    ];
    let down = DownApi::register(&bed, &group, &namespace.name);
    let read = run(async { connect(&user).await.read_objects(&objects).await });
    drop(down);
    assert!(matches!(&read[0].1, Err(ClusterError::Refused { answer, .. }) if answer.code == 503), "{:?}", read[0].1);
    assert!(matches!(&read[1].1, Ok(Some(_))), "{:?}", read[1].1);
}

#[test]
fn a_manifest_gets_its_namespace_by_the_scope_of_its_kind() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("scope");
    let user = bed.user(&namespace.name);
    let manifest = |value: Value| Object::new(value).expect("an object");
    run(async {
        let cluster = connect(&user).await;
        let role = manifest(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "r", "namespace": "stray"}}));
        let map = manifest(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}));
        let other = manifest(config_map("other", "m"));
        let unknown = manifest(json!({"apiVersion": "x.example.com/v1", "kind": "X", "metadata": {"name": "m"}}));
        let complete = async |object: &Object| {
            cluster.complete(object, "shop").await.expect("an answer").map(|name| name.namespace)
        };
        assert_eq!(complete(&role).await, Some(None));
        assert_eq!(complete(&map).await, Some(Some("shop".into())));
        assert_eq!(complete(&other).await, Some(Some("other".into())));
        assert_eq!(complete(&unknown).await, None);
    });
}

#[test]
fn objects_are_read_in_order_with_nothing_but_the_right_to_get() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("read");
    let user = bed.user(&namespace.name);
    user.grant(&namespace.name, &[Rule { group: "", resources: &["configmaps"], verbs: &["get"] }]);
    let names: Vec<String> = (0..260).map(|index| format!("map-{index:03}")).collect();
    let items: Vec<Value> = names.iter().map(|name| config_map(&namespace.name, name)).collect();
    bed.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
    let mut objects: Vec<ObjectRef> =
        names.iter().map(|name| name_of("v1", "ConfigMap", Some(&namespace.name), name)).collect();
    objects.push(name_of("v1", "ConfigMap", Some(&namespace.name), "absent"));
    objects.push(name_of("v1", "Secret", Some(&namespace.name), "hidden"));
    objects.push(name_of("v1", "ConfigMap", None, "homeless"));
    let (read, took) = run(async {
        let cluster = connect(&user).await;
        let begun = Instant::now();
        (cluster.read_objects(&objects).await, begun.elapsed())
    });
    eprintln!("{} reads took {took:?}", read.len());
    assert!(read.iter().map(|(name, _)| name).eq(&objects), "the order changed");
    for ((name, found), wanted) in read.iter().zip(&names) {
        let found = found.as_ref().expect("readable").as_ref().expect("there");
        assert_eq!((found.kind(), found.name(), &name.name), ("ConfigMap", wanted.as_str(), wanted));
    }
    assert!(matches!(&read[260].1, Ok(None)));
    assert_eq!(read[261].1.as_ref().err().map(ClusterError::class), Some(ErrorClass::Forbidden));
    assert!(matches!(&read[262].1, Err(ClusterError::NoNamespace { .. })));
    assert!(user.audit().writes().is_empty(), "reading wrote: {:?}", user.audit().writes());
}

#[test]
fn a_list_has_every_page_and_every_item_its_type() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("list");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let items: Vec<Value> = (0..620).map(|index| config_map(&namespace.name, &format!("map-{index:03}"))).collect();
    bed.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
    run(async {
        let cluster = connect(&user).await;
        let all = cluster.list("v1", "ConfigMap", Some(&namespace.name), &Selector::default()).await.expect("listed");
        let ours = all.iter().filter(|object| object.name().starts_with("map-")).count();
        assert_eq!(ours, 620);
        assert!(all.iter().all(|object| object.kind() == "ConfigMap" && object.api_version() == "v1"));
        let one = Selector { fields: Some("metadata.name=map-007".into()), labels: None };
        assert_eq!(cluster.list("v1", "ConfigMap", Some(&namespace.name), &one).await.expect("listed").len(), 1);
        assert!(cluster.list("x.example.com/v1", "X", None, &one).await.expect("unknown").is_empty());
        let error = cluster.list_events("default").await.expect_err("another namespace");
        assert_eq!(error.class(), ErrorClass::Forbidden);
    });
}

#[test]
fn every_secret_that_was_read_is_told_once() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("secrets");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    bed.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": namespace.name},
        "stringData": {"password": "s3cr3t"}}));
    run(async {
        let cluster = connect(&user).await;
        let secret = name_of("v1", "Secret", Some(&namespace.name), "db");
        cluster.read_object(&secret).await.expect("readable").expect("there");
        cluster.list("v1", "Secret", Some(&namespace.name), &Selector::default()).await.expect("listed");
        let seen = cluster.take_secrets_seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].text_at("/data/password"), Some("czNjcjN0"));
        assert!(cluster.take_secrets_seen().is_empty());
    });
}

#[test]
fn helms_own_records_are_read_oldest_first_and_decode() {
    let Some(bed) = Bed::open() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let chart = folder.path().join("shop");
    std::fs::create_dir_all(chart.join("templates")).expect("a chart");
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 1.2.3\n").expect("written");
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {n: '{{ .Release.Revision }}'}\n";
    std::fs::write(chart.join("templates/map.yaml"), template).expect("written");
    let chart = chart.display().to_string();
    for helm in Helm::all() {
        for (driver, word) in [(HelmDriver::Secret, "secret"), (HelmDriver::Configmap, "configmap")] {
            let namespace = bed.namespace("helm");
            let user = bed.user(&namespace.name);
            user.grant_namespace(&namespace.name);
            for _ in 0..2 {
                let arguments = ["upgrade", "--install", "shop", &chart, "-n", &namespace.name];
                let done = helm.command(&user.kubeconfig).env("HELM_DRIVER", word).args(arguments).output();
                let done = done.expect("helm starts");
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
            let records = run(async {
                let cluster = connect(&user).await;
                let absent = cluster.read_release_records("gone", &namespace.name, driver).await;
                assert!(absent.expect("no such release").is_empty());
                cluster.read_release_records("shop", &namespace.name, driver).await.expect("readable")
            });
            let decoded: Vec<_> =
                records.iter().map(|record| release::decode(&record.data).expect("decodes").revision).collect();
            assert_eq!(decoded, [1, 2], "helm {} with {word}", helm.version);
            assert_eq!(records[1].name, "sh.helm.release.v1.shop.v2");
            assert!(!records[1].resource_version.is_empty());
        }
    }
}

#[test]
fn rights_are_answered_by_the_server_in_the_order_asked() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("rights");
    let right = |verb: &str, group: &str, resource: &str, namespace: Option<&str>| RightFacts {
        verb: verb.into(),
        group: group.into(),
        resource: resource.into(),
        namespace: namespace.map(str::to_owned),
        needed_for: "a test".into(),
        allowed: false,
    };
    let here = Some(namespace.name.as_str());
    let asked = || {
        vec![
            right("get", "", "pods", here),
            right("get", "", "pods/log", here),
            right("delete", "", "pods", here),
            right("get", "apps", "deployments", here),
            right("get", "", "nodes", None),
            right("get", "", "pods", Some("default")),
        ]
    };
    let answers = |user: &BedUser<'_>| {
        let reviewed = run(async { connect(user).await.review_rights(asked()).await.expect("answers") });
        assert!(reviewed.iter().zip(asked()).all(|(one, other)| one.resource == other.resource));
        let questions = user.audit().requests.iter().filter(|seen| seen.resource == "selfsubjectaccessreviews").count();
        assert!(user.audit().writes().is_empty());
        (reviewed.iter().map(|right| right.allowed).collect::<Vec<_>>(), questions)
    };
    let some = bed.user(&namespace.name);
    some.grant(&namespace.name, &[Rule { group: "", resources: &["pods", "pods/log"], verbs: &["get"] }]);
    assert_eq!(answers(&some), (vec![true, true, false, false, false, false], 8));
    let here_all = bed.user(&namespace.name);
    here_all.grant_namespace(&namespace.name);
    assert_eq!(answers(&here_all), (vec![true, true, true, true, false, false], 4));
    let all = bed.user(&namespace.name);
    all.grant_cluster_role("cluster-admin");
    assert_eq!(answers(&all), (vec![true; 6], 2));
}

#[test]
fn only_the_object_with_the_uid_is_deleted() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("delete");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    let mut manifest = config_map(&namespace.name, "m");
    manifest["metadata"]["finalizers"] = json!(["example.com/stay"]);
    let created = bed.create(&manifest);
    let uid = created["metadata"]["uid"].as_str().expect("a uid");
    let name = name_of("v1", "ConfigMap", Some(&namespace.name), "m");
    run(async {
        let cluster = connect(&user).await;
        let before = Snapshot::of_namespace(&bed, &namespace.name);
        let other = cluster.delete_object(&name, "00000000-0000-0000-0000-000000000000", Propagation::Background).await;
        assert_eq!(other.expect("an answer"), Deleted::AnotherNow);
        assert!(before.changes_until(&Snapshot::of_namespace(&bed, &namespace.name)).is_empty());

        let first = cluster.delete_object(&name, uid, Propagation::Background).await;
        assert_eq!(first.expect("an answer"), Deleted::Deleted);
        let waited = cluster.wait_for_gone(&name, uid, Duration::from_secs(1)).await.expect("an answer");
        let finalizers = vec!["example.com/stay".to_owned()];
        assert_eq!(waited, Gone::StillThere { is_terminating: true, finalizers });
        bed.kubectl(&[
            "patch",
            "-n",
            &namespace.name,
            "configmap",
            "m",
            "--type=merge",
            "-p",
            r#"{"metadata":{"finalizers":null}}"#,
        ]);
        assert_eq!(cluster.wait_for_gone(&name, uid, Duration::from_secs(10)).await.expect("an answer"), Gone::Gone);
        let again = cluster.delete_object(&name, uid, Propagation::Foreground).await;
        assert_eq!(again.expect("an answer"), Deleted::AlreadyGone);
    });
    assert_eq!(user.audit().writes().len(), 3, "{:?}", user.audit().writes());
}

#[test]
fn a_pods_log_and_events_are_read() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("pods");
    let user = bed.user(&namespace.name);
    user.grant_namespace(&namespace.name);
    bed.create(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace.name},
        "spec": {"containers": [{"name": "main", "image": "web:1"}]}}));
    bed.kubectl(&["wait", "-n", &namespace.name, "--for=condition=Ready", "pod/web", "--timeout=60s"]);
    run(async {
        let cluster = connect(&user).await;
        let pods = cluster.list_pods(&namespace.name).await.expect("listed");
        assert_eq!(pods.iter().map(Object::name).collect::<Vec<_>>(), ["web"]);
        // The scheduler writes it after it has placed the pod.
        let deadline = Instant::now() + waiting::PATIENCE;
        loop {
            let events = cluster.list_events(&namespace.name).await.expect("listed");
            if events.iter().any(|event| event.text_at("/reason") == Some("Scheduled")) {
                break;
            }
            assert!(Instant::now() < deadline, "{events:?}");
            tokio::time::sleep(waiting::PAUSE).await;
        }
        let request = LogRequest {
            namespace: &namespace.name,
            pod: "web",
            container: "main",
            previous: false,
            tail_lines: 2,
            limit_bytes: 10_000,
        };
        let log = cluster.read_log(request).await.expect("a log");
        assert!(log.lines().count() <= 2 && !log.trim().is_empty(), "{log:?}");
        let error = cluster.read_log(LogRequest { container: "none", ..request }).await.expect_err("no container");
        assert!(error.to_string().contains("container `none` of Pod"), "{error}");
    });
}
