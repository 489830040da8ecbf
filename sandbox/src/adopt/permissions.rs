//! Least privilege, proved: what was called against what is allowed.
//!
//! A permission that no call needed fails the proof, unless a reason stands in [`REASONS`]; so does
//! a call that was denied. It compares and calls nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::checks::Check;
use super::stage::OPERATOR;
use crate::iam::{Iam, Permission};

/// What a run on the small cloud cannot use, and who does.
struct Reason {
    /// The statement's name; empty: any.
    sid: &'static str,
    /// The beginning of the action or of the resource; empty: either.
    what: &'static str,
    /// Who uses it.
    why: &'static str,
}

const BOOT_SCRIPT: &str = "the boot script fetches the worker; infra's test runs that script";

const LAUNCH_TIMES: &str =
    "the controller asks for launch times where it was built with EC2, as releases are";
const REFUSED_POLICY: &str = "the controller looks at a policy's older versions when it refuses \
                              the newest; its own tests do that";

const INSERTS: &str =
    "workers with idempotency `once` insert records; the run's have the default, `lease`";

const LAMBDA: &str = "Lambda itself does this with the function's role; nothing plays Lambda here";

const REASONS: [Reason; 8] = [
    Reason {
        sid: "Install",
        what: "s3:GetObject",
        why: BOOT_SCRIPT,
    },
    Reason {
        sid: "Install",
        what: "arn:",
        why: BOOT_SCRIPT,
    },
    Reason {
        sid: "",
        what: "ec2:DescribeInstances",
        why: LAUNCH_TIMES,
    },
    Reason {
        sid: "TellFailures",
        what: "",
        why: LAMBDA,
    },
    Reason {
        sid: "WriteLog",
        what: "",
        why: LAMBDA,
    },
    Reason {
        sid: "KeepJobRecords",
        what: "dynamodb:PutItem",
        why: INSERTS,
    },
    Reason {
        sid: "ReadPolicies",
        what: "s3:GetObjectVersion",
        why: REFUSED_POLICY,
    },
    Reason {
        sid: "ListPolicies",
        what: "s3:ListBucketVersions",
        why: REFUSED_POLICY,
    },
];

/// How far a run proves anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing may be missing, nothing unused.
    MissingAndUnused,
    /// Nothing may be missing; not everything was driven.
    Missing,
}

/// What the proof found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Kinds of calls that were allowed, by principal.
    pub used: BTreeMap<String, Vec<String>>,
    /// Calls that were denied.
    pub denied: Vec<String>,
    /// Permissions that no call needed, without a reason.
    pub unused: Vec<String>,
    /// Permissions that no call needed, and why they stand.
    pub reasoned: Vec<String>,
    /// What the operator's commands called: what a role for them would need.
    pub operator_needs: BTreeMap<String, Vec<String>>,
}

/// Compares every call so far with the policies.
pub fn prove(iam: &Iam, scope: Scope) -> Proof {
    let ledger = iam.ledger();
    let name = |key: &str| {
        iam.principals()
            .get(key)
            .map_or(key, |one| &one.name)
            .to_owned()
    };
    let mut proof = Proof::default();
    for (call, counts) in ledger.calls() {
        if counts.denied > 0 {
            let times = counts.denied;
            proof.denied.push(format!(
                "{}: {} on {} ({times} times)",
                name(&call.access_key),
                call.action,
                call.resource
            ));
        }
        if counts.allowed > 0 {
            let used = proof.used.entry(name(&call.access_key)).or_default();
            used.push(format!("{} {}", call.action, call.resource));
            if call.access_key == OPERATOR {
                let needs = proof
                    .operator_needs
                    .entry(call.resource.clone())
                    .or_default();
                needs.push(call.action.clone());
            }
        }
    }
    if scope == Scope::Missing {
        return proof;
    }
    for (key, principal) in iam.principals() {
        let Some(policies) = &principal.policies else {
            continue;
        };
        for permission in ledger.unused(&[key], &policies.identity) {
            let line = format!(
                "{}: {} in {}",
                principal.name, permission.what, permission.sid
            );
            match reason(&permission) {
                Some(why) => proof.reasoned.push(format!("{line}: {why}")),
                None => proof.unused.push(line),
            }
        }
    }
    proof
}

impl Proof {
    /// The checks that follow: nothing missing, nothing unused.
    pub fn checks(&self) -> Vec<Check> {
        let calls: usize = self.used.values().map(Vec::len).sum();
        let missing = Check::none_of(
            "no permission is missing",
            &self.denied,
            format!("{calls} kinds of calls, none denied"),
        );
        let reasoned = self.reasoned.len();
        let unused = Check::none_of(
            "no permission is unused",
            &self.unused,
            format!("all but {reasoned} were used; those have their reasons"),
        );
        vec![missing, unused]
    }
}

fn reason(permission: &Permission) -> Option<&'static str> {
    let fits = |reason: &&Reason| {
        let sid = reason.sid.is_empty() || reason.sid == permission.sid;
        sid && permission.what.starts_with(reason.what)
    };
    REASONS.iter().find(fits).map(|reason| reason.why)
}
