//! The constraint language of charts: `>=1.28.0-0`, `>= 1.25 < 1.37`, `1.2 - 1.4`, `~1.2 || ^2`, `1.x`, `*`.

use super::{BadConstraint, Version, compare_pre_releases, parse_version};

const MAX_CONSTRAINT_BYTES: usize = 512;
const MAX_GROUPS: usize = 32;

/// Tells whether a version satisfies a chart's constraint, such as the `kubeVersion` of a chart.
///
/// As in Helm a pre-release (`v1.33.2-gke.100`) satisfies nothing but a group that names a pre-release itself, such as
/// `>=1.28.0-0`. Helm 3.17 still asks that of each term of the group, where later ones ask it of the group.
///
/// # Errors
/// [`BadConstraint`] if either of the two cannot be read.
pub fn satisfies(constraint: &str, version: &str) -> Result<bool, BadConstraint> {
    let groups = parse(constraint).ok_or_else(|| BadConstraint::Constraint { constraint: constraint.to_owned() })?;
    let version: Version = version.parse()?;
    Ok(groups.iter().any(|group| {
        let allows_pre_releases = group.iter().any(|term| !term.version.pre.is_empty());
        (version.pre.is_empty() || allows_pre_releases) && group.iter().all(|term| term.allows(&version))
    }))
}

const BLANKS: [char; 5] = [' ', '\t', '\n', '\r', '\u{c}'];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Longer ones first where one begins with another.
const OPERATORS: [(&str, Operator); 11] = [
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("!=", Operator::NotEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

/// What of the version stands for any number, because it is missing or a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Patch,
    Minor,
    Major,
}

#[derive(Debug)]
struct Term {
    operator: Operator,
    version: Version,
    open: Open,
}

/// Returns groups, one of which must hold, of terms that must all hold.
fn parse(text: &str) -> Option<Vec<Vec<Term>>> {
    if text.len() > MAX_CONSTRAINT_BYTES {
        return None;
    }
    let text = rewrite_ranges(text);
    let groups: Vec<&str> = text.split("||").collect();
    if groups.len() > MAX_GROUPS {
        return None;
    }
    groups.into_iter().map(parse_group).collect()
}

/// Writes every `1.2 - 1.4` as `>= 1.2, <= 1.4`.
fn rewrite_ranges(text: &str) -> String {
    let mut rewritten = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((from, to, behind)) = split_range(rest) {
            // The library takes the blanks before a range away, so that nothing can stand before one in its group.
            rewritten.truncate(rewritten.trim_end_matches(BLANKS).len());
            rewritten.extend([">= ", from, ", <= ", to, " "]);
            rest = behind;
        } else {
            rewritten.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    rewritten
}

fn split_range(text: &str) -> Option<(&str, &str, &str)> {
    let (from, rest) = split_version(text)?;
    let rest = skip_some_blanks(rest)?.strip_prefix('-')?;
    let (to, rest) = split_version(skip_some_blanks(rest)?)?;
    Some((from, to, skip_blanks(rest)))
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches(BLANKS)
}

fn skip_some_blanks(text: &str) -> Option<&str> {
    Some(skip_blanks(text)).filter(|rest| rest.len() < text.len())
}

/// Splits a version, wildcards allowed, off the text.
fn split_version(text: &str) -> Option<(&str, &str)> {
    let number =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || "xX*|".contains(c)).len();
    let word = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-').len();
    let mut end = usize::from(text.starts_with('v'));
    let major = number(text.get(end..)?);
    if major == 0 {
        return None;
    }
    end += major;
    for _ in 0..2 {
        let rest = text.get(end..)?;
        let length = rest.strip_prefix('.').map_or(0, number);
        end += if length > 0 { length + 1 } else { 0 };
        if length == 0 {
            break;
        }
    }
    for mark in ['-', '+'] {
        let mut before = mark;
        while let Some(length) = text.get(end..)?.strip_prefix(before).map(word).filter(|length| *length > 0) {
            end += length + 1;
            before = '.';
        }
    }
    text.split_at_checked(end)
}

fn parse_group(text: &str) -> Option<Vec<Term>> {
    let mut terms = Vec::new();
    let mut rest = skip_blanks(text);
    loop {
        let (operator, behind) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, rest));
        let (version, behind) = split_version(skip_blanks(behind))?;
        terms.push(parse_term(operator, version)?);
        let next = skip_blanks(behind);
        if next.is_empty() {
            return Some(terms);
        }
        rest = match next.strip_prefix(',') {
            Some(next) => skip_blanks(next),
            None => skip_some_blanks(behind)?,
        };
    }
}

fn parse_term(operator: Operator, text: &str) -> Option<Term> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let bare = bare.split_once('+').map_or(bare, |(bare, _)| bare);
    let (numbers, pre) =
        bare.split_once('-').map_or((bare, String::new()), |(numbers, pre)| (numbers, format!("-{pre}")));
    let mut numbers = numbers.split('.');
    let mut next = || numbers.next().filter(|number| !matches!(*number, "x" | "X" | "*"));
    let (open, version) = match next() {
        None => (Open::Major, format!("0.0.0{pre}")),
        Some(major) => match next() {
            None => (Open::Minor, format!("{major}.0.0{pre}")),
            Some(minor) => match next() {
                None => (Open::Patch, format!("{major}.{minor}.0{pre}")),
                Some(_) => (Open::Nothing, text.to_owned()),
            },
        },
    };
    Some(Term { operator, version: parse_version(&version)?, open })
}

impl Term {
    /// Tells whether the version is allowed, the rule about pre-releases left aside.
    fn allows(&self, version: &Version) -> bool {
        let wanted = &self.version;
        let has_same_minor = version.major == wanted.major && version.minor == wanted.minor;
        match (self.operator, self.open) {
            (Operator::Equal, Open::Nothing) => version == wanted,
            (Operator::Equal | Operator::Tilde, _) => self.allows_as_tilde(version),
            (Operator::NotEqual, Open::Nothing) => version != wanted,
            (Operator::NotEqual, Open::Major) => {
                (version.major, version.minor, version.patch) != (0, 0, 0) || version.pre != wanted.pre
            }
            (Operator::NotEqual, Open::Minor) => version.major != wanted.major,
            (Operator::NotEqual, Open::Patch) => {
                !has_same_minor || compare_pre_releases(&version.pre, &wanted.pre).is_ne()
            }
            (Operator::Greater, Open::Nothing | Open::Major) => version > wanted,
            (Operator::Greater, Open::Minor) => version.major > wanted.major,
            (Operator::Greater, Open::Patch) => (version.major, version.minor) > (wanted.major, wanted.minor),
            (Operator::GreaterOrEqual, _) => version >= wanted,
            (Operator::Less, _) => version < wanted,
            (Operator::LessOrEqual, Open::Nothing) => version <= wanted,
            (Operator::LessOrEqual, Open::Minor) => version.major <= wanted.major,
            (Operator::LessOrEqual, Open::Patch | Open::Major) => {
                (version.major, version.minor) <= (wanted.major, wanted.minor)
            }
            (Operator::Caret, _) => self.allows_as_caret(version),
        }
    }

    fn allows_as_tilde(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version < wanted {
            return false;
        }
        let is_any =
            (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) && matches!(self.open, Open::Nothing | Open::Major);
        is_any || version.major == wanted.major && (version.minor == wanted.minor || self.open == Open::Minor)
    }

    /// Up to the next change of the first number that is not 0. `^*` is `^0.0.0` to the library, and so it is here.
    fn allows_as_caret(&self, version: &Version) -> bool {
        let wanted = &self.version;
        if version < wanted || version.major != wanted.major {
            return false;
        }
        if wanted.major > 0 || self.open == Open::Minor {
            return true;
        }
        if version.minor != wanted.minor {
            return false;
        }
        wanted.minor > 0 || self.open == Open::Patch || version.patch == wanted.patch
    }
}

#[cfg(test)]
mod tests;
