//! Rules that know what they change, over real releases: images, fields of the server, descriptions. What must come of them is computed
//! here from what Go reads, without the code that is tested.

use std::collections::BTreeSet;

use helm_csghub::domain::post_rendering::About;
use helm_csghub::domain::profile;
use helm_csghub::postrender::{Rules, render};
use serde_json::{Map, Value, json};

use crate::judge::{decode, judge, say};
use crate::real::{documents, releases};

const MIRRORS: [(&str, &str); 3] = [
    ("docker.io", "mirror.example.com/hub"),
    ("docker.io/opencsghq", "mirror.example.com/csg"),
    ("quay.io/", "mirror.example.com/quay/"),
];
const DIGEST: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// What becomes of the lines of a document.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Lines {
    /// Their number stays, and only those with an image change.
    OfImages,
    /// Some go; where nothing is left, empty braces come.
    Go,
}

/// Returns an image with its registry and all.
///
/// Source: the rules of `docker pull`: the first part is a registry if it has a dot or a colon, or is `localhost`.
fn full(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let (registry, path) =
        if first.contains(['.', ':']) || first == "localhost" { (first, rest) } else { ("docker.io", image) };
    if registry == "docker.io" && !path.contains('/') {
        format!("docker.io/library/{path}")
    } else {
        format!("{registry}/{path}")
    }
}

fn mirrored(image: &str) -> String {
    let full = full(image);
    let fitting = MIRRORS.iter().filter(|(from, _)| full.starts_with(&format!("{}/", from.trim_end_matches('/'))));
    match fitting.max_by_key(|(from, _)| from.len()) {
        Some((from, to)) => format!("{}{}", to.trim_end_matches('/'), &full[from.trim_end_matches('/').len()..]),
        None => image.to_owned(),
    }
}

fn pinned(image: &str, pins: &BTreeSet<String>) -> Option<String> {
    let is_pinned = pins.iter().any(|pin| full(pin) == full(image));
    (is_pinned && !image.contains('@')).then(|| format!("@{DIGEST}"))
}

/// Gives the images of all containers other names.
fn each_image(value: &mut Value, new: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_image(item, new)),
        Value::Object(map) => {
            for key in ["containers", "initContainers", "ephemeralContainers"] {
                for container in map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
                    if let Some(Value::String(image)) = container.get_mut("image") {
                        *image = new(image);
                    }
                }
            }
            map.values_mut().for_each(|below| each_image(below, new));
        }
        _ => {}
    }
}

fn strip(object: &mut Map<String, Value>) {
    object.shift_remove("status");
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    ] {
        metadata.shift_remove(field);
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.shift_remove("deployment.kubernetes.io/revision");
        annotations.shift_remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn slim(object: &mut Map<String, Value>) {
    if object["kind"] != "CustomResourceDefinition" {
        return;
    }
    for version in object["spec"]["versions"].as_array_mut().expect("versions") {
        slim_schema(&mut version["schema"]["openAPIV3Schema"]);
    }
}

/// Takes the descriptions out of a JSON schema, whatever its fields are called.
fn slim_schema(schema: &mut Value) {
    let Value::Object(keys) = schema else { return };
    if keys.get("description").is_some_and(Value::is_string) {
        keys.shift_remove("description");
    }
    for (key, below) in keys {
        match (key.as_str(), below) {
            ("properties" | "patternProperties" | "definitions" | "dependencies", Value::Object(named)) => {
                named.values_mut().for_each(slim_schema);
            }
            ("items" | "allOf" | "anyOf" | "oneOf" | "additionalItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(slim_schema);
            }
            ("items" | "additionalProperties" | "additionalItems" | "not", one) => slim_schema(one),
            _ => {}
        }
    }
}

/// Does something to the object that a document is, or to those that it lists.
fn each_object(value: &mut Value, act: &mut dyn FnMut(&mut Map<String, Value>)) {
    let Value::Object(object) = value else { return };
    if let Some(Value::Array(items)) = object.get_mut("items") {
        for item in items {
            each_object(item, act);
        }
    } else if object.contains_key("kind") {
        act(object);
    }
}

/// Returns what each set of changes comes to.
fn expected(what: &str, old: &Value, pins: &BTreeSet<String>) -> Value {
    let mut new = old.clone();
    each_object(&mut new, &mut |object| {
        let mut whole = Value::Object(std::mem::take(object));
        let mirrors = what == "mirror" || what == "all";
        let is_pinning = what == "pin" || what == "all";
        each_image(&mut whole, &mut |image| {
            let digest = if is_pinning { pinned(image, pins) } else { None };
            let name = if mirrors { mirrored(image) } else { image.to_owned() };
            name + &digest.unwrap_or_default()
        });
        object.clone_from(whole.as_object().expect("an object"));
        if what == "strip" || what == "all" {
            strip(object);
        }
        if what == "slim" || what == "all" {
            slim(object);
        }
    });
    new
}

/// Tells whether the lines of a document became others only as they may.
fn are_fine(lines: Lines, old: &str, new: &str) -> bool {
    match lines {
        Lines::OfImages => {
            let of_image = |line: &str| line.trim_start().trim_start_matches("- ").starts_with("image:");
            old.lines().count() == new.lines().count()
                && old.lines().zip(new.lines()).all(|(old, new)| old == new || of_image(old) && of_image(new))
        }
        Lines::Go => {
            let mut old = old.lines();
            new.lines().all(|new| {
                let emptied = new.strip_suffix(" {}");
                // What follows within a line that is gone may begin it: a list item's second field.
                let moved = new.replacen("- ", "  ", 1);
                old.any(|old| old == new || emptied == Some(old) || old == moved)
            })
        }
    }
}

fn changes(pins: &BTreeSet<String>) -> [(&'static str, Lines, Value); 5] {
    let mirror = json!({"mirror-images": Map::from_iter(MIRRORS.map(|(from, to)| (from.to_owned(), json!(to))))});
    let digests: Map<String, Value> = pins.iter().map(|image| (image.clone(), json!(DIGEST))).collect();
    let pin = json!({"pin-images": digests});
    [
        ("mirror", Lines::OfImages, json!([mirror])),
        ("pin", Lines::OfImages, json!([pin])),
        ("strip", Lines::Go, json!(["strip-server-fields"])),
        ("slim", Lines::Go, json!(["slim-crd-descriptions"])),
        ("all", Lines::Go, json!([mirror, "slim-crd-descriptions", pin, "strip-server-fields"])),
    ]
}

#[test]
fn real_releases_mean_what_their_rules_make_of_them() {
    let releases = releases();
    if releases.is_empty() {
        return say("fidelity: rules of real releases skipped: CSGHUB_REAL_CHARTS is not set");
    }
    let Some(judge) = judge() else { return };
    let mut wrong = Vec::new();
    let mut changed = std::collections::BTreeMap::<&str, usize>::new();
    for (name, text) in &releases {
        let old = documents(text);
        let before = decode(judge, &old);
        let mut images = BTreeSet::new();
        for mut value in before.iter().flatten().cloned() {
            each_image(&mut value, &mut |image| {
                images.insert(image.to_owned());
                image.to_owned()
            });
        }
        // Every other image is pinned, some by another of their names.
        let pins: BTreeSet<String> =
            images.iter().step_by(2).map(|image| image.replace("docker.io/library/", "")).collect();
        let pins: BTreeSet<String> = pins.into_iter().filter(|image| !image.contains('@')).collect();
        for (what, lines, changes) in changes(&pins) {
            if pins.is_empty() && (what == "pin" || what == "all") {
                continue;
            }
            let profile =
                json!({"format": 1, "name": "p", "post-render": [{"name": "r", "because": "b", "changes": changes}]});
            let rules = profile::parse(&profile.to_string()).expect("a profile").post_render;
            let rules = Rules::new(&rules, About::default()).expect("rules");
            let mut output = Vec::new();
            if let Err(error) = render(text.as_bytes(), &mut output, &rules) {
                wrong.push(format!("{name}, {what}: {error}"));
                continue;
            }
            let new = documents(std::str::from_utf8(&output).expect("a text"));
            assert_eq!(new.len(), old.len(), "{name}, {what}");
            for (index, (before, after)) in before.iter().zip(decode(judge, &new)).enumerate() {
                let Ok(before) = before else { continue };
                let expected = expected(what, before, &pins);
                let is_changed = expected != *before;
                *changed.entry(what).or_default() += usize::from(is_changed);
                if after.as_ref() != Ok(&expected) {
                    wrong.push(format!("{name}, {what}, document {index}: {after:?}\n  and not {expected}"));
                }
                if !is_changed && old[index] != new[index] {
                    wrong.push(format!("{name}, {what}, document {index}: other bytes of the same meaning"));
                }
                if what != "all" && !are_fine(lines, &old[index], &new[index]) {
                    wrong.push(format!("{name}, {what}, document {index}: other lines changed, too"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n"));
    assert!(changed.values().all(|&count| count > 0), "{changed:?}");
    say(&format!(
        "fidelity: {} real files, documents changed by rule: {changed:?}, 0 changes of meaning",
        releases.len()
    ));
}
