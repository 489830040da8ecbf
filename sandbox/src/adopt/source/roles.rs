//! Roles and their policies.

use std::collections::BTreeMap;

use super::super::deployment::Role;
use super::query::Element;
use super::{Source, SourceError};
use crate::iam::{Policies, Statement, read_document};

impl Source {
    /// The roles of these ARNs.
    pub(super) async fn roles(&self, arns: &[&str]) -> Result<BTreeMap<String, Role>, SourceError> {
        let mut roles = BTreeMap::new();
        for arn in arns {
            if !roles.contains_key(*arn) {
                roles.insert((*arn).to_owned(), self.role(arn).await?);
            }
        }
        Ok(roles)
    }

    /// The ARN of the role in an instance profile, which is named by name or ARN.
    pub(super) async fn role_of_profile(&self, profile: &str) -> Result<String, SourceError> {
        let name = last(profile);
        let answer = self
            .wire
            .query(
                "iam",
                "GetInstanceProfile",
                &[("InstanceProfileName", name)],
            )
            .await?;
        let roles = answer.all("Roles");
        let arn = roles.first().and_then(|roles| roles.first("Arn"));
        let arn = arn.ok_or_else(|| {
            SourceError::Missing(format!("the instance profile {name} holds no role"))
        })?;
        Ok(arn.to_owned())
    }

    async fn role(&self, arn: &str) -> Result<Role, SourceError> {
        let name = last(arn);
        let by_name = [("RoleName", name)];
        let iam = |action: &'static str| self.wire.query("iam", action, &by_name);
        let mut identity = Vec::new();
        for policy in iam("ListRolePolicies").await?.all("member") {
            let asked = [("RoleName", name), ("PolicyName", policy.text.as_str())];
            let answer = self.wire.query("iam", "GetRolePolicy", &asked).await?;
            identity.extend(document(&format!("{name}, {}", policy.text), &answer)?);
        }
        for policy in iam("ListAttachedRolePolicies").await?.all("PolicyArn") {
            identity.extend(self.managed_policy(&policy.text).await?);
        }
        let described = iam("GetRole").await?;
        let boundary = match described.first("PermissionsBoundaryArn") {
            Some(arn) => Some(self.managed_policy(arn).await?),
            None => None,
        };
        Ok(Role {
            name: name.to_owned(),
            arn: arn.to_owned(),
            policies: Policies { identity, boundary },
        })
    }

    async fn managed_policy(&self, arn: &str) -> Result<Vec<Statement>, SourceError> {
        let policy = self
            .wire
            .query("iam", "GetPolicy", &[("PolicyArn", arn)])
            .await?;
        let version = policy.first("DefaultVersionId").unwrap_or("v1");
        let asked = [("PolicyArn", arn), ("VersionId", version)];
        let answer = self.wire.query("iam", "GetPolicyVersion", &asked).await?;
        document(last(arn), &answer)
    }
}

/// The policy in an answer, where it is percent-encoded ("RFC 3986", IAM API Reference).
fn document(policy: &str, answer: &Element) -> Result<Vec<Statement>, SourceError> {
    let found = answer.first("PolicyDocument").or(answer.first("Document"));
    let found = found.unwrap_or_default();
    let plain = if found.trim_start().starts_with('{') {
        found.to_owned()
    } else {
        // A plus stands for itself there, unlike in a form.
        let form = format!("d={}", found.replace('+', "%2B"));
        let mut pairs = form_urlencoded::parse(form.as_bytes());
        pairs
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Ok(read_document(policy, &plain)?)
}

/// The last part of an ARN or a path.
fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
