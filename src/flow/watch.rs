//! Looks at the objects of a release and at their pods; remembers since when a pod is in trouble and what was told.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::failure::Failure;
use super::session::Session;
use crate::domain::content;
use crate::domain::event::Event;
use crate::domain::manifest;
use crate::domain::object::{Object, ObjectRef};
use crate::domain::plan::{ObjectBefore, Plan};
use crate::domain::release::Release;
use crate::domain::report::Problem;
use crate::domain::rollout::{self, RolloutStatus};
use crate::domain::trouble::{self, PodTrouble};
use crate::domain::view::{ObjectView, TroubleView};
use crate::domain::wording::some;
use crate::domain::workload;
use crate::edge::cluster::{LogRequest, Selector};

/// Lines of a failing container's log that are shown.
const LOG_LINES: u32 = 5;

/// Bytes of a log that are read for it.
const LOG_BYTES: u32 = 20_000;

/// The objects that are watched.
pub(super) struct Watch {
    objects: Vec<Watched>,
    /// Since when a trouble is seen, by pod and container.
    since: BTreeMap<String, Instant>,
    told: BTreeSet<String>,
}

struct Watched {
    object: ObjectRef,
    /// As the release writes it; absent where only the live object counts.
    manifest: Option<Object>,
    /// The release names it no more: Helm says that it deleted it.
    is_removed: bool,
    before: Option<ObjectBefore>,
}

/// One look at every object.
pub(super) struct Look {
    objects: Vec<Looked>,
}

struct Looked {
    view: ObjectView,
    /// It was in this state before the run and nobody changed it: the run does not answer for it.
    is_excused: bool,
    hopeless: Option<Problem>,
}

/// One look at the pods alone.
pub(super) struct PodLook {
    /// One line.
    pub summary: String,
    /// What no waiting will cure.
    pub hopeless: Vec<Problem>,
}

impl Watch {
    /// Watches every object of a release's manifest; `plan` tells how they were before.
    ///
    /// # Errors
    /// The manifest or the cluster cannot be read.
    pub(super) async fn of_release(session: &Session, release: &Release, plan: Option<&Plan>) -> Result<Self, Failure> {
        let manifests = manifest::parse(&release.manifest).map_err(|error| {
            Failure::from(anyhow::Error::from(error)).while_doing("read the manifest of the release")
        })?;
        let mut objects = Vec::with_capacity(manifests.len());
        for manifest in manifests {
            let completed = session.cluster.complete(&manifest, &session.namespace).await?;
            let object = completed.unwrap_or_else(|| manifest.reference(Some(&session.namespace)));
            let before = plan.and_then(|plan| before(plan, &object));
            objects.push(Watched { object, manifest: Some(manifest), is_removed: false, before });
        }
        let is_named =
            |before: &ObjectBefore| objects.iter().any(|watched| watched.object.is_same_object(&before.object));
        let removed: Vec<Watched> = plan
            .iter()
            .flat_map(|plan| &plan.before)
            .filter(|before| before.is_owned && !is_named(before))
            .map(|before| Watched {
                object: before.object.clone(),
                manifest: None,
                is_removed: true,
                before: Some(before.clone()),
            })
            .collect();
        objects.extend(removed);
        Ok(Self::new(objects))
    }

    /// Watches the workloads that a plan names, while Helm changes them.
    #[must_use]
    pub(super) fn of_plan(plan: &Plan) -> Self {
        let workloads = plan.before.iter().filter(|before| is_workload(&before.object) && !before.is_hook);
        Self::new(
            workloads
                .map(|before| Watched {
                    object: before.object.clone(),
                    manifest: None,
                    is_removed: false,
                    before: Some(before.clone()),
                })
                .collect(),
        )
    }

    fn new(objects: Vec<Watched>) -> Self {
        Self { objects, since: BTreeMap::new(), told: BTreeSet::new() }
    }

    /// Looks at every object and its pods, and tells new trouble.
    pub(super) async fn look(&mut self, session: &Session) -> Look {
        let names: Vec<ObjectRef> = self.objects.iter().map(|watched| watched.object.clone()).collect();
        let live = session.cluster.read_objects(&names).await;
        let live: Vec<Result<Option<Object>, String>> =
            live.into_iter().map(|(_, live)| live.map_err(|error| error.to_string())).collect();
        let workloads: Vec<(ObjectRef, Object)> = names
            .iter()
            .zip(&live)
            .filter(|(name, _)| is_workload(name))
            .filter_map(|(name, live)| Some((name.clone(), live.as_ref().ok()?.clone()?)))
            .collect();
        let mut troubles = self.troubles(session, &workloads).await;
        let mut objects = Vec::with_capacity(live.len());
        for (watched, live) in self.objects.iter().zip(live) {
            let found = troubles.remove(&watched.object).unwrap_or_default();
            let status = match &live {
                Ok(live) if watched.is_removed => status_of_removed(live.as_ref()),
                Ok(Some(claim)) if claim.kind() == "PersistentVolumeClaim" => claim_status(session, claim).await,
                Ok(Some(live)) => rollout::status(live),
                Ok(None) => watched.manifest.as_ref().map_or(RolloutStatus::NotFound, rollout::status_of_missing),
                Err(error) => RolloutStatus::InProgress { waiting_for: format!("an answer: {error}") },
            };
            let digest = live.ok().flatten().map(|live| content::digest(&live));
            objects.push(watched.judge(status, digest.as_deref(), found));
        }
        Look { objects }
    }

    /// Looks at the workloads' pods alone, and tells new trouble.
    pub(super) async fn look_at_pods(&mut self, session: &Session) -> PodLook {
        let names: Vec<ObjectRef> = self.objects.iter().map(|watched| watched.object.clone()).collect();
        let live = session.cluster.read_objects(&names).await;
        let workloads: Vec<(ObjectRef, Object)> =
            live.into_iter().filter_map(|(name, live)| Some((name, live.ok()??))).collect();
        let waiting = workloads
            .iter()
            .filter_map(|(name, live)| match rollout::status(live) {
                RolloutStatus::InProgress { waiting_for } => Some(format!("{name}: {waiting_for}")),
                _ => None,
            })
            .collect::<Vec<_>>();
        let troubles = self.troubles(session, &workloads).await;
        let ailing =
            |object: &ObjectRef| self.objects.iter().any(|watched| watched.object == *object && watched.was_ailing());
        let hopeless = troubles
            .into_iter()
            .filter(|(object, _)| !ailing(object))
            .flat_map(|(object, found)| {
                found.into_iter().filter(|found| found.is_hopeless).map(move |found| found.problem(&object))
            })
            .collect();
        let summary = match waiting.as_slice() {
            [] => "Helm works".to_owned(),
            [one] => format!("Helm works; {one}"),
            [one, rest @ ..] => format!("Helm works; {one} and {} more", rest.len()),
        };
        PodLook { summary, hopeless }
    }

    /// Returns what ails the pods of the workloads. A namespace whose pods cannot be listed shows no trouble: the
    /// workload's own status still decides.
    async fn troubles(
        &mut self,
        session: &Session,
        workloads: &[(ObjectRef, Object)],
    ) -> BTreeMap<ObjectRef, Vec<Found>> {
        let mut all: BTreeMap<ObjectRef, Vec<Found>> = BTreeMap::new();
        let namespaces: BTreeSet<&str> = workloads.iter().filter_map(|(name, _)| name.namespace.as_deref()).collect();
        for namespace in namespaces {
            let Ok(pods) = session.cluster.list_pods(namespace).await else { continue };
            let sets = session.cluster.list("apps/v1", "ReplicaSet", Some(namespace), &Selector::default()).await;
            let sets = sets.unwrap_or_default();
            for (name, workload) in workloads.iter().filter(|(name, _)| name.namespace.as_deref() == Some(namespace)) {
                for pod in workload::pods_that_count(workload, &pods, &sets, &[]) {
                    let Some(trouble) = trouble::pod_trouble(pod) else { continue };
                    let found = self.found(session, name, pod, trouble).await;
                    all.entry(name.clone()).or_default().push(found);
                }
            }
        }
        all
    }

    async fn found(&mut self, session: &Session, workload: &ObjectRef, pod: &Object, trouble: PodTrouble) -> Found {
        let container = trouble.container.clone().unwrap_or_default();
        let key = format!("{}/{container}/{}", pod.uid().unwrap_or_default(), trouble.reason);
        let since = *self.since.entry(key.clone()).or_insert_with(Instant::now);
        let is_hopeless = trouble::is_hopeless(&trouble, since.elapsed());
        let what = trouble.what();
        let log = log_of(session, pod, &trouble).await;
        if self.told.insert(key) {
            session.tell(&Event::Trouble { object: workload.clone(), what: what.clone(), log: log.clone() });
        }
        Found { pod: pod.reference(None), what, log, is_hopeless }
    }
}

/// Trouble with one pod.
struct Found {
    pod: ObjectRef,
    what: String,
    log: Vec<String>,
    is_hopeless: bool,
}

impl Found {
    fn problem(&self, workload: &ObjectRef) -> Problem {
        let cause = match self.log.last() {
            Some(line) => format!("{}; its log ends with: {line}", self.what),
            None => self.what.clone(),
        };
        let (namespace, name) = (self.pod.namespace.as_deref().unwrap_or_default(), &self.pod.name);
        let remedy = Some(format!("`kubectl describe pod {name} -n {namespace}` tells more"));
        Problem { object: workload.to_string(), field: None, cause, remedy }
    }
}

impl Watched {
    fn judge(&self, status: RolloutStatus, digest: Option<&str>, found: Vec<Found>) -> Looked {
        let is_unchanged =
            digest.is_some() && self.before.as_ref().is_some_and(|before| before.digest.as_deref() == digest);
        let is_excused = is_unchanged && self.was_ailing();
        let by_pod = found.iter().find(|found| found.is_hopeless).map(|found| found.problem(&self.object));
        let by_status = match &status {
            RolloutStatus::Failed { because } => {
                let log = found.first().map(|found| found.problem(&self.object).cause);
                let cause = log.map_or_else(|| because.clone(), |log| format!("{because}; {log}"));
                Some(Problem { object: self.object.to_string(), field: None, cause, remedy: None })
            }
            _ => None,
        };
        let troubles = found.into_iter().map(|found| TroubleView { what: found.what, log: found.log }).collect();
        Looked {
            hopeless: by_pod.or(by_status).filter(|_| status != RolloutStatus::Current),
            view: ObjectView { object: self.object.clone(), status, troubles },
            is_excused,
        }
    }

    fn was_ailing(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.ailing.is_some())
    }
}

impl Look {
    /// Tells whether every object is current that the run answers for.
    #[must_use]
    pub(super) fn is_current(&self) -> bool {
        self.waiting().next().is_none()
    }

    /// Returns what no waiting will cure.
    #[must_use]
    pub(super) fn hopeless(&self) -> Vec<Problem> {
        self.waiting().filter_map(|looked| looked.hopeless.clone()).collect()
    }

    /// Returns a problem for every object that is not current.
    #[must_use]
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.waiting().map(Looked::problem).collect()
    }

    /// Returns how many objects are current.
    #[must_use]
    pub(super) fn count(&self) -> String {
        let current = self.objects.iter().filter(|looked| looked.view.status == RolloutStatus::Current).count();
        format!("{current} of {} objects current", self.objects.len())
    }

    /// Returns one line on how far the objects are.
    #[must_use]
    pub(super) fn summary(&self) -> String {
        let mut waiting = self.waiting();
        let line = self.count();
        match waiting.next() {
            None => line,
            Some(first) => {
                let more = waiting.count();
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                format!("{line}; {}{more}", first.wording())
            }
        }
    }

    /// Returns one line on the success.
    #[must_use]
    pub(super) fn success(&self) -> String {
        let excused: Vec<ObjectRef> = self
            .objects
            .iter()
            .filter(|looked| looked.is_excused && looked.view.status != RolloutStatus::Current)
            .map(|looked| looked.view.object.clone())
            .collect();
        let count = self.objects.len() - excused.len();
        match excused.len() {
            0 => format!("{count} objects current"),
            _ => format!("{count} objects current; {} not, as before the run", some(&excused, 3)),
        }
    }

    /// Returns the objects.
    #[must_use]
    pub(super) fn into_objects(self) -> Vec<ObjectView> {
        self.objects.into_iter().map(|looked| looked.view).collect()
    }

    fn waiting(&self) -> impl Iterator<Item = &Looked> {
        self.objects.iter().filter(|looked| looked.view.status != RolloutStatus::Current && !looked.is_excused)
    }
}

impl Looked {
    fn wording(&self) -> String {
        let object = &self.view.object;
        let why = match &self.view.status {
            RolloutStatus::Current => "current".to_owned(),
            RolloutStatus::InProgress { waiting_for } => waiting_for.clone(),
            RolloutStatus::Failed { because } => because.clone(),
            RolloutStatus::Terminating => "being deleted".to_owned(),
            RolloutStatus::NotFound => "not there".to_owned(),
        };
        match self.view.troubles.first() {
            Some(trouble) => format!("{object}: {}", trouble.what),
            None => format!("{object}: {why}"),
        }
    }

    fn problem(&self) -> Problem {
        if let Some(problem) = &self.hopeless {
            return problem.clone();
        }
        let wording = self.wording();
        let object = self.view.object.to_string();
        let cause = wording.strip_prefix(&format!("{object}: ")).unwrap_or(&wording).to_owned();
        Problem { object, field: None, cause, remedy: None }
    }
}

/// What Helm says it deleted must go, unless the live object asks to be kept: Helm 3 reports success all the same.
fn status_of_removed(live: Option<&Object>) -> RolloutStatus {
    match live {
        None => RolloutStatus::Current,
        Some(live) if live.annotation("helm.sh/resource-policy") == Some("keep") => RolloutStatus::Current,
        Some(live) if live.at("/metadata/deletionTimestamp").is_some() => RolloutStatus::Terminating,
        Some(_) => RolloutStatus::InProgress { waiting_for: "its deletion".to_owned() },
    }
}

/// A claim whose class binds late stays pending until a pod uses it, and that is no fault.
async fn claim_status(session: &Session, claim: &Object) -> RolloutStatus {
    let status = rollout::status(claim);
    let (RolloutStatus::InProgress { .. }, Some(class)) = (&status, claim.text_at("/spec/storageClassName")) else {
        return status;
    };
    let class = ObjectRef {
        api_version: "storage.k8s.io/v1".to_owned(),
        kind: "StorageClass".to_owned(),
        namespace: None,
        name: class.to_owned(),
    };
    // Without the right to read it, the claim is judged as if it bound at once.
    let class = session.cluster.read_object(&class).await.ok().flatten();
    let Ok(pods) = session.cluster.list_pods(claim.namespace().unwrap_or_default()).await else { return status };
    let is_used = pods.iter().any(|pod| {
        let volumes = pod.list_at("/spec/volumes").iter();
        let mut names = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str());
        names.any(|name| name == claim.name())
    });
    rollout::status_of_claim(claim, class.as_ref(), is_used)
}

fn before(plan: &Plan, object: &ObjectRef) -> Option<ObjectBefore> {
    plan.before.iter().find(|before| before.object.is_same_object(object)).cloned()
}

fn is_workload(object: &ObjectRef) -> bool {
    matches!(
        (object.group(), object.kind.as_str()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet") | ("batch", "Job")
    )
}

/// The last lines of the container that is in trouble: of its previous life if it died.
async fn log_of(session: &Session, pod: &Object, trouble: &PodTrouble) -> Vec<String> {
    let Some(container) = &trouble.container else { return Vec::new() };
    for previous in [trouble.restarts > 0, false] {
        let request = LogRequest {
            namespace: pod.namespace().unwrap_or_default(),
            pod: pod.name(),
            container,
            previous,
            tail_lines: LOG_LINES,
            limit_bytes: LOG_BYTES,
        };
        if let Ok(log) = session.cluster.read_log(request).await
            && !log.trim().is_empty()
        {
            let masked = session.mask(&log);
            return masked.lines().map(str::to_owned).collect();
        }
    }
    Vec::new()
}
