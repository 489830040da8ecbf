//! IAM, enforced on the small cloud: who signs a request, what the policies of its role allow, and
//! a record of every call.
//!
//! It owns the judgement and its record. Which policies there are is whoever's who made it; what
//! a request wants to do is told by those who know the service's protocol. Signatures are not
//! checked: an access key alone says who calls.

mod document;
mod dynamodb;
mod evaluate;
mod gate;
mod ledger;
mod pattern;
mod s3;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::document::{DocumentError, Effect, Statement, read as read_document};
pub use self::evaluate::{Access, Decision, Policies};
pub use self::gate::open as open_gate;
pub use self::ledger::{Counts, Ledger, Permission, Recorded};
pub(crate) use self::s3::{Operation as S3Operation, accesses as s3_accesses};
use crate::stores::ACCESS_KEY;

/// Where everything is, for ARNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// The region.
    pub region: String,
    /// The account's 12 digits.
    pub account: String,
}

/// Who may call, and with what.
#[derive(Clone, Debug)]
pub struct Principal {
    /// For people: `worker of thumbnails`, `controller`.
    pub name: String,
    /// Its ARN, as refusals give it.
    pub arn: String,
    /// What it may do; `None`: everything, which is recorded all the same.
    pub policies: Option<Policies>,
}

/// What IAM is to know, besides who calls.
#[derive(Clone, Debug)]
pub struct IamConfig {
    /// For ARNs.
    pub place: Place,
    /// By access key.
    pub principals: BTreeMap<String, Principal>,
    /// Statements of the resources' own policies.
    pub resource_policies: Vec<Statement>,
    /// The partition key of each table, for `dynamodb:LeadingKeys`.
    pub partition_keys: BTreeMap<String, String>,
}

/// The enforcement of one sandbox's policies. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Iam {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: IamConfig,
    ledger: Mutex<Ledger>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has this access key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The principal may not.
    #[error("User: {arn} is not authorized to perform: {action} on resource: {resource} {why}")]
    Denied {
        /// The principal.
        arn: String,
        /// What it wanted.
        action: String,
        /// On what.
        resource: String,
        /// `because …` or `with …`, as AWS words it.
        why: String,
    },
}

impl Iam {
    /// Enforces this.
    pub fn new(config: IamConfig) -> Self {
        let inner = Inner {
            config,
            ledger: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Where everything is.
    pub fn place(&self) -> &Place {
        &self.inner.config.place
    }

    /// The principals by access key.
    pub fn principals(&self) -> &BTreeMap<String, Principal> {
        &self.inner.config.principals
    }

    /// Every call so far.
    pub fn ledger(&self) -> Ledger {
        self.lock().clone()
    }

    /// The partition key of a table, if it is known.
    pub(crate) fn partition_key(&self, table: &str) -> Option<&str> {
        self.inner
            .config
            .partition_keys
            .get(table)
            .map(String::as_str)
    }

    /// Whether the holder of `access_key` may do all of this; records each. The sandbox's own key
    /// may do everything, unrecorded.
    pub fn judge(&self, access_key: &str, accesses: &[Access]) -> Result<(), Refusal> {
        if access_key == ACCESS_KEY {
            return Ok(());
        }
        let principal = self.inner.config.principals.get(access_key);
        let principal = principal.ok_or(Refusal::UnknownKey)?;
        let decided = accesses
            .iter()
            .map(|access| (access, self.decide(principal, access)));
        let decided: Vec<_> = decided.collect();
        self.lock().record(access_key, &decided);
        let refused = decided.into_iter().find_map(|(access, decision)| {
            let why = match decision {
                Decision::Allowed(_) => return None,
                Decision::DeniedBy(statement) => format!("with an explicit deny in {statement}"),
                Decision::NotAllowed(kind) => {
                    format!("because no {kind} allows the {} action", access.action)
                }
            };
            Some((access, why))
        });
        match refused {
            None => Ok(()),
            Some((access, why)) => {
                tracing::warn!(
                    principal = principal.name,
                    access.action,
                    access.resource,
                    why,
                    "denied"
                );
                Err(Refusal::Denied {
                    arn: principal.arn.clone(),
                    action: access.action.clone(),
                    resource: access.resource.clone(),
                    why,
                })
            }
        }
    }

    fn decide(&self, principal: &Principal, access: &Access) -> Decision {
        match &principal.policies {
            None => Decision::Allowed(Vec::new()),
            Some(policies) => {
                evaluate::decide(policies, &self.inner.config.resource_policies, access)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.inner
            .ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The ARN of something of `service`.
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{rest}",
            self.partition, self.region, self.account
        )
    }
}

/// The access key in `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`; the key
/// itself may hold slashes.
pub(crate) fn access_key(authorization: &str) -> Option<&str> {
    let credential = authorization
        .split("Credential=")
        .nth(1)?
        .split(',')
        .next()?;
    credential.rsplitn(5, '/').nth(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_key_is_read_from_the_credential_scope() {
        let header = "AWS4-HMAC-SHA256 Credential=worker/20260101/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(access_key(header), Some("worker"));
        assert_eq!(access_key("Bearer x"), None);
    }

    #[test]
    fn nobody_calls_with_a_key_that_nobody_has() {
        let iam = Iam::new(IamConfig {
            place: Place {
                partition: "aws".into(),
                region: "eu-west-1".into(),
                account: "1".into(),
            },
            principals: BTreeMap::new(),
            resource_policies: Vec::new(),
            partition_keys: BTreeMap::new(),
        });
        let send = [Access::new("sqs:SendMessage", "q")];
        assert_eq!(iam.judge("stranger", &send), Err(Refusal::UnknownKey));
        assert_eq!(iam.judge(ACCESS_KEY, &send), Ok(()));
    }
}
