//! What the server judges in place of what was asked: the answer is told as if it had been asked itself.

use http::{Method, StatusCode};
use serde_json::json;

use super::super::Request;
use super::scene::*;

fn namespace(name: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

#[test]
fn a_name_that_holds_the_name_of_the_stand_in_is_told_as_it_is() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| match *request.method() {
        Method::DELETE => {
            let (code, mut gone) = status(404, "NotFound", "jobs.batch \"prod-init\" not found");
            gone["details"] = json!({"name": "prod-init", "group": "batch", "kind": "jobs"});
            (code, gone)
        }
        _ => inner(request),
    });
    scene.create("/api/v1/namespaces", &namespace("space"));
    let (code, answer) = scene.delete("/apis/batch/v1/namespaces/space/jobs/prod-init");
    assert_eq!(scene.writes().last().map(String::as_str), Some("DELETE /apis/batch/v1/namespaces/prod/jobs/prod-init"));
    assert_eq!((code, &answer["details"]["name"]), (StatusCode::NOT_FOUND, &json!("prod-init")));
    assert_eq!(scene.close().findings, Vec::new(), "to delete what is not there is the command's own business");
}
