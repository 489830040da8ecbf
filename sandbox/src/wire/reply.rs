//! Answers, as bytes with the headers that SDKs look at.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

/// Every answer carries a request id; SDKs print it with errors.
pub(super) const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const X_AMZN_QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");

pub(super) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    typed(status, "application/x-amz-json-1.0", body.into())
}

pub(super) fn xml(status: StatusCode, body: String) -> Response {
    typed(status, "text/xml;charset=UTF-8", body.into())
}

pub(super) fn cbor(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = typed(status, "application/cbor", body.into());
    let protocol = HeaderValue::from_static("rpc-v2-cbor");
    response.headers_mut().insert(SMITHY_PROTOCOL, protocol);
    response
}

/// An error in JSON: `shape` is its full name.
pub(super) fn json_error(status: StatusCode, shape: &str, message: &str) -> Response {
    json(
        status,
        serde_json::json!({ "__type": shape, "message": message }).to_string(),
    )
}

/// Adds the code that the service's old Query protocol had for the error; SDKs of today still
/// give it out (`awsQueryCompatible`).
pub(super) fn with_query_error(mut response: Response, code: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("{code};Sender")) {
        response.headers_mut().insert(X_AMZN_QUERY_ERROR, value);
    }
    response
}

fn typed(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_AMZN_REQUEST_ID, HeaderValue::from_static(REQUEST_ID));
    response
}
