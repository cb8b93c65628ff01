//! A rehearsal as text: its first screen, and every object on request.

use super::findings::help_lines;
use super::layout::{columns, cut, hang, hang_at, headline, rows_of, shorten, text_of};
use super::options::Verbosity;
use super::plan::section;
use super::style::{Mark, Style};
use crate::domain::rehearsed::summary::Heading;
use crate::domain::rehearsed::wording::{self, About, Entry, Tone};
use crate::domain::rehearsed::{FieldChange, Rehearsed, RehearsedObject};

/// Rows that the first screen may take.
pub(super) const ROWS: usize = 25;
/// Rows that one entry may take; what helps may take as many.
const ENTRY_ROWS: usize = 4;
/// Columns of the longest heading that objects are listed under, and a gap.
const HEADING_COLUMNS: usize = 15;

/// Returns what a rehearsal found: what would come of the command in the first line, the objects counted, then what a person
/// should know, most important first.
///
/// At most 25 rows of the terminal: lists that do not fit say how many entries they hide. `-v` shows all, and each object with
/// its fields; `-q` shows the first line and what needs a person.
#[must_use]
pub fn render_rehearsal(rehearsed: &Rehearsed, style: &Style, verbosity: Verbosity) -> String {
    text_of(&rehearsal_lines(*style, rehearsed, verbosity, ROWS, &About::ALL))
}

/// Returns the lines of a rehearsal with only those lists, in at most `rows` rows unless `verbosity` asks for all.
pub(super) fn rehearsal_lines(
    style: Style,
    rehearsed: &Rehearsed,
    verbosity: Verbosity,
    rows: usize,
    lists: &[About],
) -> Vec<String> {
    let (tone, said) = wording::headline(rehearsed);
    let mut lines = headline(style, &format!("{} ", style.mark(mark_of(tone))), &said);
    if verbosity > Verbosity::Quiet {
        lines.extend(wording::note(rehearsed).map(|note| hang(style, "  ", note)).unwrap_or_default());
        lines.extend(wording::counts(rehearsed).map(|counts| hang_at(style, "  ", 4, &counts)).unwrap_or_default());
    }
    let mut blocks: Vec<Block> = Vec::new();
    if verbosity > Verbosity::Quiet {
        blocks.push(Block { list: List::Changes, entries: change_rows(style, rehearsed), shown: usize::MAX });
    }
    for about in lists {
        let is_shown = |entry: &Entry<'_>| verbosity > Verbosity::Quiet || entry.needs_a_person;
        let entries: Vec<Vec<String>> = wording::entries(rehearsed, *about)
            .iter()
            .filter(|entry| is_shown(entry))
            .map(|entry| entry_lines(style, entry, verbosity))
            .collect();
        blocks.push(Block { list: List::Of(*about), shown: usize::MAX, entries });
    }
    if verbosity < Verbosity::Verbose {
        let room = rows.saturating_sub(lines.iter().map(|line| rows_of(style, line)).sum());
        make_fit(style, &mut blocks, room);
    }
    lines.extend(all_lines(style, &blocks));
    if verbosity == Verbosity::Verbose {
        lines.extend(objects(style, rehearsed));
    }
    lines
}

/// What a block lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// What changes, counted by kind.
    Changes,
    Of(About),
}

/// The order in which blocks give way when there are too many lines: each down to so many entries. What a person must see to
/// goes last.
const GIVE_WAY: [(List, usize); 18] = [
    (List::Of(About::Warnings), 1),
    (List::Of(About::Unpredictable), 1),
    (List::Of(About::Denied), 1),
    (List::Of(About::Foreign), 2),
    (List::Of(About::Loss), 2),
    (List::Of(About::End), 2),
    (List::Of(About::Refused), 3),
    (List::Of(About::Warnings), 0),
    (List::Of(About::Unpredictable), 0),
    (List::Of(About::Denied), 0),
    (List::Of(About::Foreign), 1),
    (List::Of(About::Loss), 1),
    (List::Of(About::End), 1),
    (List::Changes, 0),
    (List::Of(About::Foreign), 0),
    (List::Of(About::Loss), 0),
    (List::Of(About::Refused), 1),
    (List::Of(About::End), 0),
];

/// A list, of which the last entries may have to go.
struct Block {
    list: List,
    /// One entry, its lines.
    entries: Vec<Vec<String>>,
    shown: usize,
}

impl Block {
    fn lines(&self, style: Style) -> Vec<String> {
        let count = self.entries.len();
        let shown = self.entries.iter().take(self.shown).flatten().cloned();
        match self.list {
            // What is counted is in the line above it.
            List::Changes => shown.collect(),
            List::Of(_) if count == 0 || self.shown == 0 => vec![],
            List::Of(about) => {
                let mut lines = section(style, &format!("{} ({count})", about.title())).to_vec();
                lines.extend(shown);
                if count > self.shown {
                    lines.push(style.dim(&format!("  and {} more: `-v` shows all", count - self.shown)));
                }
                lines
            }
        }
    }
}

/// Returns the lines of all blocks. The lists that had to go altogether are named in the last one.
fn all_lines(style: Style, blocks: &[Block]) -> Vec<String> {
    let gone = |block: &Block| match block.list {
        List::Of(about) if block.shown == 0 => Some(format!("{} ({})", about.title(), block.entries.len())),
        List::Of(_) | List::Changes => None,
    };
    let gone: Vec<String> = blocks.iter().filter_map(gone).collect();
    let mut lines: Vec<String> = blocks.iter().flat_map(|block| block.lines(style)).collect();
    if !gone.is_empty() {
        lines.push(String::new());
        lines.extend(hang_at(style, "  ", 4, &format!("`-v` also shows: {}", gone.join(", "))));
    }
    lines
}

fn make_fit(style: Style, blocks: &mut [Block], room: usize) {
    let is_too_long =
        |blocks: &[Block]| all_lines(style, blocks).iter().map(|line| rows_of(style, line)).sum::<usize>() > room;
    for (list, keep) in GIVE_WAY {
        while is_too_long(blocks) {
            match blocks.iter_mut().find(|block| block.list == list && block.shown.min(block.entries.len()) > keep) {
                Some(block) => block.shown = block.shown.min(block.entries.len()) - 1,
                None => break,
            }
        }
    }
}

/// Returns one entry for each row: what changes by kind, and whose pods restart.
fn change_rows(style: Style, rehearsed: &Rehearsed) -> Vec<Vec<String>> {
    let label = |word: &str, count: usize| format!("{word:<8} {count:>4}");
    let mut rows: Vec<(String, String)> = wording::changes(rehearsed)
        .into_iter()
        .map(|(heading, count, kinds)| (label(heading.word(), count), kinds))
        .collect();
    rows.extend(wording::restarts(rehearsed).map(|(count, names)| (label("restarts", count), names)));
    rows.into_iter().map(|row| columns(style, 2, &[row])).collect()
}

fn entry_lines(style: Style, entry: &Entry<'_>, verbosity: Verbosity) -> Vec<String> {
    let first = format!("  {} ", style.mark(mark_of(entry.tone)));
    let mut lines = hang_at(style, &first, 6, &entry.text);
    if verbosity < Verbosity::Verbose {
        lines = within_rows(style, lines);
    } else {
        lines.extend(
            entry.fields.iter().filter(|field| has_values(field)).flat_map(|field| field_lines(style, 6, field)),
        );
    }
    if let Some(help) = &entry.help {
        let help = help_lines(style, 6, help);
        lines.extend(if verbosity < Verbosity::Verbose { within_rows(style, help) } else { help });
    }
    lines
}

/// Keeps what fits into the rows of one entry: a line that the terminal folds takes several.
fn within_rows(style: Style, lines: Vec<String>) -> Vec<String> {
    let mut rows = 0;
    let fits = |line: &&String| {
        rows += rows_of(style, line);
        rows <= ENTRY_ROWS
    };
    let fitting = lines.iter().take_while(fits).count();
    cut(style, lines, fitting.max(1))
}

fn has_values(field: &FieldChange) -> bool {
    field.before.is_some() || field.after.is_some()
}

/// Returns every object with its fields, those that differ first.
fn objects(style: Style, rehearsed: &Rehearsed) -> Vec<String> {
    if rehearsed.objects.is_empty() {
        return vec![];
    }
    let mut lines = section(style, &format!("Objects ({})", rehearsed.objects.len())).to_vec();
    for heading in Heading::ALL {
        lines.extend(rehearsed.under(heading).flat_map(|object| object_lines(style, heading, object)));
    }
    lines
}

fn object_lines(style: Style, heading: Heading, object: &RehearsedObject) -> Vec<String> {
    let word = heading.word();
    let padding = HEADING_COLUMNS.saturating_sub(word.len());
    let first = format!("  {}{:padding$}", style.dim(word), "");
    let mut lines = hang_at(style, &first, 6, &format!("{}{}", object.object, wording::traits(object)));
    lines.extend(object.changes.iter().flat_map(|change| field_lines(style, 6, change)));
    lines
}

/// Returns `path: old -> new` on one line where it fits, else each on a line of its own, cut to the width.
fn field_lines(style: Style, indent: usize, change: &FieldChange) -> Vec<String> {
    let (before, after) = wording::values(change);
    let (before, after) = (before.as_deref().unwrap_or("(none)"), after.as_deref().unwrap_or("(none)"));
    let room = style.width.saturating_sub(indent);
    let whole = format!("{}: {before} -> {after}", change.path);
    if shorten(style, &whole, room) == whole {
        return vec![format!("{:indent$}{whole}", "")];
    }
    let inner = room.saturating_sub(5);
    let (old, new) = apart(style, before, after, inner);
    vec![
        format!("{:indent$}{}", "", shorten(style, &format!("{}:", change.path), room)),
        format!("{:indent$}  {} {old}", "", style.dim(" -")),
        format!("{:indent$}  {} {new}", "", style.dim("->")),
    ]
}

/// Shortens both to `room` columns so that they still differ: where their beginnings are alike, those are left out.
fn apart(style: Style, before: &str, after: &str, room: usize) -> (String, String) {
    let (old, new) = (shorten(style, before, room), shorten(style, after, room));
    if old != new {
        return (old, new);
    }
    let alike = before.chars().zip(after.chars()).take_while(|(old, new)| old == new).count();
    let skipped = alike.saturating_sub(room / 4);
    let rest = |text: &str| {
        let rest: String = text.chars().skip(skipped).collect();
        shorten(style, &format!("{}{rest}", style.ellipsis()), room)
    };
    (rest(before), rest(after))
}

fn mark_of(tone: Tone) -> Mark {
    match tone {
        Tone::Good => Mark::Good,
        Tone::Warning => Mark::Warning,
        Tone::Unknown => Mark::CouldNotTell,
        Tone::Bad => Mark::Failure,
    }
}

#[cfg(test)]
mod tests;
