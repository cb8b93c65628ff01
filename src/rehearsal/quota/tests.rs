use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::rehearsal::refusal::{Refusal, RefusedWrite, classify};
use crate::rehearsal::write::Act;

/// Writes that were made one after the other on Kubernetes 1.36, a moment apart after each deletion.
#[derive(Debug, Deserialize)]
struct Scenario {
    what: String,
    quotas: Vec<Value>,
    writes: Vec<Written>,
}

#[derive(Debug, Deserialize)]
struct Written {
    what: String,
    object: ObjectRef,
    plural: String,
    before: Option<Value>,
    after: Option<Value>,
    code: u16,
    #[serde(default)]
    status: Value,
}

impl Written {
    fn enter(&self, ledger: &mut Ledger) -> Ruling {
        ledger.enter(&Change {
            object: &self.object,
            plural: &self.plural,
            before: self.before.as_ref(),
            after: self.after.as_ref(),
        })
    }
}

fn scenarios() -> Vec<Scenario> {
    serde_json::from_str(include_str!("../../../tests/fixtures/rehearsal/quotas.json"))
        .expect("the scenarios can be read")
}

/// Those that fit because something was given back before.
const HANGS_ON_A_DELETION: [&str; 3] =
    ["its place is taken, a moment later", "takes one of them", "its place is taken"];

#[test]
fn the_ledger_says_of_every_write_what_the_server_really_did() {
    let mut count = 0;
    for scenario in scenarios() {
        let mut ledger = Ledger::new(&scenario.quotas);
        for written in &scenario.writes {
            let ruling = written.enter(&mut ledger);
            let place = format!("{}: {}: {ruling:?}", scenario.what, written.what);
            if written.code < 400 {
                let hangs = HANGS_ON_A_DELETION.contains(&written.what.as_str());
                assert_eq!(matches!(ruling, Ruling::Unpredictable { .. }), hangs, "{place}");
                assert_eq!(ruling == Ruling::Fits, !hangs, "{place}");
                continue;
            }
            count += 1;
            let Ruling::Findings(found) = ruling else { panic!("{place}") };
            let write = RefusedWrite {
                object: &written.object,
                act: Act::Create,
                code: written.code,
                status: &written.status,
                live: None,
                desired: None,
            };
            let Refusal::Findings(said) = classify(&write) else { panic!("{place}") };
            // The server stops at the first quota that is exceeded.
            assert!(found.contains(&said[0]), "{place} {said:?}");
        }
    }
    assert!(count >= 14, "{count}");
}

fn secret(name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".into(), kind: "Secret".into(), namespace: Some("shop".into()), name: name.into() }
}

fn quota(hard: &str, used: Option<&str>) -> Value {
    let used = used.map_or_else(|| json!({}), |used| json!({"secrets": used}));
    json!({"metadata": {"name": "q", "namespace": "shop"}, "status": {"hard": {"secrets": hard}, "used": used}})
}

fn create(ledger: &mut Ledger, object: &ObjectRef) -> Ruling {
    ledger.enter(&Change { object, plural: "secrets", before: None, after: Some(&json!({})) })
}

fn delete(ledger: &mut Ledger, object: &ObjectRef) -> Ruling {
    ledger.enter(&Change { object, plural: "secrets", before: Some(&json!({})), after: None })
}

#[test]
fn the_first_write_over_the_limit_is_named_though_each_fits_alone() {
    let mut ledger = Ledger::new(&[quota("3", Some("1"))]);
    assert_eq!(create(&mut ledger, &secret("a")), Ruling::Fits);
    assert_eq!(create(&mut ledger, &secret("sh.helm.release.v1.shop.v2")), Ruling::Fits);
    let Ruling::Findings(findings) = create(&mut ledger, &secret("c")) else { panic!("over") };
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].cause, "quota `q` is exceeded: secrets: 1 more, 3 of 3 used");
    assert_eq!((findings[0].who.as_deref(), findings[0].object.name.as_str()), (Some("q"), "c"));
}

#[test]
fn what_hangs_on_a_deletion_is_unpredictable_and_what_does_not_is_certain() {
    let mut ledger = Ledger::new(&[quota("2", Some("2"))]);
    assert_eq!(delete(&mut ledger, &secret("a")), Ruling::Fits);
    assert!(matches!(create(&mut ledger, &secret("b")), Ruling::Unpredictable { .. }));
    assert!(matches!(create(&mut ledger, &secret("c")), Ruling::Findings(_)));

    let mut ledger = Ledger::new(&[quota("2", Some("1"))]);
    assert_eq!(delete(&mut ledger, &secret("a")), Ruling::Fits);
    assert_eq!(create(&mut ledger, &secret("b")), Ruling::Fits);
}

#[test]
fn a_quota_is_about_its_own_namespace_and_is_counted_first() {
    let elsewhere = ObjectRef { namespace: Some("other".into()), ..secret("a") };
    let mut ledger = Ledger::new(&[quota("0", Some("0"))]);
    assert_eq!(create(&mut ledger, &elsewhere), Ruling::Fits);
    assert!(matches!(create(&mut ledger, &secret("a")), Ruling::Findings(_)));
    let mut ledger = Ledger::new(&[quota("5", None)]);
    assert!(matches!(create(&mut ledger, &secret("a")), Ruling::Unpredictable { .. }));
    assert_eq!(delete(&mut ledger, &secret("a")), Ruling::Fits);
}

proptest! {
    /// Whatever the order: nothing certain is ever said that the controller's pace could make wrong.
    #[test]
    fn certain_answers_hold_however_slow_the_controller_is(hard in 0_i64..6, used in 0_i64..6, writes in prop::collection::vec(any::<bool>(), 0..24)) {
        let mut ledger = Ledger::new(&[quota(&hard.to_string(), Some(&used.to_string()))]);
        // The least and the most that the controller may have counted.
        let (mut least, mut most) = (used, used);
        for is_create in writes {
            if is_create {
                match create(&mut ledger, &secret("x")) {
                    Ruling::Fits => prop_assert!(most < hard),
                    Ruling::Findings(_) => {
                        prop_assert!(least >= hard);
                        continue;
                    }
                    Ruling::Unpredictable { .. } => prop_assert!(least < hard && most >= hard),
                }
                least += 1;
                most += 1;
            } else {
                prop_assert_eq!(delete(&mut ledger, &secret("x")), Ruling::Fits);
                least -= 1;
            }
        }
    }
}
