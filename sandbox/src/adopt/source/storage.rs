//! Queues, tables and buckets.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::KeyType;
use aws_sdk_sqs::types::QueueAttributeName;

use super::super::deployment::{Bucket, Queue, Table};
use super::{Source, SourceError, failed};
use crate::iam::{Statement, read_document};

/// What `GetQueueAttributes` gives and `CreateQueue` does not take.
const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Policies lie under this prefix of the artifact bucket.
const POLICIES: &str = "policies/";

impl Source {
    /// The queues, and the statements of their policies.
    pub(super) async fn queues(&self) -> Result<(Vec<Queue>, Vec<Statement>), SourceError> {
        let sqs = aws_sdk_sqs::Client::new(&self.sdk);
        let urls = sqs.list_queues().into_paginator().items().send();
        let urls: Result<Vec<_>, _> = urls.collect().await;
        let (mut queues, mut statements) = (Vec::new(), Vec::new());
        for url in urls.map_err(|error| failed("sqs:ListQueues", &error))? {
            let asked = sqs.get_queue_attributes().queue_url(&url);
            let answer = asked.attribute_names(QueueAttributeName::All).send().await;
            let answer = answer.map_err(|error| failed("sqs:GetQueueAttributes", &error))?;
            let pairs = answer.attributes.unwrap_or_default().into_iter();
            let pairs = pairs.map(|(name, value)| (name.as_str().to_owned(), value));
            let settings: BTreeMap<_, _> = pairs
                .filter(|(name, value)| settable(name, value))
                .collect();
            let name = url.rsplit('/').next().unwrap_or_default().to_owned();
            if let Some(policy) = settings.get("Policy") {
                statements.extend(read_document(&format!("queue {name}"), policy)?);
            }
            queues.push(Queue { name, settings });
        }
        queues.sort_by_key(|queue| (queue.dead_letters().is_some(), queue.name.clone()));
        Ok((queues, statements))
    }

    /// The tables.
    pub(super) async fn tables(&self) -> Result<Vec<Table>, SourceError> {
        let dynamodb = aws_sdk_dynamodb::Client::new(&self.sdk);
        let names = dynamodb.list_tables().into_paginator().items().send();
        let names: Result<Vec<_>, _> = names.collect().await;
        let mut tables = Vec::new();
        for name in names.map_err(|error| failed("dynamodb:ListTables", &error))? {
            let answer = dynamodb.describe_table().table_name(&name).send().await;
            let answer = answer.map_err(|error| failed("dynamodb:DescribeTable", &error))?;
            let keys = answer.table.and_then(|table| table.key_schema);
            let mut keys = keys.unwrap_or_default();
            keys.sort_by_key(|key| *key.key_type() != KeyType::Hash);
            let ttl = dynamodb
                .describe_time_to_live()
                .table_name(&name)
                .send()
                .await;
            let ttl = ttl.map_err(|error| failed("dynamodb:DescribeTimeToLive", &error))?;
            let ttl = ttl.time_to_live_description;
            tables.push(Table {
                name,
                keys: keys.into_iter().map(|key| key.attribute_name).collect(),
                ttl: ttl.and_then(|ttl| ttl.attribute_name),
            });
        }
        Ok(tables)
    }

    /// The buckets, with the policies in them.
    pub(super) async fn buckets(&self) -> Result<Vec<Bucket>, SourceError> {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(true);
        let s3 = aws_sdk_s3::Client::from_conf(config.build());
        let answer = s3.list_buckets().send().await;
        let answer = answer.map_err(|error| failed("s3:ListBuckets", &error))?;
        let mut buckets = Vec::new();
        for name in answer
            .buckets
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| one.name)
        {
            let mut policies = BTreeMap::new();
            let listed = s3
                .list_objects_v2()
                .bucket(&name)
                .prefix(POLICIES)
                .send()
                .await;
            let listed = listed.map_err(|error| failed("s3:ListObjectsV2", &error))?;
            for key in listed
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(|one| one.key)
            {
                let object = s3.get_object().bucket(&name).key(&key).send().await;
                let object = object.map_err(|error| failed("s3:GetObject", &error))?;
                let body = object
                    .body
                    .collect()
                    .await
                    .map_err(|error| SourceError::Refused {
                        what: format!("s3://{name}/{key}"),
                        reason: error.to_string(),
                    })?;
                let text = String::from_utf8_lossy(&body.into_bytes()).into_owned();
                policies.insert(key, text);
            }
            buckets.push(Bucket { name, policies });
        }
        Ok(buckets)
    }
}

/// Whether an attribute was set: an emulator may give what is not set as an empty text, and what
/// only FIFO queues have as `false`.
fn settable(name: &str, value: &str) -> bool {
    let of_standard_queue =
        matches!(name, "FifoQueue" | "ContentBasedDeduplication") && value == "false";
    !COMPUTED.contains(&name) && !value.is_empty() && !of_standard_queue
}
