//! Weir's worker: pulls jobs from an SQS queue, has a handler do them, commits each at most once,
//! and leaves an instance without losing one.
//!
//! The modules in reading order. Pure, with `now` as an argument: [`lease`] (who may finish a
//! job), [`retry`] (how long to wait), [`drain`] (when a leaving worker must be gone). The ports:
//! [`queue`] (with [`sqs`] and [`memory`]), [`jobs`] (the job record). The shell: [`fetch`] takes
//! messages, [`heartbeat`] keeps them, [`execute`] does one job, [`settle`] deletes what is done,
//! [`report`] tells the controller, [`instance`] listens to EC2, [`service`] puts them together.
//! [`builder`] and [`cli`] are the two ways in.
//!
//! ```no_run
//! use weir_worker::{Context, Job, Outcome, Worker};
//!
//! # async fn example() -> Result<(), weir_worker::StartError> {
//! Worker::builder()
//!     .queue("thumbnails")
//!     .fleet("thumbnails")
//!     .run(|job: Job, _ctx: Context| async move { Outcome::Done(job.body.to_uppercase()) })
//!     .await?;
//! # Ok(())
//! # }
//! ```

pub mod drain;
pub mod lease;
pub mod retry;

pub mod jobs;
pub mod memory;
pub mod queue;
pub mod sqs;

pub mod handler;

mod execute;
mod fetch;
mod heartbeat;
mod settle;

pub mod instance;
pub mod report;
pub mod service;

pub mod builder;
pub mod cli;

pub mod aws;
mod chance;
pub mod clock;
pub mod conformance;

pub use builder::{StartError, Worker};
pub use handler::{CancelCause, Context, Handler, Job, Outcome};
pub use service::{Settings, Summary};
