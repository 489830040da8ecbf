//! One instance's metadata service, version 2 (`IMDSv2`), over HTTP.
//!
//! This module owns what the metadata says and how it is asked for: a session token first, then
//! plain GETs; version 1's GETs without a token are refused, as the launch template asks of EC2.
//! Paths and statuses: "Instance metadata and user data" in the EC2 User Guide.
#![expect(
    clippy::disallowed_methods,
    reason = "session tokens are random and expire by the wall clock"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stores::REGION;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// A session token lives for six hours at most.
const TOKEN_TTL_MAX_SECONDS: u64 = 21_600;
/// The account everything in the sandbox belongs to.
const ACCOUNT: &str = "000000000000";
const IMAGE: &str = "ami-00000000000000000";
const INSTANCE_TYPE: &str = "c7g.large";

/// What never changes about an instance.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) instance_id: String,
    pub(super) zone: String,
}

/// What the metadata says, now.
#[derive(Debug)]
pub(super) struct Metadata {
    identity: Identity,
    pending_since: jiff::Timestamp,
    news: Mutex<News>,
    tokens: Mutex<BTreeMap<String, Instant>>,
}

/// What changes; what is `None` is answered with 404.
#[derive(Debug, Default)]
struct News {
    target_lifecycle_state: Option<String>,
    spot_notice_time: Option<String>,
    rebalance_time: Option<String>,
}

impl Metadata {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            pending_since: jiff::Timestamp::now(),
            news: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    pub(super) fn set_target_lifecycle_state(&self, state: &str) {
        self.news().target_lifecycle_state = Some(state.to_owned());
    }

    pub(super) fn set_spot_notice(&self, time: &str) {
        self.news().spot_notice_time = Some(time.to_owned());
    }

    pub(super) fn set_rebalance(&self, time: &str) {
        self.news().rebalance_time = Some(time.to_owned());
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news
            .lock()
            .expect("invariant: nothing panics while it holds the news")
    }

    fn tokens(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.tokens
            .lock()
            .expect("invariant: nothing panics while it holds the tokens")
    }

    fn new_token(&self, ttl: Duration) -> String {
        let now = Instant::now();
        let token = uuid::Uuid::new_v4().simple().to_string();
        let mut tokens = self.tokens();
        tokens.retain(|_, until| *until > now);
        tokens.insert(token.clone(), now + ttl);
        token
    }

    fn knows(&self, token: Option<&str>) -> bool {
        let tokens = self.tokens();
        token
            .and_then(|token| tokens.get(token))
            .is_some_and(|until| *until > Instant::now())
    }

    /// The text at `path` below `/latest/`, if there is any at present.
    fn read(&self, path: &str) -> Option<String> {
        let Identity { instance_id, zone } = &self.identity;
        let news = self.news();
        Some(match path {
            "meta-data/instance-id" => instance_id.clone(),
            "meta-data/instance-type" => INSTANCE_TYPE.into(),
            "meta-data/ami-id" => IMAGE.into(),
            "meta-data/local-ipv4" => "127.0.0.1".into(),
            "meta-data/placement/availability-zone" => zone.clone(),
            "meta-data/placement/region" => REGION.into(),
            "meta-data/autoscaling/target-lifecycle-state" => {
                news.target_lifecycle_state.clone()?
            }
            "meta-data/spot/instance-action" => {
                let time = news.spot_notice_time.as_ref()?;
                json!({"action": "terminate", "time": time}).to_string()
            }
            "meta-data/spot/termination-time" => news.spot_notice_time.clone()?,
            "meta-data/events/recommendations/rebalance" => {
                let time = news.rebalance_time.as_ref()?;
                json!({"noticeTime": time}).to_string()
            }
            "meta-data/events/maintenance/scheduled" => "[]".into(),
            "dynamic/instance-identity/document" => json!({
                "accountId": ACCOUNT,
                "architecture": "arm64",
                "availabilityZone": zone,
                "imageId": IMAGE,
                "instanceId": instance_id,
                "instanceType": INSTANCE_TYPE,
                "pendingTime": self.pending_since.to_string(),
                "privateIp": "127.0.0.1",
                "region": REGION,
                "version": "2017-09-30",
            })
            .to_string(),
            _ => return None,
        })
    }
}

/// A metadata service that answers for as long as this is kept.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) url: String,
    _serving: DropGuard,
}

/// Serves the metadata on a loopback port of its own.
pub(super) async fn serve(metadata: Arc<Metadata>) -> std::io::Result<Endpoint> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = Router::new()
        .route("/latest/api/token", put(make_token))
        .route("/latest/{*path}", get(read))
        .with_state(metadata);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        let server = axum::serve(listener, routes);
        tokio::select! {
            () = stopped => {}
            ended = server => if let Err(error) = ended {
                tracing::error!(%error, "an instance's metadata stopped serving");
            },
        }
    });
    Ok(Endpoint {
        url,
        _serving: stop.drop_guard(),
    })
}

async fn make_token(State(metadata): State<Arc<Metadata>>, headers: HeaderMap) -> Response {
    let ttl = headers.get(TOKEN_TTL).and_then(|ttl| ttl.to_str().ok());
    match ttl.and_then(|ttl| ttl.parse().ok()) {
        Some(seconds @ 1..=TOKEN_TTL_MAX_SECONDS) => {
            let token = metadata.new_token(Duration::from_secs(seconds));
            ([(TOKEN_TTL, seconds.to_string())], token).into_response()
        }
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn read(
    State(metadata): State<Arc<Metadata>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok());
    if !metadata.knows(token) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match metadata.read(path.trim_end_matches('/')) {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain")], text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata::new(Identity {
            instance_id: "i-0123456789abcdef0".into(),
            zone: "eu-west-1a".into(),
        })
    }

    #[test]
    fn says_nothing_of_a_departure_until_there_is_one() {
        let metadata = metadata();
        assert_eq!(metadata.read("meta-data/spot/instance-action"), None);
        metadata.set_spot_notice("2026-01-01T00:02:00Z");
        assert_eq!(
            metadata.read("meta-data/spot/instance-action").unwrap(),
            r#"{"action":"terminate","time":"2026-01-01T00:02:00Z"}"#
        );
    }

    #[test]
    fn shows_the_latest_lifecycle_state() {
        let metadata = metadata();
        let path = "meta-data/autoscaling/target-lifecycle-state";
        assert_eq!(metadata.read(path), None);
        metadata.set_target_lifecycle_state("InService");
        metadata.set_target_lifecycle_state("Terminated");
        assert_eq!(metadata.read(path).as_deref(), Some("Terminated"));
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let metadata = metadata();
        let lasting = metadata.new_token(Duration::from_mins(1));
        let spent = metadata.new_token(Duration::ZERO);
        assert!(metadata.knows(Some(&lasting)));
        assert!(!metadata.knows(Some(&spent)));
        assert!(!metadata.knows(Some("made up")));
        assert!(!metadata.knows(None));
    }

    #[tokio::test]
    async fn the_sdk_reads_it_and_a_get_without_a_token_is_refused() {
        let endpoint = serve(Arc::new(metadata())).await.unwrap();
        let imds = aws_config::imds::Client::builder()
            .endpoint(&endpoint.url)
            .unwrap()
            .build();
        let id = imds.get("/latest/meta-data/instance-id").await.unwrap();
        assert_eq!(id.as_ref(), "i-0123456789abcdef0");
        let state = imds
            .get("/latest/meta-data/autoscaling/target-lifecycle-state")
            .await;
        assert!(state.unwrap_err().to_string().contains("404"));

        let bare = plain_get(&endpoint.url, "/latest/meta-data/instance-id").await;
        assert!(bare.starts_with("HTTP/1.1 401"), "{bare}");
    }

    async fn plain_get(url: &str, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let address = url.strip_prefix("http://").unwrap();
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
