//! What a run tells: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::checks::Check;
use super::deployment::Deployment;
use super::permissions::Proof;
use crate::cloud::autoscaling::{HookChange, Protection};

/// A run, told. Fields may be added.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether every check passed.
    pub ok: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Jobs sent.
    pub jobs: usize,
    /// What was adopted, in a line for each thing.
    pub adopted: Vec<String>,
    /// What was found and is not played.
    pub not_played: Vec<String>,
    /// Every check.
    pub checks: Vec<Check>,
    /// Calls and permissions.
    pub permissions: Proof,
}

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::from("Adopted\n");
        for line in &self.adopted {
            let _ = writeln!(text, "  {line}");
        }
        for line in &self.not_played {
            let _ = writeln!(text, "  not played: {line}");
        }
        let width = self
            .checks
            .iter()
            .map(|check| check.name.chars().count())
            .max();
        let width = width.unwrap_or_default();
        let _ = writeln!(text, "\n{} jobs in {:.0} s", self.jobs, self.seconds);
        for check in &self.checks {
            let outcome = if check.ok { "ok    " } else { "FAILED" };
            let _ = writeln!(text, "  {:<width$}  {outcome}  {}", check.name, check.found);
        }
        section(&mut text, "Denied", &self.permissions.denied);
        section(&mut text, "Never used", &self.permissions.unused);
        section(
            &mut text,
            "Never used here, and why it stands",
            &self.permissions.reasoned,
        );
        for (resource, actions) in needs(&self.permissions.operator_needs) {
            let _ = writeln!(text, "  the operator needs {actions} on {resource}");
        }
        text
    }
}

fn needs(needs: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = (&str, String)> {
    needs
        .iter()
        .map(|(resource, actions)| (resource.as_str(), actions.join(", ")))
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

/// What was adopted.
pub(super) fn adopted(deployment: &Deployment) -> Vec<String> {
    let mut lines = Vec::new();
    for fleet in &deployment.fleets {
        let (min, max) = fleet.bounds();
        let protected = match fleet.group.new_instances {
            Some(Protection::Protected) => "protected from scale-in",
            _ => "not protected",
        };
        let suspended: Vec<_> = fleet
            .group
            .kept
            .suspended
            .keys()
            .map(String::as_str)
            .collect();
        let warm = fleet.group.kept.default_instance_warmup;
        let warm = warm.map_or("none".into(), |warm| format!("{} s", warm.as_secs()));
        lines.push(format!(
            "fleet {}: group {}, {min} to {max} instances, {protected}, suspended {}, warm-up {warm}, queues {}",
            fleet.name,
            fleet.group.name,
            if suspended.is_empty() { "nothing".into() } else { suspended.join(" ") },
            fleet.queue_names().join(", "),
        ));
        lines.extend(
            fleet
                .group
                .hooks
                .iter()
                .map(|hook| format!("  {}", hook_line(hook))),
        );
    }
    for queue in &deployment.queues {
        let value = |name: &str| queue.settings.get(name).map_or("default", String::as_str);
        let redrive = queue
            .dead_letters()
            .map_or(String::new(), |dead| format!(", dead letters to {dead}"));
        lines.push(format!(
            "queue {}: hidden for {} s, kept for {} s{redrive}",
            queue.name,
            value("VisibilityTimeout"),
            value("MessageRetentionPeriod"),
        ));
    }
    for table in &deployment.tables {
        let ttl = table.ttl.as_deref().unwrap_or("nothing");
        lines.push(format!(
            "table {}: keys {}, expires by {ttl}",
            table.name,
            table.keys.join(", ")
        ));
    }
    let buckets = deployment.buckets.iter();
    lines.extend(buckets.map(|bucket| format!("bucket {}", bucket.name)));
    lines.extend(
        deployment
            .controllers
            .iter()
            .map(|one| format!("controller {}", one.name)),
    );
    lines.extend(deployment.roles.values().map(|role| {
        format!(
            "role {}: {} statements",
            role.name,
            role.policies.identity.len()
        )
    }));
    lines
}

fn hook_line(hook: &HookChange) -> String {
    let transition = hook
        .transition
        .map_or("?", crate::cloud::autoscaling::Transition::name);
    let result = hook
        .default_result
        .map_or("?", crate::cloud::autoscaling::ActionResult::name);
    let seconds = hook.heartbeat_timeout.unwrap_or_default().as_secs();
    format!(
        "hook {}: {transition}, {seconds} s, then {result}",
        hook.name
    )
}
