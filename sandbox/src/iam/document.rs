//! IAM policy documents: JSON read into statements, once and strictly.
//!
//! What the evaluator does not play is an error here, with its place, so that no statement is ever
//! half understood. It must not decide anything.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The policy it stands in.
    pub policy: String,
    /// `Sid`; where it has none, its number in the policy, from 1.
    pub sid: String,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// For whom, in a resource's own policy. Identity policies name nobody and are for their role.
    pub principals: Principals,
    /// Action patterns.
    pub actions: Vec<String>,
    /// Resource patterns.
    pub resources: Vec<String>,
    /// All must hold.
    pub conditions: Vec<Condition>,
}

/// `Effect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Effect {
    /// Allows.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// For whom a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principals {
    /// For everyone.
    All,
    /// For principals that are none of ours: AWS services, other accounts.
    Others,
}

/// One key of a statement's `Condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The operator.
    pub operator: Operator,
    /// How a key of several values is looked at.
    pub quantifier: Quantifier,
    /// The key, in small letters: "condition keys are not case sensitive".
    pub key: String,
    /// Any of them may match.
    pub values: Vec<String>,
}

/// The condition operators that are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `StringEquals`.
    StringEquals,
    /// `StringNotEquals`.
    StringNotEquals,
    /// `StringLike`.
    StringLike,
    /// `ArnEquals` and `ArnLike`, which "behave identically".
    Arn,
    /// `Bool`.
    Bool,
}

/// "Set operators for multivalued context keys".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// The key has one value.
    One,
    /// `ForAllValues`: every value of the request must match; none is every.
    ForAll,
    /// `ForAnyValue`: one value of the request must match.
    ForAny,
}

/// Why a document cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not the JSON of a policy.
    #[error("the policy {policy} cannot be read")]
    Read {
        /// The policy.
        policy: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It holds what is not played here.
    #[error("the policy {policy}, statement {sid}: {found} is not played here; {allowed}")]
    NotPlayed {
        /// The policy.
        policy: String,
        /// The statement.
        sid: String,
        /// What was found.
        found: String,
        /// What is.
        allowed: &'static str,
    },
}

const OPERATORS: &str = "conditions may be StringEquals, StringNotEquals, StringLike, ArnEquals, \
                         ArnLike and Bool, each with ForAllValues: or ForAnyValue: before it";

/// The statements of a policy's JSON.
pub fn read(policy: &str, json: &str) -> Result<Vec<Statement>, DocumentError> {
    let raw: RawDocument = serde_json::from_str(json).map_err(|source| DocumentError::Read {
        policy: policy.into(),
        source,
    })?;
    let numbered = raw.statements.into_vec().into_iter().enumerate();
    numbered
        .map(|(nth, statement)| statement.read(policy, nth + 1))
        .collect()
}

#[derive(Deserialize)]
struct RawDocument {
    #[serde(rename = "Statement")]
    statements: OneOrMany<RawStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RawStatement {
    sid: Option<String>,
    effect: Effect,
    principal: Option<Value>,
    action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    // First, for one value of any kind may be a list as well.
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl RawStatement {
    fn read(self, policy: &str, nth: usize) -> Result<Statement, DocumentError> {
        let sid = self.sid.clone().unwrap_or_else(|| nth.to_string());
        let not_played = |found: String, allowed: &'static str| DocumentError::NotPlayed {
            policy: policy.into(),
            sid: sid.clone(),
            found,
            allowed,
        };
        let mut conditions = Vec::new();
        for (operator, keys) in self.condition {
            let (operator, quantifier) = operator_named(&operator).ok_or_else(|| {
                not_played(format!("the condition operator {operator}"), OPERATORS)
            })?;
            for (key, values) in keys {
                conditions.push(Condition {
                    operator,
                    quantifier,
                    key: key.to_ascii_lowercase(),
                    values: values.into_vec().iter().map(as_text).collect(),
                });
            }
        }
        let required = |list: Option<OneOrMany<String>>, name: &str| {
            let list = list.map(OneOrMany::into_vec);
            list.ok_or_else(|| {
                not_played(
                    format!("a statement without {name}"),
                    "give Action and Resource",
                )
            })
        };
        let statement = Statement {
            policy: policy.into(),
            effect: self.effect,
            principals: principals(self.principal.as_ref()),
            actions: required(self.action, "Action")?,
            resources: required(self.resource, "Resource")?,
            conditions,
            sid: sid.clone(),
        };
        let texts = statement.conditions.iter().flat_map(|one| &one.values);
        if let Some(found) = texts
            .chain(&statement.resources)
            .find(|text| text.contains("${"))
        {
            return Err(not_played(
                format!("the variable in {found}"),
                "write what it stands for",
            ));
        }
        Ok(statement)
    }
}

/// `{"AWS": "arn:…"}` and `{"Service": "…"}` name others; `"*"` and `{"AWS": "*"}` are everyone.
fn principals(raw: Option<&Value>) -> Principals {
    match raw {
        None => Principals::All,
        Some(Value::String(all)) if all == "*" => Principals::All,
        Some(Value::Object(named)) if named.get("AWS").is_some_and(|aws| aws == "*") => {
            Principals::All
        }
        Some(_) => Principals::Others,
    }
}

fn operator_named(name: &str) -> Option<(Operator, Quantifier)> {
    let (quantifier, name) = match name.split_once(':') {
        Some(("ForAllValues", name)) => (Quantifier::ForAll, name),
        Some(("ForAnyValue", name)) => (Quantifier::ForAny, name),
        Some(_) => return None,
        None => (Quantifier::One, name),
    };
    let operator = match name {
        "StringEquals" => Operator::StringEquals,
        "StringNotEquals" => Operator::StringNotEquals,
        "StringLike" => Operator::StringLike,
        "ArnEquals" | "ArnLike" => Operator::Arn,
        "Bool" => Operator::Bool,
        _ => return None,
    };
    Some((operator, quantifier))
}

/// `true` and `"true"` are the same to IAM.
fn as_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(json: &str) -> String {
        read("p", json).unwrap_err().to_string()
    }

    #[test]
    fn reads_one_statement_and_many_and_numbers_those_without_a_name() {
        let one = r#"{"Statement": {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}}"#;
        let one = read("p", one).unwrap();
        assert_eq!((one[0].sid.as_str(), one[0].actions.len()), ("1", 1));
        let many = r#"{"Statement": [
            {"Sid": "A", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": ["a", "b"],
             "Condition": {"Bool": {"aws:SecureTransport": true}}}]}"#;
        let many = read("p", many).unwrap();
        assert_eq!((many[0].sid.as_str(), many[0].resources.len()), ("A", 2));
        assert_eq!(many[0].conditions[0].key, "aws:securetransport");
        assert_eq!(many[0].conditions[0].values, ["true"]);
    }

    #[test]
    fn what_is_not_played_is_an_error_with_its_place() {
        let unknown = complaint(
            r#"{"Statement": [{"Sid": "Late", "Effect": "Allow", "Action": "a", "Resource": "*",
                "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}}]}"#,
        );
        assert!(
            unknown.starts_with(
                "the policy p, statement Late: the condition operator DateLessThan is not played"
            ),
            "{unknown}"
        );
        let without = complaint(r#"{"Statement": [{"Effect": "Allow", "Action": "a"}]}"#);
        assert!(without.contains("without Resource"), "{without}");
        let variable = complaint(
            r#"{"Statement": [{"Effect": "Allow", "Action": "a", "Resource": "x/${aws:username}"}]}"#,
        );
        assert!(
            variable.contains("the variable in x/${aws:username}"),
            "{variable}"
        );
        // NotAction and NotResource are fields that are not known.
        assert!(
            read(
                "p",
                r#"{"Statement": [{"Effect": "Deny", "NotAction": "a", "Resource": "*"}]}"#
            )
            .is_err()
        );
    }

    #[test]
    fn services_that_a_resource_lets_in_are_others() {
        let read = |principal: &str| {
            let json = format!(
                r#"{{"Statement": [{{"Effect": "Allow", "Principal": {principal}, "Action": "a", "Resource": "*"}}]}}"#
            );
            read("p", &json).unwrap()[0].principals
        };
        assert_eq!(read(r#""*""#), Principals::All);
        assert_eq!(read(r#"{"AWS": "*"}"#), Principals::All);
        assert_eq!(
            read(r#"{"Service": "sns.amazonaws.com"}"#),
            Principals::Others
        );
    }
}
