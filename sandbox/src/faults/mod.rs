//! Faults on purpose: which call suffers which, drawn from a seed and counted.
//!
//! The services themselves stay whole. A [`gate`] before each lets calls through, or not, or only
//! half; what a fault looks like is what AWS documents of it. This module decides and counts; it
//! must not touch a call.
#![expect(
    clippy::disallowed_methods,
    reason = "outages and spells pass on the wall clock"
)]

pub(crate) mod answers;
pub mod gate;
mod plan;
mod sqs;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::plan::{FaultPlan, Outage, PlanError};

/// What can suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// SQS.
    Sqs,
    /// DynamoDB.
    DynamoDb,
    /// S3.
    S3,
    /// The metadata service of each instance.
    Metadata,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused for now; comes in spells, as throttling does.
    Throttled,
    /// Answered with a 5xx; comes in spells too.
    ServerError,
    /// Some entries of a batch are answered as failed and are not done; the others are.
    EntriesFailed,
    /// A transaction is cancelled, as if another had met it.
    Conflict,
    /// A second copy of a message is delivered while the first is in flight, or after it was
    /// deleted.
    Duplicated,
    /// A message is delivered again before its visibility timeout has ended.
    EarlyAgain,
    /// Messages come in another order than they were sent in.
    Reordered,
    /// Never answered; every other time the call took effect all the same.
    Hung,
    /// The connection breaks before the call has any effect.
    Unreached,
    /// The call takes effect, and the connection breaks before the answer.
    AnswerLost,
    /// A session token of the metadata service is not good any more.
    TokenRefused,
    /// The service is away: no connection lasts.
    Away,
}

impl Service {
    /// The name in plans and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::DynamoDb => "dynamodb",
            Self::S3 => "s3",
            Self::Metadata => "metadata",
        }
    }
}

impl Fault {
    /// The name in plans and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::EntriesFailed => "entries_failed",
            Self::Conflict => "conflict",
            Self::Duplicated => "duplicated",
            Self::EarlyAgain => "early_again",
            Self::Reordered => "reordered",
            Self::Hung => "hung",
            Self::Unreached => "unreached",
            Self::AnswerLost => "answer_lost",
            Self::TokenRefused => "token_refused",
            Self::Away => "away",
        }
    }

    /// Whether a service can suffer it by chance. [`Fault::Away`] comes by [`Outage`] only.
    pub fn befalls(self, service: Service) -> bool {
        match self {
            Self::Throttled => service != Service::Metadata,
            Self::ServerError | Self::Unreached | Self::AnswerLost | Self::Hung => true,
            Self::EntriesFailed | Self::Duplicated | Self::EarlyAgain | Self::Reordered => {
                service == Service::Sqs
            }
            Self::Conflict => service == Service::DynamoDb,
            Self::TokenRefused => service == Service::Metadata,
            Self::Away => false,
        }
    }

    /// Whether it befalls a whole call of this operation, and not single messages.
    fn befalls_call(self, service: Service, operation: &str) -> bool {
        match self {
            Self::Duplicated | Self::EarlyAgain | Self::Reordered => false,
            Self::EntriesFailed => operation.ends_with("Batch"),
            Self::Conflict => operation == "TransactWriteItems",
            // SQS's short calls are bounded by the same code as its long polls.
            Self::Hung if service == Service::Sqs => operation == "ReceiveMessage",
            Self::TokenRefused => operation == "GET",
            _ => true,
        }
    }

    fn comes_in_spells(self) -> bool {
        matches!(self, Self::Throttled | Self::ServerError)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How often each fault was injected.
pub type Counts = BTreeMap<(Service, Fault), u64>;

/// The faults of one sandbox. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    plan: FaultPlan,
    since: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    counts: Counts,
    spells: BTreeMap<Service, (Fault, Instant)>,
    away_until: BTreeMap<Service, Instant>,
    over: bool,
}

impl Faults {
    /// Faults by this plan, from now on.
    pub fn new(plan: FaultPlan) -> Self {
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(plan.seed),
            counts: Counts::new(),
            spells: BTreeMap::new(),
            away_until: BTreeMap::new(),
            over: false,
        };
        let inner = Inner {
            plan,
            since: Instant::now(),
            state: Mutex::new(state),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// How often each fault was injected so far.
    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// The service is away from now on for this long.
    pub fn take_away(&self, service: Service, span: Duration) {
        let until = Instant::now() + span;
        self.state().away_until.insert(service, until);
    }

    /// No more faults.
    pub fn end(&self) {
        self.state().over = true;
    }

    /// The fault that befalls this call, if any; it counts as injected, but for
    /// [`Fault::EntriesFailed`], whose entries count one by one.
    pub(crate) fn draw(&self, service: Service, operation: &str) -> Option<Fault> {
        let now = Instant::now();
        let mut state = self.state();
        if state.over {
            return None;
        }
        let fault = if self.is_away(&state, service, now) {
            Fault::Away
        } else {
            self.by_chance(&mut state, service, operation, now)?
        };
        if fault != Fault::EntriesFailed {
            state.count(service, fault);
        }
        Some(fault)
    }

    /// Whether a fault of single messages is to befall this one; whoever brings it about counts it.
    pub(crate) fn befalls_message(&self, fault: Fault) -> bool {
        let mut state = self.state();
        let rate = self.inner.plan.rate(Service::Sqs, fault);
        !state.over && state.rng.random_bool(rate)
    }

    /// Counts one more.
    pub(crate) fn count(&self, service: Service, fault: Fault) {
        self.state().count(service, fault);
    }

    /// One of `count` things.
    pub(crate) fn pick(&self, count: usize) -> usize {
        self.state().rng.random_range(0..count.max(1))
    }

    /// A part of this span.
    pub(crate) fn part_of(&self, span: Duration) -> Duration {
        span.mul_f64(self.state().rng.random())
    }

    fn by_chance(
        &self,
        state: &mut State,
        service: Service,
        operation: &str,
        now: Instant,
    ) -> Option<Fault> {
        if let Some((fault, until)) = state.spells.get(&service)
            && now < *until
        {
            return Some(*fault);
        }
        let mut drawn: f64 = state.rng.random();
        for (fault, rate) in self.inner.plan.rates_of(service) {
            if !fault.befalls_call(service, operation) {
                continue;
            }
            if drawn < rate {
                if fault.comes_in_spells() {
                    let part: f64 = state.rng.random();
                    let spell = self.inner.plan.spell.mul_f64(part);
                    state.spells.insert(service, (fault, now + spell));
                }
                return Some(fault);
            }
            drawn -= rate;
        }
        None
    }

    fn is_away(&self, state: &State, service: Service, now: Instant) -> bool {
        let told = state.away_until.get(&service);
        let age = now.duration_since(self.inner.since);
        told.is_some_and(|until| now < *until) || self.inner.plan.is_away(service, age)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, service: Service, fault: Fault) {
        *self.counts.entry((service, fault)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(plan: &FaultPlan, calls: usize) -> Vec<Option<Fault>> {
        let faults = Faults::new(plan.clone());
        (0..calls)
            .map(|_| faults.draw(Service::Sqs, "DeleteMessageBatch"))
            .collect()
    }

    #[test]
    fn one_seed_draws_the_same_faults_again_and_counts_them() {
        let text = r#"{"seed": 7, "rates": {"sqs": {"unreached": 0.2, "answer_lost": 0.1}}}"#;
        let plan: FaultPlan = text.parse().unwrap();
        let first = drawn(&plan, 1000);
        assert_eq!(first, drawn(&plan, 1000));
        let faults = Faults::new(plan);
        for _ in 0..1000 {
            faults.draw(Service::Sqs, "ReceiveMessage");
        }
        let counts = faults.counts();
        let unreached = counts[&(Service::Sqs, Fault::Unreached)];
        let lost = counts[&(Service::Sqs, Fault::AnswerLost)];
        assert!((150..250).contains(&unreached), "{counts:?}");
        assert!((60..140).contains(&lost), "{counts:?}");
    }

    #[test]
    fn service_that_is_away_stays_away_until_its_time_is_over() {
        let faults = Faults::new(FaultPlan::default());
        assert_eq!(faults.draw(Service::S3, "GET"), None);
        faults.take_away(Service::S3, Duration::from_mins(1));
        assert_eq!(faults.draw(Service::S3, "GET"), Some(Fault::Away));
        assert_eq!(faults.draw(Service::DynamoDb, "UpdateItem"), None);
        faults.take_away(Service::S3, Duration::ZERO);
        assert_eq!(faults.draw(Service::S3, "GET"), None);
    }

    #[test]
    fn nothing_goes_wrong_once_faults_have_ended() {
        let plan = r#"{"rates": {"s3": {"unreached": 1.0}}}"#;
        let faults = Faults::new(plan.parse().unwrap());
        assert_eq!(faults.draw(Service::S3, "GET"), Some(Fault::Unreached));
        faults.end();
        assert_eq!(faults.draw(Service::S3, "GET"), None);
    }
}
