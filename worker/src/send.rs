//! Sends any number of messages: cut into batches that SQS takes, failed entries tried again alone.
//!
//! It must not make messages, nor drop one without saying so.

use crate::aws::CallError;
use crate::chance;
use crate::clock::pause;
use crate::queue::{BATCH_MAX, EntryError, MESSAGE_MAX_BYTES, Outgoing, Queue};
use crate::retry::Backoff;

/// How often a message is tried before it is reported as not sent: with backoff, a few seconds.
const TRIES: u32 = 6;

/// Sends messages in order; the answers, in the same order, are SQS's message ids. A call whose
/// answer was lost is repeated, so that a message may be sent twice. On a FIFO queue, an entry that
/// failed and is tried again may come after its successors.
pub(crate) async fn send_all(
    queue: &dyn Queue,
    messages: &[Outgoing],
) -> Vec<Result<String, CallError>> {
    let mut answers = Vec::with_capacity(messages.len());
    let mut rest = messages;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch_length(rest));
        answers.extend(send_batch(queue, batch).await);
        rest = after;
    }
    answers
}

/// How many of these fit one call: ten, and a mebibyte in all (SQS API Reference,
/// `SendMessageBatch`). At least one, for SQS to judge.
pub(crate) fn batch_length(messages: &[Outgoing]) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Outgoing| {
        bytes += message.bytes();
        bytes <= MESSAGE_MAX_BYTES
    };
    let count = messages.iter().take(BATCH_MAX).take_while(fits).count();
    count.max(1).min(messages.len())
}

async fn send_batch(queue: &dyn Queue, batch: &[Outgoing]) -> Vec<Result<String, CallError>> {
    let untried = || CallError::Unavailable {
        what: "not tried".into(),
    };
    let mut answers: Vec<Result<String, CallError>> =
        batch.iter().map(|_| Err(untried())).collect();
    for failures in 0..TRIES {
        let may_pass = |answer: &Result<_, _>| matches!(answer, Err(CallError::Unavailable { .. }));
        let numbered = answers.iter().enumerate();
        let open: Vec<usize> = numbered
            .filter(|(_, answer)| may_pass(answer))
            .map(|(index, _)| index)
            .collect();
        if open.is_empty() {
            break;
        }
        if failures > 0 {
            pause(Backoff::CALLS.delay(failures, chance::unit())).await;
        }
        let messages: Vec<Outgoing> = open.iter().map(|index| batch[*index].clone()).collect();
        match queue.send(&messages).await {
            Ok(entries) => {
                for (index, entry) in open.into_iter().zip(entries) {
                    answers[index] = entry.map_err(|error| of_entry(&error));
                }
            }
            Err(error) => {
                for index in open {
                    answers[index] = Err(error.clone());
                }
            }
        }
    }
    answers
}

fn of_entry(error: &EntryError) -> CallError {
    let what = error.to_string();
    match error {
        EntryError::Unavailable { .. } => CallError::Unavailable { what },
        EntryError::Refused { .. } | EntryError::Gone { .. } => CallError::Refused { what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::memory::{Call, Fault, MemoryQueue};

    fn of_bytes(bytes: usize) -> Outgoing {
        Outgoing::new("x".repeat(bytes))
    }

    #[test]
    fn batches_hold_ten_messages_and_a_mebibyte() {
        let small = vec![of_bytes(1); 23];
        assert_eq!(batch_length(&small), 10);
        let halves = vec![of_bytes(MESSAGE_MAX_BYTES / 2); 3];
        assert_eq!(batch_length(&halves), 2);
        let too_large = [of_bytes(MESSAGE_MAX_BYTES + 1), of_bytes(1)];
        assert_eq!(batch_length(&too_large), 1);
        assert_eq!(batch_length(&[]), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn entries_that_fail_are_tried_again_alone() {
        let queue = MemoryQueue::new("q", Clock::starting_at(0.0));
        queue.plan_faults(Call::Send, [Fault::FirstEntry, Fault::Unavailable]);
        let answers = send_all(&queue, &vec![of_bytes(1); 12]).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(queue.len(), 12);
        assert_eq!(queue.calls(Call::Send), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_refused_is_said_and_not_tried_again() {
        let queue = MemoryQueue::new("q", Clock::starting_at(0.0));
        queue.plan_faults(Call::Send, [Fault::Refused]);
        let answers = send_all(&queue, &[of_bytes(1)]).await;
        assert!(matches!(answers[0], Err(CallError::Refused { .. })));
        queue.plan_faults(Call::Send, [Fault::Unavailable; 6]);
        let answers = send_all(&queue, &[of_bytes(1)]).await;
        assert!(matches!(answers[0], Err(CallError::Unavailable { .. })));
        assert_eq!(queue.calls(Call::Send), 7);
    }
}
