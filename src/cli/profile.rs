//! `profile list`, `profile show`, `profile check`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;

use super::rules;
use crate::domain::profile;
use crate::domain::report::ExitStatus;
use crate::edge::terminal::Failure;

/// Show and check profiles: what is known of a product, as data
#[derive(Debug, clap::Args)]
pub(super) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, Subcommand)]
enum ProfileCommand {
    /// List the embedded profiles
    List,
    /// Print an embedded profile, to begin one of your own with
    Show {
        /// Name of the profile
        name: String,
    },
    /// Check a profile of your own; schemas/profile.json lets an editor do so, too
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn run(args: &ProfileArgs) -> Result<ExitStatus, Failure> {
    let text = match &args.command {
        ProfileCommand::List => list()?,
        ProfileCommand::Show { name } => rules::embedded(name)?.1.to_owned(),
        ProfileCommand::Check { file } => {
            let profile = rules::read(file)?;
            let rules = crate::domain::wording::counted(profile.post_render.len(), "post-render rule");
            format!("{}: profile `{}` is well-formed, {rules}\n", file.display(), profile.name)
        }
    };
    io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("write to standard output")
        .map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(ExitStatus::Done)
}

fn list() -> Result<String, Failure> {
    let all = profile::embedded().map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    let widest = all.iter().map(|(profile, _)| profile.name.len()).max().unwrap_or_default();
    let line = |(profile, _): &(profile::Profile, &str)| {
        format!("{:widest$}  {} (chart {})\n", profile.name, profile.description, profile.charts.join(", "))
    };
    Ok(all.iter().map(line).collect())
}
