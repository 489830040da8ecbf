//! Handlers in any language, with real shells.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use weir_worker::handler::exec::Exec;
use weir_worker::handler::{Stop, Terms};
use weir_worker::observe::Trace;
use weir_worker::queue::Attribute;
use weir_worker::{CancelCause, Context, Handler, Job, Outcome};

/// Longer than any of these processes needs, and shorter than a person waits.
const LIMIT: Duration = Duration::from_secs(30);

fn job(body: &str) -> Job {
    let attributes = BTreeMap::from([
        ("Colour".to_owned(), Attribute::string("blue")),
        ("odd-name.x".to_owned(), Attribute::string("odd")),
        (
            "Blob".to_owned(),
            Attribute::Binary {
                data_type: "Binary".into(),
                value: bytes::Bytes::from_static(b"\xff\x00"),
            },
        ),
    ]);
    Job {
        id: "job-1".into(),
        body: body.into(),
        attributes,
    }
}

#[expect(clippy::disallowed_methods, reason = "a deadline in the real future")]
fn context(stop: &Stop) -> Context {
    let terms = Terms {
        attempt: 3,
        token: "token".into(),
        deadline: tokio::time::Instant::now() + Duration::from_mins(10),
        deadline_unix_seconds: 1_700_000_600.9,
    };
    Context::new(terms, stop.clone())
}

async fn run(command: &str, body: &str) -> Outcome {
    let stop = Stop::default();
    let exec = Exec::new(command);
    let handled = exec.handle(job(body), context(&stop));
    tokio::time::timeout(LIMIT, handled)
        .await
        .expect("handled in time")
}

fn retry(after: Option<u64>, reason: &str) -> Outcome {
    Outcome::Retry {
        after: after.map(Duration::from_secs),
        reason: reason.into(),
    }
}

#[tokio::test]
async fn body_comes_in_and_result_goes_out() {
    let outcome = run("tr a-z A-Z", "hello").await;
    assert_eq!(outcome, Outcome::Done("HELLO".into()));
}

#[tokio::test]
async fn environment_describes_the_job() {
    let command = "echo $WEIR_JOB_ID $WEIR_ATTEMPT $WEIR_DEADLINE $WEIR_TOKEN $WEIR_ATTR_Colour \
                   $WEIR_ATTR_odd_name_x $WEIR_ATTR_Blob";
    let outcome = run(command, "").await;
    let expected = "job-1 3 1700000600 token blue odd /wA=";
    assert_eq!(outcome, Outcome::Done(expected.into()));
}

#[tokio::test]
async fn process_is_told_of_the_trace() {
    let command = "echo $TRACEPARENT $TRACESTATE";
    let trace = Trace {
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        tracestate: Some("vendor=1".into()),
    };
    let ctx = context(&Stop::default()).with_trace(Some(trace));
    let outcome = Exec::new(command).handle(job(""), ctx).await;
    let told = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1";
    assert_eq!(outcome, Outcome::Done(told.into()));
}

#[tokio::test]
async fn exit_status_decides() {
    assert_eq!(run("exit 0", "").await, Outcome::Done(String::new()));
    let poison = Outcome::Poison {
        reason: "exit status: 65: no such colour".into(),
    };
    assert_eq!(run("echo no such colour >&2; exit 65", "").await, poison);
    assert_eq!(run("exit 75", "").await, retry(None, "exit status: 75"));
    let other = run("echo one >&2; echo two >&2; exit 3", "").await;
    assert_eq!(other, retry(None, "exit status: 3: one\ntwo"));
    assert_eq!(
        run("kill -9 $$", "").await,
        retry(None, "signal: 9 (SIGKILL)")
    );
}

#[tokio::test]
async fn retry_after_is_read_from_the_last_line_only() {
    let asked = run("echo busy >&2; echo WEIR_RETRY_AFTER=90 >&2; exit 75", "").await;
    assert_eq!(asked, retry(Some(90), "exit status: 75: busy"));
    let with_unit = run("echo WEIR_RETRY_AFTER=2m >&2; exit 75", "").await;
    assert_eq!(with_unit, retry(Some(120), "exit status: 75"));
    let not_last = run("echo WEIR_RETRY_AFTER=90 >&2; echo busy >&2; exit 75", "").await;
    assert_eq!(not_last, retry(None, "exit status: 75: busy"));
}

#[tokio::test]
async fn unread_input_is_no_failure() {
    let body = "x".repeat(1024 * 1024);
    assert_eq!(
        run("exec <&-; echo done", &body).await,
        Outcome::Done("done".into())
    );
}

#[tokio::test]
async fn large_input_and_output_do_not_lock_up() {
    let body = "0123456789abcdef".repeat(12 * 1024);
    assert_eq!(run("cat", &body).await, Outcome::Done(body));
}

#[tokio::test]
async fn result_beyond_the_limit_is_poison() {
    let mut exec = Exec::new("printf 12345678");
    exec.result_max_bytes = 8;
    let stop = Stop::default();
    let fits = exec.handle(job(""), context(&stop)).await;
    assert_eq!(fits, Outcome::Done("12345678".into()));
    exec.result_max_bytes = 7;
    let outcome = exec.handle(job(""), context(&stop)).await;
    let Outcome::Poison { reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(reason.contains("longer than 7 bytes"), "{reason}");
}

#[tokio::test]
async fn output_that_is_not_text_is_poison() {
    let outcome = run(r"printf '\377'", "").await;
    assert!(matches!(outcome, Outcome::Poison { .. }), "{outcome:?}");
}

/// Waits for a file that the shell writes when it is ready.
async fn wait_for(path: &Path) -> String {
    let written = async {
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(LIMIT, written)
        .await
        .expect("written in time")
}

async fn wait_for_end(pid: &str) {
    let ended = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LIMIT, ended)
        .await
        .expect("ended in time");
}

fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; its new parent has not looked yet.
    !status.is_empty() && !status.contains(") Z ")
}

#[tokio::test]
async fn cancelled_job_gets_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let (ready, told) = (folder.path().join("ready"), folder.path().join("told"));
    let command = format!(
        "trap 'echo told > {}; exit 0' TERM; echo $$ > {}; while :; do sleep 0.05; done",
        told.display(),
        ready.display()
    );
    let stop = Stop::default();
    let exec = Exec::new(command);
    let (outcome, ()) = tokio::join!(exec.handle(job(""), context(&stop)), async {
        wait_for(&ready).await;
        stop.because(CancelCause::LeaseLost);
    });
    assert_eq!(wait_for(&told).await, "told");
    let reason = "the process was ended: its lease was lost to another attempt";
    assert_eq!(
        outcome,
        retry(None, reason),
        "exit 0 after SIGTERM is not done"
    );
}

#[tokio::test]
async fn deaf_process_tree_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (parent, child) = (folder.path().join("parent"), folder.path().join("child"));
    let command = format!(
        "trap '' TERM; sleep 600 & echo $! > {}; echo $$ > {}; wait; sleep 600",
        child.display(),
        parent.display()
    );
    let mut exec = Exec::new(command);
    exec.grace = Duration::from_millis(200);
    let stop = Stop::default();
    let (outcome, ()) = tokio::join!(exec.handle(job(""), context(&stop)), async {
        wait_for(&parent).await;
        stop.because(CancelCause::Timeout);
    });
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    wait_for_end(&wait_for(&child).await).await;
    wait_for_end(&wait_for(&parent).await).await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a real process takes real time")]
async fn background_children_do_not_hold_up_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("child");
    let began = Instant::now();
    let outcome = run(
        &format!("sleep 600 & echo $! > {}; echo done", child.display()),
        "",
    )
    .await;
    assert_eq!(outcome, Outcome::Done("done".into()));
    assert!(began.elapsed() < Duration::from_mins(1));
    wait_for_end(&wait_for(&child).await).await;
}

#[tokio::test]
async fn dropped_job_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let exec = Exec::new(format!("echo $$ > {}; sleep 600", pid.display()));
    let stop = Stop::default();
    let id = tokio::select! {
        _ = exec.handle(job(""), context(&stop)) => panic!("ended by itself"),
        id = wait_for(&pid) => id,
    };
    wait_for_end(&id).await;
}

#[tokio::test]
async fn flood_of_errors_is_no_failure() {
    let outcome = run("yes error | head -c 20000000 >&2; echo done", "").await;
    assert_eq!(outcome, Outcome::Done("done".into()));
}

#[tokio::test]
async fn reason_is_the_end_of_what_was_said() {
    let command = "seq 100000 >&2; echo >&2; echo the end >&2; exit 1";
    let Outcome::Retry { reason, .. } = run(command, "").await else {
        panic!("not a retry")
    };
    assert!(reason.starts_with("exit status: 1: 9"), "{reason}");
    assert!(reason.ends_with("99999\n100000\nthe end"), "{reason}");
    let length = reason.len();
    assert!((800..=1024).contains(&length), "{length} bytes");
    let long_line = "printf 'é%.0s' $(seq 1500) >&2; exit 65";
    let Outcome::Poison { reason } = run(long_line, "").await else {
        panic!("not poison")
    };
    assert!(reason.ends_with("éé") && reason.len() <= 1024, "{reason}");
}

#[tokio::test]
async fn attributes_that_no_environment_holds_are_poison() {
    let mut job = job("");
    let long = Attribute::string("x".repeat(200_000));
    job.attributes.insert("Long".into(), long);
    let stop = Stop::default();
    let outcome = Exec::new("true").handle(job, context(&stop)).await;
    let Outcome::Poison { reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(reason.contains("attributes are too long"), "{reason}");
}

#[tokio::test]
async fn daemon_that_holds_the_pipes_does_not_hold_up_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let command = format!(
        "setsid sh -c 'echo $$ > {}; exec sleep 600' & while [ ! -s {} ]; do :; done; echo done",
        pid.display(),
        pid.display()
    );
    assert_eq!(run(&command, "").await, Outcome::Done("done".into()));
    // It left the group, so it is not the worker's to end.
    let daemon = wait_for(&pid).await;
    assert!(is_alive(&daemon));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(daemon.parse().unwrap()),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
}

/// In a container the worker may be the first process, to which orphans fall.
#[tokio::test]
async fn orphans_leave_no_zombies() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("child");
    let command = format!("sleep 600 & echo $! > {}", child.display());
    assert_eq!(run(&command, "").await, Outcome::Done(String::new()));
    let entry = format!("/proc/{}", wait_for(&child).await);
    let reaped = async {
        while Path::new(&entry).exists() {
            tokio::task::yield_now().await;
        }
    };
    let reaped = tokio::time::timeout(LIMIT, reaped).await;
    reaped.expect("no zombie is left");
}
