//! Tuning on generated arrivals, end to end.

use std::collections::BTreeMap;

use super::*;
use crate::backtest::history::{self, Metric, Past, Recording, Subject, Window};
use crate::backtest::scenario::simulated;
use crate::backtest::traces::{self, Generator, Options, Source};
use crate::model::Seconds;
use crate::policy::{self, Hold};
use crate::sim::testing::setup;
use crate::sim::{Service, Setup};

/// A policy whose spare capacity is kept far too long, on two weeks of days.
fn wasteful(generator: &str) -> Scenario {
    let text = "version: 1\nname: t\nqueues: [{ name: q }]\n\
                fleet: { auto_scaling_group: g, max: 50 }\n\
                objective: { start_within: 15m }\nscale_in: { hold: 3h }\n\
                worker: { slots: 2, service_time: 30s, boot_time: 2m }\n";
    let policy = policy::parse("t.yaml", text).expect("a policy");
    let source = Source::Generated(generator.parse::<Generator>().expect("a generator"));
    Scenario {
        policy: simulated(&policy, None).expect("one queue"),
        arrivals: traces::load(&source, &Options::default()).expect("arrivals"),
        setup: Setup {
            interval_seconds: 300.0,
            ..setup()
        },
        service: Service::exponential(30.0),
    }
}

const PRICES: Prices = Prices {
    per_hour: None,
    cure_cost_times_max: Some(CURE_COST_TIMES_MAX),
};

fn quietly(scenario: &Scenario) -> Tuned {
    tune(scenario, PRICES, &|_| {})
}

#[test]
fn a_hold_too_long_is_found_on_days_not_seen() {
    let tuned = quietly(&wasteful("day,days=5,mean=0.05,low=0.05"));
    assert_eq!(tuned.verdict, Verdict::Cheaper, "{tuned:?}");
    assert!(tuned.held_out.keeps_objective);
    let hours = [&tuned.held_out, &tuned.defaults, &tuned.as_it_stands]
        .map(|figures| figures.instance_hours);
    assert!(hours.is_sorted() && hours[0] < hours[2], "{hours:?}");
    let keys: Vec<&str> = tuned
        .changes
        .iter()
        .map(|change| change.key.as_str())
        .collect();
    assert!(keys.contains(&"scale_in.hold"), "{keys:?}");
    assert!(tuned.best.hold != Hold::For(Seconds(10_800.0)));
    let [low, high] = tuned.saving.share_interval;
    assert!(0.0 < low && low <= tuned.saving.share && tuned.saving.share <= high);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let mut scenario = wasteful("flash-crowd,days=0.25,seed=1,mean=0.1");
    let json = |scenario: &Scenario| serde_json::to_string(&quietly(scenario)).expect("JSON");
    let first = json(&scenario);
    assert_eq!(first, json(&scenario));
    scenario.setup.seed += 1;
    assert_ne!(first, json(&scenario));
}

#[test]
fn where_nothing_arrives_nothing_is_to_be_changed() {
    let tuned = quietly(&wasteful("steady,days=0.2,mean=0"));
    assert_eq!(tuned.verdict, Verdict::AsGoodAsAny);
    assert_eq!(tuned.changes, []);
    assert!(tuned.as_it_stands.instance_hours.abs() < 1e-12);
    assert!(tuned.saving.share.abs() < 1e-12 && tuned.held_out.keeps_objective);
}

/// What CloudWatch recorded of a queue in five days of office hours, four messages a minute, but for
/// an hour of which nothing is known.
fn five_days_on_cloudwatch() -> Past {
    const MIDNIGHT: i64 = 1_793_577_600;
    const DAY: i64 = 86_400;
    let minutes = || (MIDNIGHT..MIDNIGHT + 5 * DAY).step_by(60);
    let hour = |at: i64| (at - MIDNIGHT) / 3600;
    let is_open = |at: i64| (9..17).contains(&(hour(at) % 24));
    let points = |busy: f64, quiet: f64| {
        let recorded = minutes().filter(|at| hour(*at) != 60);
        let value = |at| (at, if is_open(at) { busy } else { quiet });
        recorded.map(value).collect()
    };
    let recording = Recording {
        subject: Subject {
            queue: "thumbnails".to_owned(),
            group: "thumbnails-workers".to_owned(),
        },
        window: Window {
            from: MIDNIGHT,
            until: MIDNIGHT + 5 * DAY,
            period: 60,
        },
        points: BTreeMap::from([
            (Metric::Sent, points(4.0, 0.0)),
            (Metric::Deleted, points(4.0, 0.0)),
            (Metric::NotVisible, points(2.0, 0.0)),
            (Metric::Visible, points(0.0, 0.0)),
        ]),
        notes: Vec::new(),
    };
    let terms = history::Terms {
        objective_seconds: 900.0,
        slots: 2,
    };
    Past::of(&recording, &terms)
}

#[test]
fn a_fleets_own_history_is_tuned_on_as_any_trace() {
    let past = five_days_on_cloudwatch();
    let mut scenario = wasteful("steady,days=1");
    scenario.service = Service::exponential(past.service_seconds.expect("in flight for 30 s"));
    scenario.arrivals = past.arrivals;
    let tuned = quietly(&scenario);
    assert_eq!(tuned.trace.name, "thumbnails on CloudWatch");
    assert_eq!(tuned.trace.starts_at.to_bits(), 1_793_577_600_f64.to_bits());
    assert_eq!(tuned.trace.messages, 4 * 60 * (5 * 8 - 1));
    let notes = tuned.trace.notes.join("\n");
    assert!(notes.contains("not recorded (1 gap)"), "{notes}");
    assert_eq!((tuned.parted.unit, tuned.parted.count), (Unit::Day, 5));
    assert_eq!(tuned.verdict, Verdict::Cheaper, "{tuned:?}");
    assert_eq!(tuned.held_out.standing, Standing::Kept);
    assert!(tuned.best.hold != Hold::For(Seconds(10_800.0)));
}
