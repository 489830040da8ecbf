//! The gate before DynamoDB: a proxy on a port of its own that asks IAM first.
//!
//! SQS, Auto Scaling, EC2, CloudWatch and S3 ask by themselves; the embedded DynamoDB has no place
//! for it. It must not know what a call means beyond what it asks for.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Iam, Refusal, access_key, dynamodb};

/// DynamoDB takes requests of 16 MiB at most.
const BODY_BYTES_MAX: usize = 16 << 20;

struct Gate {
    iam: Iam,
    upstream: String,
    client: Client<HttpConnector, Body>,
}

/// Opens a gate before DynamoDB at `url`, `http://host:port`; gives the gate's own. It stands until
/// `stop`.
pub async fn open(iam: Iam, url: &str, stop: CancellationToken) -> std::io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let own = format!("http://{}", listener.local_addr()?);
    let gate = Arc::new(Gate {
        iam,
        upstream: url.to_owned(),
        client: Client::builder(TokioExecutor::new()).build_http(),
    });
    let app = Router::new().fallback(answer).with_state(gate);
    tokio::spawn(async move {
        tokio::select! {
            served = axum::serve(listener, app) => if let Err(error) = served {
                tracing::error!(%error, "the gate before DynamoDB stopped serving");
            },
            () = stop.cancelled() => {}
        }
    });
    Ok(own)
}

async fn answer(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return refused("SerializationException", &error.to_string()),
    };
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let operation = text("x-amz-target").and_then(|target| target.rsplit('.').next());
    let key = text("authorization").and_then(access_key);
    let (Some(operation), Some(key)) = (operation, key) else {
        return refused(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
    };
    let accesses = dynamodb::accesses(&gate.iam, operation, &body);
    match gate.iam.judge(key, &accesses) {
        Ok(()) => gate.pass(head, body).await,
        Err(refusal @ Refusal::UnknownKey) => {
            refused("UnrecognizedClientException", &refusal.to_string())
        }
        Err(refusal) => refused("AccessDeniedException", &refusal.to_string()),
    }
}

impl Gate {
    async fn pass(&self, head: Parts, body: Bytes) -> Response {
        let mut request = Request::from_parts(head, Body::from(body));
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let answer = match format!("{}{path}", self.upstream).parse::<Uri>() {
            Ok(uri) => {
                *request.uri_mut() = uri;
                self.client
                    .request(request)
                    .await
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => answer.map(Body::new),
            Err(error) => refused("InternalServerError", &error),
        }
    }
}

/// DynamoDB's errors (Developer Guide, "Error handling with DynamoDB": `AccessDeniedException` is
/// HTTP 400).
fn refused(code: &str, message: &str) -> Response {
    let body = json!({"__type": format!("com.amazon.coral.service#{code}"), "Message": message});
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let json = header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
