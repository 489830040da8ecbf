//! What must hold: after every event, of every answer, and at the end.

use weir_protocol::{JobRecord, JobState};
use weir_worker::Idempotency;
use weir_worker::lease::{Claimed, Ending, Finish, Held};

use super::calls::{Reply, Request};
use super::model::World;
use super::program::Worker;

/// What was found wrong.
pub(crate) type Checked = Result<(), String>;

macro_rules! must {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use must;

impl World {
    pub(super) fn check_end(&self) -> Checked {
        if self.mode == Idempotency::Off {
            must!(self.record.is_none(), "a record was written");
            return Ok(());
        }
        let record = self.record.as_ref().ok_or("there is no record")?;
        let succeeded = record.state == JobState::Succeeded;
        must!(
            self.commits.len() == usize::from(succeeded),
            "{} commits, and the record is {record:?}",
            self.commits.len()
        );
        Ok(())
    }

    /// A message is deleted only once its job's end is durable, and a failed one lies elsewhere.
    pub(super) fn check_messages(&self) -> Checked {
        let state = self.record.as_ref().map(|record| record.state);
        for message in self.messages.iter().filter(|message| message.deleted) {
            let ended = match self.mode {
                Idempotency::Off => message.settled,
                _ => match state {
                    Some(JobState::Succeeded) => true,
                    Some(JobState::Failed) => self.dead_letters > 0,
                    _ => false,
                },
            };
            must!(ended, "lost: a message was deleted, the job is {state:?}");
        }
        Ok(())
    }

    /// A lease is taken over only after it has ended by its holder's own clock.
    pub(super) fn check_takeover(&self, found: &JobRecord) -> Checked {
        let until = found.lease_until.unwrap_or(f64::NEG_INFINITY);
        for (who, worker) in self.workers.iter().enumerate() {
            let holds =
                matches!(worker, Worker::Runs(_, run) if found.token.as_ref() == Some(&run.token));
            must!(
                !holds || found.state != JobState::Running || self.clock(who) > until,
                "worker {who} lost a lease that its clock still showed to hold"
            );
        }
        Ok(())
    }

    /// What a finish may make of the record.
    pub(super) fn check_change(&self, after: &JobRecord, finish: &mut Finish) -> Checked {
        let token = &finish.token;
        must!(
            !self.told_lost.contains(token),
            "{token} was told that it had lost the job, and ended it after that"
        );
        let Some(before) = &self.record else {
            return Ok(());
        };
        must!(
            !before.state.is_final(),
            "{token} changed a job that had ended: {before:?}"
        );
        must!(
            before.token.as_ref() == Some(token),
            "{token} ended the attempt of {:?}",
            before.token
        );
        let counted = match finish.ending {
            Ending::HandedBack { .. } => before.attempt.saturating_sub(1),
            _ => before.attempt,
        };
        must!(
            after.attempt == counted,
            "{token} ended attempt {}, and the record says {}",
            before.attempt,
            after.attempt
        );
        Ok(())
    }

    /// What a worker is told is so.
    pub(super) fn check_reply(&mut self, request: &Request, reply: &Reply) -> Checked {
        let record = self.record.as_ref();
        let state = record.map(|record| record.state);
        let token = record.and_then(|record| record.token.as_ref());
        match (request, reply) {
            (Request::Claim(claim), Reply::Claimed(Claimed::Mine(_))) => {
                let mine = state == Some(JobState::Running) && token == Some(&claim.token);
                must!(mine, "{} was given a lease it does not have", claim.token);
            }
            (Request::Claim(_), Reply::Claimed(Claimed::Finished(_))) => {
                let ended = record.is_some_and(|record| record.state.is_final());
                must!(ended, "a job that is {state:?} was called finished");
            }
            (Request::Finish(finish), Reply::Held(Held::Yes)) => {
                must!(
                    token == Some(&finish.token) && state == Some(finish.ending.state()),
                    "{} was told that its end stands, and the record is {record:?}",
                    finish.token
                );
            }
            (Request::Finish(finish), Reply::Held(Held::Lost)) => {
                let ended = record.is_some_and(|record| {
                    record.state == finish.ending.state() && record.state.is_final()
                });
                must!(
                    !ended || token != Some(&finish.token),
                    "{} was told that it had lost the job that it had ended",
                    finish.token
                );
                self.told_lost.push(finish.token.clone());
            }
            _ => {}
        }
        Ok(())
    }
}
