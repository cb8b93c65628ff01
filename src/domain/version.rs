//! Versions and constraints as Helm reads them.
//!
//! Source: `github.com/Masterminds/semver/v3`, which Helm uses for `kubeVersion` and for chart versions.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod constraint;

pub use constraint::satisfies;

/// The longest version and the longest constraint that Helm reads, in bytes.
const MAX_VERSION_BYTES: usize = 256;

/// The text is no version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is no version")]
pub struct NotAVersion {
    text: String,
}

/// What a chart asks for cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadConstraint {
    /// The constraint breaks the language's rules.
    #[error("`{constraint}` is no version constraint")]
    Constraint {
        /// As given.
        constraint: String,
    },
    /// The version to be held against it is none; Helm takes that for "not satisfied".
    #[error(transparent)]
    Version(#[from] NotAVersion),
}

/// A version: `v` before it, a missing minor or patch, and leading zeros are allowed; build metadata is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    /// Empty for a release.
    pre: String,
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_version(text).ok_or_else(|| NotAVersion { text: text.to_owned() })
    }
}

fn parse_version(text: &str) -> Option<Version> {
    if text.len() > MAX_VERSION_BYTES {
        return None;
    }
    let text = text.strip_prefix('v').unwrap_or(text);
    let (text, metadata) = text.split_once('+').map_or((text, None), |(text, metadata)| (text, Some(metadata)));
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
    let are_words = |part: &str| part.split('.').all(is_word);
    if !metadata.is_none_or(are_words)
        || !pre.is_none_or(|pre| are_words(pre) && pre.split('.').all(is_pre_release_part))
    {
        return None;
    }
    let mut numbers = numbers.split('.').map(parse_number);
    let version = Version {
        major: numbers.next()??,
        minor: numbers.next().unwrap_or(Some(0))?,
        patch: numbers.next().unwrap_or(Some(0))?,
        pre: pre.unwrap_or_default().to_owned(),
    };
    if numbers.next().is_some() { None } else { Some(version) }
}

fn parse_number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn is_word(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A number in a pre-release has no leading zero.
fn is_pre_release_part(part: &str) -> bool {
    !(part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit()))
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| compare_pre_releases(&self.pre, &other.pre))
    }
}

/// A release comes after its pre-releases.
fn compare_pre_releases(one: &str, other: &str) -> Ordering {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let mut parts = one.split('.');
            let mut others = other.split('.');
            loop {
                match (parts.next(), others.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => return Ordering::Less,
                    (Some(_), None) => return Ordering::Greater,
                    (Some(part), Some(other)) => match compare_parts(part, other) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        }
    }
}

/// Numbers come before words.
fn compare_parts(one: &str, other: &str) -> Ordering {
    match (parse_number(one), parse_number(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// Returns which of two chart versions is later; nothing if one of them is no version. Build metadata does not count.
#[must_use]
pub fn compare_chart_versions(a: &str, b: &str) -> Option<Ordering> {
    Some(parse_version(a)?.cmp(&parse_version(b)?))
}

/// The version of a `helm` binary, as `helm version --short` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HelmVersion(Version);

impl HelmVersion {
    /// Returns 3 or 4.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// Tells whether this is at least that release; a pre-release of it is not.
    #[must_use]
    pub fn is_at_least(&self, major: u64, minor: u64, patch: u64) -> bool {
        self.0 >= Version { major, minor, patch, pre: String::new() }
    }
}

impl FromStr for HelmVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self)
    }
}

impl TryFrom<String> for HelmVersion {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HelmVersion> for String {
    fn from(version: HelmVersion) -> Self {
        version.to_string()
    }
}

/// Writes `4.3.1`.
impl fmt::Display for HelmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version { major, minor, patch, pre } = &self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if pre.is_empty() { Ok(()) } else { write!(f, "-{pre}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helm_version_is_read_from_what_helm_prints() {
        let version = |text: &str| text.parse::<HelmVersion>().map(|version| (version.major(), version.to_string()));
        assert_eq!(version("v4.3.1\n"), Ok((4, "4.3.1".to_owned())));
        assert_eq!(version("v3.17.4+g595a05d"), Ok((3, "3.17.4".to_owned())));
        assert_eq!(version("v4.3"), Ok((4, "4.3.0".to_owned())));
        assert_eq!(version("v4.0.0-rc.1"), Ok((4, "4.0.0-rc.1".to_owned())));
        assert_eq!(version("helm").expect_err("no version").to_string(), "`helm` is no version");
    }

    #[test]
    fn a_pre_release_is_not_yet_its_release() {
        let is_four = |text: &str| text.parse::<HelmVersion>().expect("a version").is_at_least(4, 0, 0);
        assert!(is_four("v4.0.0") && !is_four("v4.0.0-rc.1") && !is_four("v3.99.0"));
    }

    #[test]
    fn chart_versions_are_compared_by_their_parts() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            ("1.10.0", "1.9.0", Greater),
            ("v1.2", "1.2.0+build", Equal),
            ("1.0.0-rc.1", "1.0.0", Less),
            ("1.0.0-rc.2", "1.0.0-rc.10", Less),
            ("1.0.0-1", "1.0.0-a", Less),
            ("1.0.0-a", "1.0.0-a.b", Less),
            ("01.2.3", "1.2.3", Equal),
        ];
        for (a, b, ordering) in cases {
            assert_eq!(compare_chart_versions(a, b), Some(ordering), "{a} {b}");
            assert_eq!(compare_chart_versions(b, a), Some(ordering.reverse()), "{b} {a}");
        }
        for text in ["", "latest", "1.2.3.4", "1..2", "1.2.3-", "1.2.3-01", "1.2.3+", "99999999999999999999"] {
            assert_eq!(compare_chart_versions(text, "1.0.0"), None, "{text}");
        }
    }
}
