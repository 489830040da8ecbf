//! Leave requests: how a task of an ECS service learns that it is to go.
//!
//! The controller writes them, the worker reads its own with each report. Nobody deletes them: a
//! task's id is never used again, and the table drops them long after the task has gone.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use weir_protocol::keys;

use super::super::error::Failure;
use super::{StateTable, condition_failed, number, text};
use crate::model::UnixSeconds;

/// A request outlives the longest drain: SQS hides a message for 12 hours, so no job lasts longer.
const KEEP_SECONDS: f64 = 24.0 * 3600.0;

/// What asking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Asked {
    /// It is asked now.
    Now,
    /// It had been asked before.
    Before,
}

impl StateTable {
    /// The tasks of a fleet that were asked to leave, those that have left by now among them.
    pub(in crate::aws) async fn leaving(&self, fleet: &str) -> Result<BTreeSet<String>, Failure> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", keys::PK)
            .expression_attribute_names("#sk", keys::SK)
            .expression_attribute_values(":pk", text(&keys::leave(fleet)))
            .consistent_read(true)
            .into_paginator()
            .send();
        let mut leaving = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.explain("dynamodb:Query", &error))?;
            let ids = page.items().iter().filter_map(|item| item.get(keys::SK));
            leaving.extend(ids.filter_map(|id| id.as_s().ok().cloned()));
        }
        Ok(leaving)
    }

    /// Asks a task to leave; a second request changes nothing.
    pub(in crate::aws) async fn ask_to_leave(
        &self,
        fleet: &str,
        task: &str,
        now: UnixSeconds,
    ) -> Result<Asked, Failure> {
        let expires_at = (now.0 + KEEP_SECONDS).floor();
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .item(keys::PK, text(&keys::leave(fleet)))
            .item(keys::SK, text(task))
            .item(keys::ASKED_AT, number(now.0))
            .item(keys::EXPIRES_AT, AttributeValue::N(expires_at.to_string()))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", keys::PK)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Asked::Now),
            Err(error) if condition_failed(&error) => Ok(Asked::Before),
            Err(error) => Err(self.explain("dynamodb:PutItem", &error)),
        }
    }
}
