//! Job records in memory: the rules of [`crate::lease`], and a note of every commit.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use weir_protocol::JobRecord;

use super::{Call, Fault, Faults, lock, refusal, unavailable};
use crate::jobs::{Jobs, JobsError, check_fits};
use crate::lease::{self, Claim, Claimed, Finish, Held, Reopen, Reopened};

/// Job records in memory.
#[derive(Debug, Default)]
pub struct MemoryJobs {
    state: Mutex<JobsState>,
}

#[derive(Debug, Default)]
struct JobsState {
    records: BTreeMap<String, JobRecord>,
    commits: Vec<(String, String)>,
    writes: Vec<TransactWriteItem>,
    faults: Faults,
}

impl MemoryJobs {
    /// No records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next calls of a kind fail, one for each fault.
    pub fn plan_faults(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        let mut state = lock(&self.state);
        state.faults.planned.entry(call).or_default().extend(faults);
    }

    /// How often a call was made.
    pub fn calls(&self, call: Call) -> u64 {
        lock(&self.state)
            .faults
            .calls
            .get(&call)
            .copied()
            .unwrap_or(0)
    }

    /// All records, by job id.
    pub fn records(&self) -> BTreeMap<String, JobRecord> {
        lock(&self.state).records.clone()
    }

    /// Every completion that was committed, as job id and token, in order.
    pub fn commits(&self) -> Vec<(String, String)> {
        lock(&self.state).commits.clone()
    }

    /// Every handler's write that was committed.
    pub fn writes(&self) -> Vec<TransactWriteItem> {
        lock(&self.state).writes.clone()
    }

    /// Puts a record, as another worker would have.
    pub fn put(&self, record: JobRecord) {
        lock(&self.state)
            .records
            .insert(record.job_id.clone(), record);
    }

    /// Applies `change`, playing the planned fault of `call`.
    fn change<T>(
        &self,
        call: Call,
        change: impl FnOnce(&mut JobsState) -> T,
    ) -> Result<T, JobsError> {
        let mut state = lock(&self.state);
        let fault = state.faults.next(call);
        if fault == Some(Fault::Refused) && matches!(call, Call::Finish | Call::Write) {
            let detail = "a planned fault".into();
            return Err(JobsError::WriteRefused { detail });
        }
        refusal(fault, call)?;
        let answer = change(&mut state);
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(call).into()),
            _ => Ok(answer),
        }
    }
}

#[async_trait]
impl Jobs for MemoryJobs {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        self.change(Call::Claim, |state| {
            match lease::claim(state.records.get(&claim.job_id), claim) {
                Ok(record) => {
                    state.records.insert(claim.job_id.clone(), record.clone());
                    Claimed::Mine(Box::new(record))
                }
                Err(claimed) => claimed,
            }
        })
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        self.change(Call::Extend, |state| match state.records.get_mut(job_id) {
            Some(record) if lease::rules(Some(record), token) => {
                record.lease_until = Some(lease_until);
                Held::Yes
            }
            _ => Held::Lost,
        })
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        check_fits(finish)?;
        self.change(Call::Finish, |state| {
            match lease::finish(state.records.get(&finish.job_id), finish) {
                Ok(record) => {
                    if matches!(finish.ending, lease::Ending::Succeeded { .. }) {
                        let commit = (finish.job_id.clone(), finish.token.clone());
                        state.commits.push(commit);
                        state.writes.extend(writes.iter().cloned());
                    }
                    state.records.insert(finish.job_id.clone(), record);
                    Held::Yes
                }
                Err(held) => held,
            }
        })
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        self.change(Call::Reopen, |state| {
            match lease::reopen(state.records.get(&reopen.job_id), reopen) {
                Ok(record) => {
                    state.records.insert(reopen.job_id.clone(), record);
                    Reopened::Yes
                }
                Err(kept) => kept,
            }
        })
    }

    async fn write(&self, _token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        self.change(Call::Write, |state| {
            state.writes.extend(writes.iter().cloned());
        })
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        Ok(lock(&self.state).records.get(job_id).cloned())
    }
}
