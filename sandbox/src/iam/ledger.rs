//! The record of every call: who wanted what, and which statements let it.
//!
//! From it follows which permissions were never needed. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Effect, Statement};
use super::evaluate::{Access, Decision};
use super::pattern::{matches, matches_action};

/// Every access so far, and every use of a statement.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    calls: BTreeMap<Recorded, Counts>,
    /// Access key and statement, with the action and resource it was used for.
    uses: BTreeSet<(String, usize, String, String)>,
}

/// One kind of access.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// The caller's access key.
    pub access_key: String,
    /// What was wanted.
    pub action: String,
    /// On what.
    pub resource: String,
}

/// How often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Let through.
    pub allowed: u64,
    /// Refused.
    pub denied: u64,
}

/// A part of a statement: one of its actions, or one of its resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The statement's name.
    pub sid: String,
    /// The action, or the resource.
    pub what: String,
}

impl Ledger {
    pub(super) fn record(&mut self, access_key: &str, decided: &[(&Access, Decision)]) {
        for (access, decision) in decided {
            let recorded = Recorded {
                access_key: access_key.into(),
                action: access.action.clone(),
                resource: access.resource.clone(),
            };
            let counts = self.calls.entry(recorded).or_default();
            let Decision::Allowed(by) = decision else {
                counts.denied += 1;
                continue;
            };
            counts.allowed += 1;
            for nth in by {
                self.uses.insert((
                    access_key.into(),
                    *nth,
                    access.action.clone(),
                    access.resource.clone(),
                ));
            }
        }
    }

    /// Every access, with how often it was made.
    pub fn calls(&self) -> &BTreeMap<Recorded, Counts> {
        &self.calls
    }

    /// The accesses that were refused.
    pub fn denied(&self) -> impl Iterator<Item = (&Recorded, u64)> {
        let denied = self.calls.iter().filter(|(_, counts)| counts.denied > 0);
        denied.map(|(recorded, counts)| (recorded, counts.denied))
    }

    /// The actions and resources of these statements that the holders of `access_keys` never
    /// needed. The statements must be those that their accesses were decided by, in order.
    pub fn unused(&self, access_keys: &[&str], statements: &[Statement]) -> BTreeSet<Permission> {
        let mut unused = BTreeSet::new();
        for (nth, statement) in statements.iter().enumerate() {
            if statement.effect == Effect::Deny {
                continue;
            }
            let uses = || {
                let of = |key: &String| access_keys.contains(&key.as_str());
                self.uses
                    .iter()
                    .filter(move |(key, by, ..)| of(key) && *by == nth)
            };
            let permission = |what: &String| Permission {
                sid: statement.sid.clone(),
                what: what.clone(),
            };
            let action_used =
                |pattern: &&String| uses().any(|(_, _, action, _)| matches_action(pattern, action));
            let resource_used =
                |pattern: &&String| uses().any(|(_, _, _, resource)| matches(pattern, resource));
            unused.extend(
                statement
                    .actions
                    .iter()
                    .filter(|one| !action_used(one))
                    .map(permission),
            );
            unused.extend(
                statement
                    .resources
                    .iter()
                    .filter(|one| !resource_used(one))
                    .map(permission),
            );
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    #[test]
    fn what_no_call_needed_is_unused_action_by_action_and_resource_by_resource() {
        let statements = document::read(
            "p",
            r#"{"Statement": [
                {"Sid": "Send", "Effect": "Allow", "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"], "Resource": ["q1", "q2"]},
                {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}"#,
        )
        .unwrap();
        let mut ledger = Ledger::default();
        let send = Access::new("sqs:SendMessage", "q1");
        ledger.record("a", &[(&send, Decision::Allowed(vec![0]))]);
        let refused = Access::new("sqs:GetQueueUrl", "q3");
        ledger.record(
            "a",
            &[(&refused, Decision::NotAllowed("identity-based policy"))],
        );
        let unused = ledger.unused(&["a"], &statements);
        let unused: Vec<_> = unused
            .iter()
            .map(|one| (one.sid.as_str(), one.what.as_str()))
            .collect();
        assert_eq!(unused, [("Send", "q2"), ("Send", "sqs:GetQueueUrl")]);
        assert_eq!(ledger.unused(&["b"], &statements).len(), 4);
        let denied: Vec<_> = ledger
            .denied()
            .map(|(one, count)| (one.action.as_str(), count))
            .collect();
        assert_eq!(denied, [("sqs:GetQueueUrl", 1)]);
    }
}
