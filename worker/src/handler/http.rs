//! Handlers in any language: a service on this machine, one request a job.
//!
//! The body is posted as it is, the rest goes in `X-Weir-*` headers; the status is the answer and
//! the response's body the result. A request that must stop is closed. This module must not know of
//! queues or records.

mod headers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::TcpStream;

use super::exec::RESULT_MAX_BYTES;
use super::failure::chain;
use super::{Context, Handler, Job, Outcome};
use crate::chance;
use crate::clock::{Clock, pause};
use crate::retry::Backoff;

/// A service on this machine answers at once or is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Idle connections are closed by us before the service does it: a request that meets a closing
/// connection is lost half-way. gunicorn closes after 2 s, uvicorn and Node.js after 5 s.
const IDLE_LIMIT: Duration = Duration::from_secs(1);

/// How long to wait before connecting again: a service that restarts is back within seconds.
const RECONNECT: Backoff = Backoff {
    base: Duration::from_millis(250),
    cap: Duration::from_secs(2),
};

/// How much of a failure's body is read for the reason.
const REASON_MAX_BYTES: usize = 4 * 1024;

/// Posts each job to a service.
#[derive(Debug)]
pub struct Http {
    service: Service,
    result_max_bytes: usize,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Whether the last connection that was tried came about.
    reached: AtomicBool,
}

/// The URL of a service that does jobs: plain `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    uri: Uri,
    host: String,
    port: u16,
}

/// Why a URL cannot be a service's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url:?} {problem}; allowed is http://HOST[:PORT]/PATH of a service on this machine or in its \
     network, such as http://127.0.0.1:8080/"
)]
pub struct UrlError {
    url: String,
    problem: &'static str,
}

impl std::str::FromStr for Service {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        let refused = |problem| UrlError {
            url: url.into(),
            problem,
        };
        let uri: Uri = url.parse().map_err(|_| refused("is not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(refused(
                    "would need TLS, which the worker leaves to a proxy beside the service",
                ));
            }
            _ => return Err(refused("does not begin with http://")),
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(refused("holds a user name, which would not be sent"));
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(refused("names no host"));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            uri,
        })
    }
}

impl Service {
    /// Host and port.
    pub(crate) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl Http {
    /// A service, with the default limit of a result.
    pub fn new(service: Service) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        Self {
            service,
            result_max_bytes: RESULT_MAX_BYTES,
            // As many connections as jobs run at a time: the worker's slots are the limit.
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                .build(connector),
            reached: AtomicBool::new(false),
        }
    }

    /// The longest result, bytes; a longer one is poison.
    #[must_use]
    pub fn result_max_bytes(mut self, bytes: usize) -> Self {
        self.result_max_bytes = bytes;
        self
    }

    /// Posts a job until a connection comes about; what happens after that is the answer. A job
    /// that met no connection has not begun: it is waited with, then handed back.
    async fn post(&self, job: &Job, ctx: &Context) -> Outcome {
        let now = || Clock::system().instant();
        // The service is to have at least half of the job's time for the job itself.
        let patience = ctx.deadline().saturating_duration_since(now()) / 2;
        let until = now() + patience;
        let mut failures: u32 = 0;
        loop {
            let error = match self.client.request(self.request(job, ctx)).await {
                Ok(response) => {
                    self.reached.store(true, Ordering::Relaxed);
                    return self.judge(response).await;
                }
                Err(error) if error.is_connect() => error,
                Err(error) => return retry(format!("the service broke off: {}", chain(&error))),
            };
            self.reached.store(false, Ordering::Relaxed);
            let reason = format!("the service could not be reached: {}", chain(&error));
            if now() >= until {
                return hand_back(reason);
            }
            failures += 1;
            if failures.is_power_of_two() {
                tracing::warn!(url = %self.service.uri, reason, failures, "the job waits");
            }
            tokio::select! {
                () = pause(RECONNECT.delay(failures, chance::unit())) => {}
                () = ctx.draining() => return hand_back(reason),
            }
        }
    }

    fn request(&self, job: &Job, ctx: &Context) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(job.body.clone())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.service.uri.clone();
        *request.headers_mut() = headers::of(job, ctx);
        request
    }

    async fn judge(&self, response: Response<Incoming>) -> Outcome {
        let status = response.status();
        if status.is_success() {
            return self.result(response.into_body()).await;
        }
        let may_ask = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        );
        let asked = response.headers().get(header::RETRY_AFTER);
        let after = asked
            .filter(|_| may_ask)
            .and_then(|value| retry_after(value.to_str().ok()?, Clock::system().unix_seconds()));
        let redirect = status
            .is_redirection()
            .then_some("redirects are not followed");
        let said = match read(response.into_body(), REASON_MAX_BYTES).await {
            Ok(Read::Whole(body) | Read::Beginning(body)) => {
                String::from_utf8_lossy(&body).trim().to_owned()
            }
            // The status has told what matters.
            Err(_) => String::new(),
        };
        let words = [&status.to_string(), redirect.unwrap_or_default(), &said];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        match status {
            StatusCode::UNPROCESSABLE_ENTITY if !said.is_empty() => {
                Outcome::Poison { reason: said }
            }
            StatusCode::UNPROCESSABLE_ENTITY => Outcome::Poison {
                reason: status.to_string(),
            },
            _ => Outcome::Retry {
                after,
                reason: words.join(": "),
            },
        }
    }

    async fn result(&self, body: Incoming) -> Outcome {
        let max = self.result_max_bytes;
        let poison = |reason| Outcome::Poison { reason };
        match read(body, max).await {
            Ok(Read::Whole(body)) => String::from_utf8(body).map_or_else(
                |_| poison("the response's body is not UTF-8 text".into()),
                Outcome::Done,
            ),
            Ok(Read::Beginning(_)) => poison(format!(
                "the response's body is longer than {max} bytes: store it elsewhere and answer \
                 where"
            )),
            Err(error) => retry(format!("the response broke off: {}", chain(&error))),
        }
    }
}

#[async_trait]
impl Handler for Http {
    fn describe(&self) -> String {
        format!("http {}", self.service.uri)
    }

    async fn handle(&self, job: Job, ctx: Context) -> Outcome {
        tokio::select! {
            outcome = self.post(&job, &ctx) => outcome,
            // Dropped, a request's connection is closed: that is how the service learns of it.
            cause = ctx.cancelled() => retry(format!("the request was closed: {cause}")),
        }
    }

    /// Waits until the service takes connections.
    async fn ready(&self) {
        let mut failures: u32 = 0;
        while !self.reached.load(Ordering::Relaxed) {
            let service = &self.service;
            let connected = TcpStream::connect((service.host.as_str(), service.port));
            let error = match tokio::time::timeout(CONNECT_LIMIT, connected).await {
                Ok(Ok(_)) => {
                    tracing::info!(url = %service.uri, "the service takes connections");
                    self.reached.store(true, Ordering::Relaxed);
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".into(),
            };
            failures += 1;
            if failures.is_power_of_two() {
                tracing::warn!(url = %service.uri, error, failures, "waiting for the service");
            }
            pause(RECONNECT.delay(failures, chance::unit())).await;
        }
    }
}

/// A delay as HTTP has it (RFC 9110, 10.2.3): whole seconds, or the date when it is over.
fn retry_after(value: &str, now: f64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let at = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Duration::try_from_secs_f64(at.as_secs_f64() - now).unwrap_or_default())
}

/// What was read of a body.
enum Read {
    Whole(Vec<u8>),
    /// There is more than was asked for.
    Beginning(Vec<u8>),
}

/// Reads a body up to `max` bytes.
async fn read(mut body: Incoming, max: usize) -> Result<Read, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let room = max - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok(Read::Beginning(kept));
        }
    }
    Ok(Read::Whole(kept))
}

fn retry(reason: String) -> Outcome {
    Outcome::Retry {
        after: None,
        reason,
    }
}

fn hand_back(reason: String) -> Outcome {
    Outcome::HandBack {
        after: RECONNECT.cap,
        reason,
    }
}
