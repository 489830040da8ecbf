//! What a DynamoDB request wants to do, and on which partitions.
//!
//! DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control":
//! `dynamodb:LeadingKeys` holds the partition keys that a request names. "Actions, resources, and
//! condition keys for Amazon DynamoDB" (Service Authorization Reference): transactions need the
//! permissions of their parts.

use serde_json::{Map, Value};

use super::{Access, Iam};

/// The accesses of an operation with this body.
pub(super) fn accesses(iam: &Iam, operation: &str, body: &[u8]) -> Vec<Access> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match operation {
        "TransactWriteItems" | "TransactGetItems" => transaction(iam, &body),
        "BatchGetItem" | "BatchWriteItem" => batch(iam, operation, &body),
        _ => vec![one(iam, operation, &body)],
    }
}

fn transaction(iam: &Iam, body: &Value) -> Vec<Access> {
    let items = body["TransactItems"].as_array().into_iter().flatten();
    let parts = items.filter_map(Value::as_object).flatten();
    let access = |(kind, part): (&String, &Value)| {
        let operation = match kind.as_str() {
            "ConditionCheck" => "ConditionCheckItem",
            "Put" => "PutItem",
            "Update" => "UpdateItem",
            "Delete" => "DeleteItem",
            _ => "GetItem",
        };
        one(iam, operation, part)
    };
    parts.map(access).collect()
}

fn batch(iam: &Iam, operation: &str, body: &Value) -> Vec<Access> {
    let tables = body["RequestItems"].as_object().into_iter().flatten();
    let access = |(table, request): (&String, &Value)| {
        let keys = request["Keys"].as_array().into_iter().flatten();
        let writes = request.as_array().into_iter().flatten();
        let written = writes.filter_map(|write| {
            write
                .pointer("/PutRequest/Item")
                .or(write.pointer("/DeleteRequest/Key"))
        });
        let leading = keys
            .chain(written)
            .filter_map(|key| leading_key(iam, table, key.as_object()?));
        with_keys(table_access(iam, operation, table), leading.collect())
    };
    tables.map(access).collect()
}

fn one(iam: &Iam, operation: &str, request: &Value) -> Access {
    let table = request["TableName"].as_str().unwrap_or_default();
    let table = table.rsplit('/').next().unwrap_or_default();
    let access = table_access(iam, operation, table);
    let item = request.get("Key").or(request.get("Item"));
    let leading = match item.and_then(Value::as_object) {
        Some(item) => leading_key(iam, table, item),
        None => queried_key(iam, table, request),
    };
    with_keys(access, leading.into_iter().collect())
}

fn table_access(iam: &Iam, operation: &str, table: &str) -> Access {
    let arn = iam.place().arn("dynamodb", &format!("table/{table}"));
    Access::new(format!("dynamodb:{operation}"), arn)
}

/// A request without a partition key, such as a scan, has no such context key.
fn with_keys(access: Access, keys: Vec<String>) -> Access {
    if keys.is_empty() {
        return access;
    }
    access.with("dynamodb:LeadingKeys", keys)
}

fn leading_key(iam: &Iam, table: &str, item: &Map<String, Value>) -> Option<String> {
    text(item.get(iam.partition_key(table)?)?)
}

/// The partition key of a query's key condition, `#pk = :pk` or `pk = :pk`.
fn queried_key(iam: &Iam, table: &str, request: &Value) -> Option<String> {
    let key = iam.partition_key(table)?;
    let condition = request["KeyConditionExpression"].as_str()?;
    let named = |name: &str| match request["ExpressionAttributeNames"][name].as_str() {
        Some(attribute) => attribute == key,
        None => name == key,
    };
    let equation = condition
        .split(" AND ")
        .filter_map(|part| part.split_once('='));
    let mut values = equation.filter(|(name, _)| named(name.trim()));
    let (_, value) = values.next()?;
    text(&request["ExpressionAttributeValues"][value.trim()])
}

/// A key's value as IAM sees it.
fn text(value: &Value) -> Option<String> {
    let value = value.get("S").or(value.get("N")).or(value.get("B"));
    value.and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::{IamConfig, Place};
    use super::*;

    fn told(operation: &str, body: &Value) -> Vec<String> {
        let iam = Iam::new(IamConfig {
            place: Place {
                partition: "aws".into(),
                region: "r".into(),
                account: "1".into(),
            },
            principals: BTreeMap::new(),
            resource_policies: Vec::new(),
            partition_keys: BTreeMap::from([("state".into(), "pk".into())]),
        });
        let accesses = accesses(&iam, operation, body.to_string().as_bytes());
        let tell = |access: Access| {
            let keys = access.context.get("dynamodb:leadingkeys");
            let keys = keys.map(|keys| keys.join(",")).unwrap_or_default();
            format!("{} {} {keys}", access.action, access.resource)
        };
        accesses.into_iter().map(tell).collect()
    }

    #[test]
    fn reads_and_writes_name_their_partition() {
        let key =
            json!({"TableName": "state", "Key": {"pk": {"S": "reports#a"}, "sk": {"S": "i-1"}}});
        let arn = "arn:aws:dynamodb:r:1:table/state";
        assert_eq!(
            told("GetItem", &key),
            [format!("dynamodb:GetItem {arn} reports#a")]
        );
        let put = json!({"TableName": "state", "Item": {"pk": {"S": "journal#a"}}});
        assert_eq!(
            told("PutItem", &put),
            [format!("dynamodb:PutItem {arn} journal#a")]
        );
        let query = json!({"TableName": "state", "KeyConditionExpression": "#pk = :pk AND #sk > :at",
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
            "ExpressionAttributeValues": {":pk": {"S": "reports#a"}, ":at": {"S": "1"}}});
        assert_eq!(
            told("Query", &query),
            [format!("dynamodb:Query {arn} reports#a")]
        );
        let scan = json!({"TableName": "state"});
        assert_eq!(told("Scan", &scan), [format!("dynamodb:Scan {arn} ")]);
    }

    #[test]
    fn transactions_and_batches_need_what_their_parts_need() {
        let write = json!({"TransactItems": [
            {"ConditionCheck": {"TableName": "state", "Key": {"pk": {"S": "controller#a"}}}},
            {"Put": {"TableName": "state", "Item": {"pk": {"S": "journal#a"}}}}]});
        let arn = "arn:aws:dynamodb:r:1:table/state";
        assert_eq!(
            told("TransactWriteItems", &write),
            [
                format!("dynamodb:ConditionCheckItem {arn} controller#a"),
                format!("dynamodb:PutItem {arn} journal#a"),
            ]
        );
        let batch =
            json!({"RequestItems": {"state": {"Keys": [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}]}}});
        assert_eq!(
            told("BatchGetItem", &batch),
            [format!("dynamodb:BatchGetItem {arn} a,b")]
        );
    }
}
