//! SQS's errors: the shape's name, and the code it had in the old Query protocol.

use axum::http::StatusCode;
use axum::response::Response;

use super::super::reply;
use crate::cloud::ApiError;

pub(super) fn response(error: &ApiError) -> Response {
    let status = match error.code {
        "OverLimit" => StatusCode::FORBIDDEN,
        "InternalFailure" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let response = reply::json_error(status, &shape(error.code), &error.message);
    reply::with_query_error(response, &query_code(error.code))
}

/// Errors of the model carry its namespace; those of AWS's framework another, and another name.
fn shape(code: &str) -> String {
    match code {
        "InvalidParameterValue" | "MissingParameter" => {
            format!("com.amazonaws.sqs#{code}Exception")
        }
        "SerializationException" | "UnknownOperationException" | "InternalFailure" => {
            format!("com.amazon.coral.service#{code}")
        }
        _ => format!("com.amazonaws.sqs#{code}"),
    }
}

/// The `awsQueryError` code of each shape in the service's API model.
pub(super) fn query_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".into(),
        "QueueNameExists" => "QueueAlreadyExists".into(),
        "QueueDeletedRecently"
        | "PurgeQueueInProgress"
        | "MessageNotInflight"
        | "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}"),
        _ => code.into(),
    }
}
