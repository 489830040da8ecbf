//! The rules of [`crate::lease`] in DynamoDB's words: conditions, updates and their values.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use weir_protocol::JobState;

use super::Item;
use crate::lease::{self, Claim, Ending, Finish, Reopen};

/// The rule of an end without a claim: [`lease::Over::Nothing`].
pub(super) const ABSENT: &str = "attribute_not_exists(job_id)";

/// The token's rule: [`lease::rules`].
pub(super) const RULES: &str = "#state = :running AND #token = :token";

/// The claim's rule: [`lease::claim`].
pub(super) const FREE: &str = "(attribute_not_exists(job_id) OR #state = :waiting \
     OR (#state = :running AND lease_until < :lapsed)) \
     AND (attribute_not_exists(ticket) OR (ticket = :ticket \
     AND (attribute_not_exists(carrier) OR carrier = :carrier \
     OR not_before < :stand_in)))";

/// The ticket of a message that shows none: an expression has no empty values, and no ticket is
/// like it.
const NO_TICKET: &str = "none";

pub(super) const CLAIM_NAMES: &[&str] = &["state", "token", "worker", "queue"];

/// Attribute names that an expression may not spell out, as DynamoDB reserves some of them; one
/// that is declared and not used is an error too.
pub(super) fn finish_names(ending: &Ending) -> &'static [&'static str] {
    match ending {
        Ending::Succeeded { .. } => &["state", "token", "reason", "result"],
        _ => &["state", "token", "reason"],
    }
}

pub(super) fn claim_expression(claim: &Claim) -> &'static str {
    if claim.sent_at.is_some() {
        "SET #state = :running, #token = :token, lease_until = :until, #worker = :worker, \
         #queue = :queue, carrier = :carrier, expires_at = :expires, attempt = if_not_exists(attempt, :zero) + :one, \
         started_at = if_not_exists(started_at, :now), sent_at = if_not_exists(sent_at, :sent)"
    } else {
        "SET #state = :running, #token = :token, lease_until = :until, #worker = :worker, \
         #queue = :queue, carrier = :carrier, expires_at = :expires, attempt = if_not_exists(attempt, :zero) + :one, \
         started_at = if_not_exists(started_at, :now)"
    }
}

pub(super) fn claim_values(claim: &Claim) -> Item {
    let mut values: Item = [
        (":running", text(JobState::Running.as_str())),
        (":waiting", text(JobState::Waiting.as_str())),
        (":lapsed", number(claim.now - lease::SKEW_SECONDS)),
        (":token", text(&claim.token)),
        (":until", number(claim.now + claim.lease_seconds)),
        (":worker", text(&claim.worker)),
        (":queue", text(&claim.queue)),
        (":expires", whole(claim.expires_at)),
        (":zero", number(0)),
        (":one", number(1)),
        (":now", number(claim.now)),
        (":carrier", text(&claim.message_id)),
        (":stand_in", number(claim.now - lease::STAND_IN_SECONDS)),
        (
            ":ticket",
            text(claim.ticket.as_deref().unwrap_or(NO_TICKET)),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some(sent_at) = claim.sent_at {
        values.insert(":sent".into(), number(sent_at));
    }
    values
}

/// The reopening's rule: [`lease::reopen`].
pub(super) fn reopen_condition(reopen: &Reopen) -> (&'static str, Item) {
    let mut values = Item::from([
        (":waiting".into(), text(JobState::Waiting.as_str())),
        (":failed".into(), text(JobState::Failed.as_str())),
        (":zero".into(), number(0)),
        (":expires".into(), whole(reopen.expires_at)),
    ]);
    if let Some(token) = &reopen.failed_with {
        values.insert(":token".into(), text(token));
        return ("#state = :failed AND #token = :token", values);
    }
    let lapsed = number(reopen.now - lease::SKEW_SECONDS);
    values.insert(":lapsed".into(), lapsed);
    values.insert(":running".into(), text(JobState::Running.as_str()));
    let condition = "#state = :failed OR #state = :waiting \
                     OR (#state = :running AND lease_until < :lapsed)";
    (condition, values)
}

pub(super) fn finish_expression(finish: &Finish) -> (&'static str, Item) {
    let mut values = Item::from([
        (":state".into(), text(finish.ending.state().as_str())),
        (":expires".into(), whole(finish.expires_at)),
    ]);
    let expression = match &finish.ending {
        Ending::Succeeded { result } => {
            values.insert(":result".into(), text(result));
            values.insert(":at".into(), number(finish.at));
            "SET #state = :state, expires_at = :expires, finished_at = :at, #result = :result \
             REMOVE lease_until, #reason, first_reason, first_failed_at"
        }
        Ending::Failed { reason } => {
            values.insert(":reason".into(), text(reason));
            values.insert(":at".into(), number(finish.at));
            "SET #state = :state, expires_at = :expires, finished_at = :at, #reason = :reason, \
             first_reason = if_not_exists(first_reason, :reason), \
             first_failed_at = if_not_exists(first_failed_at, :at) REMOVE lease_until"
        }
        Ending::Waiting { reason } => {
            values.insert(":reason".into(), text(reason));
            values.insert(":at".into(), number(finish.at));
            "SET #state = :state, expires_at = :expires, #reason = :reason, \
             first_reason = if_not_exists(first_reason, :reason), \
             first_failed_at = if_not_exists(first_failed_at, :at) REMOVE lease_until"
        }
        Ending::PutOff {
            reason,
            ticket,
            until,
        } => {
            values.insert(":reason".into(), text(reason));
            values.insert(":at".into(), number(finish.at));
            values.insert(":ticket".into(), text(ticket));
            values.insert(":until".into(), number(*until));
            "SET #state = :state, expires_at = :expires, #reason = :reason, \
             first_reason = if_not_exists(first_reason, :reason), \
             first_failed_at = if_not_exists(first_failed_at, :at), ticket = :ticket, \
             not_before = :until REMOVE lease_until, carrier"
        }
        Ending::HandedBack { reason } => {
            values.insert(":reason".into(), text(reason));
            values.insert(":one".into(), number(1));
            "SET #state = :state, expires_at = :expires, #reason = :reason, \
             attempt = attempt - :one REMOVE lease_until"
        }
    };
    (expression, values)
}

pub(super) fn names(plain: &[&str]) -> HashMap<String, String> {
    plain
        .iter()
        .map(|name| (format!("#{name}"), (*name).to_owned()))
        .collect()
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: impl Into<f64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

pub(super) fn whole(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
