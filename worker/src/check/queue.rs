//! A queue and its dead-letter queue, by their attributes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;

use super::{Finding, Refusal, refusal};
use crate::queue::FIFO_SUFFIX;
use crate::service::Settings;
use crate::sqs::redrive;

type Attributes = HashMap<Name, String>;

/// The queue, what of it does not go with the settings, and its dead-letter queue.
pub(super) async fn queue(client: &Client, name_or_url: &str, settings: &Settings) -> Vec<Finding> {
    let name = name_or_url.rsplit('/').next().unwrap_or(name_or_url);
    let thing = format!("queue {name}");
    let attributes = match attributes(client, name_or_url).await {
        Ok(attributes) => attributes,
        Err(finding) => return vec![finding],
    };
    let policy = attributes.get(&Name::RedrivePolicy);
    let redrive = policy.and_then(|policy| redrive(policy));
    let count = redrive.as_ref().and_then(|(_, count)| *count);
    let mut findings = vec![Finding::ok(&thing, described(name, &attributes))];
    findings.extend(retention(&thing, &attributes, settings));
    findings.extend(receives(&thing, count, settings.max_attempts));
    match redrive {
        Some((dead, _)) => findings.push(dead_letters(client, &dead, &attributes).await),
        None => findings.push(Finding::note(
            &thing,
            "no dead-letter queue: jobs that are given up leave only a record",
            "give the queue a redrive policy, with a maxReceiveCount above --max-attempts",
        )),
    }
    findings
}

/// What the queue says of itself; by name or URL.
async fn attributes(client: &Client, name_or_url: &str) -> Result<Attributes, Finding> {
    let name = name_or_url.rsplit('/').next().unwrap_or(name_or_url);
    let thing = format!("queue {name}");
    let url = if name_or_url.contains("://") {
        name_or_url.to_owned()
    } else {
        let answer = client.get_queue_url().queue_name(name).send().await;
        let answer =
            answer.map_err(|error| missing(&thing, refusal("GetQueueUrl", &thing, &error)))?;
        answer.queue_url.unwrap_or_default()
    };
    let answer = client
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(Name::All)
        .send()
        .await
        .map_err(|error| missing(&thing, refusal("GetQueueAttributes", &thing, &error)))?;
    Ok(answer.attributes.unwrap_or_default())
}

fn missing(thing: &str, refusal: Refusal) -> Finding {
    match refusal {
        Refusal::Denied(words) => Finding::failed(
            thing,
            words,
            "permit the worker's role sqs:GetQueueUrl and sqs:GetQueueAttributes on it",
        ),
        Refusal::Other(words) => Finding::failed(
            thing,
            words,
            "check --queue (WEIR_QUEUE), region and account",
        ),
    }
}

fn described(name: &str, attributes: &Attributes) -> String {
    let kind = if name.ends_with(FIFO_SUFFIX) {
        "FIFO"
    } else {
        "standard"
    };
    let number = |name: &Name| attributes.get(name).map_or("?", String::as_str);
    format!(
        "{kind}; {} waiting; messages kept {}, up to {} bytes, visibility timeout {} s (the worker \
         sets its own)",
        number(&Name::ApproximateNumberOfMessages),
        seconds(attributes, &Name::MessageRetentionPeriod)
            .map_or_else(|| "?".into(), |kept| format!("{} h", kept.as_secs() / 3600)),
        number(&Name::MaximumMessageSize),
        number(&Name::VisibilityTimeout),
    )
}

fn seconds(attributes: &Attributes, name: &Name) -> Option<Duration> {
    let seconds = attributes.get(name)?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A record must outlive its message, or a late duplicate is done anew.
fn retention(thing: &str, attributes: &Attributes, settings: &Settings) -> Option<Finding> {
    let kept = seconds(attributes, &Name::MessageRetentionPeriod)?;
    (kept > settings.keep_records).then(|| {
        let found = format!(
            "messages are kept {} s, but job records only {} s: a duplicate that comes later is \
             done again",
            kept.as_secs(),
            settings.keep_records.as_secs()
        );
        Finding::note(
            thing,
            found,
            "make --keep-records (WEIR_KEEP_RECORDS) as long",
        )
    })
}

/// SQS's own redrive gives no reason, so it must come later than the worker's. Every delivery
/// counts, also those that began no attempt, as of a worker that drained.
fn receives(thing: &str, count: Option<u64>, max_attempts: u32) -> Option<Finding> {
    let count = count?;
    (count <= u64::from(max_attempts)).then(|| {
        let found = format!(
            "maxReceiveCount {count} is not above the {max_attempts} attempts of a job: SQS moves \
             messages to the dead-letter queue, without a reason, before they are used up"
        );
        let next = "give the queue a greater maxReceiveCount, twice --max-attempts say";
        Finding::note(thing, found, next)
    })
}

async fn dead_letters(client: &Client, name: &str, source: &Attributes) -> Finding {
    let thing = format!("dead-letter queue {name}");
    let attributes = match attributes(client, name).await {
        Ok(attributes) => attributes,
        // The worker itself only needs to send there.
        Err(finding) if finding.found.contains("AccessDenied") => {
            let next = "none, if the worker may send to it (sqs:GetQueueUrl, sqs:SendMessage)";
            return Finding::note(&thing, finding.found, next);
        }
        Err(finding) => {
            let next = "mend the queue's redrive policy, or create that queue";
            return Finding::failed(&thing, finding.found, next);
        }
    };
    let kept = |attributes| seconds(attributes, &Name::MessageRetentionPeriod);
    let waiting = attributes.get(&Name::ApproximateNumberOfMessages);
    let found = format!("{} letters", waiting.map_or("?", String::as_str));
    // A letter that SQS moves keeps the time it was sent (SQS Developer Guide, "Using dead-letter
    // queues"), so with an equal retention it has only what was left.
    if kept(&attributes) < kept(source) {
        let found = format!("{found}; it keeps them for less time than the queue keeps messages");
        return Finding::note(&thing, found, "give it a longer retention, 14 days say");
    }
    Finding::ok(&thing, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;

    #[test]
    fn redrive_before_the_last_attempt_is_noted() {
        let outcome = |count| receives("queue q", count, 5).map(|finding| finding.outcome);
        assert_eq!(outcome(Some(5)), Some(Outcome::Note));
        assert_eq!(outcome(Some(6)), None);
        assert_eq!(outcome(None), None);
    }

    #[test]
    fn records_that_go_before_their_messages_are_noted() {
        let attributes =
            |seconds: &str| HashMap::from([(Name::MessageRetentionPeriod, seconds.to_owned())]);
        let settings = Settings::default();
        assert_eq!(
            retention("queue q", &attributes("1209600"), &settings),
            None
        );
        let short = Settings {
            keep_records: Duration::from_hours(1),
            ..settings
        };
        let noted = retention("queue q", &attributes("3601"), &short);
        assert_eq!(noted.map(|finding| finding.outcome), Some(Outcome::Note));
        assert_eq!(retention("queue q", &attributes("3600"), &short), None);
    }
}
