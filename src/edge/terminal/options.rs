//! What the user asked for, and what the surroundings allow.

use std::io::IsTerminal;

use terminal_size::{Width, terminal_size_of};

use super::style::Style;

/// Wider lines are hard to read, and times at their right end hard to match.
const WIDEST: usize = 100;
/// Narrower ones would leave no room beside the indents.
const NARROWEST: usize = 20;

/// The form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Human,
    /// One JSON document on stdout.
    Json,
    /// Markdown for pull requests on stdout; messages as for people.
    Markdown,
}

/// How much is told beside the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// `-q`: failures and the result.
    Quiet,
    /// Stages, notes, trouble.
    #[default]
    Normal,
    /// `-v`: also details, and lists in full.
    Verbose,
}

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourChoice {
    /// On a terminal that can, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What one of stdout and stderr can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Whether a person may be looking.
    pub is_terminal: bool,
    /// Whether a line can be rewritten in place.
    pub can_rewrite: bool,
    /// Width, colours, characters.
    pub style: Style,
}

/// Everything that decides what is written where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The form of results.
    pub format: Format,
    /// How much is told beside them.
    pub verbosity: Verbosity,
    /// Whether stdin is a terminal, so that a question can be answered.
    pub stdin_is_terminal: bool,
    /// stdout: results.
    pub stdout: Stream,
    /// stderr: messages.
    pub stderr: Stream,
}

/// What [`Options::new`] goes by: the environment and the three standard streams.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// `NO_COLOR`: no colours unless empty (no-color.org).
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`: colours everywhere unless empty or `0` (bixense.com/clicolors).
    pub clicolor_force: Option<String>,
    /// `CLICOLOR`: no colours if `0`.
    pub clicolor: Option<String>,
    /// `TERM`: neither colours nor rewriting if `dumb`.
    pub term: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is not empty (POSIX, chapter 8.2).
    pub locale: Option<String>,
    /// `COLUMNS`: the width, whatever the terminal says.
    pub columns: Option<String>,
    /// Whether stdin is a terminal.
    pub stdin_is_terminal: bool,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// Columns of stdout's terminal.
    pub stdout_width: Option<usize>,
    /// Columns of stderr's terminal.
    pub stderr_width: Option<usize>,
}

impl Surroundings {
    /// Reads the environment, and asks the three standard streams.
    #[must_use]
    pub fn read() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            no_color: variable("NO_COLOR"),
            clicolor_force: variable("CLICOLOR_FORCE"),
            clicolor: variable("CLICOLOR"),
            term: variable("TERM"),
            locale: variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG")),
            columns: variable("COLUMNS"),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_width: terminal_size_of(std::io::stdout()).map(|(Width(width), _)| usize::from(width)),
            stderr_width: read_stderr_width(),
        }
    }

    fn allows_colour(&self, choice: ColourChoice, is_terminal: bool) -> bool {
        match choice {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto if self.no_color.as_deref().is_some_and(|value| !value.is_empty()) => false,
            ColourChoice::Auto if self.clicolor_force.as_deref().is_some_and(|value| !matches!(value, "" | "0")) => {
                true
            }
            ColourChoice::Auto => is_terminal && !self.is_dumb() && self.clicolor.as_deref() != Some("0"),
        }
    }

    fn is_dumb(&self) -> bool {
        self.term.as_deref() == Some("dumb")
    }

    fn has_unicode(&self) -> bool {
        let locale = self.locale.as_deref().unwrap_or_default().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    }

    fn stream(&self, choice: ColourChoice, is_terminal: bool, width: Option<usize>) -> Stream {
        let columns = self.columns.as_deref().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
        Stream {
            is_terminal,
            can_rewrite: is_terminal && !self.is_dumb(),
            style: Style {
                width: readable_width(columns.or(width)),
                colour: self.allows_colour(choice, is_terminal),
                unicode: self.has_unicode(),
            },
        }
    }
}

impl Options {
    /// Returns what follows from the user's wishes and the surroundings.
    #[must_use]
    pub fn new(format: Format, verbosity: Verbosity, colour: ColourChoice, surroundings: &Surroundings) -> Self {
        Self {
            format,
            verbosity,
            stdin_is_terminal: surroundings.stdin_is_terminal,
            stdout: surroundings.stream(colour, surroundings.stdout_is_terminal, surroundings.stdout_width),
            stderr: surroundings.stream(colour, surroundings.stderr_is_terminal, surroundings.stderr_width),
        }
    }

    /// Tells whether a question would be seen and can be answered.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        self.stdin_is_terminal && self.stderr.is_terminal
    }
}

/// Returns the width that text is wrapped to on a terminal of that many columns.
pub(super) fn readable_width(columns: Option<usize>) -> usize {
    columns.unwrap_or(WIDEST).clamp(NARROWEST, WIDEST)
}

/// Returns the columns of stderr's terminal, which change while we run.
pub(super) fn read_stderr_width() -> Option<usize> {
    terminal_size_of(std::io::stderr()).map(|(Width(width), _)| usize::from(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Surroundings {
        Surroundings {
            term: Some("xterm-256color".into()),
            locale: Some("en_GB.UTF-8".into()),
            stdin_is_terminal: true,
            stdout_is_terminal: true,
            stderr_is_terminal: true,
            stdout_width: Some(80),
            stderr_width: Some(80),
            ..Surroundings::default()
        }
    }

    fn options(surroundings: &Surroundings) -> Options {
        Options::new(Format::Human, Verbosity::Normal, ColourChoice::Auto, surroundings)
    }

    #[test]
    fn a_terminal_gets_colours_and_a_pipe_does_not() {
        let redirected = options(&Surroundings { stdout_is_terminal: false, ..terminal() });
        assert!(!redirected.stdout.style.colour);
        assert!(redirected.stderr.style.colour);
        assert!(redirected.stderr.can_rewrite);
    }

    #[test]
    fn the_environment_decides_on_colours_before_the_terminal_does() {
        let is_coloured = |surroundings: Surroundings| options(&surroundings).stdout.style.colour;
        assert!(!is_coloured(Surroundings { no_color: Some("1".into()), ..terminal() }));
        assert!(!is_coloured(Surroundings {
            no_color: Some("1".into()),
            clicolor_force: Some("1".into()),
            ..terminal()
        }));
        assert!(!is_coloured(Surroundings { clicolor: Some("0".into()), ..terminal() }));
        assert!(is_coloured(Surroundings { clicolor_force: Some("1".into()), ..Surroundings::default() }));
        assert!(!is_coloured(Surroundings { clicolor_force: Some("0".into()), ..Surroundings::default() }));
    }

    #[test]
    fn a_flag_decides_on_colours_before_the_environment_does() {
        let coloured = |choice, surroundings: &Surroundings| {
            Options::new(Format::Human, Verbosity::Normal, choice, surroundings).stdout.style.colour
        };
        assert!(coloured(
            ColourChoice::Always,
            &Surroundings { no_color: Some("1".into()), ..Surroundings::default() }
        ));
        assert!(!coloured(ColourChoice::Never, &terminal()));
    }

    #[test]
    fn a_dumb_terminal_is_neither_coloured_nor_rewritten() {
        let dumb = options(&Surroundings { term: Some("dumb".into()), ..terminal() });
        assert!(!dumb.stderr.style.colour);
        assert!(!dumb.stderr.can_rewrite);
        assert!(dumb.can_ask());
    }

    #[test]
    fn columns_wins_over_the_terminal_and_nonsense_is_passed_over() {
        let width =
            |columns: &str| options(&Surroundings { columns: Some(columns.into()), ..terminal() }).stdout.style.width;
        assert_eq!(width("60"), 60);
        assert_eq!(width("0"), 80);
        assert_eq!(width("wide"), 80);
        assert_eq!(width("5"), NARROWEST);
        assert_eq!(options(&Surroundings::default()).stdout.style.width, WIDEST);
    }

    #[test]
    fn marks_are_ascii_unless_the_locale_is_utf_8() {
        let unicode = |locale: Option<&str>| {
            options(&Surroundings { locale: locale.map(str::to_owned), ..terminal() }).stderr.style.unicode
        };
        assert!(unicode(Some("de_CH.utf8")));
        assert!(unicode(Some("C.UTF-8")));
        assert!(!unicode(Some("C")));
        assert!(!unicode(None));
    }

    #[test]
    fn a_question_needs_somebody_who_sees_it_and_can_answer() {
        assert!(options(&terminal()).can_ask());
        assert!(!options(&Surroundings { stdin_is_terminal: false, ..terminal() }).can_ask());
        assert!(!options(&Surroundings { stderr_is_terminal: false, ..terminal() }).can_ask());
        assert!(options(&Surroundings { stdout_is_terminal: false, ..terminal() }).can_ask());
    }
}
