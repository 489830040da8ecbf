//! The suite for queues.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::{QueueCase, Verdict, all};
use crate::clock::{Clock, pause};
use crate::queue::{
    Attribute, BATCH_MAX, Buried, EntryError, Message, Outgoing, Queue, Visibility,
};

pub(super) const SECOND: Duration = Duration::from_secs(1);
/// Longer than any case holds a message.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// The suite for a [`Queue`]: a standard queue, empty, with a dead-letter queue. It takes some
/// fifteen seconds of the clock and leaves the queue empty.
pub async fn queue(queue: &dyn Queue) -> Verdict {
    all(&QUEUE, queue).await
}

/// The cases of [`queue`].
pub const QUEUE: [QueueCase; 11] = [
    QueueCase {
        name: "arrives whole",
        case: |queue| Box::pin(arrives_whole(queue)),
    },
    QueueCase {
        name: "an empty poll waits",
        case: |queue| Box::pin(empty_poll_waits(queue)),
    },
    QueueCase {
        name: "a send wakes the poll",
        case: |queue| Box::pin(send_wakes_poll(queue)),
    },
    QueueCase {
        name: "comes again when visibility ends",
        case: |queue| Box::pin(comes_again(queue)),
    },
    QueueCase {
        name: "a renewal keeps it hidden",
        case: |queue| Box::pin(renewal_hides(queue)),
    },
    QueueCase {
        name: "a renewal after its time is refused",
        case: |queue| Box::pin(late_renewal_is_refused(queue)),
    },
    QueueCase {
        name: "visibility zero puts it back",
        case: |queue| Box::pin(zero_puts_back(queue)),
    },
    QueueCase {
        name: "batches of ten",
        case: |queue| Box::pin(batches_of_ten(queue)),
    },
    QueueCase {
        name: "spent handles",
        case: |queue| Box::pin(spent_handles(queue)),
    },
    QueueCase {
        name: "a group comes along and locks nothing",
        case: |queue| Box::pin(group_comes_along(queue)),
    },
    QueueCase {
        name: "buries",
        case: |queue| Box::pin(buries(queue)),
    },
];

fn plain(body: &str) -> Outgoing {
    Outgoing::new(body)
}

pub(super) async fn send(queue: &dyn Queue, messages: &[Outgoing]) -> Verdict {
    let entries = queue
        .send(messages)
        .await
        .map_err(|error| error.to_string())?;
    expect!(
        entries.len() == messages.len() && entries.iter().all(Result::is_ok),
        "not everything was sent: {entries:?}"
    );
    Ok(())
}

/// Receives up to `max`, looking for at most five seconds: a standard queue may give fewer a call.
async fn take(queue: &dyn Queue, max: usize, visibility: Duration) -> Result<Vec<Message>, String> {
    let mut taken = Vec::new();
    for _ in 0..5 {
        let got = queue.receive(max - taken.len(), SECOND, visibility).await;
        taken.extend(got.map_err(|error| error.to_string())?);
        if taken.len() >= max {
            break;
        }
    }
    Ok(taken)
}

pub(super) async fn take_one(queue: &dyn Queue, visibility: Duration) -> Result<Message, String> {
    let taken = take(queue, 1, visibility).await?;
    let count = taken.len();
    let mut taken = taken.into_iter();
    taken
        .next()
        .ok_or_else(|| format!("{count} messages came, 1 was expected"))
}

pub(super) async fn delete(queue: &dyn Queue, messages: &[Message]) -> Verdict {
    let receipts: Vec<String> = messages.iter().map(|m| m.receipt.clone()).collect();
    let entries = queue
        .delete(&receipts)
        .await
        .map_err(|error| error.to_string())?;
    expect!(
        entries.len() == receipts.len() && entries.iter().all(Result::is_ok),
        "not everything was deleted: {entries:?}"
    );
    Ok(())
}

pub(super) async fn hide(
    queue: &dyn Queue,
    message: &Message,
    hidden_for: Duration,
) -> Result<Result<(), EntryError>, String> {
    let receipt = message.receipt.clone();
    let change = Visibility {
        receipt,
        hidden_for,
    };
    let entries = queue.change_visibility(&[change]).await;
    let mut entries = entries.map_err(|error| error.to_string())?.into_iter();
    entries.next().ok_or_else(|| "no entry was answered".into())
}

async fn arrives_whole(queue: &dyn Queue) -> Verdict {
    let attributes = BTreeMap::from([
        ("Word".to_owned(), Attribute::string("grün")),
        (
            "Bytes".to_owned(),
            Attribute::Binary {
                data_type: "Binary".into(),
                value: Bytes::from_static(&[0, 255, 7]),
            },
        ),
    ]);
    let trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    let sent = Outgoing {
        attributes,
        trace_header: Some(trace_header.into()),
        ..Outgoing::new("line one\nline two \"quoted\" <ü>")
    };
    send(queue, std::slice::from_ref(&sent)).await?;
    let got = take_one(queue, LONG).await?;
    expect!(got.body == sent.body, "body {:?}", got.body);
    expect!(
        got.attributes == sent.attributes,
        "attributes {:?}",
        got.attributes
    );
    expect!(
        got.receive_count == Some(1),
        "receive count {:?}",
        got.receive_count
    );
    expect!(got.sent_at_millis.is_some(), "no time of sending");
    expect!(
        got.trace_header == sent.trace_header,
        "trace header {:?}",
        got.trace_header
    );
    delete(queue, &[got]).await
}

async fn empty_poll_waits(queue: &dyn Queue) -> Verdict {
    let clock = Clock::system();
    let began = clock.instant();
    let got = queue
        .receive(1, SECOND, LONG)
        .await
        .map_err(|error| error.to_string())?;
    expect!(
        got.is_empty(),
        "{} messages came from an empty queue",
        got.len()
    );
    let took = clock.instant() - began;
    expect!(
        took >= SECOND.mul_f64(0.9),
        "the poll of 1 s ended after {took:?}"
    );
    Ok(())
}

async fn send_wakes_poll(queue: &dyn Queue) -> Verdict {
    let clock = Clock::system();
    let began = clock.instant();
    let later = async {
        pause(SECOND / 2).await;
        send(queue, &[plain("wake")]).await
    };
    let (got, sent) = tokio::join!(queue.receive(1, 15 * SECOND, LONG), later);
    sent?;
    let got = got.map_err(|error| error.to_string())?;
    let took = clock.instant() - began;
    expect!(got.len() == 1, "{} messages came", got.len());
    expect!(
        took < 5 * SECOND,
        "the poll saw the message only after {took:?}"
    );
    delete(queue, &got).await
}

async fn comes_again(queue: &dyn Queue) -> Verdict {
    send(queue, &[plain("again")]).await?;
    let first = take_one(queue, 2 * SECOND).await?;
    let hidden = queue.receive(1, Duration::ZERO, LONG).await;
    expect!(
        hidden.map_err(|e| e.to_string())?.is_empty(),
        "it was not hidden"
    );
    let second = take_one(queue, LONG).await?;
    expect!(second.id == first.id, "another message came: {second:?}");
    expect!(
        second.receive_count == Some(2),
        "receive count {:?}",
        second.receive_count
    );
    expect!(
        second.receipt != first.receipt,
        "the handle is the first one's"
    );
    delete(queue, &[second]).await
}

async fn renewal_hides(queue: &dyn Queue) -> Verdict {
    send(queue, &[plain("renewed")]).await?;
    let message = take_one(queue, 2 * SECOND).await?;
    let renewed = hide(queue, &message, LONG).await?;
    expect!(renewed == Ok(()), "the renewal was answered {renewed:?}");
    let early = queue.receive(1, 3 * SECOND, LONG).await;
    expect!(
        early.map_err(|e| e.to_string())?.is_empty(),
        "it came although renewed"
    );
    delete(queue, &[message]).await
}

/// `ChangeMessageVisibility`: `MessageNotInflight`. Whoever held it must learn that it is no longer theirs.
async fn late_renewal_is_refused(queue: &dyn Queue) -> Verdict {
    send(queue, &[plain("late")]).await?;
    let message = take_one(queue, SECOND).await?;
    pause(2 * SECOND).await;
    let late = hide(queue, &message, LONG).await?;
    expect!(
        matches!(late, Err(EntryError::Gone { .. })),
        "the renewal was answered {late:?}"
    );
    let again = take_one(queue, LONG).await?;
    expect!(again.id == message.id, "another message came: {again:?}");
    delete(queue, &[again]).await
}

async fn zero_puts_back(queue: &dyn Queue) -> Verdict {
    send(queue, &[plain("back")]).await?;
    let message = take_one(queue, LONG).await?;
    let back = hide(queue, &message, Duration::ZERO).await?;
    expect!(back == Ok(()), "the change was answered {back:?}");
    let again = take_one(queue, LONG).await?;
    expect!(again.id == message.id, "another message came: {again:?}");
    delete(queue, &[again]).await
}

async fn batches_of_ten(queue: &dyn Queue) -> Verdict {
    let bodies: Vec<String> = (0..BATCH_MAX).map(|n| format!("body {n}")).collect();
    let messages: Vec<Outgoing> = bodies.iter().map(|body| plain(body)).collect();
    send(queue, &messages).await?;
    let taken = take(queue, BATCH_MAX, LONG).await?;
    let mut got: Vec<&str> = taken.iter().map(|message| message.body.as_str()).collect();
    got.sort_unstable();
    expect!(got == bodies, "these came: {got:?}");
    let changes: Vec<Visibility> = taken
        .iter()
        .map(|message| Visibility {
            receipt: message.receipt.clone(),
            hidden_for: LONG,
        })
        .collect();
    let entries = queue
        .change_visibility(&changes)
        .await
        .map_err(|e| e.to_string())?;
    expect!(
        entries.iter().all(Result::is_ok),
        "renewals were answered {entries:?}"
    );
    delete(queue, &taken).await
}

async fn spent_handles(queue: &dyn Queue) -> Verdict {
    send(queue, &[plain("kept"), plain("deleted")]).await?;
    let taken = take(queue, 2, LONG).await?;
    let [kept, deleted] = taken.as_slice() else {
        return Err(format!("{} messages came, 2 were expected", taken.len()));
    };
    delete(queue, std::slice::from_ref(deleted)).await?;
    let changes = [deleted, kept].map(|message| Visibility {
        receipt: message.receipt.clone(),
        hidden_for: LONG,
    });
    let entries = queue
        .change_visibility(&changes)
        .await
        .map_err(|e| e.to_string())?;
    expect!(
        matches!(entries.as_slice(), [Err(EntryError::Gone { .. }), Ok(())]),
        "a spent and a good handle in one batch were answered {entries:?}"
    );
    delete(queue, std::slice::from_ref(kept)).await
}

/// `SendMessage`, `MessageGroupId`: "Unlike FIFO queues, messages with the same `MessageGroupId` can be
/// processed in parallel".
async fn group_comes_along(queue: &dyn Queue) -> Verdict {
    let of_tenant = |body: &str| Outgoing {
        group: Some("tenant".into()),
        ..plain(body)
    };
    send(queue, &[of_tenant("one"), of_tenant("two")]).await?;
    let first = take_one(queue, LONG).await?;
    let second = take_one(queue, LONG).await?;
    let groups = [&first, &second].map(|message| message.group.as_deref());
    expect!(groups == [Some("tenant"); 2], "the groups are {groups:?}");
    delete(queue, &[first, second]).await
}

async fn buries(queue: &dyn Queue) -> Verdict {
    let buried = queue
        .bury(&plain("dead"))
        .await
        .map_err(|e| e.to_string())?;
    expect!(buried == Buried::Sent, "burying was answered {buried:?}");
    Ok(())
}
