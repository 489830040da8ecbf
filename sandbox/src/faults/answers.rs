//! What faults look like on the wire: the answers that AWS documents for them.
//!
//! SQS API Reference and DynamoDB API Reference, "Common Errors", and each operation's errors; S3
//! API Reference, "Error responses"; EC2 User Guide, "Access instance metadata" for the metadata
//! service's codes.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::{Fault, Service};

/// The answer of a call that is refused by `fault`; `nth` chooses among a fault's several forms.
pub(crate) fn refusal(service: Service, fault: Fault, nth: usize) -> Response {
    match (service, fault) {
        (Service::Sqs, Fault::Throttled) if nth == 0 => sqs(
            StatusCode::FORBIDDEN,
            "com.amazonaws.sqs#RequestThrottled",
            "RequestThrottled",
        ),
        (Service::Sqs, Fault::Throttled) => sqs(
            StatusCode::BAD_REQUEST,
            "com.amazon.coral.availability#ThrottlingException",
            "ThrottlingException",
        ),
        (Service::Sqs, _) if nth == 0 => sqs(
            StatusCode::INTERNAL_SERVER_ERROR,
            "com.amazonaws.sqs#InternalError",
            "InternalError",
        ),
        (Service::Sqs, _) => sqs(
            StatusCode::SERVICE_UNAVAILABLE,
            "com.amazon.coral.service#ServiceUnavailableException",
            "ServiceUnavailable",
        ),
        (Service::DynamoDb, Fault::Throttled) if nth == 0 => dynamodb(
            StatusCode::BAD_REQUEST,
            "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        ),
        (Service::DynamoDb, Fault::Throttled) => dynamodb(
            StatusCode::BAD_REQUEST,
            "com.amazon.coral.availability#ThrottlingException",
        ),
        (Service::DynamoDb, _) => dynamodb(
            StatusCode::INTERNAL_SERVER_ERROR,
            "com.amazonaws.dynamodb.v20120810#InternalServerError",
        ),
        (Service::S3, Fault::Throttled) => s3(StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        (Service::S3, _) => s3(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
        // "503: The request could not be completed. Retry the request."
        (Service::Metadata, Fault::TokenRefused) => bare(StatusCode::UNAUTHORIZED),
        (Service::Metadata, _) => bare(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// A transaction that met another: `TransactWriteItems`, `TransactionCanceledException`, reason
/// `TransactionConflict`, one reason for each of its `writes`.
pub(crate) fn conflict(writes: usize) -> Response {
    let reason = |nth: usize| match nth {
        0 => json!({"Code": "TransactionConflict",
                    "Message": "Transaction is ongoing for the item"}),
        _ => json!({"Code": "None"}),
    };
    let reasons: Vec<Value> = (0..writes.max(1)).map(reason).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons \
                    [TransactionConflict]",
        "CancellationReasons": reasons,
    });
    of_type(
        StatusCode::BAD_REQUEST,
        "application/x-amz-json-1.0",
        body.to_string(),
    )
}

fn sqs(status: StatusCode, shape: &str, query_code: &str) -> Response {
    let body = json!({"__type": shape, "message": "A fault of the sandbox's plan."});
    let mut response = of_type(status, "application/x-amz-json-1.0", body.to_string());
    // What SDKs hand out as the code (`awsQueryCompatible`).
    if let Ok(value) = HeaderValue::from_str(&format!("{query_code};Receiver")) {
        response.headers_mut().insert("x-amzn-query-error", value);
    }
    response
}

fn dynamodb(status: StatusCode, shape: &str) -> Response {
    let body = json!({"__type": shape, "message": "A fault of the sandbox's plan."});
    of_type(status, "application/x-amz-json-1.0", body.to_string())
}

fn s3(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>A fault of the sandbox's plan.</Message></Error>"
    );
    of_type(status, "application/xml", body)
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn of_type(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
