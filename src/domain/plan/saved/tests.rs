use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::facts::ObjectRole;

fn object(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: if kind == "Job" { "batch/v1" } else { "v1" }.into(),
        kind: kind.into(),
        namespace: Some("shop".into()),
        name: name.into(),
    }
}

fn live(uid: &str, version: &str, replicas: u32) -> LiveFacts {
    let live = json!({"uid": uid, "resource_version": version, "digest": format!("sha256:{replicas}"),
        "fields": {"kind": "k", "spec.replicas": replicas.to_string()}, "rollout": {"status": "current"}});
    serde_json::from_value(live).expect("facts")
}

fn facts(name: &str, live: Option<LiveFacts>) -> ObjectFacts {
    ObjectFacts { object: object("ConfigMap", name), role: ObjectRole::default(), live: Answer::Known(live) }
}

fn plan(removed: &[&str]) -> Plan {
    let steps: Vec<Value> = removed
        .iter()
        .map(|name| {
            let action = json!({"kind": "remove-job", "object": object("Job", name), "uid": "u"});
            json!({"id": name, "action": action, "because": "b", "undo": {"kind": "not-needed"}})
        })
        .collect();
    let plan = json!({"format": 1, "release": "shop", "namespace": "shop", "title": "t", "steps": steps, "warnings": [], "before": []});
    serde_json::from_value(plan).expect("a plan")
}

fn binding() -> Binding {
    Binding {
        release: "shop".into(),
        namespace: "prod".into(),
        cluster: ClusterMark { server: "https://a".into(), uid: Some("1".into()), authority: Some("ca".into()) },
        helm: "4.3.1".into(),
        newest: Some(NewestRevision { revision: 3, resource_version: "77".into() }),
        chart: "shop 2.0.0".into(),
        chart_digest: "sha256:c".into(),
        values_digest: Some("sha256:v".into()),
        flags: vec!["--wait".into()],
        flags_digest: "sha256:f".into(),
        rules_digest: None,
    }
}

fn saved(objects: Vec<SavedObject>, removed: &[&str]) -> SavedPlan {
    let rehearsal = json!({"format": 1, "mode": "all", "objects": [], "findings": [], "end": {"exit_code": 0}});
    SavedPlan {
        format: SAVED_PLAN_FORMAT,
        made_at: "2026-01-01T00:00:00Z".into(),
        run_id: "20260101-000000-aaaa".into(),
        bound: binding(),
        objects,
        random: vec![],
        rendered: vec![],
        plan: plan(removed),
        rehearsal: serde_json::from_value(rehearsal).expect("a rehearsal"),
    }
}

fn was(name: &str, state: Option<&LiveFacts>) -> SavedObject {
    SavedObject { object: object("ConfigMap", name), state: state.map(SavedState::from) }
}

fn drift_of(before: Option<&LiveFacts>, now: Option<LiveFacts>) -> Vec<String> {
    let saved = saved(vec![was("a", before)], &[]);
    saved.drift(&[facts("a", now)], &[], &plan(&[])).iter().map(ToString::to_string).collect()
}

#[test]
fn what_moved_is_named_with_the_field_and_a_mere_status_is_none() {
    let one = || Some(live("u", "1", 1));
    for (now, expected) in [
        (one(), None),
        (Some(live("u", "9", 1)), None),
        (Some(live("u", "9", 2)), Some("changed: spec.replicas")),
        (Some(live("other", "9", 1)), Some("it was deleted and made anew")),
        (None, Some("it is gone")),
    ] {
        let expected: Vec<String> = expected.map(|what| format!("ConfigMap shop/a: {what}")).into_iter().collect();
        assert_eq!(drift_of(one().as_ref(), now), expected);
    }
    assert_eq!(drift_of(None, one()), ["ConfigMap shop/a: it is there now, and was not"]);
    assert_eq!(drift_of(None, None), Vec::<String>::new());
}

#[test]
fn a_job_that_is_gone_is_drift_and_its_step_is_not_needed() {
    let job = object("Job", "init");
    let state = Some(SavedState::from(&live("u", "1", 1)));
    let saved = saved(vec![SavedObject { object: job.clone(), state }], &["init"]);
    let now = ObjectFacts { object: job, role: ObjectRole::default(), live: Answer::Known(None) };
    let found = saved.drift(&[now], &[], &plan(&[]));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["Job shop/init: it is gone: the step that removes it is not needed any more"]);
}

#[test]
fn a_step_that_nobody_reviewed_is_drift() {
    let told = |saved: &SavedPlan, now: &Plan| -> Vec<String> {
        saved.drift(&[], &[], now).iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&saved(vec![], &["a"]), &plan(&["a"])), Vec::<String>::new());
    let new = told(&saved(vec![], &[]), &plan(&["a"]));
    assert_eq!(new, ["Job shop/a: it must be removed before Helm, and the saved plan has no such step"]);
    let old = told(&saved(vec![], &["a"]), &plan(&[]));
    assert_eq!(old, ["Job shop/a: the step that removes it is not needed any more"]);
}

#[test]
fn a_chart_that_renders_otherwise_is_drift() {
    let rendered =
        |name: &str, digest: &str| RenderedObject { object: object("ConfigMap", name), digest: digest.into() };
    let mut saved = saved(vec![], &[]);
    saved.rendered = vec![rendered("same", "1"), rendered("other", "1"), rendered("gone", "1")];
    let now = [rendered("same", "1"), rendered("other", "2"), rendered("new", "1")];
    let told: Vec<String> = saved.drift(&[], &now, &plan(&[])).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "ConfigMap shop/other: the chart renders it otherwise",
            "ConfigMap shop/gone: the chart does not render it any more",
            "ConfigMap shop/new: the chart renders it now",
        ]
    );
}

type Change<'a> = &'a dyn Fn(&mut Binding);

#[test]
fn a_plan_is_run_for_what_it_was_made_for_alone() {
    let saved = saved(vec![], &[]);
    assert_eq!(saved.mismatches(&binding()), Vec::<String>::new());
    let other = |change: &dyn Fn(&mut Binding)| {
        let mut now = binding();
        change(&mut now);
        saved.mismatches(&now)
    };
    let cases: [(Change<'_>, &str); 10] = [
        (&|now| now.release = "store".into(), "it is for release prod/shop, not prod/store"),
        (&|now| now.namespace = "dev".into(), "it is for release prod/shop, not dev/shop"),
        (&|now| now.cluster.uid = Some("2".into()), "it was made for another cluster: https://a, not https://a"),
        (&|now| now.helm = "3.22.0".into(), "it was made with Helm 4.3.1, and this is Helm 3.22.0"),
        (&|now| now.newest = None, "the release moved from revision 3 to no revision"),
        (
            &|now| now.newest = Some(NewestRevision { revision: 3, resource_version: "78".into() }),
            "the release moved from revision 3 to another record of revision 3",
        ),
        (&|now| now.chart_digest = "sha256:d".into(), "the chart is not the one that was planned with"),
        (&|now| now.values_digest = Some("sha256:w".into()), "the values are not those that were planned with"),
        (
            &|now| now.flags_digest = "g".into(),
            "the flags for Helm are not those that were planned with: now with other values",
        ),
        (
            &|now| {
                now.flags = vec!["--force".into()];
                now.flags_digest = "g".into();
            },
            "the flags for Helm are not those that were planned with: now without `--wait`, with `--force`",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(other(change), [expected]);
    }
}

#[test]
fn a_cluster_is_known_by_the_best_mark_that_both_have() {
    let mark = |server: &str, uid: Option<&str>, authority: Option<&str>| ClusterMark {
        server: server.into(),
        uid: uid.map(str::to_owned),
        authority: authority.map(str::to_owned),
    };
    for (one, other, is_same) in [
        (mark("a", Some("1"), Some("x")), mark("b", Some("1"), Some("y")), true),
        (mark("a", Some("1"), Some("x")), mark("a", Some("2"), Some("x")), false),
        (mark("a", Some("1"), Some("x")), mark("b", None, Some("x")), true),
        (mark("a", None, Some("x")), mark("a", None, Some("y")), false),
        (mark("a", None, None), mark("a", Some("1"), Some("y")), true),
        (mark("a", None, None), mark("b", None, None), false),
    ] {
        assert_eq!(one.is_same(&other), is_same, "{one:?} {other:?}");
        assert_eq!(other.is_same(&one), is_same);
    }
}

#[test]
fn a_saved_plan_survives_its_file_and_another_format_is_refused() {
    let saved = saved(vec![was("a", Some(&live("u", "1", 1))), was("b", None)], &["init"]);
    let text = serde_json::to_vec(&saved).expect("plain data");
    assert_eq!(SavedPlan::read(&text).expect("the same"), saved);
    let mut other: Value = serde_json::from_slice(&text).expect("JSON");
    other["format"] = json!(2);
    let error = SavedPlan::read(other.to_string().as_bytes()).expect_err("another format");
    assert_eq!(error.to_string(), "its format is 2, and this version reads format 1");
    assert!(matches!(SavedPlan::read(b"helm"), Err(SavedPlanError::NoPlan(_))));
    assert!(matches!(SavedPlan::read(b"{}"), Err(SavedPlanError::Format { found: 0 })));
}

proptest! {
    /// A world that did not move has no drift, whatever was in it.
    #[test]
    fn an_unmoved_world_has_no_drift(states in proptest::collection::vec(proptest::option::of((0_u32..9, 0_u32..9)), 0..6)) {
        let live = |state: &(u32, u32)| live("u", &state.0.to_string(), state.1);
        let names: Vec<String> = (0..states.len()).map(|index| format!("o{index}")).collect();
        let objects = names.iter().zip(&states).map(|(name, state)| was(name, state.as_ref().map(live).as_ref())).collect();
        let now: Vec<ObjectFacts> = names.iter().zip(&states).map(|(name, state)| facts(name, state.as_ref().map(live))).collect();
        prop_assert_eq!(saved(objects, &["init"]).drift(&now, &[], &plan(&["init"])), vec![]);
    }
}
