//! The front end: sends the jobs, and reads what became of them, with the front end's key.
//!
//! It uses AWS's SDK alone, as a front end in any language would. It judges nothing that comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use weir_protocol::keys;

use super::deployment::{Deployment, Queue};
use super::stage::{FRONT_END, Stage};
use super::work::Job;
use crate::stores::{ACCESS_KEY, client_config};

/// SQS and DynamoDB take ten messages, and more keys, a call.
const BATCH: usize = 10;
/// So many of a hundred jobs come at once, the rest one by one.
const BURST_PERCENT: usize = 75;
/// The rest comes at this pace.
const TRICKLE_EVERY: Duration = Duration::from_millis(400);

/// The front end of one run.
#[derive(Debug)]
pub(super) struct FrontEnd<'a> {
    sqs: aws_sdk_sqs::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    deployment: &'a Deployment,
    jobs: &'a [Job],
    urls: BTreeMap<String, String>,
}

impl<'a> FrontEnd<'a> {
    /// Finds the queues; sends nothing.
    pub(super) async fn open(
        stage: &Stage,
        deployment: &'a Deployment,
        jobs: &'a [Job],
    ) -> anyhow::Result<Self> {
        let keys = Credentials::new(FRONT_END, ACCESS_KEY, None, None, "front end");
        let config = client_config(stage.sandbox.url()).await;
        let config = aws_sdk_sqs::config::Builder::from(&config).credentials_provider(keys.clone());
        let sqs = aws_sdk_sqs::Client::from_conf(config.build());
        let config = client_config(stage.dynamodb_url()).await;
        let config = aws_sdk_dynamodb::config::Builder::from(&config).credentials_provider(keys);
        let mut urls = BTreeMap::new();
        for job in jobs {
            if !urls.contains_key(&job.queue) {
                let answer = sqs.get_queue_url().queue_name(&job.queue).send().await;
                let answer = answer.with_context(|| format!("queue {}", job.queue))?;
                urls.insert(job.queue.clone(), answer.queue_url.unwrap_or_default());
            }
        }
        Ok(Self {
            sqs,
            dynamodb: aws_sdk_dynamodb::Client::from_conf(config.build()),
            deployment,
            jobs,
            urls,
        })
    }

    /// Sends the first part, all at once.
    pub(super) async fn burst(&self) -> anyhow::Result<()> {
        for (queue, url) in &self.urls {
            let entries = self.jobs[..self.burst_size()].iter();
            let entries = entries.filter(|job| job.queue == *queue);
            let entries: anyhow::Result<Vec<_>> =
                entries.map(|job| entry(job, self.is_fifo(job))).collect();
            for batch in entries?.chunks(BATCH) {
                let call = self.sqs.send_message_batch().queue_url(url);
                let answer = call.set_entries(Some(batch.to_vec())).send().await;
                let answer =
                    answer.with_context(|| format!("jobs could not be sent to {queue}"))?;
                let failed = answer.failed;
                anyhow::ensure!(failed.is_empty(), "{queue} refused {failed:?}");
            }
        }
        Ok(())
    }

    /// Sends the rest, one by one.
    #[expect(
        clippy::disallowed_methods,
        reason = "jobs trickle in on the wall clock"
    )]
    pub(super) async fn trickle(&self) -> anyhow::Result<()> {
        for job in &self.jobs[self.burst_size()..] {
            let call = self.sqs.send_message().queue_url(&self.urls[&job.queue]);
            let call = call
                .message_body(&job.body)
                .message_attributes("JobId", job_id(job)?);
            let call = if self.is_fifo(job) {
                call.message_group_id(group(job))
                    .message_deduplication_id(&job.id)
            } else {
                call
            };
            let sent = call.send().await;
            sent.with_context(|| format!("{} could not be sent", job.id))?;
            tokio::time::sleep(TRICKLE_EVERY).await;
        }
        Ok(())
    }

    /// Reads what became of jobs: of one, and of many at once.
    pub(super) async fn read_results(&self, table: &str) -> anyhow::Result<()> {
        let key = |job: &Job| AttributeValue::S(job.id.clone());
        let Some(first) = self.jobs.first() else {
            return Ok(());
        };
        let one = self.dynamodb.get_item().table_name(table);
        let one = one.key(keys::JOB_ID, key(first)).send().await;
        one.context("a result could not be read")?;
        let keys = self.jobs.iter().take(BATCH);
        let keys = keys.map(|job| [(keys::JOB_ID.to_owned(), key(job))].into());
        let asked = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .build()?;
        let many = self.dynamodb.batch_get_item().request_items(table, asked);
        many.send().await.context("results could not be read")?;
        Ok(())
    }

    fn burst_size(&self) -> usize {
        self.jobs.len() * BURST_PERCENT / 100
    }

    fn is_fifo(&self, job: &Job) -> bool {
        self.deployment
            .queue(&job.queue)
            .is_some_and(Queue::is_fifo)
    }
}

fn entry(job: &Job, fifo: bool) -> anyhow::Result<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder()
        .id(&job.id)
        .message_body(&job.body);
    let entry = entry.message_attributes("JobId", job_id(job)?);
    let entry = if fifo {
        entry
            .message_group_id(group(job))
            .message_deduplication_id(&job.id)
    } else {
        entry
    };
    Ok(entry.build()?)
}

fn job_id(job: &Job) -> anyhow::Result<MessageAttributeValue> {
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(&job.id);
    Ok(value.build()?)
}

/// Jobs of a group are done in order, so there are several groups.
fn group(job: &Job) -> String {
    let sum: usize = job.id.bytes().map(usize::from).sum();
    format!("group-{}", sum % 8)
}
