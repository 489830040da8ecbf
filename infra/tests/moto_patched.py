"""moto's server on a free loopback port, corrected where it differs from AWS in what Terraform
reads back. Prints its URL once it listens; ends on SIGTERM.

Each correction is a function that names the AWS behaviour it stands for. None adds behaviour in
time: a plan that comes out empty here proves the configuration's shape, not that AWS would act
on it.
"""

import json
import signal
import sys
import uuid

import moto.autoscaling.models as autoscaling
import moto.autoscaling.responses as autoscaling_wire
import moto.awslambda.models as functions
import moto.dynamodb.models.table as dynamodb_table
import moto.dynamodb.responses as dynamodb_wire
import moto.ec2.models.launch_templates as launch_templates
import moto.ecs.responses as ecs_wire
import moto.s3.models as s3
import moto.s3.responses as s3_wire
import moto.sqs.models as sqs
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

COMPACT = (",", ":")


def queue_attributes_come_back_as_sent():
    """SQS GetQueueAttributes returns RedrivePolicy as the text that was set (moto spaces it out),
    and RedriveAllowPolicy when one is set (moto forgets it)."""
    sqs.Queue.redrive_allow_policy = None
    sqs.Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    as_moto_has_them = sqs.Queue.attributes.fget

    def attributes(queue):
        found = as_moto_has_them(queue)
        if queue.redrive_policy:
            found["RedrivePolicy"] = json.dumps(queue.redrive_policy, separators=COMPACT)
        # An empty text unsets it, after which SQS leaves the attribute out.
        if not found.get("RedriveAllowPolicy"):
            found.pop("RedriveAllowPolicy", None)
        return found

    sqs.Queue.attributes = property(attributes)


def setting_some_attributes_keeps_the_rest():
    """SQS SetQueueAttributes changes only what it names (moto drops the Policy with every call
    that does not repeat it)."""
    as_moto_sets_them = sqs.Queue._set_attributes

    def set_attributes(queue, attributes, now=None):
        policy_before = getattr(queue, "policy", None)
        as_moto_sets_them(queue, attributes, now)
        if "Policy" not in attributes:
            queue.policy = policy_before

    sqs.Queue._set_attributes = set_attributes


def hooks_notify_nobody_unless_asked():
    """Auto Scaling DescribeLifecycleHooks shows a notification target and role only where
    PutLifecycleHook gave them (moto makes both up)."""
    as_moto_makes_them = autoscaling.LifecycleHook.__init__

    def init(hook, *args, **kwargs):
        as_moto_makes_them(hook, *args, **kwargs)
        hook.role_arn = None
        hook.notification_target_arn = None

    autoscaling.LifecycleHook.__init__ = init


def groups_keep_their_default_warmup():
    """Auto Scaling stores DefaultInstanceWarmup from CreateAutoScalingGroup and
    UpdateAutoScalingGroup and describes it (moto drops it)."""
    wire = autoscaling_wire.AutoScalingResponse

    def keeping(action):
        def call(request):
            answer = action(request)
            seconds = request._get_param("DefaultInstanceWarmup")
            if seconds is not None:
                groups = request.autoscaling_backend.autoscaling_groups
                group = groups[request._get_param("AutoScalingGroupName")]
                group.default_instance_warmup = int(seconds)
            return answer

        return call

    for name in ("create_auto_scaling_group", "update_auto_scaling_group"):
        setattr(wire, name, keeping(getattr(wire, name)))


def updates_change_only_what_they_name():
    """Auto Scaling UpdateAutoScalingGroup leaves alone what the request does not name (moto forgets
    the mixed instances policy), takes CapacityRebalance and TerminationPolicies (moto does not), and
    makes a group a plain one when it names a launch template."""
    wire = autoscaling_wire.AutoScalingResponse
    as_moto_updates_them = wire.update_auto_scaling_group

    def update_auto_scaling_group(request):
        group = request.autoscaling_backend.autoscaling_groups[request._get_param("AutoScalingGroupName")]
        mixed_before = group.mixed_instances_policy
        answer = as_moto_updates_them(request)
        if not request._get_param("LaunchTemplate") and not request._get_param("MixedInstancesPolicy"):
            group.mixed_instances_policy = mixed_before
        rebalance = request._get_bool_param("CapacityRebalance", None)
        if rebalance is not None:
            group.capacity_rebalance = rebalance
        policies = request._get_param("TerminationPolicies", [])
        if policies:
            group.termination_policies = policies
        return answer

    wire.update_auto_scaling_group = update_auto_scaling_group


def instance_refreshes_can_be_started():
    """Auto Scaling StartInstanceRefresh answers with an id, and DescribeInstanceRefreshes shows it
    with its preferences, newest first (moto has neither). Nothing is replaced here: a refresh of a
    group without instances is successful at once."""
    wire = autoscaling_wire.AutoScalingResponse

    def start_instance_refresh(request):
        name = request._get_param("AutoScalingGroupName")
        group = request.autoscaling_backend.autoscaling_groups[name]
        group.refreshes = getattr(group, "refreshes", [])
        refresh = {
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": name,
            "Status": "Successful",
            "Preferences": request._get_param("Preferences", {}),
        }
        group.refreshes.insert(0, refresh)
        return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})

    def describe_instance_refreshes(request):
        group = request.autoscaling_backend.autoscaling_groups[request._get_param("AutoScalingGroupName")]
        return ActionResult({"InstanceRefreshes": getattr(group, "refreshes", [])})

    wire.start_instance_refresh = start_instance_refresh
    wire.describe_instance_refreshes = describe_instance_refreshes


def services_keep_how_they_run():
    """ECS CreateService keeps the capacity provider strategy (and then has no launch type), the
    deployment configuration, zone rebalancing and managed tags, and DescribeServices shows them
    (moto forgets them all, and makes up a launch type)."""
    wire = ecs_wire.EC2ContainerServiceResponse
    as_moto_creates_them = wire.create_service

    def create_service(request):
        answer = as_moto_creates_them(request)
        cluster = request._get_param("cluster", "default").split("/")[-1]
        service = request.ecs_backend.services[f"{cluster}:{request._get_param('serviceName')}"]
        service.capacity_provider_strategy = request._get_param("capacityProviderStrategy")
        service.deployment_configuration = request._get_param("deploymentConfiguration")
        service.availability_zone_rebalancing = request._get_param("availabilityZoneRebalancing", "ENABLED")
        service.enable_ecs_managed_tags = request._get_param("enableECSManagedTags", False)
        service.platform_version = service.platform_version or "LATEST"
        if service.capacity_provider_strategy:
            service.launch_type = None
        return answer

    wire.create_service = create_service


def templates_do_not_tag_themselves():
    """EC2 CreateLaunchTemplate takes the request's TagSpecifications for the template itself and
    keeps them out of LaunchTemplateData (moto writes them into it)."""
    as_moto_makes_them = launch_templates.LaunchTemplateVersion.__init__

    def init(version, template, number, data, *args, **kwargs):
        if "TagSpecifications" in data:
            data["TagSpecifications"] = [
                tags
                for tags in data["TagSpecifications"]
                if tags.get("ResourceType") != "launch-template"
            ]
        as_moto_makes_them(version, template, number, data, *args, **kwargs)

    launch_templates.LaunchTemplateVersion.__init__ = init


def buckets_weigh_conditions():
    """S3 applies a statement of a bucket policy only where its Condition holds (moto reads none, so
    that a refusal of plain HTTP refuses everything). The one condition used here, on
    aws:SecureTransport, stands for TLS, which is not to be had on loopback: such refusals are left out."""

    def get_permission(bucket, action, resource):
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        policy = json.loads(bucket.policy)
        policy["Statement"] = [
            statement
            for statement in policy["Statement"]
            if "aws:SecureTransport" not in statement.get("Condition", {}).get("Bool", {})
        ]
        if not policy["Statement"]:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)

    s3.FakeBucket.get_permission = get_permission


def lifecycle_rules_keep_how_many_versions_stay():
    """S3 PutBucketLifecycleConfiguration takes NewerNoncurrentVersions in NoncurrentVersionExpiration,
    and GetBucketLifecycleConfiguration returns it (moto drops it)."""
    as_moto_sets_them = s3.FakeBucket.set_lifecycle
    as_moto_answers = s3_wire.S3Response.serialized

    def set_lifecycle(bucket, rules):
        as_moto_sets_them(bucket, rules)
        for rule, sent in zip(bucket.rules, rules):
            rule.versions_that_stay = (sent.get("NoncurrentVersionExpiration") or {}).get("NewerNoncurrentVersions")

    def serialized(request, answer):
        if isinstance(answer.result, dict) and request.data.get("Action") == "GetBucketLifecycleConfiguration":
            rules = request.backend.get_bucket_lifecycle(request.bucket_name)
            for described, rule in zip(answer.result["Rules"], rules):
                if rule.versions_that_stay:
                    described["NoncurrentVersionExpiration"]["NewerNoncurrentVersions"] = rule.versions_that_stay
        return as_moto_answers(request, answer)

    s3.FakeBucket.set_lifecycle = set_lifecycle
    s3_wire.S3Response.serialized = serialized


def functions_keep_how_they_log():
    """Lambda GetFunction returns the LoggingConfig, and the KMSKeyArn of the variables, that
    CreateFunction and UpdateFunctionConfiguration set (moto drops both)."""
    kept = ("LoggingConfig", "KMSKeyArn")
    as_moto_makes_them = functions.LambdaFunction.__init__
    as_moto_updates_them = functions.LambdaFunction.update_configuration
    as_moto_describes_them = functions.LambdaFunction.get_configuration

    def init(function, account_id, spec, *args, **kwargs):
        function.kept = {key: spec[key] for key in kept if spec.get(key)}
        as_moto_makes_them(function, account_id, spec, *args, **kwargs)

    def update_configuration(function, updates):
        function.kept.update({key: updates[key] for key in kept if key in updates})
        return as_moto_updates_them(function, updates)

    def get_configuration(function, *args, **kwargs):
        return {**as_moto_describes_them(function, *args, **kwargs), **function.kept}

    functions.LambdaFunction.__init__ = init
    functions.LambdaFunction.update_configuration = update_configuration
    functions.LambdaFunction.get_configuration = get_configuration


def tables_keep_their_bound():
    """DynamoDB CreateTable and UpdateTable take OnDemandThroughput, and DescribeTable returns it (moto
    drops it)."""
    wire = dynamodb_wire.DynamoHandler
    as_moto_describes_them = dynamodb_table.Table.describe

    def keeping(action):
        def call(request):
            answer = action(request)
            bound = request.body.get("OnDemandThroughput")
            if bound:
                request.dynamodb_backend.get_table(request.body["TableName"]).bound = bound
            return answer

        return call

    def describe(table, *args, **kwargs):
        found = as_moto_describes_them(table, *args, **kwargs)
        if hasattr(table, "bound"):
            for described in (found, found.get("Table"), found.get("TableDescription")):
                if isinstance(described, dict) and "TableName" in described:
                    described["OnDemandThroughput"] = table.bound
        return found

    for name in ("create_table", "update_table"):
        setattr(wire, name, keeping(getattr(wire, name)))
    dynamodb_table.Table.describe = describe


def main():
    tables_keep_their_bound()
    lifecycle_rules_keep_how_many_versions_stay()
    buckets_weigh_conditions()
    queue_attributes_come_back_as_sent()
    setting_some_attributes_keeps_the_rest()
    hooks_notify_nobody_unless_asked()
    groups_keep_their_default_warmup()
    updates_change_only_what_they_name()
    instance_refreshes_can_be_started()
    services_keep_how_they_run()
    templates_do_not_tag_themselves()
    functions_keep_how_they_log()
    # Port 0: the system picks a free one, so that runs side by side do not meet.
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
