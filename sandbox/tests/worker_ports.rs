//! The worker's ports to SQS and DynamoDB, held to the suites that its memory ones pass.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use common::{Ground, QUEUE};
use weir_sandbox::sandbox::JOBS_TABLE;
use weir_sandbox::stores::{Stores, client_config};
use weir_worker::conformance;
use weir_worker::jobs::DynamoJobs;
use weir_worker::sqs::Sqs;

#[tokio::test(flavor = "multi_thread")]
async fn sqs_conforms_as_a_queue() {
    let ground = Ground::start(None).await;
    let config = client_config(ground.sandbox.url()).await;
    let queue = Sqs::find(aws_sdk_sqs::Client::new(&config), QUEUE)
        .await
        .unwrap();
    assert_eq!(conformance::queue(&queue).await, Ok(()));
    ground.sandbox.shutdown().await;
}

#[tokio::test]
async fn the_jobs_table_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::open(folder.path(), Duration::ZERO).await.unwrap();
    stores.make_tables(JOBS_TABLE, "weir-state").await.unwrap();
    let config = client_config(&stores.dynamodb_url).await;
    let jobs = DynamoJobs::new(aws_sdk_dynamodb::Client::new(&config), JOBS_TABLE);
    assert_eq!(conformance::jobs(&jobs, "job").await, Ok(()));
}
