//! What the rehearsal chooses on streams whose best rule is plain. Two slots, 30 s a job, two
//! minutes to boot; one message in a hundred may start later than a minute.

use super::*;

const LOOK: f64 = 15.0;

fn look(at: f64, arrived: f64) -> Look {
    Look {
        at,
        elapsed: LOOK,
        arrived,
        visible: 0.0,
        objective: 60.0,
        service: 30.0,
        slots: 2.0,
        boot: 120.0,
        lead: 135.0,
        max: 1000,
    }
}

/// Plays arrivals for so many hours and returns what is followed in the end.
fn followed(hours: f64, arrivals: impl Fn(f64) -> f64) -> (Rehearsal, Choice) {
    let mut rehearsal = Rehearsal::default();
    let mut choice = None;
    let mut at = 0.0;
    while at < hours * 3600.0 {
        choice = rehearsal.advance(&look(at, arrivals(at)), 0.01);
        at += LOOK;
    }
    (rehearsal, choice.expect("messages arrived"))
}

/// Two a second, and for five minutes of each hour six times as many.
fn bursts(at: f64) -> f64 {
    let rate = if at.rem_euclid(3600.0) < 300.0 {
        12.0
    } else {
        2.0
    };
    rate * LOOK
}

#[test]
fn nothing_is_chosen_before_anything_arrives() {
    let mut rehearsal = Rehearsal::default();
    assert_eq!(rehearsal.advance(&look(0.0, 0.0), 0.01), None);
    assert_eq!(rehearsal.advance(&look(15.0, -3.0), 0.01), None);
}

#[test]
fn a_fleet_that_idles_carries_nothing_of_it() {
    let mut rehearsal = Rehearsal::default();
    for nth in 0..10_000 {
        rehearsal.advance(&look(f64::from(nth) * LOOK, 0.0), 0.01);
    }
    // A week by quarters of an hour, and little more.
    let bytes = serde_json::to_string(&rehearsal).unwrap().len();
    assert!(bytes < 8_000, "{bytes}");
}

#[test]
fn a_steady_stream_needs_little_headroom() {
    let (_, choice) = followed(48.0, |_| 2.0 * LOOK);
    assert!(choice.rule.headroom <= 0.25, "{choice:?}");
    // 2 a second of 30 s on 2 slots keep 30 busy.
    assert!((27..=36).contains(&choice.wanted), "{choice:?}");
}

#[test]
fn bursts_that_come_back_are_waited_for() {
    let (rehearsal, choice) = followed(48.0, bursts);
    assert!(choice.wanted > 60, "between bursts too: {choice:?}");
    assert!(choice.late_share <= 0.01, "{choice:?}");
    let cost = |wanted: &Choice| {
        let same = rules().zip(&rehearsal.rehearsed);
        let mut same = same.filter(|(rule, _)| *rule == wanted.rule);
        same.next().expect("one of the rules").1.cost
    };
    let dearest = rehearsal.rehearsed.iter().map(|fleet| fleet.cost);
    assert!(cost(&choice) < dearest.fold(0.0, f64::max) / 2.0);
}

#[test]
fn a_rush_at_the_same_time_of_each_day_is_met_by_the_season() {
    let rush = |at: f64| {
        let hour = at.rem_euclid(86_400.0) / 3600.0;
        let rate = if (9.0..10.0).contains(&hour) {
            20.0
        } else {
            0.5
        };
        rate * LOOK
    };
    // Until a minute and a half before the rush of the eighth day.
    let (_, choice) = followed(7.0 * 24.0 + 8.975, rush);
    assert!(Method::SEASONAL.contains(&choice.method), "{choice:?}");
    assert!(choice.wanted >= 250, "20 a second keep 300: {choice:?}");
    assert!(choice.late_share <= 0.01, "{choice:?}");
}

#[test]
fn a_new_queue_is_met_with_care() {
    let (_, early) = followed(0.25, |_| 2.0 * LOOK);
    let (_, late) = followed(24.0, |_| 2.0 * LOOK);
    assert!(
        early.rule.headroom > late.rule.headroom,
        "{early:?}, {late:?}"
    );
}

#[test]
fn a_stream_that_has_ended_keeps_nothing() {
    let hours = 40.0;
    let (_, choice) = followed(hours + 8.0, |at| {
        if at < hours * 3600.0 { 2.0 * LOOK } else { 0.0 }
    });
    assert_eq!(choice.wanted, 0, "{choice:?}");
}

#[test]
fn noise_does_not_arrive_twice() {
    let noisy = |at: f64| {
        let even = (at / LOOK).rem_euclid(2.0) < 1.0;
        2.0 * LOOK + if even { 40.0 } else { -40.0 }
    };
    let (rehearsal, _) = followed(10.0, noisy);
    let came = 2.0 * 10.0 * 3600.0;
    assert!(
        (rehearsal.arrived - came).abs() <= 80.0,
        "{}",
        rehearsal.arrived
    );
}

#[test]
fn a_pause_in_watching_is_not_taken_for_lateness() {
    let (mut rehearsal, before) = followed(24.0, |_| 2.0 * LOOK);
    let after = Look {
        elapsed: 7200.0,
        ..look(24.0 * 3600.0 + 7200.0, 2.0 * 7200.0)
    };
    let choice = rehearsal.advance(&after, 0.01).expect("a choice");
    assert!(choice.late_share <= before.late_share, "{choice:?}");
}

#[test]
fn a_wrong_first_guess_is_rehearsed_anew_and_a_later_change_is_not() {
    let mut rehearsal = Rehearsal::default();
    let slow = |at| Look {
        service: 90.0,
        ..look(at, 30.0)
    };
    for nth in 0..20 {
        rehearsal.advance(&look(f64::from(nth) * LOOK, 30.0), 0.01);
    }
    let before = rehearsal.messages;
    rehearsal.advance(&slow(300.0), 0.01);
    assert!(rehearsal.messages < before, "{}", rehearsal.messages);
    let (mut rehearsal, _) = followed(24.0, |_| 30.0);
    let before = rehearsal.messages;
    rehearsal.advance(&slow(24.0 * 3600.0), 0.01);
    assert!(rehearsal.messages >= before * 0.99);
}

#[test]
fn an_imaginary_instance_works_after_its_boot_and_leaves_at_once() {
    let mut window = [1_u32; PARTS];
    let mut at = 0.0;
    let mut works_after = None;
    for nth in 1..20 {
        at += LOOK;
        turn(&mut window, (&look(at, 0.0), 120.0), 5);
        if least(&window) == 5 {
            works_after.get_or_insert(nth);
        }
    }
    assert_eq!(works_after, Some(8), "120 s");
    window[PARTS - 1] = 2;
    assert_eq!(least(&window), 2);
}
