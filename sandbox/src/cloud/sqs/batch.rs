//! The batched operations: the rules of a batch as a whole, then each entry by itself.

use std::collections::BTreeSet;

use super::super::{ApiError, ApiResult, Time};
use super::{Hide, Outgoing, Sent, Sqs};

/// Entries of one batch ("Amazon SQS message quotas").
const ENTRIES_MAX: usize = 10;
/// Bytes of all messages of one batch ("Amazon SQS message quotas").
const BYTES_MAX: usize = 1_048_576;

/// An entry of a batch.
#[derive(Clone, Debug)]
pub struct BatchEntry<T> {
    /// Names the entry within its batch.
    pub id: String,
    /// What is to be done.
    pub entry: T,
}

/// What became of an entry of a batch; other entries are untouched by its failure.
#[derive(Clone, Debug)]
pub struct BatchOutcome<T> {
    /// The entry's name within its batch.
    pub id: String,
    /// What the single operation gives.
    pub result: ApiResult<T>,
}

impl Sqs {
    /// `SendMessageBatch`.
    pub fn send_batch(
        &mut self,
        now: Time,
        name: &str,
        entries: Vec<BatchEntry<Outgoing>>,
    ) -> ApiResult<Vec<BatchOutcome<Sent>>> {
        self.require(name)?;
        let bytes: usize = entries.iter().map(|entry| entry.entry.size()).sum();
        if bytes > BYTES_MAX {
            return Err(ApiError::new(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than {BYTES_MAX} bytes. You have sent {bytes} bytes."
                ),
            ));
        }
        each(entries, |outgoing| self.send(now, name, outgoing))
    }

    /// `DeleteMessageBatch`: the entries are receipt handles.
    pub fn delete_batch(
        &mut self,
        now: Time,
        name: &str,
        entries: Vec<BatchEntry<String>>,
    ) -> ApiResult<Vec<BatchOutcome<()>>> {
        self.require(name)?;
        each(entries, |handle| self.delete(now, name, &handle))
    }

    /// `ChangeMessageVisibilityBatch`.
    pub fn hide_batch(
        &mut self,
        now: Time,
        name: &str,
        entries: Vec<BatchEntry<Hide>>,
    ) -> ApiResult<Vec<BatchOutcome<()>>> {
        self.require(name)?;
        each(entries, |hide| self.hide(now, name, &hide))
    }
}

fn each<T, U>(
    entries: Vec<BatchEntry<T>>,
    mut act: impl FnMut(T) -> ApiResult<U>,
) -> ApiResult<Vec<BatchOutcome<U>>> {
    check(&entries)?;
    let outcome = |BatchEntry { id, entry }| BatchOutcome {
        result: act(entry),
        id,
    };
    Ok(entries.into_iter().map(outcome).collect())
}

fn check<T>(entries: &[BatchEntry<T>]) -> ApiResult<()> {
    if entries.is_empty() {
        return Err(ApiError::new(
            "EmptyBatchRequest",
            "There should be at least one entry in the request.",
        ));
    }
    if entries.len() > ENTRIES_MAX {
        return Err(ApiError::new(
            "TooManyEntriesInBatchRequest",
            format!(
                "Maximum number of entries per request are {ENTRIES_MAX}. You have sent {}.",
                entries.len()
            ),
        ));
    }
    let mut ids = BTreeSet::new();
    for BatchEntry { id, .. } in entries {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if id.is_empty() || id.len() > 80 || !id.chars().all(allowed) {
            return Err(ApiError::new(
                "InvalidBatchEntryId",
                format!(
                    "The batch entry id '{id}' is invalid: 1 to 80 letters, digits, hyphens and \
                     underscores are allowed."
                ),
            ));
        }
        if !ids.insert(id) {
            return Err(ApiError::new(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}
