use super::*;

fn wish(token: &str, now: f64) -> Claim {
    Claim {
        job_id: "j".into(),
        token: token.into(),
        worker: "i-1".into(),
        queue: "q".into(),
        message_id: "m".into(),
        ticket: None,
        sent_at: Some(90.0),
        now,
        lease_seconds: 60.0,
        expires_at: 1,
    }
}

fn end(token: &str, ending: Ending) -> Finish {
    Finish {
        job_id: "j".into(),
        token: token.into(),
        over: Over::Lease,
        at: 130.0,
        expires_at: 2,
        ending,
    }
}

fn unclaimed(token: &str, ending: Ending) -> Finish {
    let begun = Unclaimed {
        worker: "i-1".into(),
        queue: "q".into(),
        sent_at: Some(90.0),
        started_at: 100.0,
    };
    Finish {
        over: Over::Nothing(Box::new(begun)),
        ..end(token, ending)
    }
}

fn waiting() -> Ending {
    Ending::Waiting {
        reason: "no luck".into(),
    }
}

#[test]
fn first_claim_starts_the_record() {
    let record = claim(None, &wish("a", 100.0)).unwrap();
    assert_eq!(record.attempt, 1);
    assert_eq!(record.lease_until, Some(160.0));
    assert_eq!(
        (record.sent_at, record.started_at),
        (Some(90.0), Some(100.0))
    );
}

#[test]
fn live_lease_is_left_alone_until_the_skew_has_passed() {
    let record = claim(None, &wish("a", 100.0)).unwrap();
    let elsewhere = Claimed::Elsewhere { lease_until: 160.0 };
    assert_eq!(
        claim(Some(&record), &wish("b", 159.0)),
        Err(elsewhere.clone())
    );
    assert_eq!(claim(Some(&record), &wish("b", 162.0)), Err(elsewhere));
    let taken = claim(Some(&record), &wish("b", 162.1)).unwrap();
    assert_eq!((taken.attempt, taken.token.as_deref()), (2, Some("b")));
    assert_eq!(taken.started_at, Some(100.0), "the first start is kept");
}

#[test]
fn fenced_worker_can_neither_complete_nor_release() {
    let first = claim(None, &wish("a", 100.0)).unwrap();
    let second = claim(Some(&first), &wish("b", 200.0)).unwrap();
    let done = Ending::Succeeded { result: "r".into() };
    assert_eq!(finish(Some(&second), &end("a", done)), Err(Held::Lost));
    assert_eq!(finish(Some(&second), &end("a", waiting())), Err(Held::Lost));
    assert!(!rules(Some(&second), "a"));
}

#[test]
fn own_writes_seen_again_are_success_not_contention() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let again = claim(Some(&running), &wish("a", 100.0));
    assert_eq!(again, Err(Claimed::Mine(Box::new(running.clone()))));
    let done = end("a", Ending::Succeeded { result: "r".into() });
    let finished = finish(Some(&running), &done).unwrap();
    assert_eq!(finish(Some(&finished), &done), Err(Held::Yes));
}

#[test]
fn handing_back_does_not_burn_the_attempt() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let failed = finish(Some(&running), &end("a", waiting())).unwrap();
    assert_eq!(failed.attempt, 1);
    let reason = "drain".into();
    let back = finish(Some(&running), &end("a", Ending::HandedBack { reason })).unwrap();
    assert_eq!(back.attempt, 0);
    assert_eq!(claim(Some(&back), &wish("b", 101.0)).unwrap().attempt, 1);
}

fn anew(failed_with: Option<&str>) -> Reopen {
    Reopen {
        job_id: "j".into(),
        failed_with: failed_with.map(str::to_owned),
        now: 200.0,
        expires_at: 3,
    }
}

#[test]
fn first_failure_is_remembered_until_the_job_is_done_or_begun_anew() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let first = finish(Some(&running), &end("a", waiting())).unwrap();
    let running = claim(Some(&first), &wish("b", 140.0)).unwrap();
    let reason = "worse".into();
    let failed = finish(Some(&running), &end("b", Ending::Failed { reason })).unwrap();
    let reasons = (failed.first_reason.as_deref(), failed.reason.as_deref());
    assert_eq!(reasons, (Some("no luck"), Some("worse")));
    assert_eq!(failed.first_failed_at, Some(130.0));
    let done = Ending::Succeeded { result: "r".into() };
    let done = finish(Some(&running), &end("b", done)).unwrap();
    assert_eq!((done.first_reason, done.first_failed_at), (None, None));
    let again = reopen(Some(&failed), &anew(None)).unwrap();
    assert_eq!((again.first_reason, again.finished_at), (None, None));
}

#[test]
fn reopened_job_has_all_its_attempts_again() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let reason = "bad".into();
    let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
    let stuck = finish(Some(&running), &end("a", waiting())).unwrap();
    for found in [&failed, &stuck, &running] {
        let again = reopen(Some(found), &anew(None)).unwrap();
        assert_eq!((again.state, again.attempt), (JobState::Waiting, 0));
        let claimed = claim(Some(&again), &wish("b", 201.0)).unwrap();
        assert_eq!((claimed.attempt, claimed.started_at), (1, Some(100.0)));
    }
}

#[test]
fn done_and_running_jobs_are_not_reopened() {
    assert_eq!(reopen(None, &anew(None)), Err(Reopened::NoRecord));
    let running = claim(None, &wish("a", 195.0)).unwrap();
    let done = Ending::Succeeded { result: "r".into() };
    let done = finish(Some(&running), &end("a", done)).unwrap();
    for found in [running, done] {
        let kept = Err(Reopened::Kept(Box::new(found.clone())));
        assert_eq!(reopen(Some(&found), &anew(None)), kept);
    }
}

#[test]
fn only_the_failure_that_was_meant_is_reopened() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let reason = "bad".into();
    let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
    let other = reopen(Some(&failed), &anew(Some("b")));
    assert_eq!(other, Err(Reopened::Kept(Box::new(failed.clone()))));
    let again = reopen(Some(&failed), &anew(Some("a"))).unwrap();
    // The same call once more, by a retry below us.
    assert_eq!(reopen(Some(&again), &anew(Some("a"))), Err(Reopened::Yes));
}

#[test]
fn unclaimed_end_is_written_once_and_only_over_nothing() {
    let first = unclaimed("a", Ending::Succeeded { result: "r".into() });
    let record = finish(None, &first).unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Succeeded, 1));
    assert_eq!(
        (record.sent_at, record.started_at, record.finished_at),
        (Some(90.0), Some(100.0), Some(130.0))
    );
    assert_eq!(finish(Some(&record), &first), Err(Held::Yes), "its own");
    let other = unclaimed("b", Ending::Succeeded { result: "s".into() });
    assert_eq!(finish(Some(&record), &other), Err(Held::Lost));
}

#[test]
fn unclaimed_end_yields_to_a_later_claim_and_to_what_it_left() {
    let done = unclaimed("a", Ending::Succeeded { result: "r".into() });
    let running = claim(None, &wish("b", 100.0)).unwrap();
    assert_eq!(finish(Some(&running), &done), Err(Held::Lost));
    let failed = finish(Some(&running), &end("b", waiting())).unwrap();
    assert_eq!(finish(Some(&failed), &done), Err(Held::Lost));
}

#[test]
fn unclaimed_failure_counts_as_the_first_attempt() {
    let failed = finish(None, &unclaimed("a", waiting())).unwrap();
    assert_eq!((failed.state, failed.attempt), (JobState::Waiting, 1));
    assert_eq!(claim(Some(&failed), &wish("b", 101.0)).unwrap().attempt, 2);
}

#[test]
fn ended_jobs_stay_ended() {
    let running = claim(None, &wish("a", 100.0)).unwrap();
    let reason = "bad".into();
    let failed = finish(Some(&running), &end("a", Ending::Failed { reason })).unwrap();
    let answer = claim(Some(&failed), &wish("b", 9e9));
    assert_eq!(answer, Err(Claimed::Finished(Box::new(failed))));
}
