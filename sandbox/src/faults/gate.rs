//! The gate before a service: an HTTP proxy on a port of its own that lets faults happen.
//!
//! It owns connections and whole calls; what becomes of the messages inside SQS's calls is
//! [`super::sqs`]'s. It must not know what a call means to anybody.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{Request, Uri};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder as Connections;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Fault, Faults, Service, answers, sqs};
use crate::wire::SharedCloud;

/// The largest body passed on, either way.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A call that is never answered is let go after this long, which is longer than anybody waits.
const HANG: Duration = Duration::from_mins(2);

/// What is behind a gate.
#[derive(Clone, Debug)]
pub enum Behind {
    /// The front door: SQS's calls suffer, the other services' pass.
    FrontDoor(SharedCloud),
    /// DynamoDB.
    DynamoDb,
    /// S3.
    S3,
    /// An instance's metadata service.
    Metadata,
}

/// Opens a gate before `url`, which is `http://host:port`; gives the gate's own. It stands until
/// `stop`.
pub async fn open(
    faults: Faults,
    behind: Behind,
    url: &str,
    stop: CancellationToken,
) -> std::io::Result<String> {
    let upstream = url.trim_start_matches("http://").parse();
    let upstream = upstream.map_err(std::io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let own = format!("http://{}", listener.local_addr()?);
    let gate = Arc::new(Gate {
        faults,
        behind,
        upstream,
        client: Client::builder(TokioExecutor::new()).build_http(),
    });
    tokio::spawn(gate.serve(listener, stop));
    Ok(own)
}

struct Gate {
    faults: Faults,
    behind: Behind,
    upstream: Authority,
    client: Client<HttpConnector, Body>,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection breaks, as planned")]
struct Broken;

/// A call as it came in.
pub(super) struct Call {
    pub(super) operation: String,
    pub(super) head: axum::http::request::Parts,
    pub(super) body: Bytes,
}

impl Gate {
    async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "a gate could not accept a connection");
                    continue;
                }
            };
            // Two small writes an answer must not wait for each other's acknowledgement.
            let _ = socket.set_nodelay(true);
            let (gate, stop) = (Arc::clone(&self), stop.clone());
            tokio::spawn(async move {
                let http = Connections::new(TokioExecutor::new());
                let calls = service_fn(move |request| {
                    let gate = Arc::clone(&gate);
                    async move { gate.answer(request).await }
                });
                let connection = http.serve_connection(TokioIo::new(socket), calls);
                tokio::select! {
                    () = stop.cancelled() => {}
                    // It ends as planned, or by the client's wish.
                    _ = connection => {}
                }
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response, Broken> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await;
        let body = body.map_err(|_| Broken)?;
        let Some((service, operation)) = self.name(&head) else {
            return self.pass(head, body).await;
        };
        let call = Call {
            operation,
            head,
            body,
        };
        match self.faults.draw(service, &call.operation) {
            None => self.let_through(call).await,
            Some(fault) => self.suffer(service, fault, call).await,
        }
    }

    async fn suffer(&self, service: Service, fault: Fault, call: Call) -> Result<Response, Broken> {
        match fault {
            Fault::Unreached | Fault::Away => Err(Broken),
            Fault::AnswerLost => {
                self.let_through(call).await?;
                Err(Broken)
            }
            Fault::Hung => {
                if self.faults.pick(2) == 0 {
                    self.let_through(call).await?;
                }
                hang().await;
                Err(Broken)
            }
            Fault::EntriesFailed => {
                let Some(split) = sqs::split_batch(&self.faults, &call.body) else {
                    return self.let_through(call).await;
                };
                let answered = match split.kept {
                    Some(kept) => Some(self.pass(call.head, kept).await?),
                    None => None,
                };
                sqs::with_failed(answered, &split.failed)
                    .await
                    .map_err(|_| Broken)
            }
            Fault::Conflict => Ok(answers::conflict(writes(&call.body))),
            _ => Ok(answers::refusal(service, fault, self.faults.pick(2))),
        }
    }

    /// Lets a call through; the messages of a receive may suffer all the same.
    async fn let_through(&self, call: Call) -> Result<Response, Broken> {
        let Behind::FrontDoor(cloud) = &self.behind else {
            return self.pass(call.head, call.body).await;
        };
        if call.operation != "ReceiveMessage" {
            return self.pass(call.head, call.body).await;
        }
        let disorder = sqs::Disorder {
            faults: &self.faults,
            cloud,
        };
        let queue = sqs::queue_of(&call.body);
        disorder.before(&queue);
        let answer = self.pass(call.head, call.body).await?;
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
        let body = body.map_err(|_| Broken)?;
        disorder.after(&queue, &body);
        Ok(Response::from_parts(head, body.into()))
    }

    async fn pass(
        &self,
        head: axum::http::request::Parts,
        body: Bytes,
    ) -> Result<Response, Broken> {
        let length = body.len();
        let mut request = Request::from_parts(head, Body::from(body));
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = self.upstream_uri(path).ok_or(Broken)?;
        let headers = request.headers_mut();
        if headers.contains_key("content-length") {
            headers.insert("content-length", length.into());
        }
        let answer = self.client.request(request).await.map_err(|_| Broken)?;
        Ok(answer.map(Body::new))
    }

    fn upstream_uri(&self, path: Option<PathAndQuery>) -> Option<Uri> {
        Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream.clone())
            .path_and_query(path?)
            .build()
            .ok()
    }

    /// The call's service and operation; `None` for what passes.
    fn name(&self, head: &axum::http::request::Parts) -> Option<(Service, String)> {
        let target = head.headers.get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok());
        let operation = |target: &str| target.rsplit('.').next().unwrap_or_default().to_owned();
        match self.behind {
            Behind::FrontDoor(_) => {
                let target = target.filter(|target| target.starts_with("AmazonSQS"))?;
                Some((Service::Sqs, operation(target)))
            }
            Behind::DynamoDb => Some((Service::DynamoDb, operation(target?))),
            Behind::S3 => Some((Service::S3, head.method.to_string())),
            Behind::Metadata => Some((Service::Metadata, head.method.to_string())),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a call hangs on the wall clock")]
async fn hang() {
    tokio::time::sleep(HANG).await;
}

/// How many writes a transaction has.
fn writes(body: &[u8]) -> usize {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let items = body.and_then(|body| Some(body.get("TransactItems")?.as_array()?.len()));
    items.unwrap_or(1)
}
