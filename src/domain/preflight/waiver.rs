//! Waivers: a check that blocks, and the user's reason for going on all the same.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::checks::ALL;
use super::{Check, Waivable};
use crate::domain::rehearsed::Class;

/// The user accepts one named check that blocks. What users type: `CHECK=REASON`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Id of the check.
    pub check: String,
    /// Why; recorded with the run.
    pub reason: String,
}

/// A waiver that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WaiverError {
    /// No check has that id.
    #[error("there is no check `{check}`: did you mean `{nearest}`?")]
    Unknown {
        /// What was typed.
        check: String,
        /// The id that is most like it.
        nearest: &'static str,
    },
    /// The check can never be waived.
    #[error("check `{check}` cannot be waived because {because}")]
    NeverWaivable {
        /// Id of the check.
        check: &'static str,
        /// Why not.
        because: &'static str,
    },
    /// The reason is missing or blank.
    #[error("the waiver of `{check}` gives no reason: write `{check}=REASON`")]
    NoReason {
        /// What was typed for the check.
        check: String,
    },
    /// The same check is waived twice: which reason counts?
    #[error("check `{check}` is waived twice: give one reason")]
    Twice {
        /// Id of the check.
        check: String,
    },
}

impl FromStr for Waiver {
    type Err = WaiverError;

    /// Parses `CHECK=REASON`; the reason may hold further `=`. Whether the check exists is for [`super::run_all`] to say.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (check, reason) = text.split_once('=').unwrap_or((text, ""));
        let (check, reason) = (check.trim().to_owned(), reason.trim().to_owned());
        if reason.is_empty() { Err(WaiverError::NoReason { check }) } else { Ok(Self { check, reason }) }
    }
}

/// Returns nothing, once every waiver names a check that may be waived, gives a reason, and comes once.
///
/// # Errors
/// [`WaiverError`] of the first waiver that does not.
pub fn ensure_valid(waivers: &[Waiver]) -> Result<(), WaiverError> {
    for (index, waiver) in waivers.iter().enumerate() {
        let class = Class::of_waiver_id(&waiver.check);
        if let Some(class) = class.filter(|class| class.destroys()) {
            let because = "what is destroyed is accepted by its name: `--delete KIND/NAMESPACE/NAME`";
            return Err(WaiverError::NeverWaivable { check: class.title(), because });
        }
        let check = ALL.iter().find(|check| check.id == waiver.check);
        if check.is_none() && class.is_none() {
            return Err(WaiverError::Unknown { check: waiver.check.clone(), nearest: nearest_id(&waiver.check) });
        }
        if let Some(Check { id, waivable: Waivable::Never { because }, .. }) = check {
            return Err(WaiverError::NeverWaivable { check: id, because });
        }
        if waiver.reason.trim().is_empty() {
            return Err(WaiverError::NoReason { check: waiver.check.clone() });
        }
        if waivers.iter().take(index).any(|earlier| earlier.check == waiver.check) {
            return Err(WaiverError::Twice { check: waiver.check.clone() });
        }
    }
    Ok(())
}

fn nearest_id(typed: &str) -> &'static str {
    let typed = typed.to_ascii_lowercase().replace('_', "-");
    ALL.iter()
        .map(|check: &Check| check.id)
        .min_by_key(|id| strsim::damerau_levenshtein(&typed, id))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(check: &str, reason: &str) -> Waiver {
        Waiver { check: check.into(), reason: reason.into() }
    }

    #[test]
    fn a_reason_may_hold_the_sign_that_separates_it() {
        assert_eq!("rights=role=admin by ticket 7".parse(), Ok(waiver("rights", "role=admin by ticket 7")));
    }

    #[test]
    fn a_waiver_needs_a_reason() {
        for text in ["rights", "rights=", "rights=  "] {
            assert_eq!(text.parse::<Waiver>(), Err(WaiverError::NoReason { check: "rights".into() }), "{text}");
        }
        assert_eq!(ensure_valid(&[waiver("rights", " ")]), Err(WaiverError::NoReason { check: "rights".into() }));
    }

    #[test]
    fn an_unknown_check_is_answered_with_the_nearest_one() {
        for (typed, nearest) in
            [("kube-versions", "kube-version"), ("Values_Kept", "values-kept"), ("rihgts", "rights")]
        {
            let error = ensure_valid(&[waiver(typed, "why not")]).expect_err("no such check");
            assert_eq!(error.to_string(), format!("there is no check `{typed}`: did you mean `{nearest}`?"));
        }
    }

    #[test]
    fn a_lock_can_never_be_waived() {
        let error = ensure_valid(&[waiver("run-lock", "in a hurry")]).expect_err("never");
        assert!(error.to_string().starts_with("check `run-lock` cannot be waived because "), "{error}");
    }

    #[test]
    fn a_check_is_waived_once() {
        let twice = [waiver("rights", "one"), waiver("rights", "two")];
        assert_eq!(ensure_valid(&twice), Err(WaiverError::Twice { check: "rights".into() }));
    }
}
