//! The table of flags that a Helm command takes, read from its help.

use super::FlagError;

/// Whether a flag takes a value, and where it may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakesValue {
    /// A switch: no value, or `--flag=true`.
    No,
    /// In the same word or in the next one.
    Yes,
    /// Only in the same word, after `=`: the next word is never the value.
    OnlyAfterEquals,
}

/// One flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Without dashes.
    pub long: String,
    /// The one-letter form.
    pub short: Option<char>,
    /// Whether it takes a value.
    pub takes_value: TakesValue,
}

/// The flags of one Helm command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagTable {
    flags: Vec<Flag>,
}

/// Flags that Helm still takes but no longer lists in its help, all of them switches.
///
/// Source: Helm `pkg/cmd/upgrade.go` (`addDeprecatedFlag` in 4, `MarkDeprecated` in 3).
const UNLISTED: [&str; 3] = ["atomic", "force", "recreate-pods"];

impl FlagTable {
    /// Returns a table of these flags.
    pub fn new(flags: Vec<Flag>) -> Self {
        Self { flags }
    }

    /// Tells whether no flag was found: then the text was not the help of a Helm command.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Returns every flag, in the order of the help.
    pub fn iter(&self) -> impl Iterator<Item = &Flag> {
        self.flags.iter()
    }

    /// Returns the flag of this long name (without dashes), flags that Helm takes but no longer lists included.
    pub fn long(&self, name: &str) -> Option<Flag> {
        self.flags.iter().find(|flag| flag.long == name).cloned().or_else(|| {
            UNLISTED.contains(&name).then(|| Flag { long: name.to_owned(), short: None, takes_value: TakesValue::No })
        })
    }

    /// Returns the flag of this letter.
    pub fn short(&self, letter: char) -> Option<Flag> {
        self.flags.iter().find(|flag| flag.short == Some(letter)).cloned()
    }
}

/// Returns the flags in the text of `helm COMMAND --help`, global ones included.
///
/// pflag, the library behind the text, writes a type word after the name of a flag that takes a value, none after a
/// switch, and `type[=default]` after one whose value may be left out (and then never is the next word). Two spaces or
/// more part all that from the description.
///
/// Source: `github.com/spf13/pflag` `FlagSet.FlagUsagesWrapped`, `Flag.NoOptDefVal`.
pub fn parse_help(text: &str) -> FlagTable {
    let mut flags = Vec::new();
    let mut in_flags = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            in_flags = matches!(line.trim_end(), "Flags:" | "Global Flags:") || (in_flags && line.trim().is_empty());
        } else if in_flags && let Some(flag) = parse_line(line) {
            flags.push(flag);
        }
    }
    FlagTable { flags }
}

fn parse_line(line: &str) -> Option<Flag> {
    let head = line.trim_start();
    let (short, head) = match head.split_once(", --") {
        Some((letter, rest)) if letter.len() == 2 && letter.starts_with('-') => (letter.chars().nth(1), rest),
        _ => (None, head.strip_prefix("--")?),
    };
    let head = head.split("  ").next()?.trim_end();
    let (long, value) = head.split_once(' ').map_or((head, ""), |(long, value)| (long, value));
    if long.is_empty() || !long.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return None;
    }
    let takes_value = match value {
        "" => TakesValue::No,
        word if word.ends_with(']') && word.contains("[=") => TakesValue::OnlyAfterEquals,
        _ => TakesValue::Yes,
    };
    Some(Flag { long: long.to_owned(), short, takes_value })
}

/// Returns the error for a flag that nobody knows, with the known flag that looks most like it.
pub(super) fn unknown(typed: &str, known: impl Iterator<Item = String>) -> FlagError {
    let wanted = typed.trim_start_matches('-');
    let nearest = known
        .map(|name| (edits(wanted, &name), name))
        .filter(|(distance, name)| wanted.len() > 1 && *distance <= (name.len().max(wanted.len()) / 3).max(1))
        .min_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)))
        .map(|(_, name)| format!("--{name}"));
    FlagError::Unknown { flag: typed.to_owned(), nearest }
}

/// Returns how many letters must be added, dropped or changed to make `b` of `a`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let cost = [
                row.get(j).map_or(usize::MAX, |above_left| above_left + usize::from(from != *to)),
                row.get(j + 1).map_or(usize::MAX, |above| above + 1),
                next.last().map_or(usize::MAX, |left| left + 1),
            ];
            next.push(cost.into_iter().min().unwrap_or(usize::MAX));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "\
Upgrades a release. The flags
  --not-a-flag string   are named in prose too

Usage:
  helm upgrade [RELEASE] [CHART] [flags]

Flags:
      --create-namespace                           if --install is set, create the release namespace
      --dry-run string[=\"unset\"]                   simulates the operation
  -h, --help                                       help for upgrade
  -i, --install                                    if a release by this name doesn't already exist, run an install
      --post-renderer-args postRendererArgsSlice   an argument to the post-renderer
  -f, --values strings                             specify values in a YAML file or a URL
      --wait WaitStrategy[=watcher]                wait until resources are ready

Global Flags:
      --burst-limit int    client-side default throttling limit (default 100)
      --debug              enable verbose output
  -n, --namespace string   namespace scope for this request
";

    #[test]
    fn the_type_word_tells_whether_a_flag_takes_a_value() {
        let table = parse_help(HELP);
        let takes = |name: &str| table.long(name).map(|flag| flag.takes_value);
        assert_eq!(takes("create-namespace"), Some(TakesValue::No));
        assert_eq!(takes("dry-run"), Some(TakesValue::OnlyAfterEquals));
        assert_eq!(takes("wait"), Some(TakesValue::OnlyAfterEquals));
        assert_eq!(takes("post-renderer-args"), Some(TakesValue::Yes));
        assert_eq!(takes("namespace"), Some(TakesValue::Yes));
        assert_eq!(takes("debug"), Some(TakesValue::No));
        assert_eq!(takes("not-a-flag"), None);
        assert_eq!(table.short('f').map(|flag| flag.long), Some("values".to_owned()));
        assert_eq!(table.iter().count(), 10);
    }

    #[test]
    fn text_that_is_no_help_has_no_flags() {
        assert!(parse_help("Error: unknown command\n  --x string   y\n").is_empty());
    }

    #[test]
    fn a_flag_that_helm_hides_is_still_known() {
        assert!(parse_help(HELP).long("atomic").is_some());
    }

    #[test]
    fn an_unknown_flag_is_told_with_its_nearest() {
        let names = || ["values", "version", "verify"].into_iter().map(str::to_owned);
        assert_eq!(unknown("--vaules", names()).to_string(), "unknown flag `--vaules`; did you mean `--values`?");
        assert_eq!(unknown("--bananas", names()).to_string(), "unknown flag `--bananas`");
        assert_eq!(unknown("-z", names()).to_string(), "unknown flag `-z`");
    }
}
