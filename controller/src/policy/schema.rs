//! The JSON Schema of a policy file, from documented types.
//!
//! For editors and for other programs that write policies. The types here are never filled: they
//! are the file's shape, and `validate` is what reads it. A test keeps the two in step.

#![allow(dead_code, reason = "the types are read by their derive alone")]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The JSON Schema of a policy file.
pub fn schema() -> Schema {
    schemars::schema_for!(Policy)
}

/// A Weir scaling policy: one fleet, the queues it serves, and what it must keep.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "Weir scaling policy")]
struct Policy {
    /// The policy language's version.
    #[schemars(range(min = 1, max = 1))]
    version: u8,
    /// Names the fleet in verdicts, state, metrics and infrastructure.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,40}$"))]
    name: String,
    /// The queues the fleet serves.
    #[schemars(length(min = 1, max = 20))]
    queues: Vec<Queue>,
    /// What is scaled, and its bounds.
    fleet: Fleet,
    /// What is kept for every queue that has no objective of its own: a message starts within this
    /// time, at this percentile.
    objective: Objective,
    /// First guesses about the worker; measured values take their place.
    #[schemars(default)]
    worker: Option<Worker>,
    /// Whether arrivals to come may raise capacity. Default: auto.
    #[schemars(default)]
    forecast: Option<Forecast>,
    /// Limits on growth.
    #[schemars(default)]
    scale_out: Option<ScaleOut>,
    /// Limits on shrinking.
    #[schemars(default)]
    scale_in: Option<ScaleIn>,
    /// Minima by the clock. Default: none.
    #[schemars(default)]
    schedule: Option<Vec<Window>>,
    /// What may be spent. Default: no limit.
    #[schemars(default)]
    budget: Option<Budget>,
    /// How the size is set. Default: `desired_capacity`.
    #[schemars(default)]
    actuate: Option<Actuate>,
}

/// One queue: its name, or its URL.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [
    { "required": ["name"] }, { "required": ["url"] }
]))]
struct Queue {
    /// The queue's name; a FIFO queue's ends in .fifo.
    #[schemars(
        default,
        length(min = 1, max = 80),
        regex(pattern = r"^[A-Za-z0-9_-]+(\.fifo)?$")
    )]
    name: Option<String>,
    /// The queue's URL, instead of its name.
    #[schemars(default, regex(pattern = "^https?://[^ ]+/[^ /]+$"))]
    url: Option<String>,
    /// Share of the slots when several queues feed one fleet. Default: 1.
    #[schemars(default, range(min = 0.001, max = 1000.0))]
    weight: Option<f64>,
    /// Lower is served first. Default: 0.
    #[schemars(default, range(min = -1000, max = 1000))]
    priority: Option<i32>,
    /// What is kept for this queue. Default: the fleet's objective.
    #[schemars(default)]
    objective: Option<OwnObjective>,
    /// How long a received message stays hidden unless a worker renews it; 1 s to 12 h. Terraform
    /// sets it. Default: from the service time.
    #[schemars(default)]
    visibility_timeout: Option<Duration>,
    /// Receives after which SQS moves a message to the dead-letter queue; above the worker's
    /// `max_attempts`. Terraform sets it. Default: twice `max_attempts`, at least 10.
    #[schemars(default, range(min = 1, max = 1000))]
    max_receive_count: Option<u32>,
}

/// An Auto Scaling group or an ECS service, and its bounds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [
    { "required": ["auto_scaling_group"] }, { "required": ["ecs_service"] }
]))]
struct Fleet {
    /// The Auto Scaling group's name.
    #[schemars(default, length(min = 1, max = 255))]
    auto_scaling_group: Option<String>,
    /// The ECS service, as CLUSTER/SERVICE, instead of a group; its tasks are the instances.
    #[schemars(
        default,
        regex(pattern = "^[A-Za-z0-9_-]{1,255}/[A-Za-z0-9_-]{1,255}$")
    )]
    ecs_service: Option<String>,
    /// Never fewer instances. Default: 0.
    #[schemars(default, range(max = 100_000))]
    min: Option<u32>,
    /// Never more instances; at least `min`.
    #[schemars(range(max = 100_000))]
    max: u32,
}

/// What is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Objective {
    /// A message starts within this time; above zero, at most 14 days.
    start_within: Duration,
    /// At this percentile of messages. Default: 99.
    #[schemars(default, extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 100))]
    percentile: Option<f64>,
}

/// What is kept for one queue; what is left out is the fleet's.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
struct OwnObjective {
    /// A message starts within this time; above zero, at most 14 days. Default: the fleet's.
    #[schemars(default)]
    start_within: Option<Duration>,
    /// At this percentile of messages. Default: the fleet's.
    #[schemars(default, extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 100))]
    percentile: Option<f64>,
}

/// First guesses about the worker.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Worker {
    /// Jobs an instance runs at a time. Default: 1.
    #[schemars(default, range(min = 1, max = 10_000))]
    slots: Option<u32>,
    /// Mean time a job takes; above zero, at most 12 hours. Default: 10s.
    #[schemars(default)]
    service_time: Option<Duration>,
    /// Time from launch to the first job. Default: 2m.
    #[schemars(default)]
    boot_time: Option<Duration>,
    /// Attempts before a job is given up. Terraform hands it to the workers. Default: 5.
    #[schemars(default, range(min = 1, max = 1000))]
    max_attempts: Option<u32>,
}

/// Whether arrivals to come may raise capacity.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Forecast {
    /// Where measured skill or a short objective asks for it.
    Auto,
    /// Never.
    Off,
}

/// Limits on growth.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ScaleOut {
    /// Most a size may grow in one round. Default: unlimited.
    #[schemars(default)]
    max_step: Option<Step>,
}

/// Limits on shrinking.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ScaleIn {
    /// Most a size may shrink in one round. Default: unlimited.
    #[schemars(default)]
    max_step: Option<Step>,
    /// How long spare capacity is kept; auto weighs it against what a restart costs. Default: auto.
    #[schemars(default)]
    hold: Option<HoldTime>,
}

/// A minimum that holds from each firing of a cron expression, for a while.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Window {
    /// When the window opens: five fields, such as "0 8 * * MON-FRI".
    cron: String,
    /// In whose clock: an IANA time zone. Default: UTC.
    #[schemars(default)]
    timezone: Option<String>,
    /// How long the window is open.
    #[schemars(rename = "for")]
    open_for: Duration,
    /// The minimum while it is open; at most the fleet's max.
    #[schemars(range(max = 100_000))]
    min: u32,
}

/// What may be spent.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Budget {
    /// Most instance-hours in any 24 hours.
    #[schemars(extend("exclusiveMinimum" = 0))]
    instance_hours_per_day: f64,
}

/// How the size is set.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Actuate {
    /// The controller sets the group's desired capacity, or the service's desired count.
    DesiredCapacity,
    /// The controller publishes the metric and keeps a target tracking policy's target; only of an
    /// Auto Scaling group.
    TargetTracking,
}

/// A duration with its unit.
struct Duration;

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with its unit, such as 90s, 2m 30s or 10h.",
            "type": "string",
            "pattern": "[0-9] *[a-zA-Zµ]",
            "examples": ["60s", "2m 30s", "10h"]
        })
    }
}

/// The most a size may change in one round.
struct Step;

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "unlimited, a percentage of the present size (at least 1), or a count.",
            "anyOf": [
                { "const": "unlimited" },
                { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *%$" },
                { "type": "integer", "minimum": 1 }
            ]
        })
    }
}

/// How long spare capacity is kept.
struct HoldTime;

impl JsonSchema for HoldTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hold".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Duration>();
        json_schema!({
            "description": "auto, or a duration.",
            "anyOf": [{ "const": "auto" }, duration]
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::validate;
    use super::schema;

    #[test]
    fn the_schema_has_the_keys_that_validate_reads_and_no_others() {
        let schema = serde_json::to_value(schema()).unwrap();
        let defs = &schema["$defs"];
        let cases: [(&str, &Value, &[&str]); 10] = [
            ("policy", &schema, validate::POLICY_KEYS),
            ("queue", &defs["Queue"], validate::QUEUE_KEYS),
            ("fleet", &defs["Fleet"], validate::FLEET_KEYS),
            ("objective", &defs["Objective"], validate::OBJECTIVE_KEYS),
            (
                "a queue's objective",
                &defs["OwnObjective"],
                validate::OBJECTIVE_KEYS,
            ),
            ("worker", &defs["Worker"], validate::WORKER_KEYS),
            ("scale_out", &defs["ScaleOut"], validate::SCALE_OUT_KEYS),
            ("scale_in", &defs["ScaleIn"], validate::SCALE_IN_KEYS),
            ("schedule", &defs["Window"], validate::SCHEDULE_KEYS),
            ("budget", &defs["Budget"], validate::BUDGET_KEYS),
        ];
        for (name, of, keys) in cases {
            let properties = of["properties"]
                .as_object()
                .unwrap_or_else(|| panic!("{name}"));
            let in_schema: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
            assert_eq!(in_schema, keys.iter().copied().collect(), "{name}");
            assert_eq!(of["additionalProperties"], Value::Bool(false), "{name}");
        }
    }
}
