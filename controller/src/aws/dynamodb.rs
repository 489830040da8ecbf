//! DynamoDB: the state table, with leases, histories, rounds and the workers' reports.
//!
//! Every change that two controllers could make at once is a conditional write. Keys are
//! `weir_protocol::keys`; this module must not invent others.

mod journal;
mod leave;

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use serde::Serialize;
use weir_protocol::{Report, keys};

pub(super) use self::leave::Asked;

use super::error::{Call, Endpoints, Failure};
use crate::decide::History;
use crate::journal::{
    CLOCK_SKEW_MAX, Carried, Claim, LEASE_FOR, Lease, Ledger, Reading, Round, Snapshot, Standing,
};
use crate::model::UnixSeconds;
use crate::ports::PortError;
use crate::reports::is_fresh;

const TOKEN: &str = "token";
const UNTIL: &str = "until";
const HISTORY: &str = "history";
const SNAPSHOT: &str = "snapshot";

type Item = HashMap<String, AttributeValue>;

/// The state table.
#[derive(Clone, Debug)]
pub struct StateTable {
    client: Client,
    endpoints: Endpoints,
    name: String,
}

impl StateTable {
    pub(super) fn new(client: Client, endpoints: Endpoints, name: &str) -> Self {
        Self {
            client,
            endpoints,
            name: name.to_owned(),
        }
    }

    /// The fresh reports of a fleet's workers.
    pub(super) async fn reports(
        &self,
        fleet: &str,
        now: UnixSeconds,
    ) -> Result<Vec<Report>, Failure> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_values(":pk", text(&keys::reports(fleet)))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut reports = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.explain("dynamodb:Query", &error))?;
            reports.extend(page.items().iter().filter_map(as_report));
        }
        reports.retain(|report| is_fresh(report, now));
        Ok(reports)
    }

    fn explain<E>(&self, action: &'static str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let subject = format!("table {}", self.name);
        let call = Call {
            action,
            subject: &subject,
            advice: "check --state-table, and the region",
        };
        self.endpoints.explain(&call, error)
    }

    fn lease_item(lease: &Lease) -> Item {
        Item::from([
            (keys::PK.to_owned(), text(&keys::controller(&lease.fleet))),
            (keys::SK.to_owned(), text(keys::LEASE)),
            (TOKEN.to_owned(), text(&lease.token)),
            (UNTIL.to_owned(), number(lease.until.0)),
        ])
    }
}

/// A report of another version that cannot be read is as good as none, and said once a round.
fn as_report(item: &Item) -> Option<Report> {
    serde_dynamo::from_item(item.clone())
        .inspect_err(|error| tracing::warn!("a worker's report cannot be read: {error}"))
        .ok()
}

#[async_trait]
impl Ledger for StateTable {
    async fn claim(&self, fleet: &str, token: &str, now: UnixSeconds) -> Result<Claim, PortError> {
        let lease = Lease {
            fleet: fleet.to_owned(),
            token: token.to_owned(),
            until: UnixSeconds(now.0 + LEASE_FOR.0),
        };
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(Self::lease_item(&lease)))
            .condition_expression("attribute_not_exists(#pk) OR #token = :token OR #until < :ended")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_values(":token", text(token))
            .expression_attribute_values(":ended", number(now.0 - CLOCK_SKEW_MAX.0))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Claim::Held(lease));
        };
        if !condition_failed(&error) {
            return Err(self.explain("dynamodb:PutItem", &error).into());
        }
        Ok(Claim::Taken {
            until: held_until(&error).unwrap_or(lease.until),
        })
    }

    async fn renew(&self, lease: &Lease, now: UnixSeconds) -> Result<Option<Lease>, PortError> {
        let renewed = Lease {
            until: UnixSeconds(now.0 + LEASE_FOR.0),
            ..lease.clone()
        };
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(Self::lease_item(&renewed)))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_values(":token", text(&lease.token))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Some(renewed)),
            Err(error) if condition_failed(&error) => Ok(None),
            Err(error) => Err(self.explain("dynamodb:PutItem", &error).into()),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), PortError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key(keys::PK, text(&keys::controller(&lease.fleet)))
            .key(keys::SK, text(keys::LEASE))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_values(":token", text(&lease.token))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if condition_failed(&error) => Ok(()),
            Err(error) => Err(self.explain("dynamodb:DeleteItem", &error).into()),
        }
    }

    async fn carried(&self, fleet: &str) -> Result<Carried, PortError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(keys::PK, text(&keys::controller(fleet)))
            .key(keys::SK, text(keys::HISTORY))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.explain("dynamodb:GetItem", &error))?;
        let history = answer.item().and_then(|item| as_history(fleet, item));
        let stamp = answer
            .item()
            .and_then(|item| item.get(SNAPSHOT)?.as_s().ok());
        Ok(Carried {
            history: history.unwrap_or_default(),
            snapshot: stamp.and_then(|json| serde_json::from_str(json).ok()),
        })
    }

    async fn remember(&self, lease: &Lease, carried: &Carried) -> Result<Standing, PortError> {
        let (check, put) = self.remembering(lease, carried)?;
        let answer = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().condition_check(check).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Standing::Held),
            Err(error) if error.as_service_error().is_some_and(lease_was_lost) => {
                Ok(Standing::Lost)
            }
            Err(error) => Err(self.explain("dynamodb:TransactWriteItems", &error).into()),
        }
    }

    async fn keep_snapshot(&self, fleet: &str, snapshot: &Snapshot) -> Result<(), PortError> {
        self.put_snapshot(fleet, snapshot).await
    }

    async fn snapshot(
        &self,
        fleet: &str,
        before: UnixSeconds,
    ) -> Result<Option<Snapshot>, PortError> {
        self.newest_snapshot(fleet, before).await
    }

    async fn record(&self, round: &Round) -> Result<(), PortError> {
        self.put_round(round).await
    }

    async fn rounds(
        &self,
        fleet: &str,
        reading: Reading,
        limit: usize,
    ) -> Result<Vec<Round>, PortError> {
        self.query_rounds(fleet, reading, limit).await
    }
}

impl StateTable {
    /// The history is written only in one transaction with a look at the lease's token.
    fn remembering(
        &self,
        lease: &Lease,
        carried: &Carried,
    ) -> Result<(ConditionCheck, Put), PortError> {
        let history = as_json("the history", &carried.history)?;
        let stamp = (carried.snapshot.as_ref())
            .map(|stamp| as_json("the snapshot's stamp", stamp))
            .transpose()?;
        let pk = text(&keys::controller(&lease.fleet));
        let check = ConditionCheck::builder()
            .table_name(&self.name)
            .key(keys::PK, pk.clone())
            .key(keys::SK, text(keys::LEASE))
            .condition_expression("#token = :token")
            .expression_attribute_names("#token", TOKEN)
            .expression_attribute_values(":token", text(&lease.token))
            .build()
            .expect("invariant: table, key and condition are given");
        let mut put = Put::builder()
            .table_name(&self.name)
            .item(keys::PK, pk)
            .item(keys::SK, text(keys::HISTORY))
            .item(HISTORY, text(&history));
        if let Some(stamp) = stamp {
            put = put.item(SNAPSHOT, text(&stamp));
        }
        let put = put.build().expect("invariant: table and item are given");
        Ok((check, put))
    }
}

fn condition_failed<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The first reason is the condition check's; a conflict with another transaction is not a loss.
fn lease_was_lost(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return false;
    };
    let first = cancelled.cancellation_reasons().first();
    first.and_then(|reason| reason.code()) == Some("ConditionalCheckFailed")
}

fn held_until(error: &SdkError<PutItemError>) -> Option<UnixSeconds> {
    let PutItemError::ConditionalCheckFailedException(refusal) = error.as_service_error()? else {
        return None;
    };
    let until = refusal.item()?.get(UNTIL)?.as_n().ok()?;
    until.parse().ok().map(UnixSeconds)
}

/// A history that this version cannot read is as good as none, and said.
fn as_history(fleet: &str, item: &Item) -> Option<History> {
    let json = item.get(HISTORY)?.as_s().ok()?;
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!(fleet, "a history cannot be read: {error}"))
        .ok()
}

fn as_json(what: &str, value: &impl Serialize) -> Result<String, PortError> {
    serde_json::to_string(value).map_err(|error| PortError::Unavailable {
        what: format!("{what} cannot be written as JSON"),
        source: Box::new(error),
    })
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: f64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
