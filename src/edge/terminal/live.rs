//! The stage that runs: one line that is rewritten on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use super::event::render_live_line;
use super::style::Style;
use crate::domain::event::{Event, Stage};

/// How often a log without a terminal hears of the same stage.
const EVERY: Duration = Duration::from_secs(10);

/// The stage that runs, as the last notice told it.
#[derive(Debug)]
pub(super) struct Live {
    stage: Stage,
    what: String,
    elapsed: Duration,
    told_at: Instant,
}

impl Live {
    /// Returns the stage that runs after `event`, if `event` is about its running.
    pub(super) fn after(event: &Event) -> Option<Self> {
        let (stage, what, elapsed) = match event {
            Event::StageStarted { stage, what } => (*stage, what, Duration::ZERO),
            Event::Progress { stage, what, elapsed } => (*stage, what, *elapsed),
            _ => return None,
        };
        Some(Self { stage, what: what.clone(), elapsed, told_at: Instant::now() })
    }

    /// Returns its line as of now: the seconds go on where no notice comes.
    pub(super) fn render(&self, style: &Style) -> String {
        render_live_line(self.stage, &self.what, self.elapsed + self.told_at.elapsed(), style)
    }
}

/// Decides which notices of progress a log gets: those whose text is new, one in ten seconds.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    stage: Option<Stage>,
    what: String,
    told_at: Duration,
}

impl Throttle {
    /// Tells whether `event` is to be written.
    pub(super) fn admits(&mut self, event: &Event) -> bool {
        match event {
            Event::StageStarted { stage, what } => {
                *self = Self { stage: Some(*stage), what: what.clone(), told_at: Duration::ZERO };
                true
            }
            Event::Progress { stage, what, elapsed } => {
                if self.stage != Some(*stage) {
                    *self = Self { stage: Some(*stage), ..Self::default() };
                }
                let is_due = *what != self.what && elapsed.saturating_sub(self.told_at) >= EVERY;
                if is_due {
                    self.what.clone_from(what);
                    self.told_at = *elapsed;
                }
                is_due
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(stage: Stage, what: &str, seconds: u64) -> Event {
        Event::Progress { stage, what: what.into(), elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_log_hears_of_progress_at_most_every_ten_seconds_and_only_if_it_is_new() {
        let mut throttle = Throttle::default();
        let started = Event::StageStarted { stage: Stage::Verify, what: "40 objects".into() };
        assert!(throttle.admits(&started));
        let told: Vec<u64> = [(2, "a"), (11, "a"), (15, "b"), (20, "c"), (21, "d"), (40, "d"), (60, "e")]
            .into_iter()
            .filter(|(seconds, what)| throttle.admits(&progress(Stage::Verify, what, *seconds)))
            .map(|(seconds, _)| seconds)
            .collect();
        assert_eq!(told, [11, 21, 60]);
    }

    #[test]
    fn each_stage_has_its_own_clock() {
        let mut throttle = Throttle::default();
        assert!(throttle.admits(&progress(Stage::Helm, "hook", 100)));
        assert!(!throttle.admits(&progress(Stage::Verify, "hook", 5)));
        assert!(throttle.admits(&progress(Stage::Verify, "hook", 10)));
    }

    #[test]
    fn what_is_no_progress_always_passes() {
        assert!(Throttle::default().admits(&Event::Note { what: "so".into() }));
        assert!(Live::after(&Event::Note { what: "so".into() }).is_none());
    }
}
