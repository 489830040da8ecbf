//! How many messages a second are simulated on one core: a day of bursts on some 40 instances.

use std::f64::consts::TAU;

use divan::Bencher;
use divan::counter::ItemsCount;
use weir_controller::model::UnixSeconds;
use weir_controller::sim::peers::Proportional;
use weir_controller::sim::{Conditions, Load, SeenToo, Service, Setup, Trace, run};

fn main() {
    divan::main();
}

/// A day with a noon, a night and a burst every hour and a half, at 40 instances' mean.
fn day() -> (Setup, Load) {
    let minute = |minute: u32| {
        let turn = TAU * f64::from(minute) / 1440.0;
        let burst = if minute % 97 < 3 { 6.0 } else { 1.0 };
        (1.0 - turn.cos()) * burst
    };
    let trace = Trace {
        step_seconds: 60.0,
        counts: (0..1440).map(minute).collect(),
        service_seconds: Vec::new(),
    };
    let setup = Setup {
        slots: 4,
        boot_seconds: 120.0,
        interval_seconds: 15.0,
        max: 400,
        count_noise: 0.0,
        seen: SeenToo {
            reports: true,
            oldest_age: true,
        },
        starts_at: UnixSeconds(0.0),
        conditions: Conditions::default(),
        seed: 1,
    };
    let load = Load::draw(&trace.scaled_to(20.0), &Service::exponential(8.0), 1);
    (setup, load)
}

/// Messages a second, a fleet sized by a rule that costs nothing.
#[divan::bench]
fn messages(bencher: Bencher) {
    let (setup, load) = day();
    bencher
        .counter(ItemsCount::new(load.arrivals.len()))
        .bench_local(|| run(&setup, &load, &mut Proportional::new(20.0, 300.0)));
}
