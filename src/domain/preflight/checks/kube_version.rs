//! `kube-version`: a chart says which versions of Kubernetes it is for.

use crate::domain::facts::{Answer, Facts};
use crate::domain::preflight::{Check, Outcome, Waivable, wording};
use crate::domain::version;

pub(super) const CHECK: Check = Check {
    id: "kube-version",
    asks: "Is the cluster's version of Kubernetes one that the chart is for?",
    waivable: Waivable::Yes,
    run,
};

fn run(facts: &Facts) -> Outcome {
    let chart = &facts.chart.metadata;
    let Some(constraint) = chart.kube_version.as_deref().filter(|constraint| !constraint.trim().is_empty()) else {
        return Outcome::skip(format!("chart `{}` names no `kubeVersion`", chart.name));
    };
    let server = match &facts.server_version {
        Answer::Known(server) => server,
        Answer::CouldNotTell { because } => {
            return Outcome::could_not_tell(format!(
                "the version of the API server could not be read: {}",
                wording::quote(because)
            ));
        }
    };
    match version::satisfies(constraint, server) {
        Ok(true) => Outcome::pass(format!("Kubernetes {server} satisfies `{constraint}`")),
        Ok(false) => Outcome::fail(
            format!("chart `{}` needs Kubernetes `{constraint}` (`kubeVersion`), the server is {server}", chart.name),
            format!("upgrade the cluster first, or take a version of chart `{}` that is for {server}", chart.name),
        ),
        Err(error) => Outcome::could_not_tell(format!(
            "`kubeVersion` of chart `{}` cannot be compared with {server}: {}",
            chart.name,
            wording::quote(&error.to_string())
        )),
    }
}
