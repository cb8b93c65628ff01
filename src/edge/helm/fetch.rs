//! What a URL on the command line holds, read once: by Helm itself, with its own getters, proxies, certificates and plugins.

use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{Helm, HelmError};
use crate::domain::helm_flags;
use crate::domain::yaml;

/// What is shown for the command in errors.
const VERB: &str = "template (read a URL)";

/// A chart that shows what `--set-file` read; base64, so that no byte is changed.
const CHART: [(&str, &str); 2] = [
    ("Chart.yaml", "apiVersion: v2\nname: read\nversion: 0.0.0\n"),
    (
        "templates/read.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: read\ndata:\n  content: {{ .Values.content | b64enc | quote }}\n",
    ),
];

impl Helm {
    /// Returns what this Helm reads at `url` for `--values` and `--set-file`. A word that only looks like a URL is a path for Helm.
    ///
    /// Source: Helm `pkg/cli/values/options.go` `readFile`: both flags read alike.
    ///
    /// # Errors
    /// [`HelmError`] with Helm's own reason.
    pub async fn fetch(&self, url: &str) -> Result<Vec<u8>, HelmError> {
        let chart = tempfile::Builder::new().prefix("csghub-read-").tempdir().map_err(|source| HelmError::File {
            doing: "create a folder in",
            path: std::env::temp_dir(),
            source,
        })?;
        for (name, text) in CHART {
            let path = chart.path().join(name);
            let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
            written.map_err(|source| HelmError::File { doing: "write", path, source })?;
        }
        let value = format!("content={}", helm_flags::escape_set(url));
        let words = ["template".into(), "read".into(), chart.path().into(), "--set-file".into(), value.into()];
        let answer = self.ask(VERB, "read", &words).await?;
        let unexpected = |what: &str| HelmError::Answer { verb: VERB, what: what.to_owned() };
        let text = String::from_utf8(answer).map_err(|_| unexpected("no text"))?;
        let documents = yaml::parse_documents(&text).map_err(|error| unexpected(&error.to_string()))?;
        let content = documents.iter().find_map(|document| document.value.pointer("/data/content")?.as_str());
        let content = content.ok_or_else(|| unexpected("the manifest that was asked for is not there"))?;
        BASE64_STANDARD.decode(content).map_err(|_| unexpected("no base64"))
    }
}
