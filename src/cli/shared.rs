//! The flags that every subcommand takes.

use std::env;
use std::ffi::OsString;

use anyhow::anyhow;
use clap::{Arg, Args, Command, ValueEnum};

use crate::domain::report::ExitStatus;
use crate::edge::terminal::{ColourChoice, Failure, Format, Options, Surroundings, Verbosity};

/// Flags of every subcommand. Helm takes `-n`, `--kubeconfig` and `--kube-context` away from a plugin's command line and
/// hands them on in the environment; called alone, `csghub` reads both.
#[derive(Debug, Clone, Args)]
pub(super) struct Shared {
    /// Namespace of the release
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Path of the kubeconfig file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) kubeconfig: Option<OsString>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) kube_context: Option<String>,
    /// Form of the result on stdout
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(super) output: Output,
    /// Print the result and failures only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Print details: every check, every line of Helm
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Text for people.
    Human,
    /// One JSON document, with a format version.
    Json,
    /// Markdown for pull requests.
    Markdown,
}

impl Shared {
    /// Returns the namespace; one without a name, as from a variable that is not set, is none.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty())
    }

    /// Returns how to print.
    pub(super) fn options(&self) -> Options {
        let format = match self.output {
            Output::Human => Format::Human,
            Output::Json => Format::Json,
            Output::Markdown => Format::Markdown,
        };
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Options::new(format, verbosity, ColourChoice::Auto, &Surroundings::read())
    }

    /// Returns how to print where stdout carries manifests to another program: messages are for people, and go to stderr alone.
    pub(super) fn options_beside_manifests(&self) -> Options {
        Self { output: Output::Human, ..self.clone() }.options()
    }

    /// Checks that no other form of the result is asked for where the result is manifests.
    ///
    /// # Errors
    /// `-o` asks for one.
    pub(super) fn check_is_of_manifests(&self) -> Result<(), Failure> {
        if self.output == Output::Human {
            return Ok(());
        }
        let error = anyhow!("the result of this command is manifests, of which `--output` has no other form");
        Err(Failure::new(ExitStatus::Usage, error).hinted("leave `-o` out"))
    }
}

/// Returns the program with a shorter help for these subcommands, whose result is manifests: flags that they refuse (`-o`) or never read are
/// taken as ever, for Helm may hand them on, but not offered.
pub(super) fn with_help_beside_manifests(program: Command, subcommands: &[&str]) -> Command {
    const TOLD: [(&str, Option<&str>); 5] = [
        ("kubeconfig", None),
        ("kube_context", None),
        ("output", None),
        ("quiet", None),
        ("verbose", Some("Tell on stderr what the rules changed")),
    ];
    let flags: Vec<Arg> = TOLD
        .iter()
        .filter_map(|(id, help)| {
            let flag = program.get_arguments().find(|flag| flag.get_id() == id)?.clone();
            Some(help.map_or_else(|| flag.clone().hide(true), |help| flag.clone().help(help)))
        })
        .collect();
    // A global flag is not handed down to a subcommand that has one of that name.
    subcommands
        .iter()
        .fold(program, |program, name| program.mut_subcommand(name, |command| command.args(flags.clone())))
}

/// Tells whether Helm called us as that plugin.
pub(super) fn is_called_as(plugin: &str) -> bool {
    env::var_os("HELM_PLUGIN_NAME").is_some_and(|name| name == plugin)
}
