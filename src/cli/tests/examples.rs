//! Every command line of ours that README, `docs/` and `examples/` show is one that we take.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _};
use serde_json::Value;

use super::{Cli, program};
use crate::cli::arguments::{Parted, helm_command};
use crate::domain::helm_flags::parse_help;
use crate::domain::yaml;

/// As much of `helm upgrade --help` as is shown.
const HELM_FLAGS: &str = "Flags:
  -i, --install                if a release by this name doesn't already exist, run an install
      --set stringArray        set values on the command line
      --skip-crds              if set, no CRDs will be installed
  -f, --values strings         specify values in a YAML file or a URL
      --version string         specify a version constraint for the chart version to use
";

/// Checks the words behind `csghub`.
fn check(words: &[String]) -> Result<(), String> {
    let line: Vec<String> = std::iter::once("csghub".to_owned()).chain(words.iter().cloned()).collect();
    if let Some(helm_command) = helm_command(&line, &Cli::command()) {
        return helm_command.part(&parse_help(HELM_FLAGS)).map(|_| ()).map_err(|error| match error {
            Parted::Clap(error) => error.to_string(),
            Parted::Flags(error) => error.to_string(),
        });
    }
    let matches = program().try_get_matches_from(&line);
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Returns the commands of a script, each as its words: as much of the shell as our examples need. A variable stays a word.
fn commands(script: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            _ if quote == Some(character) => quote = None,
            '\'' | '"' if quote.is_none() => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            '\\' if quote.is_none() && characters.next_if_eq(&'\n').is_some() => words.extend(word.take()),
            // A comment, or `[any flag of helm upgrade]`.
            '#' | '[' if quote.is_none() && word.is_none() => {
                while characters.next_if(|next| *next != '\n').is_some() {}
            }
            ' ' if quote.is_none() => words.extend(word.take()),
            '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')' if quote.is_none() => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    commands.push(words);
    commands
}

/// Returns what stands behind `csghub` where a command calls us: itself, through Helm, or as Helm's post-renderer.
fn of_ours(command: &[String]) -> Option<Vec<String>> {
    let is_ours = |word: &String| word == "csghub" || word == "$csghub" || word.ends_with("/bin/csghub");
    match command {
        // The name alone.
        [_] => None,
        [helm, plugin, words @ ..] if helm == "helm" && plugin == "csghub" => Some(words.to_vec()),
        [program, words @ ..] if is_ours(program) => Some(words.to_vec()),
        _ => {
            let pairs =
                command.windows(2).filter(|pair| pair.first().is_some_and(|flag| flag == "--post-renderer-args"));
            let arguments: Vec<String> = pairs.filter_map(|pair| pair.get(1).cloned()).collect();
            (!arguments.is_empty()).then(|| as_post_renderer(arguments))
        }
    }
}

/// Helm 4 calls the plugin by its name, which says what it does.
fn as_post_renderer(arguments: Vec<String>) -> Vec<String> {
    let word = "post-render".to_owned();
    if arguments.contains(&word) { arguments } else { std::iter::once(word).chain(arguments).collect() }
}

/// Returns what a page shows as code: blocks, of a terminal what is typed there, and what stands in backticks with more than a command's
/// name. Of a comment in YAML the mark is left out.
fn shown(page: &str) -> Vec<String> {
    let page = page.replace("\n# ", "\n");
    let mut shown = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 0 {
            let spans = part.split('`').skip(1).step_by(2);
            let is_whole = |span: &&str| span.trim_start_matches("helm ").split(' ').count() > 2;
            let spans = spans.filter(is_whole).filter(|span| !span.contains("...") && !span.contains("COMMAND"));
            shown.extend(spans.map(|span| span.replace("REVISION", "3")));
        } else if let Some(("text" | "console", block)) = part.split_once('\n') {
            shown.extend(block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned));
        } else {
            shown.push(part.split_once('\n').map_or(part, |(_, block)| block).to_owned());
        }
    }
    shown
}

/// Gives each text within a value to `see`, with the key that it stands below, and each mapping.
fn each(key: &str, value: &Value, see: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(map) => {
            see(key, value);
            map.iter().for_each(|(key, value)| each(key, value, see));
        }
        Value::Array(items) => items.iter().for_each(|item| each(key, item, see)),
        Value::String(_) => see(key, value),
        _ => {}
    }
}

fn words_of(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

/// Returns what stands behind `csghub` in the scripts and hooks of a file, and in arguments of post-renderers.
fn in_yaml(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for document in yaml::parse_documents(text).expect("YAML") {
        each("", &document.value, &mut |key, value| {
            if let Value::String(script) = value {
                let is_safe = key != "run" || !script.contains("${{");
                assert!(is_safe, "what a user types becomes part of the script: {script}");
                found.extend(commands(script).iter().filter_map(|command| of_ours(command)));
            } else {
                let is_called = value.get("command").and_then(Value::as_str).is_some_and(|program| program == "csghub");
                found.extend(value.get("args").filter(|_| is_called).and_then(words_of));
                found.extend(value.get("postRendererArgs").and_then(words_of).map(as_post_renderer));
            }
        });
    }
    found
}

/// Returns the YAML that helmfile makes of its template, each branch in turn: lines of the template's own language left out, and its
/// values replaced by words.
fn rendered(template: &str) -> Vec<String> {
    let is_action = |line: &str| line.trim_start().starts_with("{{-");
    let branch = |number: usize| {
        let mut at = None;
        let mut lines = String::new();
        for line in template.lines() {
            match line.trim() {
                line if line.starts_with("{{- if") => at = Some(0),
                "{{- else }}" => at = at.map(|at| at + 1),
                "{{- end }}" => at = None,
                _ if is_action(line) || at.is_some_and(|at| at != number) => {}
                _ => lines = lines + line + "\n",
            }
        }
        lines.replace("{{ $csghub }}", "csghub").replace("{{ $", "a-").replace(" }}", "")
    };
    vec![branch(0), branch(1)]
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

#[test]
fn every_command_line_that_we_show_is_one_that_we_take() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("examples/helmfile/helmfile.yaml.gotmpl")];
    pages.extend(files("docs").into_iter().chain(files("examples")));
    let mut wrong = Vec::new();
    let mut silent = Vec::new();
    for path in pages {
        let text = fs::read_to_string(&path).expect("a page");
        let mut lines: Vec<Vec<String>> =
            shown(&text).iter().flat_map(|code| commands(code)).filter_map(|command| of_ours(&command)).collect();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => lines.extend(in_yaml(&text)),
            Some("gotmpl") => lines.extend(rendered(&text).iter().flat_map(|text| in_yaml(text))),
            _ => {}
        }
        let name = path.strip_prefix(root).expect("below").display().to_string();
        if lines.is_empty() {
            silent.push(name.clone());
        }
        for words in lines {
            wrong.extend(check(&words).err().map(|error| format!("{name}: csghub {}: {error}", words.join(" "))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let without_any =
        ["docs/architecture.md", "docs/testing.md", "examples/rbac-plan.yaml", "examples/rbac-upgrade.yaml"];
    assert_eq!(silent, without_any, "in these no command line of ours was found");
}

#[test]
fn a_command_line_that_we_do_not_take_is_found() {
    let page = "See `helm csghub verify a --profil x`.\n```sh\nhelm csghub plan a b \\\n    --valus x > y\nHELM=4 csghub filter | csghub filter -o\n```\n";
    let found: Vec<String> = shown(page)
        .iter()
        .flat_map(|code| commands(code))
        .filter_map(|command| of_ours(&command))
        .filter(|words| check(words).is_err())
        .map(|words| words.join(" "))
        .collect();
    assert_eq!(found, ["verify a --profil x", "plan a b --valus x", "filter -o"]);
    let arguments = ["helm", "upgrade", "--post-renderer-args", "--profile-fil=a"].map(str::to_owned);
    assert!(check(&of_ours(&arguments).expect("ours")).is_err());
}
