//! Fixed fleets wait as queueing theory says.

use rand_distr::{Distribution, Exp};

use super::super::chance::{Stream, stream};
use super::super::testing::setup;
use super::super::{Load, Score, run};
use super::Fixed;

const JOBS: usize = 200_000;
const BATCHES: usize = 20;
const SERVICE_SECONDS: f64 = 30.0;

/// Jobs that come one by one, at `offered` Erlang, each of a length that `service` draws.
fn poisson(offered: f64, service: impl Fn(&mut rand_chacha::ChaCha8Rng) -> f32) -> Load {
    let mut chance = stream(3, Stream::Arrivals);
    let gaps = Exp::new(offered / SERVICE_SECONDS).expect("a rate");
    let mut at = 0.0;
    let arrivals: Vec<f64> = (0..JOBS)
        .map(|_| {
            at += gaps.sample(&mut chance);
            at
        })
        .collect();
    Load {
        seconds: at,
        service_seconds: arrivals.iter().map(|_| service(&mut chance)).collect(),
        arrivals,
    }
}

/// Mean and standard error of a figure over batches, the first tenth of the jobs left out.
fn over_batches(score: &Score, figure: impl Fn(&[f32]) -> f64) -> (f64, f64) {
    let batches: Vec<f64> = score.waits[JOBS / 10..]
        .chunks(JOBS * 9 / 10 / BATCHES)
        .map(figure)
        .collect();
    let mean = batches.iter().sum::<f64>() / BATCHES as f64;
    let variance = batches.iter().map(|s| (s - mean).powi(2)).sum::<f64>();
    (mean, (variance / (BATCHES * (BATCHES - 1)) as f64).sqrt())
}

fn mean(waits: &[f32]) -> f64 {
    waits.iter().map(|wait| f64::from(*wait)).sum::<f64>() / waits.len() as f64
}

/// The share of waits above so many seconds.
fn above(seconds: f64) -> impl Fn(&[f32]) -> f64 {
    move |waits| {
        let longer = waits.iter().filter(|wait| f64::from(**wait) > seconds);
        longer.count() as f64 / waits.len() as f64
    }
}

/// The probability that a job waits with `servers` servers and `offered` Erlang (Erlang C).
fn erlang_c(servers: u32, offered: f64) -> f64 {
    let blocked = (1..=servers).fold(1.0, |b, n| offered * b / (f64::from(n) + offered * b));
    let c = f64::from(servers);
    blocked / (1.0 - offered / c * (1.0 - blocked))
}

/// Mean wait with jobs of one length, in units of it (Crommelin 1932): one such length later,
/// those that were in service are gone and those that came meanwhile are there, which is a Markov
/// chain of the number in the system; its mean queue by Little's law is the wait.
fn crommelin_mean_wait(slots: usize, offered: f64) -> f64 {
    const STATES: usize = 400;
    let mut arriving = vec![(-offered).exp()];
    for n in 1..STATES {
        arriving.push(arriving[n - 1] * offered / n as f64);
    }
    let mut now = vec![0.0; STATES];
    now[0] = 1.0;
    for _ in 0..2000 {
        let mut next = vec![0.0; STATES];
        for (there, share) in now.iter().enumerate() {
            let left = there.saturating_sub(slots);
            for (state, arrive) in next[left..].iter_mut().zip(&arriving) {
                *state += share * arrive;
            }
        }
        now = next;
    }
    let queued = |(there, share): (usize, &f64)| there.saturating_sub(slots) as f64 * share;
    now.iter().enumerate().map(queued).sum::<f64>() / offered
}

#[test]
fn exponential_jobs_wait_as_erlang_c_says() {
    let (slots, offered) = (10_u32, 8.0);
    let length = Exp::new(1.0 / 30.0_f32).expect("a rate");
    let load = poisson(offered, |chance| length.sample(chance));
    let score = run(&setup(), &load, &mut Fixed(slots / 2));
    for longer_than in [0.0, 30.0] {
        let (share, error) = over_batches(&score, above(longer_than));
        let excess = f64::from(slots) - offered;
        let expected = erlang_c(slots, offered) * (-excess * longer_than / SERVICE_SECONDS).exp();
        assert!(error < 0.02, "too few to tell: {error}");
        assert!(
            (share - expected).abs() < 3.0 * error,
            "{share:.4} ± {error:.4}, expected {expected:.4} to wait over {longer_than} s"
        );
    }
}

#[test]
fn jobs_of_one_length_wait_as_crommelin_says() {
    // One server is Pollaczek and Khinchine's case: half of what exponential jobs would wait.
    let half_of_m_m_1 = 0.8 / (1.0 - 0.8) / 2.0;
    assert!((crommelin_mean_wait(1, 0.8) - half_of_m_m_1).abs() < 1e-6);
    for (slots, offered) in [(2_u32, 1.6), (10, 8.5)] {
        let load = poisson(offered, |_| 30.0);
        let score = run(&setup(), &load, &mut Fixed(slots / 2));
        let (wait, error) = over_batches(&score, mean);
        let expected = crommelin_mean_wait(slots as usize, offered) * SERVICE_SECONDS;
        assert!(error < 0.1 * expected, "too few to tell: {error}");
        assert!(
            (wait - expected).abs() < 3.0 * error,
            "{slots} slots: {wait:.3} ± {error:.3} s, expected {expected:.3} s"
        );
    }
}
