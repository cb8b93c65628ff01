//! Versions of objects, where somebody else writes them while the rehearsal runs.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::Request;
use super::scene::*;
use crate::domain::rehearsed::Verdict;

const MERGE: &str = "application/merge-patch+json";

/// A server on which somebody else writes the object before each of the first `moves` PUTs arrives.
fn moving(moves: u64) -> impl FnMut(&Request) -> (u16, Value) {
    let (mut version, mut left) = (7, moves);
    let mut inner = server(&[(CONFIG, stored(config("a", "0")))]);
    move |request: &Request| {
        if *request.method() == Method::PUT && left > 0 {
            (version, left) = (version + 1, left - 1);
        }
        let (code, mut object) = inner(request);
        let asked = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
        if *request.method() == Method::PUT && asked.is_some_and(|asked| asked != version.to_string()) {
            let message = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply \
                           your changes to the latest version and try again";
            return status(409, "Conflict", message);
        }
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        (code, object)
    }
}

#[test]
fn a_second_patch_does_not_conflict_with_a_controller() {
    for (moves, puts) in [(0, 1), (1, 2), (3, 4)] {
        let mut scene = Scene::new(moving(moves));
        scene.call("PATCH", CONFIG, MERGE, &json!({"data": {"a": "1"}}));
        let (code, patched) = scene.call("PATCH", CONFIG, MERGE, &json!({"data": {"b": "2"}}));
        assert_eq!((code, &patched["data"]), (StatusCode::OK, &json!({"a": "1", "b": "2"})), "{moves}");
        assert_eq!(scene.writes().iter().filter(|write| write.starts_with("PUT")).count(), puts, "{moves}");
        let found = scene.close();
        assert_eq!((found.objects[0].verdict.clone(), found.findings), (Verdict::Accepted, Vec::new()));
    }
}

#[test]
fn what_changes_all_the_time_cannot_be_told() {
    let mut scene = Scene::new(moving(u64::MAX));
    scene.call("PATCH", CONFIG, MERGE, &json!({"data": {"a": "1"}}));
    assert_eq!(scene.call("PATCH", CONFIG, MERGE, &json!({"data": {"b": "2"}})).0, StatusCode::OK);
    assert_eq!(scene.writes().iter().filter(|write| write.starts_with("PUT")).count(), 4);
    assert!(matches!(scene.close().objects[0].verdict, Verdict::Unpredictable { .. }));
}

#[test]
fn a_clients_own_version_stays_and_none_is_added() {
    for (sent, code) in [(json!("7"), StatusCode::CONFLICT), (Value::Null, StatusCode::OK)] {
        let mut scene = Scene::new(moving(1));
        let mut object = stored(config("a", "1"));
        object["metadata"]["resourceVersion"] = sent.clone();
        if sent.is_null() {
            object["metadata"].as_object_mut().expect("metadata").shift_remove("resourceVersion");
        }
        scene.get(CONFIG);
        assert_eq!(scene.call("PUT", CONFIG, "application/json", &object).0, code, "{sent}");
        assert_eq!(scene.last_body()["metadata"]["resourceVersion"], sent);
    }
}
