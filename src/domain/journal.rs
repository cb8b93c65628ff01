//! The journal of a run: an append-only record of intent and result, written *before* each act.
//!
//! `started` without an end means unknown: whoever reads it probes the world and assumes nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::plan::Plan;
use super::report::{ExitStatus, LeftBehind, Problem};

/// Format version of a journal.
pub const JOURNAL_FORMAT: u32 = 1;

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`JOURNAL_FORMAT`].
    pub format: u32,
    /// Id of the run.
    pub run_id: String,
    /// Name of the release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
}

/// One line of a journal, after the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// 1, 2, ...: a missing number is a lost line.
    pub seq: u64,
    /// When, RFC 3339 in UTC, by the clock of the writer.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub record: Record,
}

/// What a line records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The plan was accepted, and the run begins; nothing is changed yet.
    Begun {
        /// The plan.
        plan: Box<Plan>,
        /// Who runs it: `user@host/pid/boot/start`.
        holder: String,
    },
    /// Another process took the run over from one that is gone.
    TakenOver {
        /// Who runs it now.
        holder: String,
    },
    /// A step begins.
    StepStarted {
        /// Its id.
        step: String,
    },
    /// The process of a step: whoever takes the run over waits for its end first.
    ProcessStarted {
        /// Id of the step.
        step: String,
        /// Its pid on the holder's host.
        pid: u32,
        /// When it started, in clock ticks since boot: a pid alone is used again.
        start_ticks: u64,
    },
    /// A step ended well.
    StepSucceeded {
        /// Its id.
        step: String,
        /// What came of it.
        note: String,
    },
    /// A step ended badly: the run unwinds, beginning with this step.
    StepFailed {
        /// Its id.
        step: String,
        /// The cause, in one line.
        because: String,
        /// What went wrong, object by object.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        problems: Vec<Problem>,
    },
    /// The run stops between two steps, and unwinds those that were completed.
    UnwindStarted {
        /// Who or what asked for it.
        because: String,
    },
    /// The undo of a step begins.
    UndoStarted {
        /// Its id.
        step: String,
    },
    /// A step was undone, as far as it can be: `to_do` names what is left for a person.
    UndoSucceeded {
        /// Its id.
        step: String,
        /// What came of it.
        note: String,
        /// Objects that the step brought, and what became of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_behind: Vec<LeftBehind>,
        /// What is not brought back, one sentence each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to_do: Vec<String>,
    },
    /// A step was not undone: a person is needed.
    UndoFailed {
        /// Its id.
        step: String,
        /// The cause, in one line.
        because: String,
    },
    /// The run ended.
    Finished {
        /// How.
        exit: ExitStatus,
        /// One sentence.
        headline: String,
    },
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Nothing was recorded.
    Empty,
    /// `done` steps are completed; the next may start, or the run may finish.
    Ready {
        /// How many steps are completed.
        done: usize,
    },
    /// A step was started, and its end is not recorded: unknown.
    Stepping {
        /// Index of the step.
        step: usize,
    },
    /// Steps are undone, newest first; `left` are still to be undone.
    Unwinding {
        /// How many steps, counted from the first, are still to be undone.
        left: usize,
    },
    /// The undo of a step was started, and its end is not recorded: unknown.
    Undoing {
        /// Index of the step.
        step: usize,
    },
    /// The undo of a step failed.
    Stuck {
        /// Index of the step.
        step: usize,
    },
    /// The run ended.
    Finished {
        /// How.
        exit: ExitStatus,
    },
}

impl RunState {
    /// Returns a word for the state, as `status` shows it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Ready { .. } => "ready",
            Self::Stepping { .. } => "stepping",
            Self::Unwinding { .. } => "unwinding",
            Self::Undoing { .. } => "undoing",
            Self::Stuck { .. } => "stuck",
            Self::Finished { .. } => "finished",
        }
    }
}

/// The journal cannot be what we wrote.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Empty file.
    #[error("the journal is empty")]
    Empty,
    /// The first line is no header.
    #[error("line 1 is no journal header: this is another program's file, or it is damaged")]
    Foreign(#[source] serde_json::Error),
    /// Written by a newer version.
    #[error("the journal has format {found}, this version reads up to {JOURNAL_FORMAT}: use the version that wrote it")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A line in the middle does not parse.
    #[error("line {line} of the journal is damaged")]
    Damaged {
        /// 1-based.
        line: usize,
        /// Why it does not parse.
        source: serde_json::Error,
    },
    /// A line is missing.
    #[error("line {line} of the journal has number {found}, expected {expected}: a line is missing")]
    Gap {
        /// 1-based.
        line: usize,
        /// Its number.
        found: u64,
        /// The number it should have.
        expected: u64,
    },
    /// A line that cannot follow the ones before it.
    #[error("entry {seq} of the journal cannot follow: {record} in state {state}")]
    Illegal {
        /// Its number.
        seq: u64,
        /// What it records.
        record: String,
        /// The state before it.
        state: &'static str,
    },
}

/// A journal: header, entries, and the state that they lead to.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// Its first line.
    pub header: Header,
    entries: Vec<Entry>,
    state: RunState,
    plan: Option<Plan>,
}

impl Journal {
    /// Returns an empty journal.
    #[must_use]
    pub fn new(run_id: &str, release: &str, namespace: &str) -> Self {
        let header = Header {
            format: JOURNAL_FORMAT,
            run_id: run_id.to_owned(),
            release: release.to_owned(),
            namespace: namespace.to_owned(),
        };
        Self { header, entries: Vec::new(), state: RunState::Empty, plan: None }
    }

    /// Reads a journal. A last line without its line end was cut off by a crash while it was written: what it
    /// announced had not begun, so it is dropped.
    ///
    /// # Errors
    /// [`JournalError`] names the line that is foreign, damaged, missing or out of order.
    pub fn parse(text: &str) -> Result<Self, JournalError> {
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut lines = whole.lines();
        let header: Header =
            serde_json::from_str(lines.next().ok_or(JournalError::Empty)?).map_err(JournalError::Foreign)?;
        if header.format > JOURNAL_FORMAT {
            return Err(JournalError::Newer { found: header.format });
        }
        let mut journal = Self { header, entries: Vec::new(), state: RunState::Empty, plan: None };
        for (index, line) in lines.enumerate() {
            let line_number = index + 2;
            let entry: Entry =
                serde_json::from_str(line).map_err(|source| JournalError::Damaged { line: line_number, source })?;
            let expected = journal.entries.len() as u64 + 1;
            if entry.seq != expected {
                return Err(JournalError::Gap { line: line_number, found: entry.seq, expected });
            }
            journal.accept(entry)?;
        }
        Ok(journal)
    }

    /// Adds a record and returns its line, line end included.
    ///
    /// # Errors
    /// [`JournalError::Illegal`] if the record cannot follow the state.
    pub fn append(&mut self, at: String, record: Record) -> Result<String, JournalError> {
        let entry = Entry { seq: self.entries.len() as u64 + 1, at, record };
        self.accept(entry.clone())?;
        Ok(line(&entry))
    }

    /// Returns the whole text, header and entries.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = line(&self.header);
        for entry in &self.entries {
            text.push_str(&line(entry));
        }
        text
    }

    /// Returns where the run stands.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Returns the plan, once the run has begun.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Returns all entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns who runs it, by the newest entry that says so.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Begun { holder, .. } | Record::TakenOver { holder } => Some(holder.as_str()),
            _ => None,
        })
    }

    /// Returns the process that was started last, as (pid, start ticks).
    #[must_use]
    pub fn last_process(&self) -> Option<(u32, u64)> {
        self.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::ProcessStarted { pid, start_ticks, .. } => Some((*pid, *start_ticks)),
            _ => None,
        })
    }

    /// Returns why the run unwinds, if it does.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.entries.iter().find_map(|entry| match &entry.record {
            Record::StepFailed { because, .. } | Record::UnwindStarted { because } => Some(because.as_str()),
            _ => None,
        })
    }

    fn accept(&mut self, entry: Entry) -> Result<(), JournalError> {
        let next = self.next(&entry.record).ok_or_else(|| JournalError::Illegal {
            seq: entry.seq,
            record: name(&entry.record),
            state: self.state.word(),
        })?;
        if let Record::Begun { plan, .. } = &entry.record {
            self.plan = Some((**plan).clone());
        }
        self.state = next;
        self.entries.push(entry);
        Ok(())
    }

    /// The transitions: the state after `record`, or nothing if it cannot follow.
    fn next(&self, record: &Record) -> Option<RunState> {
        let index = |id: &str| self.plan.as_ref()?.steps.iter().position(|step| step.id == id);
        match (&self.state, record) {
            (RunState::Empty, Record::Begun { .. }) => Some(RunState::Ready { done: 0 }),
            (RunState::Empty | RunState::Finished { .. }, _) => None,
            (state, Record::TakenOver { .. }) => Some(state.clone()),
            (RunState::Ready { done }, Record::StepStarted { step }) => {
                (index(step)? == *done).then_some(RunState::Stepping { step: *done })
            }
            // A step whose process never began may be started again by whoever takes the run over.
            (RunState::Stepping { step: running }, Record::StepStarted { step }) => {
                (index(step)? == *running).then_some(RunState::Stepping { step: *running })
            }
            (RunState::Stepping { step: running }, Record::StepSucceeded { step, .. }) => {
                (index(step)? == *running).then_some(RunState::Ready { done: running + 1 })
            }
            (RunState::Stepping { step: running }, Record::StepFailed { step, .. }) => {
                (index(step)? == *running).then_some(RunState::Unwinding { left: running + 1 })
            }
            (RunState::Stepping { .. } | RunState::Undoing { .. }, Record::ProcessStarted { .. }) => {
                Some(self.state.clone())
            }
            (RunState::Ready { done }, Record::UnwindStarted { .. }) => Some(RunState::Unwinding { left: *done }),
            (RunState::Stepping { step }, Record::UnwindStarted { .. }) => Some(RunState::Unwinding { left: step + 1 }),
            (RunState::Unwinding { left }, Record::UndoStarted { step }) => {
                let step = index(step)?;
                (step + 1 == *left).then_some(RunState::Undoing { step })
            }
            (RunState::Undoing { step: undoing } | RunState::Stuck { step: undoing }, Record::UndoStarted { step }) => {
                (index(step)? == *undoing).then_some(RunState::Undoing { step: *undoing })
            }
            (RunState::Undoing { step: undoing }, Record::UndoSucceeded { step, .. }) => {
                (index(step)? == *undoing).then_some(RunState::Unwinding { left: *undoing })
            }
            (RunState::Undoing { step: undoing }, Record::UndoFailed { step, .. }) => {
                (index(step)? == *undoing).then_some(RunState::Stuck { step: *undoing })
            }
            // A run may end stuck (a person is needed), when all is undone, or when all steps are done.
            (
                RunState::Stuck { .. } | RunState::Unwinding { .. } | RunState::Ready { .. },
                Record::Finished { exit, .. },
            ) => Some(RunState::Finished { exit: *exit }),
            _ => None,
        }
    }
}

fn line<T: Serialize>(value: &T) -> String {
    // Our own types have text keys only and no failing serialiser, so this cannot fail.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}

fn name(record: &Record) -> String {
    serde_json::to_value(record)
        .ok()
        .and_then(|value| value.get("record").and_then(|name| name.as_str().map(str::to_owned)))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
