//! The program as its users run it: the real binary, on a release of its own, with folders of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::bed::{Bed, TestNamespace};
use super::contents::Contents;
use super::helm::Helm;
use super::snapshot::Snapshot;

/// Longer than any command of these tests takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(4);

/// Returns the program; `CSGHUB_BIN` names another one than the one that was built with the tests.
pub fn program() -> PathBuf {
    std::env::var_os("CSGHUB_BIN").map_or_else(|| env!("CARGO_BIN_EXE_csghub").into(), PathBuf::from)
}

/// Returns the folder of one of our charts, such as `hubble-2.0.0`.
pub fn chart(name: &str) -> String {
    format!("{}/tests/charts/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Where one test plays: a namespace, a Helm, a home and a state folder that nobody else has.
pub struct Scene<'a> {
    /// The bed.
    pub bed: &'a Bed,
    /// Its namespace.
    pub namespace: TestNamespace<'a>,
    /// Its Helm: the newest, unless the test chose another.
    pub helm: Helm,
    /// Name of the release.
    pub release: String,
    /// Who the program is; the administrator unless the test chose a user.
    pub kubeconfig: PathBuf,
    home: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    /// Returns a scene with the newest Helm and no release yet.
    pub fn new(bed: &'a Bed, purpose: &str) -> Self {
        Self::with_helm(bed, purpose, Helm::newest())
    }

    /// Returns a scene with that Helm.
    pub fn with_helm(bed: &'a Bed, purpose: &str, helm: Helm) -> Self {
        Self::set(bed, bed.namespace(purpose), "shop", helm)
    }

    /// Returns a scene in a namespace of that very name: only on a bed of the test's own.
    pub fn in_namespace(bed: &'a Bed, namespace: &str, release: &str, helm: Helm) -> Self {
        Self::set(bed, bed.named_namespace(namespace), release, helm)
    }

    fn set(bed: &'a Bed, namespace: TestNamespace<'a>, release: &str, helm: Helm) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for folder in ["state", "tmp", "home"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        Self { bed, namespace, helm, release: release.to_owned(), kubeconfig: bed.kubeconfig.clone(), home }
    }

    /// Returns a scene in which hubble 1.0.0 runs, with these flags.
    pub fn hubble(bed: &'a Bed, purpose: &str, flags: &[&str]) -> Self {
        let scene = Self::new(bed, purpose);
        scene.install("hubble-1.0.0", flags);
        scene
    }

    /// Installs a chart of ours with plain Helm, and waits for its pods and Jobs.
    pub fn install(&self, name: &str, flags: &[&str]) {
        let chart = chart(name);
        let mut words = vec!["install", &self.release, &chart, "-n", &self.namespace.name];
        words.extend(["--wait", "--wait-for-jobs", "--skip-crds"]);
        words.extend(flags);
        self.helm.run(&self.bed.kubeconfig, &words).must();
    }

    /// Installs a chart from a folder with plain Helm, and waits until every Job has ended.
    pub fn install_folder(&self, chart: &str) {
        let words = ["install", &self.release, chart, "-n", &self.namespace.name, "--wait", "--wait-for-jobs"];
        self.helm.run(&self.bed.kubeconfig, &words).must();
    }

    /// Returns the folder of the runs' folders.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// Returns the folder that the program has for temporary files.
    pub fn temporary(&self) -> PathBuf {
        self.home.path().join("tmp")
    }

    /// Returns a folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Returns the program in the environment of a user with this Helm, these folders and no terminal.
    pub fn command<A: AsRef<OsStr>>(&self, words: &[A]) -> Command {
        self.in_environment(program(), words)
    }

    /// Returns any other program in the same environment.
    pub fn in_environment<A: AsRef<OsStr>>(&self, program: PathBuf, words: &[A]) -> Command {
        let mut command = Command::new(program);
        for (name, value) in self.helm.command(&self.kubeconfig).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .env("HELM_BIN", &self.helm.binary)
            .env("HELM_NAMESPACE", &self.namespace.name)
            .env("XDG_STATE_HOME", self.state())
            .env("HOME", self.home.path().join("home"))
            .env("TMPDIR", self.temporary())
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS")
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run<A: AsRef<OsStr>>(&self, words: &[A]) -> Ran {
        Running::start(self.command(words)).end()
    }

    /// Returns the words of `upgrade --yes` of the release to hubble 2.0.0 with these flags.
    pub fn upgrade_words(&self, flags: &[&str]) -> Vec<String> {
        let words = ["upgrade", &self.release, &chart("hubble-2.0.0"), "--yes", "--skip-crds"];
        words.iter().chain(flags).map(|word| (*word).to_owned()).collect()
    }

    /// Runs `upgrade --yes` of the release to hubble 2.0.0 with these flags.
    pub fn upgrade(&self, flags: &[&str]) -> Ran {
        self.run(&self.upgrade_words(flags))
    }

    /// Starts the same.
    pub fn start_upgrade(&self, flags: &[&str]) -> Running {
        Running::start(self.command(&self.upgrade_words(flags)))
    }

    /// Returns every revision of the release and its status, oldest first.
    pub fn history(&self) -> Vec<(u64, String)> {
        let words = ["history", &self.release, "-n", &self.namespace.name, "-o", "json"];
        let ran = self.helm.run(&self.bed.kubeconfig, &words);
        if ran.code != 0 {
            assert!(ran.stderr.contains("not found"), "{}", ran.stderr);
            return Vec::new();
        }
        let listed: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let revision = |row: &Value| {
            (row["revision"].as_u64().expect("a number"), row["status"].as_str().expect("a text").to_owned())
        };
        listed.as_array().expect("a list").iter().map(revision).collect()
    }

    /// Returns the newest revision and its status.
    pub fn newest(&self) -> (u64, String) {
        self.history().pop().expect("the release is there")
    }

    /// Returns the state of the namespace: what must be the same after a command that changes nothing.
    pub fn state_of_all(&self) -> Unchanged {
        Unchanged { versions: Snapshot::of_namespace(self.bed, &self.namespace.name), contents: self.contents() }
    }

    /// Returns what a user set in the objects of the namespace.
    pub fn contents(&self) -> Contents {
        Contents::of_namespace(self.bed, &self.namespace.name)
    }

    /// Returns the names of the Secrets that hold the records of runs.
    pub fn records(&self) -> Vec<String> {
        let words = ["get", "secrets", "-n", &self.namespace.name, "-o", "name"];
        let names = self.bed.kubectl(&words);
        let ours = names.lines().filter_map(|name| name.strip_prefix("secret/"));
        ours.filter(|name| name.starts_with("csghub.run.")).map(str::to_owned).collect()
    }

    /// Returns the text that a record holds.
    pub fn record_text(&self, name: &str) -> String {
        let record = self.bed.get(&self.namespace.name, "secret", name).expect("the record");
        let stored = BASE64_STANDARD.decode(record["data"]["content"].as_str().expect("a text")).expect("base64");
        let mut text = String::new();
        if record["metadata"]["annotations"]["helm-csghub/encoding"] == "plain" {
            text = String::from_utf8(stored).expect("text");
        } else {
            GzDecoder::new(stored.as_slice()).read_to_string(&mut text).expect("gzip");
        }
        text
    }

    /// Returns the names of the Leases.
    pub fn leases(&self) -> Vec<String> {
        let names = self.bed.kubectl(&["get", "leases", "-n", &self.namespace.name, "-o", "name"]);
        names.lines().map(str::to_owned).collect()
    }

    /// Asserts that no run left a lease, inputs or an open journal, and the release no pending revision.
    #[track_caller]
    pub fn assert_tidy(&self) {
        assert_eq!(self.leases(), Vec::<String>::new(), "a lease is left");
        for name in self.records() {
            assert!(!name.ends_with("-inputs"), "{name} is left");
            let record = self.bed.get(&self.namespace.name, "secret", &name).expect("it was listed");
            assert_eq!(record["metadata"]["labels"]["helm-csghub/state"], "finished", "{name} is open");
        }
        if let Some((revision, status)) = self.history().pop() {
            assert!(!status.starts_with("pending-") && status != "uninstalling", "revision {revision} is {status}");
        }
    }

    /// Returns the processes that were started in this scene, ours and Helm's, with their command lines.
    pub fn processes(&self) -> Vec<(u32, String)> {
        let mark = format!("XDG_STATE_HOME={}", self.state().display());
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("Linux").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // One that ends meanwhile cannot be read.
            let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
            if environment.split(|byte| *byte == 0).any(|pair| pair == mark.as_bytes()) {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }

    /// Waits until no process of this scene runs any more.
    #[track_caller]
    pub fn wait_for_quiet(&self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let running = self.processes();
            if running.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still at work: {running:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Returns the processes of Helm alone.
    pub fn helms(&self) -> Vec<u32> {
        let binary = format!("{} ", self.helm.binary.display());
        self.processes().into_iter().filter(|(_, line)| line.starts_with(&binary)).map(|(pid, _)| pid).collect()
    }

    /// Returns the folders of the runs, oldest first.
    pub fn runs(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(self.state().join("helm-csghub/runs")) else { return Vec::new() };
        let mut runs: Vec<PathBuf> = found.map(|entry| entry.expect("an entry").path()).collect();
        runs.retain(|path| path.is_dir());
        runs.sort();
        runs
    }

    /// Returns the folder of the newest run.
    pub fn last_run(&self) -> PathBuf {
        self.runs().pop().expect("a run")
    }
}

/// The state of a namespace.
pub struct Unchanged {
    versions: Snapshot,
    contents: Contents,
}

impl Unchanged {
    /// Asserts that nothing was changed since.
    #[track_caller]
    pub fn assert_unchanged(&self, scene: &Scene<'_>) {
        let later = scene.state_of_all();
        assert_eq!(self.versions.changes_until(&later.versions), Vec::<String>::new(), "versions");
        assert_eq!(self.contents.differences(&later.contents, &[]), Vec::<String>::new(), "contents");
    }

    /// Returns `Kind namespace name` of every object.
    pub fn names(&self) -> Vec<&str> {
        self.versions.names().collect()
    }
}

/// A line of output, and when it came.
#[derive(Debug, Clone)]
pub struct Line {
    /// When.
    pub at: Instant,
    /// Without its end.
    pub text: String,
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; -1 if it was killed.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its output.
    pub stdout: String,
    /// Its complaints and progress.
    pub stderr: String,
    /// The lines of stderr with their times.
    pub lines: Vec<Line>,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Asserts the exit code; a failure shows the whole output.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that the output says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "not said: {text}\n{}", self.all());
        self
    }

    /// Asserts that the output does not say this.
    #[track_caller]
    pub fn says_not(self, text: &str) -> Self {
        assert!(!self.all().contains(text), "said: {text}\n{}", self.all());
        self
    }

    /// Returns both streams; line breaks of the layout within a sentence are spaces.
    pub fn all(&self) -> String {
        let all = format!("{}\n{}", self.stderr, self.stdout);
        let flat = all.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        format!("{all}\n--- as one line\n{flat}")
    }

    /// Returns the JSON document that stdout is.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.all()))
    }
}

/// A command that runs; killed if it is dropped.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Stream,
    stderr: Stream,
}

/// One of its two streams, read line by line in a thread of its own.
struct Stream {
    lines: Arc<Mutex<Vec<Line>>>,
    reader: Option<JoinHandle<()>>,
}

impl Stream {
    fn read(source: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let text = String::from_utf8_lossy(&line).into_owned();
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(Line { at: Instant::now(), text });
            }
        });
        Self { lines, reader: Some(reader) }
    }

    fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end of the stream.
    fn end(&mut self) -> Vec<Line> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("read");
        }
        self.lines()
    }
}

fn text_of(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &line.text + "\n")
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stdout = Stream::read(child.stdout.take().expect("piped"));
        let stderr = Stream::read(child.stderr.take().expect("piped"));
        Self { child, started, stdout, stderr }
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the lines of stderr so far.
    pub fn lines(&self) -> Vec<Line> {
        self.stderr.lines()
    }

    /// Returns the lines of stdout so far.
    pub fn output(&self) -> Vec<Line> {
        self.stdout.lines()
    }

    /// Tells whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) {
        signal(self.pid(), which);
    }

    /// Waits until `condition` returns something; nothing if the command ended first.
    pub fn until<T>(&mut self, condition: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        self.wait_until(condition, Duration::from_millis(50))
    }

    /// Waits likewise, and looks as often as it can: for what is over in a moment.
    pub fn until_soon<T>(&mut self, condition: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        self.wait_until(condition, Duration::from_millis(1))
    }

    fn wait_until<T>(&mut self, mut condition: impl FnMut(&Self) -> Option<T>, pause: Duration) -> Option<T> {
        let deadline = self.started + PATIENCE;
        while Instant::now() < deadline {
            let has_ended = self.has_ended();
            if let Some(found) = condition(self) {
                return Some(found);
            }
            if has_ended {
                return None;
            }
            std::thread::sleep(pause);
        }
        panic!("it did not come to it within {PATIENCE:?}: {:?}", self.lines());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ran {
        let deadline = self.started + PATIENCE;
        while !self.has_ended() {
            assert!(Instant::now() < deadline, "it still runs after {PATIENCE:?}: {:?}", self.lines());
            std::thread::sleep(Duration::from_millis(10));
        }
        let took = self.started.elapsed();
        let status = self.child.wait().expect("it ended");
        let (stdout, lines) = (text_of(&self.stdout.end()), self.stderr.end());
        let (code, signal) = (status.code().unwrap_or(-1), status.signal());
        Ran { code, signal, stdout, stderr: text_of(&lines), lines, took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or the test failed and says so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process; one that has ended is left alone.
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    // Gone already: nothing to signal.
    let _ = rustix::process::kill_process(pid, signal);
}

/// Returns every file below a folder, folders included.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
