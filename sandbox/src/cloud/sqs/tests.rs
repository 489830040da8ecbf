//! What must hold of queues whatever is done to them.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const QUEUE: &str = "jobs";
const DEAD: &str = "dead";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A queue whose messages go to a dead-letter queue after three receives.
fn cloud(lag: CountLag) -> Sqs {
    let mut sqs = Sqs::new(7, lag);
    let new = |name: &str, settings: &[(&str, &str)]| NewQueue {
        name: name.into(),
        region: "eu-west-1".into(),
        settings: settings
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect(),
        tags: Settings::new(),
    };
    sqs.create_queue(Time::default(), new(DEAD, &[])).unwrap();
    let redrive = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:0:dead","maxReceiveCount":3}"#;
    let settings = [
        ("RedrivePolicy", redrive),
        ("MessageRetentionPeriod", "3600"),
    ];
    sqs.create_queue(Time::default(), new(QUEUE, &settings))
        .unwrap();
    sqs
}

fn message(body: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        ..Outgoing::default()
    }
}

fn receive(max: usize) -> Receive {
    Receive {
        max,
        visibility_timeout: None,
    }
}

/// Something done to the queue.
#[derive(Clone, Debug)]
enum Step {
    Send {
        delay: u64,
    },
    Receive {
        max: usize,
        hide: u64,
    },
    /// Deletes with the nth handle ever given out.
    Delete {
        nth: usize,
    },
    Hide {
        nth: usize,
        timeout: u64,
    },
    Wait {
        seconds: u64,
    },
    Purge,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..20_u64).prop_map(|delay| Step::Send { delay: delay.saturating_sub(10) }),
        4 => (1..=10_usize, 0..40_u64).prop_map(|(max, hide)| Step::Receive { max, hide }),
        3 => (0..64_usize).prop_map(|nth| Step::Delete { nth }),
        2 => (0..64_usize, 0..60_u64).prop_map(|(nth, timeout)| Step::Hide { nth, timeout }),
        3 => (0..120_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (3_000..4_000_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Purge),
    ]
}

/// Every message that was sent is in one place.
fn conserved(sqs: &mut Sqs, now: Time) -> Result<(), TestCaseError> {
    let totals = sqs.totals(QUEUE).unwrap();
    let counts = sqs.counts(now, QUEUE).unwrap();
    let totals_now = sqs.totals(QUEUE).unwrap();
    prop_assert_eq!(
        totals_now.sent,
        counts.visible
            + counts.in_flight
            + counts.delayed
            + totals_now.deleted
            + totals_now.moved_out
            + totals_now.expired
            + totals_now.purged
    );
    prop_assert_eq!(totals_now.moved_out, sqs.totals(DEAD).unwrap().moved_in);
    prop_assert!(totals.expired <= totals_now.expired);
    Ok(())
}

proptest! {
    /// sent = visible + in flight + delayed + deleted + dead + expired + purged, at every moment.
    #[test]
    fn no_message_is_lost_or_made_up(steps in prop::collection::vec(step(), 1..120)) {
        let mut sqs = cloud(CountLag::EXACT);
        let mut now = Time::from_secs(1_000);
        let mut handles: Vec<String> = Vec::new();
        for step in steps {
            match step {
                Step::Send { delay } => {
                    let outgoing = Outgoing { delay: Some(seconds(delay)), ..message("x") };
                    sqs.send(now, QUEUE, outgoing).unwrap();
                }
                Step::Receive { max, hide } => {
                    let ask = Receive { max, visibility_timeout: Some(seconds(hide)) };
                    let got = sqs.receive(now, QUEUE, ask).unwrap();
                    prop_assert!(got.len() <= max);
                    for received in got {
                        prop_assert!(received.message.receive_count <= 3, "it would be dead");
                        handles.push(received.receipt_handle);
                    }
                }
                Step::Delete { nth } => {
                    if let Some(handle) = handles.get(nth) {
                        sqs.delete(now, QUEUE, handle).unwrap();
                    }
                }
                Step::Hide { nth, timeout } => {
                    if let Some(handle) = handles.get(nth) {
                        let change = Hide {
                            receipt_handle: handle.clone(),
                            timeout: seconds(timeout),
                        };
                        // A handle that has had its day is an error, and changes nothing.
                        let _ = sqs.hide(now, QUEUE, &change);
                    }
                }
                Step::Wait { seconds } => now = now + Duration::from_secs(seconds),
                Step::Purge => { let _ = sqs.purge(now, QUEUE); }
            }
            conserved(&mut sqs, now)?;
        }
    }

    /// The same calls give the same answers: ids, handles and order.
    #[test]
    fn the_same_seed_gives_the_same_answers(sends in 1..30_usize, max in 1..=10_usize) {
        let run = || {
            let mut sqs = cloud(CountLag::EXACT);
            for n in 0..sends {
                sqs.send(Time::from_secs(n as u64), QUEUE, message("x")).unwrap();
            }
            let got = sqs.receive(Time::from_secs(100), QUEUE, receive(max)).unwrap();
            let id = |r: Received| (r.message.id.to_string(), r.receipt_handle);
            got.into_iter().map(id).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }

    /// Noise stays within its share, whatever the seed.
    #[test]
    fn noisy_counts_stay_within_their_share(sends in 1..50_u64, noise in 0.0..1.0_f64) {
        let lag = CountLag { delay: Duration::ZERO, noise };
        let mut sqs = cloud(lag);
        let now = Time::from_secs(1);
        for _ in 0..sends {
            sqs.send(now, QUEUE, message("x")).unwrap();
        }
        let wanted = ["ApproximateNumberOfMessages".to_owned()];
        let got = sqs.attributes(now, QUEUE, &wanted).unwrap();
        let got: f64 = got["ApproximateNumberOfMessages"].parse().unwrap();
        prop_assert!((got - sends as f64).abs() <= sends as f64 * noise + 0.5);
    }
}

#[test]
fn the_oldest_age_passes_over_messages_received_three_times() {
    let mut sqs = cloud(CountLag::EXACT);
    sqs.send(Time::from_secs(0), QUEUE, message("old")).unwrap();
    for n in 0..3 {
        assert_eq!(
            sqs.receive(Time::from_secs(40 * n), QUEUE, receive(1))
                .unwrap()
                .len(),
            1
        );
    }
    sqs.send(Time::from_secs(90), QUEUE, message("young"))
        .unwrap();
    let age = sqs.oldest_age(Time::from_secs(100), QUEUE).unwrap();
    assert_eq!(age, Some(seconds(10)));
}

#[test]
fn an_empty_queue_has_no_age() {
    let mut sqs = cloud(CountLag::EXACT);
    assert_eq!(sqs.oldest_age(Time::from_secs(9), QUEUE).unwrap(), None);
}

#[test]
fn the_next_visible_moment_is_told() {
    let mut sqs = cloud(CountLag::EXACT);
    assert_eq!(sqs.next_visible_at(QUEUE), None);
    let delayed = Outgoing {
        delay: Some(seconds(50)),
        ..message("later")
    };
    sqs.send(Time::from_secs(0), QUEUE, delayed).unwrap();
    sqs.send(Time::from_secs(0), QUEUE, message("now")).unwrap();
    assert_eq!(sqs.next_visible_at(QUEUE), Some(Time::from_secs(50)));
    sqs.receive(Time::from_secs(1), QUEUE, receive(1)).unwrap();
    assert_eq!(sqs.next_visible_at(QUEUE), Some(Time::from_secs(31)));
}

#[test]
fn a_handle_of_another_queue_is_not_valid() {
    let mut sqs = cloud(CountLag::EXACT);
    sqs.send(Time::default(), QUEUE, message("x")).unwrap();
    let got = sqs.receive(Time::default(), QUEUE, receive(1)).unwrap();
    let error = sqs
        .delete(Time::default(), DEAD, &got[0].receipt_handle)
        .unwrap_err();
    assert_eq!(error.code, "ReceiptHandleIsInvalid");
    for nonsense in ["", "AQEB", "AQEB====", "x\u{0}y", &"A".repeat(10_000)] {
        let error = sqs.delete(Time::default(), QUEUE, nonsense).unwrap_err();
        assert_eq!(error.code, "ReceiptHandleIsInvalid", "{nonsense}");
    }
}

#[test]
fn too_many_in_flight_are_over_the_limit() {
    let mut sqs = cloud(CountLag::EXACT);
    let now = Time::from_secs(1);
    for _ in 0..120_001 {
        sqs.send(now, QUEUE, message("x")).unwrap();
    }
    for _ in 0..12_000 {
        assert_eq!(sqs.receive(now, QUEUE, receive(10)).unwrap().len(), 10);
    }
    assert_eq!(
        sqs.receive(now, QUEUE, receive(1)).unwrap_err().code,
        "OverLimit"
    );
    let after = Time::from_secs(31);
    assert_eq!(sqs.receive(after, QUEUE, receive(1)).unwrap().len(), 1);
}

#[test]
fn time_that_goes_back_breaks_nothing() {
    let mut sqs = cloud(CountLag::EXACT);
    sqs.send(Time::from_secs(1_000), QUEUE, message("x"))
        .unwrap();
    assert_eq!(
        sqs.receive(Time::from_secs(5), QUEUE, receive(1))
            .unwrap()
            .len(),
        1
    );
    let counts = sqs.counts(Time::default(), QUEUE).unwrap();
    assert_eq!((counts.visible, counts.in_flight), (0, 1));
}
