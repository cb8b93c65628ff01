//! The steps before Helm: what a rehearsal found and a step can cure.

use std::time::Duration;

use super::execute::StepEnd;
use super::run::Run;
use crate::domain::event::Stage;
use crate::domain::object::ObjectRef;
use crate::domain::report::Problem;
use crate::edge::cluster::{Deleted, Gone, Propagation};

/// How long a Job and its pods may take to go.
const DELETE_PATIENCE: Duration = Duration::from_mins(1);

/// Removes a finished Job of that uid and waits until it is gone, so that Helm can make it anew.
pub(super) async fn remove_job(run: &Run<'_>, object: &ObjectRef, uid: &str) -> StepEnd {
    let clock = run.session.stage(Stage::Prepare, format!("remove finished {object}"));
    match remove(run, object, uid).await {
        Ok(note) => {
            clock.finish(note.clone());
            StepEnd::Succeeded { note }
        }
        Err(cause) => {
            clock.fail(cause.clone());
            let problem = Problem { object: object.to_string(), field: None, cause: cause.clone(), remedy: None };
            StepEnd::Failed { because: format!("{object}: {cause}"), problems: vec![problem] }
        }
    }
}

async fn remove(run: &Run<'_>, object: &ObjectRef, uid: &str) -> Result<String, String> {
    let cluster = &run.session.cluster;
    let told = |error: crate::edge::cluster::ClusterError| format!("{:#}", anyhow::Error::from(error));
    match cluster.delete_object(object, uid, Propagation::Background).await.map_err(told)? {
        // Its TTL was faster.
        Deleted::AlreadyGone => Ok(format!("{object} is gone already")),
        Deleted::AnotherNow => Err("it was made anew since the plan was made: plan again".to_owned()),
        Deleted::Deleted => match cluster.wait_for_gone(object, uid, DELETE_PATIENCE).await.map_err(told)? {
            Gone::StillThere { finalizers, .. } => {
                Err(format!("it is being deleted and still there ({})", finalizers.join(", ")))
            }
            Gone::Gone => Ok(format!("{object} is gone")),
        },
    }
}
