//! SQS: FIFO queues, and message groups on standard ones.
//!
//! "Guide" is the Amazon SQS Developer Guide; operations are pages of the API reference.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, Message, MessageSystemAttributeName as System,
    QueueAttributeName as Name, SendMessageBatchRequestEntry as Entry,
};

use crate::harness::{Aws, code, message, waits};

const SHA_256_OF_X: &str = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";

async fn create(aws: &Aws, name: &str, attributes: &[(Name, &str)]) -> String {
    let mut create = aws.sqs().create_queue().queue_name(name);
    for (name, value) in attributes {
        create = create.attributes(name.clone(), *value);
    }
    create.send().await.unwrap().queue_url.unwrap()
}

async fn fifo(aws: &Aws) -> String {
    create(aws, "jobs.fifo", &[(Name::FifoQueue, "true")]).await
}

/// Sends with the body as deduplication id.
async fn send(aws: &Aws, url: &str, group: &str, body: &str) -> SendMessageOutput {
    let send = aws.sqs().send_message().queue_url(url).message_body(body);
    let send = send.message_group_id(group).message_deduplication_id(body);
    send.send().await.unwrap()
}

async fn receive(aws: &Aws, url: &str, max: i32) -> Vec<Message> {
    let receive = aws
        .sqs()
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(max)
        .message_system_attribute_names(System::All);
    receive.send().await.unwrap().messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

fn system(message: &Message, name: &System) -> Option<String> {
    message.attributes()?.get(name).cloned()
}

async fn delete(aws: &Aws, url: &str, message: &Message) {
    let delete = aws.sqs().delete_message().queue_url(url);
    let delete = delete.receipt_handle(handle(message));
    delete.send().await.unwrap();
}

async fn put_back(aws: &Aws, url: &str, message: &Message) {
    let change = aws.sqs().change_message_visibility().queue_url(url);
    let change = change.receipt_handle(handle(message)).visibility_timeout(0);
    change.send().await.unwrap();
}

async fn attributes(aws: &Aws, url: &str, name: Name) -> HashMap<Name, String> {
    let get = aws.sqs().get_queue_attributes().queue_url(url);
    let got = get.attribute_names(name).send().await.unwrap();
    got.attributes().cloned().unwrap_or_default()
}

/// `CreateQueue`: "A FIFO queue name must end with the .fifo suffix", and the suffix belongs to FIFO
/// queues alone; with it a name may have 80 characters.
#[tokio::test]
async fn the_name_of_a_fifo_queue_ends_in_fifo() {
    let aws = Aws::start().await;
    let long = format!("{}.fifo", "q".repeat(76));
    let wrong = [
        ("jobs", Some("true")),
        (".fifo", Some("true")),
        (long.as_str(), Some("true")),
        ("jobs.fifo", None),
        ("jobs.fifo", Some("false")),
    ];
    for (name, fifo) in wrong {
        let mut create = aws.sqs().create_queue().queue_name(name);
        if let Some(value) = fifo {
            create = create.attributes(Name::FifoQueue, value);
        }
        let error = create.send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue", "{name}, {fifo:?}");
    }
    create(&aws, &long[1..], &[(Name::FifoQueue, "true")]).await;
}

/// `CreateQueue` and `SetQueueAttributes`: what a FIFO queue has besides, with its defaults; "you
/// can't change" a queue's type; `perMessageGroupId` "is allowed only when the value for
/// `DeduplicationScope` is `messageGroup`"; a standard queue has none of this.
#[tokio::test]
async fn a_fifo_queue_has_attributes_of_its_own() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    let all = attributes(&aws, &url, Name::All).await;
    let get = |name: Name| all.get(&name).map(String::as_str);
    assert_eq!(get(Name::FifoQueue), Some("true"));
    assert_eq!(get(Name::ContentBasedDeduplication), Some("false"));
    assert_eq!(get(Name::DeduplicationScope), Some("queue"));
    assert_eq!(get(Name::FifoThroughputLimit), Some("perQueue"));
    let set = |url: &str, changes: &[(Name, &str)]| {
        let mut set = aws.sqs().set_queue_attributes().queue_url(url);
        for (name, value) in changes {
            set = set.attributes(name.clone(), *value);
        }
        set.send()
    };
    let per_group = (Name::FifoThroughputLimit, "perMessageGroupId");
    for change in [(Name::FifoQueue, "false"), per_group.clone()] {
        let error = set(&url, &[change]).await.unwrap_err();
        assert_eq!(code(&error), "InvalidAttributeValue");
    }
    let scope = (Name::DeduplicationScope, "messageGroup");
    set(&url, &[per_group, scope]).await.unwrap();
    let limit = attributes(&aws, &url, Name::FifoThroughputLimit).await;
    assert_eq!(limit[&Name::FifoThroughputLimit], "perMessageGroupId");

    let standard = create(&aws, "jobs", &[]).await;
    assert_eq!(
        attributes(&aws, &standard, Name::All)
            .await
            .get(&Name::FifoQueue),
        None
    );
    let error = set(&standard, &[(Name::ContentBasedDeduplication, "true")])
        .await
        .unwrap_err();
    assert_eq!(code(&error), "InvalidAttributeName");
    let error = set(&standard, &[(Name::FifoQueue, "true")])
        .await
        .unwrap_err();
    assert_eq!(code(&error), "InvalidAttributeValue");
}

/// `SendMessage`: "If you do not provide a `MessageGroupId` when sending a message to a FIFO queue, the
/// action fails"; without a deduplication id and `ContentBasedDeduplication` it "fails with an error";
/// ids have up to 128 letters, digits and punctuation marks.
#[tokio::test]
async fn a_message_needs_a_group_and_a_deduplication_id() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    let new = || aws.sqs().send_message().queue_url(&url).message_body("x");
    let error = new().message_deduplication_id("d").send().await;
    assert_eq!(code(&error.unwrap_err()), "MissingParameter");
    let error = new().message_group_id("g").send().await;
    assert_eq!(code(&error.unwrap_err()), "InvalidParameterValue");
    for bad in ["", "with space", "ü", &"x".repeat(129)] {
        let error = new().message_group_id(bad).message_deduplication_id("d");
        let error = error.send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue", "{bad}");
        let error = new().message_group_id("g").message_deduplication_id(bad);
        let error = error.send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue", "{bad}");
    }
    let long = "~".repeat(128);
    let long = new()
        .message_group_id(&long)
        .message_deduplication_id(&long);
    long.send().await.unwrap();
}

/// `SendMessage`, `DelaySeconds`: "When you set `FifoQueue`, you can't set `DelaySeconds` per message.
/// You can set this parameter only on a queue level." A zero is taken and changes nothing.
#[tokio::test]
async fn only_the_queue_itself_can_delay() {
    let aws = Aws::start().await;
    let delayed = [(Name::FifoQueue, "true"), (Name::DelaySeconds, "60")];
    let url = create(&aws, "jobs.fifo", &delayed).await;
    let send = |delay| {
        let send = aws.sqs().send_message().queue_url(&url).message_body("x");
        let send = send.message_group_id("g").message_deduplication_id("d");
        send.delay_seconds(delay).send()
    };
    let error = send(5).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    assert!(
        message(&error).contains("queue type"),
        "{}",
        message(&error)
    );
    send(0).await.unwrap();
    aws.skip(59);
    assert!(receive(&aws, &url, 1).await.is_empty());
    aws.skip(1);
    assert_eq!(receive(&aws, &url, 1).await.len(), 1);
}

/// `SendMessage` and `ReceiveMessage`: `SequenceNumber` "continues to increase for a particular
/// `MessageGroupId`" and has 128 bits; it, the group and the deduplication id come with the message.
#[tokio::test]
async fn a_message_comes_with_its_group_and_a_sequence_number() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    let mut numbers = Vec::new();
    for body in ["1", "2", "3"] {
        let sent = send(&aws, &url, "g", body).await;
        numbers.push(sent.sequence_number().unwrap().parse::<u128>().unwrap());
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let got = receive(&aws, &url, 10).await;
    assert_eq!(bodies(&got), ["1", "2", "3"]);
    for (message, number) in got.iter().zip(numbers) {
        let of = |name| system(message, &name);
        assert_eq!(of(System::MessageGroupId).as_deref(), Some("g"));
        assert_eq!(
            of(System::MessageDeduplicationId).as_deref(),
            message.body()
        );
        assert_eq!(of(System::SequenceNumber), Some(number.to_string()));
    }
}

/// Guide, "FIFO queue delivery logic": a receive "attempts to return as many messages with the same
/// message group ID as possible", "each group retains FIFO order", and may add those of other groups.
#[tokio::test]
async fn a_receive_takes_a_group_in_order_before_the_next() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    for (group, body) in [
        ("a", "a1"),
        ("b", "b1"),
        ("a", "a2"),
        ("b", "b2"),
        ("a", "a3"),
    ] {
        send(&aws, &url, group, body).await;
    }
    assert_eq!(
        bodies(&receive(&aws, &url, 4).await),
        ["a1", "a2", "a3", "b1"]
    );
}

/// `ReceiveMessage`: "While messages with a particular `MessageGroupId` are invisible, no more messages
/// belonging to the same `MessageGroupId` are returned until the visibility timeout expires. You can
/// still receive messages with another `MessageGroupId`."
#[tokio::test]
async fn a_group_waits_while_one_of_it_is_in_flight_and_others_go_on() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        send(&aws, &url, group, body).await;
    }
    let first = receive(&aws, &url, 1).await;
    assert_eq!(bodies(&first), ["a1"]);
    assert_eq!(bodies(&receive(&aws, &url, 10).await), ["b1"]);
    delete(&aws, &url, &first[0]).await;
    assert_eq!(bodies(&receive(&aws, &url, 10).await), ["a2"]);
}

/// Guide, "FIFO queue delivery logic": the order holds "even when retries occur": what comes again,
/// by the end of its visibility timeout or put back, comes before what was sent later to its group.
#[tokio::test]
async fn what_comes_again_comes_first() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    for body in ["1", "2", "3"] {
        send(&aws, &url, "g", body).await;
    }
    let first = receive(&aws, &url, 1).await;
    put_back(&aws, &url, &first[0]).await;
    assert_eq!(bodies(&receive(&aws, &url, 2).await), ["1", "2"]);
    assert!(receive(&aws, &url, 10).await.is_empty());
    aws.skip(30);
    let again = receive(&aws, &url, 10).await;
    assert_eq!(bodies(&again), ["1", "2", "3"]);
    let counted = system(&again[0], &System::ApproximateReceiveCount);
    assert_eq!(counted.as_deref(), Some("3"));
}

/// The same where several of a group were received at once: one that is put back waits for the rest.
#[tokio::test]
async fn one_put_back_waits_for_the_rest_of_its_group() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    for body in ["1", "2", "3"] {
        send(&aws, &url, "g", body).await;
    }
    let got = receive(&aws, &url, 2).await;
    put_back(&aws, &url, &got[0]).await;
    assert!(receive(&aws, &url, 10).await.is_empty(), "2 is in flight");
    delete(&aws, &url, &got[1]).await;
    assert_eq!(bodies(&receive(&aws, &url, 10).await), ["1", "3"]);
}

/// `SendMessage`: sends "with the same `MessageDeduplicationId` are accepted successfully but aren't
/// delivered during the 5-minute deduplication interval", and the id is tracked "even after the message
/// is received and deleted". The answer is the first send's.
#[tokio::test]
async fn a_send_is_taken_once_within_five_minutes() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    let first = send(&aws, &url, "g", "x").await;
    let [got] = receive(&aws, &url, 10).await.try_into().unwrap();
    delete(&aws, &url, &got).await;
    aws.skip(299);
    let again = send(&aws, &url, "other", "x").await;
    assert_eq!(again.message_id(), first.message_id());
    assert_eq!(again.sequence_number(), first.sequence_number());
    assert!(receive(&aws, &url, 10).await.is_empty());
    aws.skip(1);
    let later = send(&aws, &url, "g", "x").await;
    assert_ne!(later.message_id(), first.message_id());
    assert_eq!(receive(&aws, &url, 10).await.len(), 1);
}

/// `CreateQueue`, `ContentBasedDeduplication`: the id is a SHA-256 "using the body of the message (but
/// not the attributes)"; an explicit id overrides it.
#[tokio::test]
async fn the_body_can_stand_for_the_deduplication_id() {
    let aws = Aws::start().await;
    let by_content = [
        (Name::FifoQueue, "true"),
        (Name::ContentBasedDeduplication, "true"),
    ];
    let url = create(&aws, "jobs.fifo", &by_content).await;
    let send = |body: &str| {
        let send = aws.sqs().send_message().queue_url(&url).message_body(body);
        send.message_group_id("g")
    };
    send("x").send().await.unwrap();
    send("x").send().await.unwrap();
    send("y").send().await.unwrap();
    // "If you send one message with ContentBasedDeduplication enabled and then another message with a
    // MessageDeduplicationId that is the same as the one generated ..., only one copy is delivered."
    let same = send("z").message_deduplication_id(SHA_256_OF_X);
    same.send().await.unwrap();
    send("x")
        .message_deduplication_id("own")
        .send()
        .await
        .unwrap();
    let got = receive(&aws, &url, 10).await;
    assert_eq!(bodies(&got), ["x", "y", "x"]);
    let id = system(&got[0], &System::MessageDeduplicationId);
    assert_eq!(id.as_deref(), Some(SHA_256_OF_X));
}

/// Guide, "High throughput for FIFO queues": with `DeduplicationScope` `messageGroup` the same id in
/// another group is another message.
#[tokio::test]
async fn groups_can_have_deduplication_ids_of_their_own() {
    let aws = Aws::start().await;
    let scope = [
        (Name::FifoQueue, "true"),
        (Name::DeduplicationScope, "messageGroup"),
    ];
    let url = create(&aws, "jobs.fifo", &scope).await;
    for group in ["a", "b", "a"] {
        send(&aws, &url, group, "x").await;
    }
    assert_eq!(receive(&aws, &url, 10).await.len(), 2);
}

/// `SendMessageBatch`: entries keep their order, and each is looked at by itself.
#[tokio::test]
async fn a_batch_keeps_its_order() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    let entry = |id: &str, group: Option<&str>, body: &str| {
        let entry = Entry::builder().id(id).message_body(body);
        let entry = entry.message_deduplication_id(body);
        entry
            .set_message_group_id(group.map(Into::into))
            .build()
            .unwrap()
    };
    let batch = aws.sqs().send_message_batch().queue_url(&url);
    let batch = batch
        .entries(entry("one", Some("g"), "1"))
        .entries(entry("no-group", None, "2"))
        .entries(entry("three", Some("g"), "3"))
        .entries(entry("repeated", Some("g"), "1"));
    let sent = batch.send().await.unwrap();
    let failed: Vec<_> = sent
        .failed()
        .iter()
        .map(BatchResultErrorEntry::id)
        .collect();
    assert_eq!(failed, ["no-group"]);
    let by_id: HashMap<_, _> = sent.successful().iter().map(|e| (e.id(), e)).collect();
    assert_eq!(by_id["repeated"].message_id(), by_id["one"].message_id());
    assert!(by_id["one"].sequence_number() < by_id["three"].sequence_number());
    assert_eq!(bodies(&receive(&aws, &url, 10).await), ["1", "3"]);
}

/// `ReceiveMessage`, `ReceiveRequestAttemptId`: "if a consumer whose message processing time is longer
/// than the visibility timeout tries to delete the processed messages, the action fails with an error".
#[tokio::test]
async fn a_delete_after_the_visibility_timeout_fails() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    send(&aws, &url, "g", "x").await;
    let [first] = receive(&aws, &url, 1).await.try_into().unwrap();
    let delete = |handle: &str| {
        let delete = aws.sqs().delete_message().queue_url(&url);
        delete.receipt_handle(handle).send()
    };
    aws.skip(30);
    let error = delete(handle(&first)).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    assert!(message(&error).contains("expired"), "{}", message(&error));
    let [second] = receive(&aws, &url, 1).await.try_into().unwrap();
    let error = delete(handle(&first)).await.unwrap_err();
    assert!(message(&error).contains("expired"), "{}", message(&error));
    delete(handle(&second)).await.unwrap();
    delete(handle(&second)).await.unwrap();
    aws.skip(60);
    assert!(receive(&aws, &url, 1).await.is_empty());
}

/// `CreateQueue`, `RedrivePolicy`: "The dead-letter queue of a FIFO queue must also be a FIFO queue.
/// Similarly, the dead-letter queue of a standard queue must also be a standard queue." What was
/// received too often leaves the way to the rest of its group.
#[tokio::test]
async fn a_dead_letter_queue_is_of_the_same_type_and_unlocks_the_group() {
    let aws = Aws::start().await;
    let dead = create(&aws, "dead.fifo", &[(Name::FifoQueue, "true")]).await;
    create(&aws, "dead", &[]).await;
    let policy = |target: &str| {
        let arn = format!("arn:aws:sqs:eu-west-1:000000000000:{target}");
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}"#)
    };
    let create_with = |name: &str, target: &str| {
        let create = aws.sqs().create_queue().queue_name(name);
        create.attributes(Name::RedrivePolicy, policy(target))
    };
    let error = create_with("jobs", "dead.fifo").send().await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    let as_fifo =
        |create: aws_sdk_sqs::operation::create_queue::builders::CreateQueueFluentBuilder| {
            create.attributes(Name::FifoQueue, "true").send()
        };
    let error = as_fifo(create_with("jobs.fifo", "dead")).await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    let jobs = as_fifo(create_with("jobs.fifo", "dead.fifo"))
        .await
        .unwrap();
    let url = jobs.queue_url().unwrap();
    send(&aws, url, "g", "poison").await;
    send(&aws, url, "g", "next").await;
    let got = receive(&aws, url, 1).await;
    put_back(&aws, url, &got[0]).await;
    assert_eq!(bodies(&receive(&aws, url, 10).await), ["next"]);
    let [moved] = receive(&aws, &dead, 10).await.try_into().unwrap();
    assert_eq!(moved.body(), Some("poison"));
    assert_eq!(
        system(&moved, &System::MessageGroupId).as_deref(),
        Some("g")
    );
    let source = system(&moved, &System::DeadLetterQueueSourceArn);
    assert_eq!(
        source.as_deref(),
        Some("arn:aws:sqs:eu-west-1:000000000000:jobs.fifo")
    );
}

/// Guide, "Setting-up dead-letter queue retention": "For FIFO queues, the enqueue timestamp resets when
/// the message is moved to a dead-letter queue."
#[tokio::test]
async fn a_dead_letter_is_kept_for_the_whole_retention_of_its_queue() {
    let aws = Aws::start().await;
    let short = [
        (Name::FifoQueue, "true"),
        (Name::MessageRetentionPeriod, "3600"),
    ];
    let dead = create(&aws, "dead.fifo", &short).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead.fifo","maxReceiveCount":1}"#;
    let jobs = [(Name::FifoQueue, "true"), (Name::RedrivePolicy, policy)];
    let url = create(&aws, "jobs.fifo", &jobs).await;
    send(&aws, &url, "g", "poison").await;
    receive(&aws, &url, 1).await;
    aws.skip(3_000);
    assert!(receive(&aws, &url, 1).await.is_empty());
    aws.skip(3_599);
    assert_eq!(receive(&aws, &dead, 1).await.len(), 1);
    aws.skip(1);
    assert!(receive(&aws, &dead, 1).await.is_empty());
}

/// `ReceiveMessage`: a long poll ends when a message is there to be had. A delete that unlocks a group
/// brings one.
#[tokio::test]
async fn a_long_poll_ends_when_its_group_is_unlocked() {
    let aws = Aws::start().await;
    let url = fifo(&aws).await;
    send(&aws, &url, "g", "1").await;
    send(&aws, &url, "g", "2").await;
    let first = receive(&aws, &url, 1).await;
    let poll = aws.sqs().receive_message().queue_url(&url);
    let poll = tokio::spawn(poll.wait_time_seconds(20).send());
    waits(&aws).await;
    delete(&aws, &url, &first[0]).await;
    let got = tokio::time::timeout(Duration::from_secs(5), poll).await;
    let got = got.expect("woken by the delete").unwrap().unwrap();
    assert_eq!(bodies(got.messages()), ["2"]);
}

/// Guide, "Amazon SQS fair queues": a standard queue takes a `MessageGroupId` and gives it back;
/// "messages with the same `MessageGroupId` can be processed in parallel" (`SendMessage`). Fairness
/// itself is not played. A deduplication id "applies only to FIFO" queues.
#[tokio::test]
async fn a_standard_queue_takes_groups_and_locks_none() {
    let aws = Aws::start().await;
    let url = create(&aws, "jobs", &[]).await;
    let message = |body: &str| {
        let send = aws.sqs().send_message().queue_url(&url).message_body(body);
        send.message_group_id("tenant")
    };
    let sent = message("1").send().await.unwrap();
    assert_eq!(sent.sequence_number(), None);
    message("1").send().await.unwrap();
    let error = message("2").message_deduplication_id("d").send().await;
    assert_eq!(code(&error.unwrap_err()), "InvalidParameterValue");
    for _ in 0..2 {
        let [got] = receive(&aws, &url, 1).await.try_into().unwrap();
        assert_eq!(
            system(&got, &System::MessageGroupId).as_deref(),
            Some("tenant")
        );
        assert_eq!(system(&got, &System::SequenceNumber), None);
    }
}
