//! What keeps a pod from running, and whether waiting can still help.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::Object;

/// So many restarts may be a container that waits for its database; as many or more are a crash loop without hope.
pub const CRASHES_ALLOWED: i64 = 3;

/// How long a wrong setting is waited for: the Secret or ConfigMap it names may come a moment later.
const BAD_CONFIG_PATIENCE: Duration = Duration::from_secs(30);

/// How long an image that cannot be pulled is waited for: a registry may answer the second time.
const IMAGE_PATIENCE: Duration = Duration::from_mins(1);

/// The most of a server's message that is shown, in characters.
const MESSAGE_LIMIT: usize = 300;

/// The kinds of trouble, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The kubelet cannot make the container from its spec: a missing Secret or ConfigMap, a wrong image name, ...
    BadConfig,
    /// The image does not come.
    ImagePull,
    /// The container was ended because it used more memory than it may.
    OomKilled,
    /// The container ends again and again.
    CrashLoop,
    /// No node takes the pod.
    Unschedulable,
    /// The pod ended badly, and is not started again.
    FailedPod,
}

/// What keeps one pod from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodTrouble {
    /// The kind.
    pub kind: TroubleKind,
    /// The container that is in trouble; none where the pod is as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Kubernetes' word for it, such as `CrashLoopBackOff`.
    pub reason: String,
    /// One line: how the container last ended, or what the server says. May hold secrets: mask it before it is shown.
    pub message: String,
    /// How often the container was restarted.
    pub restarts: i64,
}

impl PodTrouble {
    /// Returns one line such as `container server: CrashLoopBackOff, 3 restarts, last exit code 1 (Error)`.
    #[must_use]
    pub fn what(&self) -> String {
        let mut line = String::new();
        if let Some(container) = &self.container {
            let _ = write!(line, "container {container}: ");
        }
        line.push_str(&self.reason);
        match self.restarts {
            0 => {}
            1 => line.push_str(", 1 restart"),
            many => {
                let _ = write!(line, ", {many} restarts");
            }
        }
        if !self.message.is_empty() {
            let is_ending = matches!(self.kind, TroubleKind::CrashLoop | TroubleKind::OomKilled);
            let _ = write!(line, "{} {}", if is_ending { "," } else { ":" }, self.message);
        }
        line
    }
}

/// Tells whether waiting is in vain, `seen_for` after this trouble was first seen on the pod.
///
/// A wrong setting is given 30 s, an image 60 s. A crash loop is hopeless from the third restart on: a container may well
/// crash once or twice while it waits for its database. An unschedulable pod never is, for an autoscaler may bring a node;
/// nor is a pod that failed, for the condition of its Job or the next pod of its workload decides.
#[must_use]
pub fn is_hopeless(trouble: &PodTrouble, seen_for: Duration) -> bool {
    match trouble.kind {
        TroubleKind::BadConfig => seen_for >= BAD_CONFIG_PATIENCE,
        TroubleKind::ImagePull => seen_for >= IMAGE_PATIENCE,
        TroubleKind::CrashLoop | TroubleKind::OomKilled => trouble.restarts >= CRASHES_ALLOWED,
        TroubleKind::Unschedulable | TroubleKind::FailedPod => false,
    }
}

/// Returns the worst trouble of a pod; nothing for one that runs, has succeeded, or is being deleted.
///
/// Source: the reasons in `k8s.io/kubernetes` `pkg/kubelet/images/types.go`, `pkg/kubelet/container/sync_result.go` and
/// `pkg/kubelet/kuberuntime/kuberuntime_container.go`.
#[must_use]
pub fn pod_trouble(pod: &Object) -> Option<PodTrouble> {
    let phase = pod.text_at("/status/phase").unwrap_or_default();
    if pod.at("/metadata/deletionTimestamp").is_some() || phase == "Succeeded" {
        return None;
    }
    if phase == "Failed" {
        return Some(failed_pod(pod));
    }
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let in_containers = statuses.iter().flat_map(|pointer| pod.list_at(pointer)).filter_map(container_trouble);
    in_containers.chain(unschedulable(pod)).min_by_key(|trouble| trouble.kind)
}

fn unschedulable(pod: &Object) -> Option<PodTrouble> {
    let condition = pod.condition("PodScheduled")?;
    if text(condition, "status") != "False" || text(condition, "reason") != "Unschedulable" {
        return None;
    }
    Some(PodTrouble {
        kind: TroubleKind::Unschedulable,
        container: None,
        reason: "Unschedulable".to_owned(),
        message: one_line(text(condition, "message")),
        restarts: 0,
    })
}

fn container_trouble(status: &Value) -> Option<PodTrouble> {
    let state = status.get("state")?;
    let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
    let ended = state.get("terminated").or_else(|| status.get("lastState")?.get("terminated"));
    let container = Some(text(status, "name").to_owned());
    if let Some(waiting) = state.get("waiting") {
        let reason = text(waiting, "reason");
        let kind = kind_of(reason)?;
        let was_killed = ended.is_some_and(|ended| text(ended, "reason") == "OOMKilled");
        let is_crash = kind == TroubleKind::CrashLoop;
        return Some(PodTrouble {
            kind: if is_crash && was_killed { TroubleKind::OomKilled } else { kind },
            container,
            reason: reason.to_owned(),
            message: match ended.filter(|_| is_crash) {
                Some(ended) => ending(ended),
                None => one_line(text(waiting, "message")),
            },
            restarts,
        });
    }
    let ended = state.get("terminated").filter(|ended| exit_code(ended) != 0)?;
    let was_killed = text(ended, "reason") == "OOMKilled";
    Some(PodTrouble {
        kind: if was_killed { TroubleKind::OomKilled } else { TroubleKind::CrashLoop },
        container,
        reason: "Terminated".to_owned(),
        message: ending(ended),
        restarts,
    })
}

fn kind_of(reason: &str) -> Option<TroubleKind> {
    Some(match reason {
        "InvalidImageName" | "ErrImageNeverPull" | "CreateContainerConfigError" | "CreateContainerError" => {
            TroubleKind::BadConfig
        }
        "ErrImagePull"
        | "ImagePullBackOff"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => TroubleKind::ImagePull,
        "CrashLoopBackOff" | "RunContainerError" | "PostStartHookError" | "PreStartHookError" => TroubleKind::CrashLoop,
        _ => return None,
    })
}

fn failed_pod(pod: &Object) -> PodTrouble {
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let ended = statuses.iter().flat_map(|pointer| pod.list_at(pointer)).find_map(|status| {
        let ended = status.get("state")?.get("terminated").filter(|ended| exit_code(ended) != 0)?;
        let restarts = status.get("restartCount").and_then(Value::as_i64).unwrap_or(0);
        Some((text(status, "name").to_owned(), ending(ended), restarts))
    });
    let message = one_line(pod.text_at("/status/message").unwrap_or_default());
    let (container, how, restarts) = match ended {
        Some((container, how, restarts)) => (Some(container), how, restarts),
        None => (None, String::new(), 0),
    };
    PodTrouble {
        kind: TroubleKind::FailedPod,
        container,
        reason: pod.text_at("/status/reason").unwrap_or("Failed").to_owned(),
        message: if message.is_empty() { how } else { message },
        restarts,
    }
}

/// Returns such as `last exit code 1 (Error)`, with the container's own last words where it left any.
fn ending(ended: &Value) -> String {
    let mut words = format!("last exit code {}", exit_code(ended));
    let reason = text(ended, "reason");
    if !reason.is_empty() {
        let _ = write!(words, " ({reason})");
    }
    let message = one_line(text(ended, "message"));
    if !message.is_empty() {
        let _ = write!(words, ": {message}");
    }
    words
}

fn exit_code(ended: &Value) -> i64 {
    ended.get("exitCode").and_then(Value::as_i64).unwrap_or(0)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns a message on one line, cut at 300 characters.
pub(super) fn one_line(message: &str) -> String {
    let words: Vec<&str> = message.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MESSAGE_LIMIT) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
