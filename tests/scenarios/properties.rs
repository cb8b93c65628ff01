//! What holds whatever the facts say.

use helm_csghub::domain::facts::Facts;
use helm_csghub::domain::preflight::{ALL, Finding, Outcome, run_all};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::scenario::{read_json, root};

/// A finding's text is shorter than this, however many objects there are.
const TEXT_LIMIT_CHARS: usize = 3_000;

/// One change to a JSON document: where (counted over all its nodes), and to what.
#[derive(Debug, Clone)]
struct Mutation {
    node: prop::sample::Index,
    text: String,
    number: u64,
    times: usize,
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let text = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "",
            "v",
            "1.2",
            "v1.2.3",
            "0.0.0-0",
            "99999999999999999999.0.0",
            "4.3.1+build",
            "*",
            ">=1",
            "prod",
            "shop",
            "a/b/c",
            "/",
            "--no-hooks=true",
            "2026-03-01T10:00:00Z",
            "-262143-01-01T00:00:00Z",
            "failed",
            "superseded",
            "unheard-of",
            "\u{1b}[2J\nnext",
        ])
        .prop_map(str::to_owned),
    ];
    let number = prop_oneof![any::<u64>(), 0..5_u64, Just(u64::from(u32::MAX)), Just(1_048_576_u64)];
    (any::<prop::sample::Index>(), text, number, 0..4_usize).prop_map(|(node, text, number, times)| Mutation {
        node,
        text,
        number,
        times,
    })
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found)),
        Value::Array(list) => {
            (0..).zip(list).for_each(|(index, value): (usize, _)| pointers(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

fn repeat(list: &[Value], times: usize) -> Vec<Value> {
    std::iter::repeat_n(list, times).flatten().cloned().collect()
}

fn apply(facts: &mut Value, mutation: &Mutation) {
    let mut places = Vec::new();
    pointers(facts, "", &mut places);
    let Some(node) = facts.pointer_mut(mutation.node.get(&places).as_str()) else { return };
    match node {
        Value::String(text) => mutation.text.clone_into(text),
        Value::Number(_) => *node = json!(mutation.number),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(list) if mutation.times == 0 => list.clear(),
        Value::Array(list) => {
            *list = repeat(list, mutation.times);
            list.reverse();
        }
        Value::Object(map) if map.contains_key("known") => {
            *node = json!({"could-not-tell": {"because": mutation.text}});
        }
        Value::Object(_) | Value::Null => {}
    }
}

fn mutated_facts() -> impl Strategy<Value = Facts> {
    let sources = ["facts-format-1.json", "preflight/base.json"].map(|name| read_json(&root().join(name)));
    (prop::sample::select(sources.to_vec()), prop::collection::vec(mutation(), 1..8)).prop_filter_map(
        "no longer facts",
        |(mut facts, mutations)| {
            for mutation in &mutations {
                apply(&mut facts, mutation);
            }
            serde_json::from_value(facts).ok()
        },
    )
}

fn texts(finding: &Finding) -> Vec<&String> {
    match &finding.outcome {
        Outcome::Warn { found, fix } | Outcome::Fail { found, fix } => vec![found, fix],
        Outcome::Pass { found } => vec![found],
        Outcome::Skip { because } | Outcome::CouldNotTell { because } => vec![because],
    }
}

fn ensure_well_formed(findings: &[Finding]) {
    let ids: Vec<&str> = findings.iter().map(|finding| finding.check.as_str()).collect();
    assert_eq!(ids, ALL.iter().map(|check| check.id).collect::<Vec<_>>());
    for finding in findings {
        for text in texts(finding) {
            assert!(!text.is_empty(), "{}: an empty text", finding.check);
            assert!(!text.chars().any(char::is_control), "{}: not one plain line: {text:?}", finding.check);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_facts_say_every_check_answers_once_and_in_order(facts in mutated_facts()) {
        let findings = run_all(&facts, &[]).expect("no waiver, no error");
        ensure_well_formed(&findings);
        prop_assert_eq!(&findings, &run_all(&facts, &[]).expect("no waiver, no error"));
        let saved = serde_json::to_string(&findings).expect("serialises");
        prop_assert_eq!(findings, serde_json::from_str::<Vec<Finding>>(&saved).expect("loads again"));
    }

    #[test]
    fn facts_are_the_same_after_they_were_saved_and_loaded(facts in mutated_facts()) {
        let saved = serde_json::to_string(&facts).expect("serialises");
        prop_assert_eq!(facts, serde_json::from_str::<Facts>(&saved).expect("loads again"));
    }

    #[test]
    fn without_a_history_or_a_target_the_run_is_always_blocked(mut facts in mutated_facts(), is_history in any::<bool>()) {
        let because = "the server is away".to_owned();
        if is_history {
            facts.history = helm_csghub::domain::facts::Answer::CouldNotTell { because };
        } else {
            facts.target = helm_csghub::domain::facts::Answer::CouldNotTell { because };
        }
        let findings = run_all(&facts, &[]).expect("no waiver, no error");
        prop_assert!(helm_csghub::domain::preflight::is_blocked(&findings));
    }
}

#[test]
fn a_thousand_broken_objects_make_no_wall_of_text() {
    let mut facts = read_json(&root().join("facts-format-1.json"));
    for list in ["/objects", "/rights/known", "/unfinished_runs/known", "/lost_values/known"] {
        let list = facts.pointer_mut(list).and_then(Value::as_array_mut).expect("a list");
        *list = repeat(list, 1_000);
    }
    let facts: Facts = serde_json::from_value(facts).expect("facts");
    let findings = run_all(&facts, &[]).expect("no waiver, no error");
    ensure_well_formed(&findings);
    for finding in &findings {
        for text in texts(finding) {
            assert!(text.chars().count() < TEXT_LIMIT_CHARS, "{}: {} characters", finding.check, text.chars().count());
        }
    }
}
