//! What all consumers run on: the sandbox's SQS in this process, a fresh queue for each run.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use weir_sandbox::cloud::sqs::{NewQueue, Outgoing, Totals};
use weir_sandbox::cloud::{ACCOUNT, ApiError};
use weir_sandbox::sandbox::{Sandbox, SandboxConfig};
use weir_sandbox::stores::REGION;

use crate::clock;
use crate::process::Process;

/// Every body's size, bytes.
pub(crate) const BODY_BYTES: usize = 1024;

/// How often is looked whether a run is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A run that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(5);

/// The sandbox.
#[derive(Debug)]
pub(crate) struct Ground {
    sandbox: Sandbox,
}

/// A queue of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Ground {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(SandboxConfig::default()).await;
        Ok(Self {
            sandbox: sandbox.context("the sandbox did not start")?,
        })
    }

    /// What a program needs to meet the sandbox instead of AWS.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        self.sandbox.own_env()
    }

    /// Makes a queue with the settings that Weir's Terraform gives one, and its dead letters.
    pub(crate) fn queue(&self, name: &str) -> anyhow::Result<Queue> {
        let dead = format!("{name}-dead");
        let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{dead}");
        let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"100"}}"#);
        let settings = [
            ("RedrivePolicy", redrive),
            ("VisibilityTimeout", "60".into()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        let made = self.sandbox.cloud().with(|cloud, now| {
            let new = |name: &str, settings| NewQueue {
                name: name.into(),
                region: REGION.into(),
                settings,
                ..NewQueue::default()
            };
            cloud.sqs.create_queue(now, new(&dead, BTreeMap::new()))?;
            cloud.sqs.create_queue(now, new(name, settings.into()))
        });
        made.map_err(|error| refused(&error))?;
        Ok(Queue {
            name: name.into(),
            url: self.sandbox.queue_url(name),
        })
    }

    /// Sends all at once, past the wire.
    pub(crate) fn send(&self, queue: &Queue, bodies: Vec<String>) -> anyhow::Result<()> {
        let sent: Result<(), ApiError> = self.sandbox.cloud().with(|cloud, now| {
            bodies.into_iter().try_for_each(|body| {
                let message = Outgoing {
                    body,
                    ..Outgoing::default()
                };
                cloud.sqs.send(now, &queue.name, message).map(drop)
            })
        });
        sent.map_err(|error| refused(&error))
    }

    /// Waits until `count` messages in all have been deleted from the queue by `consumer`.
    pub(crate) async fn until_deleted(
        &self,
        queue: &Queue,
        count: usize,
        consumer: &mut Process,
    ) -> anyhow::Result<()> {
        let began = clock::now();
        loop {
            let deleted = self.totals(queue)?.deleted;
            if deleted >= count as u64 {
                return Ok(());
            }
            consumer.check_alive()?;
            if began.elapsed() > PATIENCE {
                let told = consumer.told();
                bail!("{deleted} of {count} messages consumed in {PATIENCE:?}:\n{told}");
            }
            clock::pause(LOOK_EVERY).await;
        }
    }

    /// The body of the one message in the queue.
    pub(crate) fn take_one(&self, queue: &Queue) -> anyhow::Result<String> {
        let ask = weir_sandbox::cloud::sqs::Receive {
            max: 1,
            visibility_timeout: None,
        };
        let cloud = self.sandbox.cloud();
        let found = cloud.with(|cloud, now| cloud.sqs.receive(now, &queue.name, ask));
        let found = found.map_err(|error| refused(&error))?;
        let message = found.first().context("no message came")?;
        Ok(message.message.body.to_string())
    }

    /// What happened to the queue's messages.
    pub(crate) fn totals(&self, queue: &Queue) -> anyhow::Result<Totals> {
        let cloud = self.sandbox.cloud();
        let totals = cloud.look(|cloud, _| cloud.sqs.totals(&queue.name));
        totals.map_err(|error| refused(&error))
    }

    /// The calls of SQS so far, as they came over the wire.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        let calls = self.sandbox.cloud().calls().into_iter();
        calls
            .filter(|((service, _), _)| service == "sqs")
            .map(|((_, action), count)| (action, count))
            .collect()
    }

    pub(crate) async fn end(self) {
        self.sandbox.shutdown().await;
    }
}

fn refused(error: &ApiError) -> anyhow::Error {
    anyhow!("the sandbox refused: {error}")
}

/// A body of [`BODY_BYTES`], like no other.
pub(crate) fn body(nth: usize) -> String {
    let head = format!(r#"{{"image":"photos/{nth:09}.png","width":256,"note":""#);
    let tail = "\"}";
    let pad = "x".repeat(BODY_BYTES - head.len() - tail.len());
    format!("{head}{pad}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_one_size() {
        for nth in [0, 7, 999_999_999] {
            assert_eq!(body(nth).len(), BODY_BYTES);
        }
    }
}
