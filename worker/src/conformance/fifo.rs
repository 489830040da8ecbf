//! The suite for FIFO queues.
//!
//! "Guide" is the Amazon SQS Developer Guide; operations are pages of SQS's API reference.

use std::time::Duration;

use super::queue::{LONG, SECOND, delete, hide, send, take_one};
use super::{QueueCase, Verdict, all};
use crate::clock::{Clock, pause};
use crate::queue::{Buried, EntryError, Message, Outgoing, Queue};

/// The suite for a [`Queue`] that is a FIFO queue: empty, without content-based deduplication, with a
/// dead-letter queue. It takes some twenty seconds of the clock and leaves the queue empty. No
/// deduplication id of its own is older than five minutes, so a queue serves for one run in that time.
pub async fn fifo_queue(queue: &dyn Queue) -> Verdict {
    expect!(queue.is_fifo(), "{} is not a FIFO queue", queue.name());
    all(&FIFO_QUEUE, queue).await
}

/// The cases of [`fifo_queue`].
pub const FIFO_QUEUE: [QueueCase; 12] = [
    QueueCase {
        name: "comes in order",
        case: |queue| Box::pin(comes_in_order(queue)),
    },
    QueueCase {
        name: "a group waits for its head",
        case: |queue| Box::pin(group_waits_for_its_head(queue)),
    },
    QueueCase {
        name: "other groups go on",
        case: |queue| Box::pin(other_groups_go_on(queue)),
    },
    QueueCase {
        name: "a head that is put back comes first",
        case: |queue| Box::pin(put_back_comes_first(queue)),
    },
    QueueCase {
        name: "a head that is put back waits for the rest",
        case: |queue| Box::pin(put_back_waits_for_the_rest(queue)),
    },
    QueueCase {
        name: "a head whose time is up comes first",
        case: |queue| Box::pin(expired_comes_first(queue)),
    },
    QueueCase {
        name: "a delete wakes the poll of its group",
        case: |queue| Box::pin(delete_wakes_poll(queue)),
    },
    QueueCase {
        name: "a repeated send is swallowed",
        case: |queue| Box::pin(repeated_send_is_swallowed(queue)),
    },
    QueueCase {
        name: "a send is remembered after the message is deleted",
        case: |queue| Box::pin(send_is_remembered(queue)),
    },
    QueueCase {
        name: "a late delete is refused",
        case: |queue| Box::pin(late_delete_is_refused(queue)),
    },
    QueueCase {
        name: "refuses what has no place in it",
        case: |queue| Box::pin(refuses_what_has_no_place(queue)),
    },
    QueueCase {
        name: "buries",
        case: |queue| Box::pin(buries(queue)),
    },
];

/// A message whose body is its deduplication id.
fn of(group: &str, body: &str) -> Outgoing {
    Outgoing {
        group: Some(group.into()),
        deduplication_id: Some(body.into()),
        ..Outgoing::new(body)
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|m| m.body.as_str()).collect()
}

/// Takes one message, which must be this one.
async fn take_this(queue: &dyn Queue, body: &str, visibility: Duration) -> Result<Message, String> {
    let message = take_one(queue, visibility).await?;
    expect!(
        message.body == body,
        "{} came, {body} was expected",
        message.body
    );
    Ok(message)
}

async fn nothing_comes(queue: &dyn Queue, why: &str) -> Verdict {
    let got = queue.receive(10, SECOND, LONG).await;
    let got = got.map_err(|error| error.to_string())?;
    expect!(got.is_empty(), "{:?} came although {why}", bodies(&got));
    Ok(())
}

/// Guide, "FIFO queue delivery logic": the messages of a group come in the order in which they were
/// sent, and one receive may give several of them.
async fn comes_in_order(queue: &dyn Queue) -> Verdict {
    let sent = ["order-1", "order-2", "order-3", "order-4", "order-5"];
    let messages = sent.map(|body| of("order", body));
    send(queue, &messages[..3]).await?;
    send(queue, &messages[3..]).await?;
    let mut came = Vec::new();
    for _ in 0..sent.len() {
        let got = queue.receive(10, SECOND, LONG).await;
        let got = got.map_err(|error| error.to_string())?;
        expect!(
            got.iter().all(|m| m.group.as_deref() == Some("order")),
            "the groups are {:?}",
            got.iter().map(|m| &m.group).collect::<Vec<_>>()
        );
        if !got.is_empty() {
            delete(queue, &got).await?;
        }
        came.extend(got.into_iter().map(|message| message.body));
    }
    expect!(came == sent, "the order was {came:?}");
    Ok(())
}

/// `ReceiveMessage`: "While messages with a particular `MessageGroupId` are invisible, no more messages
/// belonging to the same `MessageGroupId` are returned until the visibility timeout expires."
async fn group_waits_for_its_head(queue: &dyn Queue) -> Verdict {
    send(queue, &[of("wait", "wait-1"), of("wait", "wait-2")]).await?;
    let head = take_this(queue, "wait-1", LONG).await?;
    nothing_comes(queue, "its group's head is in flight").await?;
    let renewed = hide(queue, &head, LONG).await?;
    expect!(renewed == Ok(()), "the renewal was answered {renewed:?}");
    delete(queue, &[head]).await?;
    let next = take_this(queue, "wait-2", LONG).await?;
    delete(queue, &[next]).await
}

/// `ReceiveMessage`: "You can still receive messages with another `MessageGroupId` from your FIFO queue
/// as long as they are visible." Which group comes first is not said.
async fn other_groups_go_on(queue: &dyn Queue) -> Verdict {
    let sent = [("a", "go-a1"), ("a", "go-a2"), ("b", "go-b1")];
    send(queue, &sent.map(|(group, body)| of(group, body))).await?;
    let first = take_one(queue, LONG).await?;
    let second = take_one(queue, LONG).await?;
    let mut heads = [first.body.as_str(), second.body.as_str()];
    heads.sort_unstable();
    expect!(heads == ["go-a1", "go-b1"], "the first two were {heads:?}");
    nothing_comes(queue, "both groups have a message in flight").await?;
    delete(queue, &[first, second]).await?;
    let last = take_this(queue, "go-a2", LONG).await?;
    delete(queue, &[last]).await
}

/// Guide, "FIFO queue delivery logic": the order holds for what is received again, too.
async fn put_back_comes_first(queue: &dyn Queue) -> Verdict {
    let sent = ["back-1", "back-2", "back-3"];
    send(queue, &sent.map(|body| of("back", body))).await?;
    let head = take_this(queue, "back-1", LONG).await?;
    let back = hide(queue, &head, Duration::ZERO).await?;
    expect!(back == Ok(()), "the change was answered {back:?}");
    for body in sent {
        let next = take_this(queue, body, LONG).await?;
        delete(queue, &[next]).await?;
    }
    Ok(())
}

/// As in "a group waits for its head": the head is there again, but another of its group is in flight.
async fn put_back_waits_for_the_rest(queue: &dyn Queue) -> Verdict {
    let sent = ["rest-1", "rest-2", "rest-3"];
    send(queue, &sent.map(|body| of("rest", body))).await?;
    let got = queue.receive(2, SECOND, LONG).await;
    let got = got.map_err(|error| error.to_string())?;
    let [head, next] = got.as_slice() else {
        return Err(format!("{:?} came, two were expected", bodies(&got)));
    };
    let back = hide(queue, head, Duration::ZERO).await?;
    expect!(back == Ok(()), "the change was answered {back:?}");
    nothing_comes(queue, "one of its group is in flight").await?;
    delete(queue, std::slice::from_ref(next)).await?;
    for body in ["rest-1", "rest-3"] {
        let next = take_this(queue, body, LONG).await?;
        delete(queue, &[next]).await?;
    }
    Ok(())
}

/// The same when the visibility timeout ends.
async fn expired_comes_first(queue: &dyn Queue) -> Verdict {
    send(queue, &[of("late", "late-1"), of("late", "late-2")]).await?;
    let first = take_this(queue, "late-1", 2 * SECOND).await?;
    let again = take_this(queue, "late-1", LONG).await?;
    expect!(
        again.id == first.id && again.receive_count == Some(2),
        "the second delivery is {again:?}"
    );
    delete(queue, &[again]).await?;
    let next = take_this(queue, "late-2", LONG).await?;
    delete(queue, &[next]).await
}

/// `ReceiveMessage`: a long poll ends once a message is there to be had.
async fn delete_wakes_poll(queue: &dyn Queue) -> Verdict {
    send(queue, &[of("wake", "wake-1"), of("wake", "wake-2")]).await?;
    let head = take_this(queue, "wake-1", LONG).await?;
    let clock = Clock::system();
    let began = clock.instant();
    let later = async {
        pause(SECOND / 2).await;
        delete(queue, &[head]).await
    };
    let (got, deleted) = tokio::join!(queue.receive(1, 15 * SECOND, LONG), later);
    deleted?;
    let got = got.map_err(|error| error.to_string())?;
    let took = clock.instant() - began;
    expect!(bodies(&got) == ["wake-2"], "{:?} came", bodies(&got));
    expect!(
        took < 5 * SECOND,
        "the poll saw the message only after {took:?}"
    );
    delete(queue, &got).await
}

/// `SendMessage`, `MessageDeduplicationId`: a repeated send is "accepted successfully" and not
/// delivered.
async fn repeated_send_is_swallowed(queue: &dyn Queue) -> Verdict {
    let message = of("once", "once-1");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sent = queue.send(std::slice::from_ref(&message)).await;
        ids.extend(sent.map_err(|error| error.to_string())?);
    }
    expect!(
        ids.iter().all(Result::is_ok),
        "the sends were answered {ids:?}"
    );
    let got = take_this(queue, "once-1", LONG).await?;
    expect!(
        ids.iter().all(|id| id.as_ref() == Ok(&got.id)),
        "the sends were answered {ids:?}, the message is {}",
        got.id
    );
    delete(queue, &[got]).await?;
    nothing_comes(queue, "both sends were the same message").await
}

/// As above: SQS "continues to keep track of the message deduplication ID even after the message is
/// received and deleted".
async fn send_is_remembered(queue: &dyn Queue) -> Verdict {
    let message = of("memory", "memory-1");
    send(queue, std::slice::from_ref(&message)).await?;
    let got = take_this(queue, "memory-1", LONG).await?;
    delete(queue, &[got]).await?;
    send(queue, &[message]).await?;
    nothing_comes(queue, "it was sent and deleted before").await
}

/// `ReceiveMessage`, `ReceiveRequestAttemptId`: "if a consumer whose message processing time is longer
/// than the visibility timeout tries to delete the processed messages, the action fails with an error."
async fn late_delete_is_refused(queue: &dyn Queue) -> Verdict {
    send(queue, &[of("slow", "slow-1")]).await?;
    let first = take_this(queue, "slow-1", SECOND).await?;
    pause(2 * SECOND).await;
    expect_late(queue, &first, "when its time was up").await?;
    let again = take_this(queue, "slow-1", LONG).await?;
    expect!(again.id == first.id, "another message came: {again:?}");
    expect_late(queue, &first, "after the message had come again").await?;
    delete(queue, &[again]).await
}

async fn expect_late(queue: &dyn Queue, message: &Message, when: &str) -> Verdict {
    let late = queue.delete(std::slice::from_ref(&message.receipt)).await;
    let late = late.map_err(|error| error.to_string())?;
    expect!(
        matches!(late.as_slice(), [Err(EntryError::Gone { .. })]),
        "a delete {when} was answered {late:?}"
    );
    Ok(())
}

/// `SendMessage`: without a group or a deduplication id, or with a delay of its own, a message "fails";
/// in a batch it fails alone.
async fn refuses_what_has_no_place(queue: &dyn Queue) -> Verdict {
    let messages = [
        Outgoing {
            group: None,
            ..of("odd", "odd-no-group")
        },
        Outgoing {
            deduplication_id: None,
            ..of("odd", "odd-no-id")
        },
        Outgoing {
            delay: 5 * SECOND,
            ..of("odd", "odd-delayed")
        },
        of("odd", "odd-good"),
    ];
    let entries = queue.send(&messages).await.map_err(|e| e.to_string())?;
    let refused = |entry| matches!(entry, &Err(EntryError::Refused { .. }));
    expect!(
        entries.len() == 4 && entries[..3].iter().all(refused) && entries[3].is_ok(),
        "the entries were answered {entries:?}"
    );
    let good = take_this(queue, "odd-good", LONG).await?;
    delete(queue, &[good]).await
}

/// `CreateQueue`, `RedrivePolicy`: "The dead-letter queue of a FIFO queue must also be a FIFO queue", so
/// what is buried needs a group and a deduplication id as well.
async fn buries(queue: &dyn Queue) -> Verdict {
    let buried = queue.bury(&of("dead", "dead-1")).await;
    let buried = buried.map_err(|error| error.to_string())?;
    expect!(buried == Buried::Sent, "burying was answered {buried:?}");
    let bare = queue.bury(&Outgoing::new("dead-2")).await;
    expect!(
        bare.is_err(),
        "burying a message without a group was answered {bare:?}"
    );
    Ok(())
}
