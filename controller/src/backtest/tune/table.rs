//! What a run cost and how many were late, day by day.
//!
//! Owns how a trace is parted into days and days into blocks, and the sums over them. It must not
//! choose between settings.

use std::ops::Range;

use serde::Serialize;

use crate::sim::{Load, Score};

const DAY_SECONDS: f64 = 86_400.0;
/// From so many whole days on, days are held out; a shorter trace is parted into equal pieces.
const DAYS_MIN: f64 = 4.0;
/// The pieces of a shorter trace.
const PIECES: usize = 8;
/// The most blocks that are held out, one after the other.
const BLOCKS_MAX: usize = 10;

/// What a run came to in one day, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Billed.
    pub instance_hours: f64,
    /// That arrived.
    pub messages: u64,
    /// Of those, that started later than the objective, or never.
    pub late: u64,
}

impl Sums {
    /// 0 to 1; none of no messages.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.messages.max(1) as f64
    }

    pub(super) fn of<'a>(sums: impl IntoIterator<Item = &'a Self>) -> Self {
        sums.into_iter().fold(Self::default(), |all, one| Self {
            instance_hours: all.instance_hours + one.instance_hours,
            messages: all.messages + one.messages,
            late: all.late + one.late,
        })
    }
}

/// How a trace is parted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parts {
    /// A part's length; the last may be longer or shorter by half.
    pub(super) seconds: f64,
    /// How many there are.
    pub(super) count: usize,
    /// What they are.
    pub(super) unit: Unit,
}

/// What a trace is parted into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Days of 24 hours from the trace's begin.
    Day,
    /// Pieces of equal length, of a trace too short for days: neighbours are much alike, so that
    /// holding one out is a weak test.
    Piece,
}

impl Parts {
    /// Of a trace so long.
    pub(super) fn of(seconds: f64) -> Self {
        let days = seconds / DAY_SECONDS;
        if days < DAYS_MIN {
            return Self {
                seconds: seconds / PIECES as f64,
                count: PIECES,
                unit: Unit::Piece,
            };
        }
        Self {
            seconds: DAY_SECONDS,
            count: whole(days.round()),
            unit: Unit::Day,
        }
    }

    /// Blocks of neighbours, as equal as can be; each is held out once.
    pub(super) fn blocks(&self) -> Vec<Range<usize>> {
        let blocks = self.count.min(BLOCKS_MAX);
        let begin = |block: usize| block * self.count / blocks;
        (0..blocks)
            .map(|block| begin(block)..begin(block + 1))
            .collect()
    }

    /// What a run came to in each part. A message belongs to the part it arrived in, an hour to the
    /// part it was billed in; those after the trace's end belong to the last.
    pub(super) fn table(&self, run: &Score, load: &Load, objective_seconds: f64) -> Vec<Sums> {
        let mut table = vec![Sums::default(); self.count];
        let part = |at: f64| whole(at / self.seconds).min(self.count - 1);
        let mut waits = run.waits().iter();
        for at in &load.arrivals {
            let sums = &mut table[part(*at)];
            let in_time = waits
                .next()
                .is_some_and(|wait| f64::from(*wait) <= objective_seconds);
            sums.messages += 1;
            sums.late += u64::from(!in_time);
        }
        let seen: f64 = run.looks.iter().map(|look| f64::from(look.billed)).sum();
        if seen > 0.0 {
            // Looks tell when; the bill, with its minute at least, tells how much.
            for (n, look) in run.looks.iter().enumerate() {
                let share = f64::from(look.billed) / seen;
                table[part(n as f64 * run.interval_seconds)].instance_hours +=
                    share * run.billed_hours;
            }
        }
        table
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and NaN becomes 0"
)]
fn whole(x: f64) -> usize {
    x as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::testing::{bursty, policy, setup};
    use crate::sim::{Judged, run};

    #[test]
    fn days_are_whole_and_every_block_is_held_out_once() {
        let parts = Parts::of(14.4 * DAY_SECONDS);
        assert_eq!((parts.count, parts.unit), (14, Unit::Day));
        let blocks = parts.blocks();
        assert_eq!(blocks.len(), 10);
        let days: Vec<usize> = blocks.iter().cloned().flatten().collect();
        assert_eq!(days, (0..14).collect::<Vec<_>>());
        assert!(blocks.iter().all(|block| (1..=2).contains(&block.len())));
        assert_eq!(Parts::of(4.0 * DAY_SECONDS).blocks().len(), 4);
    }

    #[test]
    fn a_short_trace_is_parted_into_pieces() {
        let parts = Parts::of(3600.0);
        assert_eq!((parts.count, parts.unit), (8, Unit::Piece));
        assert_eq!(parts.blocks().len(), 8);
    }

    #[test]
    fn the_parts_add_up_to_the_run() {
        let (load, policy) = (bursty(2), policy(60.0));
        let score = run(&setup(), &load, &mut Judged::new(&policy));
        let table = Parts::of(load.seconds).table(&score, &load, 60.0);
        let all = Sums::of(&table);
        assert!((all.instance_hours - score.billed_hours).abs() < 1e-9);
        assert_eq!(all.messages, score.messages as u64);
        assert!((all.late_share() - score.late_share(60.0)).abs() < 1e-12);
        assert!(table.iter().all(|part| part.instance_hours > 0.0));
    }

    #[test]
    fn what_never_started_is_late_in_the_part_it_arrived_in() {
        let load = Load {
            seconds: 800.0,
            arrivals: vec![50.0, 150.0, 750.0],
            service_seconds: vec![1.0; 3],
        };
        let table = Parts::of(load.seconds).table(&Score::default(), &load, 60.0);
        let late: Vec<u64> = table.iter().map(|part| part.late).collect();
        assert_eq!(late, [1, 1, 0, 0, 0, 0, 0, 1]);
    }
}
