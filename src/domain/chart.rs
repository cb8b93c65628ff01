//! What a chart says of itself.

use serde::{Deserialize, Serialize};

/// `Chart.yaml`, as far as decisions use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartMetadata {
    /// Name of the chart.
    pub name: String,
    /// Version of the chart: `SemVer`.
    pub version: String,
    /// Version of what the chart installs: any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// Constraint on the version of Kubernetes, such as `>=1.28.0-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_version: Option<String>,
}
