//! Saved facts stay readable: a sample of each format is kept.

use std::path::Path;

use helm_csghub::domain::facts::{FACTS_FORMAT, Facts};
use helm_csghub::domain::preflight::{ALL, run_all};

use serde_json::Value;

use crate::scenario::{read_json, root};

/// Tells whether `new` says all that `old` says; it may have fields that are younger.
fn holds(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| holds(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| holds(new, old))
        }
        (new, old) => new == old,
    }
}

#[test]
fn facts_of_format_1_keep_loading_and_lose_nothing() {
    let saved = read_json(&root().join("facts-format-1.json"));
    let facts: Facts = serde_json::from_value(saved.clone()).expect("format 1 loads");
    assert_eq!(facts.format, 1);
    let saved_again = serde_json::to_value(&facts).expect("serialises");
    assert!(holds(&saved_again, &saved), "lost: {saved}\nkept: {saved_again}");
    let findings = run_all(&facts, &[]).expect("no waiver, no error");
    assert_eq!(findings.len(), ALL.len());
}

#[test]
fn there_is_a_sample_of_every_format_so_far() {
    for format in 1..=FACTS_FORMAT {
        let name = format!("facts-format-{format}.json");
        assert!(Path::new(&root()).join(&name).exists(), "{name}");
    }
}

#[test]
fn the_sample_shows_every_variant_and_every_optional_field() {
    let saved = read_json(&root().join("facts-format-1.json")).to_string();
    for word in [
        "\"deployed\"",
        "superseded",
        "\"failed\"",
        "uninstalled",
        "uninstalling",
        "pending-install",
        "pending-upgrade",
        "pending-rollback",
        "\"unknown\"",
        "could-not-tell",
        "\"known\":null",
        "\"current\"",
        "in-progress",
        "terminating",
        "not-found",
        "waiting_for",
        "helm_owner",
        "gitops_owner",
        "target_hook",
        "may_change_data",
        "appVersion",
        "kubeVersion",
        "\"configmap\"",
    ] {
        assert!(saved.contains(word), "the sample does not show {word}");
    }
}
