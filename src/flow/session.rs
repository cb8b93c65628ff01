//! What every use case needs: the cluster, the user's Helm, the run folders, and how to tell and ask.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::failure::Failure;
use super::inputs::Inputs;

use crate::domain::event::{Event, Stage};
use crate::domain::facts::HelmDriver;
use crate::domain::helm_flags::{FlagTable, HelmArgs};
use crate::domain::masking::Masker;
use crate::domain::profile::Rule;
use crate::edge::cluster::{Cluster, ClusterOptions};
use crate::edge::disk;
use crate::edge::helm::{Helm, HelmEnvironment};
use crate::edge::host::{Identity, Interrupts};

/// The open neighbours of one command.
pub struct Session {
    /// The API server.
    pub cluster: Cluster,
    /// The user's Helm.
    pub helm: Helm,
    /// Its version.
    pub helm_version: semver::Version,
    /// Namespace of the release.
    pub namespace: String,
    /// Where Helm keeps releases.
    pub driver: HelmDriver,
    /// Folder of all run folders.
    pub runs_root: PathBuf,
    /// Ctrl-C, SIGTERM, a closed terminal.
    pub interrupts: Interrupts,
    /// This process.
    pub identity: Identity,
    /// Knows every secret value that was seen.
    pub masker: RefCell<Masker>,
    /// Takes the progress notices.
    pub emit: Box<dyn Fn(&Event)>,
}

/// The environment of the process, and the flags that stand above it.
pub struct Surroundings<'a> {
    /// Reads an environment variable; nothing for one that is unset or empty.
    pub read_variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// `-n`, where we are called without Helm.
    pub namespace: Option<&'a str>,
    /// `--kubeconfig`, likewise.
    pub kubeconfig: Option<&'a OsStr>,
    /// `--kube-context`, likewise.
    pub kube_context: Option<&'a str>,
}

impl Session {
    /// Opens the neighbours of a command.
    ///
    /// # Errors
    /// Exit 20 if Helm is not found or too strange, if the cluster cannot be reached, if no run folder can be had.
    pub async fn open(surroundings: &Surroundings<'_>, emit: Box<dyn Fn(&Event)>) -> Result<Self, Failure> {
        let read = surroundings.read_variable;
        let mut options = ClusterOptions::from_environment(read);
        if let Some(namespace) = surroundings.namespace {
            options.namespace = Some(namespace.to_owned());
        }
        if let Some(kubeconfig) = surroundings.kubeconfig {
            options.kubeconfig = Some(kubeconfig.to_owned());
        }
        if let Some(context) = surroundings.kube_context {
            options.context = Some(context.to_owned());
        }
        // Before Helm is asked anything: it would fail at an unknown driver in words of its own.
        let driver = driver(read)?;
        let interrupts = Interrupts::listen().context("listen for signals")?;
        end_with_parent(read);
        let cluster = Cluster::connect(&options).await?;
        let namespace = cluster.namespace().to_owned();
        let mut environment = HelmEnvironment::default().with_namespace(&namespace);
        if let Some(kubeconfig) = surroundings.kubeconfig {
            environment = environment.with_kubeconfig(kubeconfig);
        }
        if let Some(context) = surroundings.kube_context {
            environment = environment.with_kube_context(context);
        }
        let helm = locate_helm(read)?.with_environment(environment);
        let helm_version = helm.version().await.map_err(Failure::blocked)?;
        let path = |name: &str| read(name).map(PathBuf::from);
        let runs_root = disk::runs_root(path("XDG_STATE_HOME"), path("HOME")).ok_or_else(|| {
            Failure::blocked(anyhow::anyhow!("neither XDG_STATE_HOME nor HOME is set: no place for run folders"))
        })?;
        Ok(Self {
            cluster,
            helm,
            helm_version,
            namespace,
            driver,
            runs_root,
            interrupts,
            identity: Identity::of_this_process(),
            masker: RefCell::new(Masker::new()),
            emit,
        })
    }

    /// Tells a progress notice; its text is masked.
    pub fn tell(&self, event: &Event) {
        self.learn_secrets();
        (self.emit)(&masked(event, &self.masker.borrow()));
    }

    /// Lets the masker know the Secrets that were read since the last time.
    pub fn learn_secrets(&self) {
        let mut masker = self.masker.borrow_mut();
        for secret in self.cluster.take_secrets_seen() {
            masker.add_object(&secret);
        }
    }

    /// Tells something that the user should know and that stops nothing.
    pub fn note(&self, what: impl Into<String>) {
        self.tell(&Event::Note { what: what.into() });
    }

    /// Tells that a stage begins, and returns its clock.
    pub fn stage(&self, stage: Stage, what: impl Into<String>) -> StageClock<'_> {
        self.tell(&Event::StageStarted { stage, what: what.into() });
        StageClock { session: self, stage, began: Instant::now() }
    }

    /// Returns `text` without the secret values that were seen.
    pub fn mask(&self, text: &str) -> String {
        self.learn_secrets();
        self.masker.borrow().mask(text)
    }
}

fn masked(event: &Event, masker: &Masker) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::StageStarted { what, .. }
        | Event::Progress { what, .. }
        | Event::StageFinished { what, .. }
        | Event::StageFailed { what, .. }
        | Event::Note { what }
        | Event::Detail { what } => *what = masker.mask(what),
        Event::Trouble { what, log, .. } => {
            *what = masker.mask(what);
            for line in log {
                *line = masker.mask(line);
            }
        }
    }
    event
}

/// Reads the files and URLs that Helm's flags name.
///
/// # Errors
/// Exit 2 names the one that cannot be read; 20 if Helm is not found.
pub async fn read_inputs(
    read: &dyn Fn(&str) -> Option<OsString>,
    args: HelmArgs,
    words: Vec<String>,
    rules: Vec<Rule>,
) -> Result<Inputs, Failure> {
    Inputs::read(args, words, rules, &locate_helm(read)?).await
}

/// Asks the user's Helm which flags its `upgrade` takes.
///
/// # Errors
/// Exit 20 if Helm is not found or cannot be asked.
pub async fn helm_flag_table(read: &dyn Fn(&str) -> Option<OsString>) -> Result<FlagTable, Failure> {
    locate_helm(read)?.upgrade_flag_table().await.map_err(Failure::blocked)
}

/// `HELM_BIN` is set by Helm when it calls a plugin; alone, we look for `helm` on the path.
fn locate_helm(read: &dyn Fn(&str) -> Option<OsString>) -> Result<Helm, Failure> {
    let name = read("HELM_BIN").unwrap_or_else(|| "helm".into());
    let cwd = std::env::current_dir().context("read the working directory")?;
    Helm::locate(&name, &cwd, &read("PATH").unwrap_or_default())
        .map_err(|error| Failure::blocked(error).hint("install Helm 3.17 or newer, or set HELM_BIN to its path"))
}

fn driver(read: &dyn Fn(&str) -> Option<OsString>) -> Result<HelmDriver, Failure> {
    let driver = read("HELM_DRIVER").unwrap_or_default().to_string_lossy().to_lowercase();
    match driver.as_str() {
        "" | "secret" | "secrets" => Ok(HelmDriver::Secret),
        "configmap" | "configmaps" => Ok(HelmDriver::Configmap),
        other => Err(Failure::blocked(anyhow::anyhow!(
            "HELM_DRIVER is `{other}`: releases are read from Secrets or ConfigMaps alone"
        ))
        .hint("run it with HELM_DRIVER unset, `secret` or `configmap`")),
    }
}

/// Helm does not hand signals on to a plugin: when Helm is killed we are told, and stop as if asked to.
#[cfg(target_os = "linux")]
fn end_with_parent(read: &dyn Fn(&str) -> Option<OsString>) {
    if read("HELM_PLUGIN_NAME").is_some() {
        // Without it we only learn of it later; nothing is lost.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_read: &dyn Fn(&str) -> Option<OsString>) {}

/// The clock of a running stage.
pub struct StageClock<'s> {
    session: &'s Session,
    stage: Stage,
    began: Instant,
}

impl StageClock<'_> {
    /// Returns the time since the stage began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Tells how far the stage is.
    pub fn progress(&self, what: impl Into<String>) {
        self.session.tell(&Event::Progress { stage: self.stage, what: what.into(), elapsed: self.elapsed() });
    }

    /// Tells that the stage ended well.
    pub fn finish(self, what: impl Into<String>) {
        self.session.tell(&Event::StageFinished { stage: self.stage, what: what.into(), elapsed: self.elapsed() });
    }

    /// Tells that the stage ended badly.
    pub fn fail(self, what: impl Into<String>) {
        self.session.tell(&Event::StageFailed { stage: self.stage, what: what.into(), elapsed: self.elapsed() });
    }
}
