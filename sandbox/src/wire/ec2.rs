//! EC2 over HTTP: the EC2 Query protocol, answered in XML.

use axum::http::StatusCode;
use axum::response::Response;

use super::query::{Params, page};
use super::request::{Call, Protocol};
use super::xml::Xml;
use super::{SharedCloud, reply};
use crate::cloud::ec2::{Ec2, Filter, Instance, LaunchTemplate, TemplateData, TemplateSpec};
use crate::cloud::{ACCOUNT, ApiError, ApiResult, Tags};

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

type Answer = Box<dyn FnOnce(&mut Xml)>;

pub(super) fn answer(cloud: &SharedCloud, call: &Call, action: &str) -> Response {
    if call.protocol != Protocol::Query {
        return super::request::unreadable("EC2 is played in its Query protocol only.");
    }
    let params = call.params();
    let result = match action {
        "DescribeInstances" => describe_instances(cloud, &params),
        "TerminateInstances" => terminate(cloud, &params),
        "CreateTags" => create_tags(cloud, &params),
        "CreateLaunchTemplate" => create_template(cloud, &params),
        "CreateLaunchTemplateVersion" => create_version(cloud, &params),
        "ModifyLaunchTemplate" => modify_template(cloud, &params),
        "DeleteLaunchTemplate" => delete_template(cloud, &params),
        "DescribeLaunchTemplates" => describe_templates(cloud, &params),
        "DescribeLaunchTemplateVersions" => describe_versions(cloud, &params),
        _ => Err(ApiError::new(
            "InvalidAction",
            format!("EC2's operation {action} is not played here."),
        )),
    };
    cloud.wake_driver();
    match result {
        Ok(answer) => {
            let body = Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
                xml.text("requestId", reply::REQUEST_ID);
                answer(xml);
            });
            reply::xml(StatusCode::OK, body)
        }
        Err(error) => error_response(&error),
    }
}

fn error_response(error: &ApiError) -> Response {
    let body = error_document(error.code, &error.message);
    reply::xml(StatusCode::BAD_REQUEST, body)
}

pub(super) fn error_document(code: &str, message: &str) -> String {
    Xml::document("Response", NAMESPACE, |xml| {
        xml.node("Errors", |xml| {
            xml.node("Error", |xml| {
                xml.text("Code", code);
                xml.text("Message", message);
            });
        });
        xml.text("RequestID", reply::REQUEST_ID);
    })
}

fn describe_instances(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let ids = params.strings("InstanceId");
    let filters = read_filters(params)?;
    let found: Vec<Instance> = cloud.quietly(|cloud, now| {
        cloud.advance(now);
        let found = cloud.ec2.describe(&ids, &filters)?;
        Ok(found.into_iter().cloned().collect())
    })?;
    let size = params.read("MaxResults")?.unwrap_or(1_000).clamp(5, 1_000);
    let page = page(found, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        // One reservation for each instance, as Auto Scaling makes them.
        xml.list("reservationSet", "item", &page.items, |xml, instance| {
            xml.text("reservationId", instance.id.replacen("i-", "r-", 1));
            xml.text("ownerId", ACCOUNT);
            xml.list("instancesSet", "item", [instance], write_instance);
        });
        xml.opt("nextToken", page.next);
    }))
}

fn read_filters(params: &Params) -> ApiResult<Vec<Filter>> {
    let read = |filter: &Params| {
        Ok(Filter {
            name: filter.require("Name")?.to_owned(),
            values: filter.strings("Value"),
        })
    };
    params.structures("Filter").iter().map(read).collect()
}

fn write_instance(xml: &mut Xml, instance: &Instance) {
    xml.text("instanceId", &instance.id);
    xml.text("imageId", &instance.image_id);
    xml.node("instanceState", |xml| {
        xml.text("code", instance.state.code());
        xml.text("name", instance.state.name());
    });
    xml.text("instanceType", &instance.instance_type);
    xml.text("launchTime", instance.launched_at);
    xml.node("placement", |xml| {
        xml.text("availabilityZone", &instance.zone);
        xml.text("tenancy", "default");
    });
    xml.node("monitoring", |xml| xml.text("state", "disabled"));
    if instance.ended_at.is_none() {
        xml.text("privateIpAddress", &instance.private_ip);
        let host = instance.private_ip.replace('.', "-");
        xml.text("privateDnsName", format!("ip-{host}.ec2.internal"));
    }
    xml.text("architecture", "x86_64");
    tag_set(xml, &instance.tags);
}

fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.list("tagSet", "item", tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

fn terminate(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let ids = params.strings("InstanceId");
    if ids.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter InstanceId.",
        ));
    }
    let ended: Vec<_> = cloud.quietly(|cloud, now| {
        let before = cloud.terminate_instances(now, &ids)?;
        let with_state = before.into_iter().map(|(id, before)| {
            let after = cloud.ec2.instance(&id).map_or(before, |found| found.state);
            (id, before, after)
        });
        Ok(with_state.collect())
    })?;
    Ok(Box::new(move |xml| {
        xml.list(
            "instancesSet",
            "item",
            &ended,
            |xml, (id, before, after)| {
                xml.text("instanceId", id);
                for (name, state) in [("currentState", after), ("previousState", before)] {
                    xml.node(name, |xml| {
                        xml.text("code", state.code());
                        xml.text("name", state.name());
                    });
                }
            },
        );
    }))
}

fn create_tags(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let tags = read_tags(&params.structures("Tag"));
    let ids = params.strings("ResourceId");
    cloud.quietly(|cloud, _| ids.iter().try_for_each(|id| cloud.ec2.tag(id, &tags)))?;
    Ok(Box::new(|xml| xml.text("return", true)))
}

fn read_tags(tags: &[Params]) -> Tags {
    let pair = |tag: &Params| Some((tag.string("Key")?, tag.string("Value").unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

/// Tags that a request gives to what it makes, by kind of resource.
fn tags_for(params: &Params, resource: &str) -> Tags {
    let specifications = params.structures("TagSpecification");
    let wanted = |spec: &&Params| spec.get("ResourceType") == Some(resource);
    let found = specifications.iter().find(wanted);
    found.map_or_else(Tags::new, |spec| read_tags(&spec.structures("Tag")))
}

fn read_data(params: &Params) -> TemplateData {
    let data = params.structure("LaunchTemplateData");
    let profile = data.structure("IamInstanceProfile");
    TemplateData {
        image_id: data.string("ImageId"),
        instance_type: data.string("InstanceType"),
        user_data: data.string("UserData"),
        instance_profile: profile.string("Name").or(profile.string("Arn")),
        instance_tags: tags_for(&data, "instance"),
    }
}

fn read_spec(params: &Params) -> TemplateSpec {
    TemplateSpec {
        id: params.string("LaunchTemplateId"),
        name: params.string("LaunchTemplateName"),
        version: None,
    }
}

fn create_template(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let name = params.require("LaunchTemplateName")?;
    let tags = tags_for(params, "launch-template");
    let data = read_data(params);
    let template = cloud.quietly(|cloud, now| {
        let template = cloud.ec2.create_launch_template(now, name, data)?;
        template.tags = tags;
        Ok(template.clone())
    })?;
    Ok(Box::new(move |xml| {
        xml.node("launchTemplate", |xml| write_template(xml, &template));
    }))
}

fn create_version(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let (spec, data) = (read_spec(params), read_data(params));
    let description = params.string("VersionDescription");
    let template = cloud.quietly(|cloud, now| {
        let template = cloud.ec2.template_mut(&spec)?;
        template.add_version(now, description, data);
        Ok(template.clone())
    })?;
    Ok(Box::new(move |xml| {
        let number = template.versions.len();
        xml.node("launchTemplateVersion", |xml| {
            write_version(xml, &template, number);
        });
    }))
}

fn modify_template(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let spec = read_spec(params);
    // The API calls it `SetDefaultVersion`, and the CLI `DefaultVersion`.
    let wanted = params
        .get("SetDefaultVersion")
        .or(params.get("DefaultVersion"));
    let template = cloud.quietly(|cloud, _| {
        let template = cloud.ec2.template_mut(&spec)?;
        let number = template.version_number(wanted).ok_or_else(|| {
            ApiError::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!(
                    "The launch template {} has no version {}.",
                    template.name,
                    wanted.unwrap_or("")
                ),
            )
        })?;
        template.default_version = number;
        Ok(template.clone())
    })?;
    Ok(Box::new(move |xml| {
        xml.node("launchTemplate", |xml| write_template(xml, &template));
    }))
}

fn delete_template(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let spec = read_spec(params);
    let template = cloud.quietly(|cloud, _| cloud.ec2.delete_launch_template(&spec))?;
    Ok(Box::new(move |xml| {
        xml.node("launchTemplate", |xml| write_template(xml, &template));
    }))
}

fn describe_templates(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let found = cloud.quietly(|cloud, _| asked_templates(&cloud.ec2, params))?;
    let size = params.read("MaxResults")?.unwrap_or(200).min(200);
    let page = page(found, params.get("NextToken"), size)?;
    Ok(Box::new(move |xml| {
        xml.list("launchTemplates", "item", &page.items, write_template);
        xml.opt("nextToken", page.next);
    }))
}

/// Those named, or else all; a name or id that does not exist is an error.
fn asked_templates(ec2: &Ec2, params: &Params) -> ApiResult<Vec<LaunchTemplate>> {
    let by_id = params
        .strings("LaunchTemplateId")
        .into_iter()
        .map(|id| TemplateSpec {
            id: Some(id),
            ..TemplateSpec::default()
        });
    let by_name = params
        .strings("LaunchTemplateName")
        .into_iter()
        .map(|name| TemplateSpec {
            name: Some(name),
            ..TemplateSpec::default()
        });
    let specs: Vec<TemplateSpec> = by_id.chain(by_name).collect();
    if specs.is_empty() {
        return Ok(ec2.templates().cloned().collect());
    }
    specs
        .iter()
        .map(|spec| ec2.template(spec).cloned())
        .collect()
}

fn write_template(xml: &mut Xml, template: &LaunchTemplate) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("createTime", template.created_at);
    xml.text("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"));
    xml.text("defaultVersionNumber", template.default_version);
    xml.text("latestVersionNumber", template.versions.len());
    tag_set(xml, &template.tags);
}

fn describe_versions(cloud: &SharedCloud, params: &Params) -> ApiResult<Answer> {
    let spec = read_spec(params);
    let template = cloud.quietly(|cloud, _| cloud.ec2.template(&spec).cloned())?;
    let asked = params.strings("LaunchTemplateVersion");
    let numbers: Vec<usize> = if asked.is_empty() {
        (1..=template.versions.len()).rev().collect()
    } else {
        asked
            .iter()
            .filter_map(|version| template.version_number(Some(version)))
            .collect()
    };
    Ok(Box::new(move |xml| {
        xml.list(
            "launchTemplateVersionSet",
            "item",
            numbers,
            |xml, number| {
                write_version(xml, &template, number);
            },
        );
    }))
}

fn write_version(xml: &mut Xml, template: &LaunchTemplate, number: usize) {
    let Some(version) = number
        .checked_sub(1)
        .and_then(|at| template.versions.get(at))
    else {
        return;
    };
    let data = &version.data;
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("versionNumber", number);
    xml.opt("versionDescription", version.description.as_ref());
    xml.text("createTime", version.created_at);
    xml.text("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"));
    xml.text("defaultVersion", number == template.default_version);
    xml.node("launchTemplateData", |xml| {
        xml.opt("imageId", data.image_id.as_ref());
        xml.opt("instanceType", data.instance_type.as_ref());
        xml.opt("userData", data.user_data.as_ref());
        if let Some(profile) = &data.instance_profile {
            xml.node("iamInstanceProfile", |xml| {
                xml.text(
                    if profile.starts_with("arn:") {
                        "arn"
                    } else {
                        "name"
                    },
                    profile,
                );
            });
        }
        if !data.instance_tags.is_empty() {
            xml.list(
                "tagSpecificationSet",
                "item",
                [&data.instance_tags],
                |xml, tags| {
                    xml.text("resourceType", "instance");
                    tag_set(xml, tags);
                },
            );
        }
    });
}
