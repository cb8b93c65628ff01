//! The flags of a Helm command: which there are (read from Helm's own help), and which were given.
//!
//! Helm's flags are never listed here by hand but for the few that we have something to say of, so that a Helm of next
//! year works: [`parse_help`] reads the table, [`partition()`] parts our own flags from Helm's, and [`HelmArgs`] answers
//! what Helm was asked for.

mod args;
mod partition;
mod table;

pub use args::{FlagUse, HelmArgs, SetFile, escape_set, split};
pub use partition::{OurFlag, Partitioned, partition};
pub use table::{Flag, FlagTable, TakesValue, parse_help};

use thiserror::Error;

/// The command line is not one that we pass to Helm.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlagError {
    /// Neither ours nor Helm's.
    #[error("unknown flag `{flag}`{}", nearest.as_ref().map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?")))]
    Unknown {
        /// As typed, without its value.
        flag: String,
        /// The known flag that looks most like it.
        nearest: Option<String>,
    },
    /// The flag stands last, or takes a value that is missing.
    #[error("flag `{flag}` needs a value")]
    MissingValue {
        /// As typed.
        flag: String,
    },
    /// The value is not what the flag takes.
    #[error("flag `{flag}`: `{value}` is no {expected}")]
    BadValue {
        /// Long name with its dashes.
        flag: String,
        /// As typed.
        value: String,
        /// Such as `duration like 5m or 1h30m`.
        expected: &'static str,
    },
    /// A flag of Helm's that we replace by something better.
    #[error("`{flag}` is not passed on: {instead}")]
    Refused {
        /// Long name with its dashes.
        flag: String,
        /// What to use in its place.
        instead: &'static str,
    },
    /// RELEASE or CHART is missing.
    #[error("{name} is missing")]
    MissingPositional {
        /// `RELEASE` or `CHART`.
        name: &'static str,
    },
    /// More words than RELEASE and CHART.
    #[error("unexpected word `{word}`: RELEASE and CHART are given already")]
    ExtraPositional {
        /// The first word too many.
        word: String,
    },
}
