//! The terminal: the only code that prints.
//!
//! Every `render_*` is a pure function from a value and a [`Style`] to text; [`Screen`] alone writes.
//! Results go to stdout, messages to stderr: docs/output.md is the whole rule.

mod error;
mod event;
mod exit_codes;
mod findings;
mod layout;
mod live;
mod markdown;
mod options;
mod plan;
mod profiles;
mod prompt;
mod rehearsal;
mod report;
mod screen;
mod status;
mod style;
mod verify;
mod view;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod samples;

pub use error::{Failure, render_error};
pub use event::{render_event, render_live_line};
pub use exit_codes::render_exit_codes;
pub use findings::render_findings;
pub use markdown::render_markdown;
pub use options::{ColourChoice, Format, Options, Stream, Surroundings, Verbosity};
pub use plan::render_plan;
pub use prompt::Consent;
pub use rehearsal::render_rehearsal;
pub use report::render_report;
pub use screen::{Screen, Unwritable, Written};
pub use status::render_status;
pub use style::Style;
pub use verify::render_verify;
pub use view::View;
