//! Celery's messages: one that Celery made itself, copied with other bodies and ids.
//!
//! Making each with Celery would take longer than consuming it.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A task on its way.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    outer: Value,
    inner: String,
    /// The ids that must be like no other's.
    task_id: String,
    delivery_tag: String,
    /// Whether the whole is base64 once more.
    wrapped: bool,
}

impl Envelope {
    /// The body of the task to copy.
    pub(crate) const PLACEHOLDER: &str = "BODY";

    /// Reads the message that Celery sent with the body [`Self::PLACEHOLDER`].
    pub(crate) fn read(message: &str) -> anyhow::Result<Self> {
        let unwrapped = STANDARD.decode(message).ok();
        let wrapped = unwrapped.is_some();
        let json = unwrapped.unwrap_or_else(|| message.as_bytes().to_vec());
        let outer: Value = serde_json::from_slice(&json).context("a task is JSON")?;
        let text = |pointer: &str| {
            let found = outer.pointer(pointer).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .with_context(|| format!("a task has {pointer}"))
        };
        let inner = STANDARD
            .decode(text("/body")?)
            .context("its body is base64")?;
        Ok(Self {
            inner: String::from_utf8(inner)?,
            task_id: text("/headers/id")?,
            delivery_tag: text("/properties/delivery_tag")?,
            outer,
            wrapped,
        })
    }

    /// The same task with another body and ids of its own.
    pub(crate) fn around(&self, body: &str) -> anyhow::Result<String> {
        let quoted = serde_json::to_string(body)?;
        let placeholder = serde_json::to_string(Self::PLACEHOLDER)?;
        let inner = self.inner.replace(&placeholder, &quoted);
        let mut outer = self.outer.clone();
        outer["body"] = STANDARD.encode(inner).into();
        let text = outer
            .to_string()
            .replace(&self.task_id, &id())
            .replace(&self.delivery_tag, &id());
        Ok(if self.wrapped {
            STANDARD.encode(text)
        } else {
            text
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tasks must be told apart, and nothing hangs on their ids"
)]
fn id() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_differ_in_body_and_ids_only() {
        let inner = STANDARD.encode(r#"[["BODY"],{},{"chain":null}]"#);
        let task = format!(
            r#"{{"body":"{inner}","headers":{{"id":"t-1","root_id":"t-1"}},"properties":{{"delivery_tag":"d-1"}}}}"#
        );
        for message in [task.clone(), STANDARD.encode(&task)] {
            let envelope = Envelope::read(&message).unwrap();
            let copy = envelope.around("say \"x\"").unwrap();
            let copy = Envelope::read(&copy).unwrap();
            assert_eq!(copy.inner, r#"[["say \"x\""],{},{"chain":null}]"#);
            assert_eq!(copy.outer["headers"]["root_id"], copy.task_id.as_str());
            assert_ne!(copy.task_id, "t-1");
            assert_ne!(copy.delivery_tag, "d-1");
            assert_eq!(copy.wrapped, envelope.wrapped);
        }
    }
}
