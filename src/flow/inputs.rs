//! What the user gave a run: rules, Helm's flags and the files they name, read once. Values may hold secrets, so the copies
//! live in memory and in the inputs Secret beside the release, never on disk.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::domain::helm_flags::HelmArgs;
use crate::domain::profile::Rule;
use crate::domain::report::ExitStatus;
use crate::edge::helm::{Helm, HelmError};
use crate::edge::host::MemoryFile;

/// Format version of the inputs Secret that this version reads: 2 where it holds rules, which a version before would not follow.
pub const INPUTS_FORMAT: u32 = 2;

/// Everything that another machine needs to run the same `helm upgrade`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedInputs {
    /// At most [`INPUTS_FORMAT`].
    pub format: u32,
    /// The command line's words for Helm: RELEASE, CHART, flags.
    pub words: Vec<String>,
    /// Content of each file that the flags name, base64.
    pub files: BTreeMap<String, String>,
    /// The rules of the profiles that were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Digest of the chart: elsewhere it is pulled again, and must be the same.
    pub chart_digest: String,
}

/// Helm's flags, with the files that they name read into memory.
pub struct Inputs {
    /// The command line as it was given.
    pub args: HelmArgs,
    /// The rules of the profiles that were named.
    pub rules: Vec<Rule>,
    words: Vec<String>,
    contents: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, MemoryFile>,
}

impl Inputs {
    /// Reads every file that the flags name, once. URLs are read by Helm, which knows their schemes, certificates and credentials.
    ///
    /// # Errors
    /// Exit 2 names the file or URL that cannot be read.
    pub async fn read(args: HelmArgs, words: Vec<String>, rules: Vec<Rule>, helm: &Helm) -> Result<Self, Failure> {
        let mut contents = BTreeMap::new();
        for source in named_files(&args) {
            if contents.contains_key(&source) {
                continue;
            }
            let content = if source.contains("://") {
                helm.fetch(&source).await.map_err(|error| reason_of(error, &source))
            } else {
                read_source(&source).map_err(anyhow::Error::from)
            };
            let content = content
                .with_context(|| format!("read `{}`, which the command line names", without_password(&source)))
                .map_err(|error| Failure::new(ExitStatus::Usage, error))?;
            contents.insert(source, content);
        }
        Self::in_memory(args, words, rules, contents)
    }

    /// Returns the inputs of a run that was begun elsewhere.
    ///
    /// # Errors
    /// The saved inputs are damaged.
    pub fn restore(saved: &SavedInputs, args: HelmArgs) -> Result<Self, Failure> {
        if saved.format > INPUTS_FORMAT {
            let error = anyhow::anyhow!(
                "the run's inputs have format {}, and this version reads {INPUTS_FORMAT}",
                saved.format
            );
            return Err(
                Failure::blocked(error).hint("use the version of `helm csghub` that began the run, or a newer one")
            );
        }
        let mut contents = BTreeMap::new();
        for (name, content) in &saved.files {
            let content =
                BASE64_STANDARD.decode(content).with_context(|| format!("read the saved copy of `{name}`"))?;
            contents.insert(name.clone(), content);
        }
        Self::in_memory(args, saved.words.clone(), saved.rules.clone(), contents)
    }

    /// Returns what another machine needs.
    #[must_use]
    pub fn save(&self, chart_digest: &str) -> SavedInputs {
        SavedInputs {
            format: if self.rules.is_empty() { 1 } else { INPUTS_FORMAT },
            words: self.words.clone(),
            rules: self.rules.clone(),
            files: self
                .contents
                .iter()
                .map(|(name, content)| (name.clone(), BASE64_STANDARD.encode(content)))
                .collect(),
            chart_digest: chart_digest.to_owned(),
        }
    }

    /// Returns Helm's flags with every file replaced by its copy in memory.
    #[must_use]
    pub fn helm_words(&self) -> Vec<String> {
        self.args.upgrade_words(&self.pinned())
    }

    /// Returns the same without the user's own post-renderer.
    #[must_use]
    pub fn words_without_post_renderer(&self) -> Vec<String> {
        self.args.without_post_renderer().upgrade_words(&self.pinned())
    }

    fn pinned(&self) -> BTreeMap<String, String> {
        let path = |file: &MemoryFile| file.path().to_string_lossy().into_owned();
        self.files.iter().map(|(source, file)| (source.clone(), path(file))).collect()
    }

    fn in_memory(
        args: HelmArgs,
        words: Vec<String>,
        rules: Vec<Rule>,
        contents: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, Failure> {
        let mut files = BTreeMap::new();
        for (source, content) in &contents {
            let file = MemoryFile::new(content).with_context(|| format!("keep a copy of `{source}`"))?;
            files.insert(source.clone(), file);
        }
        Ok(Self { args, rules, words, contents, files })
    }
}

fn named_files(args: &HelmArgs) -> Vec<String> {
    let set_files = args.set_files().into_iter().map(|file| file.source);
    args.values_files().into_iter().chain(set_files).collect()
}

/// Helm's own reason, without the words around it.
fn reason_of(error: HelmError, url: &str) -> anyhow::Error {
    match error {
        HelmError::Failed { stderr, .. } => {
            let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            let reason = last.strip_prefix("Error: ").unwrap_or(last);
            anyhow::anyhow!("{}", reason.replace(url, &without_password(url)))
        }
        error => error.into(),
    }
}

/// A URL may hold a user's password, and a token in its query.
fn without_password(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(rest, _)| (rest, "?***"));
    let (host, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, format!("/{path}")));
    let host = host.rsplit_once('@').map_or_else(|| host.to_owned(), |(_, host)| format!("***@{host}"));
    format!("{scheme}://{host}{path}{query}")
}

fn read_source(source: &str) -> std::io::Result<Vec<u8>> {
    if source == "-" {
        let mut content = Vec::new();
        std::io::stdin().lock().read_to_end(&mut content)?;
        return Ok(content);
    }
    std::fs::read(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_urls_password_and_query_are_not_shown() {
        for (url, shown) in [
            ("https://u:s3cr3t@host/a@b.yaml?token=x", "https://***@host/a@b.yaml?***"),
            ("https://host/a.yaml", "https://host/a.yaml"),
            ("s3://bucket", "s3://bucket"),
            ("values.yaml", "values.yaml"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
