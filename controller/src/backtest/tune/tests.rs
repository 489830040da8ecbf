//! Tuning on generated arrivals, end to end.

use super::*;
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

fn quietly(scenario: &Scenario) -> Tuned {
    tune(scenario, None, &|_| {})
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
