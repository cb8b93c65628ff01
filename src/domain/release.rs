//! What Helm keeps of a release: one record a revision, decoded without calling Helm.
//!
//! Source: Helm `pkg/storage/driver/util.go`: base64 of gzip of JSON (plain base64 of JSON if the gzip magic is missing).

use std::fmt;
use std::io::{Read, Write};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::chart::ChartMetadata;

/// The most that Kubernetes stores in the data of one Secret or ConfigMap, in bytes.
///
/// Source: `k8s.io/api/core/v1` `MaxSecretSize`.
pub const RECORD_LIMIT_BYTES: usize = 1_048_576;

/// A decoded release record may not be larger than this, in bytes; a guard against a record that inflates without end.
const DECODED_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Helm's word for how far a revision came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseStatus {
    /// The current revision.
    Deployed,
    /// A later revision took its place.
    Superseded,
    /// Helm gave up on it; its objects may be half applied.
    Failed,
    /// Removed, its history kept.
    Uninstalled,
    /// A removal runs, or was killed.
    Uninstalling,
    /// An install runs, or was killed.
    PendingInstall,
    /// An upgrade runs, or was killed.
    PendingUpgrade,
    /// A rollback runs, or was killed.
    PendingRollback,
    /// Any other word.
    #[serde(other)]
    Unknown,
}

impl ReleaseStatus {
    /// Tells whether an operation runs on the release, or was killed: Helm refuses every other operation but a rollback.
    #[must_use]
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback | Self::Uninstalling)
    }
}

impl fmt::Display for ReleaseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalled => "uninstalled",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Unknown => "unknown",
        })
    }
}

/// One revision of a release, as Helm stored it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Release {
    /// Name of the release.
    pub name: String,
    /// Namespace of the release.
    #[serde(default)]
    pub namespace: String,
    /// Revision: 1, 2, ...
    #[serde(rename = "version")]
    pub revision: u32,
    /// Status, times and Helm's own words.
    pub info: ReleaseInfo,
    /// The chart that was installed, with its templates.
    pub chart: ReleaseChart,
    /// User values: what was given by `-f` and `--set`, not the chart's defaults.
    #[serde(default)]
    pub config: Value,
    /// The rendered manifests, hooks excepted.
    #[serde(default)]
    pub manifest: String,
    /// The rendered hooks.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// `ssa` or `csa` where Helm 4 wrote the record; absent where Helm 3 did.
    #[serde(default)]
    pub apply_method: Option<String>,
}

/// Status, times and Helm's own words of one revision.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReleaseInfo {
    /// How far it came.
    pub status: ReleaseStatus,
    /// Helm's sentence, such as `Upgrade complete`.
    #[serde(default)]
    pub description: String,
    /// When this revision was deployed, as Helm wrote it (RFC 3339).
    #[serde(default)]
    pub last_deployed: String,
    /// The chart's notes, rendered.
    #[serde(default)]
    pub notes: String,
}

/// The chart of a release record, as far as it is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReleaseChart {
    /// `Chart.yaml`.
    pub metadata: ChartMetadata,
    /// The chart's default values.
    #[serde(default)]
    pub values: Value,
}

/// A manifest that Helm runs at a point of an operation; it is not part of the release's objects.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hook {
    /// Name of the object.
    pub name: String,
    /// Kind of the object.
    pub kind: String,
    /// The manifest.
    #[serde(default)]
    pub manifest: String,
    /// `pre-upgrade`, `post-install`, ...
    #[serde(default)]
    pub events: Vec<String>,
    /// Lower runs first.
    #[serde(default)]
    pub weight: i64,
    /// `before-hook-creation`, `hook-succeeded`, `hook-failed`.
    #[serde(default)]
    pub delete_policies: Vec<String>,
    /// The last time that Helm ran it in this revision; absent or empty if it never did.
    #[serde(default)]
    pub last_run: HookRun,
}

/// The last run of a hook.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct HookRun {
    /// When it started; empty or the zero time if never.
    #[serde(default)]
    pub started_at: String,
    /// `Running`, `Succeeded`, `Failed`, `Unknown`; empty if it never ran.
    #[serde(default)]
    pub phase: String,
}

impl HookRun {
    /// Tells whether Helm ever started the hook. `Unknown` is what Helm stores just before it starts one, so it counts.
    #[must_use]
    pub fn has_started(&self) -> bool {
        !self.started_at.is_empty() && !self.started_at.starts_with("0001-01-01")
    }
}

/// The record is not what Helm writes.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not base64.
    #[error("the record is not base64")]
    Base64(#[source] base64::DecodeError),
    /// Not gzip, or cut off.
    #[error("the record does not unpack")]
    Gzip(#[source] std::io::Error),
    /// Larger than any release can be.
    #[error("the record unpacks to more than {DECODED_LIMIT_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of a release.
    #[error("the record is not the JSON of a release")]
    Json(#[source] serde_json::Error),
}

/// Returns the release in one record; `record` is the value of `data.release` after the API's own base64 was taken off.
///
/// # Errors
/// [`RecordError`] names the layer that does not decode.
pub fn decode(record: &[u8]) -> Result<Release, RecordError> {
    let trimmed = record.trim_ascii();
    let packed = BASE64_STANDARD.decode(trimmed).map_err(RecordError::Base64)?;
    let json = if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .take(DECODED_LIMIT_BYTES + 1)
            .read_to_end(&mut json)
            .map_err(RecordError::Gzip)?;
        json
    } else {
        packed
    };
    if json.len() as u64 > DECODED_LIMIT_BYTES {
        return Err(RecordError::TooLarge);
    }
    serde_json::from_slice(&json).map_err(RecordError::Json)
}

/// Returns the size in bytes that a release of this JSON takes in its Secret: gzip at the best level, then base64, as Helm does.
#[must_use]
pub fn record_size(release_json: &[u8]) -> usize {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let packed = packer.write_all(release_json).and_then(|()| packer.finish()).map_or(0, |bytes| bytes.len());
    packed.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pack(json: &Value) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(json.to_string().as_bytes()).expect("in memory");
        BASE64_STANDARD.encode(packer.finish().expect("in memory")).into_bytes()
    }

    fn release() -> Value {
        json!({"name": "shop", "namespace": "prod", "version": 3, "manifest": "---\n", "config": null,
            "info": {"status": "pending-upgrade", "description": "Preparing upgrade"},
            "chart": {"metadata": {"name": "shop", "version": "1.2.3"}, "values": {}},
            "hooks": [{"name": "migrate", "kind": "Job", "events": ["pre-upgrade"], "last_run": {"started_at": "", "completed_at": "", "phase": ""}}]})
    }

    #[test]
    fn a_record_is_base64_of_gzip_of_json() {
        let decoded = decode(&pack(&release())).expect("decodes");
        assert_eq!((decoded.name.as_str(), decoded.revision), ("shop", 3));
        assert!(decoded.info.status.is_pending());
        assert!(!decoded.hooks[0].last_run.has_started());
    }

    #[test]
    fn a_record_without_gzip_is_read_too() {
        let plain = BASE64_STANDARD.encode(release().to_string());
        assert_eq!(decode(plain.as_bytes()).expect("decodes").revision, 3);
    }

    #[test]
    fn a_broken_record_names_its_broken_layer() {
        let packed = pack(&release());
        assert!(matches!(decode(b"!!"), Err(RecordError::Base64(_))));
        assert!(matches!(decode(&packed[..packed.len() / 8 * 4]), Err(RecordError::Gzip(_))));
        assert!(matches!(decode(BASE64_STANDARD.encode("[]").as_bytes()), Err(RecordError::Json(_))));
    }

    #[test]
    fn the_size_of_a_record_is_what_packing_it_takes() {
        assert_eq!(record_size(release().to_string().as_bytes()), pack(&release()).len());
    }
}
