//! What a run tells its post-renderer, and what that tells back: names of variables and files, and their contents.
//!
//! The post-renderer is a process that Helm starts, not we. It knows the run by two environment variables, which Helm hands on
//! (source: Helm 3 `pkg/postrender/exec.go`, Helm 4 `internal/plugin/runtime_subprocess.go`); without them it is an
//! ordinary post-renderer. Helm 4 throws away what it says, so that it leaves its complaint in a file.

mod notes;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::profile::Rule;
use super::random::RandomField;

pub use notes::{IdleRule, Left, LeftAlone, Notes, RuleNotes};

/// The variable that holds the mode: [`Mode::word`].
pub const MODE_VARIABLE: &str = "CSGHUB_POST_RENDER";

/// The variable that names the run folder.
pub const FOLDER_VARIABLE: &str = "CSGHUB_POST_RENDER_FOLDER";

/// The variable that holds the user's own post-renderer, [`FirstRenderer`] as JSON. Its words may hold secrets, so that they are
/// not written to a file.
pub const FIRST_VARIABLE: &str = "CSGHUB_POST_RENDER_FIRST";

/// The file in the run folder that holds the rehearsed bytes. Holds Secrets in clear.
pub const BLOB_FILE: &str = "render";

/// The file in the run folder that holds the [`Replay`].
pub const REPLAY_FILE: &str = "render-replay.json";

/// The file in the run folder in which the post-renderer says why it failed: a list of problems.
pub const TROUBLE_FILE: &str = "render-trouble.json";

/// The variable that names a file in memory with the [`RuleBook`], where rules are followed: they may hold secrets.
pub const RULES_VARIABLE: &str = "CSGHUB_POST_RENDER_RULES";

/// The flag by which the post-renderer is told that a run of ours started Helm: without the variables it then refuses to work.
pub const IN_RUN_FLAG: &str = "--in-run";

/// The file in the run folder in which the post-renderer says what the rules changed: [`Notes`].
pub const NOTES_FILE: &str = "render-notes.json";

/// What the post-renderer does with the manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It changes them as the rules say, and passes them on.
    Follow,
    /// It passes them on, and keeps a copy.
    Keep,
    /// It passes the kept ones on, if these are the same but for random fields.
    Replay,
}

impl Mode {
    /// Returns the value of [`MODE_VARIABLE`].
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Keep => "keep",
            Self::Replay => "replay",
        }
    }

    /// Returns the mode of that word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Follow, Self::Keep, Self::Replay].into_iter().find(|mode| mode.word() == word)
    }
}

/// The rehearsed bytes, and what in them is random: a later render that differs in that alone is replaced by them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// `sha256:...` of the bytes.
    pub digest: String,
    /// The fields that have another value at each render.
    pub random: Vec<RandomField>,
}

/// The rules of a run, and what they may know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleBook {
    /// In the order in which they are followed.
    pub rules: Vec<Rule>,
    /// Of the release.
    pub about: About,
}

/// What rules may know of the release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// Its name.
    pub release: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The version of the chart that it has.
    pub from: Option<String>,
    /// The version of the chart that is rendered.
    pub to: Option<String>,
    /// How large Helm's record of the release would be without rules that hold because of that, in bytes; 0 for one that is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_bytes: Option<u64>,
    /// Whether the release is installed now, so that there is no `from`.
    #[serde(default)]
    pub is_new: bool,
}

/// The rules that a run follows, and what they did to what Helm rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Following {
    /// What they know of the release.
    pub about: About,
    /// What they did.
    pub notes: Notes,
    /// Helm's major version: Helm 3 gives hooks to no post-renderer, Helm 4 does.
    pub helm_major: u64,
}

/// The user's own post-renderer: it runs first, as our child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstRenderer {
    /// As the user named it.
    pub name: String,
    /// Path, or a name to be looked up on PATH.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it gets on top of our own environment.
    pub environment: BTreeMap<String, String>,
}
