//! The suite that every [`Ledger`] passes.

use super::{START, policy, sighting, worker};
use crate::decide::{History, decide};
use crate::journal::{
    CLOCK_SKEW_MAX, Carried, Claim, LEASE_FOR, Lease, Ledger, Outcome, Reading, Round, Snapshot,
    Stamp, Standing,
};
use crate::model::UnixSeconds;

/// What every [`Ledger`] does. `fleet` must be new to it.
pub async fn ledger_conformance(ledger: &dyn Ledger, fleet: &str) {
    one_token_holds_a_lease_at_a_time(ledger, fleet).await;
    a_lease_ends_after_its_time_and_the_skew(ledger, fleet).await;
    history_is_kept_under_the_lease_alone(ledger, fleet).await;
    a_snapshot_is_the_newest_before_a_moment(ledger, fleet).await;
    rounds_come_back_newest_first(ledger, fleet).await;
    rounds_come_back_a_page_at_a_time(ledger, fleet).await;
}

fn later(seconds: f64) -> UnixSeconds {
    UnixSeconds(START.0 + seconds)
}

async fn held(ledger: &dyn Ledger, fleet: &str, token: &str, now: UnixSeconds) -> Lease {
    match ledger.claim(fleet, token, now).await.unwrap() {
        Claim::Held(lease) => lease,
        Claim::Taken { until } => panic!("{token} found the lease taken until {until:?}"),
    }
}

async fn one_token_holds_a_lease_at_a_time(ledger: &dyn Ledger, fleet: &str) {
    let a = held(ledger, fleet, "a", START).await;
    assert_eq!((a.fleet.as_str(), a.token.as_str()), (fleet, "a"));
    assert_eq!(a.until, later(LEASE_FOR.0));
    let refused = ledger.claim(fleet, "b", later(1.0)).await.unwrap();
    assert_eq!(refused, Claim::Taken { until: a.until });
    let again = held(ledger, fleet, "a", later(2.0)).await;
    assert_eq!(again.until, later(2.0 + LEASE_FOR.0), "its own lease, anew");
    let renewed = ledger.renew(&again, later(3.0)).await.unwrap().unwrap();
    assert_eq!(renewed.until, later(3.0 + LEASE_FOR.0));

    let stranger = Lease {
        token: "b".to_owned(),
        ..renewed.clone()
    };
    assert_eq!(ledger.renew(&stranger, later(3.0)).await.unwrap(), None);
    ledger.release(&stranger).await.unwrap();
    let still = ledger.claim(fleet, "b", later(4.0)).await.unwrap();
    assert!(
        matches!(still, Claim::Taken { .. }),
        "released by a stranger"
    );

    ledger.release(&renewed).await.unwrap();
    let gone = ledger.renew(&renewed, later(4.0)).await.unwrap();
    assert_eq!(gone, None, "a lease given up is not renewed");
    let b = held(ledger, fleet, "b", later(5.0)).await;
    ledger.release(&b).await.unwrap();
}

async fn a_lease_ends_after_its_time_and_the_skew(ledger: &dyn Ledger, fleet: &str) {
    let a = held(ledger, fleet, "a", START).await;
    let end = LEASE_FOR.0 + CLOCK_SKEW_MAX.0;
    let early = ledger.claim(fleet, "b", later(end - 0.5)).await.unwrap();
    assert_eq!(early, Claim::Taken { until: a.until });
    let b = held(ledger, fleet, "b", later(end + 0.5)).await;
    let late = ledger.renew(&a, later(end + 1.0)).await.unwrap();
    assert_eq!(late, None, "taken over since");
    ledger.release(&b).await.unwrap();
}

async fn history_is_kept_under_the_lease_alone(ledger: &dyn Ledger, fleet: &str) {
    let empty = ledger.carried(fleet).await.unwrap();
    assert_eq!(empty, Carried::default());
    let lease = held(ledger, fleet, "a", START).await;
    let without_snapshot = Carried {
        history: learnt(fleet, 7),
        snapshot: None,
    };
    let carried = Carried {
        snapshot: Some(Stamp::of(&Round::begin(&policy(fleet), later(0.123)))),
        ..without_snapshot.clone()
    };
    for carried in [&without_snapshot, &carried] {
        let kept = ledger.remember(&lease, carried).await.unwrap();
        assert_eq!(kept, Standing::Held);
        assert_eq!(ledger.carried(fleet).await.unwrap(), *carried);
    }
    ledger.release(&lease).await.unwrap();
    let other = Carried::default();
    let after = ledger.remember(&lease, &other).await.unwrap();
    assert_eq!(after, Standing::Lost, "the lease was given up");
    let b = held(ledger, fleet, "b", START).await;
    let under_another = ledger.remember(&lease, &other).await.unwrap();
    assert_eq!(under_another, Standing::Lost);
    assert_eq!(ledger.carried(fleet).await.unwrap(), carried, "as it was");
    ledger.release(&b).await.unwrap();
}

/// The history after one look at so many messages.
fn learnt(fleet: &str, visible: u64) -> History {
    let seen = sighting(fleet, visible, vec![worker("i-1", 1)]).observation;
    let history = decide(&policy(fleet), &seen, &History::default()).history;
    assert_ne!(history, History::default(), "a look leaves a trace");
    history
}

async fn a_snapshot_is_the_newest_before_a_moment(ledger: &dyn Ledger, fleet: &str) {
    let none = ledger.snapshot(fleet, later(1e6)).await.unwrap();
    assert_eq!(none, None);
    let snapshots = [(0.0, 7), (900.25, 8)].map(|(seconds, visible)| Snapshot {
        at: later(seconds),
        history: learnt(fleet, visible),
    });
    for snapshot in &snapshots {
        ledger.keep_snapshot(fleet, snapshot).await.unwrap();
    }
    let [first, second] = &snapshots;
    let cases = [
        (0.0, None),
        (0.001, Some(first)),
        (900.25, Some(first)),
        (900.251, Some(second)),
        (1e6, Some(second)),
    ];
    for (seconds, expected) in cases {
        let found = ledger.snapshot(fleet, later(seconds)).await.unwrap();
        assert_eq!(found.as_ref(), expected, "before {seconds} s");
    }
    let rounds = ledger.rounds(fleet, Reading::Newest, 10).await.unwrap();
    assert!(rounds.is_empty(), "a snapshot is no round");
    let carried = ledger.carried(fleet).await.unwrap().history;
    assert_eq!(carried, first.history, "nor is it what is carried");
}

async fn rounds_come_back_newest_first(ledger: &dyn Ledger, fleet: &str) {
    let all = |limit| ledger.rounds(fleet, Reading::Newest, limit);
    assert!(all(10).await.unwrap().is_empty());
    let mut rounds: Vec<Round> = (0..3)
        .map(|nth| Round::begin(&policy(fleet), later(15.0 * f64::from(nth))))
        .collect();
    for round in &rounds {
        ledger.record(round).await.unwrap();
    }
    rounds[2].outcome = Outcome::Done {
        changes: vec!["set desired capacity to 3".to_owned()],
    };
    rounds[2].observation = Some(sighting(fleet, 7, vec![worker("i-1", 1)]).observation);
    rounds[2].history_from = Some("0123456789abcdef".to_owned());
    ledger.record(&rounds[2]).await.unwrap();
    rounds.reverse();
    assert_eq!(all(10).await.unwrap(), rounds);
    assert_eq!(all(1).await.unwrap(), rounds[..1]);
}

/// Goes on where the suite's three rounds, 15 s apart, are recorded.
async fn rounds_come_back_a_page_at_a_time(ledger: &dyn Ledger, fleet: &str) {
    // The third at 30 s, the second at 15 s, the first at 0 s.
    let cases = [
        (Reading::Before(later(30.0)), 10, [15.0, 0.0].as_slice()),
        (Reading::Before(later(30.001)), 2, &[30.0, 15.0]),
        (Reading::Before(later(15.0)), 10, &[0.0]),
        (Reading::Before(later(0.0)), 10, &[]),
        (Reading::After(later(0.0)), 10, &[15.0, 30.0]),
        (Reading::After(later(-0.001)), 2, &[0.0, 15.0]),
        (Reading::After(later(30.0)), 10, &[]),
    ];
    for (reading, limit, expected) in cases {
        let page = ledger.rounds(fleet, reading, limit).await.unwrap();
        let moments: Vec<f64> = page.iter().map(|round| round.at.0 - START.0).collect();
        assert_eq!(moments, expected, "{reading:?}, at most {limit}");
    }
}
