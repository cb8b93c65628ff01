//! The corpus in `tests/fixtures/rehearsal/strategic`: what the API server's own code makes of each patch.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::Value;

use super::{Schema, apply};
use crate::domain::content;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    api_version: String,
    kind: String,
    /// How the patch was made.
    how: String,
    original: Value,
    patch: Value,
    /// Absent if it is refused.
    result: Option<Value>,
}

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/fixtures/rehearsal/strategic/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).expect("the fixture can be read")
}

#[test]
fn a_strategic_merge_patch_gives_what_the_servers_own_code_gives() {
    let openapi: Value = serde_json::from_str(&fixture("openapi.json")).expect("JSON");
    let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
    let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (number, line) in fixture("cases.jsonl").lines().enumerate() {
        let case: Case = serde_json::from_str(line).expect("a case");
        let (group, version) = case.api_version.rsplit_once('/').unwrap_or(("", &case.api_version));
        let schema = schemas.entry(case.kind.clone()).or_insert_with(|| {
            Schema::find(&openapi, group, version, &case.kind).expect("the schema of every kind is there")
        });
        let patch = case.patch.to_string();
        let ours = apply("application/strategic-merge-patch+json", &case.original, patch.as_bytes(), Some(schema));
        if ours.as_ref().ok() != case.result.as_ref() {
            let told = match (&ours, &case.result) {
                (Ok(ours), Some(result)) => content::differences(result, ours).join(", "),
                (Ok(_), None) => "it should be refused".to_owned(),
                (Err(error), _) => error.to_string(),
            };
            wrong.push(format!("line {}, {} {}: {told}", number + 1, case.kind, case.how));
        }
        *counts.entry((case.kind, case.result.is_some())).or_default() += 1;
    }
    wrong.truncate(20);
    assert!(wrong.is_empty(), "these differ:\n{}", wrong.join("\n"));
    for kind in
        ["Deployment", "StatefulSet", "Job", "Pod", "Service", "ConfigMap", "Secret", "ServiceAccount", "Ingress"]
    {
        assert!(counts.contains_key(&(kind.to_owned(), true)), "no case of {kind} is applied: {counts:?}");
    }
    assert!(counts.keys().any(|(_, is_applied)| !is_applied), "no case is refused: {counts:?}");
}
