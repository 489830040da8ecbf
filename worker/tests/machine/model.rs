//! One job, its messages, its record and the workers that race for it, as plain values; and what may
//! happen to them.
//!
//! A schedule of events says who moves next and what becomes of each call.

use std::collections::BTreeMap;

use weir_protocol::JobRecord;
use weir_worker::Idempotency;

use super::calls::Request;
use super::check::Checked;
use super::program::Worker;

/// Visibility and lease, seconds.
pub(super) const LEASE: f64 = 60.0;
pub(crate) const WORKERS: usize = 3;

/// What becomes of a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    /// No effect, an error.
    Failed,
    /// It takes effect; the answer is lost.
    AnswerLost,
    /// The SDK sends it again after a lost answer: the second one's answer comes.
    SentTwice,
    /// The caller gives it up, and it arrives later.
    Late,
}

/// How a handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Retry,
    Poison,
    /// Its worker leaves.
    HandBack,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A worker takes the next step of its program; a handler that runs is done.
    Go(usize, Fate),
    /// A handler ends otherwise.
    Ends(usize, Outcome),
    /// A running attempt's lease is extended.
    Extends(usize, Fate),
    /// A held message is kept hidden.
    Renews(usize, Fate),
    /// A worker dies and forgets everything.
    Crashes(usize),
    /// A worker must be gone: it repeats a failing call no more.
    Leaves(usize),
    /// The oldest call under way arrives.
    Arrives,
    /// SQS delivers a hidden message once more, knowing of its earlier deliveries or not.
    Redelivers { message: usize, count_known: bool },
    /// Seconds pass.
    Passes(u16),
}

/// A rule that is left out, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Whoever finishes counts as the lease's holder.
    TokenIgnored,
    /// An end without a claim overwrites what there is.
    PutUnconditional,
    /// A refused write is never recognised as one's own.
    OwnWriteUnknown,
    /// A lease is taken over as soon as it has ended by one's own clock.
    SkewIgnored,
    /// A message is deleted before its job's end is written.
    DeletesFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) message: usize,
    pub(super) receipt: u32,
    /// What SQS said of earlier ones.
    pub(super) count: u32,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) visible_at: f64,
    pub(super) receipt: u32,
    pub(super) count: u32,
    pub(super) deleted: bool,
    /// Without records: a run for it has ended in something final.
    pub(super) settled: bool,
}

pub(crate) struct World {
    pub(super) mode: Idempotency,
    pub(super) flaw: Flaw,
    pub(super) now: f64,
    pub(super) skews: [f64; WORKERS],
    pub(super) record: Option<JobRecord>,
    pub(super) messages: Vec<Message>,
    pub(super) workers: [Worker; WORKERS],
    pub(super) under_way: Vec<(usize, Request)>,
    pub(super) dead_letters: u32,
    pub(super) tokens: u32,
    pub(super) commits: Vec<String>,
    pub(super) told_lost: Vec<String>,
    pub(super) history: Option<Vec<String>>,
    pub(super) seen: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(
        mode: Idempotency,
        flaw: Flaw,
        messages: usize,
        skews: [f64; WORKERS],
    ) -> Self {
        let message = |_| Message {
            visible_at: 0.0,
            receipt: 0,
            count: 0,
            deleted: false,
            settled: false,
        };
        Self {
            mode,
            flaw,
            now: 1000.0,
            skews,
            record: None,
            messages: (0..messages).map(message).collect(),
            workers: std::array::from_fn(|_| Worker::Idle),
            under_way: Vec::new(),
            dead_letters: 0,
            tokens: 0,
            commits: Vec::new(),
            told_lost: Vec::new(),
            history: None,
            seen: BTreeMap::new(),
        }
    }

    /// The same, remembering everything that happens.
    pub(crate) fn remembering(self) -> Self {
        let history = Some(Vec::new());
        Self { history, ..self }
    }

    /// Everything that happened, a line each.
    pub(crate) fn history(&self) -> String {
        self.history
            .as_ref()
            .map(|lines| lines.join("\n"))
            .unwrap_or_default()
    }

    /// How often what a race is about came to pass.
    pub(crate) fn seen(&self) -> &BTreeMap<&'static str, u64> {
        &self.seen
    }

    /// Plays one event and looks at what it led to.
    pub(crate) fn play(&mut self, event: Event) -> Checked {
        match event {
            Event::Passes(seconds) => self.now += f64::from(seconds),
            Event::Arrives if !self.under_way.is_empty() => {
                let (who, request) = self.under_way.remove(0);
                self.note(who, || format!("late: {request:?}"));
                self.saw("calls that arrived late");
                self.apply(who, &request)?;
            }
            Event::Redelivers {
                message,
                count_known,
            } => {
                let message = message % self.messages.len();
                let message = &mut self.messages[message];
                message.visible_at = self.now;
                if !count_known {
                    message.count = 0;
                }
            }
            Event::Arrives => {}
            Event::Crashes(who) => self.crash(who),
            Event::Leaves(who) => self.leave(who),
            Event::Ends(who, outcome) => self.end_run(who, outcome),
            Event::Extends(who, fate) => self.extend(who, fate)?,
            Event::Renews(who, fate) => self.renew(who, fate)?,
            Event::Go(who, fate) => self.go(who, fate)?,
        }
        self.check_messages()
    }

    /// Faults stop: all calls under way arrive, and everybody does its work. The job must end.
    pub(crate) fn settle(&mut self) -> Checked {
        while !self.under_way.is_empty() {
            self.play(Event::Arrives)?;
        }
        for _ in 0..200 {
            for who in 0..WORKERS {
                self.play(Event::Go(who, Fate::Answered))?;
            }
            self.play(Event::Passes(3))?;
            if self.messages.iter().all(|message| message.deleted) {
                return self.check_end();
            }
        }
        Err(format!("the job never ended: {:?}", self.record))
    }

    pub(super) fn note(&mut self, who: usize, words: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            let words = words();
            history.push(format!("{:>6} s  worker {who}  {words}", self.now - 1000.0));
        }
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn clock(&self, who: usize) -> f64 {
        self.now + self.skews[who]
    }

    pub(super) fn stand(&mut self, who: usize, at: Worker) {
        self.workers[who] = at;
    }
}
