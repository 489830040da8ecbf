//! The worker seen from outside, over memory and paused time.

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{SECOND, World};
use weir_worker::clock::pause;
use weir_worker::queue::{Outgoing, Queue};
use weir_worker::{Context, Handler, Job, Outcome};

/// The value of a series, by its whole name with labels; absent is 0, as for a counter.
fn value(text: &str, series: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
        .map_or(0.0, |value| value.parse().expect("a number"))
}

fn jobs(text: &str, outcome: &str) -> f64 {
    let series = format!("weir_worker_jobs_total{{queue=\"jobs\",outcome=\"{outcome}\"}}");
    value(text, &series)
}

/// Done, poison by the job's id; a retry once.
async fn by_name(job: Job, ctx: Context) -> Outcome {
    pause(2 * SECOND).await;
    match job.id.split('-').next() {
        Some("poison") => Outcome::Poison {
            reason: "bad".into(),
        },
        Some("retry") if ctx.attempt() == 1 => Outcome::Retry {
            after: Some(SECOND),
            reason: "not yet".into(),
        },
        _ => Outcome::Done(String::new()),
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_are_counted_by_what_became_of_them() {
    let mut world = World::new();
    world.settings.slots = 8;
    world.send(["a", "b", "poison-1", "retry-1", "a"]).await;
    let worker = world.start(by_name);
    world.until_empty().await;
    let text = world.observer.prometheus();
    worker.end().await;
    assert!((jobs(&text, "done") - 3.0).abs() < f64::EPSILON, "{text}");
    assert!((jobs(&text, "poison") - 1.0).abs() < f64::EPSILON, "{text}");
    assert!(
        (jobs(&text, "retried") - 1.0).abs() < f64::EPSILON,
        "{text}"
    );
    // The second "a" came while the first ran, and again when it had ended.
    assert!(
        (jobs(&text, "elsewhere") - 1.0).abs() < f64::EPSILON,
        "{text}"
    );
    assert!(
        (jobs(&text, "duplicate") - 1.0).abs() < f64::EPSILON,
        "{text}"
    );
    let services = value(&text, "weir_worker_service_seconds_count{queue=\"jobs\"}");
    assert!((services - 3.0).abs() < f64::EPSILON, "{text}");
    let seconds = value(&text, "weir_worker_service_seconds_sum{queue=\"jobs\"}");
    assert!((seconds - 6.0).abs() < 0.01, "{text}");
}

#[tokio::test(start_paused = true)]
async fn running_jobs_show_with_id_attempt_and_age() {
    let world = World::new();
    world.send(["slow"]).await;
    let worker = world.start(|_: Job, _: Context| async {
        pause(Duration::from_mins(2)).await;
        Outcome::Done(String::new())
    });
    pause(Duration::from_secs(90)).await;
    let status = world.observer.status().expect("the worker has begun");
    assert_eq!(status.busy_slots, 1);
    assert_eq!(status.held_messages, 1);
    let job = &status.jobs[0];
    assert_eq!((job.job_id.as_str(), job.attempt), ("slow", 1));
    assert!((job.age_seconds - 90.0).abs() < 1.0, "{job:?}");
    let text = world.observer.prometheus();
    assert!((value(&text, "weir_worker_busy_slots") - 1.0).abs() < f64::EPSILON);
    assert!((value(&text, "weir_worker_oldest_job_seconds") - 90.0).abs() < 1.0);
    let busy = value(&text, "weir_worker_busy_slot_seconds_total");
    assert!((busy - 90.0).abs() < 1.0, "{text}");
    worker.end().await;
    let after = world.observer.status().expect("it had begun");
    assert!(after.jobs.is_empty() && after.draining.is_some());
}

#[tokio::test(start_paused = true)]
async fn handlers_are_told_of_the_senders_trace() {
    let world = World::new();
    let message = Outgoing {
        trace_header: Some(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".into(),
        ),
        ..Outgoing::new("body")
    };
    world.queue.send(&[message]).await.expect("sent");
    let told = Arc::new(Mutex::new(None));
    let teller = Arc::clone(&told);
    let worker = world.start(move |_: Job, ctx: Context| {
        *teller.lock().unwrap() = ctx.trace().cloned();
        async { Outcome::Done(String::new()) }
    });
    world.until_empty().await;
    worker.end().await;
    let trace = told.lock().unwrap().clone().expect("a trace");
    let place = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
    assert_eq!(trace.traceparent, place);
}

#[tokio::test(start_paused = true)]
async fn worker_is_ready_from_its_start_until_it_leaves() {
    let world = World::new();
    world.send(["slow"]).await;
    assert!(world.observer.unready()[0].contains("starting"));
    let worker = world.start(by_name);
    pause(SECOND).await;
    assert_eq!(world.observer.unready(), Vec::<String>::new());
    assert_eq!(world.observer.hung(), Vec::<String>::new());
    worker.leave();
    pause(SECOND / 10).await;
    assert_eq!(
        world.observer.unready(),
        ["draining after a signal to stop"]
    );
    assert_eq!(world.observer.hung(), Vec::<String>::new());
    worker.ended().await;
    // What is over does not hang.
    pause(Duration::from_hours(1)).await;
    assert_eq!(world.observer.hung(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn full_or_paused_worker_does_not_hang_for_want_of_polls() {
    let mut world = World::new();
    world.settings.slots = 1;
    world.settings.job_timeout = Duration::from_hours(2);
    world.send(["slow"]).await;
    let worker = world.start(|_: Job, _: Context| async {
        pause(Duration::from_hours(1)).await;
        Outcome::Done(String::new())
    });
    for _ in 0..70 {
        pause(Duration::from_mins(1)).await;
        assert_eq!(world.observer.hung(), Vec::<String>::new());
    }
    assert!(world.queue.is_empty());
    worker.end().await;
}

/// The metrics' names in the first column of a table under "Metrics".
fn documented() -> BTreeSet<String> {
    let guide = include_str!("../../docs/worker.md");
    let rows = guide
        .lines()
        .filter(|line| line.starts_with("| `weir_worker_"));
    let name = |row: &str| row.split('`').nth(1).unwrap_or_default().to_owned();
    rows.map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn guide_lists_every_metric_and_no_other() {
    let world = World::new();
    world.send(["a"]).await;
    let worker = world.start(by_name);
    world.until_empty().await;
    let text = world.observer.prometheus();
    worker.end().await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|line| line.split(' ').next());
    let there: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(there, documented());
}

/// A handler whose service never comes up.
struct NeverUp;

#[async_trait::async_trait]
impl Handler for NeverUp {
    async fn handle(&self, _job: Job, _ctx: Context) -> Outcome {
        Outcome::Done(String::new())
    }

    async fn ready(&self) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test(start_paused = true)]
async fn worker_that_waits_for_its_handler_is_alive() {
    let world = World::new();
    world.send(["job"]).await;
    let worker = world.start(NeverUp);
    pause(Duration::from_mins(10)).await;
    assert_eq!(world.observer.hung(), Vec::<String>::new());
    assert_eq!(world.queue.visible(), 1, "nothing is fetched");
    worker.end().await;
}
