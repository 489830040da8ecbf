//! ECS over HTTP: AWS JSON 1.1, and what a container finds inside.

pub(super) mod container;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::request::{self, Call, Protocol};
use super::{SharedCloud, reply};
use crate::cloud::ecs::{Service, Status, Task};
use crate::cloud::{ACCOUNT, ApiError, ApiResult, Cloud, Time};

/// Tasks that `ListTasks` gives in a page, and `DescribeTasks` takes.
const PAGE: usize = 100;

pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Response {
    if call.protocol != Protocol::Json {
        return request::unreadable("ECS speaks JSON alone.");
    }
    let Ok(asked) = serde_json::from_slice::<Value>(&call.body) else {
        return request::unreadable("The body is not JSON.");
    };
    let ask = Ask {
        call,
        asked: &asked,
    };
    let given = match action {
        "DescribeServices" => cloud.with(|cloud, now| ask.describe_services(cloud, now)),
        "UpdateService" => cloud.with(|cloud, now| ask.update_service(cloud, now)),
        "ListTasks" => cloud.with(|cloud, now| ask.list_tasks(cloud, now)),
        "DescribeTasks" => cloud.with(|cloud, now| ask.describe_tasks(cloud, now)),
        "UpdateTaskProtection" => cloud.with(|cloud, now| ask.protect(cloud, now)),
        "GetTaskProtection" => cloud.with(|cloud, now| ask.protection(cloud, now)),
        _ => Err(ApiError::new(
            "UnknownOperationException",
            format!("ECS's operation {action} is not played here."),
        )),
    };
    match given {
        Ok(body) => reply::json(StatusCode::OK, body.to_string()),
        Err(error) => reply::json_error(StatusCode::BAD_REQUEST, error.code, &error.message),
    }
}

/// One call and what it asks.
struct Ask<'a> {
    call: &'a Call,
    asked: &'a Value,
}

impl Ask<'_> {
    fn text(&self, key: &str) -> &str {
        self.asked[key].as_str().map_or("", last)
    }

    fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.asked[key].as_array();
        let list = list.into_iter().flatten();
        list.filter_map(Value::as_str).map(last).collect()
    }

    fn cluster<'a>(&'a self, cloud: &Cloud) -> ApiResult<&'a str> {
        let name = self.text("cluster");
        if cloud.ecs.has_cluster(name) {
            return Ok(name);
        }
        Err(ApiError::new(
            "ClusterNotFoundException",
            "Cluster not found.",
        ))
    }

    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:ecs:{}:{ACCOUNT}:{rest}", self.call.region)
    }

    fn task_arn(&self, service: &Service, task: &Task) -> String {
        self.arn(&format!("task/{}/{}", service.cluster, task.id))
    }

    fn failure(&self, kind: &str, name: &str) -> Value {
        json!({ "arn": self.arn(&format!("{kind}/{name}")), "reason": "MISSING" })
    }

    fn describe_services(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        cloud.advance(now);
        let cluster = self.cluster(cloud)?;
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in self.texts("services") {
            match cloud.ecs.service(cluster, name) {
                Some(service) => services.push(self.service(service)),
                None => failures.push(self.failure("service", name)),
            }
        }
        Ok(json!({ "services": services, "failures": failures }))
    }

    fn update_service(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        let cluster = self.cluster(cloud)?;
        let id = (cluster, self.text("service"));
        let desired = self.asked["desiredCount"].as_u64();
        if let Some(desired) = desired.and_then(|count| usize::try_from(count).ok()) {
            cloud.ecs.set_desired(id, desired, now)?;
        }
        let missing = || ApiError::new("ServiceNotFoundException", "Service not found.");
        let service = cloud.ecs.service(id.0, id.1).ok_or_else(missing)?;
        Ok(json!({ "service": self.service(service) }))
    }

    fn list_tasks(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        cloud.advance(now);
        let cluster = self.cluster(cloud)?;
        let missing = || ApiError::new("ServiceNotFoundException", "Service not found.");
        let service = (cloud.ecs.service(cluster, self.text("serviceName"))).ok_or_else(missing)?;
        let from = self.asked["nextToken"].as_str().unwrap_or_default();
        let mut tasks = service.wanted().filter(|task| task.id.as_str() > from);
        let page: Vec<&Task> = tasks.by_ref().take(PAGE).collect();
        let arns: Vec<String> = page
            .iter()
            .map(|task| self.task_arn(service, task))
            .collect();
        let more = tasks.next().and(page.last()).map(|task| &task.id);
        Ok(json!({ "taskArns": arns, "nextToken": more }))
    }

    fn describe_tasks(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        cloud.advance(now);
        self.cluster(cloud)?;
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        let ids = self.texts("tasks");
        if ids.len() > PAGE {
            let what = "Tasks cannot be more than 100.";
            return Err(ApiError::new("InvalidParameterException", what));
        }
        for id in ids {
            match cloud.ecs.task(id) {
                Some((service, task)) => tasks.push(self.task(service, task)),
                None => failures.push(self.failure("task", id)),
            }
        }
        Ok(json!({ "tasks": tasks, "failures": failures }))
    }

    fn protect(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        self.cluster(cloud)?;
        let enabled = self.asked["protectionEnabled"].as_bool() == Some(true);
        let minutes = self.asked["expiresInMinutes"].as_u64().unwrap_or(120);
        for id in self.texts("tasks") {
            cloud.ecs.protect(id, enabled.then_some(minutes), now)?;
        }
        self.protection(cloud, now)
    }

    fn protection(&self, cloud: &mut Cloud, now: Time) -> ApiResult<Value> {
        self.cluster(cloud)?;
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for id in self.texts("tasks") {
            match cloud.ecs.task(id).filter(|(_, task)| task.is_wanted()) {
                Some((service, task)) => tasks.push(json!({
                    "taskArn": self.task_arn(service, task),
                    "protectionEnabled": task.is_protected(now),
                    "expirationDate": task.protected_until.map(Time::as_secs_f64),
                })),
                None => failures.push(self.failure("task", id)),
            }
        }
        Ok(json!({ "protectedTasks": tasks, "failures": failures }))
    }

    fn service(&self, service: &Service) -> Value {
        let running = service.wanted().filter(|task| task.is_running()).count();
        let path = format!("{}/{}", service.cluster, service.name);
        json!({
            "serviceArn": self.arn(&format!("service/{path}")),
            "serviceName": service.name,
            "clusterArn": self.arn(&format!("cluster/{}", service.cluster)),
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": running,
            "pendingCount": service.wanted().count() - running,
            "taskDefinition": self.arn(&format!("task-definition/{}", service.task_definition)),
        })
    }

    fn task(&self, service: &Service, task: &Task) -> Value {
        let (last_status, started, stopped) = match task.status {
            Status::Pending { .. } => ("PENDING", None, None),
            Status::Running { since } => ("RUNNING", Some(since), None),
            Status::Stopped { at } => ("STOPPED", None, Some(at)),
        };
        json!({
            "taskArn": self.task_arn(service, task),
            "clusterArn": self.arn(&format!("cluster/{}", service.cluster)),
            "group": format!("service:{}", service.name),
            "taskDefinitionArn": self.arn(&format!("task-definition/{}", task.task_definition)),
            "availabilityZone": format!("{}{}", self.call.region, task.zone),
            "lastStatus": last_status,
            "desiredStatus": if task.is_wanted() { "RUNNING" } else { "STOPPED" },
            "createdAt": task.created_at.as_secs_f64(),
            "startedAt": started.map(Time::as_secs_f64),
            "stoppedAt": stopped.map(Time::as_secs_f64),
        })
    }
}

/// The name at the end of an ARN, or the name itself.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
