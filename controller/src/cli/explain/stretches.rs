//! Rounds folded into stretches: runs of rounds in which neither size nor reason changed.
//!
//! Owns what counts as the same, and how far back is read. It prints nothing.

use serde_json::Value;

use super::super::rounds_text::decisive_step;
use crate::journal::{Ledger, Outcome, Part, Reading, Round};
use crate::model::{Instances, UnixSeconds};
use crate::ports::PortError;

/// Rounds read at a time; about a megabyte, which is what DynamoDB gives in one answer.
pub(super) const PAGE: usize = 400;

/// A silence of this many usual intervals, and of two minutes at least, is a gap.
const GAP_INTERVALS: f64 = 4.0;
const GAP_MIN_SECONDS: f64 = 120.0;

/// A run of rounds that are alike.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// The newest of them.
    pub newest: Round,
    /// When the oldest began.
    pub since: UnixSeconds,
    /// How many there are.
    pub rounds: usize,
    /// How long no round was recorded before the oldest, where that is longer than usual.
    pub gap_seconds: Option<f64>,
    /// Different errors among them.
    pub errors: Vec<String>,
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// No round before this.
    pub since: UnixSeconds,
    /// No more stretches than this.
    pub limit: usize,
}

/// Stretches, newest first, and why there are no more.
#[derive(Debug)]
pub(super) struct Found {
    /// Newest first.
    pub stretches: Vec<Stretch>,
    /// Why there are no more.
    pub end: End,
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There are as many stretches as were asked for.
    Limit,
    /// What follows is too old.
    Since,
    /// The journal has no more.
    Beginning,
}

/// Reads newest first and folds; tells `told` of each round that is part of a stretch.
pub(super) async fn read(
    ledger: &dyn Ledger,
    fleet: &str,
    extent: Extent,
    told: &mut (dyn FnMut(&Round) + Send),
) -> Result<Found, PortError> {
    let mut folding = Folding::default();
    let mut reading = Reading::Newest;
    loop {
        let page = ledger.rounds(fleet, reading, PAGE).await?;
        folding.learn_interval(&page);
        let is_last = page.len() < PAGE;
        for round in page {
            reading = Reading::Before(round.at);
            if round.at < extent.since {
                return Ok(folding.end(End::Since));
            }
            if !folding.joins(&round) && folding.stretches.len() >= extent.limit {
                return Ok(folding.end(End::Limit));
            }
            told(&round);
            folding.take(round);
        }
        if is_last {
            return Ok(folding.end(End::Beginning));
        }
    }
}

#[derive(Default)]
struct Folding {
    stretches: Vec<Stretch>,
    /// The usual time from round to round.
    interval: Option<f64>,
}

impl Folding {
    /// The median of the first page's intervals.
    fn learn_interval(&mut self, page: &[Round]) {
        let mut intervals: Vec<f64> = (page.windows(2))
            .map(|pair| pair[0].at.0 - pair[1].at.0)
            .collect();
        intervals.sort_by(f64::total_cmp);
        self.interval = self
            .interval
            .or_else(|| intervals.get(intervals.len() / 2).copied());
    }

    fn gap_before(&self, round: &Round) -> Option<f64> {
        let silence = self.stretches.last()?.since.0 - round.at.0;
        let usual = GAP_INTERVALS * self.interval.unwrap_or(0.0);
        (silence > usual.max(GAP_MIN_SECONDS)).then_some(silence)
    }

    /// Whether `round`, which is older, continues the last stretch.
    fn joins(&self, round: &Round) -> bool {
        let alike = (self.stretches.last()).is_some_and(|last| Kind::of(&last.newest).same(round));
        alike && self.gap_before(round).is_none()
    }

    fn take(&mut self, round: Round) {
        let gap_seconds = self.gap_before(&round);
        let error = match &round.outcome {
            Outcome::Failed { why, .. } => Some(why.clone()),
            _ => None,
        };
        if self.joins(&round)
            && let Some(last) = self.stretches.last_mut()
        {
            last.since = round.at;
            last.rounds += 1;
            last.errors
                .extend(error.filter(|why| !last.errors.contains(why)));
            return;
        }
        if let Some(last) = self.stretches.last_mut() {
            last.gap_seconds = gap_seconds;
        }
        self.stretches.push(Stretch {
            since: round.at,
            rounds: 1,
            gap_seconds: None,
            errors: error.into_iter().collect(),
            newest: round,
        });
    }

    fn end(self, end: End) -> Found {
        Found {
            stretches: self.stretches,
            end,
        }
    }
}

/// What has to be the same for two rounds to be alike. Numbers within a reason are not part of
/// it: they move with each look.
#[derive(PartialEq)]
struct Kind<'a> {
    outcome: &'static str,
    failed_at: Option<Part>,
    changed: bool,
    present: Option<Instances>,
    verdict: Option<[&'a Value; 4]>,
}

impl<'a> Kind<'a> {
    fn of(round: &'a Round) -> Self {
        let (outcome, failed_at, changes) = match &round.outcome {
            Outcome::Intended => ("intended", None, false),
            Outcome::Done { changes } => ("done", None, !changes.is_empty()),
            Outcome::StoodBy { .. } => ("stood by", None, false),
            Outcome::Failed { step, changes, .. } => ("failed", Some(*step), !changes.is_empty()),
        };
        let seen = round.observation.as_ref();
        Self {
            outcome,
            failed_at,
            changed: changes,
            present: seen.and_then(|seen| seen.fleet.desired),
            verdict: round.verdict.as_ref().map(|verdict| {
                let step = decisive_step(verdict).unwrap_or(&Value::Null);
                let of = |key| step.get(key).unwrap_or(&Value::Null);
                [
                    &verdict["action"],
                    &verdict["desired"],
                    of("step"),
                    of("reason"),
                ]
            }),
        }
    }

    /// A round that changed something is a stretch of its own.
    fn same(&self, round: &Round) -> bool {
        !self.changed && *self == Kind::of(round)
    }
}
