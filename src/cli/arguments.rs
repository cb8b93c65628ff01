//! Command lines that carry Helm's flags: parted into ours, which clap parses, and Helm's, which are passed on verbatim.

use clap::{ArgAction, Command as ClapCommand, CommandFactory, FromArgMatches};

use super::{Cli, Command, Ended, open};
use crate::domain::helm_flags::{self, FlagTable, HelmArgs, OurFlag};
use crate::domain::report::ExitStatus;
use crate::edge::terminal::Failure;

/// The subcommands that take `RELEASE CHART [helm flags]`.
const WITH_HELM_FLAGS: [&str; 4] = ["upgrade", "plan", "preflight", "rehearse"];

/// A command line with Helm's flags, before Helm was asked which flags take a value.
pub(super) struct HelmCommand {
    name: &'static str,
    before: Vec<String>,
    after: Vec<String>,
}

/// Returns the command line if it is one with Helm's flags; nothing if clap can parse it alone, as for `--help`.
pub(super) fn helm_command(args: &[String], command: &ClapCommand) -> Option<HelmCommand> {
    let words = args.get(1..)?;
    let at = subcommand_index(words, command)?;
    let name = WITH_HELM_FLAGS.into_iter().find(|name| words.get(at).is_some_and(|word| word == name))?;
    let (before, after) = (words.get(..at)?.to_vec(), words.get(at + 1..)?.to_vec());
    // `rehearse -- COMMAND...`: nothing of it is for `helm upgrade`.
    let is_any_command = name == "rehearse" && after.iter().any(|word| word == "--");
    let asks_for_help = after.iter().take_while(|word| *word != "--").any(|word| word == "-h" || word == "--help");
    (!asks_for_help && !is_any_command).then_some(HelmCommand { name, before, after })
}

/// The first word that is neither a flag nor the value of one.
fn subcommand_index(words: &[String], command: &ClapCommand) -> Option<usize> {
    let flags = flags_of(command);
    let mut skip = false;
    for (index, word) in words.iter().enumerate() {
        if skip {
            skip = false;
        } else if let Some(long) = word.strip_prefix("--") {
            skip = flags.iter().any(|flag| flag.takes_value && flag.long == long);
        } else if word.len() == 2 && word.starts_with('-') {
            skip = flags.iter().any(|flag| flag.takes_value && flag.short == word.chars().nth(1));
        } else if !word.starts_with('-') {
            return Some(index);
        }
    }
    None
}

fn flags_of(command: &ClapCommand) -> Vec<OurFlag<'_>> {
    command
        .get_arguments()
        // Ours is that of the program alone: behind a subcommand it is Helm's, the version of the chart.
        .filter(|arg| !matches!(arg.get_action(), ArgAction::Version))
        .filter_map(|arg| {
            let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
            Some(OurFlag { long: arg.get_long()?, short: arg.get_short(), takes_value })
        })
        .collect()
}

impl HelmCommand {
    /// Asks Helm for its flags, parts the command line, and runs the command.
    pub(super) fn run(self) -> Result<ExitStatus, Ended> {
        // Only for how to print an error about the flags themselves: what can be parsed of our own is.
        let options = self.options();
        let fail = |failure| Ended::Failure { failure, options };
        let table = open::helm_flag_table().map_err(fail)?;
        let (cli, args, words) =
            self.part(&table).map_err(|error| match error {
                Parted::Clap(error) => Ended::Clap(error),
                Parted::Flags(error) => fail(Failure::new(ExitStatus::Usage, error).hinted(format!(
                    "`helm csghub {} --help` lists our flags, `helm upgrade --help` Helm's",
                    self.name
                ))),
            })?;
        let options = cli.shared.options();
        let fail = |failure| Ended::Failure { failure, options };
        let is_dry_run = args.is_dry_run();
        let rules = match &cli.command {
            Command::Upgrade(args) => args.target.profiles.rules(),
            Command::Plan(args) => args.target.profiles.rules(),
            Command::Preflight(args) => args.target.profiles.rules(),
            Command::Rehearse(args) => args.profiles.rules(),
            _ => Ok(Vec::new()),
        };
        let inputs = open::read_inputs(args, words, rules.map_err(fail)?).map_err(fail)?;
        let shared = cli.shared;
        match cli.command {
            Command::Upgrade(args) if is_dry_run => {
                let plan = args.as_plan();
                open::with_session(&shared, async |session, screen| {
                    super::plan::run(&plan, &inputs, session, screen).await
                })
            }
            Command::Upgrade(args) => open::with_session(&shared, async |session, screen| {
                super::upgrade::run(&args, &inputs, session, screen).await
            }),
            Command::Plan(args) => open::with_session(&shared, async |session, screen| {
                super::plan::run(&args, &inputs, session, screen).await
            }),
            Command::Rehearse(args) => open::with_session(&shared, async |session, screen| {
                super::rehearse::run_upgrade(&args, &inputs, session, screen).await
            }),
            Command::Preflight(args) => open::with_session(&shared, async |session, screen| {
                super::preflight::run(&args, &inputs, session, screen).await
            }),
            _ => Ok(ExitStatus::Usage),
        }
        .map_err(fail)
    }

    /// Returns our own part of the command line, Helm's, and the words of the latter.
    pub(super) fn part(&self, table: &FlagTable) -> Result<(Cli, HelmArgs, Vec<String>), Parted> {
        let mut command = Cli::command();
        command.build();
        let subcommand = command.find_subcommand(self.name).cloned().unwrap_or_default();
        let mut ours = flags_of(&subcommand);
        ours.extend(flags_of(&command));
        let parts = helm_flags::partition(&self.after, table, &ours).map_err(Parted::Flags)?;
        let mut line = vec!["csghub".to_owned()];
        line.extend(self.before.iter().cloned());
        line.push(self.name.to_owned());
        line.extend(parts.ours.iter().cloned());
        line.push("--".to_owned());
        line.extend(parts.positionals.iter().cloned());
        let matches = Cli::command().try_get_matches_from(line).map_err(Parted::Clap)?;
        let cli = Cli::from_arg_matches(&matches).map_err(Parted::Clap)?;
        let mut words = parts.positionals.clone();
        words.extend(parts.helm_words());
        let args = HelmArgs::new(&parts.positionals, parts.helm).map_err(Parted::Flags)?;
        Ok((cli, args, words))
    }

    fn options(&self) -> crate::edge::terminal::Options {
        use super::shared::Output;
        let is_asked_for = |format: &str| {
            let is_flag = |flag: &String| flag == "-o" || flag == "--output";
            let joined = [format!("--output={format}"), format!("-o{format}"), format!("-o={format}")];
            self.after.windows(2).any(|pair| matches!(pair, [flag, value] if is_flag(flag) && value == format))
                || self.after.iter().any(|word| joined.contains(word))
        };
        let output = match (is_asked_for("json"), is_asked_for("markdown")) {
            (true, _) => Output::Json,
            (_, true) => Output::Markdown,
            _ => Output::Human,
        };
        let shared = super::shared::Shared {
            namespace: None,
            kubeconfig: None,
            kube_context: None,
            output,
            quiet: false,
            verbose: false,
        };
        shared.options()
    }
}

/// Why a command line cannot be parted.
#[derive(Debug)]
pub(super) enum Parted {
    /// Of our own part.
    Clap(clap::Error),
    /// Of Helm's.
    Flags(helm_flags::FlagError),
}
