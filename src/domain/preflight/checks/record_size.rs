//! `record-size`: Helm keeps each revision in one Secret or ConfigMap, and the API server limits its size.

use crate::domain::facts::Facts;
use crate::domain::preflight::{Check, Outcome, Waivable};
use crate::domain::release::RECORD_LIMIT_BYTES;

/// From this share of the limit on, the next chart version may not fit.
const WARN_PERCENT: usize = 90;

const WHAT_HELPS: &str = "turn off parts of the chart that you do not use, keep files out of it with `.helmignore`, take the descriptions out of its CRDs (rule `slim-crd-descriptions` of a profile), or split the release";

pub(super) const CHECK: Check =
    Check { id: "record-size", asks: "Does the new revision fit into Helm's storage?", waivable: Waivable::Yes, run };

fn run(facts: &Facts) -> Outcome {
    let target = match super::rendered_target(facts) {
        Ok(target) => target,
        Err(outcome) => return outcome,
    };
    let bytes = target.record_bytes;
    let size = format!("{} KiB of {} KiB", bytes.div_ceil(1024), RECORD_LIMIT_BYTES / 1024);
    let percent = bytes / (RECORD_LIMIT_BYTES / 100);
    if bytes > RECORD_LIMIT_BYTES {
        Outcome::fail(
            format!(
                "the release record takes {size}: the chart's files, the values and the manifests, packed. Every revision is a \
                 record of its own, so `--history-max` does not help"
            ),
            WHAT_HELPS,
        )
    } else if percent >= WARN_PERCENT {
        Outcome::warn(format!("the release record takes {size}, {percent} %: the next version may not fit"), WHAT_HELPS)
    } else {
        Outcome::pass(format!("{size}, {percent} %"))
    }
}
