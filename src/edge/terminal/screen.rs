//! The one place that writes: results to stdout, messages to stderr.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use super::error::{Failure, render_error};
use super::event::render_event;
use super::live::{Live, Throttle};
use super::markdown::{render_markdown, render_markdown_error};
use super::options::{Format, Options, Verbosity, read_stderr_width};
use super::prompt::{Consent, forget_typed, read_consent};
use super::style::Style;
use super::view::View;
use crate::domain::event::Event;
use crate::domain::report::RunReport;

/// Back to the first column, and erase to the end of the line. Source: ECMA-48, EL.
const REWRITE: &str = "\r\u{1b}[K";
/// How often the seconds of a running stage are rewritten.
const TICK: Duration = Duration::from_secs(1);

/// The user's terminal, pipe or log. Clones write to the same place.
///
/// Messages that cannot be written are dropped: a run goes on without its audience. A result that cannot be written is an error,
/// unless its reader went away.
#[derive(Clone)]
pub struct Screen {
    shared: Arc<Shared>,
}

/// The result of a command was lost.
#[derive(Debug, Error)]
#[error("the result cannot be written to stdout")]
pub struct Unwritable {
    #[from]
    source: io::Error,
}

struct Shared {
    options: Options,
    /// Whether stdin, stdout and stderr are the process's own.
    is_real: bool,
    state: Mutex<State>,
}

struct State {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    live: Option<Live>,
    throttle: Throttle,
    is_ticking: bool,
    has_document: bool,
    has_spoken: bool,
}

/// What a [`Screen::to_buffers`] has written so far.
#[derive(Debug, Clone, Default)]
pub struct Written {
    stdout: Buffer,
    stderr: Buffer,
}

#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Screen {
    /// Returns the screen of this process.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::writing_to(options, true, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// Returns a screen for tests, which nobody can answer, and what it writes.
    #[must_use]
    pub fn to_buffers(options: Options) -> (Self, Written) {
        let written = Written::default();
        let screen =
            Self::writing_to(options, false, Box::new(written.stdout.clone()), Box::new(written.stderr.clone()));
        (screen, written)
    }

    fn writing_to(
        options: Options,
        is_real: bool,
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
    ) -> Self {
        let state = State {
            stdout,
            stderr,
            live: None,
            throttle: Throttle::default(),
            is_ticking: false,
            has_document: false,
            has_spoken: false,
        };
        Self { shared: Arc::new(Shared { options, is_real, state: Mutex::new(state) }) }
    }

    /// Returns what decides what is written where.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Shows a progress notice on stderr: as JSON lines with `-o json -v`, else as text, and not at all with `-o json`.
    pub fn show(&self, event: &Event) {
        let Options { format, verbosity, stderr, .. } = self.shared.options;
        let mut state = self.shared.state();
        match format {
            Format::Json if verbosity < Verbosity::Verbose => {}
            Format::Json => {
                state.message(&serde_json::to_value(event).map(|line| format!("{line}\n")).unwrap_or_default());
            }
            Format::Human | Format::Markdown if verbosity > Verbosity::Quiet && stderr.can_rewrite => {
                self.shared.show_live(&mut state, event);
                if !state.is_ticking {
                    state.is_ticking = self.shared.is_real && start_ticking(&self.shared);
                }
            }
            Format::Human | Format::Markdown => {
                if state.throttle.admits(event) {
                    state.message(&render_event(event, &self.shared.stderr_style(), verbosity));
                }
            }
        }
    }

    /// Shows a view on stderr, as something to know on the way: not with `-q`, and with `-o json` only as a line under `-v`.
    pub fn message<'a>(&self, view: impl Into<View<'a>>) {
        let view = view.into();
        let Options { format, verbosity, .. } = self.shared.options;
        match (format, verbosity) {
            (Format::Human | Format::Markdown, Verbosity::Quiet)
            | (Format::Json, Verbosity::Quiet | Verbosity::Normal) => {}
            (Format::Human | Format::Markdown, _) => self.tell(view),
            (Format::Json, Verbosity::Verbose) => self.message_line(view.name(), view.document()),
        }
    }

    /// Writes the result of a command to stdout. With `-o json` it is the one document there: a second one is not written.
    ///
    /// # Errors
    /// [`Unwritable`], such as on a full disk. A reader that went away is no error.
    pub fn result<'a>(&self, view: impl Into<View<'a>>) -> Result<(), Unwritable> {
        let view = view.into();
        let Options { format, verbosity, stdout, .. } = self.shared.options;
        let mut state = self.shared.state();
        state.end_live();
        match format {
            Format::Human => {
                state.set_off();
                state.data(&view.render(&stdout.style, verbosity))
            }
            Format::Markdown => {
                state.set_off();
                state.has_document = true;
                state.data(&render_markdown(view, verbosity))
            }
            Format::Json => state.document(&view.document().map_err(io::Error::from)?),
        }
    }

    /// Writes how a run ended: [`Screen::result`] for the report.
    ///
    /// # Errors
    /// [`Unwritable`]. A reader that went away is no error.
    pub fn report(&self, report: &RunReport) -> Result<(), Unwritable> {
        self.result(report)
    }

    /// Shows the error that ends the command on stderr. With `-o json` and `-o markdown` it is also the document on stdout, if that
    /// has none yet.
    pub fn error(&self, failure: &Failure) {
        let Options { format, verbosity, .. } = self.shared.options;
        if format == Format::Json {
            // Where stdout cannot be written, the error is still told on stderr.
            let _ = failure.document().map(|document| self.shared.state().document(&document));
            if verbosity == Verbosity::Verbose {
                return self.message_line("error", failure.document());
            }
        }
        let mut state = self.shared.state();
        state.end_live();
        if format == Format::Markdown && !state.has_document {
            let _ = state.data(&render_markdown_error(failure));
        }
        state.message(&render_error(&failure.chain(), &failure.hints, &self.shared.stderr_style()));
    }

    /// Shows `about` on stderr, even with `-q`, then asks `question`, which ends with `?`, if stdin and stderr are terminals.
    ///
    /// The answer is no unless `y` or `yes` is typed after the question appeared. Blocks: from async code, call it where blocking
    /// is allowed. Ctrl-C is the caller's: its signal handler sets `interrupted`, and within 0.1 s the answer is [`Consent::No`].
    /// So anything but [`Consent::Yes`] ends with exit 30; `interrupted` tells the caller which words to use.
    pub fn confirm<'a>(&self, about: impl Into<View<'a>>, question: &str, interrupted: &AtomicBool) -> Consent {
        let options = &self.shared.options;
        let can_ask = self.shared.is_real && options.can_ask();
        if can_ask || options.format != Format::Json {
            self.tell(about.into());
        }
        if !can_ask {
            return Consent::NoTerminal;
        }
        self.ask(&mut io::stdin().lock(), question, interrupted)
    }

    fn ask(&self, input: &mut (impl Read + AsFd), question: &str, interrupted: &AtomicBool) -> Consent {
        forget_typed(&*input);
        let style = self.shared.stderr_style();
        let mut state = self.shared.state();
        state.message(&format!("\n{} [y/N] ", style.strong(&super::style::plain(question))));
        drop(state);
        if let Ok(Some(consent)) = read_consent(input, interrupted) {
            return consent;
        }
        self.shared.state().message("\n");
        Consent::No
    }

    fn tell(&self, view: View<'_>) {
        let text = view.render(&self.shared.stderr_style(), self.shared.options.verbosity);
        let mut state = self.shared.state();
        state.end_live();
        state.set_off();
        state.message(&text);
    }

    fn message_line(&self, name: &str, document: serde_json::Result<Value>) {
        if let Ok(Value::Object(fields)) = document {
            let mut line = serde_json::Map::from_iter([("event".to_owned(), Value::from(name))]);
            line.extend(fields);
            self.shared.state().message(&format!("{}\n", Value::Object(line)));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns stderr's style; the width follows a terminal that was made narrower.
    fn stderr_style(&self) -> Style {
        let style = self.options.stderr.style;
        let width = if self.is_real { read_stderr_width() } else { None };
        Style { width: width.map_or(style.width, |width| width.min(style.width)), ..style }
    }

    fn show_live(&self, state: &mut State, event: &Event) {
        let style = self.stderr_style();
        if let Some(live) = Live::after(event) {
            let line = live.render(&style);
            state.live = Some(live);
            return state.message(&format!("{REWRITE}{line}"));
        }
        if matches!(event, Event::StageFinished { .. } | Event::StageFailed { .. }) && state.live.take().is_some() {
            state.message(REWRITE);
        }
        let text = render_event(event, &style, self.options.verbosity);
        if text.is_empty() {
            return;
        }
        let below = state.live.as_ref().map(|live| live.render(&style));
        state.message(&below.map_or(text.clone(), |below| format!("{REWRITE}{text}{below}")));
    }

    fn tick(&self) {
        let style = self.stderr_style();
        let mut state = self.state();
        if let Some(line) = state.live.as_ref().map(|live| live.render(&style)) {
            state.message(&format!("{REWRITE}{line}"));
        }
    }
}

impl State {
    fn message(&mut self, text: &str) {
        self.has_spoken |= !text.is_empty();
        // Nobody is left to be told.
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    fn data(&mut self, text: &str) -> Result<(), Unwritable> {
        match self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    fn document(&mut self, document: &Value) -> Result<(), Unwritable> {
        if std::mem::replace(&mut self.has_document, true) {
            return Ok(());
        }
        self.data(&format!("{document:#}\n"))
    }

    /// Parts what comes next from the messages before it.
    fn set_off(&mut self) {
        if self.has_spoken {
            self.message("\n");
        }
    }

    /// Leaves the line of a stage that did not end as it stands, and begins a new one.
    fn end_live(&mut self) {
        if self.live.take().is_some() {
            self.message("\n");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.end_live();
    }
}

/// Rewrites the running stage's line every second, until the last screen is gone. Returns whether it began.
fn start_ticking(shared: &Arc<Shared>) -> bool {
    let shared: Weak<Shared> = Arc::downgrade(shared);
    let tick = move || {
        while let Some(shared) = shared.upgrade() {
            shared.tick();
            drop(shared);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("screen".to_owned()).spawn(tick).is_ok()
}

impl Written {
    /// Returns what was written to stdout.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Returns what was written to stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
