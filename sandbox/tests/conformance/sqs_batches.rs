//! SQS: batches.

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Change, DeleteMessageBatchRequestEntry as Delete,
    SendMessageBatchRequestEntry as Send,
};

use crate::harness::{Aws, code};

async fn queue(aws: &Aws) -> String {
    aws.sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap()
}

fn entry(id: &str, body: &str) -> Send {
    Send::builder().id(id).message_body(body).build().unwrap()
}

/// `SendMessageBatch`, `DeleteMessageBatch`: up to ten entries, each with its own outcome.
#[tokio::test]
async fn a_batch_of_ten_goes_through() {
    let aws = Aws::start().await;
    let url = queue(&aws).await;
    let entries = (0..10).map(|n| entry(&format!("e{n}"), "x")).collect();
    let sent = aws
        .sqs()
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries));
    let sent = sent.send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed().len()), (10, 0));
    let got = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10);
    let got = got.send().await.unwrap();
    let entries = got.messages().iter().enumerate().map(|(n, message)| {
        let handle = message.receipt_handle().unwrap();
        Delete::builder()
            .id(n.to_string())
            .receipt_handle(handle)
            .build()
            .unwrap()
    });
    let bad = Delete::builder()
        .id("bad")
        .receipt_handle("nonsense")
        .build()
        .unwrap();
    let entries = entries.take(9).chain([bad]).collect();
    let deleted = aws
        .sqs()
        .delete_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries));
    let deleted = deleted.send().await.unwrap();
    assert_eq!(deleted.successful().len(), 9);
    let [failed] = deleted.failed() else {
        panic!("one entry fails: {deleted:?}")
    };
    assert_eq!(
        (failed.id(), failed.code()),
        ("bad", "ReceiptHandleIsInvalid")
    );
    assert!(failed.sender_fault());
}

/// `SendMessageBatch`, errors: `EmptyBatchRequest`, `TooManyEntriesInBatchRequest`,
/// `BatchEntryIdsNotDistinct`, `InvalidBatchEntryId`.
#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_as_a_whole() {
    let aws = Aws::start().await;
    let url = queue(&aws).await;
    let send = |entries: Vec<Send>| {
        aws.sqs()
            .send_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
    };
    let prefixed = |name: &str| format!("AWS.SimpleQueueService.{name}");
    let error = send(Vec::new()).await.unwrap_err();
    assert_eq!(code(&error), prefixed("EmptyBatchRequest"));
    let error = send((0..11).map(|n| entry(&n.to_string(), "x")).collect())
        .await
        .unwrap_err();
    assert_eq!(code(&error), prefixed("TooManyEntriesInBatchRequest"));
    let error = send(vec![entry("a", "x"), entry("a", "y")])
        .await
        .unwrap_err();
    assert_eq!(code(&error), prefixed("BatchEntryIdsNotDistinct"));
    let error = send(vec![entry("not valid", "x")]).await.unwrap_err();
    assert_eq!(code(&error), prefixed("InvalidBatchEntryId"));
    let received = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert!(
        received.messages().is_empty(),
        "nothing of a refused batch is sent"
    );
}

/// "Amazon SQS message quotas": a message of 1 MiB is the largest, and 1 MiB the largest batch.
#[tokio::test]
async fn sizes_are_limited() {
    const MIB: usize = 1 << 20;
    let aws = Aws::start().await;
    let url = queue(&aws).await;
    let send = |bytes: usize| {
        aws.sqs()
            .send_message()
            .queue_url(&url)
            .message_body("x".repeat(bytes))
            .send()
    };
    send(MIB).await.unwrap();
    let error = send(MIB + 1).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    let half = "x".repeat(MIB / 2 + 1);
    let batch = aws.sqs().send_message_batch().queue_url(&url);
    let batch = batch.entries(entry("a", &half)).entries(entry("b", &half));
    let error = batch.send().await.unwrap_err();
    assert_eq!(code(&error), "AWS.SimpleQueueService.BatchRequestTooLong");
}

/// `SendMessage`, `MessageBody`: "A message can include only XML, JSON, and unformatted text"; other
/// characters are `InvalidMessageContents`.
#[tokio::test]
async fn characters_outside_of_xml_are_refused() {
    let aws = Aws::start().await;
    let url = queue(&aws).await;
    let send = aws
        .sqs()
        .send_message()
        .queue_url(&url)
        .message_body("bell \u{7}");
    let error = send.send().await.unwrap_err();
    assert!(error.into_service_error().is_invalid_message_contents());
}

/// `ChangeMessageVisibilityBatch`: each entry has its own timeout and its own outcome.
#[tokio::test]
async fn visibility_changes_in_batches() {
    let aws = Aws::start().await;
    let url = queue(&aws).await;
    let send = aws.sqs().send_message_batch().queue_url(&url);
    send.entries(entry("a", "a"))
        .entries(entry("b", "b"))
        .send()
        .await
        .unwrap();
    let got = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(2);
    let got = got.send().await.unwrap();
    let change = |id: &str, at: usize, seconds: i32| {
        let handle = got.messages()[at].receipt_handle().unwrap();
        let entry = Change::builder().id(id).receipt_handle(handle);
        entry.visibility_timeout(seconds).build().unwrap()
    };
    let batch = aws.sqs().change_message_visibility_batch().queue_url(&url);
    let batch = batch
        .entries(change("back", 0, 0))
        .entries(change("keep", 1, 600));
    let changed = batch.send().await.unwrap();
    assert_eq!((changed.successful().len(), changed.failed().len()), (2, 0));
    let again = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10);
    let again = again.send().await.unwrap();
    let bodies: Vec<_> = again
        .messages()
        .iter()
        .filter_map(|message| message.body())
        .collect();
    assert_eq!(bodies, [got.messages()[0].body().unwrap()]);
}
