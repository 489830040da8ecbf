//! Every change of a table's items in the order in which they were committed, from the table's
//! change stream ("Change data capture for DynamoDB Streams", DynamoDB Developer Guide).
//!
//! It is what audits lean on: it was written by the database and by nobody who has a part in what is
//! audited. This module must not judge what it reads.

use std::collections::BTreeMap;

use dynoxide::Database;
use dynoxide::actions::get_records::{GetRecordsRequest, Record};
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::streams;
use dynoxide::types::{AttributeValue, Item};

use crate::stores::StoreError;

/// An item's attributes that are texts, numbers or truth values, as text.
pub type Image = BTreeMap<String, String>;

/// One change of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The item before; `None`: it was not there.
    pub before: Option<Image>,
    /// The item after; `None`: it is gone.
    pub after: Option<Image>,
}

impl Change {
    /// An attribute before and after.
    pub fn of(&self, attribute: &str) -> (Option<String>, Option<String>) {
        let text = |image: &Option<Image>| image.as_ref()?.get(attribute).cloned();
        (text(&self.before), text(&self.after))
    }
}

/// All changes of a table since its stream was switched on.
pub(crate) fn read(database: &Database, table: &str) -> Result<Vec<Change>, StoreError> {
    let failed = |error: dynoxide::DynoxideError| StoreError::History {
        table: table.to_owned(),
        reason: error.to_string(),
    };
    let request = ListStreamsRequest {
        table_name: Some(table.to_owned()),
        ..ListStreamsRequest::default()
    };
    let found = database.list_streams(request).map_err(failed)?.streams;
    let Some(stream) = found.into_iter().next() else {
        return Ok(Vec::new());
    };
    let request = GetShardIteratorRequest {
        stream_arn: stream.stream_arn,
        shard_id: streams::shard_id(table),
        shard_iterator_type: "TRIM_HORIZON".into(),
        sequence_number: None,
    };
    let first = database.get_shard_iterator(request).map_err(failed)?;
    let mut next = first.shard_iterator;
    let mut changes = Vec::new();
    while let Some(shard_iterator) = next {
        let request = GetRecordsRequest {
            shard_iterator,
            limit: None,
        };
        let page = database.get_records(request).map_err(failed)?;
        if page.records.is_empty() {
            break;
        }
        changes.extend(page.records.into_iter().map(change));
        next = page.next_shard_iterator;
    }
    Ok(changes)
}

fn change(record: Record) -> Change {
    Change {
        before: record.dynamodb.old_image.map(image),
        after: record.dynamodb.new_image.map(image),
    }
}

fn image(item: Item) -> Image {
    let text = |value| match value {
        AttributeValue::S(text) | AttributeValue::N(text) => Some(text),
        AttributeValue::BOOL(truth) => Some(truth.to_string()),
        _ => None,
    };
    item.into_iter()
        .filter_map(|(name, value)| Some((name, text(value)?)))
        .collect()
}
