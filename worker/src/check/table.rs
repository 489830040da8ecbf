//! The two tables: first as the worker's own role may see them, then as one that may describe.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, TimeToLiveStatus};
use weir_protocol::keys;

use super::{Finding, Refusal, refusal};

/// A key that no item has: it holds a space.
const NO_KEY: &str = "start-up check";

/// The table of job records: readable, with its key, and its records expiring.
pub(super) async fn jobs(client: &Client, table: &str) -> Vec<Finding> {
    let thing = format!("jobs table {table}");
    let read = read(client, table, &[keys::JOB_ID]).await;
    let next = "check --jobs-table (WEIR_JOBS_TABLE), region and account";
    if let Err(refusal) = read {
        let finding = match refusal {
            Refusal::Denied(words) => Finding::failed(
                &thing,
                words,
                "permit the worker's role dynamodb:GetItem and dynamodb:UpdateItem on it",
            ),
            Refusal::Other(words) if words.contains("key element") => Finding::failed(
                &thing,
                words,
                "its partition key must be job_id, a string, without a sort key",
            ),
            Refusal::Other(words) => Finding::failed(&thing, words, next),
        };
        return vec![finding];
    }
    let schema = schema(client, table, &thing).await;
    vec![schema, expiry(client, table, &thing).await]
}

/// The table of reports. The worker only writes there, so that it may not read is no fault.
pub(super) async fn state(client: &Client, table: &str) -> Finding {
    let thing = format!("state table {table}");
    match read(client, table, &[keys::PK, keys::SK]).await {
        Ok(()) => Finding::ok(&thing, "readable, with the keys pk and sk"),
        Err(Refusal::Denied(_)) => Finding::note(
            &thing,
            "this role may not read it, so nobody can tell whether it is as it should be",
            "none, if the worker may write to it (dynamodb:PutItem, dynamodb:DeleteItem)",
        ),
        Err(Refusal::Other(words)) if words.contains("key element") => {
            let next = "its keys must be pk and sk, both strings";
            Finding::failed(&thing, words, next)
        }
        Err(Refusal::Other(words)) => {
            let next = "check --state-table (WEIR_STATE_TABLE), region and account";
            Finding::failed(&thing, words, next)
        }
    }
}

/// Reads an item that is not there: DynamoDB refuses a key that is not the table's.
async fn read(client: &Client, table: &str, names: &[&str]) -> Result<(), Refusal> {
    let mut call = client.get_item().table_name(table);
    for name in names {
        call = call.key(*name, AttributeValue::S(NO_KEY.into()));
    }
    let thing = format!("table {table}");
    let answer = call.send().await;
    answer
        .map(drop)
        .map_err(|error| refusal("GetItem", &thing, &error))
}

async fn schema(client: &Client, table: &str, thing: &str) -> Finding {
    let readable = "readable by its key job_id";
    let answer = client.describe_table().table_name(table).send().await;
    let described = match answer {
        Ok(answer) => answer.table,
        Err(error) => return undescribed(thing, refusal("DescribeTable", thing, &error)),
    };
    let key = described
        .and_then(|table| table.key_schema)
        .unwrap_or_default();
    let hash = key.iter().find(|key| key.key_type == KeyType::Hash);
    match hash {
        Some(hash) if key.len() == 1 && hash.attribute_name == keys::JOB_ID => {
            Finding::ok(thing, readable)
        }
        _ => {
            let names: Vec<&str> = key.iter().map(|key| key.attribute_name.as_str()).collect();
            let found = format!("its key is {}", names.join(" and "));
            Finding::failed(thing, found, "its key must be job_id alone")
        }
    }
}

async fn expiry(client: &Client, table: &str, thing: &str) -> Finding {
    let operation = "DescribeTimeToLive";
    let answer = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await;
    let described = match answer {
        Ok(answer) => answer.time_to_live_description,
        Err(error) => return undescribed(thing, refusal(operation, thing, &error)),
    };
    let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
    let expires = described.is_some_and(|ttl| {
        ttl.attribute_name.as_deref() == Some(keys::EXPIRES_AT)
            && ttl
                .time_to_live_status
                .is_some_and(|status| on.contains(&status))
    });
    if expires {
        return Finding::ok(thing, "records expire by expires_at");
    }
    let found = "time to live is not on for the attribute expires_at: records are kept, and paid \
                 for, for ever";
    Finding::note(thing, found, "turn it on for expires_at")
}

fn undescribed(thing: &str, refusal: Refusal) -> Finding {
    match refusal {
        Refusal::Denied(_) => Finding::note(
            thing,
            "readable by its key job_id; this role may not describe it, so nobody can tell its \
             time to live",
            "none: the worker does not need to describe it",
        ),
        Refusal::Other(words) => Finding::note(thing, words, "look at it with a role that may"),
    }
}
