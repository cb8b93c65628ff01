//! What the door does with bytes, connections and strangers. What Kubernetes makes of it is tested on a real one.

mod scene;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::door::Clock;
use crate::rehearsal::Next;
use scene::{Client, PIECE, Scene, next_piece};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn empty(builder: http::request::Builder) -> Request<Vec<u8>> {
    builder.body(Vec::new()).expect("a request")
}

async fn status_of(response: http::Response<hyper::body::Incoming>) -> (StatusCode, Value) {
    let code = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (code, serde_json::from_slice(&body).expect("a Status"))
}

#[tokio::test]
async fn without_the_token_every_path_is_refused_and_the_server_hears_nothing() {
    let scene = Scene::new().await;
    let wrong = ["", "Bearer", "Bearer x", "Basic eDp5"];
    let paths =
        ["/", "/version", "/api/v1/pods", "/apis", "/api/v1/namespaces/a/pods/b/exec", "/../etc", "/favicon.ico"];
    for version in VERSIONS {
        let mut client = scene.client(version).await;
        for path in paths {
            for method in ["GET", "POST", "DELETE", "OPTIONS", "HEAD"] {
                for wrong in wrong {
                    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, wrong);
                    let response = client.send(empty(request)).await;
                    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{version:?} {method} {path} {wrong}");
                    if method == "HEAD" {
                        continue;
                    }
                    let (_, status) = status_of(response).await;
                    assert_eq!((&status["kind"], &status["reason"]), (&"Status".into(), &"Unauthorized".into()));
                }
            }
        }
    }
    assert_eq!(scene.shared.seen().len(), 0);
    let (_, counters) = scene.proxy.stop().await;
    assert_eq!((counters.requests, counters.unauthorized), (0, 2 * 7 * 5 * 4));
}

#[tokio::test]
async fn the_certificate_is_the_runs_own_and_plain_http_is_not_spoken() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (one, other) = (Scene::new().await, Scene::new().await);
    let refused = Client::connect(&other.proxy, &one.authority(), Version::HTTP_11).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("certificate")));
    let mut plain = tokio::net::TcpStream::connect(one.proxy.address()).await.expect("connected");
    let line = format!("GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", one.token());
    plain.write_all(line.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    assert_eq!(one.proxy.address().ip(), std::net::Ipv4Addr::LOCALHOST);
}

#[tokio::test]
async fn what_the_core_denies_never_reaches_the_server() {
    let scene = Scene::new().await;
    let pod = "/api/v1/namespaces/a/pods/b";
    for version in VERSIONS {
        let mut client = scene.client(version).await;
        for (method, path) in [
            ("GET", format!("{pod}/exec?command=ls")),
            ("POST", format!("{pod}/attach")),
            ("GET", format!("{pod}/portforward")),
            ("GET", format!("{pod}/proxy/x")),
            ("POST", format!("{pod}/eviction")),
            ("POST", "/api/v1/namespaces/a/serviceaccounts/b/token".to_owned()),
            ("DELETE", "/api/v1/namespaces/a/pods".to_owned()),
            ("GET", "/api/v1/namespaces/a/pods/%2e%2e/x".to_owned()),
        ] {
            let (code, status) = status_of(client.send(empty(scene.request(method, &path))).await).await;
            assert_eq!(code, StatusCode::METHOD_NOT_ALLOWED, "{version:?} {method} {path}: {status}");
            assert_eq!(status["reason"], "MethodNotAllowed");
        }
        for (name, value) in [("impersonate-user", "root"), ("Impersonate-Extra-x", "y")] {
            let request = scene.request("GET", "/api/v1/pods").header(name, value);
            let (code, status) = status_of(client.send(empty(request)).await).await;
            assert_eq!(code, StatusCode::FORBIDDEN, "{status}");
        }
    }
    let upgrade = scene.request("GET", "/api/v1/pods").header("connection", "Upgrade").header("upgrade", "websocket");
    assert_eq!(scene.ask(empty(upgrade)).await.0.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        scene.ask(empty(scene.request("CONNECT", "10.0.0.1:443"))).await.0.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(scene.shared.seen().len(), 0);
}

#[tokio::test]
async fn what_might_store_something_does_not_leave_even_where_the_core_lets_it_out() {
    let scene = Scene::new().await;
    let pods = "/api/v1/namespaces/a/pods";
    let bad = [
        ("POST", pods.to_owned(), "POST pods"),
        ("PUT", format!("{pods}/b"), "PUT pods"),
        ("PATCH", format!("{pods}/b?dryRun="), "PATCH pods"),
        ("DELETE", format!("{pods}/b?dryRun=All"), "DELETE pods"),
        ("POST", format!("{pods}/b/eviction?dryRun=All"), "POST pods/eviction"),
        (
            "GET",
            "/api/v1/namespaces/a/services/db/proxy/admin/shutdown".to_owned(),
            "GET services/proxy/admin/shutdown",
        ),
    ];
    for (method, uri, _) in &bad {
        // Each way out of the core, with another request in its place.
        for way in [format!("{pods}/b"), pods.to_owned(), format!("{pods}?watch=true")] {
            let door = scene.proxy.door.clone();
            let asked = empty(Request::builder().uri(&way));
            let leaving = empty(Request::builder().method(*method).uri(uri));
            let next = match door.in_core(|rehearsal| rehearsal.receive(asked)).expect("it runs") {
                Next::Ask(_, then) => Next::Ask(leaving, then),
                Next::Forward(_) => Next::Forward(leaving),
                Next::Watch(_, watch) => Next::Watch(Some(leaving), watch),
                Next::Answer(answer) => panic!("{way}: {answer:?}"),
            };
            let answer = door.follow(Some(next), false, None, &mut Clock::start()).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {uri} as {way}");
            let body = answer.into_body().collect().await.expect("a body").to_bytes();
            let status: Value = serde_json::from_slice(&body).expect("a Status");
            let message = status["message"].as_str().expect("a message");
            assert!(message.contains("might store something"), "{message}");
        }
    }
    assert_eq!(scene.shared.seen().len(), 0);
    let denied = scene.proxy.stop().await.0.close().denied;
    let told: Vec<&str> = denied.iter().filter_map(|told| told.split_once(" (")).map(|(what, _)| what).collect();
    assert_eq!(told, bad.map(|(.., told)| told));
}

#[tokio::test]
async fn a_read_passes_with_query_and_headers_but_not_with_its_credentials() {
    let scene = Scene::new().await;
    for version in VERSIONS {
        let uri = "/api/v1/namespaces/a/pods?labelSelector=a%20in%20(b,c)&fieldManager=h%2Fx&limit=5&x=+";
        let request = scene
            .request("GET", uri)
            .header("user-agent", "Helm/4.3.1")
            .header("x-remote-user", "root")
            .header("cookie", "a=b")
            .header("if-none-match", "\"e\"")
            .header("accept", "application/json;as=Table");
        let (head, body) = scene.client(version).await.send(empty(request)).await.into_parts();
        assert_eq!(body.collect().await.expect("a body").to_bytes(), "here it is");
        assert_eq!(
            (&head.headers["audit-id"], &head.headers["warning"]),
            (&"1".parse().expect("v"), &"299 - \"old\"".parse().expect("v"))
        );
        let seen = scene.shared.seen().pop().expect("it arrived");
        assert_eq!(seen.line, format!("GET {uri}"));
        let mut names: Vec<&str> = seen.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "if-none-match", "user-agent"], "{version:?}");
        assert!(seen.body.is_empty());
    }
}

#[tokio::test]
async fn an_overloaded_server_is_asked_once_and_its_answer_handed_on() {
    let scene = Scene::new().await;
    let (head, body) = scene.ask(empty(scene.request("GET", "/api/v1/busy"))).await;
    assert_eq!(
        (head.status, &head.headers[header::RETRY_AFTER]),
        (StatusCode::TOO_MANY_REQUESTS, &"7".parse().expect("v"))
    );
    assert_eq!(body, b"{\"kind\":\"Status\",\"code\":429}");
    assert_eq!(scene.shared.seen().len(), 1);
}

#[tokio::test]
async fn an_answer_is_packed_only_for_a_client_that_unpacks() {
    let scene = Scene::new().await;
    let (head, body) = scene.ask(empty(scene.request("GET", "/api/v1/packed"))).await;
    assert_eq!((head.headers.get(header::CONTENT_ENCODING), body.as_slice()), (None, b"plain".as_slice()));
    let request = scene.request("GET", "/api/v1/packed").header("accept-encoding", "gzip, br");
    let (head, body) = scene.ask(empty(request)).await;
    assert_eq!(head.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(body[..2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn an_answer_is_handed_on_as_it_comes() {
    let scene = Scene::new().await;
    for version in VERSIONS {
        for path in ["/api/v1/pieces", "/api/v1/watched?watch=true"] {
            let mut client = scene.client(version).await;
            let mut body = client.send(empty(scene.request("GET", path))).await.into_body();
            for piece in ["{\"one\":1}\n", "{\"two\":2}\n"] {
                scene.shared.send(Some(piece));
                assert_eq!(next_piece(&mut body).await.expect("a piece"), piece, "{version:?} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_watch_hands_on_whole_events_and_never_half_of_one() {
    let scene = Scene::new().await;
    let mut client = scene.client(Version::HTTP_2).await;
    let watch = scene.request("GET", "/api/v1/watched?watch=1");
    let mut body = client.send(empty(watch)).await.into_body();
    scene.shared.send(Some("{\"one\":"));
    scene.shared.send(Some("1}\n{\"two\":2}\n{\"th"));
    assert_eq!(next_piece(&mut body).await.expect("events"), "{\"one\":1}\n{\"two\":2}\n");
    scene.shared.send(None);
    let broken = body.collect().await;
    assert!(broken.is_err(), "what broke off must not look like its end: {broken:?}");
}

#[tokio::test]
async fn a_slow_client_slows_the_server() {
    let scene = Scene::new().await;
    for version in VERSIONS {
        let before = scene.shared.taken.load(Ordering::SeqCst);
        let mut client = scene.client(version).await;
        let mut body = client.send(empty(scene.request("GET", "/api/v1/endless"))).await.into_body();
        next_piece(&mut body).await.expect("a piece");
        let mut taken = 0;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = scene.shared.taken.load(Ordering::SeqCst) - before;
            if now == taken {
                break;
            }
            taken = now;
        }
        let most = 32 * 1024 * 1024 / PIECE;
        assert!((1..most).contains(&taken), "{version:?}: {taken} pieces were taken of a client that reads one");
        drop((body, client));
        scene.shared.wait_for_open(0).await;
    }
}

#[tokio::test]
async fn a_client_that_has_gone_takes_its_request_with_it() {
    let scene = Scene::new().await;
    for version in VERSIONS {
        for path in ["/api/v1/hang", "/api/v1/watched?watch=true", "/api/v1/pieces"] {
            let mut client = scene.client(version).await;
            let request = client.try_send(empty(scene.request("GET", path)));
            let answered = tokio::time::timeout(Duration::from_millis(300), request).await;
            scene.shared.wait_for_open(1).await;
            drop((answered, client));
            scene.shared.wait_for_open(0).await;
        }
    }
}

#[tokio::test]
async fn one_request_does_not_wait_for_another() {
    let scene = Scene::new().await;
    let (mut clients, mut tasks) = (Vec::new(), tokio::task::JoinSet::new());
    for _ in 0..20 {
        let mut client = scene.client(Version::HTTP_2).await;
        let request = empty(scene.request("GET", "/api/v1/hang"));
        tasks.spawn(async move { client.try_send(request).await.map(|response| response.status()) });
    }
    scene.shared.wait_for_open(20).await;
    let (head, _) = scene.ask(empty(scene.request("GET", "/api/v1/pods"))).await;
    assert_eq!(head.status, StatusCode::OK);
    clients.push(tasks);
    let (_, counters) = scene.proxy.stop().await;
    assert_eq!((counters.requests, counters.forwards, counters.bytes_out), (21, 21, 10));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_with_its_cause() {
    let scene = Scene::new().await;
    scene.end_server();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut client = scene.client(Version::HTTP_11).await;
    let (code, status) = status_of(client.send(empty(scene.request("GET", "/api/v1/pods"))).await).await;
    assert_eq!((code, &status["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &"ServiceUnavailable".into()));
    let message = status["message"].as_str().expect("a message");
    assert!(message.contains("GET /api/v1/pods") && message.contains("refused"), "{message}");
    let (_, counters) = scene.proxy.stop().await;
    assert_eq!(counters.unanswered, 1);
    assert!(counters.first_unanswered.is_some_and(|told| told.contains("/api/v1/pods")));
}

#[tokio::test]
async fn a_read_on_a_kept_connection_that_breaks_is_sent_once_more() {
    let scene = Scene::new().await;
    for (breaks, code) in [(1, StatusCode::OK), (2, StatusCode::BAD_GATEWAY)] {
        let before = scene.shared.seen().len();
        scene.shared.break_next(breaks);
        let (head, _) = scene.ask(empty(scene.request("GET", "/api/v1/pods"))).await;
        assert_eq!((head.status, scene.shared.seen().len() - before), (code, 2));
    }
}

#[tokio::test]
async fn a_body_is_limited_and_unpacked_before_the_core_sees_it() {
    use std::io::Write as _;
    let scene = Scene::new().await;
    let post = |body: Vec<u8>, coding: &str| {
        let request = scene.request("POST", "/api/v1/namespaces/a/configmaps").header("content-encoding", coding);
        request.body(body).expect("a request")
    };
    let pack = |size: usize| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![0; 1024 * 1024];
        (0..size).for_each(|_| packed.write_all(&zeros).expect("packed"));
        packed.finish().expect("packed")
    };
    let code = async |request| scene.ask(request).await.0.status;
    assert_eq!(code(post(pack(129), "gzip")).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(code(post(b"no gzip".to_vec(), "gzip")).await, StatusCode::BAD_REQUEST);
    assert_eq!(code(post(b"x".to_vec(), "zstd")).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let before = scene.proxy.counters().bytes_in;
    code(post(pack(2), "gzip")).await;
    assert_eq!(scene.proxy.counters().bytes_in - before, 2 * 1024 * 1024);
    let declared = 129 * 1024 * 1024;
    let line = format!(
        "POST /api/v1/namespaces/a/configmaps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {declared}\r\n\r\n",
        scene.token()
    );
    assert!(raw(&scene, &line).await.starts_with("HTTP/1.1 413 "));
}

/// Returns the first bytes that the proxy says to these.
async fn raw(scene: &Scene, text: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = scene::tls(&scene.proxy, &scene.authority(), b"http/1.1").await.expect("connected");
    stream.write_all(text.as_bytes()).await.expect("written");
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.expect("an answer");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn nobody_else_can_read_the_kubeconfig_and_it_goes_with_the_proxy() {
    let scene = Scene::new().await;
    let file = scene.proxy.kubeconfig().to_owned();
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let folder = file.parent().expect("a folder").to_owned();
    assert_eq!((mode(&file), mode(&folder), mode(scene.proxy.cache_folder())), (0o400, 0o700, 0o700));
    let kubeconfig = scene.kubeconfig();
    assert_eq!(kubeconfig["contexts"][0]["context"]["namespace"], "shop");
    assert_eq!(kubeconfig["contexts"][0]["context"]["user"], "helm-csghub-rehearsal");
    assert!(!kubeconfig.to_string().contains("PRIVATE KEY"));
    assert!(!scene.proxy.counters().kubeconfig_edited);
    let (address, authority, token) = (scene.proxy.address(), scene.authority(), scene.token());
    let mut client = scene.client(Version::HTTP_2).await;
    let watch = empty(scene.request("GET", "/api/v1/watched?watch=true"));
    let body = client.send(watch).await.into_body();
    let began = std::time::Instant::now();
    let (_, counters) = scene.proxy.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((counters.requests, counters.watches), (1, 1));
    assert!(body.collect().await.is_ok_and(|rest| rest.to_bytes().is_empty()), "the watch ends well");
    assert!(!folder.exists());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is closed");
    assert_eq!(fs::read_dir(scene.folder.path()).expect("a folder").count(), 0);
    // Another run's proxy knows neither the authority nor the token.
    let other = Scene::new().await;
    assert!(Client::connect(&other.proxy, &authority, Version::HTTP_11).await.is_err());
    let request = Request::builder().uri("/version").header(header::AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(other.ask(empty(request)).await.0.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_proxy_that_is_dropped_closes_too() {
    let scene = Scene::new().await;
    let (address, file) = (scene.proxy.address(), scene.proxy.kubeconfig().to_owned());
    let mut client = scene.client(Version::HTTP_11).await;
    let body = client.send(empty(scene.request("GET", "/api/v1/endless"))).await.into_body();
    drop(scene.proxy);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!file.exists() && tokio::net::TcpStream::connect(address).await.is_err());
    assert!(body.collect().await.is_err(), "what was under way breaks off");
}

#[tokio::test]
async fn a_kubeconfig_that_was_edited_is_told() {
    let scene = Scene::new().await;
    let file = scene.proxy.kubeconfig().to_owned();
    // As a tool does that writes a new file and moves it there.
    let new = file.with_extension("new");
    fs::write(&new, "{}").expect("written");
    fs::rename(&new, &file).expect("moved");
    assert!(scene.proxy.stop().await.1.kubeconfig_edited);
    assert!(!file.exists());
}
