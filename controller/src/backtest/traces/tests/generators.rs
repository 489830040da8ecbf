//! Each generator's mark, its determinism, and its words.

use std::fmt::Write as _;

use super::super::{GENERATORS, Generator, MONDAY};
use crate::model::UnixSeconds;
use crate::sim::Trace;

fn generator(text: &str) -> Generator {
    text.parse()
        .unwrap_or_else(|problems| panic!("{text}: {problems}"))
}

fn made(text: &str) -> Trace {
    generator(text).trace(MONDAY)
}

fn wrong(text: &str) -> String {
    match text.parse::<Generator>() {
        Ok(generator) => format!("was taken: {generator:?}"),
        Err(problems) => problems.to_string(),
    }
}

fn mean(counts: &[f64]) -> f64 {
    counts.iter().sum::<f64>() / counts.len() as f64
}

fn peak_over_mean(counts: &[f64]) -> f64 {
    counts.iter().copied().fold(0.0, f64::max) / mean(counts)
}

/// Variance over mean: 1 for Poisson counts.
fn dispersion(counts: &[f64]) -> f64 {
    let mean = mean(counts);
    let squares = counts
        .iter()
        .map(|count| (count - mean).powi(2))
        .sum::<f64>();
    squares / counts.len() as f64 / mean
}

/// The mean count of the steps whose minute of the week a rule takes.
fn mean_where(trace: &Trace, takes: impl Fn(usize) -> bool) -> f64 {
    let minutes = trace.counts.iter().enumerate();
    let counts: Vec<f64> = minutes
        .filter(|(at, _)| takes(*at))
        .map(|(_, count)| *count)
        .collect();
    mean(&counts)
}

#[test]
fn the_words_about_generators_tell_their_defaults() {
    for (name, keys, what) in GENERATORS {
        assert!(!what.is_empty());
        let all = format!("{name},{keys},days=7,seed=1,mean=1,step=1m,noise=poisson");
        assert_eq!(made(&all), made(name), "{name}");
        for key in keys.split(',').filter(|key| !key.is_empty()) {
            let (key, value) = key.split_once('=').expect("a key and its default");
            assert!(
                what.contains(&format!("`{key}`")) || name == "week",
                "{name}: {key}"
            );
            assert!(
                !wrong(&format!("{name},{key}=-7")).contains("was taken"),
                "{name}: {key}"
            );
            assert_eq!(
                made(&format!("{name},{key}={value}")),
                made(name),
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_counts_and_another_one_others() {
    let mut told = String::new();
    for (name, ..) in GENERATORS {
        let text = format!("{name},days=1,seed=7,mean=0.2");
        let trace = made(&text);
        assert_eq!(trace, made(&text), "{name}");
        assert_ne!(
            trace,
            made(&format!("{name},days=1,seed=8,mean=0.2")),
            "{name}"
        );
        let counts = &trace.counts[600..624];
        let counts: Vec<String> = counts.iter().map(f64::to_string).collect();
        let _ = writeln!(told, "{name}: {}", counts.join(" "));
    }
    insta::assert_snapshot!(told, @r"
    steady: 9 18 17 7 14 10 9 12 6 8 7 13 10 8 15 16 18 11 10 5 15 10 5 13
    day: 17 12 13 21 17 15 12 16 12 18 12 13 18 20 14 17 17 15 12 17 17 13 14 20
    week: 17 12 13 21 17 15 12 16 12 18 12 13 18 20 14 17 17 15 12 17 17 13 14 20
    flash-crowd: 6 8 9 5 9 8 8 5 5 12 6 10 10 9 15 9 10 11 10 11 10 9 9 6
    batch: 550 4 2 1 5 4 1 2 2 5 2 3 3 2 3 1 5 2 3 2 2 2 2 6
    ci: 110 37 0 0 0 0 62 0 0 0 26 22 0 35 0 23 151 48 0 36 33 0 0 0
    on-off: 34 49 35 33 36 42 32 53 43 45 38 43 25 48 37 27 0 0 0 0 0 0 0 0
    drift: 13 6 18 11 8 16 10 20 12 16 10 9 13 9 18 8 9 6 7 4 12 11 12 10
    ");
}

#[test]
fn so_many_are_expected_as_are_asked_for() {
    for (name, ..) in GENERATORS {
        for (mean_asked, step) in [(0.02, 300.0), (1.0, 60.0), (250.0, 10.0)] {
            let text = format!("{name},days=5,mean={mean_asked},step={step}s");
            let exact = mean(&made(&format!("{text},noise=none")).counts) / step;
            assert!((exact / mean_asked - 1.0).abs() < 1e-6, "{text}: {exact}");
            let counts = made(&text).counts;
            let messages: f64 = counts.iter().sum();
            let expected = mean_asked * 5.0 * 86_400.0;
            // Five standard deviations.
            assert!(
                (messages - expected).abs() < 5.0 * expected.sqrt(),
                "{text}: {messages}"
            );
            assert!(counts.iter().all(|count| count.fract() == 0.0), "{text}");
        }
    }
}

#[test]
fn steady_counts_are_poisson() {
    let counts = made("steady,days=7,mean=0.5").counts;
    assert!(
        (dispersion(&counts) - 1.0).abs() < 0.05,
        "{}",
        dispersion(&counts)
    );
    let counts = made("steady,noise=none").counts;
    assert!(counts.iter().all(|count| (count - 60.0).abs() < 1e-9));
}

#[test]
fn days_have_a_peak_and_a_night() {
    let trace = made("day,noise=none,low=0.25,peak=14h");
    let at = |hour: usize| mean_where(&trace, |minute| minute / 60 % 24 == hour);
    let low_over_peak = trace.counts[2 * 60] / trace.counts[14 * 60];
    assert!((low_over_peak - 0.25).abs() < 0.01, "{low_over_peak}");
    assert!(at(14) > at(10) && at(10) > at(4));
}

#[test]
fn weeks_have_an_end_whenever_they_begin() {
    let trace = made("week,noise=none,weekend=0.3");
    let is_weekend = |minute: usize| minute / 1440 >= 5;
    let ratio = mean_where(&trace, is_weekend) / mean_where(&trace, |minute| !is_weekend(minute));
    assert!((ratio - 0.3).abs() < 1e-3, "{ratio}");
    let saturday =
        generator("week,noise=none,weekend=0.3").trace(UnixSeconds(MONDAY.0 + 5.0 * 86_400.0));
    assert!(mean(&saturday.counts[..2880]) < 0.5 * mean(&saturday.counts[2880..]));
}

#[test]
fn flash_crowds_rise_fast_and_fade_slowly() {
    for seed in 1..=5 {
        let trace = made(&format!("flash-crowd,days=4,noise=none,seed={seed}"));
        let peak = peak_over_mean(&trace.counts);
        assert!((5.0..16.0).contains(&peak), "seed {seed}: {peak}");
        let top =
            (0..trace.counts.len()).max_by(|a, b| trace.counts[*a].total_cmp(&trace.counts[*b]));
        let top = top.expect("steps");
        let base = trace.counts.iter().copied().fold(f64::INFINITY, f64::min);
        let high = |step: usize| {
            trace
                .counts
                .get(step)
                .is_none_or(|count| *count > 3.0 * base)
        };
        assert!(
            !high(top.saturating_sub(8)),
            "seed {seed}: up within 5 minutes"
        );
        assert!(high(top + 20), "seed {seed}: half of it after 20 minutes");
        let crowds = trace
            .counts
            .windows(2)
            .filter(|pair| pair[1] > pair[0] + base)
            .count();
        assert!(
            (4..=24).contains(&crowds),
            "seed {seed}: {crowds} steep minutes"
        );
    }
}

#[test]
fn batches_come_at_each_full_hour() {
    let half_past = UnixSeconds(MONDAY.0 + 1800.0);
    for (begin, first) in [(MONDAY, 0), (half_past, 30)] {
        let trace = generator("batch,days=1,mean=2,noise=none").trace(begin);
        for (minute, count) in trace.counts.iter().enumerate() {
            let is_batch = minute % 60 == first;
            // 7,200 an hour: 80 % of them in a minute, the rest evenly.
            let expected = if is_batch { 5760.0 + 24.0 } else { 24.0 };
            assert!((count - expected).abs() < 1e-2, "{minute}: {count}");
        }
    }
    let longer = made("batch,days=1,noise=none,every=6h,within=90s,share=1").counts;
    let parts = [
        longer[0] / (longer[0] + longer[1]),
        longer[1] / (longer[0] + longer[1]),
    ];
    assert!(
        (parts[0] - 2.0 / 3.0).abs() < 1e-6 && longer[2] == 0.0,
        "{parts:?}"
    );
}

#[test]
fn pushes_fan_out_in_office_hours() {
    let trace = made("ci,mean=1,jobs=50");
    let office = |minute: usize| minute / 1440 < 5 && (8..18).contains(&(minute / 60 % 24));
    let ratio = mean_where(&trace, office) / mean_where(&trace, |minute| !office(minute));
    assert!((7.0..14.0).contains(&ratio), "{ratio}");
    assert!(
        peak_over_mean(&trace.counts) > 15.0,
        "{}",
        peak_over_mean(&trace.counts)
    );
    assert!(
        dispersion(&trace.counts) > 50.0,
        "{}",
        dispersion(&trace.counts)
    );
    let tame = made("ci,mean=1,jobs=1,tail=10,from=0h,until=24h,rest=1");
    assert!(
        dispersion(&tame.counts) < 3.0,
        "{}",
        dispersion(&tame.counts)
    );
}

#[test]
fn on_and_off_take_turns() {
    let trace = made("on-off,days=30,on=20m,off=40m,noise=none");
    let high = trace.counts.iter().copied().fold(0.0, f64::max);
    let on = trace
        .counts
        .iter()
        .filter(|count| **count > 0.99 * high)
        .count();
    let off = trace.counts.iter().filter(|count| **count == 0.0).count();
    let all = trace.counts.len() as f64;
    assert!((0.25..0.42).contains(&(on as f64 / all)), "{on}");
    assert!((0.55..0.75).contains(&(off as f64 / all)), "{off}");
    let edges = trace
        .counts
        .windows(2)
        .filter(|pair| pair[0] > 0.0 && pair[1] == 0.0)
        .count();
    assert!((500..950).contains(&edges), "{edges}");
    let low = made("on-off,noise=none,low=0.5").counts;
    assert!(
        (peak_over_mean(&low) - 1.6).abs() < 0.2,
        "{}",
        peak_over_mean(&low)
    );
}

#[test]
fn drifts_go_one_way() {
    let trace = made("drift,noise=none,level=3,service=8s,longer=2");
    assert!(trace.counts.is_sorted());
    let (first, last) = (trace.counts[0], trace.counts[trace.counts.len() - 1]);
    assert!((last / first - 3.0).abs() < 1e-3, "{first} {last}");
    let service: Vec<f64> = trace.service_seconds.iter().copied().flatten().collect();
    assert_eq!(service.len(), trace.counts.len());
    assert!((service[0] - 8.0).abs() < 0.01 && (service[service.len() - 1] - 16.0).abs() < 0.01);
    assert!(
        made("drift,level=0.5,noise=none")
            .counts
            .is_sorted_by(|a, b| a >= b)
    );
    assert!(made("drift").service_seconds.is_empty());
}

#[test]
fn any_generator_tells_the_service_time_it_is_given() {
    let trace = made("steady,days=1,service=1m 30s");
    assert!(trace.service_seconds.iter().all(|told| *told == Some(90.0)));
}

#[test]
fn nothing_can_be_generated_too() {
    for (name, ..) in GENERATORS {
        assert!(
            made(&format!("{name},mean=0"))
                .counts
                .iter()
                .all(|count| *count == 0.0)
        );
    }
}

#[test]
fn all_that_is_wrong_with_a_generator_is_told_at_once() {
    let text = "flash-crowd,days=-1,seed=x,height=9,height=8,speed=2,noise=loud,rise=5,odd";
    insta::assert_snapshot!(wrong(text), @r#"
    --generate: found "odd", allowed key=value pairs, as in days=2,seed=7
    --generate: rise: found "5", allowed a time from 1 s to 1 d with its unit, such as 90s or 2h
    --generate: days: found "-1", allowed a number from 0.001 to 3660
    --generate: seed: found "x", allowed a whole number from 0 to 18446744073709551615
    --generate: noise: found "loud", allowed poisson or none
    --generate: found height more than once, allowed each key once
    --generate: found the key "speed", allowed the keys height, every, rise, fade, days, seed, mean, step, noise, service
    "#);
}

#[test]
fn the_other_wrong_words() {
    let cases = [
        "",
        "flashcrowd,days=2",
        "drift,longer=2",
        "batch,within=2h",
        "ci,from=18h,until=8h",
        "steady,days=3660,step=1s",
        "steady,days=0.001,step=1h",
        "steady,height=3",
    ];
    let mut told = String::new();
    for text in cases {
        let _ = writeln!(told, "{text}\n  {}", wrong(text));
    }
    insta::assert_snapshot!(told, @r#"

      --generate: found the generator nothing, allowed steady, day, week, flash-crowd, batch, ci, on-off, drift; keys follow it, as in flash-crowd,days=2,seed=7
    flashcrowd,days=2
      --generate: found the generator "flashcrowd", allowed steady, day, week, flash-crowd, batch, ci, on-off, drift; keys follow it, as in flash-crowd,days=2,seed=7
    drift,longer=2
      --generate: longer: found jobs that change, and no service time to begin with, allowed longer together with service, as in service=8s,longer=2
    batch,within=2h
      --generate: within: found 7200 s, allowed at most the time from batch to batch, every
    ci,from=18h,until=8h
      --generate: until: found 28800 s after midnight, allowed a time of day later than from
    steady,days=3660,step=1s
      --generate: step: found 3660 days in steps of 1 s, allowed 1 to 50,000,000 steps in all
    steady,days=0.001,step=1h
      --generate: step: found 0.001 days in steps of 3600 s, allowed 1 to 50,000,000 steps in all
    steady,height=3
      --generate: found the key "height", allowed the keys days, seed, mean, step, noise, service
    "#);
}
