//! A worker whose jobs do nothing, or only wait: what is left is what delivery itself costs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::time::Duration;

use weir_worker::{Context, Job, Outcome};

/// Milliseconds that a job waits on average; each between half of it and one and a half times.
const MEAN_MILLIS: &str = "BENCH_JOB_MILLIS";

/// One job in so many waits longer, on average so many milliseconds; none, unless set.
const LONG_EVERY: &str = "BENCH_LONG_EVERY";
const LONG_MILLIS: &str = "BENCH_LONG_MILLIS";

fn main() -> ExitCode {
    let usual = Duration::from_millis(number(MEAN_MILLIS));
    let long = Duration::from_millis(number(LONG_MILLIS));
    let every = number(LONG_EVERY);
    weir_worker::cli::main_with_handler(move |job: Job, _ctx: Context| async move {
        let is_long = every > 0 && (hash(&job.id) / 1000).is_multiple_of(every);
        let mean = if is_long { long } else { usual };
        if !mean.is_zero() {
            wait(mean.mul_f64(0.5 + share(&job.id))).await;
        }
        Outcome::Done(String::new())
    })
}

/// In [0, 1), from the job's id: jobs differ, runs do not.
fn share(id: &str) -> f64 {
    (hash(id) % 1000) as f64 / 1000.0
}

fn hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a handler's own settings come from the environment"
)]
fn number(variable: &str) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "waiting is this job's work")]
async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}
