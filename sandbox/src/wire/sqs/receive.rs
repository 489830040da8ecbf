//! `ReceiveMessage`, and its waiting.
//!
//! A receive takes messages only in the moment in which it answers. So a client that hangs up while
//! it waits takes nothing. Real SQS may hand messages to a connection that has just died; they stay
//! hidden for the visibility timeout then.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::super::SharedCloud;
use super::super::request::Call;
use super::shapes::{Attribute, Receive, ReceivedMessage, ReceivedMessages, seconds};
use super::{Body, queue_name, read, write};
use crate::cloud::ApiResult;
use crate::cloud::sqs::{self, Attributes, Message, Received, Sqs, attributes_md5};

/// `WaitTimeSeconds` at its most.
const WAIT_SECONDS_MAX: u64 = 20;

pub(super) async fn receive(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: Receive = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let max = request.max_number_of_messages.unwrap_or(1);
    let hide = request.visibility_timeout;
    let ask = sqs::Receive {
        max: usize::try_from(max).unwrap_or(0),
        visibility_timeout: hide
            .map(|s| seconds("VisibilityTimeout", s, 43_200))
            .transpose()?,
    };
    let wait = match request.wait_time_seconds {
        Some(wait) => seconds("WaitTimeSeconds", wait, WAIT_SECONDS_MAX)?,
        None => cloud.quietly(|cloud, _| cloud.sqs.settings(queue).map(|s| s.receive_wait))?,
    };
    let received = take(cloud, queue, ask, wait).await?;
    let messages = received
        .into_iter()
        .map(|received| shown(received, &request));
    write(&ReceivedMessages {
        messages: messages.collect(),
    })
}

/// Takes what is visible, or waits for it.
async fn take(
    cloud: &SharedCloud,
    queue: &str,
    ask: sqs::Receive,
    wait: Duration,
) -> ApiResult<Vec<Received>> {
    let arrivals = cloud.arrivals(queue);
    let until = cloud.now() + wait;
    let _word = PassOn(&arrivals);
    loop {
        // Listening starts before looking, so that nothing arrives in between unnoticed.
        let mut arrival = pin!(arrivals.notified());
        arrival.as_mut().enable();
        let (found, pause, dead) = cloud.quietly(|cloud, now| {
            let moved = |sqs: &Sqs| sqs.totals(queue).map(|totals| totals.moved_out);
            let before = moved(&cloud.sqs);
            let found = cloud.sqs.receive(now, queue, ask);
            let dead = (moved(&cloud.sqs) != before).then(|| dead_letter_queue(&cloud.sqs, queue));
            let next = cloud.sqs.next_visible_at(queue).unwrap_or(until).min(until);
            let over = now >= until;
            if over && found.as_ref().is_ok_and(Vec::is_empty) {
                cloud.sqs.note_empty_receive(queue);
            }
            (found, (!over).then(|| next.since(now)), dead.flatten())
        });
        if let Some(dead) = dead {
            cloud.arrivals(&dead).notify_one();
        }
        let found = match found {
            // With too many in flight a long poll finds nothing, and only a short one errs
            // ("Amazon SQS message quotas").
            Err(error) if error.code == "OverLimit" && !wait.is_zero() => Vec::new(),
            found => found?,
        };
        let Some(pause) = pause.filter(|_| found.is_empty()) else {
            return Ok(found);
        };
        // Whether woken or out of patience, look again.
        let _ = tokio::time::timeout(pause.max(Duration::from_millis(1)), arrival).await;
    }
}

fn dead_letter_queue(sqs: &Sqs, queue: &str) -> Option<String> {
    let redrive = sqs.settings(queue).ok()?.redrive.as_ref()?;
    Some(redrive.target_name().to_owned())
}

/// Whoever stops waiting, with messages, without, or because its client hung up, has another one
/// look: one arrival may have brought several messages, and what was taken becomes visible again
/// at a moment that nobody else reckons with.
struct PassOn<'a>(&'a Notify);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn shown(received: Received, request: &Receive) -> ReceivedMessage {
    let Received {
        receipt_handle,
        message,
    } = received;
    let chosen = chosen_attributes(&message.attributes, &request.message_attribute_names);
    let md5_of_attributes = match &chosen {
        Chosen::All => message.attributes_md5.as_ref().map(ToString::to_string),
        Chosen::Some(chosen) => attributes_md5(chosen),
    };
    let shown = match &chosen {
        Chosen::All => &*message.attributes,
        Chosen::Some(chosen) => chosen,
    };
    ReceivedMessage {
        receipt_handle,
        md5_of_body: Arc::clone(&message.body_md5),
        body: Arc::clone(&message.body),
        message_id: Arc::clone(&message.id),
        message_attributes: shown
            .iter()
            .map(|(name, value)| (name.clone(), Attribute::from(value)))
            .collect(),
        md5_of_attributes,
        attributes: system_attributes(
            &message,
            [
                &request.attribute_names,
                &request.message_system_attribute_names,
            ],
        ),
    }
}

enum Chosen {
    All,
    Some(Attributes),
}

/// `All`, `.*`, names, and prefixes that end in `.*` (`ReceiveMessage`, `MessageAttributeNames`).
fn chosen_attributes(attributes: &Attributes, wanted: &[String]) -> Chosen {
    if wanted.iter().any(|w| w == "All" || w == ".*") {
        return Chosen::All;
    }
    let chosen = |name: &str| {
        wanted.iter().any(|w| match w.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => name == w,
        })
    };
    let chosen = attributes.iter().filter(|(name, _)| chosen(name));
    Chosen::Some(
        chosen
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

fn system_attributes(
    message: &Message,
    wanted: [&Vec<String>; 2],
) -> BTreeMap<&'static str, String> {
    if wanted.iter().all(|names| names.is_empty()) {
        return BTreeMap::new();
    }
    let asked = |name: &str| {
        wanted
            .iter()
            .any(|names| names.iter().any(|w| w == "All" || w == name))
    };
    let millis = |at: crate::cloud::Time| at.as_millis().to_string();
    [
        (
            "ApproximateFirstReceiveTimestamp",
            message.first_received_at.map(millis),
        ),
        (
            "ApproximateReceiveCount",
            Some(message.receive_count.to_string()),
        ),
        ("SenderId", Some("AIDAIT2UOQQY3AUEKVGXU".into())),
        ("SentTimestamp", Some(millis(message.sent_at))),
        (
            "AWSTraceHeader",
            message.trace_header.as_ref().map(ToString::to_string),
        ),
        (
            "MessageGroupId",
            message.group_id.as_ref().map(ToString::to_string),
        ),
        (
            "MessageDeduplicationId",
            message.deduplication_id.as_ref().map(ToString::to_string),
        ),
        (
            "SequenceNumber",
            message.sequence_number.as_ref().map(ToString::to_string),
        ),
        (
            "DeadLetterQueueSourceArn",
            message.dead_letter_source.as_ref().map(ToString::to_string),
        ),
    ]
    .into_iter()
    .filter(|(name, _)| asked(name))
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
