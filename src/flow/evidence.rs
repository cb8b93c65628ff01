//! What helps to understand a failure, collected before anything is undone. Best effort: what cannot be had is noted.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::gather;
use super::run::Run;
use crate::domain::event::Stage;
use crate::domain::object::Object;
use crate::domain::plan::Plan;
use crate::domain::redaction;
use crate::domain::trouble;
use crate::edge::cluster::LogRequest;

/// Name of the folder within the run folder.
pub const FOLDER: &str = "evidence";

/// How many lines of a log are kept.
const LOG_LINES: u32 = 500;

/// How many bytes of a log are kept.
const LOG_BYTES: u32 = 1_000_000;

/// Collects the evidence of a failed run, unless that was done before.
pub async fn collect_once(run: &Run<'_>, plan: &Plan) {
    if run.journal().failure().is_none() || run.folder.path().join(FOLDER).is_dir() {
        return;
    }
    let clock = run.session.stage(Stage::Evidence, "collect evidence");
    if let Err(error) = run.folder.make_folder(FOLDER) {
        clock.fail(error.to_string());
        return;
    }
    let mut evidence = Evidence { run, files: 0, missing: Vec::new() };
    evidence.collect(plan).await;
    let Evidence { files, missing, .. } = evidence;
    for line in missing.iter().take(3) {
        run.session.note(format!("evidence is incomplete: {line}"));
    }
    clock.finish(format!("{files} files"));
}

struct Evidence<'a, 's> {
    run: &'a Run<'s>,
    files: usize,
    missing: Vec<String>,
}

impl Evidence<'_, '_> {
    async fn collect(&mut self, plan: &Plan) {
        self.history(plan).await;
        self.helm_texts();
        let objects: Vec<_> = plan.before.iter().map(|before| before.object.clone()).collect();
        let live = self.run.session.cluster.read_objects(&objects).await;
        let mut namespaces: BTreeSet<String> = [plan.namespace.clone()].into();
        for (object, live) in live {
            match live {
                Ok(Some(live)) => {
                    namespaces.extend(object.namespace.clone());
                    let place = object.namespace.as_deref().unwrap_or("cluster");
                    self.json(
                        &format!("objects/{place}/{}.{}.json", object.kind, object.name),
                        &redaction::redacted(&live),
                    );
                }
                Ok(None) => {}
                Err(error) => self.missing.push(error.to_string()),
            }
        }
        for namespace in &namespaces {
            self.events(namespace).await;
            self.pods(namespace).await;
        }
    }

    /// What Helm wrote, as long as it may be: the report shows four lines of it.
    fn helm_texts(&mut self) {
        let entries = std::fs::read_dir(self.run.folder.path()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| name.starts_with("helm-")).collect::<Vec<_>>() {
            match self.run.folder.read(&name) {
                Ok(content) => self.text(&name, &String::from_utf8_lossy(&content.unwrap_or_default())),
                Err(error) => self.missing.push(error.to_string()),
            }
        }
    }

    async fn history(&mut self, plan: &Plan) {
        match gather::read_history(self.run.session, &plan.release).await {
            Ok(history) => {
                let mut text = String::new();
                for revision in &history {
                    let release = &revision.release;
                    let chart = &release.chart.metadata;
                    let _ = writeln!(
                        text,
                        "revision {} {} {} {} {}",
                        release.revision, release.info.status, chart.name, chart.version, release.info.description
                    );
                }
                self.text("history.txt", &text);
            }
            Err(failure) => self.missing.push(format!("{:#}", failure.error)),
        }
    }

    async fn events(&mut self, namespace: &str) {
        let events = match self.run.session.cluster.list_events(namespace).await {
            Ok(events) => events,
            Err(error) => return self.missing.push(error.to_string()),
        };
        let mut lines: Vec<String> = events.iter().map(event_line).collect();
        lines.sort();
        if !lines.is_empty() {
            self.text(&format!("events/{namespace}.txt"), &(lines.join("\n") + "\n"));
        }
    }

    async fn pods(&mut self, namespace: &str) {
        let pods = match self.run.session.cluster.list_pods(namespace).await {
            Ok(pods) => pods,
            Err(error) => return self.missing.push(error.to_string()),
        };
        for pod in pods.iter().filter(|pod| is_unwell(pod)) {
            self.json(&format!("pods/{namespace}/{}.json", pod.name()), &redaction::redacted(pod));
            for container in containers(pod) {
                for (previous, suffix) in [(false, "log"), (true, "previous.log")] {
                    let cluster = &self.run.session.cluster;
                    let request = LogRequest {
                        namespace,
                        pod: pod.name(),
                        container: &container,
                        previous,
                        tail_lines: LOG_LINES,
                        limit_bytes: LOG_BYTES,
                    };
                    match cluster.read_log(request).await {
                        Ok(log) if !log.trim().is_empty() => {
                            self.text(&format!("pods/{namespace}/{}.{container}.{suffix}", pod.name()), &log);
                        }
                        Ok(_) => {}
                        // Most containers have no previous log, and a pod that never started has none at all.
                        Err(_) if previous => {}
                        Err(error) => self.missing.push(error.to_string()),
                    }
                }
            }
        }
    }

    fn json(&mut self, name: &str, value: &serde_json::Value) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.text(name, &text),
            Err(error) => self.missing.push(error.to_string()),
        }
    }

    /// Every text is masked on its way to the disk.
    fn text(&mut self, name: &str, text: &str) {
        let name = format!("{FOLDER}/{}", name.replace(':', "-"));
        let folder = name.rsplit_once('/').map_or(FOLDER, |(folder, _)| folder);
        let masked = self.run.session.mask(text);
        let written = self.run.folder.make_folder(folder).and_then(|_| self.run.folder.write(&name, masked.as_bytes()));
        match written {
            Ok(_) => self.files += 1,
            Err(error) => self.missing.push(error.to_string()),
        }
    }
}

fn event_line(event: &Object) -> String {
    let text = |pointer: &str| event.text_at(pointer).unwrap_or_default();
    let time = [text("/lastTimestamp"), text("/eventTime"), text("/metadata/creationTimestamp")];
    let time = time.iter().find(|time| !time.is_empty()).copied().unwrap_or_default();
    let object = format!("{} {}", text("/involvedObject/kind"), text("/involvedObject/name"));
    format!("{time} {} {object} {}: {}", text("/type"), text("/reason"), text("/message").replace('\n', " "))
}

fn is_unwell(pod: &Object) -> bool {
    let is_ready = pod.condition("Ready").and_then(|ready| ready.get("status")).and_then(|status| status.as_str());
    let has_succeeded = pod.text_at("/status/phase") == Some("Succeeded");
    trouble::pod_trouble(pod).is_some() || (is_ready != Some("True") && !has_succeeded)
}

fn containers(pod: &Object) -> Vec<String> {
    ["/spec/initContainers", "/spec/containers"]
        .iter()
        .flat_map(|list| pod.list_at(list))
        .filter_map(|container| container.get("name").and_then(|name| name.as_str()).map(str::to_owned))
        .collect()
}
