//! The worker's ports to SQS and DynamoDB, held to the suites that its memory ones pass.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod common;

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use common::{Ground, QUEUE};
use weir_protocol::JobState;
use weir_sandbox::sandbox::JOBS_TABLE;
use weir_sandbox::stores::{Stores, client_config};
use weir_worker::conformance;
use weir_worker::jobs::{DynamoJobs, Jobs};
use weir_worker::lease::{Claim, Ending, Finish, Held, Over, Unclaimed};
use weir_worker::payload::S3Payloads;
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

#[tokio::test(flavor = "multi_thread")]
async fn sqs_conforms_as_a_fifo_queue() {
    let ground = Ground::start(None).await;
    let arn = make_fifo(&ground, "dead.fifo", None).await;
    let redrive = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":20}}"#);
    make_fifo(&ground, "jobs.fifo", Some(redrive)).await;
    let config = client_config(ground.sandbox.url()).await;
    let queue = Sqs::find(aws_sdk_sqs::Client::new(&config), "jobs.fifo")
        .await
        .unwrap();
    assert_eq!(conformance::fifo_queue(&queue).await, Ok(()));
    ground.sandbox.shutdown().await;
}

/// Makes a FIFO queue; gives its ARN.
async fn make_fifo(ground: &Ground, name: &str, redrive: Option<String>) -> String {
    let attributes = [(Name::FifoQueue, "true".to_owned())];
    let redrive = redrive.map(|policy| (Name::RedrivePolicy, policy));
    let create = ground.books.sqs.create_queue().queue_name(name);
    let create = create.set_attributes(Some(attributes.into_iter().chain(redrive).collect()));
    let url = create.send().await.unwrap().queue_url.unwrap();
    let get = ground.books.sqs.get_queue_attributes().queue_url(url);
    let got = get.attribute_names(Name::QueueArn).send().await.unwrap();
    got.attributes.unwrap()[&Name::QueueArn].clone()
}

const LEDGER: &str = "ledger";

/// The jobs table, and a table of the handler's with the key `commit_id`.
struct Tables {
    client: Client,
    jobs: DynamoJobs,
    _stores: Stores,
    _folder: tempfile::TempDir,
}

impl Tables {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = Stores::open(folder.path(), Duration::ZERO).await.unwrap();
        stores.make_tables(JOBS_TABLE, "weir-state").await.unwrap();
        stores.make_table(LEDGER, &["commit_id"]).await.unwrap();
        let client = Client::new(&client_config(&stores.dynamodb_url).await);
        Self {
            jobs: DynamoJobs::new(client.clone(), JOBS_TABLE),
            client,
            _stores: stores,
            _folder: folder,
        }
    }

    async fn in_ledger(&self, id: &str) -> bool {
        let request = self.client.get_item().table_name(LEDGER);
        let request = request.key("commit_id", AttributeValue::S(id.into()));
        request.send().await.unwrap().item.is_some()
    }
}

/// A handler's write that asks for there to be none of this id.
fn commit(id: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(LEDGER)
        .item("commit_id", AttributeValue::S(id.into()))
        .condition_expression("attribute_not_exists(commit_id)")
        .build();
    TransactWriteItem::builder().put(put.unwrap()).build()
}

fn claim(job_id: &str, token: &str, now: f64) -> Claim {
    Claim {
        job_id: job_id.into(),
        token: token.into(),
        worker: "w".into(),
        queue: "q".into(),
        message_id: "message".into(),
        ticket: None,
        sent_at: None,
        now,
        lease_seconds: 60.0,
        expires_at: 9_999_999_999,
    }
}

/// A completion over a lease, or over nothing.
fn done(job_id: &str, token: &str, over: Over) -> Finish {
    Finish {
        job_id: job_id.into(),
        token: token.into(),
        over,
        at: 1100.0,
        expires_at: 9_999_999_999,
        ending: Ending::Succeeded {
            result: token.into(),
        },
    }
}

fn nothing() -> Over {
    Over::Nothing(Box::new(Unclaimed {
        worker: "w".into(),
        queue: "q".into(),
        sent_at: None,
        started_at: 1000.0,
    }))
}

#[tokio::test]
async fn the_jobs_table_conforms() {
    let tables = Tables::open().await;
    assert_eq!(conformance::jobs(&tables.jobs, "job").await, Ok(()));
}

/// All actions of a transaction succeed or none does, and a repeat with the same client request
/// token has no further effect (DynamoDB Developer Guide, "Amazon DynamoDB Transactions: How it
/// works", "Idempotency").
#[tokio::test]
async fn handlers_writes_share_the_fate_of_the_end() {
    let tables = Tables::open().await;
    for (id, over) in [("leased", Over::Lease), ("unclaimed", nothing())] {
        if over == Over::Lease {
            tables.jobs.claim(&claim(id, id, 1000.0)).await.unwrap();
        }
        let finish = done(id, id, over);
        for time in ["first", "second"] {
            let held = tables.jobs.finish(&finish, &[commit(id)]).await;
            assert_eq!(held, Ok(Held::Yes), "{id}, the {time} time");
        }
        assert!(tables.in_ledger(id).await, "{id}");
        let record = tables.jobs.get(id).await.unwrap().unwrap();
        assert_eq!(record.result.as_deref(), Some(id), "{id}");
    }
}

#[tokio::test]
async fn fenced_attempts_writes_are_not_made() {
    let tables = Tables::open().await;
    for (id, over) in [("leased", Over::Lease), ("unclaimed", nothing())] {
        tables.jobs.claim(&claim(id, "a", 1000.0)).await.unwrap();
        tables.jobs.claim(&claim(id, "b", 1063.0)).await.unwrap();
        let writes = [commit(id)];
        let late = tables.jobs.finish(&done(id, "a", over), &writes).await;
        assert_eq!(late, Ok(Held::Lost), "{id}");
        assert!(!tables.in_ledger(id).await, "{id}");
        let record = tables.jobs.get(id).await.unwrap().unwrap();
        assert_eq!(record.state, JobState::Running, "{id}");
    }
}

#[tokio::test]
async fn refused_write_of_a_handler_leaves_the_record_as_it_was() {
    let tables = Tables::open().await;
    let first = [commit("taken")];
    assert_eq!(tables.jobs.write("token-0", &first).await, Ok(()));
    for (id, over) in [("leased", Over::Lease), ("unclaimed", nothing())] {
        if over == Over::Lease {
            tables.jobs.claim(&claim(id, "a", 1000.0)).await.unwrap();
        }
        let before = tables.jobs.get(id).await.unwrap();
        let writes = [commit(id), commit("taken")];
        let token = if over == Over::Lease { "a" } else { "b" };
        let refused = tables.jobs.finish(&done(id, token, over), &writes).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.starts_with("a write of the handler was refused: write 2: ConditionalCheck"),
            "{id}: {refused}"
        );
        assert!(!tables.in_ledger(id).await, "{id}");
        assert_eq!(tables.jobs.get(id).await.unwrap(), before, "{id}");
    }
}

#[tokio::test]
async fn writes_without_a_record_are_made_once_a_token_and_all_or_none() {
    let tables = Tables::open().await;
    for _ in 0..2 {
        let writes = [commit("x"), commit("y")];
        let written = tables.jobs.write("token-1", &writes).await;
        assert_eq!(written, Ok(()), "a repeat is no conflict");
    }
    assert!(tables.in_ledger("x").await && tables.in_ledger("y").await);
    let writes = [commit("z"), commit("x")];
    let refused = tables.jobs.write("token-2", &writes).await.unwrap_err();
    assert!(
        refused.to_string().contains("refused: write 2:"),
        "{refused}"
    );
    assert!(!tables.in_ledger("z").await);
}

#[tokio::test]
async fn the_payloads_in_s3_conform() {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::open(folder.path(), Duration::ZERO).await.unwrap();
    stores.make_bucket("payloads").await.unwrap();
    let payloads = S3Payloads::new(&client_config(&stores.s3_url).await);
    assert_eq!(conformance::payloads(&payloads, "payloads").await, Ok(()));
}
