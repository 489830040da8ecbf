//! Job records in DynamoDB: the rules of [`crate::lease`] as condition expressions.
//!
//! One write a claim, one an extension, one an end: a refused condition returns the item it met, so
//! that the loser needs no read.

mod expression;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use weir_protocol::{JobRecord, JobState, keys};

use self::expression::{
    ABSENT, CLAIM_NAMES, FREE, RULES, claim_expression, claim_values, finish_expression,
    finish_names, names, number, reopen_condition, text,
};
use super::{Jobs, JobsError, check_fits};
use crate::aws::{CallError, call_error};
use crate::lease::{self, Claim, Claimed, Finish, Held, Over, Reopen, Reopened};

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

    /// The finish over a running record, as one update.
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

    /// The finish over no record at all, as one put.
    fn put(&self, finish: &Finish) -> Result<Put, JobsError> {
        Ok(Put::builder()
            .table_name(&self.table)
            .set_item(Some(first_item(finish)?))
            .condition_expression(ABSENT)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("invariant: table and item are set"))
    }

    async fn finish_claimed(&self, finish: &Finish) -> Result<Held, JobsError> {
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

    async fn finish_unclaimed(&self, finish: &Finish) -> Result<Held, JobsError> {
        let put = self.put(finish)?;
        let answer = self
            .client
            .put_item()
            .set_table_name(Some(put.table_name))
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Held::Yes);
        };
        if let Some(PutItemError::ConditionalCheckFailedException(refused)) =
            error.as_service_error()
        {
            let found = record(refused.item.clone().unwrap_or_default())?;
            return Ok(lease::already(found.as_ref(), finish));
        }
        Err(call_error("PutItem", &self.thing(), &error).into())
    }

    async fn finish_with(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError> {
        let own = TransactWriteItem::builder();
        let own = match finish.over {
            Over::Lease => own.update(self.update(finish)),
            Over::Nothing(_) => own.put(self.put(finish)?),
        };
        let items = std::iter::once(own.build()).chain(writes.iter().cloned());
        match self.transact(&finish.token, items.collect()).await? {
            Transacted::Done => Ok(Held::Yes),
            Transacted::Cancelled(reasons) => {
                if let Some(own) = reasons.first().filter(|own| is_refused(own)) {
                    let found = record(own.item.clone().unwrap_or_default())?;
                    return Ok(lease::already(found.as_ref(), finish));
                }
                Err(cancelled(&reasons, 1, &self.thing()))
            }
        }
    }

    async fn transact(
        &self,
        token: &str,
        items: Vec<TransactWriteItem>,
    ) -> Result<Transacted, JobsError> {
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            // The same token and the same items: a repeat within ten minutes is answered with the
            // first one's outcome.
            .client_request_token(token)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Transacted::Done);
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons().to_vec();
            return Ok(Transacted::Cancelled(reasons));
        }
        Err(call_error("TransactWriteItems", &self.thing(), &error).into())
    }
}

enum Transacted {
    Done,
    /// Nothing was written; a reason for each item.
    Cancelled(Vec<CancellationReason>),
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
        check_fits(finish)?;
        check_count(writes)?;
        match finish.over {
            _ if !writes.is_empty() => self.finish_with(finish, writes).await,
            Over::Lease => self.finish_claimed(finish).await,
            Over::Nothing(_) => self.finish_unclaimed(finish).await,
        }
    }

    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError> {
        check_count(writes)?;
        match self.transact(token, writes.to_vec()).await? {
            Transacted::Done => Ok(()),
            Transacted::Cancelled(reasons) => Err(cancelled(&reasons, 0, "the handler's tables")),
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
                 REMOVE lease_until, finished_at, first_reason, first_failed_at, \
                 not_before, ticket, carrier",
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

fn check_count(writes: &[TransactWriteItem]) -> Result<(), JobsError> {
    if writes.len() <= HANDLER_WRITES_MAX {
        return Ok(());
    }
    let detail = format!(
        "{} writes, of which at most {HANDLER_WRITES_MAX} fit in one transaction",
        writes.len()
    );
    Err(JobsError::WriteRefused { detail })
}

/// The code of an item that can never be written (DynamoDB API Reference, `TransactWriteItems`).
const INVALID: &str = "ValidationError";

fn code(reason: &CancellationReason) -> &str {
    reason.code().unwrap_or("None")
}

fn is_refused(reason: &CancellationReason) -> bool {
    code(reason) == "ConditionalCheckFailed"
}

/// Reads a cancelled transaction whose first `own` items are not the handler's.
fn cancelled(reasons: &[CancellationReason], own: usize, thing: &str) -> JobsError {
    let mut handlers = reasons.iter().enumerate().skip(own);
    let refused = |reason: &CancellationReason| is_refused(reason) || code(reason) == INVALID;
    if let Some((index, reason)) = handlers.find(|(_, reason)| refused(reason)) {
        let words = reason.message().unwrap_or("no message");
        let number = index + 1 - own;
        let detail = format!("write {number}: {}: {words}", code(reason));
        return JobsError::WriteRefused { detail };
    }
    let codes: Vec<&str> = reasons.iter().map(code).collect();
    let what = format!(
        "TransactWriteItems on {thing}: cancelled: {}",
        codes.join(", ")
    );
    // Conflicts with other transactions and throttling pass; what is invalid stays so.
    let error = if codes.contains(&INVALID) {
        CallError::Refused { what }
    } else {
        CallError::Unavailable { what }
    };
    error.into()
}

/// The record of a finish that finds none.
fn first_item(finish: &Finish) -> Result<Item, JobsError> {
    let record = lease::finish(None, finish).expect("invariant: only an end over nothing is put");
    serde_dynamo::to_item(record).map_err(|error| unreadable(&error.to_string()))
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
