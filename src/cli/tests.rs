//! What clap makes of command lines.

use clap::FromArgMatches as _;

use super::shared::Output;
use super::{Cli, program};

#[cfg(feature = "cluster")]
mod examples;

/// Returns the help of a subcommand, at a width that no machine changes.
fn help(subcommand: &str) -> String {
    let mut program = program().term_width(100);
    program.build();
    program.find_subcommand_mut(subcommand).expect("a subcommand").render_long_help().to_string()
}

#[test]
fn where_manifests_come_out_the_help_offers_what_is_read() {
    insta::assert_snapshot!("filter", help("filter"));
    insta::assert_snapshot!("post-render", help("post-render"));
}

#[test]
fn what_the_help_of_a_post_renderer_hides_is_taken_as_ever() {
    let words = ["--kubeconfig=a", "--kube-context", "b", "-o", "json", "-v", "-n", "c"];
    for subcommand in ["filter", "post-render"] {
        let behind = [["csghub", subcommand].as_slice(), &words].concat();
        let before = [["csghub"].as_slice(), &words, &[subcommand]].concat();
        for line in [behind, before] {
            let matches = program().try_get_matches_from(&line).expect("they are taken");
            let shared = Cli::from_arg_matches(&matches).expect("a command line").shared;
            assert_eq!(shared.output, Output::Json, "{line:?}");
            assert!(shared.verbose && shared.check_is_of_manifests().is_err(), "{line:?}");
            assert_eq!(shared.kubeconfig.as_deref(), Some("a".as_ref()), "{line:?}");
            assert_eq!(
                (shared.kube_context.as_deref(), shared.namespace.as_deref()),
                (Some("b"), Some("c")),
                "{line:?}"
            );
        }
        assert!(program().try_get_matches_from(["csghub", subcommand, "-q", "-v"]).is_err(), "one or the other");
    }
}

#[cfg(feature = "cluster")]
#[test]
fn the_version_behind_a_command_is_the_charts() {
    use super::arguments::helm_command;
    let table = crate::domain::helm_flags::parse_help("Flags:\n      --version string   the chart's\n");
    let line = ["csghub", "plan", "--version", "1.0.0", "shop", "./shop", "--version=2.0.0"].map(str::to_owned);
    let command = helm_command(&line, &<Cli as clap::CommandFactory>::command()).expect("one with Helm's flags");
    let (_, args, words) = command.part(&table).expect("it is taken");
    assert_eq!(args.value_of("version"), Some("2.0.0"));
    assert_eq!(words, ["shop", "./shop", "--version", "1.0.0", "--version=2.0.0"]);
}
