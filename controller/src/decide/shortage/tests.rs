//! When the breaker opens, what it lets through, how it recovers.

use proptest::prelude::*;

use super::*;

/// Seconds between looks.
const LOOK: f64 = 15.0;

/// A group whose launches the test decides on, and a controller that sets what the breaker allows.
struct Play {
    state: Shortage,
    at: f64,
    present: u32,
    running: u32,
    boot: f64,
}

impl Play {
    fn new(running: u32, boot: f64) -> Self {
        Self {
            state: Shortage::default(),
            at: 1.7e9,
            present: running,
            running,
            boot,
        }
    }

    /// One look; the size that is set.
    fn look(&mut self, wanted: u32) -> Option<Short> {
        self.at += LOOK;
        let asked = Asked {
            at: self.at,
            present: self.present,
            running: self.running,
            wanted,
            boot: self.boot,
            interval: LOOK,
        };
        let short = breaker(&asked, &mut self.state);
        self.present = short.map_or(wanted, |short| short.allowed);
        short
    }

    /// Looks for so long, with the same wish; what the last one said.
    fn watch(&mut self, seconds: f64, wanted: u32) -> Option<Short> {
        let mut said = None;
        let until = self.at + seconds;
        while self.at < until {
            said = self.look(wanted);
        }
        said
    }
}

#[test]
fn opens_when_nothing_came_for_three_boots_and_five_minutes_at_least() {
    // (name, boot, seconds until it opens)
    let cases = [
        ("no boot to speak of", 0.0, 300.0),
        ("a minute", 60.0, 300.0),
        ("two minutes", 120.0, 3.0 * 120.0 + 105.0),
        ("ten minutes", 600.0, 3.0 * 600.0 + 105.0),
    ];
    for (name, boot, opens) in cases {
        let mut play = Play::new(10, boot);
        assert_eq!(play.look(20), None, "{name}");
        // Ten more are asked for; from the next look on they are missed.
        assert_eq!(play.watch(opens, 30), None, "{name}");
        let short = play.look(40).unwrap_or_else(|| panic!("{name}: not open"));
        assert_eq!(short.allowed, 30, "{name}");
        assert_eq!((short.running, short.outstanding), (10, 20), "{name}");
        assert!(short.for_seconds >= opens, "{name}: {}", short.for_seconds);
    }
}

#[test]
fn a_boot_three_times_as_long_as_said_opens_nothing() {
    for said in [0.0, 40.0, 100.0, 120.0, 300.0, 900.0] {
        let mut play = Play::new(10, said);
        play.look(30);
        // Launched a minute late, and three times as slow as said.
        assert_eq!(play.watch(3.0 * said + 60.0, 50), None, "{said}");
        play.running = 30;
        assert_eq!(play.look(80), None, "{said}");
    }
}

#[test]
fn capacity_that_comes_slowly_opens_nothing() {
    let mut play = Play::new(1, 120.0);
    for i in 0..200 {
        assert_eq!(play.watch(400.0, 500 + i), None, "{i} came");
        play.running += 1;
    }
}

#[test]
fn more_asked_for_meanwhile_does_not_begin_the_watch_anew() {
    let mut play = Play::new(10, 120.0);
    let wishes = (0..).map(|i| 20 + i);
    let opened = wishes.take(60).find_map(|wanted| play.look(wanted));
    let short = opened.expect("it opens, however often more is asked for");
    assert!(short.for_seconds < 500.0, "{}", short.for_seconds);
}

#[test]
fn desired_is_not_ratcheted_while_nothing_comes() {
    // 100 run, 600 are wanted more and more urgently, for a day.
    let mut play = Play::new(100, 120.0);
    let mut wanted = 110;
    for _ in 0..(24 * 60 * 4) {
        play.look(wanted);
        wanted = (wanted + 1).min(600);
    }
    // What was asked for in the first eight minutes, and the tries of a day.
    assert!(play.present < 100 + 10 + 32 + 30, "{}", play.present);
}

#[test]
fn tries_one_more_after_waits_that_double_up_to_an_hour() {
    let mut play = Play::new(10, 120.0);
    play.look(20);
    play.watch(480.0, 20);
    let mut tries = Vec::new();
    for _ in 0..(6 * 60 * 4) {
        let before = play.present;
        assert!(play.look(600).is_some());
        if play.present > before {
            assert_eq!(play.present, before + 1);
            tries.push(play.at);
        }
    }
    let waits: Vec<f64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..4], [930.0, 1860.0, 3600.0, 3600.0], "{waits:?}");
}

#[test]
fn as_many_more_are_asked_for_as_come() {
    let mut play = Play::new(10, 120.0);
    play.look(30);
    play.watch(480.0, 30);
    assert_eq!(play.look(600).map(|short| short.allowed), Some(30));
    for came in [1, 4, 2] {
        play.running += came;
        let short = play.look(600).expect("still short");
        assert_eq!(short.allowed, play.running + 20, "{came} came");
        assert!(
            short.for_seconds < 1.0,
            "the watch begins anew when any come"
        );
    }
}

#[test]
fn closes_once_all_has_come_that_was_asked_for_before() {
    let mut play = Play::new(10, 120.0);
    play.look(30);
    play.watch(480.0, 30);
    assert!(play.look(600).is_some());
    play.running = 29;
    assert!(play.look(600).is_some(), "one is missing");
    play.running = 30;
    assert_eq!(play.look(600), None);
    assert_eq!(play.present, 600, "the whole wish, at once");
}

#[test]
fn closes_when_what_is_missing_is_no_longer_asked_for() {
    let mut play = Play::new(10, 120.0);
    play.look(30);
    play.watch(600.0, 30);
    assert!(play.look(600).is_some());
    play.look(10);
    assert_eq!(play.look(600), None);
}

#[test]
fn stops_nothing_but_growth() {
    let mut play = Play::new(10, 120.0);
    play.look(30);
    play.watch(600.0, 30);
    for wanted in [0, 5, 10, 29, 30] {
        play.present = 30;
        assert_eq!(play.look(wanted), None, "{wanted}");
    }
}

#[test]
fn replaced_instances_may_be_asked_for_again() {
    // A tenth of the fleet is reclaimed while the breaker is open: the group replaces it.
    let mut play = Play::new(100, 120.0);
    play.look(110);
    play.watch(600.0, 110);
    play.running = 90;
    assert_eq!(play.look(600).map(|short| short.allowed), Some(110));
}

#[test]
fn a_pause_in_watching_says_nothing_of_what_came_meanwhile() {
    let mut play = Play::new(10, 120.0);
    play.look(30);
    play.watch(300.0, 30);
    play.at += 7200.0;
    assert_eq!(play.look(60), None, "a controller that was away");
    play.watch(300.0, 60);
    play.at -= 100.0;
    assert_eq!(play.look(61), None, "a clock that was put back");
}

proptest! {
    #[test]
    fn keeps_its_bounds_and_recovers(
        boot in 0.0..900.0_f64,
        rounds in prop::collection::vec((0_u32..60, 0_u32..60, 0_u32..200, 0.0..900.0_f64), 1..80),
    ) {
        let mut state = Shortage::default();
        let mut stored = Shortage::default();
        let mut at = 1.7e9;
        let mut last = None;
        for (present, running, wanted, elapsed) in rounds {
            at += elapsed;
            let asked = Asked { at, present, running, wanted, boot, interval: LOOK };
            let short = breaker(&asked, &mut state);
            if let Some(short) = short {
                prop_assert!(short.allowed >= present && short.allowed < wanted);
                prop_assert!(short.allowed >= running);
                prop_assert!(short.for_seconds >= 0.0 && short.retry_seconds > 0.0);
            }
            // The same by way of JSON: what is decided depends on nothing else.
            prop_assert_eq!(short, breaker(&asked, &mut stored));
            let text = serde_json::to_string(&stored).expect("JSON");
            stored = serde_json::from_str(&text).expect("a state");
            last = Some(asked);
        }
        let last = last.expect("a round");
        let all_came = Asked { at: last.at + LOOK, running: last.present, wanted: 1000, ..last };
        prop_assert_eq!(breaker(&all_came, &mut state), None);
    }
}
