//! The stores, through the real SDK: what the worker's records lean on must hold on them.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use weir_sandbox::stores::{Stores, client_config};

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

async fn stores() -> (Stores, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let stores = Stores::open(folder.path(), Duration::ZERO).await.unwrap();
    (stores, folder)
}

async fn dynamodb() -> (Client, Stores, tempfile::TempDir) {
    let (stores, folder) = stores().await;
    stores.make_tables("weir-jobs", "weir-state").await.unwrap();
    let client = Client::new(&client_config(&stores.dynamodb_url).await);
    (client, stores, folder)
}

async fn put_running(client: &Client, job: &str, token: &str) {
    client
        .put_item()
        .table_name("weir-jobs")
        .item("job_id", text(job))
        .item("state", text("running"))
        .item("token", text(token))
        .send()
        .await
        .unwrap();
}

/// A completion as the worker writes it: conditional on the token, with a second write beside it.
fn completion(job: &str, token: &str) -> [TransactWriteItem; 2] {
    let update = Update::builder()
        .table_name("weir-jobs")
        .key("job_id", text(job))
        .update_expression("SET #state = :done")
        .condition_expression("#token = :token")
        .expression_attribute_names("#state", "state")
        .expression_attribute_names("#token", "token")
        .expression_attribute_values(":done", text("succeeded"))
        .expression_attribute_values(":token", text(token))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    let put = Put::builder()
        .table_name("weir-jobs")
        .item("job_id", text(&format!("{job}-beside")))
        .build()
        .unwrap();
    [
        TransactWriteItem::builder().update(update).build(),
        TransactWriteItem::builder().put(put).build(),
    ]
}

async fn read(client: &Client, job: &str) -> Option<HashMap<String, AttributeValue>> {
    let request = client.get_item().table_name("weir-jobs");
    let answer = request.key("job_id", text(job)).send().await.unwrap();
    answer.item
}

#[tokio::test]
async fn the_tables_are_there_with_their_ttl() {
    let (client, stores, _folder) = dynamodb().await;
    for table in ["weir-jobs", "weir-state"] {
        let ttl = client.describe_time_to_live().table_name(table).send();
        let ttl = ttl.await.unwrap().time_to_live_description.unwrap();
        assert_eq!(ttl.attribute_name.as_deref(), Some("expires_at"), "{table}");
    }
    stores.shutdown().await;
}

#[tokio::test]
async fn a_transaction_commits_all_its_writes() {
    let (client, _stores, _folder) = dynamodb().await;
    put_running(&client, "a", "1").await;
    let request = client.transact_write_items();
    let request = request.set_transact_items(Some(completion("a", "1").into()));
    request.send().await.unwrap();
    let record = read(&client, "a").await.unwrap();
    assert_eq!(record["state"], text("succeeded"));
    assert!(read(&client, "a-beside").await.is_some());
}

#[tokio::test]
async fn a_transaction_with_a_failed_condition_writes_nothing_and_shows_the_item() {
    let (client, _stores, _folder) = dynamodb().await;
    put_running(&client, "a", "2").await;
    let request = client.transact_write_items();
    let request = request.set_transact_items(Some(completion("a", "1").into()));
    let error = request.send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        panic!("{error}");
    };
    let reasons = cancelled.cancellation_reasons();
    assert_eq!(reasons[0].code(), Some("ConditionalCheckFailed"));
    assert_eq!(reasons[0].item().unwrap()["token"], text("2"));
    assert_eq!(reasons[1].code(), Some("None"));
    assert!(read(&client, "a-beside").await.is_none());
    assert_eq!(read(&client, "a").await.unwrap()["state"], text("running"));
}

#[tokio::test]
async fn a_refused_conditional_write_shows_the_item_that_stands() {
    let (client, _stores, _folder) = dynamodb().await;
    put_running(&client, "a", "1").await;
    let refused = client
        .put_item()
        .table_name("weir-jobs")
        .item("job_id", text("a"))
        .condition_expression("attribute_not_exists(job_id)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
        failed,
    ) = refused
    else {
        panic!("{refused}");
    };
    assert_eq!(failed.item().unwrap()["token"], text("1"));
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put_and_a_missing_one_is_missing() {
    let (stores, _folder) = stores().await;
    stores.make_bucket("photos").await.unwrap();
    let client = aws_sdk_s3::Client::new(&client_config(&stores.s3_url).await);
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let put = client.put_object().bucket("photos").key("a/b.png");
    put.body(bytes.clone().into()).send().await.unwrap();
    let get = client.get_object().bucket("photos").key("a/b.png").send();
    let body = get.await.unwrap().body.collect().await.unwrap();
    assert_eq!(body.into_bytes().as_ref(), bytes);

    let missing = client.get_object().bucket("photos").key("nothing").send();
    let error = missing.await.unwrap_err().into_service_error();
    assert!(error.is_no_such_key(), "{error}");
}
