//! JSON Schema of what programs read, generated from the types: `schemas/` holds these documents.
//!
//! They describe what we write. A reader must pass over fields that it does not know: they may be added to a version.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::plan::saved::{SAVED_PLAN_FORMAT, SavedPlan};
use super::profile::{PROFILE_FORMAT, Profile};
use super::rehearsed::{REHEARSED_FORMAT, Rehearsed};
use super::report::{REPORT_FORMAT, RunReport};
use super::view::PlanView;

/// Returns every schema, with the name of its file in `schemas/`: a profile, the saved plan, and the documents of `-o json` for a plan, for a
/// rehearsal and for the end of a run.
#[must_use]
pub fn schemas() -> [(&'static str, Value); 5] {
    let (mut plan, mut report) = (schema_of::<PlanView>(), schema_of::<RunReport>());
    // What the documents have beyond the values.
    add(&mut plan, "format", json!({}));
    let description = "The process's exit code: the number of `exit`.";
    add(
        &mut report,
        "exit_code",
        json!({ "description": description, "type": "integer", "minimum": 0, "maximum": 255 }),
    );
    [
        ("plan.json", of_version(plan, REPORT_FORMAT)),
        ("profile.json", of_version(profile(), PROFILE_FORMAT)),
        ("rehearsal.json", of_version(schema_of::<Rehearsed>(), REHEARSED_FORMAT)),
        ("report.json", of_version(report, REPORT_FORMAT)),
        ("saved-plan.json", of_version(schema_of::<SavedPlan>(), SAVED_PLAN_FORMAT)),
    ]
}

fn add(schema: &mut Value, field: &str, property: Value) {
    if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.insert(field.to_owned(), property);
    }
    if let Some(required) = schema.pointer_mut("/required").and_then(Value::as_array_mut) {
        required.push(json!(field));
    }
}

fn of_version(mut schema: Value, version: u32) -> Value {
    if let Some(format) = schema.pointer_mut("/properties/format") {
        *format = json!({ "description": "The version of this form.", "const": version });
    }
    schema
}

/// A profile is written by people: what they may leave out is not required, and nothing else is allowed.
fn profile() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(without_links as fn(&mut Schema)))
        .with_transform(RecursiveTransform(describe_only_property as fn(&mut Schema)));
    settings.into_generator().into_root_schema_for::<Profile>().to_value()
}

/// A form of an enum is an object of one property; editors show the description of the property.
fn describe_only_property(schema: &mut Schema) {
    let Some(description) = schema.get("description").cloned() else { return };
    if schema.get("required").and_then(Value::as_array).is_some_and(|required| required.len() == 1)
        && let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
        && properties.len() == 1
        && let Some(property) = properties.values_mut().next().and_then(Value::as_object_mut)
    {
        property.entry("description").or_insert(description);
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(without_links as fn(&mut Schema)));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Links of our documentation mean nothing outside of it, and its lines are broken for the sources.
fn without_links(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace("[`", "`").replace("`]", "`").replace('\n', " ");
    }
}
