//! What must hold of a FIFO queue whatever is done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const QUEUE: &str = "jobs.fifo";
const DEAD: &str = "dead.fifo";
const HIDE: u64 = 30;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn new(name: &str, settings: &[(&str, &str)]) -> NewQueue {
    let all = settings.iter().chain(&[("FifoQueue", "true")]);
    NewQueue {
        name: name.into(),
        region: "eu-west-1".into(),
        settings: all.map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        tags: Settings::new(),
    }
}

/// A queue whose messages go to a dead-letter queue after three receives.
fn cloud() -> Sqs {
    let mut sqs = Sqs::new(7, CountLag::EXACT);
    sqs.create_queue(Time::default(), new(DEAD, &[])).unwrap();
    let arn = "arn:aws:sqs:eu-west-1:0:dead.fifo";
    let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":3}}"#);
    let settings = [("RedrivePolicy", redrive.as_str())];
    sqs.create_queue(Time::default(), new(QUEUE, &settings))
        .unwrap();
    sqs
}

fn message(group: usize, nth: usize) -> Outgoing {
    Outgoing {
        body: nth.to_string(),
        group_id: Some(format!("group-{group}")),
        deduplication_id: Some(format!("{nth}")),
        ..Outgoing::default()
    }
}

fn nth(received: &Received) -> usize {
    received.message.body.parse().unwrap()
}

fn receive(sqs: &mut Sqs, now: Time, max: usize) -> Vec<Received> {
    let ask = Receive {
        max,
        visibility_timeout: Some(seconds(HIDE)),
    };
    sqs.receive(now, QUEUE, ask).unwrap()
}

fn hide(sqs: &mut Sqs, now: Time, received: &Received, timeout: u64) {
    let change = Hide {
        receipt_handle: received.receipt_handle.clone(),
        timeout: seconds(timeout),
    };
    sqs.hide(now, QUEUE, &change).unwrap();
}

/// Something done to the queue.
#[derive(Clone, Debug)]
enum Step {
    Send { group: usize },
    Receive { max: usize },
    Delete { nth: usize },
    PutBack { nth: usize },
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..4_usize).prop_map(|group| Step::Send { group }),
        4 => (1..=10_usize).prop_map(|max| Step::Receive { max }),
        3 => (0..64_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..64_usize).prop_map(|nth| Step::PutBack { nth }),
        2 => (0..40_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What was done so far, kept in the plainest way.
#[derive(Default)]
struct Ledger {
    /// Each message's group and whether it may still be delivered.
    live: BTreeMap<usize, usize>,
    /// Who holds what until when.
    held: BTreeMap<usize, (Received, Time)>,
    receives: BTreeMap<usize, u32>,
}

impl Ledger {
    fn expire(&mut self, now: Time) {
        self.held.retain(|_, (_, until)| *until > now);
    }

    /// Checks a receive, then takes it down.
    fn received(&mut self, now: Time, got: Vec<Received>) -> Result<(), TestCaseError> {
        self.expire(now);
        let locked: BTreeSet<usize> = self.held.keys().map(|nth| self.live[nth]).collect();
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        for received in got {
            let nth = nth(&received);
            let group = self.live[&nth];
            prop_assert!(!locked.contains(&group), "{nth} came, its group was locked");
            // Whatever of the group is older either came just before, or has died of its receives.
            let worn = |older: &usize| self.receives.get(older).copied().unwrap_or(0) >= 3;
            let passed: Vec<usize> = self
                .live
                .range(before.get(&group).map_or(0, |last| last + 1)..nth)
                .filter(|(older, of)| **of == group && !worn(older))
                .map(|(older, _)| *older)
                .collect();
            prop_assert!(passed.is_empty(), "{nth} overtook {passed:?}");
            before.insert(group, nth);
            *self.receives.entry(nth).or_default() += 1;
            self.held.insert(nth, (received, now + seconds(HIDE)));
        }
        Ok(())
    }
}

proptest! {
    /// At every receive: nothing of a group that somebody holds a message of, and nothing before
    /// what was sent earlier to its group.
    #[test]
    fn groups_keep_their_order(steps in prop::collection::vec(step(), 1..150)) {
        let mut sqs = cloud();
        let mut now = Time::from_secs(1_000);
        let mut ledger = Ledger::default();
        for (at, step) in steps.into_iter().enumerate() {
            ledger.expire(now);
            let held = |nth: usize| ledger.held.values().nth(nth).map(|(r, _)| r.clone());
            match step {
                Step::Send { group } => {
                    sqs.send(now, QUEUE, message(group, at)).unwrap();
                    ledger.live.insert(at, group);
                }
                Step::Receive { max } => {
                    let got = receive(&mut sqs, now, max);
                    prop_assert!(got.len() <= max);
                    ledger.received(now, got)?;
                }
                Step::Delete { nth: which } => if let Some(received) = held(which) {
                    sqs.delete(now, QUEUE, &received.receipt_handle).unwrap();
                    ledger.held.remove(&nth(&received));
                    ledger.live.remove(&nth(&received));
                }
                Step::PutBack { nth: which } => if let Some(received) = held(which) {
                    hide(&mut sqs, now, &received, 0);
                    ledger.held.remove(&nth(&received));
                }
                Step::Wait { seconds } => now = now + Duration::from_secs(seconds),
            }
            let (totals, counts) = (sqs.totals(QUEUE).unwrap(), sqs.counts(now, QUEUE).unwrap());
            prop_assert_eq!(
                totals.sent,
                counts.visible + counts.in_flight + totals.deleted + totals.moved_out
            );
            prop_assert_eq!(totals.moved_out, sqs.totals(DEAD).unwrap().moved_in);
        }
    }
}

#[test]
fn the_oldest_age_counts_what_was_received_often() {
    let mut sqs = cloud();
    sqs.send(Time::from_secs(0), QUEUE, message(1, 1)).unwrap();
    for n in 0..3 {
        assert_eq!(receive(&mut sqs, Time::from_secs(40 * n), 1).len(), 1);
    }
    sqs.send(Time::from_secs(90), QUEUE, message(1, 2)).unwrap();
    let age = sqs.oldest_age(Time::from_secs(100), QUEUE).unwrap();
    assert_eq!(age, Some(seconds(100)));
}

#[test]
fn too_many_in_flight_are_no_error_and_nothing_comes() {
    let mut sqs = cloud();
    let now = Time::from_secs(1);
    for nth in 0..120_001 {
        sqs.send(now, QUEUE, message(nth, nth)).unwrap();
    }
    for _ in 0..12_000 {
        assert_eq!(receive(&mut sqs, now, 10).len(), 10);
    }
    assert!(receive(&mut sqs, now, 1).is_empty());
    assert_eq!(receive(&mut sqs, Time::from_secs(31), 1).len(), 1);
}

#[test]
fn a_changed_delay_holds_for_messages_that_are_there() {
    let mut sqs = cloud();
    let delay = |value: &str| Settings::from([("DelaySeconds".to_owned(), value.to_owned())]);
    let start = Time::from_secs(100);
    sqs.set_attributes(start, QUEUE, &delay("60")).unwrap();
    sqs.send(start, QUEUE, message(1, 1)).unwrap();
    sqs.set_attributes(start, QUEUE, &delay("10")).unwrap();
    assert_eq!(sqs.next_visible_at(QUEUE), Some(Time::from_secs(110)));
    assert!(receive(&mut sqs, Time::from_secs(109), 1).is_empty());
    assert_eq!(receive(&mut sqs, Time::from_secs(110), 1).len(), 1);
}

#[test]
fn a_purge_unlocks_every_group() {
    let mut sqs = cloud();
    let now = Time::from_secs(100);
    sqs.send(now, QUEUE, message(1, 1)).unwrap();
    sqs.send(now, QUEUE, message(1, 2)).unwrap();
    assert_eq!(receive(&mut sqs, now, 1).len(), 1);
    sqs.purge(now, QUEUE).unwrap();
    sqs.send(now, QUEUE, message(1, 3)).unwrap();
    assert_eq!(receive(&mut sqs, now, 10).len(), 1);
}
