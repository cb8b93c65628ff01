//! The post-renderer as a process beside its peers: `cat`, `kubectl`, a static program that does nothing. Called by
//! `scripts/bench postrender`, which names them.
//!
//! Every round runs each of them once, so that all meet the same weather; medians are compared, as ratios. Standard input is a file,
//! standard output a pipe that is drained, as under Helm. Prints Markdown.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints its result"
)]

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MB: usize = 1_000_000;

fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

fn main() {
    let program = named("CSGHUB_BENCH_PROGRAM").expect("CSGHUB_BENCH_PROGRAM names the program");
    let rounds: usize = env::var("CSGHUB_BENCH_ROUNDS").map_or(9, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    // As it is installed: what a linker wrote lies otherwise in the page cache, takes less memory and starts more slowly.
    let installed = folder.path().join("csghub");
    fs::copy(program, &installed).expect("a copy of the program");
    let bench = Bench { program: installed, folder: folder.path().to_owned(), rounds, missed: Vec::new() };
    bench.run();
}

struct Bench {
    program: PathBuf,
    folder: PathBuf,
    rounds: usize,
    missed: Vec<String>,
}

/// One of those that are compared.
struct Runner {
    name: &'static str,
    command: Vec<String>,
    /// Its standard input.
    input: PathBuf,
    times: Vec<Duration>,
    /// Highest, in KiB.
    memory: u64,
}

impl Runner {
    fn new(name: &'static str, command: &[&str], input: &Path) -> Self {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Self { name, command, input: input.to_owned(), times: Vec::new(), memory: 0 }
    }

    fn run(&mut self) {
        let begun = Instant::now();
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .stdin(File::open(&self.input).expect("the input"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.command[0]));
        let mut stdout = child.stdout.take().expect("a pipe");
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let has_ended = AtomicBool::new(false);
        let memory = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&status, &has_ended));
            let mut buffer = vec![0; 256 * 1024];
            while stdout.read(&mut buffer).expect("the pipe") > 0 {}
            assert!(child.wait().expect("it ends").success(), "{} failed", self.name);
            self.times.push(begun.elapsed());
            has_ended.store(true, Ordering::Relaxed);
            watcher.join().expect("the watcher")
        });
        self.memory = self.memory.max(memory);
    }

    /// Median, in milliseconds.
    fn wall(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    }
}

/// Returns the highest resident memory that was seen, in KiB.
fn watch(status: &Path, has_ended: &AtomicBool) -> u64 {
    let mut highest = 0;
    while !has_ended.load(Ordering::Relaxed) {
        let text = fs::read_to_string(status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        highest = highest.max(line.trim().trim_end_matches(" kB").parse().unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    highest
}

impl Bench {
    fn run(mut self) {
        let many = self.file("manifests-100.yaml", &manifests(100 * MB));
        let (small_text, large_text) = (crds(10 * MB), crds(100 * MB));
        let (crds_10, crds_100) = (self.file("crds-10.yaml", &small_text), self.file("crds-100.yaml", &large_text));
        let none = self.profile("none", "select: {kinds: [Nothing.example.com]}", "keep");
        let label = self.profile("label", "select: {}", "set-labels: {team: ml}");
        let deep = self.profile("deep", "select: {}", "set: {path: spec.conversion.strategy, value: None}");
        let slim = self.profile("slim", "select: {}", "slim-crd-descriptions");
        println!("| what | input | csghub | peer | ratio | at most | peak memory |\n|---|---|---|---|---|---|---|");
        for (name, input) in [("manifests, 100 MB", &many), ("CRDs, 100 MB", &crds_100)] {
            self.compare("no rule matches", name, &none, input, &[("cat", vec!["cat".into()], 2.0)]);
            self.compare("one label on every document", name, &label, input, &[("cat", vec!["cat".into()], 2.5)]);
        }
        let mut peers = Vec::new();
        if let Some(kubectl) = named("CSGHUB_BENCH_KUBECTL") {
            let kubectl = kubectl.to_string_lossy().into_owned();
            let annotate = format!("{kubectl} annotate --local -f - team=ml -o yaml --overwrite")
                .split(' ')
                .map(str::to_owned)
                .collect();
            fs::create_dir(self.folder.join("kustomize")).expect("a folder");
            fs::copy(&crds_10, self.folder.join("kustomize/crds.yaml")).expect("a copy");
            let overlay = "resources: [crds.yaml]\ncommonAnnotations: {team: ml}\n";
            fs::write(self.folder.join("kustomize/kustomization.yaml"), overlay).expect("written");
            let kustomize =
                vec![kubectl, "kustomize".to_owned(), self.folder.join("kustomize").to_string_lossy().into_owned()];
            peers =
                vec![("kubectl annotate --local", annotate, 1.0 / 8.0), ("kubectl kustomize", kustomize, 1.0 / 15.0)];
        }
        self.compare("a deep edit in every document", "CRDs, 10 MB", &deep, &crds_10, &peers);
        self.compare(
            "all descriptions out",
            "CRDs, 10 MB",
            &slim,
            &crds_10,
            &[("cat", vec!["cat".into()], f64::INFINITY)],
        );
        let word = self.profile("word", "select: {}", "set: {path: data.key-5, value: \"yes\"}");
        let item = self.profile("item", "select: {kinds: [Deployment.apps]}", "set: {path: spec.replicas, value: 3}");
        for (name, text) in large_documents(20 * MB) {
            let change = if text.contains("kind: List") { &item } else { &word };
            let input = self.file("large.yaml", &text);
            self.compare(
                "a deep edit in one document",
                name,
                change,
                &input,
                &[("cat", vec!["cat".into()], f64::INFINITY)],
            );
        }
        let little = self.file("little.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n");
        if let Some(nothing) = named("CSGHUB_BENCH_TRUE") {
            let words = vec![nothing.to_string_lossy().into_owned()];
            self.start_up(&little, &words);
        }
        for missed in &self.missed {
            println!("\nmissed: {missed}");
        }
        assert!(self.missed.is_empty(), "{} targets are missed", self.missed.len());
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("written");
        path
    }

    fn profile(&self, name: &str, select: &str, change: &str) -> PathBuf {
        let text = format!(
            "format: 1\nname: {name}\npost-render:\n  - name: rule\n    because: a measurement\n    {select}\n    changes:\n      - {change}\n"
        );
        self.file(&format!("{name}.yaml"), &text)
    }

    /// Measures ours beside peers, and prints a row for each of them.
    fn compare(
        &mut self,
        what: &str,
        of: &str,
        profile: &Path,
        input: &Path,
        peers: &[(&'static str, Vec<String>, f64)],
    ) {
        let option = format!("--profile-file={}", profile.display());
        let program = self.program.to_string_lossy().into_owned();
        let mut runners = vec![Runner::new("csghub", &[&program, "post-render", &option], input)];
        for (name, words, _) in peers {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            runners.push(Runner::new(name, &words, input));
        }
        // kubectl needs seconds.
        let rounds =
            if peers.iter().any(|(name, ..)| name.starts_with("kubectl")) { self.rounds.min(3) } else { self.rounds };
        for _ in 0..rounds {
            runners.iter_mut().for_each(Runner::run);
        }
        let (ours, others) = runners.split_first().expect("ours");
        let memory = f64::from(u32::try_from(ours.memory).expect("less than a terabyte")) / 1024.0;
        for (other, (_, _, limit)) in others.iter().zip(peers) {
            let ratio = ours.wall() / other.wall();
            let row = format!(
                "| {what} | {of} | {:.0} ms | {}: {:.0} ms | {ratio:.2} | {} | {memory:.1} MiB |",
                ours.wall(),
                other.name,
                other.wall(),
                if limit.is_finite() { format!("{limit:.2}") } else { "-".to_owned() }
            );
            println!("{row}");
            if ratio > *limit {
                self.missed.push(row);
            }
        }
        let most = 8.0 + 3.0 * largest_document(input);
        if memory * 1.048_576 > most {
            self.missed.push(format!("{what}, {of}: {memory:.1} MiB of memory, {:.1} are allowed", most / 1.048_576));
        }
    }

    /// Measures how long it takes to start and to do nothing.
    fn start_up(&mut self, input: &Path, nothing: &[String]) {
        let program = self.program.to_string_lossy().into_owned();
        let words: Vec<&str> = nothing.iter().map(String::as_str).collect();
        let mut runners =
            [Runner::new("csghub", &[&program, "post-render"], input), Runner::new("static `true`", &words, input)];
        for _ in 0..200 {
            runners.iter_mut().for_each(Runner::run);
        }
        let ratio = runners[0].wall() / runners[1].wall();
        let (ours, other) = (runners[0].wall(), runners[1].wall());
        let row = format!(
            "| start and end, no rules | one document | {ours:.2} ms | static `true`: {other:.2} ms | {ratio:.2} | 3.00 | |"
        );
        println!("{row}");
        if ratio > 3.0 {
            self.missed.push(row);
        }
    }
}

/// Returns the size of the largest document, in megabytes.
fn largest_document(input: &Path) -> f64 {
    let text = fs::read_to_string(input).expect("the input");
    let largest = text.split("\n---").map(str::len).max().unwrap_or_default();
    f64::from(u32::try_from(largest).expect("less than 4 GB")) / 1e6
}

/// Returns so many bytes of ordinary manifests.
fn manifests(bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + 4096);
    let mut number = 0_u64;
    while out.len() < bytes {
        number += 1;
        let _ = write!(
            out,
            "---\n# Source: shop/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{number}\n  labels:\n    \
             app.kubernetes.io/name: web\n    app.kubernetes.io/instance: shop-{number}\n    helm.sh/chart: shop-1.2.3\n  annotations:\n    \
             checksum/config: {:016x}{number:048x}\nspec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: web\n  template:\n    \
             metadata:\n      labels:\n        app.kubernetes.io/name: web\n    spec:\n      containers:\n        - name: web\n          \
             image: \"registry.example.com/shop/web:1.2.{number}\"\n          imagePullPolicy: IfNotPresent\n          args: [\"--listen\", \"0.0.0.0:8080\"]\n          \
             env:\n            - name: DATABASE_URL\n              value: postgres://shop@database:5432/shop\n            - name: LEVEL\n              \
             value: \"info\"\n          ports:\n            - containerPort: 8080\n              name: http\n          readinessProbe:\n            \
             httpGet:\n              path: /healthz\n              port: http\n          resources:\n            limits:\n              cpu: 500m\n              \
             memory: 512Mi\n            requests:\n              cpu: 100m\n              memory: 128Mi\n---\n# Source: shop/templates/service.yaml\napiVersion: v1\n\
             kind: Service\nmetadata:\n  name: web-{number}\n  labels:\n    app.kubernetes.io/name: web\n    app.kubernetes.io/instance: shop-{number}\nspec:\n  \
             type: ClusterIP\n  ports:\n    - port: 80\n      targetPort: http\n      protocol: TCP\n  selector:\n    app.kubernetes.io/name: web\n",
            // As a digest looks: no number to Go.
            0xc0ff_ee00_0000_0000_u64 | number
        );
    }
    out
}

/// Returns documents of so many bytes, in the styles that take memory in different ways.
fn large_documents(bytes: usize) -> [(&'static str, String); 6] {
    let filled = |start: &str, entry: &dyn Fn(usize) -> String, end: &str| {
        let mut out = start.to_owned();
        for number in 0..bytes {
            if out.len() >= bytes {
                break;
            }
            out += &entry(number);
        }
        out + end
    };
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: large\ndata:\n";
    let line = "a line of a file, as files in such maps have them\n";
    let block = |number: usize, header: &str, lines: usize| {
        format!("  key-{number}: {header}\n{}", format!("    {line}").repeat(lines))
    };
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"large\"}, \"data\": {\"key\": \"\"";
    let list = manifests(bytes).replace("---\n", "- \n").lines().fold(String::new(), |mut out, line| {
        let line = if line == "- " { "-" } else { line };
        out.extend([if line == "-" { "" } else { "  " }, line, "\n"]);
        out
    });
    [
        (
            "short values, 20 MB",
            filled(map, &|number| format!("  key-{number}: value number {number}, in words\n"), ""),
        ),
        ("files of 50 lines, 20 MB", filled(map, &|number| block(number, "|", 50), "")),
        ("one file, 20 MB", format!("{map}  key-5: a\n{}", block(0, "|-", bytes / (line.len() + 4)))),
        (
            "JSON on one line, 20 MB",
            filled(json, &|number| format!(", \"key-{number}\": \"value number {number}\\n\""), "}}\n"),
        ),
        (
            "quotes over lines, 20 MB",
            filled(map, &|number| format!("  key-{number}: \"välue\n    number {number}\"\n"), ""),
        ),
        ("a list of manifests, 20 MB", format!("apiVersion: v1\nkind: List\nitems:\n{list}")),
    ]
}

/// Returns so many bytes of CRDs, half a megabyte each, with the words in which such descriptions are written.
fn crds(bytes: usize) -> String {
    let mut out = String::with_capacity(bytes + MB);
    let mut number = 0;
    while out.len() < bytes {
        number += 1;
        let _ = write!(
            out,
            "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    controller-gen.kubebuilder.io/version: v0.17.0\n  \
             name: things{number}.example.com\nspec:\n  group: example.com\n  names:\n    kind: Thing{number}\n    plural: things{number}\n  scope: Namespaced\n  versions:\n  \
             - name: v1\n    schema:\n      openAPIV3Schema:\n        description: Thing says what is wanted of a thing.\n        properties:\n          spec:\n            \
             properties:\n"
        );
        let end = out.len() + 500_000;
        let mut field = 0;
        while out.len() < end {
            field += 1;
            let _ = write!(
                out,
                "              field{field}:\n                description: |-\n                  Field {field} says how the thing is made, and when it is made anew. It may be left out.\n\n                  \
                 More info: https://example.com/docs/things#field-{field}\n                properties:\n                  name:\n                    description: Name of what is \
                 referred to, in the same namespace as the\n                      thing itself. It cannot be changed.\n                    maxLength: 253\n                    \
                 minLength: 1\n                    type: string\n                  values:\n                    items:\n                      type: string\n                    \
                 type: array\n                    x-kubernetes-list-type: atomic\n                required:\n                - name\n                type: object\n"
            );
        }
        out.push_str("            type: object\n        type: object\n    served: true\n    storage: true\n");
    }
    out
}
