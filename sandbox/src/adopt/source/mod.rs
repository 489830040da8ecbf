//! Reads what Terraform made from the emulator it was applied to.
//!
//! It reads and changes nothing, and talks to loopback addresses only: what is adopted is never a
//! real account.

mod compute;
mod controllers;
mod groups;
mod query;
mod roles;
mod storage;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;

pub use self::query::CallError;
use self::query::Wire;
use super::deployment::Deployment;
use super::user_data::UserDataError;
use crate::iam::{DocumentError, Place};

/// The emulator.
#[derive(Clone, Debug)]
pub struct Source {
    sdk: SdkConfig,
    wire: Wire,
    region: String,
}

/// Why nothing could be adopted.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not an address to adopt from.
    #[error(
        "--from is {found}: give a loopback address, such as http://127.0.0.1:5000; what is adopted is never a real account"
    )]
    NotLoopback {
        /// What was given.
        found: String,
    },
    /// The emulator did not answer as it should.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Something that a run needs is not there.
    #[error("{0}")]
    Missing(String),
    /// The user data of a launch template is none of ours.
    #[error("launch template {template}: {source}")]
    UserData {
        /// The template.
        template: String,
        /// Why.
        source: UserDataError,
    },
    /// A policy cannot be played.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Something is there that the small cloud refuses.
    #[error("{what}: {reason}")]
    Refused {
        /// What was read.
        what: String,
        /// Why.
        reason: String,
    },
}

impl Source {
    /// The emulator at `url`, in `region`.
    pub fn new(url: &str, region: &str) -> Result<Self, SourceError> {
        require_loopback(url)?;
        let keys = Credentials::new("testing", "testing", None, None, "weir-sandbox");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(url)
            .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(keys))
            .build();
        Ok(Self {
            sdk,
            wire: Wire::new(url, region),
            region: region.to_owned(),
        })
    }

    /// Everything that a run is shaped by.
    pub async fn read(&self) -> Result<Deployment, SourceError> {
        let place = self.place().await?;
        let (queues, resource_policies) = self.queues().await?;
        let (fleets, mut not_played) = self.fleets().await?;
        if fleets.is_empty() {
            return Err(SourceError::Missing(
                "there is no Auto Scaling group whose instances become Weir's workers: apply the \
                 Terraform configuration there first"
                    .into(),
            ));
        }
        let controllers = self.controllers().await?;
        let mut arns: Vec<&str> = fleets.iter().map(|fleet| fleet.role.as_str()).collect();
        arns.extend(
            controllers
                .iter()
                .map(|controller| controller.role.as_str()),
        );
        let roles = self.roles(&arns).await?;
        not_played.extend(self.services().await?);
        Ok(Deployment {
            place,
            queues,
            tables: self.tables().await?,
            buckets: self.buckets().await?,
            fleets,
            controllers,
            roles,
            resource_policies,
            not_played,
        })
    }

    async fn place(&self) -> Result<Place, SourceError> {
        let answer = self.wire.query("sts", "GetCallerIdentity", &[]).await?;
        let account = answer
            .first("Account")
            .ok_or_else(|| SourceError::Missing("GetCallerIdentity names no account".into()))?;
        let arn = answer.first("Arn").unwrap_or_default();
        Ok(Place {
            partition: arn.split(':').nth(1).unwrap_or("aws").to_owned(),
            region: self.region.clone(),
            account: account.to_owned(),
        })
    }
}

fn require_loopback(url: &str) -> Result<(), SourceError> {
    let refused = || SourceError::NotLoopback {
        found: url.to_owned(),
    };
    let uri: axum::http::Uri = url.parse().map_err(|_| refused())?;
    let host = uri.host().unwrap_or_default();
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    if loopback && uri.scheme_str() == Some("http") {
        Ok(())
    } else {
        Err(refused())
    }
}

/// An SDK's error, in words.
fn failed<E>(call: &str, error: &aws_sdk_sqs::error::SdkError<E>) -> SourceError
where
    E: std::error::Error + Send + Sync + 'static,
{
    SourceError::Call(CallError {
        call: call.to_owned(),
        reason: aws_sdk_sqs::error::DisplayErrorContext(error).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_adopted_from() {
        for url in [
            "http://127.0.0.1:5000",
            "http://localhost:5000",
            "http://[::1]:5000",
            "http://127.1.2.3",
        ] {
            assert!(require_loopback(url).is_ok(), "{url}");
        }
        for url in [
            "https://sqs.eu-west-1.amazonaws.com",
            "http://10.0.0.1:5000",
            "http://127.0.0.1.example.com",
            "127.0.0.1:5000",
            "",
            "nonsense",
        ] {
            let error = require_loopback(url).unwrap_err().to_string();
            assert!(error.contains("give a loopback address"), "{error}");
        }
    }
}
