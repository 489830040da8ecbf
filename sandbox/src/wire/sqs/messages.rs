//! The operations on messages, all but receiving.

use super::super::SharedCloud;
use super::super::request::Call;
use super::shapes::{
    Batch, BatchAnswer, ChangeEntry, ChangeVisibility, Delete, DeleteEntry, Done, Identified,
    NewMessage, SendMessage, SentMessage, seconds,
};
use super::{Body, Empty, queue_name, read, write};
use crate::cloud::sqs::{BatchEntry, FIFO_SUFFIX, Hide, Sent};
use crate::cloud::{ApiError, ApiResult};

/// The answer, if the action is one of these.
pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Option<ApiResult<Body>> {
    Some(match action {
        "SendMessage" => send(cloud, call),
        "SendMessageBatch" => send_batch(cloud, call),
        "DeleteMessage" => delete(cloud, call),
        "DeleteMessageBatch" => delete_batch(cloud, call),
        "ChangeMessageVisibility" => change_visibility(cloud, call),
        "ChangeMessageVisibilityBatch" => change_visibility_batch(cloud, call),
        _ => return None,
    })
}

fn send(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: SendMessage = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let outgoing = request.message.into_outgoing()?;
    let sent = cloud.quietly(|cloud, now| cloud.sqs.send(now, queue, outgoing))?;
    cloud.arrivals(queue).notify_one();
    write(&sent_message(None, sent))
}

fn send_batch(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: Batch<NewMessage> = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let entries = entries(request.entries, NewMessage::into_outgoing)?;
    let outcomes = cloud.quietly(|cloud, now| cloud.sqs.send_batch(now, queue, entries))?;
    cloud.arrivals(queue).notify_one();
    write(&BatchAnswer::new(outcomes, |id, sent| {
        sent_message(Some(id), sent)
    }))
}

fn delete(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: Delete = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    cloud.quietly(|cloud, now| cloud.sqs.delete(now, queue, &request.receipt_handle))?;
    unlocked(cloud, queue);
    write(&Empty {})
}

fn delete_batch(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: Batch<DeleteEntry> = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let entries = entries(request.entries, |entry| Ok(entry.receipt_handle))?;
    let outcomes = cloud.quietly(|cloud, now| cloud.sqs.delete_batch(now, queue, entries))?;
    unlocked(cloud, queue);
    write(&BatchAnswer::new(outcomes, |id, ()| Done { id }))
}

/// On a FIFO queue a delete lets the rest of the group be handed out: who waits must look again.
fn unlocked(cloud: &SharedCloud, queue: &str) {
    if queue.ends_with(FIFO_SUFFIX) {
        cloud.arrivals(queue).notify_one();
    }
}

fn change_visibility(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: ChangeVisibility = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let change = hide(request.change)?;
    cloud.quietly(|cloud, now| cloud.sqs.hide(now, queue, &change))?;
    cloud.arrivals(queue).notify_one();
    write(&Empty {})
}

fn change_visibility_batch(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: Batch<ChangeEntry> = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let entries = entries(request.entries, hide)?;
    let outcomes = cloud.quietly(|cloud, now| cloud.sqs.hide_batch(now, queue, entries))?;
    cloud.arrivals(queue).notify_one();
    write(&BatchAnswer::new(outcomes, |id, ()| Done { id }))
}

fn hide(change: ChangeEntry) -> ApiResult<Hide> {
    let timeout = change.visibility_timeout.ok_or_else(|| {
        ApiError::new(
            "MissingParameter",
            "The request must contain the parameter VisibilityTimeout.",
        )
    })?;
    Ok(Hide {
        receipt_handle: change.receipt_handle,
        timeout: seconds("VisibilityTimeout", timeout, 43_200)?,
    })
}

fn entries<E, T>(
    entries: Vec<Identified<E>>,
    read: impl Fn(E) -> ApiResult<T>,
) -> ApiResult<Vec<BatchEntry<T>>> {
    let entry = |Identified { id, entry }| {
        Ok(BatchEntry {
            id,
            entry: read(entry)?,
        })
    };
    entries.into_iter().map(entry).collect()
}

fn sent_message(id: Option<String>, Sent { message }: Sent) -> SentMessage {
    SentMessage {
        id,
        message_id: message.id.to_string(),
        md5_of_body: message.body_md5.to_string(),
        md5_of_attributes: message.attributes_md5.map(|md5| md5.to_string()),
        sequence_number: message.sequence_number.map(|number| number.to_string()),
    }
}
