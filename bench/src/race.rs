//! Processor time a message, of all contenders alike.
//!
//! Each run has a fresh queue. A warm-up first; then the consumer is held still while the queue is
//! filled, and let go: what is counted is consuming and nothing else. The contenders take turns,
//! repeat by repeat, so that whatever else the machine does hits them alike.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::clock;
use crate::contender::{Contender, Programs, within};
use crate::ground::Ground;
use crate::process::{Process, own_cpu};

/// After the last delete: the answer is read, and what a consumer does late is counted too.
const SETTLE: Duration = Duration::from_millis(300);

/// How much is consumed, how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Messages counted in a run; a fifth more before them is the warm-up.
    pub(crate) messages: usize,
    /// Runs of each contender.
    pub(crate) repeats: usize,
}

/// One run's figures.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Run {
    /// User and system time of the consumer, all its processes, microseconds a message.
    pub(crate) cpu_us_per_message: f64,
    /// Calls of SQS a message, at the wire.
    pub(crate) calls_per_message: f64,
    /// From letting go to the last delete.
    pub(crate) messages_per_second: f64,
    /// The same time of the sandbox, microseconds a message.
    pub(crate) sandbox_us_per_message: f64,
}

/// All runs of the contenders.
pub(crate) type Runs = BTreeMap<Contender, Vec<Run>>;

/// Runs all, in turns.
pub(crate) async fn race(
    ground: &Ground,
    programs: &Programs,
    logs: &Path,
    size: Size,
    contenders: &[Contender],
) -> anyhow::Result<Runs> {
    let mut runs = Runs::new();
    for nth in 0..size.repeats {
        for contender in contenders {
            let name = format!("{}-{nth}", contender.key().replace('_', "-"));
            let run = one(ground, programs, *contender, &name, logs, size.messages).await;
            let run = run.with_context(|| format!("run {name} was not measured"))?;
            runs.entry(*contender).or_default().push(run);
        }
    }
    Ok(runs)
}

async fn one(
    ground: &Ground,
    programs: &Programs,
    contender: Contender,
    name: &str,
    logs: &Path,
    messages: usize,
) -> anyhow::Result<Run> {
    let queue = ground.queue(name)?;
    let command = within(programs.consumer(contender, &queue)?, &ground.env());
    let mut consumer = Process::start(command, &logs.join(format!("{name}.log")))?;
    let messages = contender.share_of(messages);
    let warm = messages.div_ceil(5);
    let mut bodies = programs.bodies(contender, warm + messages)?;
    let counted = bodies.split_off(warm);
    ground.send(&queue, bodies)?;
    ground.until_deleted(&queue, warm, &mut consumer).await?;
    clock::pause(SETTLE).await;

    consumer.signal(Signal::SIGSTOP)?;
    ground.send(&queue, counted)?;
    let (before, sandbox_before) = (consumer.cpu()?, own_cpu()?);
    let calls_before: u64 = ground.calls().values().sum();
    let began = clock::now();
    consumer.signal(Signal::SIGCONT)?;
    ground
        .until_deleted(&queue, warm + messages, &mut consumer)
        .await?;
    let took = began.elapsed();
    clock::pause(SETTLE).await;
    let calls: u64 = ground.calls().values().sum();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / messages as f64;
    Ok(Run {
        cpu_us_per_message: each(consumer.cpu()?.saturating_sub(before)),
        calls_per_message: (calls - calls_before) as f64 / messages as f64,
        messages_per_second: messages as f64 / took.as_secs_f64(),
        sandbox_us_per_message: each(own_cpu()?.saturating_sub(sandbox_before)),
    })
}

/// Figure by figure, the middle one of the runs.
pub(crate) fn median(runs: &[Run]) -> Run {
    let middle = |figure: fn(&Run) -> f64| {
        let mut figures: Vec<f64> = runs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Run {
        cpu_us_per_message: middle(|run| run.cpu_us_per_message),
        calls_per_message: middle(|run| run.calls_per_message),
        messages_per_second: middle(|run| run.messages_per_second),
        sandbox_us_per_message: middle(|run| run.sandbox_us_per_message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_figure_by_figure() {
        let run = |cpu, calls| Run {
            cpu_us_per_message: cpu,
            calls_per_message: calls,
            messages_per_second: 1.0,
            sandbox_us_per_message: 1.0,
        };
        let middle = median(&[run(1.0, 0.3), run(9.0, 0.2), run(2.0, 0.1)]);
        assert_eq!(middle.cpu_us_per_message.to_bits(), 2.0_f64.to_bits());
        assert_eq!(middle.calls_per_message.to_bits(), 0.2_f64.to_bits());
    }
}
