//! `helm-version`: we claim the Helm versions that were run.

use semver::Version;

use crate::domain::facts::Facts;
use crate::domain::preflight::{Check, Outcome, Waivable};

/// The oldest Helm that was run, as (major, minor).
const OLDEST: (u64, u64) = (3, 17);

/// The newest Helm that was run, as (major, minor).
const NEWEST: (u64, u64) = (4, 3);

pub(super) const CHECK: Check =
    Check { id: "helm-version", asks: "Is it a Helm that we know?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let typed = &facts.helm.version;
    let Ok(version) = Version::parse(typed.strip_prefix('v').unwrap_or(typed)) else {
        return Outcome::could_not_tell(format!("Helm's version `{typed}` is not SemVer; `helm version` shows it"));
    };
    match (version.major, version.minor) {
        minor if minor < OLDEST => Outcome::fail(
            format!("Helm {version} is older than 3.17, the oldest that was run"),
            "install Helm 3.17 to 4.3, or name another one in `HELM_BIN`",
        ),
        minor if minor > NEWEST => Outcome::warn(
            format!("Helm {version} is newer than 4.3: untested"),
            "rehearse first, or name a Helm 3.17 to 4.3 in `HELM_BIN`",
        ),
        _ => Outcome::pass(format!("Helm {version}")),
    }
}
