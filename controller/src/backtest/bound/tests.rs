//! The linear program against schedules worked by hand, against the taut string, and against
//! what scalers pay in the simulation.

use proptest::prelude::*;

use super::*;
use crate::model::Observation;
use crate::sim::testing::{bursty, policy, setup};
use crate::sim::{Judged, Scaler, Score, Service, Setup, Trace, run};

/// So many jobs of one length at each of some moments.
fn bursts(at: &[f64], jobs: usize, service_seconds: f32) -> Load {
    let arrivals: Vec<f64> = at.iter().flat_map(|at| vec![*at; jobs]).collect();
    Load {
        seconds: at.iter().copied().fold(0.0, f64::max),
        service_seconds: vec![service_seconds; arrivals.len()],
        arrivals,
    }
}

fn terms(slots: u32, objective_seconds: f64, boot_seconds: f64) -> Terms {
    Terms {
        slots,
        objective_seconds,
        boot_seconds,
    }
}

fn exact_seconds(load: &Load, terms: &Terms, late_share_max: f64) -> f64 {
    exact_hours(load, terms, late_share_max) * 3600.0
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    let off = (found - expected).abs();
    assert!(off <= 1e-4 * expected.max(1.0), "{found}, not {expected}");
}

#[test]
fn a_burst_takes_one_instance_and_its_boot() {
    // 60 instance-seconds, the last of them due at 60 s: one instance at least, once.
    let load = bursts(&[0.0], 6, 10.0);
    assert_near(exact_seconds(&load, &terms(1, 50.0, 30.0), 0.0), 90.0);
}

#[test]
fn two_bursts_share_an_instance_until_waiting_costs_a_boot() {
    let cost = |gap: f64| {
        let load = bursts(&[0.0, 60.0 + gap], 6, 10.0);
        exact_seconds(&load, &terms(1, 50.0, 120.0), 0.0)
    };
    assert_near(cost(45.0), 120.0 + 120.0 + 45.0);
    assert_near(cost(105.0), 120.0 + 120.0 + 105.0);
    assert_near(cost(300.0), 120.0 + 240.0);
}

#[test]
fn a_proof_by_hand_holds_and_one_that_says_too_much_is_cut() {
    // Busy from 0 to 60 s and from 165 s to 225 s, in steps of 15 s: an instance is worth a boot
    // when a burst begins, and less and less until its end; in between, what it takes to wait.
    let load = bursts(&[0.0, 165.0], 6, 10.0);
    let asked = Exactly {
        terms: terms(1, 50.0, 120.0),
        excused: 0.0,
        step_seconds: 15.0,
    };
    let program = Program {
        classes: classes(&load, &asked),
        excused: 0.0,
        boot_seconds: 120.0,
    };
    let mut worths = vec![120.0, 90.0, 60.0, 30.0, 0.0];
    worths.extend([15.0, 30.0, 45.0, 60.0, 75.0, 90.0]);
    worths.extend([105.0, 78.75, 52.5, 26.25]);
    let least = 120.0 + 120.0 + 105.0;
    assert_near(certificate::seconds(&program, &worths), least);
    worths[5..11].fill(0.0);
    worths[11..].copy_from_slice(&[120.0, 90.0, 60.0, 30.0]);
    assert!(certificate::seconds(&program, &worths) <= least);
}

#[test]
fn one_message_is_divided_over_all_its_time() {
    // 15 instance-seconds within 90 s: a sixth of an instance and of its boot.
    let load = bursts(&[0.0], 1, 30.0);
    assert_near(
        exact_seconds(&load, &terms(2, 60.0, 120.0), 0.0),
        15.0 + 20.0,
    );
    // One of one is no whole message at a percentile of 99.
    assert_near(exact_seconds(&load, &terms(2, 60.0, 120.0), 0.01), 35.0);
}

/// A job every 10 s for a thousand of them, each as long, and five more at once in the middle.
fn busy_instance_and_a_burst() -> Load {
    let mut arrivals: Vec<f64> = (0..1000).map(|job| f64::from(job) * 10.0).collect();
    arrivals.splice(500..500, [5000.0; 5]);
    Load {
        seconds: 10_000.0,
        service_seconds: vec![10.0; arrivals.len()],
        arrivals,
    }
}

#[test]
fn an_excused_burst_costs_its_work_alone() {
    let load = busy_instance_and_a_burst();
    let terms = terms(1, 10.0, 120.0);
    // From 5000 s to 5020 s, 10 s of the usual work are due and the burst's 50 s: three instances.
    assert_near(exact_seconds(&load, &terms, 0.0), 10_050.0 + 120.0 * 3.0);
    // With two of five excused, it is 30 s of the burst's.
    let share = 2.0 / 1005.0;
    assert_near(exact_seconds(&load, &terms, share), 10_050.0 + 120.0 * 2.0);
    // All five may be late, and are served when the others are done.
    let share = 5.0 / 1005.0;
    assert_near(exact_seconds(&load, &terms, share), 10_050.0 + 120.0);
}

#[test]
fn steady_work_costs_itself_and_a_boot_each() {
    let load = bursts(
        &(0..2000).map(|n| f64::from(n) * 5.0).collect::<Vec<_>>(),
        4,
        5.0,
    );
    let cost = exact_seconds(&load, &terms(2, 60.0, 120.0), 0.0);
    let work = load.work_seconds() / 2.0;
    assert!(
        (work + 230.0..work + 241.0).contains(&cost),
        "{cost}, {work}"
    );
}

#[test]
fn nothing_costs_nothing_and_without_boots_only_work_costs() {
    let nothing = bursts(&[], 0, 0.0);
    let terms = terms(2, 60.0, 120.0);
    for share in [0.0, 0.01, 1.0] {
        assert!(exact_hours(&nothing, &terms, share).abs() < f64::EPSILON);
        assert!(exact_hours(&bursts(&[0.0], 3, 0.0), &terms, share).abs() < f64::EPSILON);
    }
    let load = bursty(5);
    let free = Terms {
        boot_seconds: 0.0,
        ..terms
    };
    assert_near(exact_seconds(&load, &free, 0.0), load.work_seconds() / 2.0);
    // Who may be late with everything needs hardly an instance at a time, and that for long.
    assert_near(exact_seconds(&load, &terms, 1.0), load.work_seconds() / 2.0);
}

#[test]
fn is_below_the_taut_string_and_close_to_it() {
    for seed in 1..=3 {
        let load = bursty(seed);
        for objective_seconds in [20.0, 60.0, 100.0, 300.0] {
            let terms = terms(2, objective_seconds, 120.0);
            let (feasible, exact) = (
                schedule(&load, &terms).hours,
                exact_hours(&load, &terms, 0.0),
            );
            assert!(exact <= feasible, "{exact} {feasible}");
            assert!(exact >= feasible * 0.95, "{exact} {feasible}");
        }
    }
}

#[test]
fn falls_with_the_objective_and_with_what_may_be_late() {
    let load = bursty(2);
    let hours = |objective, share| exact_hours(&load, &terms(2, objective, 120.0), share);
    let by_objective = [1.0, 30.0, 60.0, 300.0, 600.0].map(|objective| hours(objective, 0.0));
    assert!(by_objective.is_sorted_by(|a, b| a > b), "{by_objective:?}");
    let by_share = [0.0, 0.01, 0.05, 0.2].map(|share| hours(60.0, share));
    assert!(by_share.is_sorted_by(|a, b| a > b), "{by_share:?}");
    assert!(by_share[3] >= load.work_seconds() / 2.0 / 3600.0);
}

#[test]
fn longer_steps_only_lower_it_even_beyond_the_objective() {
    let load = bursty(4);
    for share in [0.0, 0.02] {
        let in_steps = |step_seconds| {
            let asked = Exactly {
                terms: terms(2, 30.0, 120.0),
                excused: excused(&load, share),
                step_seconds,
            };
            exact(&load, &asked)
        };
        let hours = [15.0, 30.0, 60.0, 300.0].map(in_steps);
        assert!(hours.is_sorted_by(|a, b| a > b), "{hours:?}");
    }
}

/// A fleet that is sized beforehand, a look at a time; the last size stays.
struct Sized(Vec<u32>, usize);

impl Scaler for Sized {
    fn size(&mut self, _: &Observation) -> u32 {
        self.1 += 1;
        let size = self.0.get(self.1 - 1).or(self.0.last());
        size.copied().unwrap_or(1)
    }
}

/// Follows a clairvoyant's schedule a boot ahead, in whole instances and some more. Its steps and
/// the looks are equally long.
fn following(schedule: &Schedule, setup: &Setup, more: f64) -> Sized {
    assert_eq!(
        schedule.step_seconds.to_bits(),
        setup.interval_seconds.to_bits()
    );
    let ahead = whole(setup.boot_seconds / schedule.step_seconds) as usize;
    let steps = &schedule.instances;
    let most = |look: usize| {
        let next = (look..look + ahead + 2).filter_map(|step| steps.get(step));
        whole(next.copied().fold(0.0, f64::max) + more)
    };
    let mut sizes: Vec<u32> = (0..steps.len()).map(most).collect();
    sizes.push(1);
    Sized(sizes, 0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn whole(instances: f64) -> u32 {
    instances.ceil() as u32
}

/// A quarter of an hour at each of some levels in turn, which keep some twenty instances busy.
fn many(seed: u64, minutes: usize, levels: &[f64]) -> Load {
    let count = |minute: usize| levels[minute / 15 % levels.len()];
    let trace = Trace {
        step_seconds: 60.0,
        counts: (0..minutes).map(count).collect(),
        service_seconds: Vec::new(),
    };
    let per_second = 20.0 * 2.0 / 30.0;
    Load::draw(
        &trace.scaled_to(per_second),
        &Service::exponential(30.0),
        seed,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_scaler_that_keeps_the_objective_costs_less(
        seed in 0_u64..1000,
        levels in prop::collection::vec(prop::sample::select(vec![0.0, 0.3, 1.0, 5.0]), 4..12),
        objective in prop::sample::select(vec![30.0, 60.0, 150.0, 300.0]),
        late_share_max in prop::sample::select(vec![0.0, 0.01, 0.1]),
    ) {
        let (load, setup) = (many(seed, 120, &levels), setup());
        let terms = terms(setup.slots, objective, setup.boot_seconds);
        let exact = exact_hours(&load, &terms, late_share_max);
        let schedule = schedule(&load, &terms);
        let policy = policy(objective);
        let keeps = |score: &Score| score.late_share(objective) <= late_share_max;
        let peak = schedule.peak_instances();
        let mut scores = vec![run(&setup, &load, &mut Judged::new(&policy))];
        for share in [0.3, 0.6, 1.0] {
            let fixed = whole(peak * share);
            scores.push(run(&setup, &load, &mut Sized(vec![fixed], 0)));
        }
        for more in [0.0, 1.0, 3.0] {
            scores.push(run(&setup, &load, &mut following(&schedule, &setup, more)));
        }
        for score in scores.iter().filter(|score| keeps(score)) {
            prop_assert!(exact <= score.billed_hours, "{exact} {}", score.billed_hours);
            prop_assert!(score.work_hours <= exact + 1e-9);
        }
        prop_assert!(exact <= schedule.hours);
    }

    #[test]
    fn whatever_worths_are_said_prove_no_more_than_is_so(
        seed in 0_u64..1000,
        worths in prop::collection::vec(
            prop_oneof![0.0..200.0, Just(f64::NAN), Just(f64::INFINITY), -50.0..0.0],
            0..300,
        ),
        share in prop::sample::select(vec![0.0, 0.02, 0.5]),
        objective in 20.0..200.0,
    ) {
        let load = many(seed, 60, &[0.0, 1.0, 4.0]);
        let asked = Exactly {
            terms: terms(2, objective, 120.0),
            excused: excused(&load, share),
            step_seconds: 15.0,
        };
        let program = Program {
            classes: classes(&load, &asked),
            excused: asked.excused,
            boot_seconds: 120.0,
        };
        let best = certificate::seconds(&program, &program::worths(&program));
        let said = certificate::seconds(&program, &worths);
        prop_assert!(said <= best * (1.0 + 1e-4), "{said} {best}");
    }
}

#[test]
fn a_clairvoyant_in_whole_instances_comes_near() {
    let (load, setup) = (many(7, 360, &[1.0, 3.0, 0.0, 1.0, 5.0, 0.3]), setup());
    let (objective, allowed) = (150.0, 0.01);
    let terms = terms(setup.slots, objective, setup.boot_seconds);
    let schedule = schedule(&load, &terms);
    let score = run(&setup, &load, &mut following(&schedule, &setup, 2.0));
    assert!(score.late_share(objective) <= allowed);
    let over = score.billed_hours / exact_hours(&load, &terms, allowed);
    assert!((1.0..1.5).contains(&over), "{over}");
}
