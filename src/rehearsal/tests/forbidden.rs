//! What the user may not do is told of the object by its kind, whether it was read or written.

use http::StatusCode;
use serde_json::json;

use super::super::Request;
use super::scene::*;
use crate::domain::rehearsed::Class;

#[test]
fn what_is_deleted_unseen_is_told_by_its_kind() {
    let path = "/api/v1/namespaces/prod/serviceaccounts/gate";
    let forbidden = "serviceaccounts \"gate\" is forbidden: User \"ann\" cannot delete resource \"serviceaccounts\" in \
                     API group \"\" in the namespace \"prod\"";
    let mut scene = Scene::new(move |request: &Request| match request.uri().path() {
        "/api/v1" => (
            200,
            json!({"kind": "APIResourceList", "groupVersion": "v1",
            "resources": [{"name": "serviceaccounts", "kind": "ServiceAccount"}]}),
        ),
        _ => status(403, "Forbidden", forbidden),
    });
    scene.get("/api/v1");
    scene.delete(path);
    let found = scene.close();
    assert_eq!(found.findings[0].class, Class::Rights);
    assert_eq!(found.findings[0].object.to_string(), "ServiceAccount prod/gate");
}

#[test]
fn what_may_not_be_read_is_found_if_the_command_fails_for_it() {
    let message = "clusterroles.rbac.authorization.k8s.io \"reader\" is forbidden: User \"ann\" cannot get resource \
                   \"clusterroles\" in API group \"rbac.authorization.k8s.io\" at the cluster scope";
    let page = json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "rbac.authorization.k8s.io"},
        "versions": [{"version": "v1", "resources": [
            {"resource": "clusterroles", "responseKind": {"kind": "ClusterRole"}}]}]}]});
    let mut scene = Scene::new(move |request: &Request| match request.uri().path() {
        "/apis" => (200, page.clone()),
        _ => status(403, "Forbidden", message),
    });
    scene.get("/apis");
    assert_eq!(scene.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/reader").0, StatusCode::FORBIDDEN);
    assert_eq!(scene.rehearsal.forbidden_reads("Error: something else"), []);
    let told = scene.rehearsal.forbidden_reads(&format!("Error: could not get information: {message}\n"));
    let told: Vec<_> = told.iter().map(|finding| (finding.class, finding.object.to_string())).collect();
    assert_eq!(told, [(Class::Rights, "ClusterRole reader".to_owned())]);
    assert_eq!(scene.close().findings, [], "the command may do without");
}
