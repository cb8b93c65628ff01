//! Parts a command line into our flags, Helm's flags and the words that are no flags.

use super::table::unknown;
use super::{Flag, FlagError, FlagTable, FlagUse, TakesValue};

/// A flag of our own command, as the command line parser defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OurFlag<'a> {
    /// Without dashes.
    pub long: &'a str,
    /// The one-letter form.
    pub short: Option<char>,
    /// Whether it takes a value, in the same word or the next.
    pub takes_value: bool,
}

/// A command line, parted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partitioned {
    /// Our flags with their values, in order, for our own parser.
    pub ours: Vec<String>,
    /// Helm's flags, in order.
    pub helm: Vec<FlagUse>,
    /// The words that are no flags, in order; everything after `--`.
    pub positionals: Vec<String>,
}

impl Partitioned {
    /// Returns Helm's flags as words, as they were typed.
    pub fn helm_words(&self) -> Vec<String> {
        self.helm.iter().flat_map(|flag| flag.words.iter().cloned()).collect()
    }
}

/// Returns the parts of `args`. A flag that both know is ours.
///
/// Reads a command line as Helm's own parser does: `--x v`, `--x=v`, `-x v`, `-xv`, `-x=v`, several letters in one word
/// (parted into words of their own), `-` is a word, and after `--` there are no flags.
///
/// # Errors
/// [`FlagError::Unknown`] and [`FlagError::MissingValue`].
///
/// Source: `github.com/spf13/pflag` `parseLongArg`, `parseSingleShortArg`.
pub fn partition(args: &[String], table: &FlagTable, ours: &[OurFlag<'_>]) -> Result<Partitioned, FlagError> {
    let mut parts = Partitioned::default();
    let known = Known { table, ours };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parts.positionals.extend(words.cloned());
            break;
        }
        if let Some(body) = word.strip_prefix("--") {
            let (name, inline) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
            let found = known.long(name)?;
            let mut flag_words = vec![word.clone()];
            let value = match (inline, found.flag.takes_value) {
                (Some(value), _) => Some(value.to_owned()),
                (None, TakesValue::Yes) => Some(next_value(&mut words, &mut flag_words)?),
                (None, TakesValue::No | TakesValue::OnlyAfterEquals) => None,
            };
            found.push_to(&mut parts, value, flag_words);
        } else if word.len() > 1 && word.starts_with('-') {
            read_letters(&known, word, &mut words, &mut parts)?;
        } else {
            parts.positionals.push(word.clone());
        }
    }
    Ok(parts)
}

/// Reads a word of one-letter flags, such as `-i`, `-fvalues.yaml` or `-if values.yaml`.
fn read_letters(
    known: &Known<'_>,
    word: &str,
    words: &mut std::slice::Iter<'_, String>,
    parts: &mut Partitioned,
) -> Result<(), FlagError> {
    let mut letters = word.chars();
    letters.next();
    while let Some(letter) = letters.next() {
        let found = known.short(letter)?;
        let rest = letters.as_str();
        // pflag takes `=` for a separator only where something follows it.
        if let Some(value) = rest.strip_prefix('=').filter(|value| !value.is_empty()) {
            found.push_to(parts, Some(value.to_owned()), vec![format!("-{letter}={value}")]);
            return Ok(());
        }
        let mut flag_words = vec![format!("-{letter}")];
        match found.flag.takes_value {
            TakesValue::No | TakesValue::OnlyAfterEquals => found.push_to(parts, None, flag_words),
            TakesValue::Yes if rest.is_empty() => {
                let value = next_value(words, &mut flag_words)?;
                found.push_to(parts, Some(value), flag_words);
            }
            TakesValue::Yes => {
                found.push_to(parts, Some(rest.to_owned()), vec![format!("-{letter}{rest}")]);
                return Ok(());
            }
        }
    }
    Ok(())
}

fn next_value(words: &mut std::slice::Iter<'_, String>, flag_words: &mut Vec<String>) -> Result<String, FlagError> {
    let Some(value) = words.next() else {
        return Err(FlagError::MissingValue { flag: flag_words.concat() });
    };
    flag_words.push(value.clone());
    Ok(value.clone())
}

/// Both tables.
struct Known<'a> {
    table: &'a FlagTable,
    ours: &'a [OurFlag<'a>],
}

/// A flag, and whose it is.
struct Found {
    flag: Flag,
    is_ours: bool,
}

impl Known<'_> {
    fn long(&self, name: &str) -> Result<Found, FlagError> {
        self.find(|flag| flag.long == name, self.table.long(name), || format!("--{name}"))
    }

    fn short(&self, letter: char) -> Result<Found, FlagError> {
        self.find(|flag| flag.short == Some(letter), self.table.short(letter), || format!("-{letter}"))
    }

    fn find(
        &self,
        is_it: impl Fn(&OurFlag<'_>) -> bool,
        helms: Option<Flag>,
        typed: impl Fn() -> String,
    ) -> Result<Found, FlagError> {
        let our_flag = self.ours.iter().find(|flag| is_it(flag)).map(|flag| Found {
            flag: Flag {
                long: flag.long.to_owned(),
                short: flag.short,
                takes_value: if flag.takes_value { TakesValue::Yes } else { TakesValue::No },
            },
            is_ours: true,
        });
        our_flag.or_else(|| helms.map(|flag| Found { flag, is_ours: false })).ok_or_else(|| {
            let names = self.table.iter().map(|flag| flag.long.clone());
            unknown(&typed(), names.chain(self.ours.iter().map(|flag| flag.long.to_owned())))
        })
    }
}

impl Found {
    fn push_to(&self, parts: &mut Partitioned, value: Option<String>, words: Vec<String>) {
        if self.is_ours {
            parts.ours.extend(words);
        } else {
            parts.helm.push(FlagUse { long: self.flag.long.clone(), value, words });
        }
    }
}
