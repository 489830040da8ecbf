//! Job records in DynamoDB: the rules of [`crate::lease`] as condition expressions.
//!
//! One write a claim, one an extension, one an end: a refused condition returns the item it met, so
//! that the loser needs no read.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use weir_protocol::{JobRecord, JobState, keys};

use super::{Jobs, JobsError};
use crate::aws::{CallError, call_error};
use crate::lease::{self, Claim, Claimed, Ending, Finish, Held, Reopen, Reopened};

/// DynamoDB takes at most a hundred writes a transaction, the job record's own among them.
const HANDLER_WRITES_MAX: usize = 99;

type Item = HashMap<String, AttributeValue>;

/// Job records in a DynamoDB table with the key `job_id`.
#[derive(Clone, Debug)]
pub struct DynamoJobs {
    client: Client,
    table: String,
}

impl DynamoJobs {
    /// Records in `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    fn thing(&self) -> String {
        format!("table {}", self.table)
    }

    /// The finish as one update; its condition is the token's rule over a running record.
    fn update(&self, finish: &Finish) -> Update {
        let (expression, mut values) = finish_expression(finish);
        values.insert(":token".into(), text(&finish.token));
        values.insert(":running".into(), text(JobState::Running.as_str()));
        Update::builder()
            .table_name(&self.table)
            .key(keys::JOB_ID, text(&finish.job_id))
            .update_expression(expression)
            .condition_expression(RULES)
            .set_expression_attribute_names(Some(names(finish_names(&finish.ending))))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("invariant: table, key and expression are set")
    }

    async fn finish_alone(&self, finish: &Finish) -> Result<Held, JobsError> {
        let update = self.update(finish);
        let answer = self
            .client
            .update_item()
            .set_table_name(Some(update.table_name))
            .set_key(Some(update.key))
            .set_update_expression(Some(update.update_expression))
            .set_condition_expression(update.condition_expression)
            .set_expression_attribute_names(update.expression_attribute_names)
            .set_expression_attribute_values(update.expression_attribute_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Held::Yes),
            Err(error) => match refused_item(error.as_service_error()) {
                Some(item) => Ok(lease::already(record(item)?.as_ref(), finish)),
                None => Err(call_error("UpdateItem", &self.thing(), &error).into()),
            },
        }
    }

    async fn finish_with(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        if writes.len() > HANDLER_WRITES_MAX {
            let detail = format!(
                "{} writes, of which at most {HANDLER_WRITES_MAX} fit in one transaction",
                writes.len()
            );
            return Err(JobsError::WriteRefused { detail });
        }
        let own = TransactWriteItem::builder()
            .update(self.update(finish))
            .build();
        let items = std::iter::once(own).chain(writes.iter().cloned());
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items.collect()))
            // The same token and the same items: a repeat within ten minutes is answered with the
            // first one's outcome.
            .client_request_token(&finish.token)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Held::Yes);
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            return canceled(finish, cancelled.cancellation_reasons(), &self.thing());
        }
        Err(call_error("TransactWriteItems", &self.thing(), &error).into())
    }
}

#[async_trait]
impl Jobs for DynamoJobs {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::JOB_ID, text(&claim.job_id))
            .update_expression(claim_expression(claim))
            .condition_expression(FREE)
            .set_expression_attribute_names(Some(names(CLAIM_NAMES)))
            .set_expression_attribute_values(Some(claim_values(claim)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let record = record(answer.attributes.unwrap_or_default())?;
                record
                    .map(|record| Claimed::Mine(Box::new(record)))
                    .ok_or_else(|| unreadable("the claimed record came back empty"))
            }
            Err(error) => match refused_item(error.as_service_error()) {
                Some(item) => record(item)?
                    .map(|record| lease::refused(&record, claim))
                    .ok_or_else(|| unreadable("the record in the way came back empty")),
                None => Err(call_error("UpdateItem", &self.thing(), &error).into()),
            },
        }
    }

    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::JOB_ID, text(job_id))
            .update_expression("SET lease_until = :until")
            .condition_expression(RULES)
            .set_expression_attribute_names(Some(names(&["state", "token"])))
            .expression_attribute_values(":until", number(lease_until))
            .expression_attribute_values(":token", text(token))
            .expression_attribute_values(":running", text(JobState::Running.as_str()))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Held::Yes),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Held::Lost),
                _ => Err(call_error("UpdateItem", &self.thing(), &error).into()),
            },
        }
    }

    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        if writes.is_empty() {
            self.finish_alone(finish).await
        } else {
            self.finish_with(finish, writes).await
        }
    }

    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError> {
        let (condition, values) = reopen_condition(reopen);
        let plain: &[&str] = match reopen.failed_with {
            Some(_) => &["state", "token"],
            None => &["state"],
        };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(keys::JOB_ID, text(&reopen.job_id))
            .update_expression(
                "SET #state = :waiting, attempt = :zero, expires_at = :expires \
                 REMOVE lease_until, finished_at, first_reason, first_failed_at",
            )
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names(plain)))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Reopened::Yes),
            Err(error) => {
                match refused_item(error.as_service_error()) {
                    Some(item) => Ok(record(item)?
                        .map_or(Reopened::NoRecord, |record| lease::kept(&record, reopen))),
                    None => Err(call_error("UpdateItem", &self.thing(), &error).into()),
                }
            }
        }
    }

    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(keys::JOB_ID, text(job_id))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| call_error("GetItem", &self.thing(), &error))?;
        answer.item.map_or(Ok(None), record)
    }
}

/// The token's rule: [`lease::rules`].
const RULES: &str = "#state = :running AND #token = :token";

/// The claim's rule: [`lease::claim`].
const FREE: &str = "attribute_not_exists(job_id) OR #state = :waiting \
     OR (#state = :running AND lease_until < :lapsed)";

const CLAIM_NAMES: &[&str] = &["state", "token", "worker", "queue"];

/// Attribute names that an expression may not spell out, as DynamoDB reserves some of them; one
/// that is declared and not used is an error too.
fn finish_names(ending: &Ending) -> &'static [&'static str] {
    match ending {
        Ending::Succeeded { .. } => &["state", "token", "reason", "result"],
        _ => &["state", "token", "reason"],
    }
}

fn claim_expression(claim: &Claim) -> &'static str {
    if claim.sent_at.is_some() {
        "SET #state = :running, #token = :token, lease_until = :until, #worker = :worker, \
         #queue = :queue, expires_at = :expires, attempt = if_not_exists(attempt, :zero) + :one, \
         started_at = if_not_exists(started_at, :now), sent_at = if_not_exists(sent_at, :sent)"
    } else {
        "SET #state = :running, #token = :token, lease_until = :until, #worker = :worker, \
         #queue = :queue, expires_at = :expires, attempt = if_not_exists(attempt, :zero) + :one, \
         started_at = if_not_exists(started_at, :now)"
    }
}

fn claim_values(claim: &Claim) -> Item {
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
fn reopen_condition(reopen: &Reopen) -> (&'static str, Item) {
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

fn finish_expression(finish: &Finish) -> (&'static str, Item) {
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
        Ending::HandedBack { reason } => {
            values.insert(":reason".into(), text(reason));
            values.insert(":one".into(), number(1));
            "SET #state = :state, expires_at = :expires, #reason = :reason, \
             attempt = attempt - :one REMOVE lease_until"
        }
    };
    (expression, values)
}

/// Reads a cancelled transaction: the first reason is the job record's, the rest the handler's.
fn canceled(
    finish: &Finish,
    reasons: &[CancellationReason],
    thing: &str,
) -> Result<Held, JobsError> {
    const REFUSED: &str = "ConditionalCheckFailed";
    let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
    if let Some(own) = reasons.first().filter(|own| code(own) == REFUSED) {
        let found = record(own.item.clone().unwrap_or_default())?;
        return Ok(lease::already(found.as_ref(), finish));
    }
    let failed = |wanted: &dyn Fn(&str) -> bool| {
        let mut numbered = reasons.iter().enumerate();
        numbered.find(|(_, reason)| wanted(&code(reason)))
    };
    if let Some((index, reason)) = failed(&|code| code == REFUSED || code == "ValidationError") {
        let words = reason.message().unwrap_or("no message");
        let detail = format!("write {index}: {}: {words}", code(reason));
        return Err(JobsError::WriteRefused { detail });
    }
    let codes: Vec<String> = reasons.iter().map(code).collect();
    let what = format!(
        "TransactWriteItems on {thing}: cancelled: {}",
        codes.join(", ")
    );
    Err(CallError::Unavailable { what }.into())
}

fn refused_item(error: Option<&UpdateItemError>) -> Option<Item> {
    match error? {
        UpdateItemError::ConditionalCheckFailedException(refused) => {
            Some(refused.item.clone().unwrap_or_default())
        }
        _ => None,
    }
}

fn record(item: Item) -> Result<Option<JobRecord>, JobsError> {
    if item.is_empty() {
        return Ok(None);
    }
    serde_dynamo::from_item(item)
        .map(Some)
        .map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(detail: &str) -> JobsError {
    let what = format!("the jobs table holds something that is not a job record: {detail}");
    CallError::Refused { what }.into()
}

fn names(plain: &[&str]) -> HashMap<String, String> {
    plain
        .iter()
        .map(|name| (format!("#{name}"), (*name).to_owned()))
        .collect()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: impl Into<f64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

fn whole(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
