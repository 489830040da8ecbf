//! The operations on queues.

use serde_json::json;

use super::super::SharedCloud;
use super::super::query::page;
use super::super::request::Call;
use super::shapes::{
    CreateQueue, GetAttributes, ListQueues, NamedQueue, OnQueue, QueueUrl, QueueUrls,
    SetAttributes, SetTags,
};
use super::{Body, Empty, queue_name, read, write};
use crate::cloud::sqs::NewQueue;
use crate::cloud::{ACCOUNT, ApiResult};

/// The answer, if the action is one of these.
pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Option<ApiResult<Body>> {
    Some(match action {
        "CreateQueue" => create(cloud, call),
        "GetQueueUrl" => get_url(cloud, call),
        "ListQueues" => list(cloud, call),
        "DeleteQueue" => delete(cloud, call),
        "PurgeQueue" => purge(cloud, call),
        "GetQueueAttributes" => get_attributes(cloud, call),
        "SetQueueAttributes" => set_attributes(cloud, call),
        "TagQueue" | "UntagQueue" => set_tags(cloud, call),
        "ListQueueTags" => list_tags(cloud, call),
        "ListDeadLetterSourceQueues" => list_sources(cloud, call),
        _ => return None,
    })
}

fn url(call: &Call, name: &str) -> String {
    format!("http://{}/{ACCOUNT}/{name}", call.host)
}

fn create(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: CreateQueue = read(call)?;
    let queue_url = url(call, &request.queue_name);
    let new = NewQueue {
        name: request.queue_name,
        region: call.region.clone(),
        settings: request.attributes,
        tags: request.tags,
    };
    cloud.quietly(|cloud, now| cloud.sqs.create_queue(now, new))?;
    write(&QueueUrl { queue_url })
}

fn get_url(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: NamedQueue = read(call)?;
    cloud.quietly(|cloud, _| cloud.sqs.require(&request.queue_name))?;
    write(&QueueUrl {
        queue_url: url(call, &request.queue_name),
    })
}

fn list(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: ListQueues = read(call)?;
    let urls = cloud.quietly(|cloud, _| {
        let names = cloud.sqs.names(&request.queue_name_prefix);
        names.map(|name| url(call, name)).collect()
    });
    let size = request.max_results.unwrap_or(1_000);
    let page = page(urls, request.next_token.as_deref(), size)?;
    write(&QueueUrls {
        queue_urls: page.items,
        // Without MaxResults there is never a token (`ListQueues`).
        next_token: page.next.filter(|_| request.max_results.is_some()),
    })
}

fn delete(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: OnQueue = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    cloud.quietly(|cloud, now| cloud.sqs.delete_queue(now, queue))?;
    write(&Empty {})
}

fn purge(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: OnQueue = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    cloud.quietly(|cloud, now| cloud.sqs.purge(now, queue))?;
    write(&Empty {})
}

fn get_attributes(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: GetAttributes = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let wanted = &request.attribute_names;
    let attributes = cloud.quietly(|cloud, now| cloud.sqs.attributes(now, queue, wanted))?;
    if attributes.is_empty() {
        return write(&Empty {});
    }
    write(&json!({ "Attributes": attributes }))
}

fn set_attributes(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: SetAttributes = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let changes = &request.attributes;
    cloud.quietly(|cloud, now| cloud.sqs.set_attributes(now, queue, changes))?;
    write(&Empty {})
}

/// Tags to set stand in `Tags`, tags to take off in `TagKeys`; each action has one of the two.
fn set_tags(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: SetTags = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    cloud.quietly(|cloud, _| {
        let tags = cloud.sqs.tags_mut(queue)?;
        tags.extend(request.tags);
        tags.retain(|key, _| !request.tag_keys.contains(key));
        Ok(())
    })?;
    write(&Empty {})
}

fn list_tags(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: OnQueue = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let tags = cloud.quietly(|cloud, _| cloud.sqs.tags(queue).cloned())?;
    if tags.is_empty() {
        return write(&Empty {});
    }
    write(&json!({ "Tags": tags }))
}

fn list_sources(cloud: &SharedCloud, call: &Call) -> ApiResult<Body> {
    let request: OnQueue = read(call)?;
    let queue = queue_name(&request.queue_url)?;
    let urls: Vec<String> = cloud.quietly(|cloud, _| {
        let sources = cloud.sqs.dead_letter_sources(queue)?;
        Ok(sources.into_iter().map(|name| url(call, name)).collect())
    })?;
    write(&json!({ "queueUrls": urls }))
}
