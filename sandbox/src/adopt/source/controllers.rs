//! How the controller is run: a Lambda function, or tasks of ECS.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::deployment::Controller;
use super::{Source, SourceError};

/// ECS's JSON protocol.
const ECS: &str = "AmazonEC2ContainerServiceV20141113";

impl Source {
    /// All definitions of the controller: what is told a policy in its environment.
    pub(super) async fn controllers(&self) -> Result<Vec<Controller>, SourceError> {
        let mut controllers = self.functions().await?;
        for definition in self.task_definitions().await? {
            let role = definition["taskRoleArn"].as_str().unwrap_or_default();
            for container in list(&definition["containerDefinitions"]) {
                let pairs = list(&container["environment"]).filter_map(|pair| {
                    Some((
                        pair["name"].as_str()?.to_owned(),
                        pair["value"].as_str()?.to_owned(),
                    ))
                });
                let command = list(&container["command"]).filter_map(Value::as_str);
                controllers.push(Controller {
                    name: definition["family"].as_str().unwrap_or_default().to_owned(),
                    command: command.map(str::to_owned).collect(),
                    env: pairs.collect(),
                    role: role.to_owned(),
                });
            }
        }
        let told = |env: &BTreeMap<String, String>| {
            env.contains_key("WEIR_POLICY") || env.contains_key("WEIR_POLICY_YAML")
        };
        controllers.retain(|controller| told(&controller.env));
        if controllers.is_empty() {
            return Err(SourceError::Missing(
                "neither a Lambda function nor a task definition there is told a policy \
                 (WEIR_POLICY, WEIR_POLICY_YAML): no controller is defined"
                    .into(),
            ));
        }
        Ok(controllers)
    }

    async fn functions(&self) -> Result<Vec<Controller>, SourceError> {
        let answer = self.wire.get("lambda", "/2015-03-31/functions/").await?;
        let read = |function: &Value| Controller {
            name: function["FunctionName"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            command: Vec::new(),
            env: texts(&function["Environment"]["Variables"]),
            role: function["Role"].as_str().unwrap_or_default().to_owned(),
        };
        Ok(list(&answer["Functions"]).map(read).collect())
    }

    /// The newest revision of each family.
    async fn task_definitions(&self) -> Result<Vec<Value>, SourceError> {
        let target = format!("{ECS}.ListTaskDefinitions");
        let asked = json!({"status": "ACTIVE", "sort": "DESC"});
        let answer = self.wire.json("ecs", &target, &asked).await?;
        let mut newest: BTreeMap<String, Value> = BTreeMap::new();
        for arn in list(&answer["taskDefinitionArns"]) {
            let target = format!("{ECS}.DescribeTaskDefinition");
            let asked = json!({"taskDefinition": arn});
            let answer = self.wire.json("ecs", &target, &asked).await?;
            let found = answer["taskDefinition"].clone();
            let family = found["family"].as_str().unwrap_or_default().to_owned();
            let revision = |definition: &Value| definition["revision"].as_u64();
            let known = newest.get(&family).and_then(revision);
            if revision(&found) > known {
                newest.insert(family, found);
            }
        }
        Ok(newest.into_values().collect())
    }

    /// Fleets on ECS: named, and not played.
    pub(super) async fn services(&self) -> Result<Vec<String>, SourceError> {
        let target = |action: &str| format!("{ECS}.{action}");
        let clusters = self
            .wire
            .json("ecs", &target("ListClusters"), &json!({}))
            .await?;
        let mut found = Vec::new();
        for cluster in list(&clusters["clusterArns"]) {
            let asked = json!({"cluster": cluster});
            let services = self
                .wire
                .json("ecs", &target("ListServices"), &asked)
                .await?;
            let names = list(&services["serviceArns"]).filter_map(Value::as_str);
            found.extend(names.map(|arn| format!("the ECS service {arn}")));
        }
        Ok(found)
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    let texts = pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    texts.collect()
}
