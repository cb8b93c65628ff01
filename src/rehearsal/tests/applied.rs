//! Server-side apply of what the run wrote before: the server's dry run knows only the owners of fields that it has itself.

use serde_json::{Value, json};

use super::super::{Request, Settings};
use super::scene::*;
use crate::domain::rehearsed::{Mode, Verdict};

const APPLY: &str = "application/apply-patch+yaml";

fn apply_as<S: FnMut(&Request) -> (u16, Value)>(scene: &mut Scene<S>, manager: &str, object: &Value) {
    let uri = format!("{CONFIG}?fieldManager={manager}&force=false");
    assert!(scene.call("PATCH", &uri, APPLY, object).0.is_success());
}

fn any() -> Settings {
    Settings { release: None, ..settings(Mode::All) }
}

#[test]
fn an_apply_of_what_was_written_otherwise_cannot_be_told() {
    let of_kubectl = format!("{CONFIG}?fieldManager=kubectl-patch");
    let partial = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"b": "2"}});
    for live in [None, Some(stored(config("a", "0")))] {
        let objects: Vec<_> = live.clone().map(|object| (CONFIG, object)).into_iter().collect();
        for applies_first in [false, true] {
            let mut scene = Scene::with(any(), server(&objects));
            match (applies_first, &live) {
                (true, _) => apply_as(&mut scene, "helm", &config("a", "1")),
                (false, None) => drop(scene.create(CONFIGS, &config("a", "1"))),
                (false, Some(_)) => {}
            }
            let patch = json!({"data": {"a": "by kubectl"}});
            let (code, _) = scene.call("PATCH", &of_kubectl, "application/merge-patch+json", &patch);
            assert!(code.is_success());
            let sent = scene.sent.len();
            apply_as(&mut scene, "helm", &partial);
            assert_eq!(scene.sent.len(), sent, "nothing is judged on the base of before the patch");
            assert_eq!(scene.get(CONFIG).1["data"], json!({"a": "by kubectl", "b": "2"}));
            let verdict = scene.close().objects[0].verdict.clone();
            assert!(matches!(verdict, Verdict::Unpredictable { .. }), "{verdict:?}");
        }
    }
}

#[test]
fn two_managers_of_one_run_may_be_in_each_others_way() {
    let mut scene = Scene::with(any(), server(&[]));
    apply_as(&mut scene, "one", &config("a", "1"));
    apply_as(&mut scene, "other", &config("a", "2"));
    assert!(matches!(scene.close().objects[0].verdict, Verdict::Unpredictable { .. }));
}

#[test]
fn what_one_manager_applies_again_is_judged_by_the_server() {
    for live in [None, Some(stored(config("a", "0")))] {
        let objects: Vec<_> = live.into_iter().map(|object| (CONFIG, object)).collect();
        for first in ["apply", "delete", "post", "owners"] {
            let mut scene = Scene::with(any(), server(&objects));
            match first {
                "delete" => {
                    apply_as(&mut scene, "kubectl", &config("a", "1"));
                    scene.delete(CONFIG);
                }
                "post" if objects.is_empty() => drop(scene.create(CONFIGS, &config("a", "2"))),
                // Helm 4 makes itself the owner by apply of what it made otherwise.
                "owners" if objects.is_empty() => {
                    scene.create(CONFIGS, &config("a", "1"));
                    let patch = json!([{"op": "add", "path": "/metadata/managedFields", "value": []}]);
                    scene.call("PATCH", &format!("{CONFIG}?fieldManager=helm"), "application/json-patch+json", &patch);
                }
                _ => apply_as(&mut scene, "helm", &config("a", "1")),
            }
            for _ in 0..2 {
                let sent = scene.sent.len();
                apply_as(&mut scene, "helm", &config("a", "2"));
                assert!(scene.sent.len() > sent, "{first}");
            }
            let found = scene.close();
            assert_eq!(found.objects[0].verdict, Verdict::Accepted, "{first}");
        }
    }
}

#[test]
fn what_one_manager_made_and_applies_otherwise_is_in_its_own_way() {
    for (applied, is_known) in [("1", true), ("2", false)] {
        let mut scene = Scene::new(server(&[]));
        scene.create(CONFIGS, &config("a", "1"));
        scene.apply(CONFIG, &config("a", applied));
        let verdict = scene.close().objects[0].verdict.clone();
        assert_eq!(verdict == Verdict::Accepted, is_known, "{verdict:?}");
    }
}

#[test]
fn whose_owners_the_run_has_rewritten_is_not_in_its_own_way() {
    for (rewrites, owner, is_refused) in [(true, "helm", false), (true, "kubectl", true), (false, "helm", true)] {
        let mut inner = server(&[(CONFIG, stored(config("a", "0")))]);
        let mut scene = Scene::new(move |request: &Request| {
            let media = request.headers().get("content-type").and_then(|media| media.to_str().ok());
            match (request.method().as_str(), media) {
                ("PATCH", Some(APPLY)) => {
                    let message = format!("conflict with \"{owner}\" using v1");
                    let causes = json!([{"reason": "FieldManagerConflict", "message": message, "field": ".data.a"}]);
                    let (code, mut refusal) = status(409, "Conflict", "Apply failed with 1 conflict");
                    refusal["details"] = json!({"causes": causes});
                    (code, refusal)
                }
                ("PATCH", _) => (200, stored(config("a", "0"))),
                _ => inner(request),
            }
        });
        scene.get(CONFIG);
        if rewrites {
            let patch = json!([{"op": "replace", "path": "/metadata/managedFields", "value": []}]);
            scene.call("PATCH", &format!("{CONFIG}?fieldManager=helm"), "application/json-patch+json", &patch);
        }
        scene.apply(CONFIG, &config("a", "2"));
        let verdict = scene.close().objects[0].verdict.clone();
        assert_eq!(verdict == Verdict::Refused, is_refused, "{rewrites} {owner} {verdict:?}");
    }
}
