//! EC2: instances and launch templates. The SDK's crate for EC2 is as large as all others together, so
//! the answers are read by hand unless the feature `ec2` is on.

use std::time::Duration;

use aws_sdk_autoscaling::types::LifecycleState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::autoscaling::{described, group, ids_in};
use crate::harness::Aws;

/// A call in the EC2 Query protocol; the answer's status line and body.
async fn call(aws: &Aws, body: &str) -> (String, String) {
    let host = aws.endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ec2/aws4_request, \
         SignedHeaders=host, Signature=00\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .unwrap()
        .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

fn all<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let parts = xml.split(open.as_str()).skip(1);
    parts
        .filter_map(|part| part.split(close.as_str()).next())
        .collect()
}

/// `DescribeInstances`: by id and by filter; state, launch time, zone, address and the group's tag.
#[tokio::test]
async fn instances_of_a_group_are_described() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 2]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let (status, body) = call(
        &aws,
        &format!(
            "Action=DescribeInstances&Version=2016-11-15&InstanceId.1={}",
            ids[1]
        ),
    )
    .await;
    assert!(status.contains("200"), "{status} {body}");
    assert_eq!(all(&body, "instanceId"), [ids[1].as_str()]);
    assert_eq!(all(all(&body, "instanceState")[0], "name"), ["running"]);
    assert_eq!(all(&body, "availabilityZone"), ["eu-west-1b"]);
    assert!(all(&body, "privateIpAddress")[0].starts_with("10.0."));
    assert!(all(&body, "launchTime")[0].ends_with('Z'));
    let filter = "Filter.1.Name=tag%3Aaws%3Aautoscaling%3AgroupName&Filter.1.Value.1=workers";
    let (_, body) = call(&aws, &format!("Action=DescribeInstances&{filter}")).await;
    assert_eq!(all(&body, "instanceId").len(), 2);
    let other = "&Filter.2.Name=instance-state-name&Filter.2.Value.1=pending";
    let (_, body) = call(&aws, &format!("Action=DescribeInstances&{filter}{other}")).await;
    assert!(
        all(&body, "instanceId").is_empty(),
        "filters narrow each other"
    );
}

/// `DescribeInstances`: an id that does not exist is `InvalidInstanceID.NotFound`.
#[tokio::test]
async fn an_unknown_instance_is_an_error() {
    let aws = Aws::start().await;
    let (status, body) = call(&aws, "Action=DescribeInstances&InstanceId.1=i-0").await;
    assert!(status.contains("400"), "{status}");
    assert_eq!(all(&body, "Code"), ["InvalidInstanceID.NotFound"]);
}

/// `TerminateInstances`: the instance of a group is ended, stays visible as `terminated`, and is
/// replaced.
#[tokio::test]
async fn a_terminated_instance_stays_visible_and_is_replaced() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let (_, body) = call(
        &aws,
        &format!("Action=TerminateInstances&InstanceId.1={}", ids[0]),
    )
    .await;
    let previous = all(&body, "previousState")[0].to_owned();
    assert_eq!(all(&previous, "name"), ["running"]);
    let (_, body) = call(
        &aws,
        &format!("Action=DescribeInstances&InstanceId.1={}", ids[0]),
    )
    .await;
    assert_eq!(all(all(&body, "instanceState")[0], "name"), ["terminated"]);
    aws.skip(2);
    assert_eq!(described(&aws).await.instances().len(), 1);
    assert_ne!(ids_in(&aws, LifecycleState::InService).await, ids);
}

/// `CreateLaunchTemplate`, `CreateLaunchTemplateVersion`, `DescribeLaunchTemplateVersions`.
#[tokio::test]
async fn launch_templates_have_versions() {
    let aws = Aws::start().await;
    let data = "LaunchTemplateName=t&LaunchTemplateData.InstanceType=c7g.large";
    let (status, body) = call(&aws, &format!("Action=CreateLaunchTemplate&{data}")).await;
    assert!(status.contains("200"), "{body}");
    let data = "LaunchTemplateName=t&LaunchTemplateData.InstanceType=c7g.xlarge";
    call(&aws, &format!("Action=CreateLaunchTemplateVersion&{data}")).await;
    let versions = "Action=DescribeLaunchTemplateVersions&LaunchTemplateName=t";
    let (_, body) = call(&aws, versions).await;
    assert_eq!(all(&body, "instanceType"), ["c7g.xlarge", "c7g.large"]);
    let (_, body) = call(
        &aws,
        &format!("{versions}&LaunchTemplateVersion.1=%24Default"),
    )
    .await;
    assert_eq!(all(&body, "instanceType"), ["c7g.large"]);
    let (_, body) = call(
        &aws,
        "Action=DescribeLaunchTemplates&LaunchTemplateName.1=absent",
    )
    .await;
    assert_eq!(
        all(&body, "Code"),
        ["InvalidLaunchTemplateName.NotFoundException"]
    );
    let (_, body) = call(&aws, "Action=CreateLaunchTemplate&LaunchTemplateName=t").await;
    assert_eq!(
        all(&body, "Code"),
        ["InvalidLaunchTemplateName.AlreadyExistsException"]
    );
}

/// The same through the SDK.
#[cfg(feature = "ec2")]
#[tokio::test]
async fn the_sdk_reads_instances() {
    let aws = Aws::start().await;
    group(&aws, [0, 5, 1]).await;
    let ids = ids_in(&aws, LifecycleState::InService).await;
    let got = aws
        .ec2()
        .describe_instances()
        .instance_ids(&ids[0])
        .send()
        .await
        .unwrap();
    let instance = &got.reservations()[0].instances()[0];
    assert_eq!(instance.instance_id(), Some(ids[0].as_str()));
    assert!(instance.launch_time().is_some());
    assert_eq!(
        instance.state().unwrap().name().unwrap().as_str(),
        "running"
    );
}
