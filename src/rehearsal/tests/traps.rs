//! The traps of a dry-run proxy, one test each: what leaves for the server, what the command sees, what is told.
//!
//! The server is a script here: what it answered to such requests was seen on a real one. The same is tried for real in
//! `tests/cluster/rehearsal.rs`.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::{Next, Pretended, Rehearsal, Request, Settings, message};
use super::scene::*;
use crate::domain::object::ObjectRef;
use crate::domain::rehearsed::{Class, Mode, Operation, Verdict};

#[test]
fn t1_a_deletion_says_in_its_body_that_it_is_a_dry_run() {
    let mut scene = Scene::new(server(&[(CONFIG, stored(config("a", "1")))]));
    let (code, _) = scene.delete(CONFIG);
    assert_eq!(code, StatusCode::OK);
    let body = scene.last_body();
    assert_eq!((&body["dryRun"], &body["propagationPolicy"]), (&json!(["All"]), &json!("Background")));
    assert_eq!(scene.sent.last().and_then(|request| request.uri().query()), Some("dryRun=All"));
    assert_eq!(scene.get(CONFIG).0, StatusCode::NOT_FOUND, "it is gone for the command");
    let found = scene.close();
    assert_eq!(found.objects[0].operation, Operation::Delete);
}

#[test]
fn t1_a_collection_is_never_deleted() {
    let mut scene = Scene::new(server(&[]));
    assert_eq!(scene.delete(CONFIGS).0, StatusCode::METHOD_NOT_ALLOWED);
    assert!(scene.sent.is_empty());
    assert!(scene.close().denied[0].starts_with("DELETE configmaps"));
}

#[test]
fn t2_what_was_deleted_is_made_anew_under_another_name() {
    for is_apply in [false, true] {
        let mut scene = Scene::new(server(&[(JOB, stored(job("init", "old")))]));
        scene.delete(JOB);
        let (code, made) =
            if is_apply { scene.apply(JOB, &job("init", "new")) } else { scene.create(JOBS, &job("init", "new")) };
        assert!(code.is_success());
        let sent = scene.last_body()["metadata"]["name"].as_str().expect("a name").to_owned();
        assert!(sent.starts_with("csghub-rehearsal-"), "{sent}");
        assert_eq!(made["metadata"]["name"], "init");
        let found = scene.close();
        assert_eq!(found.objects[0].operation, Operation::Replace);
        assert_eq!(found.objects[0].verdict, Verdict::Accepted);
    }
}

#[test]
fn t3_a_namespace_of_the_run_is_stood_in_for() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}});
    let occupied = ("/api/v1/namespaces/prod/configmaps/b", stored(config("b", "1")));
    let mut scene = Scene::new(server(&[occupied]));
    scene.create("/api/v1/namespaces", &namespace);
    assert_eq!(scene.get("/api/v1/namespaces/new").1["status"]["phase"], "Active");
    for (name, is_renamed) in [("a", false), ("b", true)] {
        let mut object = config(name, "1");
        object["metadata"]["namespace"] = json!("new");
        let (_, made) = scene.create("/api/v1/namespaces/new/configmaps", &object);
        assert_eq!((&made["metadata"]["namespace"], &made["metadata"]["name"]), (&json!("new"), &json!(name)));
        assert_eq!(scene.writes().last().map(String::as_str), Some("POST /api/v1/namespaces/prod/configmaps"));
        assert_eq!(scene.last_body()["metadata"]["name"] != name, is_renamed, "{name}");
    }
}

#[test]
fn t3_what_the_stand_in_forbids_says_nothing_of_the_new_namespace() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| {
        if request.method() == Method::POST && request.uri().path() == CONFIGS {
            return status(
                403,
                "Forbidden",
                "configmaps \"a\" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=5, limited: count/configmaps=5",
            );
        }
        inner(request)
    });
    scene.create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}));
    let mut object = config("a", "1");
    object["metadata"]["namespace"] = json!("new");
    assert!(scene.create("/api/v1/namespaces/new/configmaps", &object).0.is_success());
    let found = scene.close();
    assert!(matches!(found.objects[1].verdict, Verdict::Unpredictable { .. }), "{:?}", found.objects[1]);
    assert!(found.findings.is_empty());
}

#[test]
fn t4_a_pod_may_use_what_the_run_makes() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| {
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if body.pointer("/spec/serviceAccountName").is_some() {
            return status(
                403,
                "Forbidden",
                "pods \"p\" is forbidden: error looking up service account prod/mine: serviceaccount \"mine\" not found",
            );
        }
        inner(request)
    });
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine", "namespace": "prod"}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "prod"},
        "spec": {"serviceAccountName": "mine", "containers": []}});
    scene.create("/api/v1/namespaces/prod/serviceaccounts", &account);
    let (code, made) = scene.create("/api/v1/namespaces/prod/pods", &pod);
    assert_eq!((code, &made["spec"]["serviceAccountName"]), (StatusCode::CREATED, &json!("mine")));
    assert_eq!(scene.close().findings, Vec::new());
}

#[test]
fn t6_a_namespace_that_is_there_is_the_commands_own_business() {
    let mut scene = Scene::new(|_: &Request| status(409, "AlreadyExists", "namespaces \"prod\" already exists"));
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}});
    assert_eq!(scene.create("/api/v1/namespaces", &namespace).0, StatusCode::CONFLICT);
    let found = scene.close();
    assert!(found.objects.is_empty() && found.findings.is_empty());
}

#[test]
fn t7_what_a_dry_run_allocated_is_not_asked_for_again() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| {
        let (code, mut object) = inner(request);
        if request.method() == Method::POST {
            let asked =
                object["spec"].as_object_mut().and_then(|spec| spec.insert("clusterIP".into(), json!("10.0.0.0")));
            assert_eq!(asked, None, "the made-up address came back");
        }
        (code, object)
    });
    let path = "/api/v1/namespaces/prod/services/s";
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "prod"}, "spec": {"ports": []}});
    scene.create("/api/v1/namespaces/prod/services", &service);
    let mut read = scene.get(path).1;
    read["metadata"]["labels"] = json!({"a": "b"});
    assert!(scene.call("PUT", path, "application/json", &read).0.is_success());
    assert_eq!(scene.writes(), ["POST /api/v1/namespaces/prod/services"; 2]);
}

#[test]
fn t10_and_t11_a_second_patch_meets_the_first() {
    for live in [None, Some(stored(config("a", "0")))] {
        let objects: Vec<_> = live.clone().map(|object| (CONFIG, object)).into_iter().collect();
        let mut scene = Scene::new(server(&objects));
        match &live {
            None => scene.create(CONFIGS, &config("a", "0")),
            Some(_) => scene.call("PUT", CONFIG, "application/json", &stored(config("a", "1"))),
        };
        let patch = json!({"data": {"b": "2"}});
        let (code, patched) = scene.call("PATCH", CONFIG, "application/merge-patch+json", &patch);
        assert!(code.is_success());
        let first = if live.is_some() { "1" } else { "0" };
        assert_eq!(patched["data"], json!({"a": first, "b": "2"}));
        let last = scene.writes().pop().expect("sent");
        assert_eq!(last, if live.is_some() { format!("PUT {CONFIG}") } else { format!("POST {CONFIGS}") });
        if live.is_some() {
            assert_eq!(scene.last_body()["metadata"]["resourceVersion"], "7", "the server knows its own version alone");
        }
    }
}

#[test]
fn t13_a_made_up_version_never_reaches_the_server() {
    let mut scene = Scene::new(server(&[(CONFIG, stored(config("a", "0")))]));
    scene.apply(CONFIG, &config("a", "1"));
    let version = scene.get(CONFIG).1["metadata"]["resourceVersion"].as_str().expect("a text").to_owned();
    assert!(version.parse::<u64>().is_ok(), "clients compare numbers: {version}");
    let uri = format!("{CONFIGS}?watch=true&resourceVersion={version}");
    let request = http::Request::builder().uri(uri).body(Vec::new()).expect("a request");
    let Next::Watch(Some(leaving), _) = scene.rehearsal.receive(request) else { panic!("a watch") };
    assert_eq!(leaving.uri().query(), Some("watch=true"));
}

#[test]
fn t15_a_list_shows_what_was_written_instead_of_what_is_there() {
    let listed = json!({"metadata": {"resourceVersion": "9"}, "items": [stored(config("a", "real")), stored(config("b", "real"))]});
    let mut inner = server(&[(CONFIG, stored(config("a", "real")))]);
    let mut scene = Scene::new(move |request: &Request| match request.uri().path() {
        CONFIGS if request.method() == Method::GET => (200, listed.clone()),
        _ => inner(request),
    });
    scene.apply(CONFIG, &config("a", "mine"));
    scene.create(CONFIGS, &config("c", "new"));
    let (_, list) = scene.get(&format!("{CONFIGS}?limit=1"));
    let values: Vec<_> = list["items"].as_array().expect("items").iter().map(|item| &item["data"]["a"]).collect();
    assert_eq!(values, [&json!("real"), &json!("mine"), &json!("new")]);
    let (_, one) = scene.get(&format!("{CONFIGS}?fieldSelector=metadata.name%3Dc"));
    assert!(one["items"].as_array().expect("items").iter().any(|item| item["metadata"]["name"] == "c"));
}

#[test]
fn t16_a_refusal_may_be_a_500_without_a_reason() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| match *request.method() {
        Method::PATCH => (
            500,
            json!({"kind": "Status", "status": "Failure", "code": 500,
            "message": "failed to create typed patch object (prod/a; /v1, Kind=ConfigMap): .metadata.labels.app: expected string, got true"}),
        ),
        _ => inner(request),
    });
    assert!(scene.apply(CONFIG, &config("a", "1")).0.is_success(), "it is hidden from the command");
    let found = scene.close();
    assert_eq!((found.findings[0].class, &found.objects[0].verdict), (Class::Validation, &Verdict::Refused));
}

#[test]
fn a_server_that_is_busy_is_no_refusal() {
    for code in [429, 503] {
        let mut inner = server(&[]);
        let mut scene = Scene::new(move |request: &Request| match *request.method() {
            Method::POST => (code, json!({"kind": "Status", "code": code})),
            _ => inner(request),
        });
        assert_eq!(scene.create(CONFIGS, &config("a", "1")).0.as_u16(), code, "the command asks again");
        assert!(scene.close().objects.is_empty());
    }
}

#[test]
fn t19_a_webhook_that_knows_no_dry_run_is_unpredictable() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| match *request.method() {
        Method::POST => status(400, "BadRequest", "admission webhook \"w.example\" does not support dry run"),
        _ => inner(request),
    });
    assert!(scene.create(CONFIGS, &config("a", "1")).0.is_success());
    let found = scene.close();
    assert!(matches!(found.objects[0].verdict, Verdict::Unpredictable { .. }));
    assert!(!found.blocks());
}

#[test]
fn what_cannot_be_told_of_a_generated_name_is_told_of_its_kind() {
    let mut inner = server(&[]);
    let mut scene = Scene::new(move |request: &Request| match *request.method() {
        Method::POST => status(400, "BadRequest", "admission webhook \"w.example\" does not support dry run"),
        _ => inner(request),
    });
    let mut nameless = config("a", "1");
    nameless["metadata"] = json!({"generateName": "a-", "namespace": "prod"});
    for _ in 0..2 {
        scene.create(CONFIGS, &nameless);
    }
    let notes = scene.close().notes;
    assert!(notes.len() == 1 && notes[0].contains("configmaps") && notes[0].contains("w.example"), "{notes:?}");
}

#[test]
fn t20_immutable_fields_hold_for_what_the_run_made_itself() {
    let mut scene = Scene::new(server(&[]));
    scene.apply(JOB, &job("init", "old"));
    scene.apply(JOB, &job("init", "new"));
    let found = scene.close();
    assert_eq!(found.findings[0].class, Class::ImmutableField);
    assert_eq!(found.findings[0].fields[0].path, "spec.template.spec.containers[name=a].image");
}

/// Helm 3 `--force` replaces, with what the manifest says and no more.
#[test]
fn what_is_refused_is_waited_for_by_nobody() {
    let path = "/apis/apps/v1/namespaces/prod/deployments/web";
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "new"}}, "template": {"metadata": {"labels": {"a": "new"}}}}});
    let mut live = stored(deployment.clone());
    live["metadata"]["generation"] = json!(1);
    live["spec"]["selector"]["matchLabels"]["a"] = json!("old");
    live["status"] = json!({"observedGeneration": 1});
    let mut inner = server(&[(path, live)]);
    let mut scene = Scene::new(move |request: &Request| match *request.method() {
        Method::PUT => status(
            422,
            "Invalid",
            "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: field is immutable",
        ),
        _ => inner(request),
    });
    assert!(scene.call("PUT", path, "application/json", &deployment).0.is_success());
    let (_, seen) = scene.get(path);
    assert_eq!(seen["metadata"]["generation"], 2);
    assert_eq!(seen["status"]["observedGeneration"], 2, "{seen}");
}

#[test]
fn a_refusal_is_hidden_or_handed_on() {
    let refusing = || {
        let mut inner = server(&[(JOB, stored(job("init", "old")))]);
        move |request: &Request| match *request.method() {
            Method::PATCH => (
                422,
                json!({"kind": "Status", "status": "Failure", "code": 422, "reason": "Invalid",
                "message": "Job.batch \"init\" is invalid: spec.template: Invalid value: {}: field is immutable",
                "details": {"name": "init", "group": "batch", "kind": "Job", "causes": [{"reason": "FieldValueInvalid",
                    "message": "Invalid value: {}: field is immutable", "field": "spec.template"}]}}),
            ),
            _ => inner(request),
        }
    };
    let mut hidden = Scene::new(refusing());
    assert_eq!(hidden.apply(JOB, &job("init", "new")).0, StatusCode::OK);
    assert_eq!(hidden.get(JOB).1["spec"]["template"]["spec"]["containers"][0]["image"], "new");
    let mut handed = Scene::with(settings(Mode::AsHelm), refusing());
    assert_eq!(handed.apply(JOB, &job("init", "new")).0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(handed.get(JOB).1["spec"]["template"]["spec"]["containers"][0]["image"], "old");
    for found in [hidden.close(), handed.close()] {
        assert_eq!(found.findings[0].class, Class::ImmutableField);
        assert_eq!((found.objects[0].operation, &found.objects[0].verdict), (Operation::Change, &Verdict::Refused));
    }
}

#[test]
fn a_pretended_step_has_been_taken() {
    let live = stored(job("init", "old"));
    let object = ObjectRef {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: Some("prod".into()),
        name: "init".into(),
    };
    let resource = ("batch".to_owned(), "v1".to_owned(), "jobs".to_owned());
    let pretended = vec![Pretended::Deleted { resource, object, live: live.clone() }];
    let mut scene = Scene::with(Settings { pretended, ..settings(Mode::All) }, server(&[(JOB, live)]));
    assert_eq!(scene.get(JOB).0, StatusCode::NOT_FOUND);
    assert!(scene.apply(JOB, &job("init", "new")).0.is_success());
    let found = scene.close();
    assert_eq!((found.objects.len(), found.objects[0].operation), (1, Operation::Replace));
    assert!(!found.blocks());
}

#[test]
fn an_object_of_nobody_is_told_although_helm_takes_it() {
    let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "prod", "uid": "u",
        "managedFields": [{"manager": "kubectl-create"}]}, "data": {}});
    let mut scene = Scene::new(server(&[(CONFIG, live)]));
    scene.apply(CONFIG, &marked(config("a", "1")));
    let found = scene.close();
    assert_eq!(
        (found.findings[0].class, found.findings[0].who.as_deref()),
        (Class::Ownership, Some("field manager kubectl-create"))
    );
    assert_eq!(found.objects[0].verdict, Verdict::Refused);
}

#[test]
fn the_old_replica_sets_of_a_changed_deployment_are_hidden() {
    let deployment = |image: &str| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": image}]}}}})
    };
    let path = "/apis/apps/v1/namespaces/prod/deployments/web";
    let sets = "/apis/apps/v1/namespaces/prod/replicasets";
    let old = json!({"metadata": {"name": "web-old", "namespace": "prod", "ownerReferences": [{"uid": "real"}]}});
    let mut inner = server(&[(path, stored(deployment("old")))]);
    let mut scene = Scene::new(move |request: &Request| match request.uri().path() {
        found if found == sets => (200, json!({"metadata": {}, "items": [old.clone()]})),
        _ => inner(request),
    });
    scene.apply(path, &deployment("new"));
    let (_, list) = scene.get(sets);
    let items = list["items"].as_array().expect("items");
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["spec"]["template"]["spec"]["containers"][0]["image"], "new");
    assert_eq!(items[0]["metadata"]["ownerReferences"][0]["uid"], "real");
}

#[test]
fn a_watch_sees_the_overlay_first_and_nothing_that_it_covers() {
    let mut scene = Scene::new(server(&[(CONFIG, stored(config("a", "real")))]));
    scene.apply(CONFIG, &config("a", "mine"));
    let request = http::Request::builder().uri(format!("{CONFIGS}?watch=true&sendInitialEvents=true")).body(Vec::new());
    let Next::Watch(Some(_), mut watch) = scene.rehearsal.receive(request.expect("a request")) else {
        panic!("a watch")
    };
    let lines = scene.rehearsal.overlay_events(&mut watch);
    let event: Value = serde_json::from_slice(&lines[0]).expect("JSON");
    assert_eq!((lines.len(), &event["type"], &event["object"]["data"]["a"]), (1, &json!("ADDED"), &json!("mine")));
    let line =
        |kind: &str, name: &str| json!({"type": kind, "object": stored(config(name, "real"))}).to_string().into_bytes();
    assert_eq!(scene.rehearsal.upstream_event(&mut watch, line("ADDED", "a")), None);
    assert_eq!(scene.rehearsal.upstream_event(&mut watch, line("ADDED", "b")), Some(line("ADDED", "b")));
    assert_eq!(scene.rehearsal.upstream_event(&mut watch, line("BOOKMARK", "a")), Some(line("BOOKMARK", "a")));
    assert!(scene.rehearsal.overlay_events(&mut watch).is_empty());
    scene.create(CONFIGS, &config("c", "new"));
    assert_eq!(scene.rehearsal.overlay_events(&mut watch).len(), 1);
}

#[test]
fn what_helm_deletes_of_the_release_whose_record_it_writes_is_no_foreign_deletion() {
    let secrets = "/api/v1/namespaces/prod/secrets";
    let record = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": "eA=="},
            "metadata": {"name": format!("sh.helm.release.v1.{name}.v2"), "labels": {"owner": "helm", "name": name}}})
    };
    // `kubectl delete` writes none, and a release may be called as another begins.
    for (records, expected) in [(vec![], true), (vec!["other", "shop.v2"], true), (vec!["shop"], false)] {
        let any = Settings { release: None, ..settings(Mode::All) };
        let mut scene = Scene::with(any, server(&[(CONFIG, stored(config("a", "real")))]));
        for name in &records {
            scene.create(secrets, &record(name));
        }
        scene.delete(CONFIG);
        let is_foreign = scene.close().findings.iter().any(|finding| finding.class == Class::ForeignDeletion);
        assert_eq!(is_foreign, expected, "{records:?}");
    }
}

/// Source: the API documentation of watches: an object that no longer matches the selector is told as deleted, one that begins
/// to match as added.
#[test]
fn a_watch_with_a_selector_tells_what_comes_into_its_sight_and_what_goes_out_of_it() {
    let labelled = |name: &str, label: &str| {
        let mut object = config(name, label);
        object["metadata"]["labels"] = json!({"watched": label});
        object
    };
    for is_there in [false, true] {
        let there: Vec<(&str, Value)> = if is_there { vec![(CONFIG, labelled("a", "yes"))] } else { Vec::new() };
        let mut scene = Scene::new(server(&there));
        let uri = format!("{CONFIGS}?watch=true&labelSelector=watched%3Dyes");
        let request = http::Request::builder().uri(uri).body(Vec::new()).expect("a request");
        let Next::Watch(Some(_), mut watch) = scene.rehearsal.receive(request) else { panic!("a watch") };
        assert!(scene.rehearsal.overlay_events(&mut watch).is_empty());
        let mut told = Vec::new();
        for label in ["no", "yes", "yes", "no", "no", "yes"] {
            scene.apply(CONFIG, &labelled("a", label));
            for line in scene.rehearsal.overlay_events(&mut watch) {
                let event: Value = serde_json::from_slice(&line).expect("JSON");
                told.push(event["type"].as_str().expect("a type").to_owned());
            }
        }
        scene.delete(CONFIG);
        told.extend(scene.rehearsal.overlay_events(&mut watch).iter().map(|_| "the end".to_owned()));
        let expected = ["ADDED", "MODIFIED", "DELETED", "ADDED", "the end"];
        assert_eq!(told, [if is_there { &["DELETED"][..] } else { &[] }, &expected].concat());
    }
}

#[test]
fn helms_records_are_kept_and_not_told() {
    let mut scene = Scene::new(server(&[]));
    let record = json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.shop.v2", "labels": {"owner": "helm", "name": "shop"}}, "data": {"release": "eA=="}});
    assert!(scene.create("/api/v1/namespaces/prod/secrets", &record).0.is_success());
    assert_eq!(scene.get("/api/v1/namespaces/prod/secrets/sh.helm.release.v1.shop.v2").0, StatusCode::OK);
    assert!(scene.close().objects.is_empty());
}

#[test]
fn a_watch_of_a_kind_that_the_server_lacks_says_when_its_first_events_end() {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "gauges.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": "gauges", "singular": "gauge", "kind": "Gauge", "listKind": "GaugeList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    let mut scene = Scene::new(server(&[]));
    scene.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &crd);
    for (query, expected) in [("watch=true&sendInitialEvents=true", 1), ("watch=true", 0)] {
        let uri = format!("/apis/example.com/v1/namespaces/prod/gauges?{query}");
        let request = http::Request::builder().uri(uri).body(Vec::new()).expect("a request");
        let Next::Watch(None, mut watch) = scene.rehearsal.receive(request) else { panic!("no watch of ours") };
        let lines = scene.rehearsal.overlay_events(&mut watch);
        assert_eq!(lines.len(), expected, "{query}");
        if let Some(line) = lines.last() {
            let event: Value = serde_json::from_slice(line).expect("JSON");
            assert_eq!(event["type"], "BOOKMARK");
            assert_eq!(event["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
        }
    }
}

#[test]
fn a_body_that_only_the_server_reads_is_sent_as_it_came() {
    let body = b"k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x00";
    let mut rehearsal = Rehearsal::new(settings(Mode::All));
    let request = http::Request::builder().method("POST").uri("/api/v1/namespaces");
    let request = request.header("content-type", "application/vnd.kubernetes.protobuf").body(body.to_vec());
    let Next::Ask(leaving, then) = rehearsal.receive(request.expect("a request")) else { panic!("it is not asked") };
    assert_eq!((leaving.body().as_slice(), leaving.uri().query()), (body.as_slice(), Some("dryRun=All")));
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fresh"}});
    let Next::Answer(answer) = rehearsal.resume(then, message::json_response(StatusCode::CREATED, &made)) else {
        panic!("no answer")
    };
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(rehearsal.close().objects[0].object.name, "fresh");
}

#[test]
fn a_command_of_which_nothing_is_known_acts_for_the_releases_whose_records_it_writes() {
    let mut other = stored(config("b", "1"));
    other["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("cart");
    let path = "/api/v1/namespaces/prod/configmaps/b";
    let record = json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.shop.v1", "labels": {"owner": "helm", "name": "shop"}}});
    for (writes_record, foreign) in [(true, vec!["b"]), (false, vec!["a", "b"])] {
        let settings = Settings { release: None, ..settings(Mode::All) };
        let mut scene = Scene::with(settings, server(&[(CONFIG, stored(config("a", "1"))), (path, other.clone())]));
        if writes_record {
            scene.create("/api/v1/namespaces/prod/secrets", &record);
        }
        scene.delete(CONFIG);
        scene.delete(path);
        let found = scene.close();
        assert!(found.findings.iter().all(|finding| finding.class == Class::ForeignDeletion));
        let names: Vec<&str> = found.findings.iter().map(|finding| finding.object.name.as_str()).collect();
        assert_eq!(names, foreign, "record written: {writes_record}");
    }
}

#[test]
fn what_the_server_refuses_may_be_of_another_owner_too() {
    let conflict = |field: &str| {
        json!({"kind": "Status", "status": "Failure", "reason": "Conflict", "code": 409,
            "message": format!("Apply failed with 1 conflict: conflict with \"kubectl\": {field}"),
            "details": {"causes": [{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\"", "field": field}]}})
    };
    let mark = ".metadata.annotations.meta.helm.sh/release-name";
    for (is_own, field, classes) in [
        (true, ".data.a", vec![Class::ApplyConflict]),
        (false, ".data.a", vec![Class::Ownership, Class::ApplyConflict]),
        // Whoever gives the object to the release sets that field.
        (false, mark, vec![Class::Ownership]),
    ] {
        let live = if is_own { stored(config("a", "1")) } else { config("a", "1") };
        let mut inner = server(&[(CONFIG, live)]);
        let mut scene = Scene::new(move |request: &Request| match request.method().as_str() {
            "PATCH" => (409, conflict(field)),
            _ => inner(request),
        });
        scene.get(CONFIG);
        scene.apply(CONFIG, &marked(config("a", "2")));
        let found: Vec<Class> = scene.close().findings.iter().map(|finding| finding.class).collect();
        assert_eq!(found, classes, "own: {is_own}, {field}");
    }
}

#[test]
fn t7_what_a_dry_run_gives_a_changed_service_is_not_asked_for() {
    const SERVICE: &str = "/api/v1/namespaces/prod/services/web";
    let service = |kind: &str, port: Value| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "prod"},
            "spec": {"type": kind, "ports": [port]}})
    };
    let plain = json!({"port": 80});
    for (asked, is_refused) in [(plain.clone(), false), (json!({"port": 80, "nodePort": 40_000}), true)] {
        let mut inner = server(&[(SERVICE, stored(service("ClusterIP", plain.clone())))]);
        let mut scene = Scene::new(move |request: &Request| {
            let (code, mut answer) = inner(request);
            // Whoever asks for no port gets one that is made up, out of every range.
            if request.method() == Method::PATCH && answer.pointer("/spec/ports/0/nodePort").is_none() {
                answer["spec"]["ports"][0]["nodePort"] = json!(32_769);
                answer["spec"]["clusterIP"] = json!("10.96.0.0");
            }
            (code, answer)
        });
        scene.get(SERVICE);
        scene.apply(SERVICE, &service("NodePort", asked.clone()));
        let found = scene.close();
        let classes: Vec<Class> = found.findings.iter().map(|finding| finding.class).collect();
        assert_eq!(classes, vec![Class::Allocator; usize::from(is_refused)], "{asked}");
    }
}

#[test]
fn only_a_quota_that_is_exceeded_can_be_given_back() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "prod"}, "spec": {}});
    for (message, is_refused) in [
        ("pods \"a\" is forbidden: maximum cpu usage per Container is 1, but limit is 2", true),
        ("pods \"a\" is forbidden: failed quota: limit: must specify limits.memory for: main", true),
        ("pods \"a\" is forbidden: exceeded quota: limit, requested: pods=1, used: pods=1, limited: pods=1", false),
    ] {
        let mut inner = server(&[]);
        let mut scene = Scene::new(move |request: &Request| match request.method().as_str() {
            "POST" => status(403, "Forbidden", message),
            _ => inner(request),
        });
        // The ledger knows of no quota: as if all of it had been given back.
        scene.create("/api/v1/namespaces/prod/pods", &pod);
        let found = scene.close();
        assert_eq!(found.objects[0].verdict == Verdict::Refused, is_refused, "{message}");
        assert_eq!(found.findings.len(), usize::from(is_refused), "{message}");
    }
}
