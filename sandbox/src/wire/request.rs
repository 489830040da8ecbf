//! A request as it comes in: which service, which action, in which protocol.

use std::borrow::Cow;
use std::io::Read;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::query::Params;
use super::reply;
use crate::iam;

/// A call of an operation.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) service: Service,
    /// Who calls, from the signature's scope.
    pub(super) access_key: String,
    /// From the signature's scope.
    pub(super) region: String,
    /// `host:port`, as the caller knows this cloud.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) protocol: Protocol,
    pub(super) body: Bytes,
    target: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Sqs,
    Autoscaling,
    Ec2,
    Ecs,
    CloudWatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    Query,
    Cbor,
}

/// Where everything is when the caller's signature does not say.
const REGION: &str = "eu-west-1";

impl Service {
    /// As the signature's scope names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Autoscaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::Ecs => "ecs",
            Self::CloudWatch => "monitoring",
        }
    }

    fn of_scope(name: &str) -> Option<Self> {
        [
            Self::Sqs,
            Self::Autoscaling,
            Self::Ec2,
            Self::Ecs,
            Self::CloudWatch,
        ]
        .into_iter()
        .find(|service| service.name() == name)
    }
}

impl Call {
    /// Reads a request; a request that is none of ours gets its answer here.
    pub(super) async fn read(request: Request, bytes_max: usize) -> Result<Self, Box<Response>> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let scope = text("authorization").and_then(Scope::of_authorization);
        let Some(Scope {
            access_key,
            region,
            service,
        }) = scope
        else {
            return Err(Box::new(unsigned()));
        };
        let Some(service) = Service::of_scope(service) else {
            return Err(Box::new(unreadable(&format!(
                "The request is signed for the service '{service}'; played here are sqs, \
                 autoscaling, ec2, ecs and monitoring."
            ))));
        };
        let protocol = if text("smithy-protocol") == Some("rpc-v2-cbor") {
            Protocol::Cbor
        } else if text("x-amz-target").is_some() {
            Protocol::Json
        } else {
            Protocol::Query
        };
        let bytes = axum::body::to_bytes(body, bytes_max).await;
        let bytes =
            bytes.map_err(|error| unreadable(&format!("The body cannot be read: {error}")))?;
        Ok(Self {
            service,
            access_key: access_key.to_owned(),
            region: if region.is_empty() { REGION } else { region }.to_owned(),
            host: text("host").unwrap_or("127.0.0.1").to_owned(),
            path: parts.uri.path().to_owned(),
            protocol,
            target: text("x-amz-target").map(str::to_owned),
            body: inflated(headers, bytes)?,
        })
    }

    /// The action's name, from wherever the protocol has it.
    pub(super) fn action(&self) -> Option<Cow<'_, str>> {
        match self.protocol {
            Protocol::Json => {
                let target = self.target.as_deref()?;
                target.rsplit('.').next().map(Cow::Borrowed)
            }
            Protocol::Cbor => self.path.rsplit('/').next().map(Cow::Borrowed),
            Protocol::Query => self
                .params()
                .get("Action")
                .map(|name| Cow::Owned(name.to_owned())),
        }
    }

    /// The body of a Query request.
    pub(super) fn params(&self) -> Params {
        Params::parse(&self.body)
    }
}

struct Scope<'a> {
    access_key: &'a str,
    region: &'a str,
    service: &'a str,
}

impl<'a> Scope<'a> {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`; the key itself may
    /// hold slashes.
    fn of_authorization(header: &'a str) -> Option<Self> {
        let credential = header.split("Credential=").nth(1)?.split(',').next()?;
        let mut parts = credential.rsplit('/');
        let (_, service, region) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            access_key: iam::access_key(header)?,
            region,
            service,
        })
    }
}

/// CloudWatch's clients compress large bodies ("requestCompression" of `PutMetricData`).
fn inflated(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Box<Response>> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_none_or(|encoding| encoding != "gzip") {
        return Ok(body);
    }
    let mut plain = Vec::new();
    let read = flate2::read::GzDecoder::new(body.as_ref()).read_to_end(&mut plain);
    read.map_err(|error| Box::new(unreadable(&format!("The body is not gzip: {error}"))))?;
    Ok(plain.into())
}

fn unsigned() -> Response {
    let message =
        "The request carries no SigV4 Authorization header, which would tell its service.";
    reply::json_error(StatusCode::FORBIDDEN, "MissingAuthenticationToken", message)
}

pub(super) fn unreadable(message: &str) -> Response {
    reply::json_error(StatusCode::BAD_REQUEST, "SerializationException", message)
}
