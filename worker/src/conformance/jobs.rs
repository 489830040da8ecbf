//! The suite for job records.

use weir_protocol::{JobRecord, JobState};

use super::Verdict;
use crate::jobs::{Jobs, JobsError};
use crate::lease::{
    self, Claim, Claimed, Ending, Finish, Held, Over, PutOff, RESULT_MAX_BYTES, Reopen, Reopened,
    Unclaimed,
};

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
        .map_err(case("tried again"))?;
    put_off(jobs, &id("put-off"))
        .await
        .map_err(case("put off"))?;
    begun_anew(jobs, &id("anew"))
        .await
        .map_err(case("begun anew"))?;
    not_begun_anew(jobs, &id("not-anew"))
        .await
        .map_err(case("not begun anew"))?;
    unclaimed_end(jobs, &id("unclaimed"))
        .await
        .map_err(case("an end without a claim"))?;
    unclaimed_end_yields(jobs, &id("yields"))
        .await
        .map_err(case("an end without a claim yields"))?;
    unclaimed_failure(jobs, &id("unclaimed-failure"))
        .await
        .map_err(case("a failure without a claim"))?;
    longest_result(jobs, &id("long"))
        .await
        .map_err(case("the longest result"))
}

fn wish(job_id: &str, token: &str, now: f64) -> Claim {
    Claim {
        job_id: job_id.into(),
        token: token.into(),
        worker: format!("worker-{token}"),
        queue: "conformance".into(),
        message_id: "message".into(),
        ticket: None,
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
        over: Over::Lease,
        at: 1234.5,
        expires_at: 9_999_999_999,
        ending,
    }
}

/// The end of an attempt that began at 1000 without a claim.
fn unclaimed(job_id: &str, token: &str, ending: Ending) -> Finish {
    let begun = Unclaimed {
        worker: format!("worker-{token}"),
        queue: "conformance".into(),
        sent_at: Some(900.5),
        started_at: 1000.25,
    };
    Finish {
        over: Over::Nothing(Box::new(begun)),
        ..end(job_id, token, ending)
    }
}

fn succeeded(result: &str) -> Ending {
    let result = result.into();
    Ending::Succeeded { result }
}

async fn get(jobs: &dyn Jobs, id: &str) -> Result<Option<JobRecord>, String> {
    jobs.get(id).await.map_err(|error| error.to_string())
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
    let before = get(jobs, id).await?;
    expect!(before.is_none(), "there was a record: {before:?}");
    let claimed = claim(jobs, &wish(id, "a", 1000.25)).await?;
    let Claimed::Mine(record) = claimed else {
        return Err(format!("answered {claimed:?}"));
    };
    let stored = get(jobs, id).await?;
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
    let stored = get(jobs, id).await?;
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

/// A job put off is begun by the message with its ticket alone, and by one of two such.
async fn put_off(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let ending = Ending::PutOff {
        reason: "not this week".into(),
        ticket: "ticket-1".into(),
        until: 90_000.0,
    };
    for time in ["first", "second"] {
        let held = finish(jobs, &end(id, "a", ending.clone())).await?;
        expect!(held == Held::Yes, "the {time} answered {held:?}");
    }
    let expected = |has_carrier| {
        Claimed::PutOff(PutOff {
            ticket: "ticket-1".into(),
            until: 90_000.0,
            has_carrier,
        })
    };
    let old = claim(jobs, &wish(id, "b", 90_001.0)).await?;
    expect!(
        old == expected(false),
        "the old message's claim answered {old:?}"
    );
    let with_ticket = |message: &str, token: &str, now| Claim {
        message_id: message.into(),
        ticket: Some("ticket-1".into()),
        ..wish(id, token, now)
    };
    let new = claim(jobs, &with_ticket("new", "c", 90_002.0)).await?;
    let Claimed::Mine(record) = &new else {
        return Err(format!("the new message's claim answered {new:?}"));
    };
    expect!(
        record.attempt == 2 && record.carrier.as_deref() == Some("new"),
        "the record is {record:?}"
    );
    let reason = "no luck".into();
    finish(jobs, &end(id, "c", Ending::Waiting { reason })).await?;
    let twin = claim(jobs, &with_ticket("twin", "d", 90_003.0)).await?;
    expect!(twin == expected(true), "the twin's claim answered {twin:?}");
    let old = claim(jobs, &wish(id, "e", 90_003.0)).await?;
    expect!(
        old == expected(true),
        "the old message's claim answered {old:?}"
    );
    let stand_in = claim(
        jobs,
        &with_ticket("twin", "f", 90_001.0 + lease::STAND_IN_SECONDS),
    )
    .await?;
    expect!(
        matches!(stand_in, Claimed::Mine(_)),
        "the stand-in's claim answered {stand_in:?}"
    );
    Ok(())
}

async fn reopen(jobs: &dyn Jobs, id: &str, failed_with: Option<&str>) -> Result<Reopened, String> {
    let reopen = Reopen {
        job_id: id.into(),
        failed_with: failed_with.map(str::to_owned),
        now: 2000.0,
        expires_at: 9_999_999_999,
    };
    jobs.reopen(&reopen)
        .await
        .map_err(|error| error.to_string())
}

/// A job given up comes back with all its attempts; what it first failed of was on record till then.
async fn begun_anew(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    let reason = "first".into();
    finish(jobs, &end(id, "a", Ending::Waiting { reason })).await?;
    claim(jobs, &wish(id, "b", 1001.0)).await?;
    let reason = "last".into();
    finish(jobs, &end(id, "b", Ending::Failed { reason })).await?;
    let stored = get(jobs, id).await?;
    let failed = stored.ok_or("there is no record")?;
    expect!(
        failed.first_reason.as_deref() == Some("first")
            && failed.first_failed_at == Some(1234.5)
            && failed.reason.as_deref() == Some("last"),
        "the record is {failed:?}"
    );
    let other = reopen(jobs, id, Some("a")).await?;
    expect!(
        matches!(other, Reopened::Kept(_)),
        "another failure than the one meant was answered {other:?}"
    );
    for token in [Some("b"), Some("b"), None] {
        let again = reopen(jobs, id, token).await?;
        expect!(again == Reopened::Yes, "{token:?} was answered {again:?}");
    }
    let claimed = claim(jobs, &wish(id, "c", 2001.0)).await?;
    let Claimed::Mine(record) = &claimed else {
        return Err(format!("the claim after it was answered {claimed:?}"));
    };
    expect!(
        record.attempt == 1
            && record.started_at == Some(1000.0)
            && record.finished_at.is_none()
            && record.first_reason.is_none()
            && record.reason.as_deref() == Some("last"),
        "the record is {record:?}"
    );
    Ok(())
}

async fn not_begun_anew(jobs: &dyn Jobs, id: &str) -> Verdict {
    let none = reopen(jobs, id, None).await?;
    expect!(none == Reopened::NoRecord, "no record answered {none:?}");
    let stored = get(jobs, id).await?;
    expect!(stored.is_none(), "it made a record: {stored:?}");
    claim(jobs, &wish(id, "a", 1990.0)).await?;
    let running = reopen(jobs, id, None).await?;
    expect!(
        matches!(running, Reopened::Kept(_)),
        "a live lease answered {running:?}"
    );
    let result = "done".into();
    finish(jobs, &end(id, "a", Ending::Succeeded { result })).await?;
    let done = reopen(jobs, id, None).await?;
    let Reopened::Kept(record) = &done else {
        return Err(format!("a job that is done answered {done:?}"));
    };
    expect!(
        record.state == JobState::Succeeded && record.result.as_deref() == Some("done"),
        "the record is {record:?}"
    );
    Ok(())
}

async fn unclaimed_end(jobs: &dyn Jobs, id: &str) -> Verdict {
    let done = unclaimed(id, "a", succeeded("first"));
    for time in ["first", "second"] {
        let held = finish(jobs, &done).await?;
        expect!(held == Held::Yes, "its {time} write was answered {held:?}");
    }
    let stored = get(jobs, id).await?;
    let wanted = lease::finish(None, &done).map_err(|held| format!("{held:?}"))?;
    expect!(stored.as_ref() == Some(&wanted), "stored {stored:?}");
    let other = finish(jobs, &unclaimed(id, "b", succeeded("second"))).await?;
    expect!(other == Held::Lost, "another's end was answered {other:?}");
    let claimed = claim(jobs, &wish(id, "c", 99_999.0)).await?;
    let finished = Claimed::Finished(Box::new(wanted));
    expect!(
        claimed == finished,
        "a claim after it was answered {claimed:?}"
    );
    Ok(())
}

/// Whatever another attempt has written, an end without a claim changes nothing of it.
async fn unclaimed_end_yields(jobs: &dyn Jobs, id: &str) -> Verdict {
    claim(jobs, &wish(id, "b", 1000.0)).await?;
    let reason = "no luck".into();
    let states = [
        ("running", None),
        ("waiting", Some(Ending::Waiting { reason })),
    ];
    for (state, ending) in states {
        if let Some(ending) = ending {
            finish(jobs, &end(id, "b", ending)).await?;
        }
        let before = get(jobs, id).await?;
        let reason = "it failed".into();
        for ending in [succeeded("late"), Ending::Failed { reason }] {
            let held = finish(jobs, &unclaimed(id, "a", ending)).await?;
            expect!(held == Held::Lost, "over a {state} record: {held:?}");
        }
        let after = get(jobs, id).await?;
        expect!(after == before, "a {state} record became {after:?}");
    }
    Ok(())
}

async fn unclaimed_failure(jobs: &dyn Jobs, id: &str) -> Verdict {
    let reason = "no luck".into();
    let failed = unclaimed(id, "a", Ending::Waiting { reason });
    for time in ["first", "second"] {
        let held = finish(jobs, &failed).await?;
        expect!(held == Held::Yes, "its {time} write was answered {held:?}");
    }
    let claimed = claim(jobs, &wish(id, "b", 1300.0)).await?;
    let Claimed::Mine(record) = &claimed else {
        return Err(format!("the claim after it was answered {claimed:?}"));
    };
    expect!(
        record.attempt == 2
            && record.started_at == Some(1000.25)
            && record.reason.as_deref() == Some("no luck")
            && record.first_failed_at == Some(1234.5),
        "the record is {record:?}"
    );
    Ok(())
}

/// A record holds the longest result with the longest of everything else; a longer one is refused
/// for what it is, whatever is written over.
async fn longest_result(jobs: &dyn Jobs, id: &str) -> Verdict {
    let long_id = format!("{id}-{}", "x".repeat(256 - id.len() - 1));
    let longest = "x".repeat(RESULT_MAX_BYTES);
    let held = finish(jobs, &unclaimed(&long_id, "a", succeeded(&longest))).await?;
    expect!(held == Held::Yes, "the longest was answered {held:?}");
    let stored = get(jobs, &long_id).await?.and_then(|record| record.result);
    expect!(stored == Some(longest), "the longest was not stored");
    claim(jobs, &wish(id, "a", 1000.0)).await?;
    // Bytes count, not characters.
    let longer = format!("é{}", "x".repeat(RESULT_MAX_BYTES - 1));
    let bytes = longer.len();
    for over in [end, unclaimed] {
        let answer = jobs.finish(&over(id, "a", succeeded(&longer)), &[]).await;
        let too_long = Err(JobsError::ResultTooLong { bytes });
        expect!(answer == too_long, "a longer one was answered {answer:?}");
    }
    Ok(())
}
