//! Dead letters as programs read them, and as people do. The JSON's fields are stable: some may be
//! added. Times are Unix seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use weir_protocol::JobRecord;

use crate::cli::words;
use crate::letters;
use crate::queue::Attribute;
use crate::redrive::{Found, Tally};

/// One letter.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    letter_id: &'a str,
    job_id: &'a str,
    /// `weir`, or `sqs`: moved by SQS's own redrive, without a word.
    buried_by: &'static str,
    queue: Option<&'a str>,
    reason: Option<&'a str>,
    attempts: Option<u32>,
    worker: Option<&'a str>,
    first_error: Option<&'a str>,
    last_error: Option<&'a str>,
    sent_at: Option<f64>,
    started_at: Option<f64>,
    first_failed_at: Option<f64>,
    failed_at: Option<f64>,
    body_bytes: usize,
}

/// One letter with all there is.
#[derive(Debug, Serialize)]
pub(super) struct Whole<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    attributes: BTreeMap<String, Value>,
    body: &'a str,
    record: Option<JobRecord>,
}

/// A sender's attribute.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Text { data_type: String, value: String },
    Binary { data_type: String, base64: String },
}

impl<'a> Line<'a> {
    pub(super) fn of(found: &'a Found) -> Self {
        let letter = found.letter.as_ref();
        Self {
            letter_id: &found.message.id,
            job_id: found.job_id(),
            buried_by: if letter.is_some() { "weir" } else { "sqs" },
            queue: found.queue(),
            reason: found.reason(),
            attempts: letter.and_then(|letter| letter.attempts),
            worker: letter.and_then(|letter| letter.worker.as_deref()),
            first_error: letter.and_then(|letter| letter.first_error.as_deref()),
            last_error: letter.and_then(|letter| letter.last_error.as_deref()),
            sent_at: letter
                .and_then(|letter| letter.sent_at)
                .or_else(|| found.message.sent_at()),
            started_at: letter.and_then(|letter| letter.started_at),
            first_failed_at: letter.and_then(|letter| letter.first_failed_at),
            failed_at: letter.and_then(|letter| letter.failed_at),
            body_bytes: found.message.body.len(),
        }
    }
}

impl<'a> Whole<'a> {
    pub(super) fn of(found: &'a Found, record: Option<JobRecord>) -> Self {
        let attributes = letters::restored(&found.message.attributes);
        let value = |attribute: Attribute| match attribute {
            Attribute::Text { data_type, value } => Value::Text { data_type, value },
            Attribute::Binary { data_type, value } => Value::Binary {
                data_type,
                base64: BASE64.encode(value),
            },
        };
        Self {
            line: Line::of(found),
            attributes: attributes
                .into_iter()
                .map(|(name, attribute)| (name, value(attribute)))
                .collect(),
            body: &found.message.body,
            record,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let line = &self.line;
        let mut text = String::new();
        let mut field = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{name:<14}{value}");
            }
        };
        let owned = |value: Option<&str>| value.map(str::to_owned);
        let at = |at: Option<f64>| at.map(words::moment);
        field("letter", Some(line.letter_id.into()));
        field("job", Some(line.job_id.into()));
        field("queue", owned(line.queue));
        let by_sqs = "none: SQS's own redrive put it here";
        field("reason", Some(line.reason.unwrap_or(by_sqs).into()));
        field("first error", owned(line.first_error));
        field("last error", owned(line.last_error));
        field("attempts", line.attempts.map(|count| count.to_string()));
        field("worker", owned(line.worker));
        field("sent", at(line.sent_at));
        field("first begun", at(line.started_at));
        field("first failed", at(line.first_failed_at));
        field("given up", at(line.failed_at));
        let record = self.record.as_ref().map(|record| {
            let state = record.state.as_str();
            format!("{state}, {} attempts", record.attempt)
        });
        field("record", record.or_else(|| Some("none".into())));
        for (name, value) in &self.attributes {
            let value = match value {
                Value::Text { value, .. } => value.clone(),
                Value::Binary { base64, .. } => format!("{base64} (base64)"),
            };
            field("attribute", Some(format!("{name} = {value}")));
        }
        let _ = write!(text, "\n{}", self.body);
        text
    }
}

/// Letters as a table.
pub(super) fn table(found: &[Found], now: f64) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["letter", "job", "queue", "age", "attempts", "reason"]);
    for found in found {
        let line = Line::of(found);
        let age = found.dead_since().map(|since| words::span(now - since));
        table.add_row([
            line.letter_id.to_owned(),
            line.job_id.to_owned(),
            line.queue.unwrap_or("?").to_owned(),
            age.unwrap_or_default(),
            line.attempts
                .map(|count| count.to_string())
                .unwrap_or_default(),
            line.reason.unwrap_or("(moved by SQS)").to_owned(),
        ]);
    }
    for column in [3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What came of it, in a line.
pub(super) fn summary(tally: &Tally, done: &str) -> String {
    let mut text = format!("{} looked at, {} {done}", tally.seen, tally.done);
    let more = [
        (
            tally.succeeded,
            "deleted, as their jobs have succeeded since",
        ),
        (tally.running, "left, as their jobs run just now"),
        (
            tally.doubled,
            "of them still here too, as they could not be deleted",
        ),
        (tally.failed.len() as u64, "failed"),
    ];
    for (count, what) in more.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    if tally.stopped {
        text += "; stopped before the end";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters::Letter;
    use crate::queue::Message;

    fn found() -> Found {
        let message = Message {
            id: "letter-1".into(),
            body: "{\"image\":1}".into(),
            attributes: [("Tenant".to_owned(), Attribute::string("blue"))].into(),
            sent_at_millis: Some(1_700_000_000_000),
            ..Message::default()
        };
        let letter = Letter {
            attempts: Some(5),
            worker: Some("i-1".into()),
            queue: Some("thumbnails".into()),
            first_error: Some("no disk".into()),
            last_error: Some("no luck".into()),
            sent_at: Some(1_700_000_000.0),
            failed_at: Some(1_700_000_090.0),
            ..Letter::new("job-1", "given up after 5 attempts, the last: no luck")
        };
        let attributes = letter.clone().forms(&message).remove(0).attributes;
        Found {
            message: Message {
                attributes,
                ..message
            },
            letter: Some(letter),
        }
    }

    #[test]
    fn letters_are_laid_out_for_reading() {
        let found = found();
        insta::assert_snapshot!(table(std::slice::from_ref(&found), 1_700_000_190.0).to_string(), @r#"
        ┌──────────┬───────┬────────────┬────────┬──────────┬──────────────────────────────────────────────┐
        │ letter   ┆ job   ┆ queue      ┆    age ┆ attempts ┆ reason                                       │
        ╞══════════╪═══════╪════════════╪════════╪══════════╪══════════════════════════════════════════════╡
        │ letter-1 ┆ job-1 ┆ thumbnails ┆ 1m 40s ┆        5 ┆ given up after 5 attempts, the last: no luck │
        └──────────┴───────┴────────────┴────────┴──────────┴──────────────────────────────────────────────┘
        "#);
        insta::assert_snapshot!(Whole::of(&found, None).text(), @r#"
        letter        letter-1
        job           job-1
        queue         thumbnails
        reason        given up after 5 attempts, the last: no luck
        first error   no disk
        last error    no luck
        attempts      5
        worker        i-1
        sent          2023-11-14 22:13:20 UTC
        given up      2023-11-14 22:14:50 UTC
        record        none
        attribute     Tenant = blue

        {"image":1}
        "#);
    }

    #[test]
    fn programs_read_a_stable_shape() {
        let found = found();
        insta::assert_snapshot!(serde_json::to_string_pretty(&Whole::of(&found, None)).unwrap(), @r#"
        {
          "letter_id": "letter-1",
          "job_id": "job-1",
          "buried_by": "weir",
          "queue": "thumbnails",
          "reason": "given up after 5 attempts, the last: no luck",
          "attempts": 5,
          "worker": "i-1",
          "first_error": "no disk",
          "last_error": "no luck",
          "sent_at": 1700000000.0,
          "started_at": null,
          "first_failed_at": null,
          "failed_at": 1700000090.0,
          "body_bytes": 11,
          "attributes": {
            "Tenant": {
              "data_type": "String",
              "value": "blue"
            }
          },
          "body": "{\"image\":1}",
          "record": null
        }
        "#);
    }

    #[test]
    fn summary_says_only_what_happened() {
        let mut tally = Tally {
            seen: 9,
            done: 7,
            ..Tally::default()
        };
        assert_eq!(summary(&tally, "sent back"), "9 looked at, 7 sent back");
        tally.running = 1;
        tally.stopped = true;
        assert_eq!(
            summary(&tally, "sent back"),
            "9 looked at, 7 sent back, 1 left, as their jobs run just now; stopped before the end"
        );
    }
}
