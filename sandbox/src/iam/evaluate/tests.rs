//! The evaluator against IAM's documented logic, case by case.

use super::super::document;
use super::*;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:123456789012:thumbnails";
const TABLE: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/weir-state";

/// A case: its name, the statement the IAM User Guide is cited for, the identity's statements, the
/// access, whether it is allowed.
struct Case {
    name: &'static str,
    statements: &'static str,
    access: Access,
    allowed: bool,
}

fn keys(access: Access, keys: &[&str]) -> Access {
    access.with(
        "dynamodb:LeadingKeys",
        keys.iter().map(|key| (*key).to_owned()).collect(),
    )
}

fn of_fleet(fleet: Option<&str>) -> Access {
    let access = Access::new(
        "autoscaling:SetDesiredCapacity",
        "arn:aws:autoscaling:r:1:autoScalingGroup:u:autoScalingGroupName/g",
    );
    match fleet {
        Some(fleet) => access.with("aws:ResourceTag/weir:fleet", vec![fleet.to_owned()]),
        None => access,
    }
}

fn in_cluster(cluster: &str) -> Access {
    Access::new("ecs:RunTask", "arn:aws:ecs:r:1:task-definition/a:1")
        .with("ecs:cluster", vec![cluster.to_owned()])
}

const SEND: &str = r#"{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:123456789012:thumbnails"}"#;
const REPORT: &str = r#"{"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*",
    "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["reports#a", "reports#b"]}}}"#;
const FLEET: &str = r#"{"Effect": "Allow", "Action": "autoscaling:SetDesiredCapacity", "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/weir:fleet": "thumbnails"}}}"#;
const CLUSTER: &str = r#"{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*",
    "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:*:1:cluster/weir"}}}"#;
const PLAIN_HTTP: &str = r#"{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
    {"Sid": "Tls", "Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#;
const EVERY_CONDITION: &str = r#"{"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
    "Condition": {"StringEquals": {"cloudwatch:namespace": "Weir/Fleet"}, "Bool": {"aws:SecureTransport": true}}}"#;

fn case(name: &'static str, statements: &'static str, access: Access, allowed: bool) -> Case {
    Case {
        name,
        statements,
        access,
        allowed,
    }
}

fn send() -> Access {
    Access::new("sqs:SendMessage", QUEUE)
}

fn put() -> Access {
    Access::new("dynamodb:PutItem", TABLE)
}

fn plain() -> Access {
    send().with("aws:SecureTransport", vec!["false".into()])
}

fn publish(namespace: &str) -> Access {
    Access::new("cloudwatch:PutMetricData", "*")
        .with("cloudwatch:namespace", vec![namespace.to_owned()])
}

/// Effects, actions and resources.
fn plain_cases() -> Vec<Case> {
    vec![
        // "Policy evaluation logic": by default, all requests are denied.
        case("denied where nothing allows", "", send(), false),
        // "... an explicit allow in an identity-based policy overrides this default".
        case("allowed where a statement allows", SEND, send(), true),
        // "Action": each names one operation; others are not meant.
        case(
            "denied for another action",
            SEND,
            Access::new("sqs:DeleteMessage", QUEUE),
            false,
        ),
        // "Resource": the statement covers only the objects it names.
        case(
            "denied for another resource",
            SEND,
            Access::new(
                "sqs:SendMessage",
                "arn:aws:sqs:eu-west-1:123456789012:other",
            ),
            false,
        ),
        // "Action": names are case-insensitive.
        case(
            "allowed whatever the action's case",
            r#"{"Effect": "Allow", "Action": "SQS:sendmessage", "Resource": "*"}"#,
            send(),
            true,
        ),
        // "Policy evaluation logic": an explicit deny in any policy overrides any allows.
        case(
            "denied where one statement denies and another allows",
            r#"{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"}"#,
            send(),
            false,
        ),
    ]
}

/// Conditions.
fn condition_cases() -> Vec<Case> {
    vec![
        // "Condition": a statement applies only when its conditions hold, a deny as well.
        case(
            "a deny of plain HTTP lets TLS through",
            PLAIN_HTTP,
            send(),
            true,
        ),
        case(
            "a deny of plain HTTP stops plain HTTP",
            PLAIN_HTTP,
            plain(),
            false,
        ),
        // "Multiple keys or operators": a logical AND.
        case(
            "allowed when every condition holds",
            EVERY_CONDITION,
            publish("Weir/Fleet"),
            true,
        ),
        case(
            "denied when one condition fails",
            EVERY_CONDITION,
            publish("AWS/EC2"),
            false,
        ),
        // "Set operators for multivalued context keys", ForAllValues: every value of the request.
        case(
            "all leading keys are among those named",
            REPORT,
            keys(put(), &["reports#a", "reports#b"]),
            true,
        ),
        case(
            "one leading key is not named",
            REPORT,
            keys(put(), &["reports#a", "journal#a"]),
            false,
        ),
        // The same: "also returns true if there are no context keys in the request".
        case(
            "ForAllValues holds where the key is absent",
            REPORT,
            put(),
            true,
        ),
        // "Condition operators", StringEquals: exact, case-sensitive; a missing key does not match.
        case(
            "the resource carries the tag",
            FLEET,
            of_fleet(Some("thumbnails")),
            true,
        ),
        case(
            "the resource carries another tag",
            FLEET,
            of_fleet(Some("Thumbnails")),
            false,
        ),
        case("the resource carries no tag", FLEET, of_fleet(None), false),
        // "ARN condition operators": ArnEquals takes wildcards, within a part.
        case(
            "the ARN matches part by part",
            CLUSTER,
            in_cluster("arn:aws:ecs:eu-west-1:1:cluster/weir"),
            true,
        ),
        case(
            "the ARN is another",
            CLUSTER,
            in_cluster("arn:aws:ecs:eu-west-1:1:cluster/weir2"),
            false,
        ),
        // "Resource": an action without resources needs *, an ARN never matches it.
        case(
            "an action without resources is not allowed by an ARN",
            r#"{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "arn:aws:ec2:eu-west-1:1:instance/*"}"#,
            Access::new("ec2:DescribeInstances", "*"),
            false,
        ),
    ]
}

fn statements(json: &str) -> Vec<Statement> {
    document::read("test", &format!(r#"{{"Statement": [{json}]}}"#)).unwrap()
}

#[test]
fn decides_as_the_iam_user_guide_says() {
    for case in plain_cases().into_iter().chain(condition_cases()) {
        let policies = Policies {
            identity: statements(case.statements),
            boundary: None,
        };
        let decision = decide(&policies, &[], &case.access);
        let allowed = matches!(decision, Decision::Allowed(_));
        assert_eq!(allowed, case.allowed, "{}: {decision:?}", case.name);
    }
}

/// "Permissions boundaries for IAM entities": effective is what both allow.
#[test]
fn boundary_must_allow_as_well() {
    let mut policies = Policies {
        identity: statements(SEND),
        boundary: Some(statements(SEND)),
    };
    let send = Access::new("sqs:SendMessage", QUEUE);
    assert_eq!(decide(&policies, &[], &send), Decision::Allowed(vec![0]));
    policies.boundary = Some(statements(REPORT));
    assert_eq!(
        decide(&policies, &[], &send),
        Decision::NotAllowed("permissions boundary")
    );
    policies.identity.clear();
    policies.boundary = Some(statements(SEND));
    assert_eq!(
        decide(&policies, &[], &send),
        Decision::NotAllowed("identity-based policy")
    );
}

/// "Policy evaluation for requests within a single account": identity- or resource-based allows
/// suffice, and either's deny ends it.
#[test]
fn resources_own_policy_allows_and_denies_too() {
    let send = Access::new("sqs:SendMessage", QUEUE);
    let nothing = Policies::default();
    let open =
        statements(r#"{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}"#);
    assert_eq!(
        decide(&nothing, &open, &send),
        Decision::Allowed(Vec::new())
    );
    let service = statements(
        r#"{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": "*"}"#,
    );
    assert_eq!(
        decide(&nothing, &service, &send),
        Decision::NotAllowed("identity-based policy")
    );
    let policies = Policies {
        identity: statements(SEND),
        boundary: None,
    };
    let closed = statements(
        r#"{"Sid": "Shut", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}"#,
    );
    assert_eq!(
        decide(&policies, &closed, &send),
        Decision::DeniedBy("test, Shut".into())
    );
}
