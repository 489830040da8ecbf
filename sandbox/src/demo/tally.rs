//! Counts what became of the jobs, from what is really there: the records in the jobs table, the
//! ledger of commits, the queues, the bucket.
//!
//! This module reads and counts; whether the counts are good is the summary's affair.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use aws_sdk_sqs::types::QueueAttributeName;
use weir_protocol::{JobRecord, JobState};

/// Clients and names of all that is read.
#[derive(Clone, Debug)]
pub struct Books {
    /// For the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For the queues.
    pub sqs: aws_sdk_sqs::Client,
    /// For the thumbnails.
    pub s3: aws_sdk_s3::Client,
    /// Job records.
    pub jobs_table: String,
    /// Commits, one item each, keyed by `commit_id`.
    pub ledger_table: String,
    /// The queue's URL.
    pub queue_url: String,
    /// The dead-letter queue's URL.
    pub dead_letter_queue_url: String,
    /// The bucket.
    pub bucket: String,
}

/// A failed look at the books.
#[derive(Debug, thiserror::Error)]
#[error("{what} could not be read")]
pub struct TallyError {
    what: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// One queue's counts, as `GetQueueAttributes` gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Waiting to be received.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Not yet to be received.
    pub delayed: u64,
}

impl QueueCounts {
    /// Every message the queue holds.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// The jobs' records by job id.
    pub records: BTreeMap<String, JobRecord>,
    /// Commits by job id.
    pub commits: BTreeMap<String, u32>,
    /// The queue.
    pub queue: QueueCounts,
    /// The dead-letter queue.
    pub dead_letters: QueueCounts,
    /// Keys of the thumbnails in the bucket.
    pub thumbnails: BTreeSet<String>,
}

impl Books {
    /// Reads everything.
    pub async fn tally(&self) -> Result<Tally, TallyError> {
        Ok(Tally {
            records: self.records().await?,
            commits: self.commits().await?,
            queue: self.queue().await?,
            dead_letters: self.counts(&self.dead_letter_queue_url).await?,
            thumbnails: self.thumbnails().await?,
        })
    }

    /// The queue's counts now.
    pub async fn queue(&self) -> Result<QueueCounts, TallyError> {
        self.counts(&self.queue_url).await
    }

    /// Jobs that have succeeded or failed for good.
    pub async fn final_jobs(&self) -> Result<u64, TallyError> {
        let text = |state: JobState| AttributeValue::S(state.as_str().into());
        let mut pages = self
            .dynamodb
            .scan()
            .table_name(&self.jobs_table)
            .select(Select::Count)
            .filter_expression("#state IN (:succeeded, :failed)")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":succeeded", text(JobState::Succeeded))
            .expression_attribute_values(":failed", text(JobState::Failed))
            .into_paginator()
            .send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(&self.jobs_table, error))?;
            count += u64::try_from(page.count).unwrap_or(0);
        }
        Ok(count)
    }

    async fn records(&self) -> Result<BTreeMap<String, JobRecord>, TallyError> {
        let mut records = BTreeMap::new();
        for item in self.items(&self.jobs_table).await? {
            let record: JobRecord =
                serde_dynamo::from_item(item).map_err(|error| failed("a job's record", error))?;
            records.insert(record.job_id.clone(), record);
        }
        Ok(records)
    }

    async fn commits(&self) -> Result<BTreeMap<String, u32>, TallyError> {
        let mut commits = BTreeMap::new();
        for item in self.items(&self.ledger_table).await? {
            let job_id = item.get("job_id").and_then(|value| value.as_s().ok());
            let job_id = job_id
                .ok_or_else(|| failed("the ledger of commits", "an entry names no job_id"))?;
            *commits.entry(job_id.clone()).or_insert(0) += 1;
        }
        Ok(commits)
    }

    async fn items(
        &self,
        table: &str,
    ) -> Result<Vec<std::collections::HashMap<String, AttributeValue>>, TallyError> {
        let scan = self.dynamodb.scan().table_name(table).consistent_read(true);
        let items = scan.into_paginator().items().send().collect();
        let items: Result<Vec<_>, _> = items.await;
        items.map_err(|error| failed(&format!("table {table}"), error))
    }

    async fn counts(&self, queue_url: &str) -> Result<QueueCounts, TallyError> {
        let call = self.sqs.get_queue_attributes().queue_url(queue_url);
        let call = call.attribute_names(QueueAttributeName::All);
        let answer = call
            .send()
            .await
            .map_err(|error| failed(queue_url, error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name: QueueAttributeName| {
            let value = attributes.get(&name).and_then(|value| value.parse().ok());
            value.ok_or_else(|| failed(queue_url, format!("no {name} in the answer")))
        };
        Ok(QueueCounts {
            visible: count(QueueAttributeName::ApproximateNumberOfMessages)?,
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)?,
            delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed)?,
        })
    }

    async fn thumbnails(&self) -> Result<BTreeSet<String>, TallyError> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket);
        let mut pages = list.prefix("thumbnails/").into_paginator().send();
        let mut keys = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(&self.bucket, error))?;
            keys.extend(
                page.contents
                    .into_iter()
                    .flatten()
                    .filter_map(|one| one.key),
            );
        }
        Ok(keys)
    }
}

fn failed(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TallyError {
    TallyError {
        what: what.to_owned(),
        source: source.into(),
    }
}
