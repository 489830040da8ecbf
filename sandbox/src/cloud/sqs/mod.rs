//! SQS: standard and FIFO queues as plain state machines.
//!
//! Owns queues, messages and the rules of each operation. It never waits: a long poll is the wire's,
//! which learns from [`Sqs::next_visible_at`] when to look again.

mod batch;
mod duplicates;
#[cfg(test)]
mod fifo_tests;
mod groups;
mod lag;
mod message;
mod queue;
mod receipt;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use self::batch::{BatchEntry, BatchOutcome};
pub use self::lag::CountLag;
use self::lag::LaggedCounts;
pub use self::message::{
    AttributeContent, AttributeValue, Attributes, Message, Outgoing, attributes_md5,
};
pub use self::queue::{Counts, Received, Totals};
use self::queue::{Queue, VISIBILITY_MAX};
pub use self::settings::{
    DeduplicationScope, FifoSettings, FifoThroughputLimit, QueueSettings, Redrive, Settings,
};
use super::{ACCOUNT, ApiError, ApiResult, Time};

/// The queues of the account.
#[derive(Debug)]
pub struct Sqs {
    queues: BTreeMap<String, Queue>,
    lagged: BTreeMap<String, LaggedCounts>,
    deleted_at: BTreeMap<String, Time>,
    count_lag: CountLag,
    rng: ChaCha8Rng,
    queues_made: u32,
}

/// A queue to be created.
#[derive(Clone, Debug, Default)]
pub struct NewQueue {
    /// 1 to 80 of letters, digits, hyphen and underscore; a FIFO queue's ends in `.fifo`.
    pub name: String,
    /// The region that stands in the queue's ARN.
    pub region: String,
    /// Attributes that differ from the defaults.
    pub settings: Settings,
    /// Tags.
    pub tags: Settings,
}

/// What a receive asks for.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// At most this many messages, 1 to 10.
    pub max: usize,
    /// Hides what it hands out for this long; the queue's own timeout when absent.
    pub visibility_timeout: Option<Duration>,
}

/// What a send answers.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message; what repeats an earlier send has that one's id and sequence number.
    pub message: Message,
}

/// Attributes that `GetQueueAttributes` hands out and nobody sets.
const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Attributes that a queue may be without.
const OPTIONAL: [&str; 5] = [
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
];

/// A name cannot be used again, nor a queue be purged again, for this long (`DeleteQueue`,
/// `PurgeQueue`).
const MINUTE: Duration = Duration::from_mins(1);

/// The longest delay of a message ("Amazon SQS message timers", Developer Guide).
const DELAY_MAX: Duration = Duration::from_mins(15);

impl Sqs {
    /// No queues; message ids and the noise of counts come from `seed`.
    pub fn new(seed: u64, count_lag: CountLag) -> Self {
        Self {
            queues: BTreeMap::new(),
            lagged: BTreeMap::new(),
            deleted_at: BTreeMap::new(),
            count_lag,
            rng: ChaCha8Rng::seed_from_u64(seed),
            queues_made: 0,
        }
    }

    /// `CreateQueue`: makes the queue, or finds the one of this name when no given attribute differs.
    pub fn create_queue(&mut self, now: Time, new: NewQueue) -> ApiResult<()> {
        validate_name(&new)?;
        if let Some(queue) = self.queues.get(&new.name) {
            return match queue.settings.first_difference(&new.settings)? {
                None => Ok(()),
                Some(attribute) => Err(ApiError::new(
                    "QueueNameExists",
                    format!(
                        "A queue already exists with the same name and a different value for \
                         attribute {attribute}"
                    ),
                )),
            };
        }
        let just_deleted = self.deleted_at.get(&new.name);
        if just_deleted.is_some_and(|at| now.since(*at) < MINUTE) {
            return Err(ApiError::new(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another \
                 with the same name.",
            ));
        }
        let settings = QueueSettings::new(&new.settings)?;
        self.check_redrive(&settings)?;
        self.queues_made += 1;
        let arn = format!("arn:aws:sqs:{}:{ACCOUNT}:{}", new.region, new.name);
        let mut queue = Queue::new(self.queues_made, arn, settings, now);
        queue.tags = new.tags;
        self.lagged.remove(&new.name);
        self.queues.insert(new.name, queue);
        Ok(())
    }

    /// `DeleteQueue`: the queue and its messages are gone.
    pub fn delete_queue(&mut self, now: Time, name: &str) -> ApiResult<()> {
        self.queues.remove(name).ok_or_else(no_such_queue)?;
        self.deleted_at.insert(name.into(), now);
        Ok(())
    }

    /// `PurgeQueue`: the queue's messages are gone.
    pub fn purge(&mut self, now: Time, name: &str) -> ApiResult<()> {
        let queue = self.settled(now, name)?;
        if queue.purged_at.is_some_and(|at| now.since(at) < MINUTE) {
            return Err(ApiError::new(
                "PurgeQueueInProgress",
                format!("Only one PurgeQueue operation on {name} is allowed every 60 seconds."),
            ));
        }
        queue.purge(now);
        Ok(())
    }

    /// Whether there is a queue of this name, as an operation on it would find.
    pub fn require(&self, name: &str) -> ApiResult<()> {
        self.queue(name).map(|_| ())
    }

    /// The names of all queues that open with `prefix`, in order.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.queues
            .keys()
            .map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// `ListDeadLetterSourceQueues`: the queues whose dead-letter queue this is.
    pub fn dead_letter_sources(&self, name: &str) -> ApiResult<Vec<&str>> {
        let arn = &self.queue(name)?.arn;
        let points_here = |queue: &Queue| {
            let redrive = queue.settings.redrive.as_ref();
            redrive.is_some_and(|redrive| redrive.target_arn == *arn)
        };
        let sources = self.queues.iter().filter(|(_, queue)| points_here(queue));
        Ok(sources.map(|(name, _)| name.as_str()).collect())
    }

    /// The queue's validated settings.
    pub fn settings(&self, name: &str) -> ApiResult<&QueueSettings> {
        self.queue(name).map(|queue| &queue.settings)
    }

    /// `GetQueueAttributes`: those of `wanted` that the queue has; `All` stands for every one.
    pub fn attributes(&mut self, now: Time, name: &str, wanted: &[String]) -> ApiResult<Settings> {
        let counts = self.reported_counts(now, name)?;
        let queue = self.queue(name)?;
        let mut all = queue.settings.write();
        let computed = [
            counts.visible.to_string(),
            counts.in_flight.to_string(),
            counts.delayed.to_string(),
            queue.created_at.as_secs().to_string(),
            queue.modified_at.as_secs().to_string(),
            queue.arn.clone(),
        ];
        all.extend(COMPUTED.map(String::from).into_iter().zip(computed));
        if wanted.iter().any(|w| w == "All") {
            return Ok(all);
        }
        let optional = |name: &str| {
            OPTIONAL.contains(&name) || settings::FIFO.contains(&name) || name == "FifoQueue"
        };
        let unknown = |w: &&String| !all.contains_key(*w) && !optional(w);
        if let Some(unknown) = wanted.iter().find(unknown) {
            return Err(ApiError::new(
                "InvalidAttributeName",
                format!("Unknown Attribute {unknown}."),
            ));
        }
        all.retain(|name, _| wanted.contains(name));
        Ok(all)
    }

    /// `SetQueueAttributes`: all of `changes` or, on an error, none.
    pub fn set_attributes(&mut self, now: Time, name: &str, changes: &Settings) -> ApiResult<()> {
        let settings = self.queue(name)?.settings.with(changes)?;
        self.check_redrive(&settings)?;
        let queue = self.settled(now, name)?;
        queue.set(settings);
        queue.modified_at = now;
        Ok(())
    }

    /// The queue's tags.
    pub fn tags(&self, name: &str) -> ApiResult<&Settings> {
        self.queue(name).map(|queue| &queue.tags)
    }

    /// The queue's tags, to be changed.
    pub fn tags_mut(&mut self, name: &str) -> ApiResult<&mut Settings> {
        let queue = self.queues.get_mut(name).ok_or_else(no_such_queue)?;
        Ok(&mut queue.tags)
    }

    /// `SendMessage`.
    pub fn send(&mut self, now: Time, name: &str, mut outgoing: Outgoing) -> ApiResult<Sent> {
        let id = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid();
        let queue = self.settled(now, name)?;
        outgoing.validate()?;
        let (size, max) = (outgoing.size(), queue.settings.message_bytes_max);
        if size > max {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "One or more parameters are invalid. Reason: Message must be shorter than \
                     {max} bytes; found {size}."
                ),
            ));
        }
        if let Some(delay) = outgoing.delay.filter(|delay| *delay > DELAY_MAX) {
            return Err(ApiError::invalid_parameter(
                "DelaySeconds",
                delay.as_secs(),
                "DelaySeconds must be >= 0 and <= 900.",
            ));
        }
        outgoing.fit(queue.settings.fifo.as_ref())?;
        let delay = outgoing.delay;
        let message = Message::new(id.to_string(), outgoing, now);
        Ok(Sent {
            message: queue.send(message, now, delay),
        })
    }

    /// `ReceiveMessage`, without waiting: what is visible now, perhaps nothing.
    ///
    /// Messages that were received too often go to the dead-letter queue instead; that happens here,
    /// on a receive, as in SQS.
    pub fn receive(&mut self, now: Time, name: &str, ask: Receive) -> ApiResult<Vec<Received>> {
        if !(1..=10).contains(&ask.max) {
            return Err(ApiError::invalid_parameter(
                "MaxNumberOfMessages",
                ask.max,
                "Must be between 1 and 10, if provided.",
            ));
        }
        ask.visibility_timeout.map_or(Ok(()), check_visibility)?;
        self.move_dead(now, name, ask.max)?;
        let queue = self.settled(now, name)?;
        if queue.in_flight_is_full() {
            // A FIFO queue "returns no error messages" (`ChangeMessageVisibility`).
            if queue.settings.fifo.is_some() {
                return Ok(Vec::new());
            }
            return Err(ApiError::new(
                "OverLimit",
                format!(
                    "Too many messages are in flight: {} is the most.",
                    queue::IN_FLIGHT_MAX
                ),
            ));
        }
        let hide = ask.visibility_timeout;
        let hide = hide.unwrap_or(queue.settings.visibility_timeout);
        Ok(queue.receive(now, ask.max, hide))
    }

    /// Counts a receive that came back with nothing; a long poll looks often and counts once.
    pub fn note_empty_receive(&mut self, name: &str) {
        if let Some(queue) = self.queues.get_mut(name) {
            queue.totals.empty_receives += 1;
        }
    }

    /// `DeleteMessage`.
    pub fn delete(&mut self, now: Time, name: &str, handle: &str) -> ApiResult<()> {
        self.settled(now, name)?.delete(handle)
    }

    /// `ChangeMessageVisibility`.
    pub fn hide(&mut self, now: Time, name: &str, change: &Hide) -> ApiResult<()> {
        let queue = self.settled(now, name)?;
        check_visibility(change.timeout)?;
        queue.hide(&change.receipt_handle, change.timeout, now)
    }

    /// A message is delivered twice: a second copy of the one of this handle can be received after
    /// `delay`, whatever becomes of the first. Standard queues do that on rare occasions ("Amazon
    /// SQS at-least-once delivery").
    pub fn duplicate(
        &mut self,
        now: Time,
        name: &str,
        handle: &str,
        delay: Duration,
    ) -> ApiResult<()> {
        let queue = self.settled(now, name)?;
        refuse_fifo(queue)?;
        queue.duplicate(handle, delay, now)
    }

    /// The next `count` messages come after all others, as the order of standard queues is best
    /// effort only ("Amazon SQS standard queues"). An error if there is nothing to change places.
    pub fn misplace(&mut self, name: &str, count: usize) -> ApiResult<()> {
        let queue = self.queues.get_mut(name).ok_or_else(no_such_queue)?;
        refuse_fifo(queue)?;
        if queue.counts().visible <= count as u64 {
            return Err(ApiError::new(
                "UnsupportedOperation",
                "Too few messages are visible to change places.",
            ));
        }
        queue.misplace(count);
        Ok(())
    }

    /// What the queue holds now, exactly.
    pub fn counts(&mut self, now: Time, name: &str) -> ApiResult<Counts> {
        self.settled(now, name).map(|queue| queue.counts())
    }

    /// What happened to the queue's messages so far.
    pub fn totals(&self, name: &str) -> ApiResult<Totals> {
        self.queue(name).map(|queue| queue.totals)
    }

    /// The age of the oldest message, as the CloudWatch metric has it.
    pub fn oldest_age(&mut self, now: Time, name: &str) -> ApiResult<Option<Duration>> {
        self.settled(now, name).map(|queue| queue.oldest_age(now))
    }

    /// When a hidden message of the queue becomes visible by itself.
    pub fn next_visible_at(&self, name: &str) -> Option<Time> {
        self.queues.get(name)?.next_visible_at()
    }

    /// The counts as `GetQueueAttributes` gives them: late and noisy when so configured.
    fn reported_counts(&mut self, now: Time, name: &str) -> ApiResult<Counts> {
        let counts = self.settled(now, name)?.counts();
        if self.count_lag == CountLag::EXACT {
            return Ok(counts);
        }
        let lagged = self.lagged.entry(name.into()).or_default();
        Ok(lagged.report(now, counts, &self.count_lag, &mut self.rng))
    }

    /// Notes the counts of every queue, so that later reports can be late.
    pub(super) fn observe(&mut self, now: Time) {
        if self.count_lag == CountLag::EXACT {
            return;
        }
        for (name, queue) in &mut self.queues {
            queue.settle(now);
            let lagged = self.lagged.entry(name.clone()).or_default();
            lagged.note(now, queue.counts(), &self.count_lag);
        }
    }

    fn move_dead(&mut self, now: Time, name: &str, up_to: usize) -> ApiResult<()> {
        let queue = self.settled(now, name)?;
        let Some(redrive) = &queue.settings.redrive else {
            return Ok(());
        };
        let (target, max) = (redrive.target_name().to_owned(), redrive.max_receive_count);
        if !self.queues.contains_key(&target) {
            return Ok(());
        }
        let dead = self.settled(now, name)?.take_dead(max, up_to);
        let target = self.settled(now, &target)?;
        for message in dead {
            target.take_in(message, now);
        }
        Ok(())
    }

    fn check_redrive(&self, settings: &QueueSettings) -> ApiResult<()> {
        let Some(redrive) = &settings.redrive else {
            return Ok(());
        };
        let bad = |why| ApiError::invalid_parameter("RedrivePolicy", &redrive.text, why);
        match self.queues.get(redrive.target_name()) {
            None => Err(bad("Dead letter target does not exist.")),
            Some(target) if target.settings.fifo.is_some() != settings.fifo.is_some() => Err(bad(
                "Dead-letter queue must be same type of queue as the source.",
            )),
            Some(_) => Ok(()),
        }
    }

    fn queue(&self, name: &str) -> ApiResult<&Queue> {
        self.queues.get(name).ok_or_else(no_such_queue)
    }

    fn settled(&mut self, now: Time, name: &str) -> ApiResult<&mut Queue> {
        let queue = self.queues.get_mut(name).ok_or_else(no_such_queue)?;
        queue.settle(now);
        Ok(queue)
    }
}

/// A change of one message's visibility.
#[derive(Clone, Debug)]
pub struct Hide {
    /// The handle of the receive.
    pub receipt_handle: String,
    /// Hidden for this long from now; zero makes it visible at once.
    pub timeout: Duration,
}

/// FIFO queues keep their order, and deliver a message once.
fn refuse_fifo(queue: &Queue) -> ApiResult<()> {
    match queue.settings.fifo {
        None => Ok(()),
        Some(_) => Err(ApiError::new(
            "UnsupportedOperation",
            "A FIFO queue does not do this.",
        )),
    }
}

fn no_such_queue() -> ApiError {
    ApiError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

/// What the name of a FIFO queue ends in; it counts towards the 80 characters (`CreateQueue`).
pub const FIFO_SUFFIX: &str = ".fifo";

fn validate_name(new: &NewQueue) -> ApiResult<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let (stem, rule) = if settings::asks_for_fifo(&new.settings) {
        (
            new.name.strip_suffix(FIFO_SUFFIX).unwrap_or_default(),
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with .fifo suffix and be 1 to 80 in length",
        )
    } else {
        (
            new.name.as_str(),
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    };
    if stem.is_empty() || new.name.len() > 80 || !stem.chars().all(allowed) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("The queue name '{}' is invalid. {rule}", new.name),
        ));
    }
    Ok(())
}

fn check_visibility(timeout: Duration) -> ApiResult<()> {
    if timeout > VISIBILITY_MAX {
        return Err(ApiError::invalid_parameter(
            "VisibilityTimeout",
            timeout.as_secs(),
            "Must be between 0 and 43200, if provided.",
        ));
    }
    Ok(())
}
