//! Custom resources, checked by us and by a real server: both must say the same of every one, in fields and words.
//!
//! The definitions and objects are in `tests/fixtures/rehearsal/crds`; each object is sent whole and with every defect that
//! [`defects`] can make. With `CSGHUB_RECORD_CRD_VERDICTS` set, a sample of the server's verdicts is written beside them, for the
//! test that replays them without a cluster.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use helm_csghub::domain::manifest;
use helm_csghub::rehearsal::crd::{Checked, Definition};
use helm_csghub::rehearsal::discovery;
use serde_json::{Value, json};

use crate::support::Bed;

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

/// One change to an object: a value at a JSON pointer, or its removal.
#[derive(Clone)]
struct Defect {
    at: String,
    put: Option<Value>,
}

impl Defect {
    fn apply(&self, object: &mut Value) {
        let (parent, last) = self.at.rsplit_once('/').expect("a pointer");
        let key = last.replace("~1", "/").replace("~0", "~");
        match object.pointer_mut(parent) {
            Some(Value::Object(fields)) => match &self.put {
                Some(value) => drop(fields.insert(key, value.clone())),
                None => drop(fields.shift_remove(&key)),
            },
            Some(Value::Array(items)) => {
                let index: usize = key.parse().expect("an index");
                match &self.put {
                    Some(value) if index < items.len() => items[index] = value.clone(),
                    Some(value) => items.push(value.clone()),
                    None if index < items.len() => drop(items.remove(index)),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn as_json(&self) -> Value {
        json!({"at": self.at, "put": self.put, "drop": self.put.is_none()})
    }
}

#[allow(clippy::too_many_lines)] // A table.
/// Every defect that is tried on an object: each value of it is removed, and replaced by others of every type.
fn defects(object: &Value) -> Vec<Defect> {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(7),
        json!(101),
        json!(2.5),
        json!(3.0),
        json!(0.3),
        json!(1e30),
        json!(4_294_967_296_i64),
        json!(""),
        json!("a"),
        json!("abc"),
        json!("abcdefghijklmnopqrstuvwxyz0123456789"),
        json!("日本"),
        json!("kube-x"),
        json!("10"),
        json!("Ab/c d"),
        json!("2023-02-30T25:00:00Z"),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!([1, 1]),
        json!([null]),
        json!({}),
        json!({"a": "b"}),
        json!({"unknown": {"deep": [1]}}),
    ];
    let mut defects = Vec::new();
    let mut places =
        vec![("/spec".to_owned(), object["spec"].clone()), ("/status".to_owned(), object["status"].clone())];
    while let Some((at, value)) = places.pop() {
        let mut put = |at: &str, value: Value| defects.push(Defect { at: at.to_owned(), put: Some(value) });
        for other in &others {
            put(&at, other.clone());
        }
        match &value {
            Value::Object(fields) => {
                put(&format!("{at}/unknown"), json!({"a": [1]}));
                for (name, value) in fields {
                    let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    defects.push(Defect { at: at.clone(), put: None });
                    places.push((at, value.clone()));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    put(&format!("{at}/{}", items.len()), item.clone());
                    places.push((format!("{at}/{index}"), item.clone()));
                }
                defects.push(Defect { at: format!("{at}/0"), put: None });
            }
            Value::String(text) => {
                for other in
                    [format!("{text}!"), format!("{text}\n"), format!("1{text}"), text.to_uppercase(), text.repeat(9)]
                {
                    put(&at, other.into());
                }
                put(&at, text.chars().skip(1).collect::<String>().into());
            }
            Value::Number(number) => {
                if let Some(number) = number.as_i64() {
                    for other in [number - 1, number + 1, number * 10, -number] {
                        put(&at, other.into());
                    }
                }
                let number = number.as_f64().expect("a number");
                for other in [number + 0.5, number / 3.0, -number] {
                    put(&at, other.into());
                }
            }
            _ => {}
        }
    }
    let metadata = [
        ("name", json!("Not A Name")),
        ("name", json!("a".repeat(254))),
        ("name", json!("")),
        ("name", json!(1)),
        ("labels", json!({"a b": "c"})),
        ("labels", json!({"a": "b c", "x/y/z": "", "/z": "", "Q.x/y": "é"})),
        ("labels", json!({"a": 1})),
        ("labels", json!(["a"])),
        ("labels", json!({"a": null})),
        ("annotations", json!({"-a": "b c"})),
        ("annotations", json!({"A/B": "b c"})),
        ("annotations", json!({"a": {}})),
        ("unknown", json!(1)),
        ("finalizers", json!(["a b"])),
        ("finalizers", json!("a")),
        ("ownerReferences", json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}])),
        ("generation", json!("1")),
        ("ownerReferences", json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1", "unknown": 1}])),
        ("creationTimestamp", json!("yesterday")),
        ("generateName", json!("A-")),
        ("generateName", json!("a-")),
    ];
    defects.extend(metadata.map(|(name, value)| Defect { at: format!("/metadata/{name}"), put: Some(value) }));
    defects
}

/// The server, through `kubectl proxy`: a plain HTTP port.
struct Server {
    proxy: Child,
    address: String,
}

impl Server {
    fn open(bed: &Bed) -> Self {
        let mut proxy = Command::new(&bed.kubectl)
            .env("KUBECONFIG", &bed.kubeconfig)
            .args(["proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut said = String::new();
        BufReader::new(proxy.stdout.take().expect("piped")).read_line(&mut said).expect("kubectl says where it serves");
        let address = said.trim().rsplit(' ').next().expect("an address").to_owned();
        Self { proxy, address }
    }

    fn get(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("the proxy listens");
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        (head.to_owned(), body.as_bytes().to_vec())
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("the proxy listens");
        let length = body.len();
        let content = if method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" };
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: {content}\r\nAccept: application/json\r\n"
        );
        stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

/// What the server says of one object.
struct Verdict {
    status: u16,
    /// Field and words, where it names fields.
    causes: BTreeSet<(String, String)>,
    /// Unknown fields, in answer to strict field validation.
    unknown: BTreeSet<String>,
    /// As it would be stored.
    stored: Value,
}

impl Verdict {
    fn ask(server: &Server, method: &str, path: &str, object: &Value) -> Self {
        let (status, answer) = server.send(method, &format!("{path}?dryRun=All&fieldValidation=Ignore"), object);
        let causes = answer["details"]["causes"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let causes = causes
            .map(|cause| (text(&cause["field"]), text(&cause["message"])))
            .filter(|(_, message)| !message.contains("some validation rules were not checked"))
            .collect();
        let (_, strict) = server.send(method, &format!("{path}?dryRun=All&fieldValidation=Strict"), object);
        let message = text(&strict["message"]);
        let unknown = message
            .contains("strict decoding error")
            .then(|| message.split("unknown field \"").skip(1))
            .into_iter()
            .flatten();
        let unknown = unknown.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned).collect();
        Self { status, causes, unknown, stored: answer }
    }

    fn is_accepted(&self) -> bool {
        self.status < 300
    }

    /// Says how we differ, if we do. What we call unpredictable is no difference.
    fn difference(&self, checked: &Checked) -> Option<String> {
        let accepts = checked.findings.is_empty();
        let unknown: BTreeSet<String> = checked.unknown_fields.iter().cloned().collect();
        // An object that cannot be read at all is not asked for its unknown fields.
        if self.status != 400 && unknown != self.unknown {
            return Some(format!("unknown fields: ours {unknown:?}, the server's {:?}", self.unknown));
        }
        if !checked.unpredictable.is_empty() {
            let holds = accepts || !self.is_accepted() && (self.status == 400 || told(checked).is_subset(&self.causes));
            return (!holds).then(|| {
                format!("refused: ours {:?}, the server's {}: {:?}", told(checked), self.status, self.causes)
            });
        }
        if accepts != self.is_accepted() {
            return Some(format!("ours: {:?}, the server's {}: {:?}", told(checked), self.status, self.causes));
        }
        if self.status == 422 && told(checked) != self.causes {
            return Some(format!("causes: ours {:?}, the server's {:?}", told(checked), self.causes));
        }
        let differs = |part: &str| self.stored.get(part) != checked.defaulted.get(part);
        if self.is_accepted() && (differs("spec") || differs("status")) {
            return Some(format!("stored: ours {}, the server's {}", checked.defaulted["spec"], self.stored["spec"]));
        }
        None
    }
}

fn told(checked: &Checked) -> BTreeSet<(String, String)> {
    let field = |finding: &helm_csghub::domain::rehearsed::Finding| {
        finding.fields.first().map_or_else(|| "<nil>".to_owned(), |field| field.path.clone())
    };
    checked.findings.iter().map(|finding| (field(finding), finding.cause.clone())).collect()
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Installs a definition and waits until the server answers for it.
fn install(bed: &Bed, crd: &Value) {
    bed.apply(crd);
    let name = format!("crd/{}", text_at(crd, "/metadata/name"));
    // kubectl fails at once while there is no condition at all.
    let is_there =
        || bed.try_kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &name], None).status.success();
    assert!(
        (0..30).any(|_| is_there() || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            false
        }),
        "{name}"
    );
    std::thread::sleep(std::time::Duration::from_secs(1)); // Discovery follows a moment later.
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
        install(&bed, &crd);
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
        install(&bed, &crd);
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

/// Numbers that look random and are the same at every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides.max(1) as u64).expect("small")
    }
}

/// Makes a value that a schema may or may not allow: mostly right in type, and often in the rest.
fn random_value(schema: &Value, dice: &mut Dice, depth: usize) -> Value {
    if dice.below(60) == 0 {
        return [json!(null), json!("x"), json!(-1), json!({}), json!([])][dice.below(5)].clone();
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|_| dice.below(20) > 0) {
        return allowed[dice.below(allowed.len())].clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return [json!(80), json!("50%"), json!("1Gi")][dice.below(3)].clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => (dice.below(2) == 0).into(),
        Some("integer" | "number") => {
            let least = schema["minimum"].as_i64().unwrap_or(0);
            (least + i64::try_from(dice.below(5)).expect("small") - i64::from(dice.below(8) == 0)).into()
        }
        Some("string") => {
            let texts = [
                "a",
                "example.com",
                "gateway.networking.k8s.io",
                "Abc",
                "/a/b",
                "10s",
                "10.0.0.1",
                "http",
                "a.b.c:80",
                "",
                "2024-01-01T00:00:00Z",
            ];
            texts[dice.below(texts.len())].into()
        }
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).expect("small");
            let count = if depth == 0 { least } else { least + dice.below(3) };
            (0..count).map(|_| random_value(&schema["items"], dice, depth.saturating_sub(1))).collect()
        }
        Some("object") => {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut fields = serde_json::Map::new();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                let is_wanted = if required.contains(&name.as_str()) {
                    dice.below(40) > 0
                } else {
                    depth > 0 && dice.below(3) == 0
                };
                if is_wanted {
                    fields.insert(name.clone(), random_value(schema, dice, depth.saturating_sub(1)));
                }
            }
            if schema["additionalProperties"].is_object() && dice.below(2) == 0 {
                fields.insert(
                    "example.com/key".to_owned(),
                    random_value(&schema["additionalProperties"], dice, depth.saturating_sub(1)),
                );
            }
            fields.into()
        }
        _ => json!({"any": 1}),
    }
}

/// Reads a packed file of a folder of real releases; nothing, said loudly, if there is none.
fn real_data(name: &str) -> Option<Vec<Value>> {
    let tools = env::var_os("CSGHUB_REAL_CHARTS").map(PathBuf::from);
    let path = tools.and_then(|tools| Some(tools.parent()?.join("data").join(name))).filter(|path| path.exists());
    let Some(path) = path else {
        eprintln!("skipped: no real charts (CSGHUB_REAL_CHARTS), so no {name}");
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
        install(&bed, &crd);
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
    install(&bed, &crd);
    std::thread::sleep(std::time::Duration::from_secs(3));
    for ((path, accept), pretended) in pages.iter().zip(pretended) {
        let (_, body) = server.get(path, accept);
        let real: Value = serde_json::from_slice(&body).expect("JSON");
        let of_group = |page: &Value| {
            let all = page["items"].as_array().or(page["groups"].as_array());
            all.map_or_else(
                || page.clone(),
                |all| {
                    all.iter()
                        .find(|item| item["name"] == *group || item["metadata"]["name"] == *group)
                        .cloned()
                        .unwrap_or_default()
                },
            )
        };
        let plain = |mut group: Value| {
            group["metadata"] = Value::Null; // A made-up time is in it.
            group
        };
        assert_eq!(plain(of_group(&pretended)), plain(of_group(&real)), "{path} {accept}");
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
        install(&bed, &crd);
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
