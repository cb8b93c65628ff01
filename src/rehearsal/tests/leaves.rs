//! Whatever a command sends: nothing leaves that could store anything.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::exit::stores_nothing;
use super::super::message;
use super::super::{Next, Rehearsal, Settings};
use crate::domain::rehearsed::Mode;

fn settings() -> Settings {
    Settings { mode: Mode::All, now: "2026-01-01T00:00:00Z".into(), release: None, pretended: Vec::new() }
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"])
}

fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "api",
        "apis",
        "v1",
        "apps",
        "batch",
        "namespaces",
        "x",
        "pods",
        "services",
        "deployments",
        "secrets",
        "exec",
        "proxy",
        "portforward",
        "log",
        "status",
        "scale",
        "token",
        "eviction",
        "binding",
        "nodes",
        "watch",
        "..",
        "",
        "a",
        "authorization.k8s.io",
        "authentication.k8s.io",
        "selfsubjectaccessreviews",
        "tokenreviews",
        "version",
        "openapi",
        "v3",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        "%2e%2e",
        "finalize",
        "healthz",
    ]);
    let any = prop::collection::vec(part, 0..9).prop_map(|parts| format!("/{}", parts.join("/")));
    // Well-formed ones, in the namespace that the command makes and in one that is there.
    let formed = prop::sample::select(vec![
        "/api/v1/namespaces",
        "/api/v1/namespaces/made/services",
        "/api/v1/namespaces/made/services/a",
        "/api/v1/namespaces/made/pods",
        "/apis/batch/v1/namespaces/made/jobs",
        "/apis/example.com/v1/namespaces/made/things",
        "/apis/example.com/v1/namespaces/x/things/a",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/made/roles",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a",
    ]);
    prop_oneof![any, formed.prop_map(str::to_owned)]
}

/// Names that lead elsewhere once they stand in a path, and one that does not.
const NAMES: [&str; 14] = [
    "a",
    "db/proxy/admin/shutdown",
    "/",
    "..",
    ".",
    "",
    "../../../../nodes/a/proxy",
    "a?watch=true",
    "a#b",
    "%2e%2e",
    "a%2Fproxy",
    "a\\proxy",
    "a b",
    "\u{e4}",
];

fn named() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(NAMES.to_vec());
    (name, prop::sample::select(NAMES.to_vec())).prop_map(|(name, other)| {
        let definition = json!({"group": other, "names": {"plural": name, "kind": "A"}, "scope": "Namespaced",
            "versions": [{"name": other, "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]});
        let metadata = json!({"name": name, "namespace": other});
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": definition}).to_string().into_bytes()
    })
}

fn query() -> impl Strategy<Value = String> {
    let pair = prop::sample::select(vec![
        "watch=true",
        "watch=0",
        "watch",
        "dryRun=All",
        "dryRun=",
        "dryRun=None",
        "fieldManager=helm",
        "force=true",
        "limit=1",
        "labelSelector=a%3Db",
        "resourceVersion=9000000000000001",
        "propagationPolicy=Orphan",
        "pretty",
    ]);
    prop::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        json!({}),
        json!({"dryRun": []}),
        json!({"kind": "DeleteOptions", "propagationPolicy": "Foreground", "dryRun": ["None"]}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"serviceAccountName": "b"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "labels": {"owner": "helm"}}}),
        json!([{"op": "remove", "path": "/spec"}]),
        Value::Null,
    ]);
    prop_oneof![
        named(),
        known.prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..40)
    ]
}

fn media() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "application/json",
        "application/apply-patch+yaml",
        "application/strategic-merge-patch+json",
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/vnd.kubernetes.protobuf",
        "application/json; charset=utf-8",
        "text/plain",
        "",
    ])
}

fn answer() -> impl Strategy<Value = (u16, Value)> {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "x", "uid": "u",
        "resourceVersion": "5"}, "spec": {}});
    prop::sample::select(vec![
        (200, object.clone()),
        (201, object),
        (200, json!({"items": [], "metadata": {}})),
        (
            200,
            json!({"apiVersion": "v1", "metadata": {"name": "../a"}, "spec": {"group": "a/b", "names": {"plural": "c/.."},
            "versions": [{"name": "v1/d", "served": true}]}}),
        ),
        (200, json!({"spec": {"service": {"name": "a", "namespace": "b"}}})),
        (404, json!({"kind": "Status", "reason": "NotFound", "details": {"name": "a"}})),
        (409, json!({"kind": "Status", "reason": "AlreadyExists", "message": "pods \"a\" already exists"})),
        (422, json!({"kind": "Status", "reason": "Invalid", "message": "Pod \"a\" is invalid: spec: Forbidden: no"})),
        (403, json!({"kind": "Status", "reason": "Forbidden", "message": "pods \"a\" is forbidden: no"})),
        (429, json!({})),
        (500, json!(null)),
    ])
}

/// Plays the creation of the namespace `made`.
fn make_namespace(rehearsal: &mut Rehearsal) {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "made"}});
    let request = http::Request::builder().method("POST").uri("/api/v1/namespaces");
    let request = request.header("content-type", "application/json").body(body.to_string().into_bytes());
    let Next::Ask(_, then) = rehearsal.receive(request.expect("a request")) else { panic!("it is asked") };
    rehearsal.resume(then, message::json_response(http::StatusCode::CREATED, &body));
}

#[test]
fn no_name_of_a_body_becomes_more_than_one_part_of_a_path() {
    for name in NAMES {
        let mut rehearsal = Rehearsal::new(settings());
        make_namespace(&mut rehearsal);
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        let request = http::Request::builder().method("POST").uri("/api/v1/namespaces/made/configmaps");
        let request = request.header("content-type", "application/json").body(body.to_string().into_bytes());
        let mut next = rehearsal.receive(request.expect("a request"));
        let mut paths = Vec::new();
        while let Next::Ask(leaving, then) = next {
            paths.push(format!("{} {}", leaving.method(), leaving.uri().path()));
            next = rehearsal.resume(then, message::json_response(http::StatusCode::NOT_FOUND, &Value::Null));
        }
        let collection = "/api/v1/namespaces/default/configmaps";
        // What can be no name is left for the server to refuse.
        let looked = (name == "a").then(|| format!("GET {collection}/a"));
        let expected: Vec<String> = looked.into_iter().chain([format!("POST {collection}")]).collect();
        assert_eq!(paths, expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_leaves_that_would_store_anything(
        requests in prop::collection::vec((method(), path(), query(), media(), body(), any::<bool>()), 1..6),
        answers in prop::collection::vec(answer(), 24),
    ) {
        let mut rehearsal = Rehearsal::new(settings());
        make_namespace(&mut rehearsal);
        let mut answers = answers.into_iter().cycle();
        for (method, path, query, media, body, upgrades) in requests {
            let Ok(uri) = format!("{path}?{query}").parse::<http::Uri>() else { continue };
            let mut request = http::Request::builder().method(method).uri(uri).header("content-type", media);
            if upgrades {
                request = request.header("upgrade", "SPDY/3.1");
            }
            let Ok(request) = request.body(body) else { continue };
            let mut next = rehearsal.receive(request);
            for _ in 0..12 {
                match next {
                    Next::Answer(_) | Next::Watch(None, _) => break,
                    Next::Forward(leaving) | Next::Watch(Some(leaving), _) => {
                        prop_assert!(stores_nothing(&leaving), "{leaving:?}");
                        break;
                    }
                    Next::Ask(leaving, then) => {
                        prop_assert!(stores_nothing(&leaving), "{leaving:?}");
                        let (status, body) = answers.next().expect("a cycle");
                        let status = http::StatusCode::from_u16(status).expect("a status");
                        next = rehearsal.resume(then, message::json_response(status, &body));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_asked_as_a_dry_run_leaves_nothing_behind(
        requests in prop::collection::vec((method(), path(), media(), body()), 1..6),
        answers in prop::collection::vec(answer(), 24),
    ) {
        let mut rehearsal = Rehearsal::new(settings());
        make_namespace(&mut rehearsal);
        let mut answers = answers.into_iter().cycle();
        for (method, path, media, body) in requests {
            let Ok(uri) = format!("{path}?dryRun=All").parse::<http::Uri>() else { continue };
            // Once a deletion has a body, that alone says what it is.
            let body = if method == "DELETE" { Vec::new() } else { body };
            let request = http::Request::builder().method(method).uri(uri).header("content-type", media);
            let Ok(request) = request.body(body) else { continue };
            let mut next = rehearsal.receive(request);
            while let Next::Ask(_, then) = next {
                let (status, body) = answers.next().expect("a cycle");
                let status = http::StatusCode::from_u16(status).expect("a status");
                next = rehearsal.resume(then, message::json_response(status, &body));
            }
        }
        prop_assert_eq!(rehearsal.overlay.end(), 1, "the namespace alone");
        prop_assert!(rehearsal.definitions.is_empty() && rehearsal.asked_services.is_empty());
        let found = rehearsal.close();
        prop_assert_eq!((found.objects.len(), found.findings), (1, Vec::new()));
    }
}
