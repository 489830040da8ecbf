//! Whether a request is allowed: IAM's policy evaluation within one account. Pure.
//!
//! IAM User Guide, "Policy evaluation logic": every request is denied by default; an explicit deny
//! in any policy wins; else a statement of the identity's or of the resource's own policy must
//! allow it; and a permissions boundary, where there is one, must allow it as well.

use std::collections::BTreeMap;

use super::document::{Condition, Effect, Operator, Principals, Quantifier, Statement};
use super::pattern::{matches, matches_action, matches_arn};

/// One thing that a request wants to do. A request may want several, and needs all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Such as `sqs:SendMessage`.
    pub action: String,
    /// The resource's ARN; `*` where the action knows none.
    pub resource: String,
    /// The request's context by key, in small letters.
    pub context: BTreeMap<String, Vec<String>>,
}

/// All policies that bear on a principal.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Those of its role.
    pub identity: Vec<Statement>,
    /// Its role's permissions boundary.
    pub boundary: Option<Vec<Statement>>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, by these statements of the identity's policies (their places).
    Allowed(Vec<usize>),
    /// Denied by a statement that says so: its policy and name.
    DeniedBy(String),
    /// Denied, for want of a statement that allows it in these policies.
    NotAllowed(&'static str),
}

impl Access {
    /// An access without context beside what every call has: it came over TLS, as every call of
    /// the programs does on AWS.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        let secure = ("aws:securetransport".to_owned(), vec!["true".to_owned()]);
        Self {
            action: action.into(),
            resource: resource.into(),
            context: BTreeMap::from([secure]),
        }
    }

    /// The same with a context key.
    #[must_use]
    pub fn with(mut self, key: &str, values: Vec<String>) -> Self {
        self.context.insert(key.to_ascii_lowercase(), values);
        self
    }
}

/// Decides about one access. `resource` holds the statements of the policies of the resource itself.
pub(super) fn decide(policies: &Policies, resource: &[Statement], access: &Access) -> Decision {
    let boundary = policies.boundary.as_deref().unwrap_or_default();
    let all = policies.identity.iter().chain(boundary).chain(resource);
    let mut denials = all.filter(|one| one.effect == Effect::Deny && applies(one, access));
    if let Some(denial) = denials.next() {
        return Decision::DeniedBy(format!("{}, {}", denial.policy, denial.sid));
    }
    let allows = |one: &Statement| one.effect == Effect::Allow && applies(one, access);
    if policies.boundary.is_some() && !boundary.iter().any(allows) {
        return Decision::NotAllowed("permissions boundary");
    }
    let identity = policies.identity.iter().enumerate();
    let by: Vec<usize> = identity
        .filter(|(_, one)| allows(one))
        .map(|(nth, _)| nth)
        .collect();
    if by.is_empty() && !resource.iter().any(allows) {
        return Decision::NotAllowed("identity-based policy");
    }
    Decision::Allowed(by)
}

/// Whether a statement speaks of an access at all.
pub(super) fn applies(statement: &Statement, access: &Access) -> bool {
    statement.principals == Principals::All
        && statement
            .actions
            .iter()
            .any(|one| matches_action(one, &access.action))
        && statement
            .resources
            .iter()
            .any(|one| matches(one, &access.resource))
        && statement.conditions.iter().all(|one| holds(one, access))
}

fn holds(condition: &Condition, access: &Access) -> bool {
    let found = access.context.get(&condition.key).map(Vec::as_slice);
    let one_of = |value: &String| {
        condition
            .values
            .iter()
            .any(|wanted| equal(condition.operator, wanted, value))
    };
    let negated = condition.operator == Operator::StringNotEquals;
    let matching = |value: &String| one_of(value) != negated;
    match (condition.quantifier, found) {
        (Quantifier::ForAll, found) => found.unwrap_or_default().iter().all(matching),
        (Quantifier::ForAny, found) => found.unwrap_or_default().iter().any(matching),
        // "If the key is not present, the values do not match", and what is negated holds.
        (Quantifier::One, None | Some([])) => negated,
        (Quantifier::One, Some(values)) => values.iter().any(matching),
    }
}

fn equal(operator: Operator, wanted: &str, value: &str) -> bool {
    match operator {
        Operator::StringEquals | Operator::StringNotEquals => wanted == value,
        Operator::StringLike => matches(wanted, value),
        Operator::Arn => matches_arn(wanted, value),
        Operator::Bool => wanted.eq_ignore_ascii_case(value),
    }
}

#[cfg(test)]
mod tests;
