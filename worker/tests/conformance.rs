//! The implementations in memory behave as the suites ask.

use weir_worker::clock::Clock;
use weir_worker::conformance;
use weir_worker::memory::{MemoryJobs, MemoryPayloads, MemoryQueue};

#[tokio::test(start_paused = true)]
async fn memory_queue_conforms() {
    let queue = MemoryQueue::new("conformance", Clock::starting_at(1_700_000_000.0));
    assert_eq!(conformance::queue(&queue).await, Ok(()));
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn memory_queue_conforms_as_a_fifo_queue() {
    let queue = MemoryQueue::new("conformance.fifo", Clock::starting_at(1_700_000_000.0));
    assert_eq!(conformance::fifo_queue(&queue).await, Ok(()));
    assert!(queue.is_empty());
    assert_eq!(queue.dead_letters().len(), 1);
}

#[tokio::test]
async fn memory_jobs_conform() {
    assert_eq!(conformance::jobs(&MemoryJobs::new(), "job").await, Ok(()));
}

#[tokio::test]
async fn memory_payloads_conform() {
    let payloads = MemoryPayloads::new();
    assert_eq!(conformance::payloads(&payloads, "bucket").await, Ok(()));
    assert!(payloads.is_empty());
}
