//! SQS: queues, their attributes and their names.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Name;

use crate::harness::{Aws, code, message};

/// `CreateQueue`: "If you provide the name of an existing queue along with the exact names and values
/// of all the queue's attributes, `CreateQueue` returns the queue URL for the existing queue."
#[tokio::test]
async fn creating_a_queue_again_finds_it() {
    let aws = Aws::start().await;
    let create = || {
        aws.sqs()
            .create_queue()
            .queue_name("jobs")
            .attributes(Name::VisibilityTimeout, "45")
    };
    let first = create().send().await.unwrap();
    let second = create().send().await.unwrap();
    assert_eq!(first.queue_url(), second.queue_url());
    let url = first.queue_url().unwrap();
    assert!(
        url.starts_with(&aws.endpoint) && url.ends_with("/000000000000/jobs"),
        "{url}"
    );
}

/// `CreateQueue`: "If the queue name, attribute names, or attribute values don't match an existing
/// queue, `CreateQueue` returns an error": `QueueNameExists`.
#[tokio::test]
async fn creating_a_queue_with_another_attribute_is_an_error() {
    let aws = Aws::start().await;
    aws.sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap();
    let error = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .attributes(Name::VisibilityTimeout, "45")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "QueueAlreadyExists");
    assert!(error.into_service_error().is_queue_name_exists());
}

/// `CreateQueue`, `QueueName`: "A queue name can have up to 80 characters. Valid values: alphanumeric
/// characters, hyphens (-), and underscores (_)."
#[tokio::test]
async fn names_that_break_the_rules_are_refused() {
    let aws = Aws::start().await;
    let long = "q".repeat(81);
    for name in ["with space", "dots.are.not", "", long.as_str()] {
        let error = aws
            .sqs()
            .create_queue()
            .queue_name(name)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue", "{name}");
    }
    aws.sqs()
        .create_queue()
        .queue_name("q".repeat(80))
        .send()
        .await
        .unwrap();
}

/// `GetQueueUrl`, `GetQueueAttributes`, `SendMessage` and the rest: `QueueDoesNotExist`, "The specified
/// queue doesn't exist."
#[tokio::test]
async fn a_queue_that_does_not_exist_is_told_by_a_typed_error() {
    let aws = Aws::start().await;
    let error = aws
        .sqs()
        .get_queue_url()
        .queue_name("absent")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "AWS.SimpleQueueService.NonExistentQueue");
    assert!(error.into_service_error().is_queue_does_not_exist());
    let url = format!("{}/000000000000/absent", aws.endpoint);
    let error = aws
        .sqs()
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
    let error = aws
        .sqs()
        .receive_message()
        .queue_url(&url)
        .wait_time_seconds(20)
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
    let error = aws
        .sqs()
        .get_queue_attributes()
        .queue_url(&url)
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_queue_does_not_exist());
}

/// `SetQueueAttributes` and `GetQueueAttributes`: names, defaults and allowed values. The largest
/// message is 1 MiB ("Amazon SQS message quotas").
#[tokio::test]
async fn attributes_have_defaults_and_can_be_set() {
    let aws = Aws::start().await;
    let created = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap();
    let url = created.queue_url().unwrap();
    let all = attributes(&aws, url, &[Name::All]).await;
    let get = |name: Name| all.get(&name).map(String::as_str);
    assert_eq!(get(Name::VisibilityTimeout), Some("30"));
    assert_eq!(get(Name::MessageRetentionPeriod), Some("345600"));
    assert_eq!(get(Name::MaximumMessageSize), Some("1048576"));
    assert_eq!(get(Name::DelaySeconds), Some("0"));
    assert_eq!(
        get(Name::QueueArn),
        Some("arn:aws:sqs:eu-west-1:000000000000:jobs")
    );
    assert_eq!(get(Name::ApproximateNumberOfMessages), Some("0"));
    assert_eq!(get(Name::RedrivePolicy), None);

    let set = aws.sqs().set_queue_attributes().queue_url(url);
    set.attributes(Name::VisibilityTimeout, "60")
        .send()
        .await
        .unwrap();
    let some = attributes(&aws, url, &[Name::VisibilityTimeout]).await;
    assert_eq!(
        some,
        HashMap::from([(Name::VisibilityTimeout, "60".to_owned())])
    );

    let set = aws.sqs().set_queue_attributes().queue_url(url);
    let error = set
        .attributes(Name::VisibilityTimeout, "43201")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "InvalidAttributeValue");
    assert!(message(&error).contains("43201"), "{}", message(&error));
}

/// `ListQueues`: by prefix, in pages of `MaxResults`.
#[tokio::test]
async fn queues_are_listed_by_prefix_in_pages() {
    let aws = Aws::start().await;
    for name in ["a-1", "a-2", "a-3", "b-1"] {
        aws.sqs()
            .create_queue()
            .queue_name(name)
            .send()
            .await
            .unwrap();
    }
    let pages = aws
        .sqs()
        .list_queues()
        .queue_name_prefix("a-")
        .max_results(2)
        .into_paginator();
    let urls: Vec<String> = pages
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .unwrap();
    let names: Vec<&str> = urls
        .iter()
        .filter_map(|url| url.rsplit('/').next())
        .collect();
    assert_eq!(names, ["a-1", "a-2", "a-3"]);
}

/// `DeleteQueue`: "you must wait at least 60 seconds before creating a queue with the same name".
#[tokio::test]
async fn a_deleted_name_can_be_used_again_after_a_minute() {
    let aws = Aws::start().await;
    let created = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap();
    aws.sqs()
        .delete_queue()
        .queue_url(created.queue_url().unwrap())
        .send()
        .await
        .unwrap();
    let error = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_queue_deleted_recently());
    aws.skip(60);
    aws.sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap();
}

/// `PurgeQueue`: deletes all messages; "`PurgeQueueInProgress`: the specified queue previously received a
/// `PurgeQueue` request within the last 60 seconds".
#[tokio::test]
async fn a_purge_removes_every_message_once_a_minute() {
    let aws = Aws::start().await;
    let created = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .send()
        .await
        .unwrap();
    let url = created.queue_url().unwrap();
    aws.sqs()
        .send_message()
        .queue_url(url)
        .message_body("x")
        .send()
        .await
        .unwrap();
    aws.sqs().purge_queue().queue_url(url).send().await.unwrap();
    let counts = attributes(&aws, url, &[Name::ApproximateNumberOfMessages]).await;
    assert_eq!(counts[&Name::ApproximateNumberOfMessages], "0");
    let error = aws
        .sqs()
        .purge_queue()
        .queue_url(url)
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_purge_queue_in_progress());
    aws.skip(60);
    aws.sqs().purge_queue().queue_url(url).send().await.unwrap();
}

/// `TagQueue`, `UntagQueue`, `ListQueueTags`.
#[tokio::test]
async fn tags_are_kept() {
    let aws = Aws::start().await;
    let created = aws
        .sqs()
        .create_queue()
        .queue_name("jobs")
        .tags("a", "1")
        .send()
        .await
        .unwrap();
    let url = created.queue_url().unwrap();
    aws.sqs()
        .tag_queue()
        .queue_url(url)
        .tags("b", "2")
        .send()
        .await
        .unwrap();
    aws.sqs()
        .untag_queue()
        .queue_url(url)
        .tag_keys("a")
        .send()
        .await
        .unwrap();
    let tags = aws
        .sqs()
        .list_queue_tags()
        .queue_url(url)
        .send()
        .await
        .unwrap();
    assert_eq!(
        tags.tags(),
        Some(&HashMap::from([("b".to_owned(), "2".to_owned())]))
    );
}

/// `SetQueueAttributes`, `RedrivePolicy`: the dead-letter queue must exist.
/// `ListDeadLetterSourceQueues` names the queues that point at one.
#[tokio::test]
async fn a_redrive_policy_needs_a_dead_letter_queue_that_exists() {
    let aws = Aws::start().await;
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":3}"#;
    let create = || {
        aws.sqs()
            .create_queue()
            .queue_name("jobs")
            .attributes(Name::RedrivePolicy, policy)
    };
    let error = create().send().await.unwrap_err();
    assert_eq!(code(&error), "InvalidParameterValue");
    let dead = aws
        .sqs()
        .create_queue()
        .queue_name("dead")
        .send()
        .await
        .unwrap();
    let jobs = create().send().await.unwrap();
    let url = jobs.queue_url().unwrap();
    let shown = attributes(&aws, url, &[Name::RedrivePolicy]).await;
    assert_eq!(shown[&Name::RedrivePolicy], policy);
    let sources = aws.sqs().list_dead_letter_source_queues();
    let sources = sources
        .queue_url(dead.queue_url().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(sources.queue_urls(), [url]);
}

/// An operation that is not played is refused by name.
#[tokio::test]
async fn an_operation_that_is_not_played_is_named() {
    let aws = Aws::start().await;
    let url = format!("{}/000000000000/jobs", aws.endpoint);
    let call = aws
        .sqs()
        .add_permission()
        .queue_url(url)
        .label("l")
        .aws_account_ids("1")
        .actions("*");
    let error = call.send().await.unwrap_err();
    assert!(
        message(&error).contains("AddPermission"),
        "{}",
        message(&error)
    );
}

/// Calls are counted by service and action, failed ones too.
#[tokio::test]
async fn calls_are_counted() {
    let aws = Aws::start().await;
    aws.sqs().list_queues().send().await.unwrap();
    aws.sqs().list_queues().send().await.unwrap();
    aws.sqs()
        .get_queue_url()
        .queue_name("absent")
        .send()
        .await
        .unwrap_err();
    let calls = aws.cloud.calls();
    assert_eq!(calls[&("sqs".to_owned(), "ListQueues".to_owned())], 2);
    assert_eq!(calls[&("sqs".to_owned(), "GetQueueUrl".to_owned())], 1);
}

async fn attributes(aws: &Aws, url: &str, names: &[Name]) -> HashMap<Name, String> {
    let get = aws.sqs().get_queue_attributes().queue_url(url);
    let got = get
        .set_attribute_names(Some(names.to_vec()))
        .send()
        .await
        .unwrap();
    got.attributes().cloned().unwrap_or_default()
}
