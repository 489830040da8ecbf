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
    /// Attributes that are kept and handed out without effect: policy, encryption, who may redrive.
    pub inert: Settings,
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
            inert: Settings::from([("SqsManagedSseEnabled".into(), "true".into())]),
        }
    }
}

impl QueueSettings {
    /// These settings with `changes` applied, all or none.
    pub(super) fn with(&self, changes: &Settings) -> ApiResult<Self> {
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
            "FifoQueue" if value == "false" => {}
            "FifoQueue" | "ContentBasedDeduplication" => {
                return Err(ApiError::new(
                    "UnsupportedOperation",
                    format!(
                        "The attribute {name} belongs to FIFO queues; this cloud has standard queues only."
                    ),
                ));
            }
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

    /// The first of `wanted` that differs from these settings.
    pub(super) fn first_difference(&self, wanted: &Settings) -> ApiResult<Option<String>> {
        for (name, value) in wanted {
            let change = Settings::from([(name.clone(), value.clone())]);
            if self.with(&change)? != *self {
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
        out
    }
}

impl Redrive {
    /// The name of the dead-letter queue: what stands after the ARN's last colon.
    pub fn target_name(&self) -> &str {
        self.target_arn.rsplit(':').next().unwrap_or_default()
    }
}

fn number(name: &str, value: &str, min: u64, max: u64) -> ApiResult<u64> {
    let number = value.trim().parse::<u64>().ok();
    number.filter(|n| (min..=max).contains(n)).ok_or_else(|| {
        ApiError::new(
            "InvalidAttributeValue",
            format!("Invalid value for the parameter {name}: found '{value}', allowed is {min} to {max}."),
        )
    })
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
