//! A queue's attributes: defaults, what each may be, and how they are written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::{ApiError, ApiResult};

/// Attributes as the API names and writes them.
pub type Settings = BTreeMap<String, String>;

/// The settable attributes of a queue, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// `DelaySeconds`: how long a new message stays hidden.
    pub delay: Duration,
    /// `MaximumMessageSize`, in bytes.
    pub message_bytes_max: usize,
    /// `MessageRetentionPeriod`: how long a message is kept.
    pub retention: Duration,
    /// `ReceiveMessageWaitTimeSeconds`: how long a receive waits unless it says otherwise.
    pub receive_wait: Duration,
    /// `VisibilityTimeout`: how long a received message stays hidden unless the receive says otherwise.
    pub visibility_timeout: Duration,
    /// `RedrivePolicy`: where messages go that were received too often.
    pub redrive: Option<Redrive>,
    /// `FifoQueue` and what goes with it; a standard queue has none.
    pub fifo: Option<FifoSettings>,
    /// Attributes that are kept and handed out without effect: policy, encryption, who may redrive.
    pub inert: Settings,
}

/// What a FIFO queue has besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FifoSettings {
    /// `ContentBasedDeduplication`: a message without an id of its own gets one of its body.
    pub content_based_deduplication: bool,
    /// `DeduplicationScope`.
    pub deduplication_scope: DeduplicationScope,
    /// `FifoThroughputLimit`: kept and handed out; no quota is played here.
    pub throughput_limit: FifoThroughputLimit,
}

/// Among which messages a deduplication id is looked for ("High throughput for FIFO queues", SQS
/// Developer Guide).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeduplicationScope {
    /// Those of the whole queue.
    #[default]
    Queue,
    /// Those of the same group.
    MessageGroup,
}

/// What the quota of calls is counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FifoThroughputLimit {
    /// The whole queue.
    #[default]
    PerQueue,
    /// Each group.
    PerMessageGroupId,
}

/// A queue's `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The ARN of the dead-letter queue.
    pub target_arn: String,
    /// A message that was received this often goes there instead of being received again.
    pub max_receive_count: u32,
    /// The policy as it was written.
    pub text: String,
}

/// Attributes without effect here that a queue keeps.
const INERT: [&str; 5] = [
    "Policy",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedriveAllowPolicy",
];

/// Attributes that only a FIFO queue has.
pub(super) const FIFO: [&str; 3] = [
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
];

const SCOPES: [(&str, DeduplicationScope); 2] = [
    ("queue", DeduplicationScope::Queue),
    ("messageGroup", DeduplicationScope::MessageGroup),
];

const LIMITS: [(&str, FifoThroughputLimit); 2] = [
    ("perQueue", FifoThroughputLimit::PerQueue),
    ("perMessageGroupId", FifoThroughputLimit::PerMessageGroupId),
];

impl Default for QueueSettings {
    /// The defaults of `SetQueueAttributes`; 1 MiB is the message size since August 2025.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            message_bytes_max: 1_048_576,
            retention: Duration::from_hours(4 * 24),
            receive_wait: Duration::ZERO,
            visibility_timeout: Duration::from_secs(30),
            redrive: None,
            fifo: None,
            inert: Settings::from([("SqsManagedSseEnabled".into(), "true".into())]),
        }
    }
}

impl QueueSettings {
    /// The settings of a new queue. `FifoQueue` says which other attributes there are.
    pub(super) fn new(wanted: &Settings) -> ApiResult<Self> {
        let fifo = asks_for_fifo(wanted).then(FifoSettings::default);
        let defaults = Self {
            fifo,
            ..Self::default()
        };
        defaults.with(wanted)
    }

    /// These settings with `changes` applied, all or none.
    pub(super) fn with(&self, changes: &Settings) -> ApiResult<Self> {
        let settings = self.applied(changes)?;
        let per_group = |fifo: &FifoSettings| {
            fifo.throughput_limit == FifoThroughputLimit::PerMessageGroupId
                && fifo.deduplication_scope == DeduplicationScope::Queue
        };
        if settings.fifo.as_ref().is_some_and(per_group) {
            return Err(invalid(
                "FifoThroughputLimit",
                "perMessageGroupId",
                "perQueue, as long as DeduplicationScope is not messageGroup",
            ));
        }
        Ok(settings)
    }

    fn applied(&self, changes: &Settings) -> ApiResult<Self> {
        let mut settings = self.clone();
        for (name, value) in changes {
            settings.apply(name, value)?;
        }
        Ok(settings)
    }

    fn apply(&mut self, name: &str, value: &str) -> ApiResult<()> {
        match name {
            "DelaySeconds" => self.delay = seconds(name, value, 0, 900)?,
            "MaximumMessageSize" => {
                let bytes = number(name, value, 1_024, 1_048_576)?;
                self.message_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
            }
            "MessageRetentionPeriod" => self.retention = seconds(name, value, 60, 1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_wait = seconds(name, value, 0, 20)?,
            "VisibilityTimeout" => self.visibility_timeout = seconds(name, value, 0, 43_200)?,
            "RedrivePolicy" => self.redrive = redrive(value)?,
            "FifoQueue" => self.check_type(value)?,
            _ if FIFO.contains(&name) && self.fifo.is_some() => self.apply_fifo(name, value)?,
            _ if INERT.contains(&name) => {
                if value.is_empty() {
                    self.inert.remove(name);
                } else {
                    self.inert.insert(name.into(), value.into());
                }
            }
            _ => {
                return Err(ApiError::new(
                    "InvalidAttributeName",
                    format!("Unknown Attribute {name}."),
                ));
            }
        }
        Ok(())
    }

    /// A queue is made as one of the two types and stays it (`CreateQueue`, `FifoQueue`).
    fn check_type(&self, value: &str) -> ApiResult<()> {
        let wanted = one_of("FifoQueue", value, [("true", true), ("false", false)])?;
        if wanted == self.fifo.is_some() {
            return Ok(());
        }
        Err(ApiError::new(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        ))
    }

    fn apply_fifo(&mut self, name: &str, value: &str) -> ApiResult<()> {
        let fifo = self.fifo.get_or_insert_default();
        match name {
            "ContentBasedDeduplication" => {
                let allowed = [("true", true), ("false", false)];
                fifo.content_based_deduplication = one_of(name, value, allowed)?;
            }
            "DeduplicationScope" => fifo.deduplication_scope = one_of(name, value, SCOPES)?,
            _ => fifo.throughput_limit = one_of(name, value, LIMITS)?,
        }
        Ok(())
    }

    /// The first of `wanted` that differs from these settings.
    pub(super) fn first_difference(&self, wanted: &Settings) -> ApiResult<Option<String>> {
        for (name, value) in wanted {
            let change = Settings::from([(name.clone(), value.clone())]);
            if self.applied(&change)? != *self {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// The settings as `GetQueueAttributes` writes them.
    pub(super) fn write(&self) -> Settings {
        let mut out = self.inert.clone();
        let mut put = |name: &str, value: u64| out.insert(name.into(), value.to_string());
        put("DelaySeconds", self.delay.as_secs());
        put("MaximumMessageSize", self.message_bytes_max as u64);
        put("MessageRetentionPeriod", self.retention.as_secs());
        put("ReceiveMessageWaitTimeSeconds", self.receive_wait.as_secs());
        put("VisibilityTimeout", self.visibility_timeout.as_secs());
        if let Some(redrive) = &self.redrive {
            out.insert("RedrivePolicy".into(), redrive.text.clone());
        }
        if let Some(fifo) = &self.fifo {
            let mut put = |name: &str, value: &str| out.insert(name.into(), value.into());
            put("FifoQueue", "true");
            let by_content = fifo.content_based_deduplication.to_string();
            put("ContentBasedDeduplication", &by_content);
            put(
                "DeduplicationScope",
                text(&fifo.deduplication_scope, SCOPES),
            );
            put("FifoThroughputLimit", text(&fifo.throughput_limit, LIMITS));
        }
        out
    }
}

impl Redrive {
    /// The name of the dead-letter queue: what stands after the ARN's last colon.
    pub fn target_name(&self) -> &str {
        self.target_arn.rsplit(':').next().unwrap_or_default()
    }
}

/// Whether a queue with these attributes is to be a FIFO queue.
pub(super) fn asks_for_fifo(wanted: &Settings) -> bool {
    wanted.get("FifoQueue").is_some_and(|value| value == "true")
}

fn one_of<T: Copy, const N: usize>(
    name: &str,
    value: &str,
    allowed: [(&str, T); N],
) -> ApiResult<T> {
    let found = allowed.iter().find(|(text, _)| *text == value);
    found
        .map(|(_, meant)| *meant)
        .ok_or_else(|| invalid(name, value, &allowed.map(|(text, _)| text).join(" or ")))
}

fn text<T: PartialEq, const N: usize>(value: &T, texts: [(&'static str, T); N]) -> &'static str {
    let found = texts.into_iter().find(|(_, meant)| meant == value);
    found.map_or("", |(text, _)| text)
}

fn invalid(name: &str, found: &str, allowed: &str) -> ApiError {
    ApiError::new(
        "InvalidAttributeValue",
        format!("Invalid value for the parameter {name}: found '{found}', allowed is {allowed}."),
    )
}

fn number(name: &str, value: &str, min: u64, max: u64) -> ApiResult<u64> {
    let number = value.trim().parse::<u64>().ok();
    number
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| invalid(name, value, &format!("{min} to {max}")))
}

fn seconds(name: &str, value: &str, min: u64, max: u64) -> ApiResult<Duration> {
    number(name, value, min, max).map(Duration::from_secs)
}

/// Reads a `RedrivePolicy`; an empty one removes the policy.
fn redrive(text: &str) -> ApiResult<Option<Redrive>> {
    if text.is_empty() {
        return Ok(None);
    }
    let bad = |why: &str| ApiError::invalid_parameter("RedrivePolicy", text, why);
    let policy: serde_json::Value =
        serde_json::from_str(text).map_err(|_| bad("Redrive policy is not a valid JSON map."))?;
    let target_arn = policy["deadLetterTargetArn"].as_str().ok_or_else(|| {
        bad("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
    })?;
    let count = &policy["maxReceiveCount"];
    let max_receive_count = count
        .as_u64()
        .or_else(|| count.as_str().and_then(|s| s.parse().ok()))
        .filter(|n| (1..=1_000).contains(n))
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| bad("Invalid value for maxReceiveCount: 1 to 1000 is allowed."))?;
    Ok(Some(Redrive {
        target_arn: target_arn.into(),
        max_receive_count,
        text: text.into(),
    }))
}
