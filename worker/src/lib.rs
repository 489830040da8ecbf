//! Weir's worker: pulls jobs from an SQS queue, has a handler do them, commits each at most once,
//! and leaves an instance without losing one.
//!
//! The modules in reading order. Pure, with `now` as an argument: [`lease`] (who may finish a
//! job), [`retry`] (how long to wait), [`drain`] (when a leaving worker must be gone), [`letters`]
//! (what a dead letter says). The ports: [`queue`] (with [`sqs`] and [`memory`]), [`jobs`] (the job
//! record), [`payload`] (bodies too large for a message). The shell: [`fetch`] takes
//! messages, [`heartbeat`] keeps them, [`execute`] does one job, [`settle`] deletes what is done,
//! [`report`] tells the controller, [`observe`] whoever asks, [`instance`] listens to EC2 and
//! [`ecs`] to ECS, [`service`] puts them together.
//! [`builder`] and [`cli`] are the two ways in; [`client`] sends jobs and looks them up, [`redrive`]
//! sends back those that were given up.
//!
//! ```no_run
//! use weir_worker::{Job, Worker, json};
//!
//! fn main() -> std::process::ExitCode {
//!     Worker::builder()
//!         .queue("greetings")
//!         .main(json(|job: Job<String>, _ctx| async move {
//!             Ok(format!("Hello, {}!", job.body))
//!         }))
//! }
//! ```

pub mod drain;
pub mod lease;
pub mod letters;
pub mod postpone;
pub mod retry;

pub mod jobs;
pub mod memory;
pub mod payload;
pub mod queue;
pub mod sqs;

pub mod handler;

mod auto_slots;
mod execute;
mod fetch;
pub mod flow;
mod heartbeat;
mod rate;
mod records;
mod send;
mod settle;

pub mod control;
pub mod observe;

pub mod ecs;
pub mod instance;
mod place;
pub mod redrive;
pub mod report;
pub mod service;

pub mod builder;
mod check;
pub mod cli;
pub mod client;
mod config;
mod threads;

pub mod aws;
#[doc(hidden)]
pub mod chance;
pub mod clock;
pub mod conformance;

pub use builder::{StartError, Worker};
pub use handler::{CancelCause, Context, Failure, Handler, Job, Outcome, json};
pub use lease::Idempotency;
pub use service::{Settings, Summary};
