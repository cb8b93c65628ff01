//! Short questions to Helm: they change nothing, and are killed when nobody waits for them any more.

use std::ffi::OsString;
use std::process::Stdio;

use rustix::process::Signal;
use semver::Version;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{Helm, HelmError, UpgradeRequest};
use crate::domain::helm_flags::{FlagTable, parse_help};
use crate::domain::release::{self, Release};

/// An answer may not be larger than this, in bytes; a dry run of a large chart takes 4 MB.
const ANSWER_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// What Helm's own dry run made of chart and values.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRun {
    /// The release as it would be stored: manifest, hooks, user values.
    pub release: Release,
    /// The JSON that Helm printed. Holds Secrets in clear.
    pub json: Vec<u8>,
    /// The size in bytes of the record that Helm would store, by [`release::record_size`]; within 5 % of the real one, since
    /// Go packs a little differently.
    pub record_bytes: usize,
}

impl Helm {
    /// Returns Helm's version.
    ///
    /// # Errors
    /// [`HelmError`] if it cannot be asked, or answers no version.
    pub async fn version(&self) -> Result<Version, HelmError> {
        let answer = self.ask("version", "", &["version".into(), "--template".into(), "{{.Version}}".into()]).await?;
        let text = String::from_utf8_lossy(&answer);
        // A WARNING about a plugin may stand before it.
        text.lines()
            .rev()
            .find_map(|line| Version::parse(line.trim().trim_start_matches('v')).ok())
            .ok_or_else(|| HelmError::Answer { verb: "version", what: format!("no version in `{}`", text.trim()) })
    }

    /// Returns the flags that this Helm's `upgrade` takes.
    ///
    /// # Errors
    /// [`HelmError`] if it cannot be asked, or its help lists no flags.
    pub async fn upgrade_flag_table(&self) -> Result<FlagTable, HelmError> {
        let answer = self.ask("upgrade --help", "", &["upgrade".into(), "--help".into()]).await?;
        let table = parse_help(&String::from_utf8_lossy(&answer));
        if table.is_empty() {
            return Err(HelmError::Answer { verb: "upgrade --help", what: "its help lists no flags".to_owned() });
        }
        Ok(table)
    }

    /// Returns what Helm would store for this upgrade: rendered on the server side (`lookup` and the real capabilities are
    /// used), checked against the server's schema, nothing sent.
    ///
    /// # Errors
    /// [`HelmError::Failed`] with Helm's reasons, or another [`HelmError`] if it cannot be asked or understood.
    pub async fn dry_run(&self, request: &UpgradeRequest<'_>) -> Result<DryRun, HelmError> {
        const VERB: &str = "upgrade --dry-run";
        let mut words = upgrade_words(request);
        words.extend(["--dry-run=server", "--output", "json"].map(OsString::from));
        let answer = self.ask(VERB, request.release, &words).await?;
        let json = from_first_brace(&answer)
            .ok_or_else(|| HelmError::Answer { verb: VERB, what: "no JSON on standard output".to_owned() })?;
        let release = serde_json::from_slice(json).map_err(|source| HelmError::Release { verb: VERB, source })?;
        Ok(DryRun { release, record_bytes: release::record_size(json.trim_ascii_end()), json: json.to_vec() })
    }

    /// Returns what `helm WORDS...` writes to standard output; `release` is the one it is about, if any.
    pub(super) async fn ask(
        &self,
        verb: &'static str,
        release: &str,
        words: &[OsString],
    ) -> Result<Vec<u8>, HelmError> {
        let failed = |doing| move |source| HelmError::Process { doing, verb, source };
        let mut command = self.command(words, Signal::TERM);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed("start"))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (stdout, stderr) = tokio::try_join!(read_answer(stdout), read_answer(stderr)).map_err(failed("watch"))?;
        let status = child.wait().await.map_err(failed("watch"))?;
        if status.success() {
            return Ok(stdout);
        }
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        Err(HelmError::Failed { verb, status: status.to_string(), problems: self.explain(&stderr, release), stderr })
    }
}

impl Helm {
    /// Returns the whole command line of an upgrade, this Helm's program first, for [`Helm::rehearse`].
    #[must_use]
    pub fn upgrade_command(&self, request: &UpgradeRequest<'_>) -> Vec<String> {
        let program = self.program.as_os_str().to_owned();
        let words = std::iter::once(program).chain(upgrade_words(request));
        words.map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

/// Returns `upgrade RELEASE CHART FLAGS...`.
pub(super) fn upgrade_words(request: &UpgradeRequest<'_>) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["upgrade".into(), request.release.into(), request.chart.into()];
    words.extend(request.flags.iter().map(OsString::from));
    words
}

async fn read_answer(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    if let Some(stream) = stream {
        stream.take(ANSWER_LIMIT_BYTES).read_to_end(&mut answer).await?;
    }
    Ok(answer)
}

/// Returns the text from the first line that starts with a brace: a WARNING about a plugin may stand before it.
fn from_first_brace(answer: &[u8]) -> Option<&[u8]> {
    if answer.first() == Some(&b'{') {
        return Some(answer);
    }
    let start = answer.windows(2).position(|pair| pair == b"\n{")?;
    answer.get(start + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_may_stand_after_warnings() {
        assert_eq!(from_first_brace(b"{\"a\":1}"), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(from_first_brace(b"WARNING: {x}\n{\"a\":1}"), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(from_first_brace(b"Error: {x}"), None);
    }
}
