use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Case {
    group: String,
    kind: String,
    before: Value,
    after: Value,
    /// By the server, when the update was tried on it.
    refused: bool,
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/rehearsal/immutable/cases.jsonl");
    let text = fs::read_to_string(path).expect("the fixture can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

#[test]
fn what_a_real_server_refused_is_found_and_what_it_took_is_not() {
    let mut wrong = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let found = immutable_changes(&case.group, &case.kind, &case.before, &case.after);
        if found.is_empty() == case.refused {
            wrong.push(format!("line {}, {}: {found:?}, refused: {}", number + 1, case.kind, case.refused));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_the_table_was_tried_on_a_server() {
    let tried: BTreeSet<(String, String)> =
        cases().into_iter().filter(|case| case.refused).map(|case| (case.group, case.kind)).collect();
    // Their APIs are not served on the bed, or a create needs more than an object.
    let untried = ["IPAddress", "ResourceClaim", "ResourceClaimTemplate"];
    for (group, kind, _) in FIXED {
        let is_tried = tried.contains(&(group.to_owned(), kind.to_owned()));
        assert_eq!(is_tried, !untried.contains(&kind), "{kind}");
    }
}

#[test]
fn the_path_names_the_field() {
    let deployment =
        |selector: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"selector": selector}});
    let (before, after) = (json!({"matchLabels": {"app": "a"}}), json!({"matchLabels": {"app": "b"}}));
    assert_eq!(
        immutable_changes("apps", "Deployment", &deployment(before.clone()), &deployment(after.clone())),
        ["spec.selector.matchLabels.app"]
    );
    // The same name in another group is another kind.
    assert!(immutable_changes("example.com", "Deployment", &deployment(before), &deployment(after)).is_empty());
}

#[test]
fn a_range_may_be_added_to_a_service_cidr_but_not_changed() {
    let of =
        |cidrs: Value| json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "spec": {"cidrs": cidrs}});
    let found =
        |after: Value| immutable_changes("networking.k8s.io", "ServiceCIDR", &of(json!(["10.0.0.0/16"])), &of(after));
    assert_eq!(found(json!(["10.0.0.0/16", "fd00::/108"])), Vec::<String>::new());
    assert_eq!(found(json!(["10.1.0.0/16"])), ["spec.cidrs"]);
    assert_eq!(found(json!(["10.1.0.0/16", "fd00::/108"])), ["spec.cidrs"]);
}

#[test]
fn an_address_that_a_dry_run_pretends_to_give_is_no_change() {
    let of = |ip: &str| json!({"apiVersion": "v1", "kind": "Service", "spec": {"type": "ClusterIP", "clusterIP": ip}});
    let found = |before: &str, after: &str| immutable_changes("", "Service", &of(before), &of(after));
    assert_eq!(found("10.96.7.7", "10.96.0.0"), Vec::<String>::new());
    assert_eq!(found("10.96.7.7", "10.96.7.8"), ["spec.clusterIP"]);
    assert_eq!(found("10.96.0.0", "None"), ["spec.clusterIP"]);
    assert_eq!(found("None", "10.96.7.8"), ["spec.clusterIP"]);
    assert_eq!(found("None", "10.96.0.0"), Vec::<String>::new());
}

proptest! {
    #[test]
    fn an_object_may_always_be_what_it_is(spec in "[a-z]{0,5}", size in 0..5_u8) {
        for (group, kind) in FIXED.iter().map(|row| (row.0, row.1)).chain([
            ("batch", "Job"), ("apps", "StatefulSet"), ("", "Service"), ("", "PersistentVolumeClaim"),
            ("", "PersistentVolume"), ("", "Pod"), ("", "ConfigMap"), ("", "Secret"), ("", "ResourceQuota"),
        ]) {
            let object = json!({"kind": kind, "spec": {"selector": spec, "resources": {"requests": {"storage": size}}},
                "immutable": true, "data": {"a": spec}});
            prop_assert_eq!(immutable_changes(group, kind, &object, &object), Vec::<String>::new());
        }
    }
}
