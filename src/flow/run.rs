//! A run in progress: its journal on disk and in the cluster, its lease. Every record is written before its act.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use thiserror::Error;

use super::failure::Failure;
use super::hold::Hold;
use super::session::Session;
use crate::domain::journal::{Journal, Record, RunState};
use crate::domain::plan::Plan;
use crate::domain::report::ExitStatus;
use crate::edge::cluster::{self, ErrorClass, RecordHandle, RecordName, RecordPart, RecordText, Written};
use crate::edge::disk::{JournalFile, RunFolder};
use crate::edge::host;

/// Another process wrote the run's record: it took the run over, and this one must not act any more.
#[derive(Debug, Error)]
#[error("run {run_id} was taken over by another process: this one stops here and changes nothing more")]
pub struct Fenced {
    run_id: String,
}

/// How long a record may wait for an API server that does not answer, before the run stops.
const RECORD_PATIENCE: Duration = Duration::from_mins(1);

/// A run in progress.
pub struct Run<'s> {
    /// Its session.
    pub session: &'s Session,
    /// Its folder.
    pub folder: RunFolder,
    journal: Journal,
    file: JournalFile,
    record: RecordHandle,
    hold: Hold,
}

impl<'s> Run<'s> {
    /// Begins a run: takes the lease, writes the journal to disk and beside the release.
    ///
    /// # Errors
    /// Exit 60 if another run holds the release, 20 if the journal cannot be written: nothing was changed.
    pub async fn begin(
        session: &'s Session,
        folder: RunFolder,
        run_id: &str,
        plan: Plan,
        inputs: &[u8],
    ) -> Result<Self, Failure> {
        let release = plan.release.clone();
        let hold = Hold::take(session, &release, false).await?;
        let begun = async {
            let mut journal = Journal::new(run_id, &release, &session.namespace);
            let record = Record::Begun { plan: Box::new(plan), holder: session.identity.to_string() };
            journal.append(host::now(), record).context("begin the journal")?;
            let file = JournalFile::create(&folder, &journal.text())?;
            let name = |part| record_name(session, &release, run_id, part);
            // The journal first: whoever finds inputs without one knows that they are of no use.
            let record = create(session, &name(RecordPart::Journal), &record_text(&journal)).await?;
            let inputs =
                RecordText { state: cluster::RunState::Running, notes: BTreeMap::new(), content: inputs.to_vec() };
            create(session, &name(RecordPart::Inputs), &inputs).await?;
            Ok::<_, Failure>((journal, file, record))
        };
        match begun.await {
            Ok((journal, file, record)) => Ok(Self { session, folder, journal, file, record, hold }),
            Err(failure) => {
                hold.release(session).await;
                Err(failure.exits(ExitStatus::Blocked).while_doing("begin the run"))
            }
        }
    }

    /// Takes over a run whose owner is gone: lease first, then the record by compare-and-swap, which fences the owner off.
    ///
    /// # Errors
    /// Exit 60 if another process holds the release or was faster.
    pub async fn take_over(
        session: &'s Session,
        folder: RunFolder,
        mut journal: Journal,
        mut record: RecordHandle,
        is_forced: bool,
    ) -> Result<Self, Failure> {
        let hold = Hold::take(session, &journal.header.release, is_forced).await?;
        let taken = async {
            let entry = Record::TakenOver { holder: session.identity.to_string() };
            journal.append(host::now(), entry).context("take the run over")?;
            match session.cluster.update_run_record(&mut record, &record_text(&journal)).await? {
                Written::Stored => {}
                Written::Fenced => {
                    let error = anyhow::anyhow!("another process was faster");
                    return Err(Failure::new(ExitStatus::Locked, error));
                }
            }
            let file = JournalFile::replace(&folder, &journal.text())?;
            Ok::<_, Failure>((journal, file))
        };
        match taken.await {
            Ok((journal, file)) => Ok(Self { session, folder, journal, file, record, hold }),
            Err(failure) => {
                hold.release(session).await;
                Err(failure.while_doing("take the run over"))
            }
        }
    }

    /// Returns the run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.journal.header.run_id
    }

    /// Returns its journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns where it stands.
    #[must_use]
    pub fn state(&self) -> &RunState {
        self.journal.state()
    }

    /// Returns its plan.
    ///
    /// # Errors
    /// The journal has none: it never began.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        self.journal.plan().cloned().context("the journal holds no plan")
    }

    /// Writes a record, to disk and beside the release; the caller acts only if this returned.
    ///
    /// # Errors
    /// [`Fenced`] if another process took the run over; else why the record could not be written.
    pub async fn record(&mut self, record: Record) -> anyhow::Result<()> {
        if self.hold.is_lost() {
            return Err(self.fenced().into());
        }
        let mut journal = self.journal.clone();
        let line = journal.append(host::now(), record)?;
        self.file.append(&line).context("write the journal")?;
        self.store(&journal).await?;
        self.journal = journal;
        Ok(())
    }

    /// Ends the run: writes its end, gives the lease back, removes the inputs.
    ///
    /// # Errors
    /// The end could not be written; the run then still counts as unfinished.
    pub async fn finish(mut self, exit: ExitStatus, headline: &str) -> anyhow::Result<()> {
        let record = Record::Finished { exit, headline: headline.to_owned() };
        let result = self.record(record).await;
        if result.is_ok() {
            tidy(self.session, &self.journal.header.release).await;
        }
        self.hold.release(self.session).await;
        result
    }

    /// Gives the lease back without an end: what a run does that another process took over, or that cannot go on.
    pub async fn abandon(self) {
        self.hold.release(self.session).await;
    }

    async fn store(&mut self, journal: &Journal) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + RECORD_PATIENCE;
        loop {
            match self.session.cluster.update_run_record(&mut self.record, &record_text(journal)).await {
                Ok(Written::Stored) => return Ok(()),
                Ok(Written::Fenced) => return Err(self.fenced().into()),
                Err(error) if is_passing(&error) && tokio::time::Instant::now() < deadline => {
                    self.session.note(format!("the API server does not answer; trying again: {error}"));
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                Err(error) => return Err(error).context("write the journal beside the release"),
            }
        }
    }

    fn fenced(&self) -> Fenced {
        Fenced { run_id: self.id().to_owned() }
    }
}

/// Clears up behind a run that was killed at its very beginning or end: its lease, its inputs. Best effort.
pub async fn clear_up(session: &Session, release: &str) {
    // Another run at work holds the lease, and clears up by itself.
    let Ok(hold) = Hold::take(session, release, false).await else { return };
    tidy(session, release).await;
    hold.release(session).await;
}

/// The inputs of a run that is over hold secret values and are of no use any more; old records only take room. Best effort.
async fn tidy(session: &Session, release: &str) {
    let list = async |part| session.cluster.list_run_records(&session.namespace, Some(release), part).await;
    let (journals, inputs) = match (list(RecordPart::Journal).await, list(RecordPart::Inputs).await) {
        (Ok(journals), Ok(inputs)) => (journals, inputs),
        (Err(error), _) | (_, Err(error)) => {
            return session.note(format!("old records of runs are still there: {error}"));
        }
    };
    let (running, finished): (Vec<_>, Vec<_>) =
        journals.iter().partition(|record| record.text.state == cluster::RunState::Running);
    let is_over = |inputs: &&cluster::RunRecord| running.iter().all(|run| run.name.run_id != inputs.name.run_id);
    let old = finished.into_iter().rev().skip(KEPT_RECORDS);
    for record in inputs.iter().filter(is_over).chain(old) {
        if let Err(error) = session.cluster.delete_run_record(&record.handle).await {
            session.note(format!("Secret {} is still there: {error}", record.name.secret_name()));
        }
    }
}

/// How many finished runs of a release keep their record in the cluster.
const KEPT_RECORDS: usize = 10;

fn record_name(session: &Session, release: &str, run_id: &str, part: RecordPart) -> RecordName {
    RecordName { namespace: session.namespace.clone(), release: release.to_owned(), run_id: run_id.to_owned(), part }
}

fn record_text(journal: &Journal) -> RecordText {
    let state = match journal.state() {
        RunState::Finished { .. } => cluster::RunState::Finished,
        _ => cluster::RunState::Running,
    };
    let notes = journal.holder().map(|holder| ("holder".to_owned(), holder.to_owned())).into_iter().collect();
    RecordText { state, notes, content: journal.text().into_bytes() }
}

async fn create(session: &Session, name: &RecordName, text: &RecordText) -> Result<RecordHandle, Failure> {
    session.cluster.create_run_record(name, text).await?.ok_or_else(|| {
        Failure::blocked(anyhow::anyhow!("Secret {}/{} exists already", name.namespace, name.secret_name()))
    })
}

/// An API server that restarts, or is overloaded, comes back.
fn is_passing(error: &cluster::ClusterError) -> bool {
    matches!(error.class(), ErrorClass::Unreachable | ErrorClass::TooManyRequests) || error.is_outcome_unknown()
}
