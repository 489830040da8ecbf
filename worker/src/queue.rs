//! The queue's port: what the worker needs of SQS, and the messages that come and go.
//!
//! [`crate::sqs`] and [`crate::memory`] implement it; [`crate::conformance`] holds both to the same
//! behaviour. It must not decide what becomes of a message.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::aws::CallError;

/// SQS takes and gives at most ten messages a call.
pub const BATCH_MAX: usize = 10;

/// SQS allows ten attributes a message.
pub const ATTRIBUTES_MAX: usize = 10;

/// The largest message, and the largest batch in all: a mebibyte, attributes included (SQS Developer
/// Guide, "Amazon SQS message quotas"). A queue may be set to less.
pub const MESSAGE_MAX_BYTES: usize = 1024 * 1024;

/// What the name of every FIFO queue ends in (SQS Developer Guide, "FIFO queues").
pub const FIFO_SUFFIX: &str = ".fifo";

/// The message attribute that names the job.
pub const JOB_ID_ATTRIBUTE: &str = "JobId";

/// The attribute that names the job of a message that was a dead letter and is sent back: its message
/// id is a new one.
pub const LETTER_JOB_ID_ATTRIBUTE: &str = "WeirJobId";

/// One delivery of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// SQS's id, the same at each delivery.
    pub id: String,
    /// The handle of this delivery.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// The sender's attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// How often it was delivered, this time included; `None`: unknown.
    pub receive_count: Option<u32>,
    /// When it was sent, Unix milliseconds by SQS's clock.
    pub sent_at_millis: Option<u64>,
    /// Its group: on a FIFO queue, what it is ordered within; on a standard queue, its tenant.
    pub group: Option<String>,
    /// The sender's X-Ray trace, as SQS's system attribute `AWSTraceHeader` carries it.
    pub trace_header: Option<String>,
    /// The name of the queue that SQS's own redrive moved it from, to this dead-letter queue.
    pub came_from: Option<String>,
}

impl Message {
    /// The job this message asks for: its `JobId` attribute, else the message id; for one that was a
    /// dead letter, the id that it had before.
    pub fn job_id(&self) -> &str {
        [JOB_ID_ATTRIBUTE, LETTER_JOB_ID_ATTRIBUTE]
            .into_iter()
            .filter_map(|name| self.attributes.get(name)?.text())
            .find(|id| is_job_id(id))
            .unwrap_or(&self.id)
    }

    /// When it was sent, Unix seconds.
    pub fn sent_at(&self) -> Option<f64> {
        self.sent_at_millis.map(|millis| millis as f64 / 1000.0)
    }
}

/// Whether a text may be a job id: it is a DynamoDB key, an environment variable and part of object
/// keys, so it has 1 to 256 visible ASCII characters.
pub fn is_job_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The value of a message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A `String`, `Number` or custom text type.
    Text {
        /// The data type as sent, such as `String` or `Number.int`.
        data_type: String,
        /// The value; SQS refuses an empty one.
        value: String,
    },
    /// A `Binary` or custom binary type.
    Binary {
        /// The data type as sent.
        data_type: String,
        /// The value.
        value: Bytes,
    },
}

impl Attribute {
    /// A `String` attribute.
    pub fn string(value: impl Into<String>) -> Self {
        Self::Text {
            data_type: "String".into(),
            value: value.into(),
        }
    }

    /// The text, unless binary.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { value, .. } => Some(value),
            Self::Binary { .. } => None,
        }
    }
}

/// SQS delays a message by at most 15 minutes, and on a FIFO queue not at all (SQS Developer Guide,
/// "Amazon SQS message timers").
pub const DELAY_MAX: Duration = Duration::from_mins(15);

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The body.
    pub body: String,
    /// Its attributes, at most [`ATTRIBUTES_MAX`].
    pub attributes: BTreeMap<String, Attribute>,
    /// Not to be delivered before this has passed: at most [`DELAY_MAX`], whole seconds, rounded
    /// up. Zero leaves it to the queue's own delay.
    pub delay: Duration,
    /// Its group: a FIFO queue needs one, a standard queue may have one.
    pub group: Option<String>,
    /// On a FIFO queue: of two messages with the same id within five minutes, one is delivered.
    pub deduplication_id: Option<String>,
    /// The sender's X-Ray trace, for the system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

impl Outgoing {
    /// What counts towards [`MESSAGE_MAX_BYTES`]: the body, and of each attribute its name, type and
    /// value (SQS Developer Guide, "Amazon SQS message metadata").
    pub fn bytes(&self) -> usize {
        let of = |(name, value): (&String, &Attribute)| {
            let (data_type, value) = match value {
                Attribute::Text { data_type, value } => (data_type, value.len()),
                Attribute::Binary { data_type, value } => (data_type, value.len()),
            };
            name.len() + data_type.len() + value
        };
        self.body.len() + self.attributes.iter().map(of).sum::<usize>()
    }

    /// A message with a body and nothing else.
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }
}

/// A change of one delivery's visibility.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// The delivery.
    pub receipt: String,
    /// Hidden from now for this long; whole seconds, rounded up.
    pub hidden_for: Duration,
}

/// Why one entry of a batch failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The handle rules nothing any more: deleted, or delivered again.
    #[error("the message is gone: {detail}")]
    Gone {
        /// SQS's words.
        detail: String,
    },
    /// Trying again will not help.
    #[error("{detail}")]
    Refused {
        /// SQS's words.
        detail: String,
    },
    /// It may work later.
    #[error("{detail}")]
    Unavailable {
        /// SQS's words.
        detail: String,
    },
}

/// What became of each entry of a batch, in the order asked.
pub type Entries<T> = Vec<Result<T, EntryError>>;

/// What became of a message meant for the dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// It lies there.
    Sent,
    /// The queue has none.
    NoDeadLetterQueue,
}

/// A queue. Batches hold at most [`BATCH_MAX`] entries.
#[async_trait]
pub trait Queue: Send + Sync {
    /// The queue's name; a FIFO queue's ends in `.fifo`.
    fn name(&self) -> &str;

    /// Whether the queue keeps its groups in order.
    fn is_fifo(&self) -> bool {
        self.name().ends_with(FIFO_SUFFIX)
    }

    /// Waits up to `wait` for up to `max` messages and hides what it gives for `visibility`. It must
    /// not be dropped half-way: SQS may have given messages to the call already, and they would
    /// stay hidden for nothing.
    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, CallError>;

    /// Deletes deliveries' messages.
    async fn delete(&self, receipts: &[String]) -> Result<Entries<()>, CallError>;

    /// Changes deliveries' visibility.
    async fn change_visibility(&self, changes: &[Visibility]) -> Result<Entries<()>, CallError>;

    /// Sends messages; each success is the message's id.
    async fn send(&self, messages: &[Outgoing]) -> Result<Entries<String>, CallError>;

    /// Sends to the queue's dead-letter queue.
    async fn bury(&self, message: &Outgoing) -> Result<Buried, CallError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_id_is_the_attribute_or_else_the_message_id() {
        let named = |value: Option<Attribute>| Message {
            id: "message-1".into(),
            receipt: "r".into(),
            body: "b".into(),
            attributes: value
                .map(|value| (JOB_ID_ATTRIBUTE.to_owned(), value))
                .into_iter()
                .collect(),
            receive_count: Some(1),
            sent_at_millis: None,
            group: None,
            trace_header: None,
            came_from: None,
        };
        assert_eq!(named(Some(Attribute::string("job-7"))).job_id(), "job-7");
        let long = "x".repeat(257);
        for bad in ["", " ", "line\nbreak", "é", &long] {
            assert_eq!(named(Some(Attribute::string(bad))).job_id(), "message-1");
        }
        assert_eq!(named(None).job_id(), "message-1");
        let mut letter = named(None);
        let name = LETTER_JOB_ID_ATTRIBUTE.to_owned();
        letter.attributes.insert(name, Attribute::string("job-8"));
        assert_eq!(letter.job_id(), "job-8");
    }
}
