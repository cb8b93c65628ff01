//! `profile list`, `profile show`, `profile check`.

use std::path::PathBuf;

use clap::Subcommand;

use super::shared::Shared;
use super::{rules, stream};
use crate::domain::profile::{self, Profile};
use crate::domain::report::ExitStatus;
use crate::edge::terminal::{Failure, Format, Screen};

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

pub(super) fn run(args: &ProfileArgs, shared: &Shared) -> Result<ExitStatus, Failure> {
    let profiles: Vec<Profile> = match &args.command {
        ProfileCommand::List => {
            let all = profile::embedded().map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
            all.into_iter().map(|(profile, _)| profile).collect()
        }
        ProfileCommand::Show { name } => {
            let (profile, text) = rules::embedded(name)?;
            if shared.options().format == Format::Human {
                return stream::write(text.as_bytes()).map(|()| ExitStatus::Done);
            }
            vec![profile]
        }
        ProfileCommand::Check { file } => vec![rules::read(file)?],
    };
    let screen = Screen::new(shared.options());
    screen.result(profiles.as_slice()).map_err(|error| Failure::new(ExitStatus::Unexpected, error))?;
    Ok(ExitStatus::Done)
}
