//! How long messages waited, from counts alone.
//!
//! What was sent, added up, is one curve; what had started is the same less what was visible. In
//! order of arrival, a message waited for the horizontal distance between the two. The visible
//! count anchors the second curve anew in each period. Messages received would not: SQS counts
//! each receipt, also of messages that come back, and so that curve runs ahead of the first.
//!
//! Inside a period, messages count as evenly spread, and the visible count as taken in its middle;
//! so a wait is known to about half a period either way. Messages that come back count as waiting.
//! Where nothing is recorded, the first curve stands still because nothing is known; messages that
//! seem to have waited then are left out.

/// An estimate of how long messages waited before they started.
#[derive(Clone, Debug, PartialEq)]
pub struct Waits {
    /// The share that waited longer than the objective, 0 to 1.
    pub late_share: f64,
    /// The same if all waits were half a period shorter, and half a period longer.
    pub late_share_range: [f64; 2],
    /// Seconds that half, 95, 99 and all of 100 messages did not exceed.
    pub percentiles: [f64; 4],
    /// The longest wait of the messages sent in each period; `None` where none were.
    pub longest: Vec<Option<f64>>,
}

/// What was counted, period by period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted<'a> {
    pub(super) period_seconds: f64,
    /// Messages sent.
    pub(super) sent: &'a [f64],
    /// Messages visible, where that is known.
    pub(super) visible: &'a [Option<f64>],
}

/// Each period's messages stand for this many groups of equal size.
const GROUPS: u32 = 20;

/// Estimates; `None` where no message was sent or no count is known.
pub(super) fn waits(counted: &Counted<'_>, objective_seconds: f64) -> Option<Waits> {
    let started = Started::of(counted)?;
    let mut waited: Vec<(f64, f64)> = Vec::new();
    let mut longest = vec![None; counted.sent.len()];
    let mut sent_before = 0.0;
    let mut reader = Reader::new(&started.knots);
    for (period, sent) in counted.sent.iter().enumerate() {
        for group in 0..GROUPS {
            if *sent <= 0.0 {
                break;
            }
            let part = (f64::from(group) + 0.5) / f64::from(GROUPS);
            let at = (period as f64 + part) * counted.period_seconds;
            // What was not seen to start waits still.
            let start = reader.when(sent_before + part * sent);
            let start = start.unwrap_or(started.ends_at).max(at);
            if started.is_hidden(at, start) {
                continue;
            }
            let wait = start - at;
            waited.push((wait, sent / f64::from(GROUPS)));
            longest[period] = Some(longest[period].map_or(wait, |longest: f64| longest.max(wait)));
        }
        sent_before += sent;
    }
    if waited.is_empty() {
        return None;
    }
    waited.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = waited.iter().map(|(_, weight)| weight).sum();
    let late = |limit: f64| {
        let late = waited.iter().filter(|(wait, _)| *wait > limit);
        late.fold(0.0, |sum, (_, weight)| sum + weight) / all
    };
    let half = counted.period_seconds / 2.0;
    Some(Waits {
        late_share: late(objective_seconds),
        late_share_range: [
            late(objective_seconds + half),
            late((objective_seconds - half).max(0.0)),
        ],
        percentiles: [0.50, 0.95, 0.99, 1.0].map(|share| percentile(&waited, share * all)),
        longest,
    })
}

/// How many had started by when, of those sent in the window: below zero while there are others
/// before them.
struct Started {
    /// Ascending in both.
    knots: Vec<Knot>,
    /// Times of which nothing is recorded, from and until, in order.
    gaps: Vec<(f64, f64)>,
    ends_at: f64,
}

#[derive(Clone, Copy)]
struct Knot {
    at: f64,
    count: f64,
}

impl Started {
    fn of(counted: &Counted<'_>) -> Option<Self> {
        let known = |period: &usize| counted.visible[*period].is_some();
        let periods = 0..counted.sent.len().min(counted.visible.len());
        let first = periods.clone().find(known)?;
        let waiting_before = counted.visible[first].unwrap_or(0.0);
        let mut knots = vec![Knot {
            at: 0.0,
            count: -waiting_before.max(0.0),
        }];
        let (mut sent_before, mut latest) = (0.0, f64::NEG_INFINITY);
        for period in periods {
            let sent = counted.sent[period];
            if let Some(visible) = counted.visible[period] {
                let mut add = |part: f64| {
                    latest = f64::max(latest, sent_before + part * sent - visible);
                    knots.push(Knot {
                        at: (period as f64 + part) * counted.period_seconds,
                        count: latest,
                    });
                };
                add(0.5);
                // Nothing is known of what comes next: the count holds to the period's end.
                if counted.visible.get(period + 1).copied().flatten().is_none() {
                    add(1.0);
                }
            }
            sent_before += sent;
        }
        knots[0].count = knots[0].count.min(knots[1].count);
        let ends_at = counted.sent.len() as f64 * counted.period_seconds;
        Some(Self {
            knots,
            gaps: gaps(counted),
            ends_at,
        })
    }

    /// Whether nothing is recorded of a part of this time.
    fn is_hidden(&self, from: f64, until: f64) -> bool {
        let next = self.gaps.partition_point(|(_, end)| *end <= from);
        self.gaps.get(next).is_some_and(|(begin, _)| *begin < until)
    }
}

/// Times without a visible count.
fn gaps(counted: &Counted<'_>) -> Vec<(f64, f64)> {
    let mut gaps = Vec::new();
    let mut at = 0.0;
    for run in counted.visible.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let until = at + run.len() as f64 * counted.period_seconds;
        if run[0].is_none() {
            gaps.push((at, until));
        }
        at = until;
    }
    gaps
}

/// Reads a curve from left to right.
struct Reader<'a> {
    knots: &'a [Knot],
    next: usize,
}

impl<'a> Reader<'a> {
    fn new(knots: &'a [Knot]) -> Self {
        Self { knots, next: 1 }
    }

    /// When the curve first reaches a count; counts that are asked for go up.
    fn when(&mut self, count: f64) -> Option<f64> {
        while self.knots.get(self.next)?.count < count {
            self.next += 1;
        }
        let (before, after) = (self.knots[self.next - 1], self.knots[self.next]);
        let rise = after.count - before.count;
        if rise <= 0.0 || count <= before.count {
            return Some(before.at);
        }
        Some(before.at + (after.at - before.at) * (count - before.count) / rise)
    }
}

/// The value that so much weight does not exceed, of values in order.
fn percentile(waited: &[(f64, f64)], weight: f64) -> f64 {
    let mut seen = 0.0;
    let reached = waited.iter().find(|(_, own)| {
        seen += own;
        seen >= weight * (1.0 - 1e-9)
    });
    reached.or(waited.last()).map_or(0.0, |(wait, _)| *wait)
}
