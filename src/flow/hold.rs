//! Holding a release: the Lease that shows who works on it, renewed while the run lasts.

use std::time::Duration;

use jiff::Timestamp;

use super::failure::Failure;
use super::session::Session;
use crate::domain::report::ExitStatus;
use crate::edge::cluster::{Acquisition, KeepAlive, LeaseState, Tenure, is_expired};
use crate::edge::host::Identity;

/// How long one renewal of the Lease holds.
const LEASE_DURATION: Duration = Duration::from_secs(15);

/// A held Lease.
pub struct Hold {
    keep_alive: KeepAlive,
}

impl Hold {
    /// Takes the Lease of a release: from nobody, or from a holder that is gone. `is_forced` takes it from anybody.
    ///
    /// # Errors
    /// Exit 60 if another run holds the release.
    pub async fn take(session: &Session, release: &str, is_forced: bool) -> Result<Self, Failure> {
        let cluster = &session.cluster;
        let holder = session.identity.to_string();
        let first = cluster.acquire_lease(&session.namespace, release, &holder, LEASE_DURATION).await?;
        let second = match first {
            Acquisition::HeldBy(other) if is_forced || is_abandoned(&other) => {
                cluster.take_over_lease(&session.namespace, release, &other, &holder, LEASE_DURATION).await?
            }
            first => first,
        };
        match second {
            Acquisition::Acquired(held) => Ok(Self { keep_alive: KeepAlive::start(cluster, held) }),
            Acquisition::HeldBy(other) => Err(held_by(release, &session.namespace, &other)),
        }
    }

    /// Tells whether somebody else holds the Lease now.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(&*self.keep_alive.tenure().borrow(), Tenure::LostTo(_))
    }

    /// Gives the Lease back. One that cannot be given back expires by itself.
    pub async fn release(self, session: &Session) {
        let Some(held) = self.keep_alive.stop().await else { return };
        if let Err(error) = session.cluster.release_lease(&held).await {
            session.note(format!("the lease of the release could not be given back, it expires by itself: {error}"));
        }
    }
}

/// Tells whether the holder of a Lease is gone: proven on this machine, or silent for too long.
#[must_use]
pub fn is_abandoned(lease: &LeaseState) -> bool {
    is_proven_gone(&lease.holder) || is_expired(lease, Timestamp::now())
}

/// Tells whether a holder's process is proven gone.
#[must_use]
pub fn is_proven_gone(holder: &str) -> bool {
    holder.parse::<Identity>().is_ok_and(|identity| identity.is_proven_gone())
}

fn held_by(release: &str, namespace: &str, lease: &LeaseState) -> Failure {
    let who = lease.holder.parse::<Identity>().map_or_else(|_| lease.holder.clone(), |identity| identity.who());
    let error = anyhow::anyhow!("release {release} is held by {who}, which may still be at work");
    Failure::new(ExitStatus::Locked, error)
        .hint(format!("`helm csghub status {release} -n {namespace}` tells what it does"))
        .hint("if you know that it is dead, add `--take-over`")
}
