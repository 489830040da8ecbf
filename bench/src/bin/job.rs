//! A worker whose jobs do nothing, or only wait: what is left is what delivery itself costs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::ExitCode;
use std::time::Duration;

use weir_worker::{Context, Job, Outcome};

/// Milliseconds that a job waits on average; each between half of it and one and a half times.
const MEAN_MILLIS: &str = "BENCH_JOB_MILLIS";

fn main() -> ExitCode {
    let mean = mean();
    weir_worker::cli::main_with_handler(move |job: Job, _ctx: Context| async move {
        if !mean.is_zero() {
            wait(mean.mul_f64(0.5 + share(&job.id))).await;
        }
        Outcome::Done(String::new())
    })
}

/// In [0, 1), from the job's id: jobs differ, runs do not.
fn share(id: &str) -> f64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % 1000) as f64 / 1000.0
}

#[expect(
    clippy::disallowed_methods,
    reason = "a handler's own settings come from the environment"
)]
fn mean() -> Duration {
    let millis = std::env::var(MEAN_MILLIS).ok();
    Duration::from_millis(millis.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "waiting is this job's work")]
async fn wait(duration: Duration) {
    tokio::time::sleep(duration).await;
}
