//! Custom resources, checked by us and by a real server: both must say the same of every one, in fields and words.
//!
//! The definitions and objects are in `tests/fixtures/rehearsal/crds`; each object is sent whole and with every defect that
//! [`defects`] can make. With `CSGHUB_RECORD_CRD_VERDICTS` set, a sample of the server's verdicts is written beside them, for the
//! test that replays them without a cluster.

mod objects;
mod server;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use helm_csghub::domain::manifest;
use helm_csghub::rehearsal::crd::{Checked, Definition};
use helm_csghub::rehearsal::discovery;
use serde_json::{Value, json};

use crate::support::{Bed, eventually, last_look, skip};
use objects::{Defect, Dice, defects, random_value};
use server::{Server, Verdict, told};

/// A definition and valid objects of it.
struct Fixture {
    name: String,
    crd: Value,
    seeds: Vec<Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rehearsal/crds")
}

fn fixtures() -> Vec<Fixture> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder()).expect("fixtures").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a fixture is UTF-8");
        let mut objects: Vec<Value> = manifest::parse(&text)
            .expect("YAML")
            .into_iter()
            .map(helm_csghub::domain::object::Object::into_value)
            .collect();
        let crd = objects.remove(0);
        Fixture { name: path.file_stem().expect("a name").to_string_lossy().into_owned(), crd, seeds: objects }
    };
    paths.into_iter().map(read).collect()
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Installs a definition and waits until the server answers for it.
fn install(bed: &Bed, server: &Server, crd: &Value) {
    bed.apply(crd);
    let pages: Vec<String> = (crd["spec"]["versions"].as_array().expect("versions").iter())
        .filter(|version| version["served"] == true)
        .map(|version| {
            let (group, name) = (text_at(crd, "/spec/group"), text_at(version, "/name"));
            format!("/apis/{group}/{name}/{}?limit=1", text_at(crd, "/spec/names/plural"))
        })
        .collect();
    let is_served = |page: &String| server.get(page, "application/json").0.starts_with("HTTP/1.0 200");
    eventually(|| pages.iter().all(is_served).then_some(()).ok_or_else(|| format!("{pages:?} are not served")));
}

/// Objects without a namespace are the same for all tests: a fixture that has such is played by one test at a time.
fn turn(crd: &Value) -> Option<MutexGuard<'static, ()>> {
    static CLUSTER_SCOPED: Mutex<()> = Mutex::new(());
    let is_shared = text_at(crd, "/spec/scope") == "Cluster";
    is_shared.then(|| CLUSTER_SCOPED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn collection(crd: &Value, seed: &Value, namespace: &str) -> String {
    let place =
        if text_at(crd, "/spec/scope") == "Namespaced" { format!("/namespaces/{namespace}") } else { String::new() };
    format!("/apis/{}{place}/{}", text_at(seed, "/apiVersion"), text_at(crd, "/spec/names/plural"))
}

#[derive(Default)]
struct Count {
    accepted: usize,
    refused: usize,
    unpredictable: usize,
    disagreements: Vec<String>,
}

impl Count {
    fn add(&mut self, what: &str, verdict: &Verdict, checked: &Checked) {
        if !checked.unpredictable.is_empty() {
            self.unpredictable += 1;
        } else if verdict.is_accepted() {
            self.accepted += 1;
        } else {
            self.refused += 1;
        }
        if let Some(difference) = verdict.difference(checked) {
            self.disagreements.push(format!("{what}: {difference}"));
        }
    }

    fn end(self, what: &str) {
        let Self { accepted, refused, unpredictable, disagreements } = self;
        println!(
            "{what}: {accepted} accepted, {refused} refused, {unpredictable} unpredictable, {} disagreements",
            disagreements.len()
        );
        let mut shown = String::new();
        for line in
            disagreements.iter().take(env::var("CSGHUB_SHOW").map_or(20, |count| count.parse().expect("a number")))
        {
            writeln!(shown, "{line}").expect("memory");
        }
        assert!(disagreements.is_empty(), "{} disagreements:\n{shown}", disagreements.len());
    }
}

#[test]
fn the_server_and_we_say_the_same_of_every_new_object() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("crd-check");
    let server = Server::open(&bed);
    let records = env::var_os("CSGHUB_RECORD_CRD_VERDICTS").is_some();
    let mut count = Count::default();
    for Fixture { name, crd, seeds } in fixtures() {
        let _turn = turn(&crd);
        install(&bed, &server, &crd);
        let definition = Definition::read(&crd).expect("a definition");
        let mut recorded = String::new();
        for (at, seed) in seeds.iter().enumerate() {
            let path = collection(&crd, seed, &namespace.name);
            let cases = defects(seed);
            let step = cases.len().div_ceil(60 / seeds.len());
            for (number, defect) in std::iter::once(None).chain(cases.into_iter().map(Some)).enumerate() {
                let mut object = seed.clone();
                if let Some(defect) = &defect {
                    defect.apply(&mut object);
                }
                let verdict = Verdict::ask(&server, "POST", &path, &object);
                let checked = definition.check(&object, None);
                let shown = defect.as_ref().map_or(Value::Null, Defect::as_json);
                count.add(&format!("{name} {at} {shown}"), &verdict, &checked);
                if number % step == 0 {
                    let stored = verdict.is_accepted().then(|| json!({"spec": verdict.stored["spec"]}));
                    let line = json!({"seed": at, "defect": shown, "status": verdict.status, "causes": verdict.causes,
                        "unknown": verdict.unknown, "stored": stored});
                    writeln!(recorded, "{line}").expect("memory");
                }
            }
        }
        if records {
            fs::write(folder().join(format!("{name}.verdicts.jsonl")), recorded).expect("the folder is ours");
        }
    }
    count.end("created");
}

/// Helm 4 applies; what is refused on the way is told in other words, so only accepted and refused are compared.
#[test]
fn the_server_and_we_say_the_same_of_every_applied_object() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("crd-check");
    let server = Server::open(&bed);
    let mut disagreements = Vec::new();
    let mut asked = 0;
    for Fixture { name, crd, seeds } in fixtures() {
        let _turn = turn(&crd);
        install(&bed, &server, &crd);
        let definition = Definition::read(&crd).expect("a definition");
        for seed in &seeds {
            let path = format!("{}/{}", collection(&crd, seed, &namespace.name), text_at(seed, "/metadata/name"));
            for defect in defects(seed).into_iter().filter(|defect| defect.at.starts_with("/spec")) {
                let mut object = seed.clone();
                defect.apply(&mut object);
                let (status, answer) = server.send(
                    "PATCH",
                    &format!("{path}?dryRun=All&fieldManager=helm&fieldValidation=Strict"),
                    &object,
                );
                let checked = definition.check_applied(&object, None);
                asked += 1;
                let is_known = checked.unpredictable.is_empty();
                if checked.findings.is_empty() && is_known && status >= 300
                    || !checked.findings.is_empty() && status < 300
                {
                    disagreements.push(format!(
                        "{name} {}: ours {:?}, the server's {status} {}",
                        defect.as_json(),
                        told(&checked),
                        answer["message"]
                    ));
                }
            }
        }
    }
    println!("applied: {asked} objects, {} disagreements", disagreements.len());
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

/// Reads a packed file of a folder of real releases; nothing, said loudly, if there is none.
fn real_data(name: &str) -> Option<Vec<Value>> {
    let tools = env::var_os("CSGHUB_REAL_CHARTS").map(PathBuf::from);
    let path = tools.and_then(|tools| Some(tools.parent()?.join("data").join(name))).filter(|path| path.exists());
    let Some(path) = path else {
        skip(&format!("CSGHUB_REAL_CHARTS names no real charts, so there is no {name}"));
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).expect("it exists"))
        .read_to_string(&mut text)
        .expect("packed text");
    Some(
        manifest::parse(&text)
            .expect("YAML")
            .into_iter()
            .map(helm_csghub::domain::object::Object::into_value)
            .collect(),
    )
}

#[test]
fn the_server_and_we_say_the_same_of_objects_of_real_definitions() {
    let Some(bed) = Bed::open() else { return };
    let bundles = ["crds/gateway-helm-1.7.5.yaml.gz", "crds/agent-sandbox-2.4.0.yaml.gz"].map(real_data);
    let Some(release) = real_data("csghub/2.4.0.yaml.gz") else { return };
    let namespace = bed.namespace("crd-check");
    let server = Server::open(&bed);
    let mut count = Count::default();
    let mut dice = Dice(7);
    for crd in bundles.into_iter().flatten().flatten().filter(|object| object["kind"] == "CustomResourceDefinition") {
        install(&bed, &server, &crd);
        let definition = Definition::read(&crd).expect("a definition");
        let kind = text_at(&crd, "/spec/names/kind");
        let real = release
            .iter()
            .filter(|object| object["kind"] == kind && text_at(object, "/apiVersion").starts_with(&definition.group));
        let mut objects: Vec<Value> = real.cloned().collect();
        for version in
            crd["spec"]["versions"].as_array().expect("versions").iter().filter(|version| version["served"] == true)
        {
            let schema = &version["schema"]["openAPIV3Schema"];
            let api_version = format!("{}/{}", definition.group, text_at(version, "/name"));
            objects.extend((0..30).map(|number| {
                let spec = random_value(&schema["properties"]["spec"], &mut dice, number % 5);
                json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "spec": spec})
            }));
        }
        for (number, mut object) in objects.into_iter().enumerate() {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.shift_remove("namespace");
            }
            let path = collection(&crd, &object, &namespace.name);
            let verdict = Verdict::ask(&server, "POST", &path, &object);
            let checked = definition.check(&object, None);
            if env::var_os("CSGHUB_SHOW").is_some() {
                for line in &checked.unpredictable {
                    println!("unpredictable {kind} {line}");
                }
            }
            count.add(&format!("{kind} {number} {object}"), &verdict, &checked);
        }
    }
    count.end("of real definitions");
}

/// Once a kind is installed, the server's discovery says what we made of its answers before.
#[test]
fn pretended_kinds_are_in_discovery_as_the_server_lists_them() {
    let Some(bed) = Bed::open() else { return };
    let server = Server::open(&bed);
    let group = format!("{}.example.com", crate::support::bed::random_word());
    let mut crd = fixtures().into_iter().find(|fixture| fixture.name == "subresources").expect("a fixture").crd;
    crd["spec"]["group"] = group.as_str().into();
    crd["metadata"]["name"] = format!("scalables.{group}").into();
    let definitions = [Definition::read(&crd).expect("a definition")];
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let pages = [
        ("/apis".to_owned(), aggregated),
        ("/apis".to_owned(), "application/json"),
        (format!("/apis/{group}"), "application/json"),
        (format!("/apis/{group}/v1"), "application/json"),
        (format!("/apis/{group}/v1beta1"), "application/json"),
    ];
    let pretended: Vec<Value> = (pages.iter())
        .map(|(path, accept)| {
            let (_, body) = server.get(path, accept);
            let (_, bytes) = discovery::add(path, accept, &body, &definitions).expect("something to add");
            serde_json::from_slice(&bytes).expect("JSON")
        })
        .collect();
    install(&bed, &server, &crd);
    let of_group = |page: &Value| {
        let all = page["items"].as_array().or(page["groups"].as_array());
        let mut group = all.map_or_else(
            || page.clone(),
            |all| {
                all.iter()
                    .find(|item| item["name"] == *group || item["metadata"]["name"] == *group)
                    .cloned()
                    .unwrap_or_default()
            },
        );
        group["metadata"] = Value::Null; // A made-up time is in it.
        group
    };
    let pretended: Vec<Value> = pretended.iter().map(of_group).collect();
    let read = |(path, accept): &(String, &str)| {
        let (_, body) = server.get(path, accept);
        of_group(&serde_json::from_slice(&body).expect("JSON"))
    };
    // The pages learn of a kind one after the other.
    let real = last_look(|| pages.iter().map(read).collect::<Vec<Value>>(), |real| *real == pretended);
    for ((path, accept), (pretended, real)) in pages.iter().zip(pretended.iter().zip(&real)) {
        assert_eq!(pretended, real, "{path} {accept}");
    }
    bed.kubectl(&["delete", "crd", &format!("scalables.{group}"), "--wait=false"]);
}

#[test]
fn the_server_and_we_say_the_same_of_every_changed_object() {
    let Some(bed) = Bed::open() else { return };
    let namespace = bed.namespace("crd-check");
    let server = Server::open(&bed);
    let mut count = Count::default();
    for Fixture { name, crd, seeds } in fixtures() {
        let _turn = turn(&crd);
        install(&bed, &server, &crd);
        let definition = Definition::read(&crd).expect("a definition");
        for (at, seed) in seeds.iter().enumerate() {
            let path = collection(&crd, seed, &namespace.name);
            let (status, old) = server.send("POST", &path, seed);
            assert_eq!(status, 201, "{old}");
            let path = format!("{path}/{}", text_at(seed, "/metadata/name"));
            for defect in defects(seed).into_iter().filter(|defect| defect.at.starts_with("/spec")) {
                let mut object = old.clone();
                defect.apply(&mut object);
                let verdict = Verdict::ask(&server, "PUT", &path, &object);
                let checked = definition.check(&object, Some(&old));
                count.add(&format!("{name} {at} {}", defect.as_json()), &verdict, &checked);
            }
            server.send("DELETE", &path, &json!({}));
        }
    }
    count.end("changed");
}
