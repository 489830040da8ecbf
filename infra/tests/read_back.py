"""Reads from the emulator, by boto3 and independently of Terraform, what was made.

read_back.py nothing FOLDER   fails when anything is there
read_back.py made FOLDER      fails when it is not what the policies in FOLDER say
read_back.py refreshed FOLDER fails when their groups' instances were not replaced as they must be

Prints one line for the table of steps; on failure every finding, and exit code 1.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import yaml


def main():
    what, folder = sys.argv[1:]
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    findings = Findings()
    policies = [yaml.safe_load(path.read_text()) for path in sorted(Path(folder).glob("*.yaml"))]
    if what == "nothing":
        nothing(findings)
    elif what == "refreshed":
        refreshed(findings, policies)
    else:
        made(findings, policies)
    findings.report()


def nothing(findings):
    """Every kind of thing that the configuration makes."""
    ec2 = boto3.client("ec2")
    groups = boto3.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    tasks = boto3.client("ecs").list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    clusters = boto3.client("ecs").describe_clusters(clusters=boto3.client("ecs").list_clusters()["clusterArns"])
    there = {
        "queues": boto3.client("sqs").list_queues().get("QueueUrls", []),
        "groups": groups,
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "security groups": [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
        "tables": boto3.client("dynamodb").list_tables()["TableNames"],
        "buckets": [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]],
        "roles": boto3.client("iam").list_roles()["Roles"],
        "instance profiles": boto3.client("iam").list_instance_profiles()["InstanceProfiles"],
        "clusters": [c for c in clusters["clusters"] if c["status"] == "ACTIVE"],
        "task definitions": tasks,
        "functions": boto3.client("lambda").list_functions()["Functions"],
        "alarms": boto3.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": boto3.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "schedules": boto3.client("scheduler").list_schedules()["Schedules"],
        "log groups": boto3.client("logs").describe_log_groups()["logGroups"],
    }
    for kind, found in there.items():
        findings.expect(f"{kind} there", found, [])


def made(findings, policies):
    for policy in policies:
        for queue in policy["queues"]:
            check_queue(findings, queue["name"])
        check_group(findings, policy)
        check_template(findings, policy)
    check_tables(findings)
    check_artifacts(findings, policies)
    check_controller(findings, policies)
    check_alarms(findings, policies)


def refreshed(findings, policies):
    """A new worker replaces protected instances, and no more than a tenth at a time."""
    for name in (policy["fleet"].get("auto_scaling_group") for policy in policies):
        if name is None:
            continue
        client = boto3.client("autoscaling")
        refreshes = client.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
        told = [refresh["Preferences"] for refresh in refreshes]
        expected = {"MinHealthyPercentage": 90, "ScaleInProtectedInstances": "Refresh", "SkipMatching": True, "StandbyInstances": "Ignore"}
        found = [{key: preferences.get(key) for key in expected} for preferences in told]
        findings.expect(f"{name}: refreshes", found, [expected])


def check_queue(findings, name):
    sqs = boto3.client("sqs")

    def attributes(queue):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    queue, dead = attributes(name), attributes(f"{name}-dlq")
    redrive, allow = json.loads(queue["RedrivePolicy"]), json.loads(dead["RedriveAllowPolicy"])
    findings.expect(f"{name}: dead letters go to", redrive["deadLetterTargetArn"], dead["QueueArn"])
    findings.expect(f"{name}: deliveries before that", redrive["maxReceiveCount"], 10)
    findings.expect(f"{name}-dlq: takes from", allow, {"redrivePermission": "byQueue", "sourceQueueArns": [queue["QueueArn"]]})
    longer = int(dead["MessageRetentionPeriod"]) > int(queue["MessageRetentionPeriod"])
    findings.expect(f"{name}-dlq: keeps for longer", longer, True)
    for label, found in ((name, queue), (f"{name}-dlq", dead)):
        findings.expect(f"{label}: encrypted", found["SqsManagedSseEnabled"], "true")
        statements = json.loads(found.get("Policy", "{}")).get("Statement", [])
        refusals = [statement["Condition"] for statement in statements if statement["Effect"] == "Deny"]
        findings.expect(f"{label}: refuses plain HTTP", refusals, [{"Bool": {"aws:SecureTransport": "false"}}])


def check_group(findings, policy):
    name, fleet = policy["fleet"]["auto_scaling_group"], policy["fleet"]
    autoscaling = boto3.client("autoscaling")
    [group] = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    size = (group["MinSize"], group["DesiredCapacity"], group["MaxSize"])
    findings.expect(f"{name}: min, desired, max", size, (fleet["min"], fleet["min"], fleet["max"]))
    findings.expect(f"{name}: protects new instances", group["NewInstancesProtectedFromScaleIn"], True)
    suspended = [process["ProcessName"] for process in group["SuspendedProcesses"]]
    findings.expect(f"{name}: suspended", suspended, ["AZRebalance"])
    tags = {tag["Key"]: tag["Value"] for tag in group["Tags"] if tag["PropagateAtLaunch"]}
    findings.expect(f"{name}: instances tagged with the fleet", tags.get("weir:fleet"), policy["name"])
    metrics = {metric["Metric"] for metric in group["EnabledMetrics"]}
    findings.expect(f"{name}: counts in service", "GroupInServiceInstances" in metrics, True)
    hooks = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
    kinds = {hook["LifecycleHookName"]: (hook["LifecycleTransition"], hook["DefaultResult"]) for hook in hooks}
    expected = {
        "weir-boot": ("autoscaling:EC2_INSTANCE_LAUNCHING", "ABANDON"),
        "weir-drain": ("autoscaling:EC2_INSTANCE_TERMINATING", "CONTINUE"),
    }
    findings.expect(f"{name}: hooks", kinds, expected)


def check_template(findings, policy):
    name = f"weir-{policy['name']}"
    versions = boto3.client("ec2").describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Latest"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    options = data["MetadataOptions"]
    findings.expect(f"{name}: metadata", (options["HttpTokens"], options["HttpPutResponseHopLimit"]), ("required", 1))
    volume = data["BlockDeviceMappings"][0]["Ebs"]
    findings.expect(f"{name}: volume", (volume["Encrypted"], volume["VolumeType"]), (True, "gp3"))
    script = base64.b64decode(data["UserData"]).decode()
    syntax = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    findings.expect(f"{name}: user data is a bash script", syntax.stderr, "")
    queues = ",".join(queue["name"] for queue in policy["queues"])
    for line in (f'WEIR_QUEUE="{queues}"', f'WEIR_FLEET="{policy["name"]}"', 'WEIR_STATE_TABLE="weir-state"'):
        findings.expect(f"{name}: user data says {line}", line in script.splitlines(), True)


def check_controller(findings, policies):
    """A function that the scheduler invokes every minute, and that reads all policies."""
    name = "weir-controller"
    schedule = boto3.client("scheduler").get_schedule(GroupName=name, Name="rounds")
    findings.expect(f"{name}: schedule", (schedule["ScheduleExpression"], schedule["State"]), ("rate(1 minute)", "ENABLED"))
    findings.expect(f"{name}: retries", schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 0)
    awslambda = boto3.client("lambda")
    function = awslambda.get_function(FunctionName=name)
    found = function["Configuration"]
    findings.expect(f"{name}: the schedule invokes", schedule["Target"]["Arn"], found["FunctionArn"])
    sizes = (found["Runtime"], found["MemorySize"], found["Timeout"], function["Concurrency"]["ReservedConcurrentExecutions"])
    findings.expect(f"{name}: runtime, memory, timeout, concurrency", sizes, ("provided.al2023", 128, 60, 1))
    bucket = next(bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith("weir-artifacts-"))
    findings.expect(f"{name}: reads", found["Environment"]["Variables"]["WEIR_POLICY"], f"s3://{bucket}/policies/")
    invoked = awslambda.get_function_event_invoke_config(FunctionName=name)
    findings.expect(f"{name}: repeats", (invoked["MaximumRetryAttempts"], invoked["MaximumEventAgeInSeconds"]), (0, 60))
    [group] = boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"/weir/{name}")["logGroups"]
    findings.expect(f"{name}: logs go to", (found["LoggingConfig"]["LogGroup"], group["retentionInDays"]), (group["logGroupName"], 30))
    check_rights(findings, found["Role"].split("/")[-1], policies)


def check_rights(findings, role, policies):
    """By the role's own documents: it may end instances of these groups and of no other."""
    document = boto3.client("iam").get_role_policy(RoleName=role, PolicyName="controller")["PolicyDocument"]
    [sizing] = [statement for statement in document["Statement"] if statement["Sid"] == "SizeGroups"]
    groups = sorted(arn.split("autoScalingGroupName/")[1] for arn in sizing["Resource"])
    findings.expect("weir-controller: may size", groups, sorted(policy["fleet"]["auto_scaling_group"] for policy in policies if "auto_scaling_group" in policy["fleet"]))


def check_alarms(findings, policies):
    """Every alarm says what it means, and the fleets' are on what the controller publishes."""
    alarms = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    findings.expect("alarms without a description", [alarm["AlarmName"] for alarm in alarms if not alarm.get("AlarmDescription")], [])
    for policy in policies:
        name = policy["name"]
        own = {alarm["MetricName"] for alarm in alarms if {"Name": "Fleet", "Value": name} in alarm["Dimensions"]}
        expected = {"OldestAgeSeconds", "Late", "Desired", "CapacityShort", "VerdictRefused", "PolicyRefused"}
        findings.expect(f"{name}: alarms on", own - {"BudgetLimited"}, expected)
        for queue in policy["queues"]:
            letters = [alarm["Dimensions"][0]["Value"] for alarm in alarms if alarm["AlarmName"] == f"weir-{queue['name']}-dead-letters"]
            findings.expect(f"{queue['name']}: alarm on dead letters of", letters, [f"{queue['name']}-dlq"])
    body = json.loads(boto3.client("cloudwatch").get_dashboard(DashboardName="weir")["DashboardBody"])
    texts = [widget["properties"]["markdown"] for widget in body["widgets"] if widget["type"] == "text"]
    findings.expect("dashboard: a header a fleet", len(texts), len(policies))


def check_tables(findings):
    dynamodb = boto3.client("dynamodb")
    for name, key in (("weir-jobs", ["job_id"]), ("weir-state", ["pk", "sk"])):
        table = dynamodb.describe_table(TableName=name)["Table"]
        findings.expect(f"{name}: key", [part["AttributeName"] for part in table["KeySchema"]], key)
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        findings.expect(f"{name}: TTL", (ttl["TimeToLiveStatus"], ttl["AttributeName"]), ("ENABLED", "expires_at"))
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        findings.expect(f"{name}: point-in-time recovery", recovery, "ENABLED")


def check_artifacts(findings, policies):
    s3 = boto3.client("s3")
    [bucket] = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith("weir-artifacts-")]
    findings.expect(f"{bucket}: versioned", s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled")
    closed = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    findings.expect(f"{bucket}: public access blocked", set(closed.values()), {True})
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    refused = (statement["Effect"], statement["Condition"])
    findings.expect(f"{bucket}: refuses plain HTTP", refused, ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="policies/").get("Contents", [])
    there = {entry["Key"]: yaml.safe_load(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()) for entry in listed}
    findings.expect(f"{bucket}: policies", there, {f"policies/{policy['name']}.yaml": policy for policy in policies})


class Findings:
    """What was looked at, and what was not as expected."""

    def __init__(self):
        self.looked = 0
        self.wrong = []

    def expect(self, what, found, expected):
        self.looked += 1
        if found != expected:
            self.wrong.append(f"{what}: found {found!r}, expected {expected!r}")

    def report(self):
        for line in self.wrong:
            print(line)
        print(f"{self.looked - len(self.wrong)} of {self.looked} as expected")
        sys.exit(1 if self.wrong else 0)


if __name__ == "__main__":
    main()
