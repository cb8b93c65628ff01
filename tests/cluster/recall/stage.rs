//! A case on stage: a namespace in which it plays, the charts made of its manifests, and the commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::case::{Case, Document, Places, documents, is_cluster_scoped};
use crate::support::bed::random_word;
use crate::support::helm::HelmOutput;
use crate::support::user::Rule;
use crate::support::{Bed, BedUser, Helm, Scene};

/// How long the cluster may take for what it does by itself.
const PATIENCE: Duration = Duration::from_mins(2);
const TIMEOUT: &str = "--timeout=120s";

/// The ports that the cluster itself gives out last (`ServiceNodePortStaticSubrange`).
const FIRST_PORT: u16 = 30_000;
const PORTS: u16 = 84;

pub(super) struct Stage<'a> {
    pub(super) case: &'a Case,
    pub(super) bed: &'a Bed,
    pub(super) scene: Scene<'a>,
    pub(super) user: BedUser<'a>,
    pub(super) places: Places,
    pub(super) before: Vec<Document>,
    /// Absent: the release is installed by the command in question.
    pub(super) from: Option<Vec<Document>>,
    /// Absent: it is uninstalled. Cures change it.
    pub(super) to: Option<Vec<Document>>,
    pub(super) hand: Vec<Document>,
    pub(super) record_kilobytes: usize,
    /// Flags that cure a chart of ours; empty until it was refused.
    pub(super) cure_flags: Vec<String>,
}

impl<'a> Stage<'a> {
    /// Sets the stage: what was there before, the release as it was, what somebody edited by hand.
    pub(super) fn set(bed: &'a Bed, case: &'a Case) -> Self {
        static NEXT_PORT: AtomicU16 = AtomicU16::new(0);
        let helm = Helm::all().into_iter().find(|helm| helm.version == case.arm.version());
        let helm = helm.unwrap_or_else(|| panic!("the bed has no Helm {}", case.arm.version()));
        let mut scene = Scene::with_helm(bed, "recall", helm);
        let namespace = scene.namespace.name.clone();
        let port = FIRST_PORT + NEXT_PORT.fetch_add(2, Ordering::Relaxed) % PORTS;
        let places = Places { namespace: namespace.clone(), ports: [port, port + 1] };
        let user = bed.user(&namespace);
        scene.kubeconfig.clone_from(&user.kubeconfig);
        let read = |name: &str| case.file(name, &places).map(|text| documents(&text, &namespace));
        let mut stage = Self {
            before: read("before.yaml").unwrap_or_default(),
            from: read("from.yaml"),
            to: read("to.yaml"),
            hand: read("hand.yaml").unwrap_or_default(),
            record_kilobytes: case.setting.record_kilobytes,
            cure_flags: Vec::new(),
            case,
            bed,
            scene,
            user,
            places,
        };
        stage.render_charts();
        stage.grant();
        stage.prepare();
        stage.install();
        stage.edit_by_hand();
        stage
    }

    pub(super) fn namespace(&self) -> &str {
        &self.places.namespace
    }

    /// The manifests of charts of ours, for their names.
    fn render_charts(&mut self) {
        let Some(charts) = self.case.setting.charts.clone() else { return };
        let render = |chart: Option<&String>| {
            let chart = crate::support::program::chart(chart?);
            let mut words = vec!["template", "shop", &chart, "-n", self.namespace(), "--kube-version=1.36.0"];
            words.extend(self.case.setting.flags.iter().map(String::as_str));
            Some(documents(&self.scene.helm.run(&self.bed.kubeconfig, &words).must(), self.namespace()))
        };
        let (from, to) = (render(charts.from.as_ref()), render(charts.to.as_ref()));
        (self.from, self.to) = (from, to);
    }

    fn grant(&self) {
        let Some(rights) = &self.case.setting.rights else {
            self.user.grant_cluster_role("cluster-admin");
            return;
        };
        for right in rights {
            let (resources, verbs): (Vec<&str>, Vec<&str>) = (
                right.resources.iter().map(String::as_str).collect(),
                right.verbs.iter().map(String::as_str).collect(),
            );
            let rule = Rule { group: &right.group, resources: &resources, verbs: &verbs };
            self.user.grant(self.namespace(), &[rule]);
        }
    }

    /// Runs kubectl as the administrator; in the namespace, unless what it is given says where.
    fn kubectl(&self, words: &[&str], input: Option<&str>) -> Result<String, String> {
        let namespace = if input.is_some() { &[][..] } else { &["-n", self.namespace()][..] };
        let words: Vec<&str> = words.iter().chain(namespace).copied().collect();
        let output = self.bed.try_kubectl(&words, input);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.into_owned()) } else { Err(format!("kubectl {}: {err}", words.join(" "))) }
    }

    /// Applies objects as that field manager, who then has all that they set.
    pub(super) fn apply(&self, documents: &[Document], manager: &str) {
        if documents.is_empty() {
            return;
        }
        let manager = format!("--field-manager={manager}");
        let words = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
        self.kubectl(&words, Some(&text_of(documents))).unwrap_or_else(|error| panic!("{error}"));
    }

    fn prepare(&self) {
        // What is made first, others of the file need.
        let (first, rest): (Vec<_>, Vec<_>) =
            self.before.iter().cloned().partition(|document| is_cluster_scoped(kind_of(document)));
        self.apply(&first, "administrator");
        for crd in first.iter().filter(|document| kind_of(document) == "CustomResourceDefinition") {
            let name = format!("crd/{}", crd.value["metadata"]["name"].as_str().expect("a name"));
            self.must(&["wait", "--for=condition=Established", &name, TIMEOUT]);
        }
        self.apply(&rest, "administrator");
        if Self::has("ResourceQuota", &self.before) {
            self.must(&["wait", "--for=jsonpath={.status.used}", "resourcequota", "--all", TIMEOUT]);
        }
        let guards = ["ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration"];
        if guards.iter().any(|kind| Self::has(kind, &self.before)) {
            self.wait_for_guard();
        }
        let all = self.from.iter().chain(&self.to).flatten();
        if all.clone().any(|document| kind_of(document) == "Pod") {
            self.must(&["wait", "--for=create", "serviceaccount/default", TIMEOUT]);
        }
    }

    fn must(&self, words: &[&str]) -> String {
        self.kubectl(words, None).unwrap_or_else(|error| panic!("{error}"))
    }

    fn has(kind: &str, documents: &[Document]) -> bool {
        documents.iter().any(|document| kind_of(document) == kind)
    }

    /// A policy counts some time after it was made. Every one of the corpus refuses this ConfigMap.
    fn wait_for_guard(&self) {
        let probe = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "policy-probe", "namespace": self.namespace(), "labels": {"guarded": "yes"}}});
        let deadline = Instant::now() + PATIENCE;
        while self.kubectl(&["create", "--dry-run=server", "-f", "-"], Some(&probe.to_string())).is_ok() {
            assert!(Instant::now() < deadline, "the policy refuses nothing");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn install(&self) {
        let Some(from) = &self.from else { return };
        let charts = self.case.setting.charts.as_ref();
        let chart = match charts.and_then(|charts| charts.from.as_ref()) {
            Some(chart) => crate::support::program::chart(chart),
            None => self.chart("1.0.0", from, 0),
        };
        let mut words = vec!["install", "shop", &chart, "-n", self.namespace(), "--skip-crds"];
        words.extend(self.case.arm.flags());
        if charts.is_some() {
            words.extend(self.case.setting.flags.iter().map(String::as_str));
        }
        if self.case.setting.wait {
            words.extend(["--wait", "--wait-for-jobs"]);
        }
        self.scene.helm.run(&self.bed.kubeconfig, &words).must();
    }

    fn edit_by_hand(&self) {
        for line in &self.case.setting.hand {
            let line = self.places.fill(line);
            let words: Vec<&str> = line.split_whitespace().collect();
            self.must(&words);
        }
        self.apply(&self.hand, "somebody");
    }

    /// Writes a chart with these objects as its templates, and returns its folder.
    fn chart(&self, version: &str, documents: &[Document], record_kilobytes: usize) -> String {
        let folder = self.scene.folder().join(format!("chart-{}", random_word()));
        fs::create_dir_all(folder.join("templates")).expect("a folder");
        let about = format!("apiVersion: v2\nname: case\nversion: {version}\n");
        fs::write(folder.join("Chart.yaml"), about).expect("written");
        for (index, document) in documents.iter().enumerate() {
            let path = folder.join(format!("templates/{index:02}.yaml"));
            fs::write(path, &document.text).expect("written");
        }
        if record_kilobytes > 0 {
            // Hexadecimal digits are packed to half their size.
            let noise: String = (0..record_kilobytes * 256).map(|_| random_word()).collect();
            fs::write(folder.join("noise.txt"), &noise[..record_kilobytes * 2048]).expect("written");
        }
        folder.to_str().expect("UTF-8").to_owned()
    }

    /// Returns the words of the command in question, without the program; with the chart as it is after the cures so far.
    pub(super) fn helm_words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        if let Some(to) = &self.to {
            let chart = match self.case.setting.charts.as_ref().and_then(|charts| charts.to.as_ref()) {
                Some(chart) => crate::support::program::chart(chart),
                None => self.chart("2.0.0", to, self.record_kilobytes),
            };
            words.extend(["upgrade".to_owned(), "shop".to_owned(), chart, "--skip-crds".to_owned()]);
            if self.from.is_none() {
                words.push("--install".to_owned());
            }
            words.extend(self.case.arm.flags().iter().map(|flag| (*flag).to_owned()));
        } else {
            words.extend(["uninstall".to_owned(), "shop".to_owned()]);
        }
        words.extend(self.case.setting.flags.iter().map(|flag| self.places.fill(flag)));
        words.extend(self.cure_flags.clone());
        words
    }

    /// Runs plain Helm as the user.
    pub(super) fn helm(&self, further: &[&str]) -> HelmOutput {
        let mut words = self.helm_words();
        words.extend(["-n".to_owned(), self.namespace().to_owned()]);
        words.extend(further.iter().map(|word| (*word).to_owned()));
        self.scene.helm.run(&self.user.kubeconfig, &words)
    }

    /// Returns the words of its rehearsal.
    pub(super) fn rehearse_words(&self) -> Vec<String> {
        let helm = self.helm_words();
        let json = ["-n", self.namespace(), "-o", "json"].map(str::to_owned);
        let mut words = vec!["rehearse".to_owned()];
        if self.to.is_some() {
            words.extend(helm.into_iter().skip(1));
            words.extend(json);
        } else {
            words.extend(json);
            words.extend(["--".to_owned(), self.scene.helm.binary.to_str().expect("UTF-8").to_owned()]);
            words.extend(helm);
            words.extend(["-n".to_owned(), self.namespace().to_owned()]);
        }
        words
    }

    /// Returns what asks Helm's own dry run.
    pub(super) fn dry_run_flag(&self) -> &'static str {
        if self.to.is_some() { "--dry-run=server" } else { "--dry-run" }
    }

    /// Returns a script that runs Helm and then reads every object, and the file to which it writes them. In a rehearsal it sees
    /// what would have been.
    pub(super) fn script(&self) -> Option<(PathBuf, PathBuf)> {
        let objects = self.file_of_all()?;
        let (out, kubectl) = (self.scene.folder().join("rehearsed.json"), self.bed.kubectl.display());
        let helm = self.helm_words().iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let helm = format!("'{}' {helm} -n {}", self.scene.helm.binary.display(), self.namespace());
        let get = super::real::get_words(&objects).join(" ");
        let text = format!("{helm} || exit 1\n'{kubectl}' {get} > '{}'\n", out.display());
        Some((self.write("script.sh", &text), out))
    }

    /// Removes what does not go with the namespace.
    pub(super) fn clear(&self) {
        let all = [Some(&self.before), self.from.as_ref(), self.to.as_ref(), Some(&self.hand)];
        let mut left: Vec<Document> = all
            .into_iter()
            .flatten()
            .flatten()
            .filter(|document| is_cluster_scoped(kind_of(document)))
            .cloned()
            .collect();
        // Guards first: they may refuse that the rest is deleted.
        left.sort_by_key(|document| !kind_of(document).starts_with("Validating"));
        if !left.is_empty() {
            let words = ["delete", "--wait=false", "--ignore-not-found", "-f", "-"];
            // What is left over disturbs nobody: its name holds the namespace.
            let _ = self.kubectl(&words, Some(&text_of(&left)));
        }
    }

    /// Writes every object that a manifest of the case names to a file; nothing if there is none.
    pub(super) fn file_of_all(&self) -> Option<String> {
        let mut named: BTreeMap<&str, &Document> = BTreeMap::new();
        for documents in [Some(&self.before), self.from.as_ref(), self.to.as_ref(), Some(&self.hand)] {
            named.extend(documents.into_iter().flatten().map(|document| (document.id.as_str(), document)));
        }
        let documents: Vec<Document> = named.into_values().cloned().collect();
        if documents.is_empty() {
            return None;
        }
        Some(self.write("named.yaml", &text_of(&documents)).to_str().expect("UTF-8").to_owned())
    }

    /// Writes text to a file of the scene.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.scene.folder().join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

/// Returns the kind of a document.
pub(super) fn kind_of(document: &Document) -> &str {
    document.value["kind"].as_str().unwrap_or_default()
}

/// Returns documents as one file that kubectl takes.
pub(super) fn text_of(documents: &[Document]) -> String {
    documents.iter().map(|document| document.value.to_string()).collect::<Vec<_>>().join("\n")
}
