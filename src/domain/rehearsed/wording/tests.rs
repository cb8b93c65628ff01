use proptest::prelude::*;
use serde_json::json;

use super::super::{CommandEnd, Operation, REHEARSED_FORMAT};
use super::*;

fn named(kind: &str, name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".into(), kind: kind.into(), namespace: Some("shop".into()), name: name.into() }
}

fn written(name: &str, operation: Operation, verdict: Verdict) -> RehearsedObject {
    RehearsedObject {
        object: named("ConfigMap", name),
        operation,
        verdict,
        is_hook: false,
        changes: vec![],
        restarts_pods: false,
    }
}

fn rehearsed(objects: Vec<RehearsedObject>, findings: Vec<Finding>) -> Rehearsed {
    Rehearsed {
        format: REHEARSED_FORMAT,
        subject: Some("The upgrade".into()),
        mode: Mode::All,
        objects,
        findings,
        denied: vec![],
        notes: vec![],
        end: CommandEnd::default(),
    }
}

fn found(class: Class, name: &str, remedy: Remedy) -> Finding {
    Finding { class, object: named("ConfigMap", name), fields: vec![], who: None, cause: "so it is".into(), remedy }
}

fn person() -> Remedy {
    Remedy::Person { text: "act".into() }
}

fn removed() -> Remedy {
    Remedy::RemoveFinishedJob { uid: "1".into() }
}

fn refused(name: &str) -> RehearsedObject {
    written(name, Operation::Change, Verdict::Refused)
}

#[test]
fn the_first_line_says_what_would_come_of_it() {
    let taken = |count: usize| -> Vec<RehearsedObject> {
        (0..count).map(|n| written(&format!("c{n}"), Operation::Change, Verdict::Accepted)).collect()
    };
    let with = |refusals: &[RehearsedObject]| [taken(3), refusals.to_vec()].concat();
    let immutable = |name: &str, remedy| found(Class::ImmutableField, name, remedy);
    let unknown = written("u", Operation::Change, Verdict::Unpredictable { because: "why".into() });
    let failed = CommandEnd { exit_code: 3, problems: vec![] };
    let cases = [
        (rehearsed(taken(3), vec![]), Tone::Good, "go through: the server takes all 3 objects"),
        (rehearsed(taken(1), vec![]), Tone::Good, "go through: the server takes the one object"),
        (rehearsed(vec![], vec![]), Tone::Good, "write no object"),
        (
            rehearsed(vec![written("a", Operation::Unchanged, Verdict::Accepted)], vec![]),
            Tone::Good,
            "go through and leave the one object as it is",
        ),
        (
            rehearsed(taken(2), vec![found(Class::HandEdit, "c0", person())]),
            Tone::Warning,
            "go through: the server takes both objects",
        ),
        (
            rehearsed(with(&[refused("r")]), vec![immutable("r", person())]),
            Tone::Bad,
            "fail: 1 of 4 objects is refused",
        ),
        (
            rehearsed(with(&[refused("r"), refused("s")]), vec![immutable("r", removed()), immutable("s", removed())]),
            Tone::Warning,
            "fail without the plan: 2 of 5 objects are refused, and the plan cures both",
        ),
        (
            rehearsed(with(&[refused("r"), refused("s")]), vec![immutable("r", removed()), immutable("s", person())]),
            Tone::Bad,
            "fail: 2 of 5 objects are refused, and the plan cures 1 of them",
        ),
        (
            rehearsed(with(&[refused("r")]), vec![immutable("r", removed()), found(Class::Quota, "r", person())]),
            Tone::Bad,
            "fail: 1 of 4 objects is refused",
        ),
        (
            rehearsed(taken(3), vec![found(Class::RecordTooLarge, "record", person())]),
            Tone::Bad,
            "fail: 1 of 4 objects is refused",
        ),
        (
            Rehearsed { end: failed.clone(), ..rehearsed(taken(3), vec![]) },
            Tone::Bad,
            "fail: it ended with exit code 3",
        ),
        (
            Rehearsed { end: failed, ..rehearsed(with(&[refused("r")]), vec![immutable("r", removed())]) },
            Tone::Bad,
            "fail without the plan: 1 of 4 objects is refused, and the plan cures it",
        ),
        (
            rehearsed(taken(3), vec![found(Class::DataLoss, "c0", person())]),
            Tone::Bad,
            "go through and do harm: 1 loss of data",
        ),
        (
            rehearsed(
                with(&[refused("r")]),
                vec![immutable("r", removed()), found(Class::ForeignDeletion, "c1", person())],
            ),
            Tone::Bad,
            "fail without the plan: 1 of 4 objects is refused, and the plan cures it; 1 deletion of what another owns",
        ),
        (
            rehearsed(with(&[unknown]), vec![]),
            Tone::Warning,
            "go through as far as can be told: 1 of 4 objects is unpredictable",
        ),
        (
            Rehearsed { denied: vec!["POST pods/exec".into()], ..rehearsed(taken(3), vec![]) },
            Tone::Warning,
            "go through as far as it was seen: 1 request was not let through",
        ),
    ];
    for (rehearsed, tone, said) in cases {
        assert_eq!(headline(&rehearsed), (tone, format!("The upgrade would {said}. Nothing was changed.")));
    }
}

#[test]
fn kinds_have_english_plurals() {
    for (kind, plurals) in [
        ("Deployment", "Deployments"),
        ("Ingress", "Ingresses"),
        ("StorageClass", "StorageClasses"),
        ("NetworkPolicy", "NetworkPolicies"),
        ("Gateway", "Gateways"),
        ("EndpointSlice", "EndpointSlices"),
        ("Endpoints", "Endpoints"),
        ("NodeMetrics", "NodeMetrics"),
        ("Prometheus", "Prometheuses"),
        ("ServiceMesh", "ServiceMeshes"),
        ("ResourceQuota", "ResourceQuotas"),
        ("Proxy", "Proxies"),
        ("Box", "Boxes"),
    ] {
        assert_eq!(plural(kind), plurals);
    }
}

#[test]
fn a_line_counts_the_kinds_that_are_most_and_the_rest_together() {
    let counts = [("Deployment", 4), ("ConfigMap", 3), ("Ingress", 2), ("Secret", 1), ("Service", 1)];
    assert_eq!(kinds(&counts), "4 Deployments, 3 ConfigMaps, 2 Ingresses, 1 Secret, 1 Service");
    let more = [counts.as_slice(), &[("Job", 2)]].concat();
    assert_eq!(kinds(&more), "4 Deployments, 3 ConfigMaps, 2 Ingresses, 1 Secret, 3 others");
}

#[test]
fn a_finding_names_fields_and_who_unless_its_cause_does() {
    let field = |path: &str| FieldChange { path: path.into(), before: None, after: None };
    let mut told = found(Class::ApplyConflict, "a", person());
    told.fields = vec![field("data.x"), field("data.y"), field("data.z")];
    told.who = Some("kubectl-edit".into());
    assert_eq!(
        told.to_string(),
        "ConfigMap shop/a: apply conflict, data.x, data.y and 1 more: so it is (kubectl-edit)"
    );
    told.cause = "`kubectl-edit` has set data.x".into();
    assert_eq!(told.to_string(), "ConfigMap shop/a: apply conflict: `kubectl-edit` has set data.x");
    assert_eq!(problem(&told).field.as_deref(), Some("data.x"));
    assert_eq!(problem(&told).cause, "apply conflict: `kubectl-edit` has set data.x");
}

#[test]
fn what_is_unpredictable_for_the_same_reason_is_one_entry() {
    let unknown = |name: &str, because: &str| {
        written(name, Operation::Create, Verdict::Unpredictable { because: because.into() })
    };
    let objects = vec![unknown("a", "x"), unknown("b", "y"), unknown("c", "x"), unknown("d", "x"), unknown("e", "x")];
    let rehearsed = rehearsed(objects, vec![]);
    let told: Vec<String> = entries(&rehearsed, About::Unpredictable).into_iter().map(|entry| entry.text).collect();
    assert_eq!(told, ["ConfigMap shop/a, ConfigMap shop/c, ConfigMap shop/d and 1 more: x", "ConfigMap shop/b: y"]);
}

#[test]
fn a_command_that_saw_the_refusals_is_not_told_twice() {
    let problem = |object: &str| Problem { object: object.into(), field: None, cause: "no".into(), remedy: None };
    let mut rehearsed = rehearsed(vec![refused("r")], vec![found(Class::Quota, "r", person())]);
    rehearsed.end = CommandEnd { exit_code: 1, problems: vec![problem("ConfigMap r"), problem("hook")] };
    assert_eq!(entries(&rehearsed, About::End).len(), 2);
    rehearsed.mode = Mode::AsHelm;
    let told = entries(&rehearsed, About::End);
    assert_eq!(told.iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>(), ["hook: no"]);
}

#[test]
fn what_is_destroyed_must_be_named() {
    let mut crd = found(Class::DataLoss, "things.example.com", person());
    crd.object = ObjectRef { namespace: None, ..named("CustomResourceDefinition", "things.example.com") };
    let findings = vec![
        found(Class::ForeignDeletion, "a", person()),
        found(Class::Quota, "b", person()),
        found(Class::DataLoss, "a", person()),
        crd,
    ];
    assert_eq!(
        consent(&findings),
        [
            "`--delete configmap/shop/a`: deletion of what another owns, so it is; loss of data, so it is",
            "`--delete customresourcedefinition/things.example.com`: loss of data, so it is",
        ]
    );
}

fn change(before: &str, after: &str) -> FieldChange {
    FieldChange { path: "data.x".into(), before: Some(json!(before)), after: Some(json!(after)) }
}

#[test]
fn of_long_texts_the_lines_that_differ_are_kept() {
    let told = |before: &str, after: &str| values(&change(before, after));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told("a\nb\nc", "a\nx\nc"), (some(r#"line 2: "b""#), some(r#"line 2: "x""#)));
    assert_eq!(told("a\nc", "a\nb\nb\nc"), (None, some(r#"lines 2-3: "b\nb""#)));
    assert_eq!(told("a\na", "a"), (some(r#"line 2: "a""#), None));
    assert_eq!(told("a", "b"), (some(r#""a""#), some(r#""b""#)));
    let absent = FieldChange { before: None, ..change("", "x\ny") };
    assert_eq!(values(&absent), (None, some(r#""x\ny""#)));
}

fn any_objects() -> impl Strategy<Value = Vec<RehearsedObject>> {
    let operation = prop::sample::select(vec![
        Operation::Unchanged,
        Operation::Create,
        Operation::Change,
        Operation::Replace,
        Operation::Delete,
        Operation::Pass,
    ]);
    let verdict = prop_oneof![
        Just(Verdict::Accepted),
        Just(Verdict::Refused),
        Just(Verdict::Unpredictable { because: "x".into() })
    ];
    prop::collection::vec((operation, verdict), 0..20).prop_map(|kinds| {
        let named = |(n, (operation, verdict))| written(&format!("c{n}"), operation, verdict);
        kinds.into_iter().enumerate().map(named).collect()
    })
}

proptest! {
    #[test]
    fn every_object_is_counted_once(objects in any_objects(), found_of in prop::collection::btree_set(0..30_usize, 0..4)) {
        let findings = found_of.iter().map(|n| found(Class::Quota, &format!("c{n}"), person())).collect();
        let rehearsed = rehearsed(objects, findings);
        let counted: usize = rehearsed.counts().iter().map(|(_, count)| count).sum();
        prop_assert_eq!(counted, rehearsed.total());
        let refused = rehearsed.counts().iter().find(|(heading, _)| *heading == Heading::Refused).map_or(0, |(_, n)| *n);
        prop_assert_eq!(refused, rehearsed.refused().len());
        prop_assert_eq!(entries(&rehearsed, About::Refused).len(), refused);
    }

    #[test]
    fn a_bad_headline_and_only_a_bad_one_has_something_that_needs_a_person(objects in any_objects(),
        classes in prop::collection::vec((prop::sample::select(Class::ALL.to_vec()), any::<bool>()), 0..5), exit_code in 0..2) {
        let findings = classes.iter().enumerate().map(|(n, (class, is_cured))| {
            let is_cured = *is_cured && *class == Class::ImmutableField;
            found(*class, &format!("c{n}"), if is_cured { removed() } else { person() })
        });
        let rehearsed = Rehearsed { end: CommandEnd { exit_code, problems: vec![] }, ..rehearsed(objects, findings.collect()) };
        let needs = About::ALL.into_iter().any(|about| entries(&rehearsed, about).iter().any(|entry| entry.needs_a_person));
        prop_assert_eq!(headline(&rehearsed).0 == Tone::Bad, needs);
    }

    #[test]
    fn the_lines_that_differ_make_the_difference(before in "[ab\\n]{0,12}", after in "[ab\\n]{0,12}") {
        let (old, new) = values(&change(&before, &after));
        prop_assert_eq!(old == new, before == after);
    }
}
