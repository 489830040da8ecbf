//! What every implementation of a port must do, as suites that run over any of them.
//!
//! The suites use only the ports and wait on tokio's clock: paused over memory, real over a cloud.
//! They must not know an implementation. Each case says in words what it found wrong.

// Above the modules, as a macro is known only to what comes after it.
macro_rules! expect {
    ($holds:expr, $($found:tt)+) => {
        if !$holds {
            return Err(format!($($found)+));
        }
    };
}

mod fifo;
mod jobs;
mod payloads;
mod queue;

use std::future::Future;
use std::pin::Pin;

pub use self::fifo::{FIFO_QUEUE, fifo_queue};
pub use self::jobs::jobs;
pub use self::payloads::payloads;
pub use self::queue::{QUEUE, queue};
use crate::queue::Queue;

/// `Err` says what was found and what was expected.
pub type Verdict = Result<(), String>;

/// One case of a suite for queues, to be run by itself where an implementation fails others.
#[derive(Clone, Copy, Debug)]
pub struct QueueCase {
    /// What it asks for.
    pub name: &'static str,
    case: for<'a> fn(&'a dyn Queue) -> Running<'a>,
}

/// A case that runs.
type Running<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

impl QueueCase {
    /// Runs the case on a queue that is empty. One that fails may leave messages behind.
    pub async fn run(&self, queue: &dyn Queue) -> Verdict {
        let verdict = (self.case)(queue).await;
        verdict.map_err(|what| format!("{}: {what}", self.name))
    }
}

/// All cases, one after the other, until one fails.
async fn all(cases: &[QueueCase], queue: &dyn Queue) -> Verdict {
    for case in cases {
        case.run(queue).await?;
    }
    Ok(())
}
