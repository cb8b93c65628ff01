//! Makes the final report of a run, and closes the run.

use super::failure::Failure;
use super::prepare::Prepared;
use super::run::{Fenced, Run};
use crate::domain::conclusion::{self, Conclusion};
use crate::domain::preflight::Finding;
use crate::domain::rehearsed::wording;
use crate::domain::report::{ExitStatus, REPORT_FORMAT, RunReport};

/// Returns the report of a run that preflight blocked.
#[must_use]
pub fn blocked(prepared: &Prepared) -> RunReport {
    let headline = match prepared.exit() {
        ExitStatus::Locked => format!("another run holds {}: nothing was changed", prepared.facts.release),
        _ => format!("{} cannot be upgraded as asked: nothing was changed", prepared.facts.release),
    };
    let mut report = without_run(prepared, prepared.exit(), headline);
    let of_helm = prepared.rehearsed.iter().flat_map(|rehearsed| rehearsed.end.problems.iter().cloned());
    report.problems = prepared.standing.iter().map(wording::problem).chain(of_helm).collect();
    report.ways_on = wording::ways_on(&prepared.standing);
    report
}

/// Returns the report of a run that the user stopped before it began.
#[must_use]
pub fn stopped(prepared: &Prepared, headline: &str) -> RunReport {
    without_run(prepared, ExitStatus::Stopped, headline.to_owned())
}

/// Returns the report of a saved plan that nobody consented to as things are now.
#[must_use]
pub fn drifted(prepared: &Prepared) -> RunReport {
    let count = prepared.drift.len();
    let what = if count == 1 { "1 thing moved".to_owned() } else { format!("{count} things moved") };
    let headline = format!(
        "{what} since the plan was saved, so nothing was changed: `--accept-drift` accepts that, beside `--yes`"
    );
    let mut report = without_run(prepared, ExitStatus::Stopped, headline);
    report.problems = prepared.drift.iter().map(Into::into).collect();
    report
}

fn without_run(prepared: &Prepared, exit: ExitStatus, headline: String) -> RunReport {
    RunReport {
        format: REPORT_FORMAT,
        run_id: None,
        release: prepared.facts.release.clone(),
        namespace: prepared.facts.namespace.clone(),
        exit,
        headline,
        problems: Vec::new(),
        left_behind: Vec::new(),
        to_do: Vec::new(),
        is_open: false,
        evidence: None,
        ways_on: Vec::new(),
        findings: prepared.findings.clone(),
    }
}

/// Closes the run by what its journal says, and returns its report.
///
/// # Errors
/// The journal could not be written, or another process took the run over.
pub async fn end(run: Run<'_>, ended: anyhow::Result<()>, findings: Vec<Finding>) -> Result<RunReport, Failure> {
    let header = run.journal().header.clone();
    let resume = format!(
        "`helm csghub status {0} -n {1}` says where it stands, `helm csghub resume {0} -n {1}` goes on",
        header.release, header.namespace
    );
    if let Err(error) = ended {
        let exit = if error.is::<Fenced>() { ExitStatus::Locked } else { ExitStatus::NotUndone };
        run.abandon().await;
        return Err(Failure::new(exit, error).hint(resume));
    }
    let Some(conclusion) = conclusion::conclude(run.journal()) else {
        run.abandon().await;
        let error = anyhow::anyhow!("run {} stopped half-way", header.run_id);
        return Err(Failure::new(ExitStatus::NotUndone, error).hint(resume));
    };
    let Conclusion { exit, headline, problems, left_behind, to_do, is_closed } = conclusion;
    let evidence = run.folder.path().join(super::evidence::FOLDER);
    let evidence = evidence.is_dir().then(|| evidence.display().to_string());
    let report = RunReport {
        format: REPORT_FORMAT,
        run_id: Some(header.run_id),
        release: header.release,
        namespace: header.namespace,
        exit,
        headline,
        problems,
        left_behind,
        to_do,
        is_open: !is_closed,
        evidence,
        ways_on: Vec::new(),
        findings,
    };
    let json = serde_json::to_vec_pretty(&report).map_err(anyhow::Error::from)?;
    let in_evidence = format!("{}/report.json", super::evidence::FOLDER);
    for name in ["report.json", in_evidence.as_str()] {
        if name == in_evidence && report.evidence.is_none() {
            continue;
        }
        if let Err(error) = run.folder.write(name, &json) {
            run.session.note(error.to_string());
        }
    }
    if is_closed {
        let session = run.session;
        let headline = report.headline.clone();
        if let Err(error) = run.finish(exit, &headline).await {
            session.note(format!("the end of the run could not be recorded, `resume` will repeat it: {error:#}"));
        }
    } else {
        run.abandon().await;
    }
    Ok(report)
}
