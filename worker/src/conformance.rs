//! What every implementation of a port must do, as suites that run over any of them.
//!
//! The suites use only the ports and wait on tokio's clock: paused over memory, real over a cloud.
//! They must not know an implementation. Each case says in words what it found wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use weir_protocol::JobState;

use crate::clock::{Clock, pause};
use crate::jobs::Jobs;
use crate::lease::{Claim, Claimed, Ending, Finish, Held};
use crate::queue::{
    Attribute, BATCH_MAX, Buried, EntryError, Message, Outgoing, Queue, Visibility,
};

/// `Err` says what was found and what was expected.
pub type Verdict = Result<(), String>;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than any case holds a message.
const LONG: Duration = Duration::from_mins(1);

macro_rules! expect {
    ($holds:expr, $($found:tt)+) => {
        if !$holds {
            return Err(format!($($found)+));
        }
    };
}

/// The suite for a [`Queue`]: a standard queue, empty, with a dead-letter queue. It takes some
/// fifteen seconds of the clock and leaves the queue empty.
pub async fn queue(queue: &dyn Queue) -> Verdict {
    let case = |name: &'static str| move |what: String| format!("{name}: {what}");
    arrives_whole(queue).await.map_err(case("arrives whole"))?;
    empty_poll_waits(queue)
        .await
        .map_err(case("an empty poll waits"))?;
    send_wakes_poll(queue)
        .await
        .map_err(case("a send wakes the poll"))?;
    comes_again(queue)
        .await
        .map_err(case("comes again when visibility ends"))?;
    renewal_hides(queue)
        .await
        .map_err(case("a renewal keeps it hidden"))?;
    zero_puts_back(queue)
        .await
        .map_err(case("visibility zero puts it back"))?;
    batches_of_ten(queue)
        .await
        .map_err(case("batches of ten"))?;
    spent_handles(queue).await.map_err(case("spent handles"))?;
    buries(queue).await.map_err(case("buries"))
}

fn plain(body: &str) -> Outgoing {
    Outgoing::new(body)
}

async fn send(queue: &dyn Queue, messages: &[Outgoing]) -> Verdict {
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

async fn take_one(queue: &dyn Queue, visibility: Duration) -> Result<Message, String> {
    let taken = take(queue, 1, visibility).await?;
    let count = taken.len();
    let mut taken = taken.into_iter();
    taken
        .next()
        .ok_or_else(|| format!("{count} messages came, 1 was expected"))
}

async fn delete(queue: &dyn Queue, messages: &[Message]) -> Verdict {
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

async fn hide(
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
        got.receive_count == 1,
        "receive count {}",
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
        second.receive_count == 2,
        "receive count {}",
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

async fn buries(queue: &dyn Queue) -> Verdict {
    let buried = queue
        .bury(&plain("dead"))
        .await
        .map_err(|e| e.to_string())?;
    expect!(buried == Buried::Sent, "burying was answered {buried:?}");
    Ok(())
}

/// The suite for [`Jobs`]. Its job ids begin with `prefix`, which must be new to the table.
pub async fn jobs(jobs: &dyn Jobs, prefix: &str) -> Verdict {
    let id = |name: &str| format!("{prefix}-{name}");
    let case = |name: &'static str| move |what: String| format!("{name}: {what}");
    first_claim(jobs, &id("first"))
        .await
        .map_err(case("first claim"))?;
    contention(jobs, &id("contended"))
        .await
        .map_err(case("contention"))?;
    fencing(jobs, &id("fenced"))
        .await
        .map_err(case("fencing"))?;
    ends_stay(jobs, &id("ended"))
        .await
        .map_err(case("ends stay"))?;
    tried_again(jobs, &id("again"))
        .await
        .map_err(case("tried again"))
}

fn wish(job_id: &str, token: &str, now: f64) -> Claim {
    Claim {
        job_id: job_id.into(),
        token: token.into(),
        worker: format!("worker-{token}"),
        queue: "conformance".into(),
        sent_at: Some(900.5),
        now,
        lease_seconds: 60.0,
        expires_at: 9_999_999_999,
    }
}

fn end(job_id: &str, token: &str, ending: Ending) -> Finish {
    Finish {
        job_id: job_id.into(),
        token: token.into(),
        at: 1234.5,
        expires_at: 9_999_999_999,
        ending,
    }
}

async fn claim(jobs: &dyn Jobs, claim: &Claim) -> Result<Claimed, String> {
    jobs.claim(claim).await.map_err(|error| error.to_string())
}

async fn finish(jobs: &dyn Jobs, finish: &Finish) -> Result<Held, String> {
    jobs.finish(finish, &[])
        .await
        .map_err(|error| error.to_string())
}

async fn first_claim(jobs: &dyn Jobs, id: &str) -> Verdict {
    let before = jobs.get(id).await.map_err(|error| error.to_string())?;
    expect!(before.is_none(), "there was a record: {before:?}");
    let claimed = claim(jobs, &wish(id, "a", 1000.25)).await?;
    let Claimed::Mine(record) = claimed else {
        return Err(format!("answered {claimed:?}"));
    };
    let stored = jobs.get(id).await.map_err(|error| error.to_string())?;
    expect!(stored.as_ref() == Some(&*record), "stored {stored:?}");
    let times = (record.sent_at, record.started_at, record.lease_until);
    expect!(
        times == (Some(900.5), Some(1000.25), Some(1060.25)) && record.attempt == 1,
        "the record is {record:?}"
    );
    let again = claim(jobs, &wish(id, "a", 1000.25)).await?;
    expect!(
        again == Claimed::Mine(record),
        "the same claim again was answered {again:?}"
    );
    Ok(())
}

async fn contention(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let other = claim(jobs, &wish(id, "b", 1059.0)).await?;
    let elsewhere = Claimed::Elsewhere {
        lease_until: 1060.0,
    };
    expect!(other == elsewhere, "a live lease answered {other:?}");
    let extended = jobs
        .extend(id, "a", 1100.0)
        .await
        .map_err(|e| e.to_string())?;
    expect!(extended == Held::Yes, "the extension answered {extended:?}");
    let other = claim(jobs, &wish(id, "b", 1090.0)).await?;
    let elsewhere = Claimed::Elsewhere {
        lease_until: 1100.0,
    };
    expect!(other == elsewhere, "an extended lease answered {other:?}");
    Ok(())
}

async fn fencing(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let taken = claim(jobs, &wish(id, "b", 1063.0)).await?;
    let Claimed::Mine(record) = &taken else {
        return Err(format!("a lapsed lease answered {taken:?}"));
    };
    expect!(
        record.attempt == 2 && record.started_at == Some(1000.0),
        "the record is {record:?}"
    );
    let extended = jobs
        .extend(id, "a", 2000.0)
        .await
        .map_err(|e| e.to_string())?;
    expect!(
        extended == Held::Lost,
        "the old token's extension answered {extended:?}"
    );
    let result = "old".into();
    let old = finish(jobs, &end(id, "a", Ending::Succeeded { result })).await?;
    expect!(
        old == Held::Lost,
        "the old token's completion answered {old:?}"
    );
    let result = "new".into();
    let new = finish(jobs, &end(id, "b", Ending::Succeeded { result })).await?;
    expect!(
        new == Held::Yes,
        "the new token's completion answered {new:?}"
    );
    let stored = jobs.get(id).await.map_err(|error| error.to_string())?;
    let stored = stored.and_then(|record| record.result);
    expect!(
        stored.as_deref() == Some("new"),
        "the stored result is {stored:?}"
    );
    Ok(())
}

async fn ends_stay(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let reason = "broken".into();
    let failed = end(id, "a", Ending::Failed { reason });
    for time in ["first", "second"] {
        let held = finish(jobs, &failed).await?;
        expect!(
            held == Held::Yes,
            "the {time} write of the end answered {held:?}"
        );
    }
    let extended = jobs
        .extend(id, "a", 2000.0)
        .await
        .map_err(|e| e.to_string())?;
    expect!(
        extended == Held::Lost,
        "an ended job's extension answered {extended:?}"
    );
    let claimed = claim(jobs, &wish(id, "b", 99_999.0)).await?;
    let Claimed::Finished(record) = &claimed else {
        return Err(format!("an ended job's claim answered {claimed:?}"));
    };
    expect!(
        record.state == JobState::Failed
            && record.reason.as_deref() == Some("broken")
            && record.finished_at == Some(1234.5)
            && record.lease_until.is_none(),
        "the record is {record:?}"
    );
    Ok(())
}

async fn tried_again(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let reason = "no luck".into();
    finish(jobs, &end(id, "a", Ending::Waiting { reason })).await?;
    let second = claim(jobs, &wish(id, "b", 1001.0)).await?;
    let Claimed::Mine(record) = &second else {
        return Err(format!("a waiting job's claim answered {second:?}"));
    };
    expect!(
        record.attempt == 2 && record.reason.as_deref() == Some("no luck"),
        "the record is {record:?}"
    );
    let reason = "drain".into();
    let back = end(id, "b", Ending::HandedBack { reason });
    for time in ["first", "second"] {
        let held = finish(jobs, &back).await?;
        expect!(held == Held::Yes, "the {time} hand-back answered {held:?}");
    }
    let third = claim(jobs, &wish(id, "c", 1002.0)).await?;
    let Claimed::Mine(record) = &third else {
        return Err(format!("a handed back job's claim answered {third:?}"));
    };
    expect!(
        record.attempt == 2,
        "a hand-back burnt an attempt: {record:?}"
    );
    Ok(())
}
