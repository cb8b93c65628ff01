//! The Lease `csghub-<release>`: it shows people, and other runs, who holds a release. The fence is the run record.

use std::time::{Duration, Instant};

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Cluster;
use super::discovery::ResolvedKind;
use super::error::{ClusterError, ErrorClass};
use super::transport::{Call, FIELD_MANAGER};
use crate::domain::object::{Object, ObjectRef};

/// A Lease is expired after this many of its durations.
const EXPIRED_AFTER: u32 = 3;
/// The clocks of two machines may differ by this much, and then some: time is no proof without it.
const CLOCK_SKEW: Duration = Duration::from_mins(1);
/// Repetitions of one write.
const MOST_WRITES: u32 = 4;

/// A Lease, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseState {
    /// Who holds it; empty if nobody does.
    pub holder: String,
    /// The holder's last sign of life, by the holder's clock.
    pub renewed_at: Option<Timestamp>,
    /// How long one renewal holds.
    pub duration: Duration,
    /// How often it changed hands.
    pub transitions: i64,
    uid: String,
    resource_version: String,
}

impl LeaseState {
    fn parse(live: &Object) -> Self {
        let time = |pointer: &str| live.text_at(pointer).and_then(|text| text.parse().ok());
        let seconds = live.number_at("/spec/leaseDurationSeconds").and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            holder: live.text_at("/spec/holderIdentity").unwrap_or_default().to_owned(),
            renewed_at: time("/spec/renewTime").or_else(|| time("/spec/acquireTime")),
            duration: Duration::from_secs(seconds.unwrap_or(15)),
            transitions: live.number_at("/spec/leaseTransitions").unwrap_or_default(),
            uid: live.uid().unwrap_or_default().to_owned(),
            resource_version: live.resource_version().unwrap_or_default().to_owned(),
        }
    }
}

/// Tells whether nobody renewed the Lease for three of its durations and a minute, by this machine's clock at `now`.
///
/// The minute is for clocks that differ. Where they may differ by more, use [`Observation`], which needs no clock but ours.
/// A Lease that does not say when it was renewed is not expired.
#[must_use]
pub fn is_expired(lease: &LeaseState, now: Timestamp) -> bool {
    let allowed = lease.duration.saturating_mul(EXPIRED_AFTER).saturating_add(CLOCK_SKEW);
    lease.renewed_at.is_some_and(|renewed_at| {
        Duration::try_from(now.duration_since(renewed_at)).is_ok_and(|silent| silent > allowed)
    })
}

/// Watches a Lease that somebody else holds, to see whether it is renewed at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    state: LeaseState,
    since: Instant,
}

impl Observation {
    /// Begins with the Lease as it was read at `at`.
    #[must_use]
    pub fn begin(state: LeaseState, at: Instant) -> Self {
        Self { state, since: at }
    }

    /// Takes in the Lease as it was read at `at`; tells whether nobody has touched it for three of its durations.
    pub fn sees_silence(&mut self, state: LeaseState, at: Instant) -> bool {
        if state != self.state {
            *self = Self::begin(state, at);
        }
        at.saturating_duration_since(self.since) > self.state.duration.saturating_mul(EXPIRED_AFTER)
    }
}

/// A Lease that we hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    namespace: String,
    release: String,
    state: LeaseState,
}

impl HeldLease {
    /// Returns the Lease as it was last written or seen.
    #[must_use]
    pub fn state(&self) -> &LeaseState {
        &self.state
    }
}

/// What came of an attempt to get a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquisition {
    /// It is ours.
    Acquired(HeldLease),
    /// Somebody else holds it.
    HeldBy(LeaseState),
}

/// What came of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// It is still ours.
    Renewed,
    /// Somebody else holds it now.
    LostTo(LeaseState),
}

impl Cluster {
    /// Returns the Lease of a release; nothing if there is none.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn read_lease(&self, namespace: &str, release: &str) -> Result<Option<LeaseState>, ClusterError> {
        Ok(self.read_object(&lease_name(namespace, release)).await?.map(|live| LeaseState::parse(&live)))
    }

    /// Gets the Lease of a release if nobody holds it, or `holder` does already. Whether a holder is gone is not decided here:
    /// see [`Self::take_over_lease`].
    ///
    /// `duration` counts in whole seconds.
    ///
    /// # Errors
    /// If the server refuses or does not answer; the Lease may then be ours all the same, and a second call finds out.
    pub async fn acquire_lease(
        &self,
        namespace: &str,
        release: &str,
        holder: &str,
        duration: Duration,
    ) -> Result<Acquisition, ClusterError> {
        self.grasp(namespace, release, holder, duration, None).await
    }

    /// Gets the Lease from a holder that is gone, if it is still as it was `observed`.
    ///
    /// # Errors
    /// As [`Self::acquire_lease`].
    pub async fn take_over_lease(
        &self,
        namespace: &str,
        release: &str,
        observed: &LeaseState,
        holder: &str,
        duration: Duration,
    ) -> Result<Acquisition, ClusterError> {
        self.grasp(namespace, release, holder, duration, Some(observed)).await
    }

    async fn grasp(
        &self,
        namespace: &str,
        release: &str,
        holder: &str,
        duration: Duration,
        observed: Option<&LeaseState>,
    ) -> Result<Acquisition, ClusterError> {
        let mut attempt = 1;
        loop {
            let live = self.read_lease(namespace, release).await?;
            if let Some(live) = &live {
                let is_free = live.holder.is_empty() || live.holder == holder || observed == Some(live);
                if !is_free {
                    return Ok(Acquisition::HeldBy(live.clone()));
                }
            }
            match self.write_lease(namespace, release, live.as_ref(), holder, duration).await {
                Ok(state) => {
                    let held = HeldLease { namespace: namespace.to_owned(), release: release.to_owned(), state };
                    return Ok(Acquisition::Acquired(held));
                }
                // Somebody was faster, or it is ours already and the answer was lost: the next look tells.
                Err(error) if attempt < MOST_WRITES && may_have_changed(&error) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives a new sign of life.
    ///
    /// A Lease that somebody removed is written again.
    ///
    /// # Errors
    /// If the server refuses or does not answer; the Lease may still be ours.
    pub async fn renew_lease(&self, held: &mut HeldLease) -> Result<Renewal, ClusterError> {
        let holder = held.state.holder.clone();
        let duration = held.state.duration;
        match self.write_lease(&held.namespace, &held.release, Some(&held.state), &holder, duration).await {
            Ok(state) => {
                held.state = state;
                return Ok(Renewal::Renewed);
            }
            Err(error) if may_have_changed(&error) => {}
            Err(error) => return Err(error),
        }
        match self.acquire_lease(&held.namespace, &held.release, &holder, duration).await? {
            Acquisition::Acquired(again) => {
                *held = again;
                Ok(Renewal::Renewed)
            }
            Acquisition::HeldBy(other) => Ok(Renewal::LostTo(other)),
        }
    }

    /// Removes the Lease if it is still ours; tells whether it was.
    ///
    /// # Errors
    /// If the server refuses or does not answer; the Lease then expires by itself.
    pub async fn release_lease(&self, held: &HeldLease) -> Result<bool, ClusterError> {
        let name = lease_name(&held.namespace, &held.release);
        let mut state = held.state.clone();
        let mut attempt = 1;
        loop {
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"uid": state.uid, "resourceVersion": state.resource_version},
            });
            let path = lease_kind().object_path(Some(&held.namespace), &name.name);
            let call = Call::delete(name.to_string(), path, options);
            let Err(error) = self.inner.transport.send(&call).await else { return Ok(true) };
            match error.class() {
                ErrorClass::NotFound => return Ok(false),
                ErrorClass::Conflict if attempt < MOST_WRITES => attempt += 1,
                _ => return Err(error),
            }
            match self.read_lease(&held.namespace, &held.release).await? {
                Some(live) if live.holder == held.state.holder => state = live,
                _ => return Ok(false),
            }
        }
    }

    /// Writes the Lease over `before`, or creates it.
    async fn write_lease(
        &self,
        namespace: &str,
        release: &str,
        before: Option<&LeaseState>,
        holder: &str,
        duration: Duration,
    ) -> Result<LeaseState, ClusterError> {
        let name = lease_name(namespace, release);
        let kind = lease_kind();
        let (method, path) = match before {
            None => (Method::POST, kind.collection_path(Some(namespace))),
            Some(_) => (Method::PUT, kind.object_path(Some(namespace), &name.name)),
        };
        let body = build_lease(&name, release, before, holder, duration, Timestamp::now());
        let call = Call::write("write", name.to_string(), method, &path, body);
        let written: Value = self.inner.transport.ask(&call).await?;
        let written = self.receive(written, &kind, "write", &name.to_string())?;
        Ok(LeaseState::parse(&written))
    }
}

/// Tells whether the Lease may be another one than it was before the request.
fn may_have_changed(error: &ClusterError) -> bool {
    error.is_outcome_unknown() || matches!(error.class(), ErrorClass::Conflict | ErrorClass::NotFound)
}

fn lease_name(namespace: &str, release: &str) -> ObjectRef {
    ObjectRef {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: format!("csghub-{release}"),
    }
}

/// Every Kubernetes serves it: no need to ask.
fn lease_kind() -> ResolvedKind {
    ResolvedKind {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        plural: "leases".to_owned(),
        namespaced: true,
        verbs: Vec::new(),
    }
}

fn build_lease(
    name: &ObjectRef,
    release: &str,
    before: Option<&LeaseState>,
    holder: &str,
    duration: Duration,
    now: Timestamp,
) -> Value {
    let is_mine = before.is_some_and(|before| before.holder == holder);
    let transitions = before.map_or(0, |before| before.transitions + i64::from(!is_mine));
    let mut spec = json!({
        "holderIdentity": holder,
        "leaseDurationSeconds": duration.as_secs().max(1),
        "renewTime": micro_time(now),
        "leaseTransitions": transitions,
    });
    let mut metadata = json!({
        "name": name.name,
        "namespace": name.namespace,
        "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER, "helm-csghub/release": release},
    });
    if let (Some(before), Some(fields)) = (before, metadata.as_object_mut()) {
        fields.insert("uid".to_owned(), json!(before.uid));
        fields.insert("resourceVersion".to_owned(), json!(before.resource_version));
    }
    if let (false, Some(fields)) = (is_mine, spec.as_object_mut()) {
        fields.insert("acquireTime".to_owned(), json!(micro_time(now)));
    }
    json!({"apiVersion": name.api_version, "kind": name.kind, "metadata": metadata, "spec": spec})
}

/// Kubernetes' `MicroTime`: RFC 3339 in UTC with six decimals.
fn micro_time(time: Timestamp) -> String {
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed_at: Option<&str>) -> LeaseState {
        LeaseState {
            holder: holder.into(),
            renewed_at: renewed_at.map(|time| time.parse().expect("a time")),
            duration: Duration::from_secs(15),
            transitions: 4,
            uid: "u1".into(),
            resource_version: "7".into(),
        }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a time")
    }

    #[test]
    fn a_lease_expires_after_three_durations_and_a_minute_for_the_clocks() {
        let held = lease("a", Some("2026-01-01T00:00:00.000000Z"));
        assert!(!is_expired(&held, at("2026-01-01T00:00:46Z")));
        assert!(!is_expired(&held, at("2026-01-01T00:01:45Z")));
        assert!(is_expired(&held, at("2026-01-01T00:01:46Z")));
    }

    #[test]
    fn a_lease_from_the_future_or_without_a_time_is_not_expired() {
        assert!(!is_expired(&lease("a", Some("2026-01-02T00:00:00Z")), at("2026-01-01T00:00:00Z")));
        assert!(!is_expired(&lease("a", None), at("2026-01-01T00:00:00Z")));
    }

    #[test]
    fn silence_is_measured_by_our_own_clock_and_ends_with_any_change() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut observation = Observation::begin(lease("a", Some("2026-01-01T00:00:00Z")), start);
        assert!(!observation.sees_silence(lease("a", Some("2026-01-01T00:00:00Z")), after(45)));
        assert!(observation.sees_silence(lease("a", Some("2026-01-01T00:00:00Z")), after(46)));
        assert!(!observation.sees_silence(lease("a", Some("2026-01-01T00:00:47Z")), after(47)));
        assert!(!observation.sees_silence(lease("a", Some("2026-01-01T00:00:47Z")), after(92)));
        assert!(observation.sees_silence(lease("a", Some("2026-01-01T00:00:47Z")), after(93)));
    }

    #[test]
    fn only_a_new_holder_counts_as_a_transition() {
        let name = lease_name("prod", "shop");
        let write = |before: Option<&LeaseState>| {
            build_lease(&name, "shop", before, "a", Duration::from_secs(15), at("2026-01-01T00:00:00.5Z"))["spec"]
                .clone()
        };
        let renewed = write(Some(&lease("a", None)));
        assert_eq!((&renewed["leaseTransitions"], renewed.get("acquireTime")), (&json!(4), None));
        let taken = write(Some(&lease("b", None)));
        assert_eq!(taken["leaseTransitions"], json!(5));
        assert_eq!(taken["acquireTime"], json!("2026-01-01T00:00:00.500000Z"));
        assert_eq!(write(None)["leaseTransitions"], json!(0));
    }

    #[test]
    fn a_lease_reads_back_as_it_was_written() {
        let name = lease_name("prod", "shop");
        let now = at("2026-01-01T00:00:00.123456Z");
        let body = build_lease(&name, "shop", None, "a", Duration::from_secs(20), now);
        let state = LeaseState::parse(&Object::new(body).expect("an object"));
        assert_eq!((state.holder.as_str(), state.renewed_at, state.duration.as_secs()), ("a", Some(now), 20));
    }
}
