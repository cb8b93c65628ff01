//! Renews a Lease in the background, and tells when it was lost.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Cluster;
use super::lease::{HeldLease, LeaseState, Renewal};

/// Whether a Lease is still ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenure {
    /// It is.
    Held,
    /// The server has not confirmed it for longer than the Lease's duration; renewals are still tried.
    Unconfirmed {
        /// Why the last renewal did not work, in one line.
        because: String,
    },
    /// Somebody else holds it. Final.
    LostTo(LeaseState),
}

/// A task that renews a Lease three times in its duration. Dropped, it stops, and the Lease runs out by itself.
pub struct KeepAlive {
    tenure: watch::Receiver<Tenure>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<HeldLease>,
}

impl KeepAlive {
    /// Starts the task on the current runtime.
    #[must_use]
    pub fn start(cluster: &Cluster, held: HeldLease) -> Self {
        let (tell, tenure) = watch::channel(Tenure::Held);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(renew_until_stopped(cluster.clone(), held, tell, stopped));
        Self { tenure, stop: Some(stop), task }
    }

    /// Returns a receiver that always knows the latest.
    #[must_use]
    pub fn tenure(&self) -> watch::Receiver<Tenure> {
        self.tenure.clone()
    }

    /// Stops the task, after the renewal that may be under way, and returns the Lease, to be released; nothing if the task broke.
    pub async fn stop(mut self) -> Option<HeldLease> {
        drop(self.stop.take());
        (&mut self.task).await.ok()
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn renew_until_stopped(
    cluster: Cluster,
    mut held: HeldLease,
    tell: watch::Sender<Tenure>,
    mut stopped: oneshot::Receiver<()>,
) -> HeldLease {
    let duration = held.state().duration;
    let every = (duration / 3).max(Duration::from_millis(100));
    let mut confirmed = Instant::now();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return held,
            () = tokio::time::sleep(every) => {}
        }
        // A renewal that hangs must not keep us from saying so.
        let because = match tokio::time::timeout(duration, cluster.renew_lease(&mut held)).await {
            Ok(Ok(Renewal::Renewed)) => None,
            Ok(Ok(Renewal::LostTo(other))) => {
                tell.send_replace(Tenure::LostTo(other));
                return held;
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", duration.as_secs())),
        };
        let tenure = match because {
            None => {
                confirmed = Instant::now();
                Tenure::Held
            }
            Some(because) if confirmed.elapsed() > duration => Tenure::Unconfirmed { because },
            Some(_) => continue,
        };
        tell.send_if_modified(|known| {
            let is_new = *known != tenure;
            *known = tenure;
            is_new
        });
    }
}
