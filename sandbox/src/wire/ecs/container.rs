//! What a task's container reaches without a signature: task metadata, version 4, and the agent's
//! protection API ("Amazon ECS task scale-in protection endpoint").
//!
//! Each task has paths of its own; on AWS it has addresses of its own.

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::{SharedCloud, reply};
use crate::cloud::ACCOUNT;
use crate::stores::REGION;

const ROOT: &str = "/ecs-container/";
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Where a task finds its metadata and its agent, as its environment names them.
pub(in crate::wire) fn endpoints(door: &str, task: &str) -> [(&'static str, String); 2] {
    [
        (
            "ECS_CONTAINER_METADATA_URI_V4",
            format!("{door}{ROOT}{task}/v4"),
        ),
        ("ECS_AGENT_URI", format!("{door}{ROOT}{task}/api")),
    ]
}

/// Whether a request comes from inside a container.
pub(in crate::wire) fn is_from_inside(path: &str) -> bool {
    path.starts_with(ROOT)
}

pub(in crate::wire) async fn answer(cloud: &SharedCloud, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches(ROOT).to_owned();
    let (task, what) = path.split_once('/').unwrap_or((&path, ""));
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let wish = body
        .ok()
        .and_then(|body| serde_json::from_slice(&body).ok());
    match (&parts.method, what) {
        (&Method::GET, "v4/task") => metadata(cloud, task),
        (&Method::PUT, "api/task-protection/v1/state") => {
            cloud.count_call("ecs", "UpdateTaskProtection");
            protect(cloud, task, &wish.unwrap_or_default())
        }
        _ => reply::json(StatusCode::NOT_FOUND, "{}"),
    }
}

fn metadata(cloud: &SharedCloud, id: &str) -> Response {
    let found = cloud.look(|cloud, _| {
        let (service, task) = cloud.ecs.task(id)?;
        Some(json!({
            "Cluster": service.cluster,
            "TaskARN": arn(&service.cluster, id),
            "Family": service.name,
            "ServiceName": service.name,
            "DesiredStatus": "RUNNING",
            "KnownStatus": "RUNNING",
            "AvailabilityZone": format!("{REGION}{}", task.zone),
            "LaunchType": "FARGATE",
        }))
    });
    match found {
        Some(found) => reply::json(StatusCode::OK, found.to_string()),
        None => reply::json(StatusCode::NOT_FOUND, "{}"),
    }
}

fn protect(cloud: &SharedCloud, id: &str, wish: &Value) -> Response {
    let enabled = wish["ProtectionEnabled"].as_bool() == Some(true);
    let minutes = wish["ExpiresInMinutes"].as_u64().unwrap_or(120);
    let answer = cloud.with(|cloud, now| {
        let set = cloud.ecs.protect(id, enabled.then_some(minutes), now);
        let cluster = cloud
            .ecs
            .task(id)
            .map_or("", |(service, _)| &service.cluster);
        let arn = arn(cluster, id);
        match set {
            Ok(()) => json!({ "protection": { "ProtectionEnabled": enabled, "TaskArn": arn } }),
            Err(error) => json!({
                "failure": { "Arn": arn, "Reason": error.code, "Detail": error.message }
            }),
        }
    });
    reply::json(StatusCode::OK, answer.to_string())
}

fn arn(cluster: &str, id: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}")
}
