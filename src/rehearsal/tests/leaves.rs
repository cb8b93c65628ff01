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
    prop::collection::vec(part, 0..9).prop_map(|parts| format!("/{}", parts.join("/")))
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
    prop_oneof![known.prop_map(|value| value.to_string().into_bytes()), prop::collection::vec(any::<u8>(), 0..40)]
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
        (404, json!({"kind": "Status", "reason": "NotFound", "details": {"name": "a"}})),
        (409, json!({"kind": "Status", "reason": "AlreadyExists", "message": "pods \"a\" already exists"})),
        (422, json!({"kind": "Status", "reason": "Invalid", "message": "Pod \"a\" is invalid: spec: Forbidden: no"})),
        (403, json!({"kind": "Status", "reason": "Forbidden", "message": "pods \"a\" is forbidden: no"})),
        (429, json!({})),
        (500, json!(null)),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_leaves_that_would_store_anything(
        requests in prop::collection::vec((method(), path(), query(), media(), body(), any::<bool>()), 1..6),
        answers in prop::collection::vec(answer(), 24),
    ) {
        let mut rehearsal = Rehearsal::new(settings());
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
}
