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
mod queue;

pub use self::fifo::fifo_queue;
pub use self::jobs::jobs;
pub use self::queue::queue;

/// `Err` says what was found and what was expected.
pub type Verdict = Result<(), String>;
