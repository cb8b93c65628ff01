//! Opens a session and runs one command in it: the only place that starts a runtime.

use std::ffi::OsString;

use super::shared::Shared;
use crate::domain::helm_flags::{FlagTable, HelmArgs};
use crate::domain::profile::Rule;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Screen};
use crate::flow;
use crate::flow::inputs::Inputs;
use crate::flow::session::{Session, Surroundings};

/// Runs a command with an open session.
pub(super) fn with_session<F>(shared: &Shared, command: F) -> Result<ExitStatus, Failure>
where
    F: AsyncFnOnce(&Session, &Screen) -> Result<ExitStatus, Failure>,
{
    let screen = std::rc::Rc::new(Screen::new(shared.options()));
    run_to_end(async {
        let show = std::rc::Rc::clone(&screen);
        let emit = Box::new(move |event: &crate::domain::event::Event| show.show(event));
        let session = Session::open(&surroundings(shared), emit).await.map_err(to_shown)?;
        command(&session, &screen).await
    })
}

/// Asks Helm which flags its `upgrade` takes.
pub(super) fn helm_flag_table() -> Result<FlagTable, Failure> {
    run_to_end(async { flow::session::helm_flag_table(&read_variable).await.map_err(to_shown) })
}

/// Reads the files and URLs that Helm's flags name.
pub(super) fn read_inputs(args: HelmArgs, words: Vec<String>, rules: Vec<Rule>) -> Result<Inputs, Failure> {
    run_to_end(async { flow::session::read_inputs(&read_variable, args, words, rules).await.map_err(to_shown) })
}

/// What the flow says of a failure, for the terminal.
pub(super) fn to_shown(failure: flow::failure::Failure) -> Failure {
    let flow::failure::Failure { exit, error, hints } = failure;
    hints.into_iter().fold(Failure::new(exit, error), Failure::hinted)
}

fn surroundings(shared: &Shared) -> Surroundings<'_> {
    Surroundings {
        read_variable: &read_variable,
        namespace: shared.namespace(),
        kubeconfig: shared.kubeconfig.as_deref(),
        kube_context: shared.kube_context.as_deref(),
    }
}

/// Reads a variable of our environment; nothing for one that is unset or empty.
pub(super) fn read_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// One thread: the death signal that Helm gets when we are killed belongs to the thread that started it.
fn run_to_end<T>(task: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(ExitStatus::Unexpected, anyhow::Error::from(error).context("start the runtime"))
    })?;
    let local = tokio::task::LocalSet::new();
    let result = local.block_on(&runtime, task);
    // A thread that still waits for the terminal, or for a credential plugin, must not hold the process up.
    runtime.shutdown_background();
    result
}
