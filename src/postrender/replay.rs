//! The rehearsed bytes in the place of the same render with other random values.

use thiserror::Error;

use crate::domain::content;
use crate::domain::manifest::ManifestError;
use crate::domain::post_rendering::Replay;
use crate::domain::random::{self, Otherwise};
use crate::domain::report::Problem;

/// The rehearsed manifests cannot take the place of those that Helm rendered now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// They are not those of the plan.
    #[error("the rehearsed manifests in the run folder are not those of the plan")]
    NotKept,
    /// One of the two is no stream of manifests.
    #[error("the manifests {whose} cannot be read")]
    Unreadable {
        /// `of the rehearsal`, `that Helm rendered now`.
        whose: &'static str,
        /// Why not.
        source: ManifestError,
    },
    /// Helm rendered something else now.
    #[error("the chart renders otherwise than in the rehearsal")]
    Otherwise(Vec<Otherwise>),
}

impl ReplayError {
    /// Returns what is wrong, object by object.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        const REMEDY: &str = "plan again: what was reviewed is not what would be applied";
        let of_all = |cause: String| Problem {
            object: "the rendered manifests".to_owned(),
            field: None,
            cause,
            remedy: Some(REMEDY.to_owned()),
        };
        match self {
            Self::NotKept => vec![of_all(self.to_string())],
            Self::Unreadable { source, .. } => vec![of_all(format!("{self}: {source}"))],
            Self::Otherwise(found) => {
                let problem = |found: &Otherwise| Problem {
                    object: found.object().to_string(),
                    field: found.field().map(str::to_owned),
                    cause: found.cause().to_owned(),
                    remedy: Some(REMEDY.to_owned()),
                };
                found.iter().map(problem).collect()
            }
        }
    }
}

/// Returns the kept manifests, if `input` is the same render but for what is random at each.
///
/// # Errors
/// [`ReplayError`] says what stands in the way; nothing may then be passed on.
pub fn replay<'k>(kept: &'k [u8], input: &[u8], replay: &Replay) -> Result<&'k [u8], ReplayError> {
    if content::sha256(kept) != replay.digest {
        return Err(ReplayError::NotKept);
    }
    if kept == input {
        return Ok(kept);
    }
    let read = |bytes: &[u8], whose| {
        random::of_stream(&String::from_utf8_lossy(bytes)).map_err(|source| ReplayError::Unreadable { whose, source })
    };
    let found =
        random::otherwise(&read(kept, "of the rehearsal")?, &read(input, "that Helm rendered now")?, &replay.random);
    if found.is_empty() { Ok(kept) } else { Err(ReplayError::Otherwise(found)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::RandomField;

    const KEPT: &str =
        "---\n# a comment\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: YQ==, user: Yg==}\n";

    fn mask(kept: &str) -> Replay {
        let object = serde_json::json!({"api_version": "v1", "kind": "Secret", "name": "s"});
        let object = serde_json::from_value(object).expect("a name");
        let random = vec![RandomField { object, field: "data.key".into(), is_hook: false }];
        Replay { digest: content::sha256(kept.as_bytes()), random }
    }

    #[test]
    fn the_kept_bytes_take_the_place_of_another_draw() {
        let now = KEPT.replace("YQ==", "Yw==").replace("# a comment", "# another");
        assert_eq!(replay(KEPT.as_bytes(), now.as_bytes(), &mask(KEPT)), Ok(KEPT.as_bytes()));
    }

    #[test]
    fn another_render_is_refused_by_object_and_field() {
        let now = KEPT.replace("Yg==", "Yw==");
        let error = replay(KEPT.as_bytes(), now.as_bytes(), &mask(KEPT)).expect_err("another user");
        let problems = error.problems();
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((problem.object.as_str(), problem.field.as_deref()), ("Secret s", Some("data.user")));
        assert!(!format!("{error}{problems:?}").contains("Yw=="), "no value is told");
    }

    #[test]
    fn bytes_that_are_not_the_plans_are_never_applied() {
        let other = KEPT.replace("Yg==", "Yw==");
        assert_eq!(replay(other.as_bytes(), other.as_bytes(), &mask(KEPT)), Err(ReplayError::NotKept));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let error = replay(KEPT.as_bytes(), b"kind: [", &mask(KEPT)).expect_err("no YAML");
        assert!(matches!(error, ReplayError::Unreadable { whose: "that Helm rendered now", .. }), "{error}");
        assert!(replay(KEPT.as_bytes(), b"", &mask(KEPT)).is_err(), "an empty render is not the rehearsed one");
    }
}
