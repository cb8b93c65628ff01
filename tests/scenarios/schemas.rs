//! `schemas/`: what is committed is what the types say, and what is written keeps to it.

use std::fs;
use std::path::Path;

use helm_csghub::domain::plan::saved::SavedPlan;
use helm_csghub::domain::plan::{Plan, explain};
use helm_csghub::domain::profile;
use helm_csghub::domain::rehearsed::Rehearsed;
use helm_csghub::domain::report::{ExitStatus, RunReport};
use helm_csghub::domain::schema::schemas;
use helm_csghub::domain::yaml;
use helm_csghub::edge::terminal::View;
use serde_json::{Value, json};

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for (name, schema) in schemas() {
        let generated = format!("{schema:#}\n");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::create_dir_all(&folder).expect("the folder can be made");
            fs::write(folder.join(name), &generated).expect("the schema can be written");
        }
        let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(committed == generated, "schemas/{name} is not what the types say; UPDATE_EXPECT=1 writes it");
    }
}

#[test]
fn every_field_of_a_schema_is_described() {
    for (name, schema) in schemas() {
        let mut undescribed = Vec::new();
        each_property(&schema, &mut |field, property| {
            if property.get("description").is_none() && property.get("const").is_none() {
                undescribed.push(field.to_owned());
            }
        });
        assert!(undescribed.is_empty(), "{name}: {undescribed:?}");
        assert!(!schema.to_string().contains("[`"), "{name}: a link of our documentation");
    }
}

fn each_property(schema: &Value, see: &mut impl FnMut(&str, &Value)) {
    for (key, inner) in schema.as_object().into_iter().flatten() {
        if key == "properties" {
            for (field, property) in inner.as_object().expect("properties are a mapping") {
                see(field, property);
            }
        }
        each_property(inner, see);
    }
    schema.as_array().into_iter().flatten().for_each(|inner| each_property(inner, see));
}

/// A rehearsal with every field, and every form of what has several.
fn rehearsal() -> Value {
    let object = |kind: &str| json!({"api_version": "v1", "kind": kind, "namespace": "shop", "name": "a"});
    let entry = |operation: &str, verdict: Value| {
        json!({"object": object("ConfigMap"), "operation": operation, "verdict": verdict, "is_hook": true,
            "changes": [{"path": "data.a", "before": null, "after": {"b": [1, "c", 2.5]}}], "restarts_pods": false})
    };
    json!({
        "format": 1, "subject": "The upgrade", "mode": "as-helm",
        "objects": [
            entry("create", json!({"kind": "accepted"})),
            entry("pass", json!({"kind": "refused"})),
            entry("unchanged", json!({"kind": "unpredictable", "because": "nobody knows"})),
        ],
        "findings": [
            {"class": "immutable-field", "object": object("Job"), "fields": [{"path": "spec.template"}], "who": "helm",
                "cause": "it cannot be changed", "remedy": {"kind": "remove-finished-job", "uid": "1"}},
            {"class": "data-loss", "object": {"api_version": "v1", "kind": "Namespace", "name": "shop"}, "cause": "all goes",
                "remedy": {"kind": "person", "text": "keep it"}},
        ],
        "denied": ["POST pods/exec"],
        "end": {"exit_code": 1, "problems": [{"object": "o", "field": "f", "cause": "c", "remedy": "r"}]},
    })
}

fn schema(name: &str) -> Value {
    schemas().into_iter().find(|(of, _)| *of == name).expect("a schema of that name").1
}

#[test]
fn the_document_of_a_rehearsal_keeps_to_its_schema() {
    let schema = schema("rehearsal.json");
    let rehearsed: Rehearsed = serde_json::from_value(rehearsal()).expect("a rehearsal");
    let document = View::Rehearsal(&rehearsed).document().expect("plain data");
    assert_eq!(document["objects"].as_array().map(Vec::len), Some(3));
    assert_eq!(validate(&schema, &schema, &document), Ok(()));
    let least = json!({"format": 1, "mode": "all", "objects": [], "findings": [], "end": {"exit_code": 0}});
    let least: Rehearsed = serde_json::from_value(least).expect("a rehearsal");
    assert_eq!(validate(&schema, &schema, &View::Rehearsal(&least).document().expect("plain data")), Ok(()));
}

fn plan() -> Value {
    let object = json!({"api_version": "batch/v1", "kind": "Job", "namespace": "shop", "name": "init"});
    let step = |action: Value, undo: Value| json!({"id": "a", "action": action, "because": "b", "undo": undo});
    json!({
        "format": 1, "release": "shop", "namespace": "shop", "newest_revision": 3, "title": "shop 1 -> 2", "warnings": ["w"],
        "steps": [
            step(json!({"kind": "remove-job", "object": object, "uid": "1"}), json!({"kind": "leave", "because": "c"})),
            step(
                json!({"kind": "helm-upgrade", "from_revision": 3, "to_revision": 4}),
                json!({"kind": "helm-rollback", "revision": 3, "remove": [object], "keep": [], "data_effects": []}),
            ),
            step(json!({"kind": "helm-install"}), json!({"kind": "helm-uninstall", "remove": [], "keep": [], "data_effects": []})),
            step(json!({"kind": "verify", "timeout_secs": 60}), json!({"kind": "not-needed"})),
        ],
        "before": [{"object": object, "digest": "sha256:0", "is_owned": true, "is_hook": false}],
    })
}

#[test]
fn the_document_of_a_plan_keeps_to_its_schema() {
    let schema = schema("plan.json");
    let read: Plan = serde_json::from_value(plan()).expect("a plan");
    let rehearsed: Rehearsed = serde_json::from_value(rehearsal()).expect("a rehearsal");
    for rehearsed in [None, Some(&rehearsed)] {
        let view = explain::view(&read, rehearsed);
        assert_eq!(validate(&schema, &schema, &View::Plan(&view).document().expect("plain data")), Ok(()));
    }
}

#[test]
fn a_saved_plan_keeps_to_its_schema() {
    let schema = schema("saved-plan.json");
    let object = json!({"api_version": "batch/v1", "kind": "Job", "namespace": "shop", "name": "init"});
    let state =
        json!({"uid": "1", "resource_version": "7", "digest": "sha256:0", "fields": {"spec.suspend": "sha256:1"}});
    let saved = json!({
        "format": 1, "made_at": "2026-01-01T00:00:00Z", "run_id": "20260101-000000-abcd",
        "bound": {
            "release": "shop", "namespace": "shop", "cluster": {"server": "https://c.example", "uid": "2", "authority": "sha256:2"},
            "helm": "v4.3.1", "newest": {"revision": 3, "resource_version": "9"}, "chart": "shop-2.0.0",
            "chart_digest": "sha256:3", "values_digest": "sha256:4", "flags": ["--wait"], "flags_digest": "sha256:5",
        },
        "objects": [{"object": object, "state": state}, {"object": object}],
        "rendered": [{"object": object, "digest": "sha256:6"}],
        "plan": plan(),
        "rehearsal": rehearsal(),
    });
    let read: SavedPlan = serde_json::from_value(saved).expect("a saved plan");
    assert_eq!(validate(&schema, &schema, &serde_json::to_value(&read).expect("plain data")), Ok(()));
}

#[test]
fn the_report_of_a_run_keeps_to_its_schema() {
    let object = json!({"api_version": "batch/v1", "kind": "Job", "namespace": "shop", "name": "init"});
    let report_schema = schema("report.json");
    for exit in ExitStatus::ALL {
        let report = json!({
            "format": 1, "release": "shop", "namespace": "shop", "exit": exit, "headline": "h", "to_do": ["t"], "is_open": true,
            "problems": [{"object": "o", "cause": "c"}], "left_behind": [{"object": object, "fate": "kept", "because": "b"}],
            "findings": [{"check": "a", "outcome": "fail", "found": "f", "fix": "x"}],
        });
        let read: RunReport = serde_json::from_value(report).expect("a report");
        let document = View::Report(&read).document().expect("plain data");
        assert_eq!(validate(&report_schema, &report_schema, &document), Ok(()));
    }
}

#[test]
fn a_document_that_breaks_the_schema_is_found_out() {
    let schema = schema("rehearsal.json");
    for (pointer, value) in [
        ("/format", json!("1")),
        ("/format", json!(2)),
        ("/mode", json!("some")),
        ("/objects/0/operation", json!("vanish")),
        ("/objects/0/object/kind", json!(null)),
        ("/objects/2/verdict", json!({"kind": "unpredictable"})),
        ("/findings/0/class", json!("bad-luck")),
        ("/findings/1/remedy", json!({"kind": "hope"})),
        ("/end", json!({})),
        ("/denied", json!("all")),
    ] {
        let mut document = rehearsal();
        *document.pointer_mut(pointer).expect("a field of the sample") = value;
        assert!(validate(&schema, &schema, &document).is_err(), "{pointer}");
    }
}

/// Returns what a profile's text says, as an editor reads it for the schema.
fn document(text: &str) -> Value {
    yaml::parse_mapping(text).expect("YAML").into()
}

/// Returns every profile of ours with its name.
fn profiles() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let below =
        |folder: &str| fs::read_dir(root.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files = vec![root.join("examples/profile.yaml")];
    files.extend(below("src/profiles"));
    files.extend(below("tests/postrender").map(|scenario| scenario.join("profile.yaml")));
    let mut found: Vec<_> = files.iter().map(|path| (path.display().to_string(), read(path))).collect();
    let page = read(&root.join("docs/post-render.md"));
    let (_, sample) = page.split_once("```yaml\n").expect("a profile");
    found.push(("docs/post-render.md".to_owned(), sample.split("```").next().unwrap_or_default().to_owned()));
    found
}

#[test]
fn every_profile_keeps_to_its_schema() {
    let schema = schema("profile.json");
    let profiles = profiles();
    assert!(profiles.len() > 40, "the profiles were not found");
    for (name, text) in profiles {
        assert_eq!(profile::parse(&text).err(), None, "{name}");
        assert_eq!(validate(&schema, &schema, &document(&text)), Ok(()), "{name}");
    }
}

#[test]
fn a_broken_profile_is_found_out_by_the_schema_and_by_the_check() {
    let whole = "format: 1
name: shop
charts: [shop]
post-render:
  - name: team
    because: the bill goes by this label
    select: {kinds: [Service], names: ['a*'], labels: {tier: front}, record-over: 1000}
    changes:
      - set-labels: {team: ml}
      - set: {path: spec.type, value: NodePort}
      - add-items: {path: spec.ports, key: name, items: [{name: a}]}
      - remove-items: {path: spec.ports, key: name, values: [b]}
      - take-claim: {of: data, take: other}
      - add-document: {apiVersion: v1, kind: ConfigMap, metadata: {name: note}}
      - keep
";
    let schema = schema("profile.json");
    assert_eq!(profile::parse(whole).err(), None);
    assert_eq!(validate(&schema, &schema, &document(whole)), Ok(()));
    for (one, other) in [
        ("charts:", "chart:"),
        ("because:", "becuase:"),
        ("names:", "name:"),
        ("- set-labels:", "- set-label:"),
        ("value: NodePort", "value: NodePort, to: a"),
        ("- keep", "- kept"),
        ("name: shop\n", ""),
        ("format: 1\n", ""),
        ("  - name: team\n    because", "  - because"),
        ("    because: the bill goes by this label\n", ""),
        ("path: spec.type, ", ""),
        ("take: other", "because: other"),
        ("format: 1", "format: 2"),
        ("format: 1", "format: '1'"),
        ("name: shop", "name: 5"),
        ("[shop]", "shop"),
        ("[Service]", "Service"),
        ("{team: ml}", "{team: 5}"),
        ("{team: ml}", "[team]"),
        ("value: NodePort", "value: [a]"),
        ("record-over: 1000", "record-over: -1"),
        ("record-over: 1000", "record-over: many"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: note}}", "note"),
        ("record-over: 1000", "record-over: '1000'"),
        ("record-over: 1000", "record-over: 10.5"),
        ("- keep", "- {keep: true}"),
        ("- keep", "- {keep: {}}"),
        ("select: {kinds: [Service], names: ['a*'], labels: {tier: front}, record-over: 1000}", "select: []"),
        ("{team: ml}", "{team: }"),
        ("labels: {tier: front}", "labels: {tier: 5}"),
    ] {
        let broken = whole.replacen(one, other, 1);
        assert!(broken != whole, "{one}");
        assert!(profile::parse(&broken).is_err(), "the check takes `{other}` for `{one}`");
        assert!(validate(&schema, &schema, &document(&broken)).is_err(), "the schema takes `{other}` for `{one}`");
    }
}

/// Validates by the keywords that our schemas have; any other is an error, so that none is passed over.
///
/// Source: JSON Schema draft 2020-12, Validation sections 6 and 7, Core section 10.
fn validate(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return if *schema == json!(true) { Ok(()) } else { Err(format!("nothing is allowed: {value}")) };
    };
    for (keyword, rule) in keywords {
        let list = || rule.as_array().into_iter().flatten();
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => true,
            "$ref" => {
                let pointer = rule.as_str().and_then(|path| path.strip_prefix('#')).expect("a reference within");
                validate(root, root.pointer(pointer).expect("what is referred to"), value)?;
                true
            }
            "type" => match rule {
                Value::String(name) => is_of_type(name, value),
                _ => list().any(|name| is_of_type(name.as_str().expect("a type's name"), value)),
            },
            "const" => rule == value,
            "enum" => list().any(|allowed| allowed == value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().expect("a number")),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().expect("a number")),
            "oneOf" => list().filter(|one| validate(root, one, value).is_ok()).count() == 1,
            "anyOf" => list().any(|one| validate(root, one, value).is_ok()),
            "required" => list().all(|field| value.get(field.as_str().expect("a field's name")).is_some()),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    validate(root, rule, item)?;
                }
                true
            }
            "properties" => {
                for (field, property) in rule.as_object().into_iter().flatten() {
                    if let Some(inner) = value.get(field) {
                        validate(root, property, inner)?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let is_known = |field: &str| keywords.get("properties").is_some_and(|known| known.get(field).is_some());
                for (_, inner) in value.as_object().into_iter().flatten().filter(|(field, _)| !is_known(field)) {
                    validate(root, rule, inner)?;
                }
                true
            }
            other => panic!("the schemas have a new keyword: {other}"),
        };
        if !holds {
            return Err(format!("{keyword} {rule} does not hold for {value}"));
        }
    }
    Ok(())
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type of JSON: {other}"),
    }
}
