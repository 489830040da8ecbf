//! The conformance suite: AWS's documented behaviour, asked for through the real SDK.
//!
//! Each case names the AWS documentation that it stands for. Time that AWS would take is skipped,
//! never slept.

#![expect(
    clippy::unwrap_used,
    reason = "a case fails by panicking, in its helpers too"
)]

mod autoscaling;
mod cloudwatch;
mod ec2;
mod harness;
mod lifecycle;
mod sqs_batches;
mod sqs_fifo;
mod sqs_messages;
mod sqs_queues;
