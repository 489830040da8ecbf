//! The journal in the state table: rounds, and the history's snapshots.
//!
//! Rows are small but for the snapshots, which lie in a partition of their own, so that reading
//! rounds does not read them.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use weir_protocol::keys;

use super::{HISTORY, Item, StateTable, as_history, as_json, number, text};
use crate::clock::rfc3339;
use crate::journal::{ROUNDS_KEPT_FOR, Reading, Round, Snapshot};
use crate::model::UnixSeconds;
use crate::ports::PortError;

const ROUND: &str = "round";
const AT: &str = "at";

impl StateTable {
    pub(super) async fn put_round(&self, round: &Round) -> Result<(), PortError> {
        let json = as_json("the round", round)?;
        self.client
            .put_item()
            .table_name(&self.name)
            .item(keys::PK, text(&keys::journal(&round.fleet)))
            .item(keys::SK, text(&rfc3339(round.at)))
            .item(ROUND, text(&json))
            .item(keys::EXPIRES_AT, number(expires_at(round.at)))
            .send()
            .await
            .map_err(|error| self.explain("dynamodb:PutItem", &error))?;
        Ok(())
    }

    pub(super) async fn query_rounds(
        &self,
        fleet: &str,
        reading: Reading,
        limit: usize,
    ) -> Result<Vec<Round>, PortError> {
        let query = self.query(&keys::journal(fleet));
        let query = match reading {
            Reading::Newest => query
                .key_condition_expression("#pk = :pk")
                .scan_index_forward(false),
            Reading::Before(at) => query
                .key_condition_expression("#pk = :pk AND #sk < :at")
                .expression_attribute_names("#sk", keys::SK)
                .expression_attribute_values(":at", text(&rfc3339(at)))
                .scan_index_forward(false),
            Reading::After(at) => query
                .key_condition_expression("#pk = :pk AND #sk > :at")
                .expression_attribute_names("#sk", keys::SK)
                .expression_attribute_values(":at", text(&rfc3339(at))),
        };
        let page_size = i32::try_from(limit).unwrap_or(i32::MAX);
        let mut pages = query.limit(page_size).into_paginator().send();
        let mut rounds = Vec::new();
        // Rows that cannot be read count for the service and not for the caller: on to the end,
        // so that a page that is not full says that there are no more.
        while rounds.len() < limit
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| self.explain("dynamodb:Query", &error))?;
            rounds.extend(page.items().iter().filter_map(as_round));
        }
        rounds.truncate(limit);
        Ok(rounds)
    }

    pub(super) async fn put_snapshot(
        &self,
        fleet: &str,
        snapshot: &Snapshot,
    ) -> Result<(), PortError> {
        let json = as_json("the history", &snapshot.history)?;
        let sk = keys::snapshot(&rfc3339(snapshot.at));
        self.client
            .put_item()
            .table_name(&self.name)
            .item(keys::PK, text(&keys::controller(fleet)))
            .item(keys::SK, text(&sk))
            .item(AT, number(snapshot.at.0))
            .item(HISTORY, text(&json))
            .item(keys::EXPIRES_AT, number(expires_at(snapshot.at)))
            .send()
            .await
            .map_err(|error| self.explain("dynamodb:PutItem", &error))?;
        Ok(())
    }

    pub(super) async fn newest_snapshot(
        &self,
        fleet: &str,
        before: UnixSeconds,
    ) -> Result<Option<Snapshot>, PortError> {
        // Before the first snapshot lies the lease, which is no snapshot.
        let answer = self
            .query(&keys::controller(fleet))
            .key_condition_expression("#pk = :pk AND #sk < :key")
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":key", text(&keys::snapshot(&rfc3339(before))))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .map_err(|error| self.explain("dynamodb:Query", &error))?;
        let item = answer.items().first();
        Ok(item.and_then(|item| as_snapshot(fleet, item)))
    }

    /// A consistent query of a partition, the condition yet to be given.
    fn query(&self, partition: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_values(":pk", text(partition))
            .consistent_read(true)
    }
}

fn expires_at(at: UnixSeconds) -> f64 {
    (at.0 + ROUNDS_KEPT_FOR.0).round()
}

fn as_round(item: &Item) -> Option<Round> {
    let json = item.get(ROUND)?.as_s().ok()?;
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!("a recorded round cannot be read: {error}"))
        .ok()
}

fn as_snapshot(fleet: &str, item: &Item) -> Option<Snapshot> {
    let at = item.get(AT)?.as_n().ok()?.parse().ok()?;
    Some(Snapshot {
        at: UnixSeconds(at),
        history: as_history(fleet, item)?,
    })
}
