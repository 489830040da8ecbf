//! A cloud of its own for each case, on a port of its own, and the SDK's clients for it.
//!
//! With `CONFORMANCE_ENDPOINT` set the cases ask whatever answers there instead, one at a time;
//! `tests/moto` does that, and sees to a fresh start for each.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use weir_sandbox::cloud::Event;
use weir_sandbox::cloud::{Cloud, CloudConfig};
use weir_sandbox::wire::{SharedCloud, drive, serve};

pub(crate) struct Aws {
    pub(crate) cloud: SharedCloud,
    pub(crate) endpoint: String,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    config: SdkConfig,
    elsewhere: Option<Elsewhere>,
}

/// An emulator whose clock can be moved: the cloud beside it is not asked.
struct Elsewhere {
    address: String,
}

impl Elsewhere {
    #[expect(
        clippy::disallowed_methods,
        reason = "where to ask is said from outside"
    )]
    fn named() -> Option<Self> {
        let endpoint = std::env::var("CONFORMANCE_ENDPOINT").ok()?;
        let address = endpoint.strip_prefix("http://").unwrap();
        Some(Self {
            address: address.into(),
        })
    }

    fn skip(&self, seconds: u64) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let path = format!("/clock/skip?seconds={seconds}");
        let head = format!("POST {path} HTTP/1.1\r\nHost: clock\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: 0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
}

impl Aws {
    pub(crate) async fn start() -> Self {
        Self::with(&CloudConfig::default()).await
    }

    /// The server and the driver end with the case's runtime.
    pub(crate) async fn with(config: &CloudConfig) -> Self {
        let cloud = SharedCloud::new(Cloud::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let elsewhere = Elsewhere::named();
        let endpoint = match &elsewhere {
            Some(elsewhere) => format!("http://{}", elsewhere.address),
            None => format!("http://{}", listener.local_addr().unwrap()),
        };
        tokio::spawn(serve(listener, cloud.clone(), std::future::pending()));
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(drive(cloud.clone(), sender));
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&endpoint)
            .retry_config(RetryConfig::disabled())
            .load()
            .await;
        Self {
            cloud,
            endpoint,
            events,
            config,
            elsewhere,
        }
    }

    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    pub(crate) fn autoscaling(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&self.config)
    }

    pub(crate) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.config)
    }

    #[cfg(feature = "ec2")]
    pub(crate) fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.config)
    }

    /// The cloud's time jumps ahead.
    pub(crate) fn skip(&self, seconds: u64) {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.skip(seconds),
            None => self.cloud.skip(Duration::from_secs(seconds)),
        }
    }
}

/// The code that the SDK reads from an error.
pub(crate) fn code<E: ProvideErrorMetadata>(error: &E) -> &str {
    error.code().unwrap_or("(no code)")
}

/// The sentence that the SDK reads from an error.
pub(crate) fn message<E: ProvideErrorMetadata>(error: &E) -> &str {
    error.message().unwrap_or("(no message)")
}

/// Returns once every receive that was called has reached the cloud: the last call counted is one.
pub(crate) async fn waits(aws: &Aws) {
    let receives = || {
        let calls = aws.cloud.calls();
        calls
            .get(&("sqs".to_owned(), "ReceiveMessage".to_owned()))
            .copied()
    };
    let mut seen = None;
    let mut steady = 0;
    let mut every = tokio::time::interval(Duration::from_millis(20));
    if aws.elsewhere.is_some() {
        // Its calls cannot be counted.
        for _ in 0..25 {
            every.tick().await;
        }
        return;
    }
    while steady < 5 {
        every.tick().await;
        let now = receives();
        steady = if now.is_some() && now == seen {
            steady + 1
        } else {
            0
        };
        seen = now;
    }
}
