//! Flags to requests, results to the terminal and an exit code. One file a subcommand; no decisions.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::domain::report::ExitStatus;
#[cfg(feature = "cluster")]
use crate::edge::terminal::{ColourChoice, Format, Surroundings, Verbosity};
use crate::edge::terminal::{Failure, Options, Screen};

#[cfg(feature = "cluster")]
mod arguments;
mod filter;
#[cfg(feature = "cluster")]
mod open;
#[cfg(feature = "cluster")]
mod plan;
mod post_render;
#[cfg(feature = "cluster")]
mod preflight;
mod profile;
#[cfg(feature = "cluster")]
mod rehearse;
#[cfg(feature = "cluster")]
mod resume;
#[cfg(feature = "cluster")]
mod rollback;
mod rules;
mod shared;
#[cfg(feature = "cluster")]
mod status;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "cluster")]
mod upgrade;
#[cfg(feature = "cluster")]
mod verify;

use shared::Shared;

/// Upgrade a Helm release the way a careful expert would
///
/// It tells you before it starts, it can stop anywhere, and it can always say what state you are in.
#[derive(Debug, Parser)]
#[command(name = "csghub", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
As a Helm plugin it is called `helm csghub`; `csghub` alone does the same.
`csghub COMMAND --help` tells more, exit codes are listed in the README.";

/// Every subcommand.
#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "cluster")]
    Upgrade(upgrade::UpgradeArgs),
    #[cfg(feature = "cluster")]
    Plan(plan::PlanArgs),
    #[cfg(feature = "cluster")]
    Rehearse(rehearse::RehearseArgs),
    #[cfg(feature = "cluster")]
    Preflight(preflight::PreflightArgs),
    #[cfg(feature = "cluster")]
    Verify(verify::VerifyArgs),
    #[cfg(feature = "cluster")]
    Status(status::StatusArgs),
    #[cfg(feature = "cluster")]
    Resume(resume::ResumeArgs),
    #[cfg(feature = "cluster")]
    Rollback(rollback::RollbackArgs),
    Profile(profile::ProfileArgs),
    PostRender(post_render::PostRenderArgs),
    Filter(filter::FilterArgs),
}

/// Runs the command line, prints its result or its error once, and returns the exit code.
#[must_use]
pub fn run(args: Vec<OsString>) -> ExitCode {
    let args = words(args);
    match dispatch(&args) {
        Ok(status) => ExitCode::from(status.code()),
        Err(Ended::Clap(error)) if post_render::is_unwatched() => {
            let reason = error.to_string();
            let reason = reason.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            let reason = if error.use_stderr() { reason } else { "it was asked for help, not for manifests" };
            let failure = Failure::new(ExitStatus::Usage, anyhow!("{reason}"));
            let status = post_render::refuse(failure, false).unwrap_or(ExitStatus::Unexpected);
            ExitCode::from(status.code())
        }
        Err(Ended::Clap(error)) => {
            let status = if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Done };
            // A closed pipe leaves nobody to tell.
            let _ = error.print();
            ExitCode::from(status.code())
        }
        Err(Ended::Failure { failure, options }) => {
            Screen::new(options).error(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Prints why a guarded program could not be started, and returns the exit code.
#[cfg(feature = "cluster")]
#[must_use]
pub fn could_not_exec(error: impl Into<anyhow::Error>) -> ExitCode {
    let failure = Failure::new(ExitStatus::Unexpected, error);
    let options = Options::new(Format::Human, Verbosity::Normal, ColourChoice::Auto, &Surroundings::read());
    Screen::new(options).error(&failure);
    // As a shell does for a program that it cannot start: told from every code of Helm.
    ExitCode::from(127)
}

/// Why a command ended without a result of its own.
enum Ended {
    /// Help, version, or a command line that clap refuses.
    Clap(clap::Error),
    /// Anything else.
    Failure { failure: Failure, options: Options },
}

impl From<clap::Error> for Ended {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

/// A word that is no UTF-8 keeps its place; what it names is then not found, and the error shows it.
fn words(args: Vec<OsString>) -> Vec<String> {
    args.into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Returns the program as its help shows it.
fn program() -> clap::Command {
    shared::with_help_beside_manifests(Cli::command(), &["post-render", "filter"])
}

fn dispatch(args: &[String]) -> Result<ExitStatus, Ended> {
    #[cfg(feature = "cluster")]
    if let Some(helm_command) = arguments::helm_command(args, &Cli::command()) {
        return helm_command.run();
    }
    let matches = program().try_get_matches_from(args)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let options = cli.shared.options();
    let fail = |failure| Ended::Failure { failure, options };
    let fail_beside_manifests = |failure| Ended::Failure { failure, options: cli.shared.options_beside_manifests() };
    match cli.command {
        #[cfg(feature = "cluster")]
        Command::Upgrade(_) | Command::Plan(_) | Command::Preflight(_) => {
            // Their command lines are parted first (`arguments`): clap sees them for `--help` alone.
            Err(Cli::command()
                .error(clap::error::ErrorKind::MissingRequiredArgument, "RELEASE and CHART are missing")
                .into())
        }
        #[cfg(feature = "cluster")]
        Command::Rehearse(args) => rehearse::run_any(&args, &cli.shared).map_err(fail),
        #[cfg(feature = "cluster")]
        Command::Verify(args) => {
            open::with_session(&cli.shared, async |session, screen| verify::run(&args, session, screen).await)
                .map_err(fail)
        }
        #[cfg(feature = "cluster")]
        Command::Status(args) => {
            open::with_session(&cli.shared, async |session, screen| status::run(&args, session, screen).await)
                .map_err(fail)
        }
        #[cfg(feature = "cluster")]
        Command::Resume(args) => {
            open::with_session(&cli.shared, async |session, screen| resume::run(&args, session, screen).await)
                .map_err(fail)
        }
        #[cfg(feature = "cluster")]
        Command::Rollback(args) => {
            open::with_session(&cli.shared, async |session, screen| rollback::run(&args, session, screen).await)
                .map_err(fail)
        }
        Command::Profile(args) => profile::run(&args, &cli.shared).map_err(fail),
        Command::PostRender(args) => post_render::run(&args, &cli.shared).map_err(fail_beside_manifests),
        Command::Filter(args) => filter::run(&args, &cli.shared).map_err(fail_beside_manifests),
    }
}
