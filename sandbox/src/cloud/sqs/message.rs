//! A message: what is sent, what SQS keeps of it, and the two checksums that the SDKs compare.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};

use super::super::{ApiError, ApiResult, Time};
use super::duplicates;
use super::settings::FifoSettings;

/// A message as the sender gives it.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The text.
    pub body: String,
    /// Overrides the queue's delay.
    pub delay: Option<Duration>,
    /// The sender's own attributes.
    pub attributes: Attributes,
    /// The system attribute `AWSTraceHeader`; counts neither as an attribute nor towards the size.
    pub trace_header: Option<String>,
    /// On a FIFO queue, what the message is ordered within. On a standard queue it names the tenant
    /// of a fair queue: kept and handed out, without effect on the order, as fairness is not played.
    pub group_id: Option<String>,
    /// On a FIFO queue: what makes two sends the same.
    pub deduplication_id: Option<String>,
}

/// Message attributes by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// The value of a message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeValue {
    /// `String`, `Number` or `Binary`, perhaps with a label of one's own: `Number.int`.
    pub data_type: String,
    /// The value.
    pub content: AttributeContent,
}

/// What a message attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeContent {
    /// Of the types `String` and `Number`.
    Text(String),
    /// Of the type `Binary`.
    Binary(Vec<u8>),
}

/// A message as SQS keeps it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message's id: a UUID.
    pub id: Arc<str>,
    /// The text.
    pub body: Arc<str>,
    /// The body's MD5 in hexadecimal.
    pub body_md5: Arc<str>,
    /// The sender's own attributes.
    pub attributes: Arc<Attributes>,
    /// The MD5 of all attributes, when there are any.
    pub attributes_md5: Option<Arc<str>>,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<Arc<str>>,
    /// The group it is ordered within, or the tenant on a fair queue.
    pub group_id: Option<Arc<str>>,
    /// On a FIFO queue: what makes two sends the same.
    pub deduplication_id: Option<Arc<str>>,
    /// On a FIFO queue: "the large, non-consecutive number that Amazon SQS assigns to each message"
    /// (`SendMessage`), 20 digits, growing within a group.
    pub sequence_number: Option<Arc<str>>,
    /// When it was first sent; moving to a dead-letter queue does not change it.
    pub sent_at: Time,
    /// When it was first received.
    pub first_received_at: Option<Time>,
    /// How often it was received.
    pub receive_count: u32,
    /// The queue it came from, when it was moved to a dead-letter queue.
    pub dead_letter_source: Option<Arc<str>>,
}

impl Message {
    pub(super) fn new(id: String, outgoing: Outgoing, now: Time) -> Self {
        let attributes_md5 = attributes_md5(&outgoing.attributes);
        Self {
            id: id.into(),
            body_md5: body_md5(&outgoing.body).into(),
            body: outgoing.body.into(),
            attributes_md5: attributes_md5.map(Into::into),
            attributes: Arc::new(outgoing.attributes),
            trace_header: outgoing.trace_header.map(Into::into),
            group_id: outgoing.group_id.map(Into::into),
            deduplication_id: outgoing.deduplication_id.map(Into::into),
            sequence_number: None,
            sent_at: now,
            first_received_at: None,
            receive_count: 0,
            dead_letter_source: None,
        }
    }
}

impl Outgoing {
    /// Bytes that count towards the size limit: the body, and each attribute's name, type and value.
    pub(super) fn size(&self) -> usize {
        let attribute = |(name, value): (&String, &AttributeValue)| {
            name.len() + value.data_type.len() + value.content.bytes().len()
        };
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// What must hold of a message whatever the queue.
    pub(super) fn validate(&self) -> ApiResult<()> {
        if self.body.is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter MessageBody.",
            ));
        }
        if let Some(c) = self.body.chars().find(|c| !allowed_in_body(*c)) {
            return Err(ApiError::new(
                "InvalidMessageContents",
                format!(
                    "The message contains the character U+{:04X}, which is not allowed. Allowed are \
                     #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF.",
                    u32::from(c)
                ),
            ));
        }
        if self.attributes.len() > 10 {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!(
                    "Number of message attributes [{}] exceeds the allowed maximum [10].",
                    self.attributes.len()
                ),
            ));
        }
        let ids = [
            ("MessageGroupId", &self.group_id),
            ("MessageDeduplicationId", &self.deduplication_id),
        ];
        for (name, id) in ids {
            validate_id(name, id.as_deref())?;
        }
        self.attributes
            .iter()
            .try_for_each(|(name, value)| validate_attribute(name, value))
    }

    /// What must hold besides on a queue of this type, and the deduplication id that a FIFO queue
    /// makes itself.
    pub(super) fn fit(&mut self, fifo: Option<&FifoSettings>) -> ApiResult<()> {
        let Some(fifo) = fifo else {
            return match &self.deduplication_id {
                None => Ok(()),
                Some(id) => Err(not_for_this_type("MessageDeduplicationId", id)),
            };
        };
        // A delay of zero is taken, and the queue's own delay holds all the same.
        if let Some(delay) = self.delay.take().filter(|delay| !delay.is_zero()) {
            return Err(not_for_this_type("DelaySeconds", delay.as_secs()));
        }
        if self.group_id.is_none() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter MessageGroupId.",
            ));
        }
        if self.deduplication_id.is_none() && fifo.content_based_deduplication {
            self.deduplication_id = Some(duplicates::of_content(&self.body));
        }
        if self.deduplication_id.is_none() {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly",
            ));
        }
        Ok(())
    }
}

impl AttributeContent {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// The characters that XML 1.0 allows: `SendMessage`, "`MessageBody`".
fn allowed_in_body(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// `SendMessage`, `MessageGroupId` and `MessageDeduplicationId`: "alphanumeric characters and
/// punctuation", 128 at most.
fn validate_id(name: &str, id: Option<&str>) -> ApiResult<()> {
    let allowed =
        |id: &str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match id {
        Some(id) if !allowed(id) => Err(ApiError::invalid_parameter(
            name,
            id,
            &format!(
                "{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            ),
        )),
        _ => Ok(()),
    }
}

fn not_for_this_type(name: &str, value: impl std::fmt::Display) -> ApiError {
    let why = "The request include parameter that is not valid for this queue type.";
    ApiError::invalid_parameter(name, value, why)
}

fn validate_attribute(name: &str, value: &AttributeValue) -> ApiResult<()> {
    let bad = |why: String| Err(ApiError::new("InvalidParameterValue", why));
    let well_formed = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if name.is_empty() || name.len() > 256 || !well_formed {
        return bad(format!(
            "Message attribute name '{name}' is invalid: 1 to 256 of A-Z, a-z, 0-9, underscore, \
             hyphen and period are allowed."
        ));
    }
    let base = value.data_type.split('.').next().unwrap_or_default();
    match (base, &value.content) {
        ("String" | "Number", AttributeContent::Text(text)) if text.is_empty() => bad(format!(
            "Message attribute '{name}' with type 'String' must use field 'StringValue'."
        )),
        ("Number", AttributeContent::Text(text)) if text.trim().parse::<f64>().is_err() => bad(
            format!("Can't cast the value of message attribute '{name}' to a number."),
        ),
        ("String" | "Number", AttributeContent::Text(_))
        | ("Binary", AttributeContent::Binary(_)) => Ok(()),
        _ => bad(format!(
            "The message attribute '{name}' has an invalid type '{}': String, Number and Binary \
             are allowed, each with the field of its kind.",
            value.data_type
        )),
    }
}

fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// The checksum of "Calculating the MD5 message digest for message attributes" (SQS Developer
/// Guide, "Amazon SQS message metadata"): names in order; of each, the length-prefixed name and
/// type, a byte for the kind of transport, and the length-prefixed value.
pub fn attributes_md5(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = Md5::new();
    let mut prefixed = |bytes: &[u8], kind: Option<u8>| {
        if let Some(kind) = kind {
            digest.update([kind]);
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        digest.update(length.to_be_bytes());
        digest.update(bytes);
    };
    for (name, value) in attributes {
        let kind = match value.content {
            AttributeContent::Text(_) => 1,
            AttributeContent::Binary(_) => 2,
        };
        prefixed(name.as_bytes(), None);
        prefixed(value.data_type.as_bytes(), None);
        prefixed(value.content.bytes(), Some(kind));
    }
    Some(hex(&digest.finalize()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
