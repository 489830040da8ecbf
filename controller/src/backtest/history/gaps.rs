//! Periods of which nothing is recorded: which were truly empty, and which are not known.
//!
//! SQS publishes while a queue is *active*: it holds messages, or somebody called it within the
//! last six hours ("Monitoring Amazon SQS queues using CloudWatch"). While it is active, a metric
//! that is left out is zero: nothing sent, nothing in flight. When nothing at all is published,
//! the queue was either inactive, and then nothing was sent, or the points are missing. It was
//! inactive if, for as long as the window tells, up to [`QUIET`], nothing was sent, received,
//! deleted, waiting or in flight before. Everything else is a gap, replayed as no arrivals, and
//! said to be.

use super::recording::{Metric, Recording};
use super::window::{Window, shown};
use crate::clock::timestamp;
use crate::model::UnixSeconds;

/// A queue stops being active "up to" six hours after the last call.
const QUIET: i64 = 5 * 3600;
/// So many gaps are named one by one.
const NAMED_MAX: usize = 5;

/// Stretches of a window without any point of the queue, as ranges of periods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    /// The queue was inactive: nothing was sent.
    pub(super) inactive: Vec<(usize, usize)>,
    /// What was sent is not known.
    pub(super) unknown: Vec<(usize, usize)>,
}

/// What is recorded of a queue in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing.
    Nothing,
    /// It is empty, and nobody does anything.
    Quiet,
    /// Something happens.
    Busy,
}

impl Gaps {
    pub(super) fn of(recording: &Recording) -> Self {
        let seen = seen(recording);
        let quiet = usize::try_from(QUIET / recording.window.period)
            .unwrap_or(1)
            .max(1);
        let mut gaps = Self::default();
        let mut begin = 0;
        while let Some(first) = (begin..seen.len()).find(|n| seen[*n] == Seen::Nothing) {
            let end = (first..seen.len()).find(|n| seen[*n] != Seen::Nothing);
            let end = end.unwrap_or(seen.len());
            let before = &seen[first.saturating_sub(quiet)..first];
            let was_quiet = before.len() == quiet && before.iter().all(|seen| *seen == Seen::Quiet);
            // Of a window's begin, what comes after is all that tells.
            let begins_quiet = first == 0 && seen.get(end) == Some(&Seen::Quiet);
            let kind = if was_quiet || begins_quiet {
                &mut gaps.inactive
            } else {
                &mut gaps.unknown
            };
            kind.push((first, end));
            begin = end;
        }
        gaps
    }

    /// Whether what was sent in a period is not known.
    pub(super) fn hides(&self, period: usize) -> bool {
        (self.unknown.iter()).any(|(first, end)| (*first..*end).contains(&period))
    }

    /// In sentences.
    pub(super) fn notes(&self, window: &Window) -> Vec<String> {
        let mut notes = Vec::new();
        let length = |gaps: &[(usize, usize)]| {
            let periods: usize = gaps.iter().map(|(first, end)| end - first).sum();
            shown(i64::try_from(periods).unwrap_or(0) * window.period)
        };
        if !self.unknown.is_empty() {
            let mut longest = self.unknown.clone();
            longest.sort_by_key(|(first, end)| std::cmp::Reverse(end - first));
            longest.truncate(NAMED_MAX);
            longest.sort_unstable();
            let named: Vec<String> = longest.iter().map(|gap| moments(window, *gap)).collect();
            let more = self.unknown.len() - named.len();
            let more = if more > 0 {
                format!("; and {more} shorter")
            } else {
                String::new()
            };
            notes.push(format!(
                "{} of the queue are not recorded ({}), in {} of the window; they are replayed as \
                 no arrivals: {}{more}",
                length(&self.unknown),
                counted(self.unknown.len(), "gap"),
                shown(window.until - window.from),
                named.join("; ")
            ));
        }
        if !self.inactive.is_empty() {
            notes.push(format!(
                "the queue was inactive for {} ({}): SQS then publishes nothing, and nothing was \
                 sent; the first quarter of an hour after it may be missing",
                length(&self.inactive),
                counted(self.inactive.len(), "stretch"),
            ));
        }
        notes
    }
}

fn seen(recording: &Recording) -> Vec<Seen> {
    use Metric::{Deleted, NotVisible, OldestAge, Received, Sent, Visible};
    let columns = [Sent, Received, Deleted, Visible, NotVisible, OldestAge]
        .map(|metric| recording.column(metric));
    let seen = |period: usize| {
        let mut values = columns
            .iter()
            .filter_map(|column| column[period])
            .peekable();
        if values.peek().is_none() {
            Seen::Nothing
        } else if values.all(|value| value <= 0.0) {
            Seen::Quiet
        } else {
            Seen::Busy
        }
    };
    (0..recording.window.periods().len()).map(seen).collect()
}

fn moments(window: &Window, (first, end): (usize, usize)) -> String {
    let at = |nth: usize| {
        let seconds = window.from + i64::try_from(nth).unwrap_or(0) * window.period;
        timestamp(UnixSeconds(seconds as f64))
    };
    let format = "%Y-%m-%d %H:%M";
    format!(
        "{} to {} UTC",
        at(first).strftime(format),
        at(end).strftime(format)
    )
}

fn counted(count: usize, what: &str) -> String {
    let ending = match (count, what.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {what}{ending}")
}
