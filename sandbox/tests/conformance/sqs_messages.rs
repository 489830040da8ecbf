//! SQS: sending, receiving, hiding and deleting.

use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName as System,
    QueueAttributeName as Name,
};
use weir_sandbox::cloud::CloudConfig;
use weir_sandbox::cloud::sqs::CountLag;

use crate::harness::{Aws, code, message, waits};

async fn queue(aws: &Aws, name: &str, attributes: &[(Name, &str)]) -> String {
    let mut create = aws.sqs().create_queue().queue_name(name);
    for (name, value) in attributes {
        create = create.attributes(name.clone(), *value);
    }
    create.send().await.unwrap().queue_url.unwrap()
}

async fn send(aws: &Aws, url: &str, body: &str) {
    aws.sqs()
        .send_message()
        .queue_url(url)
        .message_body(body)
        .send()
        .await
        .unwrap();
}

async fn receive(aws: &Aws, url: &str, max: i32) -> Vec<Message> {
    let receive = aws
        .sqs()
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max);
    let receive = receive
        .message_system_attribute_names(System::All)
        .message_attribute_names("All");
    receive.send().await.unwrap().messages.unwrap_or_default()
}

fn system<'a>(message: &'a Message, name: &System) -> &'a str {
    &message.attributes().unwrap()[name]
}

async fn counts(aws: &Aws, url: &str) -> [u64; 3] {
    let names = [
        Name::ApproximateNumberOfMessages,
        Name::ApproximateNumberOfMessagesNotVisible,
        Name::ApproximateNumberOfMessagesDelayed,
    ];
    let get = aws.sqs().get_queue_attributes().queue_url(url);
    let got = get
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .unwrap();
    names.map(|name| got.attributes().unwrap()[&name].parse().unwrap())
}

/// `SendMessage` and `ReceiveMessage`: the body, its MD5, and the attributes `SentTimestamp`,
/// `ApproximateReceiveCount` and `ApproximateFirstReceiveTimestamp`.
#[tokio::test]
async fn a_message_comes_as_it_was_sent() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    let sent = aws
        .sqs()
        .send_message()
        .queue_url(&url)
        .message_body("hello <&> \u{1F30A}")
        .send();
    let sent = sent.await.unwrap();
    let [got] = receive(&aws, &url, 10).await.try_into().unwrap();
    assert_eq!(got.body(), Some("hello <&> \u{1F30A}"));
    assert_eq!(got.message_id(), sent.message_id());
    assert_eq!(got.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(system(&got, &System::ApproximateReceiveCount), "1");
    let at = |name| system(&got, &name).parse::<u64>().unwrap();
    assert!(at(System::SentTimestamp) <= at(System::ApproximateFirstReceiveTimestamp));
    assert!(
        at(System::SentTimestamp) > 1_600_000_000_000,
        "in milliseconds"
    );
}

/// "Calculating the MD5 message digest for message attributes" (Developer Guide): a digest worked out
/// by hand from the rules there.
#[tokio::test]
async fn message_attributes_come_with_their_digest() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    let text = |kind: &str, value: &str| {
        MessageAttributeValue::builder()
            .data_type(kind)
            .string_value(value)
            .build()
            .unwrap()
    };
    let binary = MessageAttributeValue::builder();
    let binary = binary
        .data_type("Binary")
        .binary_value(Blob::new([0, 255]))
        .build()
        .unwrap();
    let call = aws.sqs().send_message().queue_url(&url).message_body("x");
    let call = call
        .message_attributes("JobId", text("String", "j-1"))
        .message_attributes("Size", text("Number", "12"))
        .message_attributes("Raw", binary);
    let sent = call.send().await.unwrap();
    // From boto's and the SDKs' own rule, worked out with hashlib.
    assert_eq!(
        sent.md5_of_message_attributes(),
        Some("741380f7caf18da58585abf36ea016c2")
    );
    let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
    assert_eq!(
        got.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    let attributes = got.message_attributes().unwrap();
    assert_eq!(attributes["JobId"].string_value(), Some("j-1"));
    assert_eq!(attributes["Raw"].binary_value(), Some(&Blob::new([0, 255])));
    assert_eq!(attributes.len(), 3);
}

/// `ReceiveMessage`, `MessageAttributeNames`: only what is asked for is returned.
#[tokio::test]
async fn only_the_attributes_asked_for_are_returned() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::VisibilityTimeout, "0")]).await;
    let value = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v")
        .build()
        .unwrap();
    let send = aws.sqs().send_message().queue_url(&url).message_body("x");
    let send = send
        .message_attributes("app.a", value.clone())
        .message_attributes("other", value);
    send.send().await.unwrap();
    let none = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    assert!(none.messages()[0].message_attributes().is_none());
    assert!(none.messages()[0].attributes().is_none());
    let prefix = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .message_attribute_names("app.*");
    let prefix = prefix.send().await.unwrap();
    let names: Vec<&String> = prefix.messages()[0]
        .message_attributes()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names, ["app.a"]);
}

/// "Amazon SQS visibility timeout": a received message is hidden, and comes back when the timeout ends,
/// with a receive count of one more and a new receipt handle.
#[tokio::test]
async fn a_message_comes_back_when_its_visibility_timeout_ends() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::VisibilityTimeout, "30")]).await;
    send(&aws, &url, "x").await;
    let [first] = receive(&aws, &url, 1).await.try_into().unwrap();
    assert_eq!(counts(&aws, &url).await, [0, 1, 0]);
    assert!(receive(&aws, &url, 1).await.is_empty());
    aws.skip(30);
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
    let [second] = receive(&aws, &url, 1).await.try_into().unwrap();
    assert_eq!(system(&second, &System::ApproximateReceiveCount), "2");
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    assert_eq!(
        system(&first, &System::ApproximateFirstReceiveTimestamp),
        system(&second, &System::ApproximateFirstReceiveTimestamp)
    );
}

/// `DeleteMessage`: "If a message is received more than once, the `ReceiptHandle` is different for each
/// receipt. If you don't provide the most recent receipt handle, the request will succeed. However, the
/// message might not be deleted."
#[tokio::test]
async fn an_old_receipt_handle_deletes_nothing() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    send(&aws, &url, "x").await;
    let [first] = receive(&aws, &url, 1).await.try_into().unwrap();
    aws.skip(30);
    let [second] = receive(&aws, &url, 1).await.try_into().unwrap();
    let delete = |handle: &str| {
        aws.sqs()
            .delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
    };
    delete(first.receipt_handle().unwrap()).await.unwrap();
    assert_eq!(counts(&aws, &url).await, [0, 1, 0]);
    delete(second.receipt_handle().unwrap()).await.unwrap();
    assert_eq!(counts(&aws, &url).await, [0, 0, 0]);
    // "Amazon SQS can delete a message ... even if it was deleted before": it succeeds again.
    delete(second.receipt_handle().unwrap()).await.unwrap();
    let error = delete("not-a-handle").await.unwrap_err();
    assert_eq!(code(&error), "ReceiptHandleIsInvalid");
}

/// "Amazon SQS visibility timeout": a handle whose timeout has ended deletes the message as long as
/// nobody else has received it.
#[tokio::test]
async fn a_late_delete_counts_while_nobody_else_has_the_message() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    send(&aws, &url, "x").await;
    let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
    aws.skip(31);
    let delete = aws.sqs().delete_message().queue_url(&url);
    delete
        .receipt_handle(got.receipt_handle().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(counts(&aws, &url).await, [0, 0, 0]);
}

/// `ChangeMessageVisibility`: the timeout runs anew from the call; zero makes the message visible at
/// once; a message that is not in flight is `MessageNotInflight`.
#[tokio::test]
async fn visibility_can_be_changed_while_in_flight() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    send(&aws, &url, "x").await;
    let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
    let handle = got.receipt_handle().unwrap();
    let change = |seconds| {
        let change = aws.sqs().change_message_visibility().queue_url(&url);
        change
            .receipt_handle(handle)
            .visibility_timeout(seconds)
            .send()
    };
    aws.skip(20);
    change(60).await.unwrap();
    aws.skip(50);
    assert_eq!(counts(&aws, &url).await, [0, 1, 0]);
    change(0).await.unwrap();
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
    let error = change(30).await.unwrap_err();
    assert_eq!(code(&error), "AWS.SimpleQueueService.MessageNotInflight");
    assert!(error.into_service_error().is_message_not_inflight());
}

/// `ChangeMessageVisibility`: "you can't extend the timeout ... beyond ... 12 hours. The 12-hour limit
/// starts from the time Amazon SQS receives the `ReceiveMessage` request."
#[tokio::test]
async fn twelve_hours_from_the_receive_are_the_most() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::VisibilityTimeout, "43200")]).await;
    send(&aws, &url, "x").await;
    let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
    let change = |seconds| {
        let change = aws.sqs().change_message_visibility().queue_url(&url);
        let change = change.receipt_handle(got.receipt_handle().unwrap());
        change.visibility_timeout(seconds).send()
    };
    let error = change(43_201).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    aws.skip(3_600);
    let error = change(43_200).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    assert!(
        message(&error).contains("beyond the limit"),
        "{}",
        message(&error)
    );
    change(39_000).await.unwrap();
}

/// `ChangeMessageVisibility` on a message that is gone: `InvalidParameterValue`, "Message does not exist
/// or is not available for visibility timeout change."
#[tokio::test]
async fn visibility_of_a_message_that_is_gone_cannot_be_changed() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    send(&aws, &url, "x").await;
    let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
    let handle = got.receipt_handle().unwrap();
    aws.sqs()
        .delete_message()
        .queue_url(&url)
        .receipt_handle(handle)
        .send()
        .await
        .unwrap();
    let change = aws.sqs().change_message_visibility().queue_url(&url);
    let error = change
        .receipt_handle(handle)
        .visibility_timeout(30)
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    assert!(
        message(&error).contains("not available"),
        "{}",
        message(&error)
    );
}

/// "Amazon SQS delay queues" and "message timers": hidden when first sent; the message's own delay
/// wins; 900 seconds are the most.
#[tokio::test]
async fn delayed_messages_come_later() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::DelaySeconds, "10")]).await;
    send(&aws, &url, "by the queue").await;
    let own = aws
        .sqs()
        .send_message()
        .queue_url(&url)
        .message_body("at once")
        .delay_seconds(0);
    own.send().await.unwrap();
    assert_eq!(counts(&aws, &url).await, [1, 0, 1]);
    aws.skip(10);
    assert_eq!(counts(&aws, &url).await, [2, 0, 0]);
    let late = aws
        .sqs()
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .delay_seconds(901);
    assert_eq!(
        code(&late.send().await.unwrap_err()),
        "InvalidParameterValue"
    );
}

/// "Using dead-letter queues in Amazon SQS": a message received `maxReceiveCount` times without a delete
/// goes there instead of coming again; its enqueue time stays ("the expiration ... is always based on
/// its original enqueue timestamp").
#[tokio::test]
async fn a_message_received_too_often_goes_to_the_dead_letter_queue() {
    let aws = Aws::start().await;
    let dead = queue(&aws, "dead", &[]).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":"2"}"#;
    let url = queue(&aws, "jobs", &[(Name::RedrivePolicy, policy)]).await;
    send(&aws, &url, "poison").await;
    let [first] = receive(&aws, &url, 1).await.try_into().unwrap();
    aws.skip(30);
    assert_eq!(receive(&aws, &url, 1).await.len(), 1);
    aws.skip(30);
    assert!(receive(&aws, &url, 10).await.is_empty());
    assert_eq!(counts(&aws, &url).await, [0, 0, 0]);
    let [got] = receive(&aws, &dead, 10).await.try_into().unwrap();
    assert_eq!(got.message_id(), first.message_id());
    assert_eq!(
        system(&got, &System::SentTimestamp),
        system(&first, &System::SentTimestamp)
    );
    let source = system(&got, &System::DeadLetterQueueSourceArn);
    assert_eq!(source, "arn:aws:sqs:eu-west-1:000000000000:jobs");
}

/// `SetQueueAttributes`, `MessageRetentionPeriod`: after it a message is gone, in flight or not.
#[tokio::test]
async fn messages_expire() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::MessageRetentionPeriod, "60")]).await;
    send(&aws, &url, "in flight").await;
    receive(&aws, &url, 1).await;
    aws.skip(20);
    send(&aws, &url, "visible").await;
    aws.skip(40);
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
    aws.skip(20);
    assert_eq!(counts(&aws, &url).await, [0, 0, 0]);
}

/// `ReceiveMessage`, `MaxNumberOfMessages`: 1 to 10; `WaitTimeSeconds`: 0 to 20.
#[tokio::test]
async fn a_receive_asks_for_one_to_ten_messages() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    for _ in 0..12 {
        send(&aws, &url, "x").await;
    }
    assert_eq!(receive(&aws, &url, 10).await.len(), 10);
    for max in [0, 11] {
        let receive = aws
            .sqs()
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(max);
        assert_eq!(
            code(&receive.send().await.unwrap_err()),
            "InvalidParameterValue",
            "{max}"
        );
    }
    let receive = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(21);
    assert_eq!(
        code(&receive.send().await.unwrap_err()),
        "InvalidParameterValue"
    );
}

/// "Amazon SQS short and long polling": a long poll answers as soon as a message arrives.
#[tokio::test]
async fn a_long_poll_ends_when_a_message_arrives() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    let poll = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let poll = tokio::spawn(poll);
    waits(&aws).await;
    send(&aws, &url, "x").await;
    let got = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("woken by the send");
    assert_eq!(got.unwrap().unwrap().messages().len(), 1);
}

/// As above: several long polls share what arrives in one batch; each gets some.
#[tokio::test]
async fn several_long_polls_are_woken_by_one_batch() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    let poll = || {
        let poll = aws
            .sqs()
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(20);
        tokio::spawn(poll.max_number_of_messages(1).send())
    };
    let polls = [poll(), poll(), poll()];
    waits(&aws).await;
    let batch = aws.sqs().send_message_batch().queue_url(&url);
    let batch = ["a", "b", "c"].into_iter().fold(batch, |batch, id| {
        let entry = aws_sdk_sqs::types::SendMessageBatchRequestEntry::builder();
        batch.entries(entry.id(id).message_body(id).build().unwrap())
    });
    batch.send().await.unwrap();
    for poll in polls {
        let got = tokio::time::timeout(Duration::from_secs(5), poll)
            .await
            .expect("woken by the batch");
        assert_eq!(got.unwrap().unwrap().messages().len(), 1);
    }
}

/// As above: a long poll also answers when a hidden message becomes visible again.
#[tokio::test]
async fn a_long_poll_ends_when_a_visibility_timeout_ends() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[(Name::VisibilityTimeout, "60")]).await;
    send(&aws, &url, "x").await;
    receive(&aws, &url, 1).await;
    let poll = tokio::spawn(
        aws.sqs()
            .receive_message()
            .queue_url(&url)
            .wait_time_seconds(20)
            .send(),
    );
    waits(&aws).await;
    aws.skip(60);
    let got = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("woken by the expiry");
    assert_eq!(got.unwrap().unwrap().messages().len(), 1);
}

/// As above, and "Using dead-letter queues in Amazon SQS": what a receive moves to a dead-letter queue
/// ends the long poll there.
#[tokio::test]
async fn a_long_poll_on_a_dead_letter_queue_ends_when_a_message_dies() {
    let aws = Aws::start().await;
    let dead = queue(&aws, "dead", &[]).await;
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":1}"#;
    let url = queue(&aws, "jobs", &[(Name::RedrivePolicy, policy)]).await;
    send(&aws, &url, "poison").await;
    assert_eq!(receive(&aws, &url, 1).await.len(), 1);
    aws.skip(30);
    let poll = aws.sqs().receive_message().queue_url(&dead);
    let poll = tokio::spawn(poll.wait_time_seconds(20).send());
    waits(&aws).await;
    assert!(receive(&aws, &url, 1).await.is_empty());
    let got = tokio::time::timeout(Duration::from_secs(5), poll).await;
    let got = got.expect("woken by the move").unwrap().unwrap();
    assert_eq!(got.messages().len(), 1);
}

/// A client that hangs up while it waits takes nothing here. (Real SQS may have assigned messages to
/// the dead connection: they stay hidden for their visibility timeout.)
#[tokio::test]
async fn a_long_poll_that_hangs_up_takes_nothing() {
    let aws = Aws::start().await;
    let url = queue(&aws, "jobs", &[]).await;
    let poll = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let poll = tokio::spawn(poll);
    waits(&aws).await;
    poll.abort();
    assert!(poll.await.unwrap_err().is_cancelled());
    send(&aws, &url, "x").await;
    let poll = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send();
    let got = tokio::time::timeout(Duration::from_secs(5), poll)
        .await
        .expect("the message is there");
    assert_eq!(got.unwrap().messages().len(), 1);
}

/// `GetQueueAttributes`: counts "are approximate ... because of the distributed architecture"; the
/// configured delay makes them late.
#[tokio::test]
async fn counts_are_late_when_so_configured() {
    let count_lag = CountLag {
        delay: Duration::from_mins(1),
        noise: 0.0,
    };
    let aws = Aws::with(&CloudConfig {
        count_lag,
        ..CloudConfig::default()
    })
    .await;
    let url = queue(&aws, "jobs", &[]).await;
    send(&aws, &url, "x").await;
    assert_eq!(counts(&aws, &url).await, [0, 0, 0]);
    aws.skip(60);
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
    assert_eq!(receive(&aws, &url, 1).await.len(), 1);
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
    aws.skip(29);
    assert_eq!(counts(&aws, &url).await, [1, 0, 0]);
}
