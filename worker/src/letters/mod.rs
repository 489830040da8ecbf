//! Dead letters: what one says of the job that was given up, and the message made whole again.
//!
//! Pure: it must not send anything.
//!
//! A letter is the message itself, body and attributes, with attributes of the worker's beside the
//! sender's. SQS allows ten in all, so the worker's are few: [`REASON`] for people's eyes, [`LETTER`]
//! with everything as JSON, [`JOB_ID`] where the message does not name its job itself; then, while
//! there is room, the others. A sender's attribute that has no room travels inside the JSON and is
//! put back when the letter is sent back. The names of all five are the worker's alone.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::queue::{ATTRIBUTES_MAX, Attribute, JOB_ID_ATTRIBUTE, Message, Outgoing, is_job_id};

/// The attribute with everything that is known, as JSON: a [`Letter`].
pub const LETTER: &str = "WeirLetter";
/// The attribute that says why.
pub const REASON: &str = "WeirReason";
/// The attribute that names the job: the letter's message id is not the message's.
pub const JOB_ID: &str = crate::queue::LETTER_JOB_ID_ATTRIBUTE;
/// The attribute with the count of attempts, as far as there is room.
pub const ATTEMPTS: &str = "WeirAttempts";
/// The attribute with the last worker's id, as far as there is room.
pub const WORKER: &str = "WeirWorker";

/// Every name that is the worker's, those first that come first where room is short.
pub const NAMES: [&str; 5] = [LETTER, REASON, JOB_ID, ATTEMPTS, WORKER];

/// Attributes without which the body cannot be understood, so that they keep their place.
const PINNED: [&str; 3] = [
    JOB_ID_ATTRIBUTE,
    crate::payload::SIZE_ATTRIBUTE,
    crate::payload::LEGACY_SIZE_ATTRIBUTE,
];

/// Longest reason of a letter that has room for little else, bytes.
const BRIEF_REASON_MAX_BYTES: usize = 200;

/// What is known of a job that was given up. Times are Unix seconds. Fields may be added; a reader
/// passes over those it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// The version of this shape: 1.
    pub version: u32,
    /// The job.
    pub job_id: String,
    /// Why it was given up.
    pub reason: String,
    /// Attempts that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The worker that gave it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The queue it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The message's id there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How often SQS delivered it, drains and throttled deliveries included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_count: Option<u32>,
    /// What the first attempt that failed said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// What the last one said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the message was first sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<f64>,
    /// When the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<f64>,
    /// When an attempt first failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed_at: Option<f64>,
    /// When the job was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<f64>,
    /// The token of the attempt that failed last: it tells this failure from every other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The sender's attributes that had no room beside the letter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Displaced>,
}

/// A sender's attribute inside the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Displaced {
    /// A text or number.
    Text {
        /// The data type as sent.
        data_type: String,
        /// The value.
        value: String,
    },
    /// Bytes.
    Binary {
        /// The data type as sent.
        data_type: String,
        /// The value.
        base64: String,
    },
}

impl Letter {
    /// A letter that says no more than this.
    pub fn new(job_id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            version: 1,
            job_id: job_id.into(),
            reason: reason.into(),
            attempts: None,
            worker: None,
            queue: None,
            message_id: None,
            receive_count: None,
            first_error: None,
            last_error: None,
            sent_at: None,
            started_at: None,
            first_failed_at: None,
            failed_at: None,
            token: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The letter that a message carries, if a worker wrote one. SQS's own redrive writes none.
    pub fn of(message: &Message) -> Option<Self> {
        let text = |name: &str| message.attributes.get(name).and_then(Attribute::text);
        if let Some(letter) = text(LETTER).and_then(|json| serde_json::from_str(json).ok()) {
            return Some(letter);
        }
        let mut letter = Self::new(message.job_id(), text(REASON)?);
        letter.attempts = text(ATTEMPTS).and_then(|count| count.parse().ok());
        letter.worker = text(WORKER).map(str::to_owned);
        Some(letter)
    }

    /// The message as a dead letter, from the fullest form to the barest: each is for a queue that
    /// refused the one before as too large. Only a form without any of the worker's attributes may
    /// have to do without the reason; the job's record has it.
    pub fn forms(self, message: &Message) -> Vec<Outgoing> {
        let senders = restored(&message.attributes);
        let brief = self.brief(&senders);
        let full = self.full(&senders);
        let mut forms = Vec::new();
        for attributes in [full, brief, senders] {
            let form = Outgoing {
                body: message.body.clone(),
                attributes,
                group: message.group.clone(),
                trace_header: message.trace_header.clone(),
                ..Outgoing::default()
            };
            if forms.last() != Some(&form) {
                forms.push(form);
            }
        }
        forms
    }

    fn full(mut self, senders: &BTreeMap<String, Attribute>) -> BTreeMap<String, Attribute> {
        let needed = if names_itself(senders) { 2 } else { 3 };
        let mut kept = senders.clone();
        while kept.len() > ATTRIBUTES_MAX - needed {
            let mut names = kept.keys().rev();
            let Some(name) = names.find(|name| !PINNED.contains(&name.as_str())).cloned() else {
                break;
            };
            let displaced = kept.remove(&name).map(Displaced::from);
            self.attributes.extend(displaced.map(|value| (name, value)));
        }
        let ours = [
            (LETTER, serde_json::to_string(&self).ok()),
            (REASON, Some(self.reason)),
            (JOB_ID, Some(self.job_id)),
            (ATTEMPTS, self.attempts.map(|count| count.to_string())),
            (WORKER, self.worker),
        ];
        for (name, value) in ours {
            if let Some(value) = value.filter(|_| kept.len() < ATTRIBUTES_MAX) {
                kept.insert(name.into(), Attribute::string(value));
            }
        }
        kept
    }

    fn brief(&self, senders: &BTreeMap<String, Attribute>) -> BTreeMap<String, Attribute> {
        let mut kept = senders.clone();
        let job_id = (!names_itself(&kept)).then_some((JOB_ID, &*self.job_id));
        let reason = (REASON, cut(&self.reason, BRIEF_REASON_MAX_BYTES));
        for (name, value) in job_id.into_iter().chain([reason]) {
            if kept.len() < ATTRIBUTES_MAX {
                kept.insert(name.into(), Attribute::string(value));
            }
        }
        kept
    }
}

/// Whether the sender named the job.
fn names_itself(senders: &BTreeMap<String, Attribute>) -> bool {
    let named = senders.get(JOB_ID_ATTRIBUTE).and_then(Attribute::text);
    named.is_some_and(is_job_id)
}

/// The sender's attributes of a message that is or was a dead letter: the worker's taken away, those
/// without room put back. Any other message's are left as they are.
pub fn restored(attributes: &BTreeMap<String, Attribute>) -> BTreeMap<String, Attribute> {
    let mut restored = attributes.clone();
    let json = restored.get(LETTER).and_then(Attribute::text);
    let letter: Option<Letter> = json.and_then(|json| serde_json::from_str(json).ok());
    for name in NAMES {
        restored.remove(name);
    }
    for (name, value) in letter.map(|letter| letter.attributes).unwrap_or_default() {
        if let Some(value) = value.attribute() {
            restored.insert(name, value);
        }
    }
    restored
}

impl From<Attribute> for Displaced {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Text { data_type, value } => Self::Text { data_type, value },
            Attribute::Binary { data_type, value } => Self::Binary {
                data_type,
                base64: BASE64.encode(value),
            },
        }
    }
}

impl Displaced {
    /// The attribute again; `None` if somebody broke the text.
    fn attribute(self) -> Option<Attribute> {
        Some(match self {
            Self::Text { data_type, value } => Attribute::Text { data_type, value },
            Self::Binary { data_type, base64 } => Attribute::Binary {
                data_type,
                value: BASE64.decode(base64).ok()?.into(),
            },
        })
    }
}

/// The first bytes of a text, whole characters only.
fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
