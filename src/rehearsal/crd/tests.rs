//! A real server's verdicts, replayed. They were recorded by `tests/cluster/crd_check.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::domain::manifest;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rehearsal/crds")
}

fn objects(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("a fixture");
    manifest::parse(&text).expect("YAML").into_iter().map(crate::domain::object::Object::into_value).collect()
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = (fs::read_dir(folder()).expect("fixtures"))
        .filter_map(|entry| Some(entry.expect("an entry").file_name().to_str()?.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    names
}

fn definition(name: &str) -> Definition {
    Definition::read(&objects(name)[0]).expect("a definition")
}

/// Puts a defect into an object as the recording did.
fn spoil(object: &mut Value, defect: &Value) {
    let Some((parent, last)) = defect["at"].as_str().and_then(|at| at.rsplit_once('/')) else { return };
    let key = last.replace("~1", "/").replace("~0", "~");
    let drops = defect["drop"] == true;
    match object.pointer_mut(parent).expect("the parent is there") {
        Value::Object(fields) if drops => drop(fields.shift_remove(&key)),
        Value::Object(fields) => drop(fields.insert(key, defect["put"].clone())),
        Value::Array(items) => {
            let index: usize = key.parse().expect("an index");
            if drops {
                items.remove(index);
            } else if index < items.len() {
                items[index] = defect["put"].clone();
            } else {
                items.push(defect["put"].clone());
            }
        }
        other => panic!("{other} has no parts"),
    }
}

fn told(checked: &Checked) -> BTreeSet<(String, String)> {
    let field =
        |finding: &Finding| finding.fields.first().map_or_else(|| NO_FIELD.to_owned(), |field| field.path.clone());
    checked.findings.iter().map(|finding| (field(finding), finding.cause.clone())).collect()
}

#[test]
fn what_the_server_said_of_every_recorded_object_is_said_here_too() {
    let (mut accepted, mut refused, mut unpredictable) = (0, 0, 0);
    for name in names() {
        let objects = objects(&name);
        let definition = definition(&name);
        let recorded = fs::read_to_string(folder().join(format!("{name}.verdicts.jsonl"))).expect("verdicts");
        for line in recorded.lines() {
            let verdict: Value = serde_json::from_str(line).expect("JSON");
            let seed = usize::try_from(verdict["seed"].as_u64().expect("a number")).expect("small");
            let mut object = objects[seed + 1].clone();
            spoil(&mut object, &verdict["defect"]);
            let checked = definition.check(&object, None);
            let is_accepted = verdict["status"].as_u64().expect("a status") < 300;
            if !checked.unpredictable.is_empty() {
                unpredictable += 1;
                assert!(checked.findings.is_empty() || !is_accepted, "{name}: {line}\n{checked:?}");
                continue;
            }
            assert_eq!(checked.findings.is_empty(), is_accepted, "{name}: {line}\n{checked:?}");
            let texts = |value: &Value| -> BTreeSet<String> { serde_json::from_value(value.clone()).expect("texts") };
            if verdict["status"] != 400 {
                let unknown: BTreeSet<String> = checked.unknown_fields.iter().cloned().collect();
                assert_eq!(unknown, texts(&verdict["unknown"]), "{name}: {line}");
            }
            if verdict["status"] == 422 {
                let causes: BTreeSet<(String, String)> =
                    serde_json::from_value(verdict["causes"].clone()).expect("pairs");
                assert_eq!(told(&checked), causes, "{name}: {line}");
            }
            if is_accepted {
                accepted += 1;
                assert_eq!(checked.defaulted["spec"], verdict["stored"]["spec"], "{name}: {line}");
            } else {
                refused += 1;
            }
        }
    }
    assert!(accepted > 150 && refused > 300, "{accepted} accepted, {refused} refused, {unpredictable} unpredictable");
}

#[test]
fn a_definition_is_read_as_it_is_written() {
    let scalable = definition("subresources");
    assert_eq!((scalable.group.as_str(), scalable.is_namespaced), ("fixtures.example.com", false));
    assert_eq!((scalable.names.singular.as_str(), scalable.names.list_kind.as_str()), ("scalable", "ScalableList"));
    assert!(
        scalable.served("v1").is_some_and(|version| version.is_storage && version.has_status && version.has_scale())
    );
    assert!(scalable.served("v1alpha1").is_none());
}

#[test]
fn what_is_no_definition_is_refused() {
    let mut crd = objects("numbers").remove(0);
    crd["spec"]["preserveUnknownFields"] = true.into();
    assert!(matches!(Definition::read(&crd), Err(NotADefinition::PreservesUnknownFields)));
    assert!(matches!(Definition::read(&json!({"kind": "Pod"})), Err(NotADefinition::OtherKind(_))));
    crd["spec"] = json!({});
    assert!(matches!(Definition::read(&crd), Err(NotADefinition::Unreadable(_))));
}

#[test]
fn a_version_that_is_not_served_has_no_such_kind() {
    let mut object = objects("subresources").remove(1);
    object["apiVersion"] = "fixtures.example.com/v1alpha1".into();
    let checked = definition("subresources").check(&object, None);
    assert_eq!(checked.findings.len(), 1);
    assert_eq!(checked.findings[0].class, Class::MissingKind);
}

#[test]
fn a_pattern_that_is_not_understood_is_unpredictable_also_where_it_must_not_match() {
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {
        "group": "example.com", "scope": "Cluster", "names": {"kind": "A", "plural": "as"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "a": {"type": "string", "pattern": r"\C"}, "b": {"type": "string", "not": {"pattern": r"\C"}}}}}}]}});
    let definition = Definition::read(&crd).expect("a definition");
    for field in ["a", "b"] {
        let object = json!({"apiVersion": "example.com/v1", "kind": "A", "metadata": {"name": "a"}, field: "x"});
        let checked = definition.check(&object, None);
        assert!(checked.findings.is_empty(), "{:?}", checked.findings);
        assert_eq!(checked.unpredictable.len(), 1, "{field}");
    }
}
