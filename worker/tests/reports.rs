//! What a worker reports about itself, and when.

mod support;

use support::{SECOND, World, taking};
use weir_worker::clock::pause;

#[tokio::test(start_paused = true)]
async fn reports_come_in_turn_and_on_edges_but_not_in_a_storm() {
    let world = World::new();
    let working = world.start(taking(SECOND / 20));
    pause(60 * SECOND).await;
    let idle = world.reports.written().len();
    assert!((6..=8).contains(&idle), "{idle} reports in an idle minute");
    for round in 0..20 {
        world.send((0..5).map(|n| format!("job-{round}-{n}"))).await;
        pause(SECOND / 4).await;
    }
    world.until_empty().await;
    let busy = world.reports.written().len() - idle;
    assert!(
        (3..=8).contains(&busy),
        "{busy} reports in five busy seconds"
    );
    pause(11 * SECOND).await;
    let last = world.reports.written().last().cloned().unwrap();
    assert_eq!(
        (last.busy_slots, last.completed_total, last.slots),
        (0, 100, 4)
    );
    assert!(
        (last.service_seconds_mean.unwrap() - 0.05).abs() < 0.01,
        "{last:?}"
    );
    working.end().await;
}

#[tokio::test(start_paused = true)]
async fn edge_to_busy_is_reported_within_a_second() {
    let world = World::new();
    let working = world.start(taking(30 * SECOND));
    pause(12 * SECOND).await;
    world.send(["job"]).await;
    pause(SECOND).await;
    assert_eq!(world.reports.written().last().unwrap().busy_slots, 1);
    working.end().await;
}
