//! A worker that leaves, over memory and on a paused clock.

mod support;

use support::{SECOND, World, no_op, taking};
use weir_protocol::JobState;
use weir_worker::clock::pause;
use weir_worker::drain::DrainCause;
use weir_worker::memory::{Call, Fault};

#[tokio::test(start_paused = true)]
async fn drain_finishes_what_runs_and_hands_back_what_arrives() {
    let world = World::new();
    world.send(["running"]).await;
    let working = world.start(taking(60 * SECOND));
    world
        .until("it runs", |w| w.state("running") == Some(JobState::Running))
        .await;
    pause(5 * SECOND).await;
    working.leave();
    working.leave();
    pause(SECOND).await;
    assert!(world.reports.written().last().unwrap().draining);
    // The open poll takes it, as SQS may have promised it to the poll already.
    world.send(["late"]).await;
    pause(SECOND).await;
    assert_eq!(world.queue.visible(), 1, "handed back at once");
    assert_eq!(world.record("late"), None, "and never begun");
    let summary = working.ended().await;
    assert_eq!(summary.completed, 1);
    assert_eq!(
        world.queue.len(),
        1,
        "the finished one is deleted, the late one left"
    );
    let reports = world.reports.written();
    let last = reports.last().unwrap();
    assert!(
        last.draining && last.busy_slots == 0 && last.completed_total == 1,
        "{last:?}"
    );
    assert!(
        world.reports.present().is_empty(),
        "the report is withdrawn"
    );
}

#[tokio::test(start_paused = true)]
async fn drain_past_its_deadline_hands_back_at_once_and_burns_no_attempt() {
    let mut world = World::new();
    world.settings.drain.signal = 30 * SECOND;
    world.settings.cancel_grace = 5 * SECOND;
    world.send(["job"]).await;
    let working = world.start(taking(500 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    let began = world.clock.instant();
    working.end().await;
    let took = (world.clock.instant() - began).as_secs();
    assert!((30..=37).contains(&took), "left after {took} s");
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Waiting, 0));
    assert_eq!(world.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn spot_notice_brings_the_deadline_nearer_than_the_lifecycle() {
    let world = World::new();
    world.send(["job"]).await;
    let working = world.start(taking(580 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    let began = world.clock.instant();
    let now = world.clock.unix_seconds();
    working
        .drain
        .notice(DrainCause::Lifecycle("Terminated".into()), now);
    pause(200 * SECOND).await;
    assert_eq!(world.state("job"), Some(JobState::Running), "a hook waits");
    let now = world.clock.unix_seconds();
    working
        .drain
        .notice(DrainCause::SpotNotice { at: None }, now);
    working.ended().await;
    let took = (world.clock.instant() - began).as_secs();
    assert!((310..=325).contains(&took), "left after {took} s");
    assert_eq!(world.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn drain_ends_though_the_tables_are_away() {
    let world = World::new();
    world.send(["job"]).await;
    world
        .jobs
        .plan_faults(Call::Claim, vec![Fault::Unavailable; 100_000]);
    let working = world.start(no_op);
    pause(30 * SECOND).await;
    let began = world.clock.instant();
    working.end().await;
    assert!(world.clock.instant() - began < 60 * SECOND);
    assert_eq!(world.queue.visible(), 1, "handed back unstarted");
}

#[tokio::test(start_paused = true)]
async fn tables_away_at_the_drains_deadline_burn_no_attempt_if_they_come_back_in_seconds() {
    let mut world = World::new();
    world.settings.drain.signal = 30 * SECOND;
    world.send(["job"]).await;
    let working = world.start(taking(500 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    world
        .jobs
        .plan_faults(Call::Finish, [Fault::Unavailable; 3]);
    working.end().await;
    let record = world.record("job").unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Waiting, 0));
    assert_eq!(world.queue.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn tables_away_for_good_do_not_keep_a_leaving_worker() {
    let mut world = World::new();
    world.settings.drain.signal = 30 * SECOND;
    world.settings.cancel_grace = 5 * SECOND;
    world.send(["job"]).await;
    let working = world.start(taking(500 * SECOND));
    world
        .until("it runs", |w| w.state("job") == Some(JobState::Running))
        .await;
    world
        .jobs
        .plan_faults(Call::Finish, vec![Fault::Unavailable; 1000]);
    let began = world.clock.instant();
    working.end().await;
    let took = (world.clock.instant() - began).as_secs();
    assert!((30..=42).contains(&took), "left after {took} s");
    assert_eq!(world.queue.visible(), 1, "its message is handed back");
}
