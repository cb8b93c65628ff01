//! Kinds that the plan will install appear in what the server says of its kinds, so that Helm goes on.
//!
//! Three forms exist: the aggregated list of `/apis`, its older form, and one page each for a group and for a version of it.
//! Source: `k8s.io/api/apidiscovery/v2`, `k8s.io/apimachinery/pkg/apis/meta/v1` `APIGroup`, `APIResourceList`,
//! `k8s.io/apiextensions-apiserver/pkg/apiserver` `DiscoveryController`.

use std::cmp::Reverse;

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::crd::{Definition, Version};

const OBJECT_VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const PART_VERBS: [&str; 3] = ["get", "patch", "update"];

/// Returns content type and body of the server's answer to GET `path`, with `definitions` added; nothing if the answer can be
/// handed on as it is. The server's answer may be its 404: then the page is made anew, and its status is to be 200.
///
/// What the server has already stays as it is.
#[must_use]
pub fn add(path: &str, content_type: &str, body: &[u8], definitions: &[Definition]) -> Option<(String, Vec<u8>)> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let page: Option<Value> = serde_json::from_slice(body).ok();
    let kind = page.as_ref().and_then(|page| page.get("kind")).and_then(Value::as_str).unwrap_or_default().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (content_type, page) = match (parts.as_slice(), kind.as_str()) {
        (["apis"], "APIGroupDiscoveryList") => (content_type.to_owned(), add_to_aggregated(page?, definitions)?),
        (["apis"], "APIGroupList") => (content_type.to_owned(), add_to_groups(page?, definitions)?),
        (["apis", group], _) => {
            let (content_type, page) = page_or(page, &kind, "APIGroup", content_type, || new_group(group));
            (content_type, add_to_group(page, definitions)?)
        }
        (["apis", group, version], _) => {
            let (content_type, page) = page_or(
                page,
                &kind,
                "APIResourceList",
                content_type,
                || json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{group}/{version}"), "resources": []}),
            );
            (content_type, add_to_resources(page, group, version, definitions)?)
        }
        _ => return None,
    };
    Some((content_type, page.to_string().into_bytes()))
}

fn page_or(
    page: Option<Value>,
    kind: &str,
    wanted: &str,
    content_type: &str,
    new: impl Fn() -> Value,
) -> (String, Value) {
    match page {
        Some(page) if kind == wanted => (content_type.to_owned(), page),
        _ => ("application/json".to_owned(), new()),
    }
}

/// Returns the definitions of a group with each of their served versions.
fn served<'a>(definitions: &'a [Definition], group: &str) -> Vec<(&'a Definition, &'a Version)> {
    let of_group = definitions.iter().filter(|definition| definition.group == group);
    of_group
        .flat_map(|definition| definition.versions.iter().map(move |version| (definition, version)))
        .filter(|(_, version)| version.is_served)
        .collect()
}

/// Returns each group once, in the order in which they come.
fn groups(definitions: &[Definition]) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for definition in definitions {
        if !groups.contains(&definition.group.as_str()) && !served(definitions, &definition.group).is_empty() {
            groups.push(&definition.group);
        }
    }
    groups
}

fn named<'a>(list: &'a mut [Value], at: &str, name: &str) -> Option<&'a mut Value> {
    list.iter_mut().find(|item| item.pointer(at).and_then(Value::as_str) == Some(name))
}

fn list_in<'a>(page: &'a mut Value, field: &str) -> Option<&'a mut Vec<Value>> {
    let fields = page.as_object_mut()?;
    fields.entry(field).or_insert_with(|| json!([])).as_array_mut()
}

/// Puts a version before the first that the server prefers less.
fn insert_version(versions: &mut Vec<Value>, name: &str, version: Value) {
    let comes_later = |other: &Value| {
        other.get("version").and_then(Value::as_str).is_some_and(|other| priority(other) > priority(name))
    };
    let place = versions.iter().position(comes_later).unwrap_or(versions.len());
    versions.insert(place, version);
}

/// Returns what versions are sorted by: v2, v1, v2beta1, v1beta1, v1alpha1, then all others by name.
///
/// Source: `k8s.io/apimachinery/pkg/version` `CompareKubeAwareVersionStrings`.
fn priority(version: &str) -> (u8, Reverse<u64>, Reverse<u64>, &str) {
    let known = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
        let (major, rest) = rest.split_at(digits);
        let (class, minor) = match rest {
            "" => (0, "0"),
            _ => rest
                .strip_prefix("beta")
                .map(|minor| (1, minor))
                .or_else(|| rest.strip_prefix("alpha").map(|minor| (2, minor)))?,
        };
        let is_number =
            |text: &str| !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(major) && (rest.is_empty() || is_number(minor))).then_some(())?;
        Some((class, Reverse(major.parse().ok()?), Reverse(minor.parse().ok()?), ""))
    };
    known().unwrap_or((3, Reverse(0), Reverse(0), version))
}

fn add_to_aggregated(mut page: Value, definitions: &[Definition]) -> Option<Value> {
    let items = list_in(&mut page, "items")?;
    let mut is_changed = false;
    for group in groups(definitions) {
        if named(items, "/metadata/name", group).is_none() {
            items.push(json!({"metadata": {"name": group}, "versions": []}));
        }
        let versions = list_in(named(items, "/metadata/name", group)?, "versions")?;
        for (definition, version) in served(definitions, group) {
            if named(versions, "/version", &version.name).is_none() {
                let new = json!({"version": version.name, "resources": [], "freshness": "Current"});
                insert_version(versions, &version.name, new);
            }
            let resources = list_in(named(versions, "/version", &version.name)?, "resources")?;
            if named(resources, "/resource", &definition.names.plural).is_none() {
                resources.push(aggregated_resource(definition, version));
                is_changed = true;
            }
        }
    }
    is_changed.then_some(page)
}

fn aggregated_resource(definition: &Definition, version: &Version) -> Value {
    let names = &definition.names;
    let kind = json!({"group": definition.group, "version": version.name, "kind": names.kind});
    let mut resource = json!({
        "resource": names.plural,
        "responseKind": kind,
        "scope": if definition.is_namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": names.singular,
        "verbs": OBJECT_VERBS,
    });
    put_lists(&mut resource, definition);
    let mut parts = Vec::new();
    if version.has_status {
        parts.push(json!({"subresource": "status", "responseKind": kind, "verbs": PART_VERBS}));
    }
    if version.has_scale() {
        let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
        parts.push(json!({"subresource": "scale", "responseKind": scale, "verbs": PART_VERBS}));
    }
    if let Some(fields) = resource.as_object_mut().filter(|_| !parts.is_empty()) {
        fields.insert("subresources".to_owned(), parts.into());
    }
    resource
}

/// Empty lists are left out.
fn put_lists(resource: &mut Value, definition: &Definition) {
    let names = &definition.names;
    let Some(fields) = resource.as_object_mut() else { return };
    for (name, list) in [("shortNames", &names.short_names), ("categories", &names.categories)] {
        if !list.is_empty() {
            fields.insert(name.to_owned(), list.clone().into());
        }
    }
}

fn new_group(group: &str) -> Value {
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": [], "preferredVersion": {}})
}

fn add_to_groups(mut page: Value, definitions: &[Definition]) -> Option<Value> {
    let known = list_in(&mut page, "groups")?;
    let mut is_changed = false;
    for group in groups(definitions) {
        if named(known, "/name", group).is_none() {
            known.push(json!({"name": group, "versions": [], "preferredVersion": {}}));
        }
        let entry = named(known, "/name", group)?;
        if let Some(added) = add_to_group(entry.clone(), definitions) {
            *entry = added;
            is_changed = true;
        }
    }
    is_changed.then_some(page)
}

/// An entry of the older list has the form of a group's page.
fn add_to_group(mut page: Value, definitions: &[Definition]) -> Option<Value> {
    let group = page.get("name").and_then(Value::as_str)?.to_owned();
    let versions = list_in(&mut page, "versions")?;
    let mut is_changed = false;
    for (_, version) in served(definitions, &group) {
        if named(versions, "/version", &version.name).is_none() {
            let new = json!({"groupVersion": format!("{group}/{}", version.name), "version": version.name});
            insert_version(versions, &version.name, new);
            is_changed = true;
        }
    }
    let preferred = versions.first().cloned()?;
    if is_changed {
        page.as_object_mut()?.insert("preferredVersion".to_owned(), preferred);
    }
    is_changed.then_some(page)
}

fn add_to_resources(mut page: Value, group: &str, version: &str, definitions: &[Definition]) -> Option<Value> {
    let resources = list_in(&mut page, "resources")?;
    let mut is_changed = false;
    for (definition, version) in served(definitions, group).into_iter().filter(|(_, served)| served.name == version) {
        let (names, is_namespaced) = (&definition.names, definition.is_namespaced);
        if named(resources, "/name", &names.plural).is_some() {
            continue;
        }
        is_changed = true;
        let mut resource = json!({
            "name": names.plural,
            "singularName": names.singular,
            "namespaced": is_namespaced,
            "kind": names.kind,
            "verbs": OBJECT_VERBS,
        });
        put_lists(&mut resource, definition);
        let stored = definition.versions.iter().find(|version| version.is_storage && version.is_served);
        if let (Some(fields), Some(stored)) = (resource.as_object_mut(), stored) {
            fields.insert("storageVersionHash".to_owned(), storage_hash(definition, stored).into());
        }
        resources.push(resource);
        let mut part = |name: &str, kind: Value| {
            let mut part =
                json!({"name": format!("{}/{name}", names.plural), "singularName": "", "namespaced": is_namespaced});
            if let (Some(fields), Value::Object(kind)) = (part.as_object_mut(), kind) {
                fields.extend(kind);
                fields.insert("verbs".to_owned(), json!(PART_VERBS));
            }
            resources.push(part);
        };
        if version.has_status {
            part("status", json!({"kind": names.kind}));
        }
        if version.has_scale() {
            part("scale", json!({"group": "autoscaling", "version": "v1", "kind": "Scale"}));
        }
    }
    is_changed.then_some(page)
}

/// Source: `k8s.io/apiserver/pkg/endpoints/discovery` `StorageVersionHash`.
fn storage_hash(definition: &Definition, version: &Version) -> String {
    let digest = Sha256::digest(format!("{}/{}/{}", definition.group, version.name, definition.names.kind));
    base64::engine::general_purpose::STANDARD.encode(digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server's answers without our kinds, with one, and with both.
    fn answers() -> Value {
        serde_json::from_str(include_str!("../../tests/fixtures/rehearsal/discovery/answers.json")).expect("JSON")
    }

    fn definitions(answers: &Value) -> Vec<Definition> {
        let definitions = answers["definitions"].as_array().expect("a list").iter();
        definitions.map(|crd| Definition::read(crd).expect("a definition")).collect()
    }

    /// Resources and groups come in no certain order; versions do.
    fn sorted(mut value: Value) -> Value {
        match &mut value {
            Value::Array(items) => {
                *items = items.drain(..).map(sorted).collect();
                if !items.iter().all(|item| item.get("version").is_some()) {
                    items.sort_by_key(Value::to_string);
                }
            }
            Value::Object(fields) => {
                let mut all: Vec<_> =
                    std::mem::take(fields).into_iter().map(|(name, value)| (name, sorted(value))).collect();
                all.sort_by(|(one, _), (other, _)| one.cmp(other));
                fields.extend(all);
            }
            _ => {}
        }
        value
    }

    fn body(answer: &Value) -> Vec<u8> {
        answer["body"].as_str().map_or_else(|| answer["body"].to_string(), ToOwned::to_owned).into_bytes()
    }

    #[test]
    fn the_edited_answer_is_the_one_that_the_server_gives_after_the_installation() {
        let answers = answers();
        let definitions = definitions(&answers);
        for before in ["none", "gadget"] {
            for (form, answer) in answers[before].as_object().expect("forms") {
                let after = &answers["both"][form];
                let text = |name: &str| answer[name].as_str().expect("text");
                let added = add(text("path"), text("contentType"), &body(answer), &definitions);
                if after["status"] == 404 {
                    assert!(added.is_none(), "{form} is not served");
                    continue;
                }
                let (content_type, bytes) = added.unwrap_or_else(|| panic!("{before} {form}: nothing added"));
                let page: Value = serde_json::from_slice(&bytes).expect("JSON");
                assert_eq!(sorted(page), sorted(after["body"].clone()), "{before} {form}");
                assert_eq!(content_type, after["contentType"].as_str().expect("text"), "{before} {form}");
            }
        }
    }

    #[test]
    fn what_the_server_has_stays_as_it_is() {
        let answers = answers();
        let definitions = definitions(&answers);
        for answer in answers["both"].as_object().expect("forms").values() {
            let text = |name: &str| answer[name].as_str().expect("text");
            assert!(add(text("path"), text("contentType"), &body(answer), &definitions).is_none(), "{}", text("path"));
            assert!(add(text("path"), text("contentType"), &body(answer), &[]).is_none(), "{}", text("path"));
        }
        assert!(add("/apis", "application/vnd.kubernetes.protobuf", b"k8s\0", &definitions).is_none());
        assert!(add("/api/v1", "application/json", b"{}", &definitions).is_none());
    }

    #[test]
    fn the_older_aggregated_form_is_edited_too() {
        let answers = answers();
        let mut older = answers["none"]["aggregated"]["body"].clone();
        older["apiVersion"] = "apidiscovery.k8s.io/v2beta1".into();
        let (_, bytes) =
            add("/apis", "application/json", older.to_string().as_bytes(), &definitions(&answers)).expect("added");
        let page: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(sorted(page["items"].clone()), sorted(answers["both"]["aggregated"]["body"]["items"].clone()));
        assert_eq!(page["apiVersion"], "apidiscovery.k8s.io/v2beta1");
    }

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = [
            "foo10",
            "v1alpha1",
            "v10",
            "v1beta2",
            "v2",
            "v3beta1",
            "foo1",
            "v1",
            "v11alpha2",
            "v12alpha1",
            "v11beta2",
        ];
        versions.sort_by_key(|version| priority(version));
        let ordered = [
            "v10",
            "v2",
            "v1",
            "v11beta2",
            "v3beta1",
            "v1beta2",
            "v12alpha1",
            "v11alpha2",
            "v1alpha1",
            "foo1",
            "foo10",
        ];
        assert_eq!(versions, ordered);
    }

    proptest! {
        #[test]
        fn any_bytes_are_handed_on_or_edited(path in "/apis(/[a-z.]{1,8}){0,3}", body: Vec<u8>) {
            let answers = answers();
            let added = add(&path, "application/json", &body, &definitions(&answers));
            prop_assert!(added.is_none_or(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).is_ok()));
        }
    }
}
