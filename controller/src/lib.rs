//! Keeps a fleet of EC2 workers the right size for its SQS backlog.
//!
//! Observe, then decide, then act. Deciding is a plain function of a policy, an observation and
//! the history; the same function runs in production, in a backtest and in every test.

#[cfg(feature = "aws")]
pub mod aws;
pub mod backtest;
pub mod check;
pub mod cli;
pub mod clock;
pub mod decide;
pub mod drive;
pub mod figures;
pub mod journal;
pub mod leave;
pub mod model;
pub mod plan;
pub mod policies;
pub mod policy;
pub mod ports;
pub mod reason;
pub mod replay;
pub mod reports;
pub mod rounds;
pub mod sim;
pub mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod wire;
