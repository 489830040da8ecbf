//! Lets happen in the cloud what is due by the wall clock, and tells what happened to instances and tasks.

use std::time::Duration;

use tokio::sync::mpsc;

use super::SharedCloud;
use crate::cloud::Event;

/// The driver looks at least this often, so that late counts have a past to report.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Drives the cloud for as long as someone listens for `events`. Run it as a task of its own.
pub async fn drive(cloud: SharedCloud, events: mpsc::UnboundedSender<Event>) {
    loop {
        let (happened, pause) = cloud.quietly(|cloud, now| {
            cloud.advance(now);
            let next = cloud.next_event_at();
            let pause = next.map_or(LOOK_EVERY, |at| at.since(now).min(LOOK_EVERY));
            (cloud.drain_events(), pause)
        });
        for event in happened {
            if events.send(event).is_err() {
                return;
            }
        }
        // Whichever comes first; that the pause ran out is as good as a wake.
        let _ = tokio::time::timeout(pause, cloud.changed()).await;
        if events.is_closed() {
            return;
        }
    }
}
