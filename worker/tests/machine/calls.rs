//! Calls on their way, and what they do: the record changes by [`weir_worker::lease`] alone.

use weir_protocol::JobState;
use weir_worker::lease::{self, Claim, Claimed, Finish, Held, Over, SKEW_SECONDS};

use super::check::must;
use super::model::{Delivery, Fate, Flaw, World};

#[derive(Clone, Debug)]
pub(super) enum Request {
    Claim(Claim),
    Extend { token: String, until: f64 },
    Finish(Finish),
    Bury,
    Delete(Delivery),
    Hide(Delivery, f64),
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Claimed(Claimed),
    Held(Held),
    Ok,
}

impl World {
    /// The reply, if the caller gets one.
    pub(super) fn call(
        &mut self,
        who: usize,
        request: Request,
        fate: Fate,
    ) -> Result<Option<Reply>, String> {
        self.note(who, || format!("{fate:?}: {request:?}"));
        match fate {
            Fate::Answered => {}
            Fate::Failed => self.saw("calls that failed"),
            Fate::AnswerLost => self.saw("answers lost"),
            Fate::SentTwice => self.saw("calls sent twice"),
            Fate::Late => self.saw("calls given up"),
        }
        let reply = match fate {
            Fate::Answered => self.apply(who, &request)?,
            Fate::SentTwice => {
                self.apply(who, &request)?;
                self.apply(who, &request)?
            }
            Fate::AnswerLost => {
                self.apply(who, &request)?;
                return Ok(None);
            }
            Fate::Late => {
                self.under_way.push((who, request));
                return Ok(None);
            }
            Fate::Failed => return Ok(None),
        };
        self.note(who, || format!("is told {reply:?}"));
        self.check_reply(&request, &reply)?;
        Ok(Some(reply))
    }

    pub(super) fn apply(&mut self, who: usize, request: &Request) -> Result<Reply, String> {
        Ok(match request {
            Request::Claim(claim) => Reply::Claimed(self.apply_claim(who, claim)?),
            Request::Finish(finish) => Reply::Held(self.apply_finish(finish)?),
            Request::Extend { token, until } => {
                let rules = lease::rules(self.record.as_ref(), token);
                if let Some(record) = self.record.as_mut().filter(|_| rules) {
                    record.lease_until = Some(*until);
                }
                Reply::Held(if rules { Held::Yes } else { Held::Lost })
            }
            Request::Bury => {
                self.dead_letters += 1;
                Reply::Ok
            }
            // A handle that is not the latest changes nothing.
            Request::Delete(delivery) => {
                let message = &mut self.messages[delivery.message];
                message.deleted |= message.receipt == delivery.receipt;
                Reply::Ok
            }
            Request::Hide(delivery, until) => {
                let message = &mut self.messages[delivery.message];
                if message.receipt == delivery.receipt {
                    message.visible_at = *until;
                }
                Reply::Ok
            }
        })
    }

    pub(super) fn apply_claim(&mut self, who: usize, claim: &Claim) -> Result<Claimed, String> {
        let mut claim = claim.clone();
        let lease_until = claim.now + claim.lease_seconds;
        if self.flaw == Flaw::SkewIgnored {
            claim.now += SKEW_SECONDS;
        }
        let found = self.record.clone();
        let mut record = match lease::claim(found.as_ref(), &claim) {
            Ok(record) => record,
            Err(claimed) => return Ok(claimed),
        };
        record.lease_until = Some(lease_until);
        if let Some(found) = found {
            self.check_takeover(&found)?;
            if found.state == JobState::Running {
                self.saw("leases taken over");
            }
            must!(
                record.attempt == found.attempt + 1,
                "worker {who} claimed, and attempt {} became {}",
                found.attempt,
                record.attempt
            );
        }
        self.record = Some(record.clone());
        Ok(Claimed::Mine(Box::new(record)))
    }

    pub(super) fn apply_finish(&mut self, finish: &Finish) -> Result<Held, String> {
        let mut found = self.record.clone();
        let mut finish = finish.clone();
        match (self.flaw, &finish.over) {
            (Flaw::TokenIgnored, Over::Lease) => {
                if let Some(record) = found.as_mut() {
                    record.token = Some(finish.token.clone());
                }
            }
            (Flaw::PutUnconditional, Over::Nothing(_)) => found = None,
            _ => {}
        }
        let record = match lease::finish(found.as_ref(), &finish) {
            Ok(record) => record,
            Err(_) if self.flaw == Flaw::OwnWriteUnknown => return Ok(Held::Lost),
            Err(held) => {
                self.saw(match held {
                    Held::Yes => "own writes recognised",
                    Held::Lost => "ends fenced out",
                });
                return Ok(held);
            }
        };
        self.check_change(&record, &mut finish)?;
        if record.state == JobState::Succeeded {
            self.commits.push(finish.token);
            let commits = &self.commits;
            must!(commits.len() == 1, "committed twice: {commits:?}");
        }
        self.record = Some(record);
        Ok(Held::Yes)
    }
}
