//! What Helm was asked for: the flags of one `helm upgrade`, verbatim and in order, with answers about them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FlagError, FlagTable, OurFlag, partition};

/// One flag of Helm's, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagUse {
    /// Long name without dashes, whichever form was typed.
    pub long: String,
    /// Its value; absent for a switch, and where an optional value was left out.
    pub value: Option<String>,
    /// As typed: one word or two. Letters typed together (`-if x`) are parted.
    pub words: Vec<String>,
}

/// A file whose content becomes a value: one part of `--set-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFile {
    /// The key, in Helm's notation.
    pub key: String,
    /// Path or URL.
    pub source: String,
}

/// RELEASE, CHART and Helm's flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmArgs {
    /// Name of the release.
    pub release: String,
    /// The chart as the user named it.
    pub chart: String,
    /// Helm's flags, in order.
    pub flags: Vec<FlagUse>,
}

/// Flags that say where a chart comes from: `helm pull` takes them all.
///
/// Source: `helm pull --help` of 3.17.4, 3.22.0 and 4.3.1.
const SOURCE_FLAGS: [&str; 13] = [
    "ca-file",
    "cert-file",
    "devel",
    "insecure-skip-tls-verify",
    "key-file",
    "keyring",
    "pass-credentials",
    "password",
    "plain-http",
    "repo",
    "username",
    "verify",
    "version",
];

/// Flags by which values are given.
///
/// Source: `helm upgrade --help` of 3.17.4, 3.22.0 and 4.3.1.
const VALUE_FLAGS: [&str; 6] = ["set", "set-file", "set-json", "set-literal", "set-string", "values"];

/// Flags that no Helm process of ours inherits, since we answer them ourselves.
const ANSWERED_BY_US: [&str; 4] = ["dry-run", "hide-secret", "output", "dependency-update"];

/// Flags that make Helm less careful; the plan shows them as a warning.
const RISKY_FLAGS: [&str; 6] =
    ["no-hooks", "force", "force-replace", "force-conflicts", "cleanup-on-fail", "recreate-pods"];

const ROLLBACK_IS_OURS: &str = "a failed upgrade is undone by `helm csghub` itself, further than Helm's rollback goes";
const ADOPT_BY_NAME: &str = "it takes whatever is there, another release's objects too: mark each object by name, as check `foreign-objects` tells";

/// Flags that are refused, each with what takes its place.
const REFUSED: [(&str, &str); 3] =
    [("atomic", ROLLBACK_IS_OURS), ("rollback-on-failure", ROLLBACK_IS_OURS), ("take-ownership", ADOPT_BY_NAME)];

/// Returns RELEASE, CHART and Helm's flags of a command line from which `ours` are left out.
///
/// # Errors
/// [`FlagError`] for a flag that nobody knows, one that is refused, one whose value is missing or wrong, and for a
/// missing or superfluous RELEASE or CHART.
pub fn split(args: &[String], table: &FlagTable, ours: &[OurFlag<'_>]) -> Result<HelmArgs, FlagError> {
    let parts = partition(args, table, ours)?;
    HelmArgs::new(&parts.positionals, parts.helm)
}

impl HelmArgs {
    /// Returns the answers to a parted command line.
    ///
    /// # Errors
    /// [`FlagError`] for a refused flag, a value that is not what the flag takes, and for a missing or superfluous
    /// RELEASE or CHART.
    pub fn new(positionals: &[String], flags: Vec<FlagUse>) -> Result<Self, FlagError> {
        let (release, chart) = match positionals {
            [] => return Err(FlagError::MissingPositional { name: "RELEASE" }),
            [_] => return Err(FlagError::MissingPositional { name: "CHART" }),
            [release, chart] => (release.clone(), chart.clone()),
            [_, _, word, ..] => return Err(FlagError::ExtraPositional { word: word.clone() }),
        };
        let args = Self { release, chart, flags };
        for (name, instead) in REFUSED {
            if args.is_on(name)? {
                return Err(FlagError::Refused { flag: format!("--{name}"), instead });
            }
        }
        args.timeout()?;
        args.history_max()?;
        Ok(args)
    }

    /// Returns the values of every use of this flag, in order.
    pub fn values_of<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter(move |flag| flag.long == long).filter_map(|flag| flag.value.as_deref())
    }

    /// Returns the value of the last use of this flag: the one that counts for a flag that is not a list.
    pub fn value_of(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|flag| flag.long == long).and_then(|flag| flag.value.as_deref())
    }

    /// Tells whether a switch was given and not turned off by `=false`.
    ///
    /// # Errors
    /// [`FlagError::BadValue`] if its value is no boolean.
    pub fn is_on(&self, long: &str) -> Result<bool, FlagError> {
        match self.flags.iter().rev().find(|flag| flag.long == long) {
            None => Ok(false),
            Some(FlagUse { value: None, .. }) => Ok(true),
            Some(FlagUse { value: Some(value), .. }) => {
                parse_bool(value).ok_or_else(|| bad_value(long, value, "boolean"))
            }
        }
    }

    /// Tells whether a release that does not exist is to be installed: `-i`, `--install`.
    pub fn installs(&self) -> bool {
        self.is_on("install").unwrap_or(false)
    }

    /// Tells whether hooks run: not under `--no-hooks`.
    pub fn runs_hooks(&self) -> bool {
        !self.is_on("no-hooks").unwrap_or(false)
    }

    /// Tells whether only a dry run was asked for: `--dry-run` in any form but `none` and `false`.
    ///
    /// Source: Helm `pkg/cmd/install.go` `validateDryRunOptionFlag`, `cmdGetDryRunFlagStrategy`.
    pub fn is_dry_run(&self) -> bool {
        self.flags.iter().rev().find(|flag| flag.long == "dry-run").is_some_and(|flag| {
            flag.value.as_deref().is_none_or(|value| value != "none" && parse_bool(value) != Some(false))
        })
    }

    /// Returns how long Helm waits for any one operation; nothing where the flag is absent (Helm then takes 5 minutes).
    ///
    /// # Errors
    /// [`FlagError::BadValue`] if it is no duration.
    pub fn timeout(&self) -> Result<Option<Duration>, FlagError> {
        self.value_of("timeout")
            .map(|text| parse_duration(text).ok_or_else(|| bad_value("timeout", text, "duration like 5m or 1h30m")))
            .transpose()
    }

    /// Returns how many revisions Helm keeps (0: all); nothing where the flag is absent.
    ///
    /// # Errors
    /// [`FlagError::BadValue`] if it is no whole number.
    pub fn history_max(&self) -> Result<Option<u32>, FlagError> {
        self.value_of("history-max")
            .map(|text| text.parse().map_err(|_| bad_value("history-max", text, "whole number")))
            .transpose()
    }

    /// Returns the values files in order: paths, URLs, `-` for standard input.
    pub fn values_files(&self) -> Vec<String> {
        self.values_of("values").flat_map(split_csv).collect()
    }

    /// Returns the files of `--set-file` in order; parts in Helm's list notation (`key={a,b}`) are left out.
    pub fn set_files(&self) -> Vec<SetFile> {
        self.values_of("set-file").filter_map(parse_set_file).flatten().collect()
    }

    /// Returns the flags that say where the chart comes from, as `helm pull` takes them.
    pub fn source_words(&self) -> Vec<String> {
        self.words_of(|flag| SOURCE_FLAGS.contains(&flag.long.as_str()))
    }

    /// Returns the flags for a `helm upgrade` of a chart that was pulled already: as typed, without those that say where
    /// the chart comes from and without those that we answer ourselves (`--dry-run`, `--hide-secret`, `--output`,
    /// `--dependency-update`).
    ///
    /// `pinned` maps a values file or `--set-file` source, as [`Self::values_files`] and [`Self::set_files`] name it, to the
    /// copy that is read in its place.
    pub fn upgrade_words(&self, pinned: &BTreeMap<String, String>) -> Vec<String> {
        let mut words = Vec::new();
        for flag in &self.flags {
            let long = flag.long.as_str();
            if SOURCE_FLAGS.contains(&long) || ANSWERED_BY_US.contains(&long) {
                continue;
            }
            match (long, flag.value.as_deref()) {
                ("values", Some(value)) if split_csv(value).iter().any(|file| pinned.contains_key(file)) => {
                    for file in split_csv(value) {
                        let file = pinned.get(&file).unwrap_or(&file);
                        words.extend(["--values".to_owned(), join_csv(file)]);
                    }
                }
                ("set-file", Some(value)) => match parse_set_file(value) {
                    Some(parts) if parts.iter().any(|part| pinned.contains_key(&part.source)) => {
                        for SetFile { key, source } in parts {
                            let source = pinned.get(&source).unwrap_or(&source);
                            words.extend(["--set-file".to_owned(), format!("{key}={}", escape_set(source))]);
                        }
                    }
                    _ => words.extend(flag.words.iter().cloned()),
                },
                _ => words.extend(flag.words.iter().cloned()),
            }
        }
        words
    }

    /// Returns the flags that make Helm less careful, as typed.
    pub fn risky_flags(&self) -> Vec<String> {
        self.flags
            .iter()
            .filter(|flag| RISKY_FLAGS.contains(&flag.long.as_str()))
            .filter(|flag| flag.value.as_deref().is_none_or(|value| parse_bool(value) != Some(false)))
            .map(|flag| flag.words.join(" "))
            .collect()
    }

    /// Returns the user's own post-renderer and its arguments, if there is one.
    pub fn post_renderer(&self) -> Option<(&str, Vec<&str>)> {
        let name = self.value_of("post-renderer").filter(|name| !name.is_empty())?;
        Some((name, self.values_of("post-renderer-args").collect()))
    }

    /// Returns the same without the user's own post-renderer.
    #[must_use]
    pub fn without_post_renderer(&self) -> Self {
        let is_other = |flag: &&FlagUse| !matches!(flag.long.as_str(), "post-renderer" | "post-renderer-args");
        let flags = self.flags.iter().filter(is_other).cloned().collect();
        Self { release: self.release.clone(), chart: self.chart.clone(), flags }
    }

    /// Returns the flags that are not values and do not say where the chart comes from.
    pub fn settings(&self) -> impl Iterator<Item = &FlagUse> {
        self.flags.iter().filter(|flag| {
            let long = flag.long.as_str();
            !SOURCE_FLAGS.contains(&long) && !ANSWERED_BY_US.contains(&long) && !VALUE_FLAGS.contains(&long)
        })
    }

    fn words_of(&self, wanted: impl Fn(&FlagUse) -> bool) -> Vec<String> {
        self.flags.iter().filter(|flag| wanted(flag)).flat_map(|flag| flag.words.iter().cloned()).collect()
    }
}

fn bad_value(long: &str, value: &str, expected: &'static str) -> FlagError {
    FlagError::BadValue { flag: format!("--{long}"), value: value.to_owned(), expected }
}

/// Source: Go `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Returns a duration as Go writes it: `300s`, `1h30m`, `1.5h`; `0` needs no unit.
///
/// Source: Go `time.ParseDuration`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(number_end)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let unit_secs = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit_secs).ok()?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// Returns the fields of one line of comma-separated text, the notation of pflag's string lists: a field that holds a
/// comma or a quote stands in double quotes, quotes doubled.
fn split_csv(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut in_quotes = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if in_quotes && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' if in_quotes => in_quotes = false,
            '"' if field.is_empty() => in_quotes = true,
            ',' if !in_quotes => fields.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    fields.push(field);
    fields
}

fn join_csv(field: &str) -> String {
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

/// Returns the parts of a `--set-file` value; nothing if it uses the list notation.
///
/// Source: Helm `pkg/strvals/parser.go`: a backslash keeps the next letter, a comma ends a part.
fn parse_set_file(text: &str) -> Option<Vec<SetFile>> {
    let mut parts = Vec::new();
    let mut key: Option<String> = None;
    let mut piece = String::new();
    let mut letters = text.chars();
    let mut finish = |key: &mut Option<String>, piece: &mut String| {
        let source = std::mem::take(piece);
        parts.push(SetFile { key: key.take()?, source });
        Some(())
    };
    while let Some(letter) = letters.next() {
        match (letter, &key) {
            ('\\', None) => piece.extend(['\\', letters.next()?]),
            ('\\', Some(_)) => piece.push(letters.next()?),
            ('=', None) => key = Some(std::mem::take(&mut piece)),
            (',', _) => finish(&mut key, &mut piece)?,
            ('{', Some(_)) if piece.is_empty() => return None,
            _ => piece.push(letter),
        }
    }
    if key.is_some() {
        finish(&mut key, &mut piece)?;
    }
    Some(parts)
}

/// Returns the text as one part of a `--set-file` value.
///
/// Source: Helm `pkg/strvals/parser.go`: a backslash keeps the next letter, a comma ends a part.
#[must_use]
pub fn escape_set(source: &str) -> String {
    source.replace('\\', "\\\\").replace(',', "\\,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::helm_flags::parse_help;

    const HELP: &str = "\
Flags:
      --atomic                         if set, roll back
      --cleanup-on-fail                allow deletion of new resources
      --dry-run string[=\"unset\"]       simulates
      --force-replace                  force
      --history-max int                limit
  -i, --install                        if it does not exist, install
  -o, --output format                  prints the output in the specified format
      --post-renderer string           the name
      --post-renderer-args slice       an argument
      --repo string                    chart repository url
      --set stringArray                set values
      --set-file stringArray           set values from files
      --take-ownership                 take
      --timeout duration               time to wait
  -f, --values strings                 values files
      --version string                 version
      --wait WaitStrategy[=watcher]    wait

Global Flags:
  -n, --namespace string               namespace
";

    const OURS: [OurFlag<'static>; 5] = [
        OurFlag { long: "yes", short: Some('y'), takes_value: false },
        OurFlag { long: "waive", short: None, takes_value: true },
        OurFlag { long: "output", short: Some('o'), takes_value: true },
        OurFlag { long: "namespace", short: Some('n'), takes_value: true },
        OurFlag { long: "quiet", short: Some('q'), takes_value: false },
    ];

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn read(line: &str) -> HelmArgs {
        split(&words(line), &parse_help(HELP), &OURS).expect("a good command line")
    }

    fn refusal(line: &str) -> String {
        split(&words(line), &parse_help(HELP), &OURS).expect_err("a bad command line").to_string()
    }

    #[test]
    fn flags_of_helm_stay_verbatim_and_in_order() {
        let table = parse_help(HELP);
        let line =
            words("shop -f a.yaml --set x=1 ./chart --yes -fb.yaml --wait --timeout=5m -o json -qif=c.yaml -nprod");
        let parts = partition(&line, &table, &OURS).expect("a good command line");
        assert_eq!(parts.ours.join(" "), "--yes -o json -q -nprod");
        assert_eq!(parts.helm_words().join(" "), "-f a.yaml --set x=1 -fb.yaml --wait --timeout=5m -i -f=c.yaml");
        assert_eq!(parts.positionals, ["shop", "./chart"]);
    }

    #[test]
    fn a_value_may_look_like_a_flag() {
        let args = read("shop ./chart --set --wait -f -");
        assert_eq!(args.value_of("set"), Some("--wait"));
        assert_eq!(args.values_files(), ["-"]);
        assert_eq!(args.value_of("wait"), None);
    }

    #[test]
    fn after_two_dashes_there_are_no_flags() {
        assert_eq!(read("--install -- -odd --chart").chart, "--chart");
    }

    #[test]
    fn an_optional_value_never_is_the_next_word() {
        let args = read("--dry-run shop --wait ./chart");
        assert_eq!((args.release.as_str(), args.chart.as_str()), ("shop", "./chart"));
        assert!(args.is_dry_run());
    }

    #[test]
    fn a_dry_run_can_be_turned_off() {
        for (given, is_dry) in [("", false), ("--dry-run=none", false), ("--dry-run=false", false)] {
            assert_eq!(read(&format!("shop ./chart {given}")).is_dry_run(), is_dry, "{given}");
        }
        for given in ["--dry-run", "--dry-run=server", "--dry-run=client", "--dry-run=true"] {
            assert!(read(&format!("shop ./chart {given}")).is_dry_run(), "{given}");
        }
    }

    #[test]
    fn flags_that_we_replace_are_refused_unless_turned_off() {
        assert!(refusal("shop ./chart --atomic").starts_with("`--atomic` is not passed on"));
        assert!(refusal("shop ./chart --take-ownership").contains("by name"));
        assert!(
            refusal("shop ./chart --rollback-on-failure").starts_with("unknown flag"),
            "this Helm has no such flag"
        );
        assert_eq!(read("shop ./chart --atomic=false").chart, "./chart");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(refusal("shop"), "CHART is missing");
        assert_eq!(refusal("shop ./chart more"), "unexpected word `more`: RELEASE and CHART are given already");
        assert_eq!(refusal("shop ./chart --set"), "flag `--set` needs a value");
        assert_eq!(refusal("shop ./chart --instal"), "unknown flag `--instal`; did you mean `--install`?");
        assert_eq!(refusal("shop ./chart --timeout 5"), "flag `--timeout`: `5` is no duration like 5m or 1h30m");
        assert_eq!(refusal("shop ./chart --history-max x"), "flag `--history-max`: `x` is no whole number");
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, secs) in [("5m", 300.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("0", 0.0), ("250ms", 0.25)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(secs)), "{text}");
        }
        for text in ["", "5", "m", "-1s", "5x", "1.2.3s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_pulled_chart_is_upgraded_without_the_flags_that_found_it() {
        let args = read("shop shop --repo https://charts.example --version 1.2.3 --dry-run -f a.yaml --install");
        assert_eq!(args.source_words().join(" "), "--repo https://charts.example --version 1.2.3");
        assert_eq!(args.upgrade_words(&BTreeMap::new()).join(" "), "-f a.yaml --install");
    }

    #[test]
    fn pinned_files_are_read_in_place_of_their_sources() {
        let args = read("shop ./chart -f a.yaml,- --set-file tls=k.pem,ca\\.crt=c.pem -f b.yaml");
        assert_eq!(args.values_files(), ["a.yaml", "-", "b.yaml"]);
        let keys: Vec<_> = args.set_files().into_iter().map(|part| part.key).collect();
        assert_eq!(keys, ["tls", "ca\\.crt"]);
        let pinned =
            [("-", "/run/in,1.yaml"), ("k.pem", "/run/k,1")].map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(
            args.upgrade_words(&pinned.into()).join(" "),
            "--values a.yaml --values \"/run/in,1.yaml\" --set-file tls=/run/k\\,1 --set-file ca\\.crt=c.pem -f b.yaml"
        );
    }

    #[test]
    fn a_list_of_files_to_set_is_left_to_helm() {
        let args = read("shop ./chart --set-file certs={a.pem,b.pem}");
        assert!(args.set_files().is_empty());
        assert_eq!(args.upgrade_words(&BTreeMap::new()), ["--set-file", "certs={a.pem,b.pem}"]);
    }

    #[test]
    fn risky_flags_are_told_as_typed() {
        assert_eq!(
            read("shop ./chart --force-replace --cleanup-on-fail=false --force").risky_flags(),
            ["--force-replace", "--force"]
        );
    }

    #[test]
    fn the_users_post_renderer_is_told_with_its_arguments() {
        let args = read("shop ./chart --post-renderer-args a,b --post-renderer kustomize --post-renderer-args c");
        assert_eq!(args.post_renderer(), Some(("kustomize", vec!["a,b", "c"])));
        assert_eq!(args.without_post_renderer().flags, []);
    }

    #[test]
    fn settings_are_what_is_neither_a_value_nor_the_charts_place() {
        let args = read("shop ./chart --wait --set a=b -f x.yaml --version 1 --timeout 5m --dry-run -i");
        let settings: Vec<String> = args.settings().flat_map(|flag| flag.words.clone()).collect();
        assert_eq!(settings.join(" "), "--wait --timeout 5m -i");
    }
}
