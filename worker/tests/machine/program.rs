//! A worker's program, as the real one has it: a place to stand at, and the step from there.

use weir_protocol::JobState;
use weir_worker::Idempotency;
use weir_worker::lease::{Claim, Claimed, Ending, Finish, Held, Over, SKEW_SECONDS, Unclaimed};

use super::calls::{Reply, Request};
use super::check::Checked;
use super::model::{Delivery, Fate, Flaw, LEASE, Outcome, World};

/// How long a failed job waits, seconds.
const BACKOFF: f64 = 5.0;
const MAX_ATTEMPTS: u32 = 3;

/// Where a worker's program stands.
#[derive(Clone, Debug)]
pub(super) enum Worker {
    Idle,
    Asks(Delivery, Claim),
    Runs(Delivery, Run),
    Ends(Delivery, Finish),
    Buries(Delivery),
    Deletes(Delivery),
    PutsBack(Delivery, f64),
}

#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) token: String,
    pub(super) number: u32,
    pub(super) over: Over,
}

impl World {
    pub(super) fn go(&mut self, who: usize, fate: Fate) -> Checked {
        match self.workers[who].clone() {
            Worker::Idle => {
                self.receive(who, fate);
                Ok(())
            }
            Worker::Runs(..) => {
                self.end_run(who, Outcome::Done);
                Ok(())
            }
            Worker::Asks(delivery, mut claim) => {
                claim.now = self.clock(who);
                let reply = self.call(who, Request::Claim(claim), fate)?;
                if let Some(Reply::Claimed(claimed)) = reply {
                    self.claimed(who, delivery, claimed);
                }
                Ok(())
            }
            Worker::Ends(delivery, finish) => {
                if self.mode == Idempotency::Off || leaves_no_record(&finish) {
                    self.ended(who, delivery, &finish);
                    return Ok(());
                }
                match self.call(who, Request::Finish(finish.clone()), fate)? {
                    Some(Reply::Held(Held::Yes)) => self.ended(who, delivery, &finish),
                    Some(_) => self.stand(who, Worker::Idle),
                    None => {}
                }
                Ok(())
            }
            Worker::Buries(delivery) => {
                if self.call(who, Request::Bury, fate)?.is_some() {
                    self.messages[delivery.message].settled = true;
                    self.stand(who, Worker::Deletes(delivery));
                }
                Ok(())
            }
            Worker::Deletes(delivery) => {
                if self.call(who, Request::Delete(delivery), fate)?.is_some() {
                    self.stand(who, Worker::Idle);
                }
                Ok(())
            }
            Worker::PutsBack(delivery, after) => {
                let hide = Request::Hide(delivery, self.now + after);
                if self.call(who, hide, fate)?.is_some() {
                    self.stand(who, Worker::Idle);
                }
                Ok(())
            }
        }
    }

    pub(super) fn receive(&mut self, who: usize, fate: Fate) {
        let now = self.now;
        let mut messages = self.messages.iter_mut().enumerate();
        let due = messages.find(|(_, message)| !message.deleted && message.visible_at <= now);
        let Some((index, message)) = due.filter(|_| fate != Fate::Failed) else {
            return;
        };
        message.receipt += 1;
        message.count += 1;
        message.visible_at = now + LEASE;
        let delivery = Delivery {
            message: index,
            receipt: message.receipt,
            count: message.count,
        };
        self.note(who, || format!("receives {delivery:?}"));
        if fate != Fate::Answered {
            self.note(who, || "never learns of it".into());
            return;
        }
        self.ask(who, delivery);
    }

    pub(super) fn ask(&mut self, who: usize, delivery: Delivery) {
        self.tokens += 1;
        let claim = Claim {
            job_id: "job".into(),
            token: format!("token-{}", self.tokens),
            worker: format!("worker-{who}"),
            queue: "queue".into(),
            message_id: "message".into(),
            ticket: None,
            sent_at: Some(990.0),
            now: self.clock(who),
            lease_seconds: LEASE,
            expires_at: 0,
        };
        let over = Over::Nothing(Box::new(Unclaimed {
            worker: claim.worker.clone(),
            queue: claim.queue.clone(),
            sent_at: claim.sent_at,
            started_at: claim.now,
        }));
        let number = match self.mode {
            Idempotency::Off => delivery.count,
            Idempotency::Once if delivery.count == 1 => 1,
            _ => return self.stand(who, Worker::Asks(delivery, claim)),
        };
        let token = claim.token;
        self.begin(
            who,
            delivery,
            Run {
                token,
                number,
                over,
            },
        );
    }

    pub(super) fn claimed(&mut self, who: usize, delivery: Delivery, claimed: Claimed) {
        match claimed {
            Claimed::Mine(record) => {
                let run = Run {
                    token: record.token.unwrap_or_default(),
                    number: record.attempt,
                    over: Over::Lease,
                };
                self.begin(who, delivery, run);
            }
            Claimed::Finished(record) if record.state == JobState::Succeeded => {
                self.stand(who, Worker::Deletes(delivery));
            }
            Claimed::Finished(_) => self.stand(who, Worker::Buries(delivery)),
            Claimed::PutOff(put_off) => unreachable!("no job here is put off: {put_off:?}"),
            Claimed::Elsewhere { lease_until } => {
                let left = (lease_until + SKEW_SECONDS - self.clock(who)).max(1.0);
                self.stand(who, Worker::PutsBack(delivery, left));
            }
        }
    }

    pub(super) fn begin(&mut self, who: usize, delivery: Delivery, run: Run) {
        let used_up = run.number > MAX_ATTEMPTS;
        if used_up {
            self.saw("attempts used up by deaths");
        }
        let beside = |worker: &Worker| matches!(worker, Worker::Runs(..));
        if self.workers.iter().any(beside) {
            self.saw("runs beside another");
        }
        self.note(who, || {
            format!("runs attempt {} as {}", run.number, run.token)
        });
        self.stand(who, Worker::Runs(delivery, run));
        if used_up {
            self.end_run(who, Outcome::Poison);
        }
    }

    pub(super) fn end_run(&mut self, who: usize, outcome: Outcome) {
        let Worker::Runs(delivery, run) = self.workers[who].clone() else {
            return;
        };
        let reason = format!("{outcome:?}");
        let ending = match outcome {
            Outcome::Done => Ending::Succeeded { result: reason },
            Outcome::HandBack => Ending::HandedBack { reason },
            Outcome::Retry if run.number < MAX_ATTEMPTS => Ending::Waiting { reason },
            Outcome::Retry | Outcome::Poison => Ending::Failed { reason },
        };
        self.note(who, || format!("its handler ends: {outcome:?}"));
        if self.flaw == Flaw::DeletesFirst {
            self.messages[delivery.message].deleted = true;
        }
        let finish = Finish {
            job_id: "job".into(),
            token: run.token,
            over: run.over,
            at: self.clock(who),
            expires_at: 0,
            ending,
        };
        self.stand(who, Worker::Ends(delivery, finish));
    }

    pub(super) fn ended(&mut self, who: usize, delivery: Delivery, finish: &Finish) {
        let next = match finish.ending {
            Ending::Succeeded { .. } => {
                self.messages[delivery.message].settled = true;
                Worker::Deletes(delivery)
            }
            Ending::Failed { .. } => Worker::Buries(delivery),
            Ending::Waiting { .. } | Ending::PutOff { .. } => Worker::PutsBack(delivery, BACKOFF),
            Ending::HandedBack { .. } => Worker::PutsBack(delivery, 0.0),
        };
        self.stand(who, next);
    }

    /// What a worker does that can wait for no answer any longer.
    pub(super) fn leave(&mut self, who: usize) {
        let next = match self.workers[who].clone() {
            Worker::Ends(delivery, finish) => match finish.ending {
                Ending::Succeeded { .. } => {
                    let reason = "the completion was refused".into();
                    let ending = Ending::Waiting { reason };
                    Worker::Ends(delivery, Finish { ending, ..finish })
                }
                _ => Worker::PutsBack(delivery, 0.0),
            },
            Worker::Asks(delivery, _) | Worker::Buries(delivery) => Worker::PutsBack(delivery, 0.0),
            other => other,
        };
        self.note(who, || "cannot wait any longer".into());
        self.stand(who, next);
    }

    pub(super) fn crash(&mut self, who: usize) {
        self.note(who, || "dies".into());
        self.saw("deaths");
        self.stand(who, Worker::Idle);
    }

    pub(super) fn extend(&mut self, who: usize, fate: Fate) -> Checked {
        let Worker::Runs(_, run) = &self.workers[who] else {
            return Ok(());
        };
        if run.over != Over::Lease {
            return Ok(());
        }
        let (token, until) = (run.token.clone(), self.clock(who) + LEASE);
        // A lost lease is not heeded: a zombie would not heed it either.
        self.call(who, Request::Extend { token, until }, fate)
            .map(drop)
    }

    pub(super) fn renew(&mut self, who: usize, fate: Fate) -> Checked {
        let (Worker::Asks(delivery, _) | Worker::Runs(delivery, _) | Worker::Ends(delivery, _)) =
            self.workers[who].clone()
        else {
            return Ok(());
        };
        let hide = Request::Hide(delivery, self.now + LEASE);
        self.call(who, hide, fate).map(drop)
    }
}

/// An attempt that ran without a claim and is handed back was as if it had not been.
fn leaves_no_record(finish: &Finish) -> bool {
    matches!(
        (&finish.over, &finish.ending),
        (Over::Nothing(_), Ending::HandedBack { .. })
    )
}
