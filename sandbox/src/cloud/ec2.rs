//! EC2: the instances that groups launch, and the launch templates that describe them.
//!
//! Owns what EC2 knows of an instance. When one is launched or ended is Auto Scaling's decision,
//! or the caller's; the module keeps the state that follows.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{ApiError, ApiResult, Tags, Time};

/// An ended instance stays visible to describes for about this long (`DescribeInstances`:
/// "recently terminated instances might appear ... usually less than one hour").
const TERMINATED_KEPT: Duration = Duration::from_hours(1);

/// The account's instances and launch templates.
#[derive(Debug)]
pub struct Ec2 {
    instances: BTreeMap<String, Instance>,
    templates: BTreeMap<String, LaunchTemplate>,
    rng: ChaCha8Rng,
    launched: u32,
}

/// An instance, as EC2 knows it.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-` and 17 hexadecimal digits.
    pub id: String,
    /// Where it stands in its life.
    pub state: InstanceState,
    /// When it was launched.
    pub launched_at: Time,
    /// When it left `running`, if it did.
    pub ended_at: Option<Time>,
    /// Its availability zone.
    pub zone: String,
    /// Its address in the VPC.
    pub private_ip: String,
    /// Such as `t3.small`.
    pub instance_type: String,
    /// The machine image.
    pub image_id: String,
    /// The launch template it was made from.
    pub template: Option<TemplateSpec>,
    /// Tags, those of the group included.
    pub tags: Tags,
    /// The launch template's user data, in base64 as it was given.
    pub user_data: Option<String>,
}

/// An instance's state ("Amazon EC2 instance state changes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Launched, not up yet.
    Pending,
    /// Up.
    Running,
    /// On its way to `Terminated`.
    ShuttingDown,
    /// Gone; visible to describes for a while.
    Terminated,
}

/// Which launch template, and which of its versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateSpec {
    /// `lt-…`.
    pub id: Option<String>,
    /// The name, unique in the account.
    pub name: Option<String>,
    /// A number, `$Latest` or `$Default`; the default version when absent.
    pub version: Option<String>,
}

/// A launch template.
#[derive(Clone, Debug)]
pub struct LaunchTemplate {
    /// `lt-` and 17 hexadecimal digits.
    pub id: String,
    /// The name, unique in the account.
    pub name: String,
    /// When it was created.
    pub created_at: Time,
    /// The versions' data; version 1 comes first.
    pub versions: Vec<TemplateVersion>,
    /// The number of the default version.
    pub default_version: usize,
    /// The template's own tags.
    pub tags: Tags,
}

/// One version of a launch template.
#[derive(Clone, Debug)]
pub struct TemplateVersion {
    /// When it was created.
    pub created_at: Time,
    /// A remark.
    pub description: Option<String>,
    /// What instances are made of.
    pub data: TemplateData,
}

/// What instances of a template are made of: the part that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateData {
    /// The machine image.
    pub image_id: Option<String>,
    /// Such as `t3.small`.
    pub instance_type: Option<String>,
    /// In base64.
    pub user_data: Option<String>,
    /// `IamInstanceProfile`, by name or ARN.
    pub instance_profile: Option<String>,
    /// Tags for the instances (`TagSpecifications` of the resource type `instance`).
    pub instance_tags: Tags,
}

/// An instance to be launched.
#[derive(Clone, Debug, Default)]
pub(super) struct Launch {
    pub(super) zone: String,
    pub(super) template: Option<TemplateSpec>,
    pub(super) instance_type: Option<String>,
    pub(super) tags: Tags,
}

/// `name` and the `values` of which one must match, as `DescribeInstances` takes them.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Such as `tag:Name` or `instance-state-name`.
    pub name: String,
    /// Any of these.
    pub values: Vec<String>,
}

impl InstanceState {
    /// The state's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// The state's code, as in `InstanceState.Code`.
    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
        }
    }
}

impl Ec2 {
    /// No instances and no templates; ids come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            instances: BTreeMap::new(),
            templates: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            launched: 0,
        }
    }

    /// The instance of this id.
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// `DescribeInstances`: by id order; an unknown id is an error, an unknown filter too.
    pub fn describe(&self, ids: &[String], filters: &[Filter]) -> ApiResult<Vec<&Instance>> {
        if let Some(unknown) = ids.iter().find(|id| !self.instances.contains_key(*id)) {
            return Err(ApiError::new(
                "InvalidInstanceID.NotFound",
                format!("The instance ID '{unknown}' does not exist"),
            ));
        }
        let mut found = Vec::new();
        for instance in self.instances.values() {
            let asked = ids.is_empty() || ids.contains(&instance.id);
            let mut passes = asked;
            for filter in filters {
                passes &= filter.matches(instance)?;
            }
            if passes {
                found.push(instance);
            }
        }
        Ok(found)
    }

    /// Instances that take up capacity.
    pub fn alive(&self) -> usize {
        let alive = |instance: &&Instance| {
            matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            )
        };
        self.instances.values().filter(alive).count()
    }

    pub(super) fn launch(&mut self, now: Time, launch: Launch) -> &Instance {
        self.launched += 1;
        let [high, low] = [self.launched / 250 % 256, self.launched % 250 + 4];
        let data = launch
            .template
            .as_ref()
            .and_then(|spec| self.data(spec).ok());
        let data = data.cloned().unwrap_or_default();
        let id = self.fresh_id("i");
        let instance = Instance {
            id: id.clone(),
            state: InstanceState::Pending,
            launched_at: now,
            ended_at: None,
            zone: launch.zone,
            private_ip: format!("10.0.{high}.{low}"),
            instance_type: launch
                .instance_type
                .or(data.instance_type)
                .unwrap_or_else(|| "t3.small".into()),
            image_id: data
                .image_id
                .unwrap_or_else(|| "ami-00000000000000000".into()),
            template: launch.template,
            tags: data.instance_tags.into_iter().chain(launch.tags).collect(),
            user_data: data.user_data,
        };
        self.instances.entry(id).or_insert(instance)
    }

    /// Moves the instance to `state`; ended instances of more than an hour ago are forgotten.
    pub(super) fn set_state(&mut self, now: Time, id: &str, state: InstanceState) {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.state = state;
            if matches!(
                state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            ) {
                instance.ended_at.get_or_insert(now);
            }
        }
        self.instances.retain(|_, instance| {
            instance.state != InstanceState::Terminated
                || instance
                    .ended_at
                    .is_none_or(|at| now.since(at) < TERMINATED_KEPT)
        });
    }

    /// `CreateTags` on instances.
    pub fn tag(&mut self, id: &str, tags: &Tags) -> ApiResult<()> {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.tags.extend(tags.clone());
        } else if let Some(template) = self.templates.get_mut(id) {
            template.tags.extend(tags.clone());
        } else {
            return Err(ApiError::new(
                "InvalidID",
                format!("The ID '{id}' is not valid: no such instance or launch template"),
            ));
        }
        Ok(())
    }

    /// `CreateLaunchTemplate`: version 1, the default, has this data.
    pub fn create_launch_template(
        &mut self,
        now: Time,
        name: &str,
        data: TemplateData,
    ) -> ApiResult<&mut LaunchTemplate> {
        if self
            .templates
            .values()
            .any(|template| template.name == name)
        {
            return Err(ApiError::new(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                format!("Launch template name already in use: {name}"),
            ));
        }
        let id = self.fresh_id("lt");
        let version = TemplateVersion {
            created_at: now,
            description: None,
            data,
        };
        let template = LaunchTemplate {
            id: id.clone(),
            name: name.into(),
            created_at: now,
            versions: vec![version],
            default_version: 1,
            tags: Tags::new(),
        };
        Ok(self.templates.entry(id).or_insert(template))
    }

    /// `DeleteLaunchTemplate`.
    pub fn delete_launch_template(&mut self, spec: &TemplateSpec) -> ApiResult<LaunchTemplate> {
        let id = self.template(spec)?.id.clone();
        self.templates.remove(&id).ok_or_else(|| no_template(spec))
    }

    /// All launch templates, by id.
    pub fn templates(&self) -> impl Iterator<Item = &LaunchTemplate> {
        self.templates.values()
    }

    /// The launch template that `spec` names.
    pub fn template(&self, spec: &TemplateSpec) -> ApiResult<&LaunchTemplate> {
        let names = |template: &&LaunchTemplate| match (&spec.id, &spec.name) {
            (Some(id), _) => template.id == *id,
            (None, Some(name)) => template.name == *name,
            (None, None) => false,
        };
        self.templates
            .values()
            .find(names)
            .ok_or_else(|| no_template(spec))
    }

    /// The launch template that `spec` names, to be changed.
    pub fn template_mut(&mut self, spec: &TemplateSpec) -> ApiResult<&mut LaunchTemplate> {
        let id = self.template(spec)?.id.clone();
        self.templates.get_mut(&id).ok_or_else(|| no_template(spec))
    }

    /// The data of the version that `spec` names.
    pub(super) fn data(&self, spec: &TemplateSpec) -> ApiResult<&TemplateData> {
        let template = self.template(spec)?;
        let version = spec.version.as_deref();
        let number = template.version_number(version);
        let version = number.and_then(|n| template.versions.get(n.checked_sub(1)?));
        version.map(|version| &version.data).ok_or_else(|| {
            ApiError::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!(
                    "Could not find the specified version of the launch template {}.",
                    template.name
                ),
            )
        })
    }

    /// `spec` with the template's id and name both, as groups show it; unchanged when there is none.
    pub(super) fn named(&self, spec: &TemplateSpec) -> TemplateSpec {
        let found = self.template(spec).ok();
        found.map_or_else(
            || spec.clone(),
            |template| TemplateSpec {
                id: Some(template.id.clone()),
                name: Some(template.name.clone()),
                version: spec.version.clone(),
            },
        )
    }

    /// `spec` with the version's number, which an instance keeps when a later one comes out.
    pub(super) fn pinned(&self, spec: &TemplateSpec) -> TemplateSpec {
        let number = self.template(spec).ok();
        let number = number.and_then(|found| found.version_number(spec.version.as_deref()));
        TemplateSpec {
            version: number
                .map(|n| n.to_string())
                .or_else(|| spec.version.clone()),
            ..self.named(spec)
        }
    }

    fn fresh_id(&mut self, prefix: &str) -> String {
        let random: u128 = self.rng.random();
        format!("{prefix}-{:017x}", random >> 60)
    }
}

impl LaunchTemplate {
    /// `CreateLaunchTemplateVersion`: the new version is the latest, and not the default.
    pub fn add_version(&mut self, now: Time, description: Option<String>, data: TemplateData) {
        self.versions.push(TemplateVersion {
            created_at: now,
            description,
            data,
        });
    }

    /// The number that `version` stands for: one of its own, `$Latest` or `$Default`.
    pub fn version_number(&self, version: Option<&str>) -> Option<usize> {
        match version {
            None | Some("$Default" | "") => Some(self.default_version),
            Some("$Latest") => Some(self.versions.len()),
            Some(number) => number
                .parse()
                .ok()
                .filter(|n| (1..=self.versions.len()).contains(n)),
        }
    }
}

impl Filter {
    fn matches(&self, instance: &Instance) -> ApiResult<bool> {
        let any = |value: &str| self.values.iter().any(|pattern| wildcard(pattern, value));
        Ok(match self.name.as_str() {
            "instance-id" => any(&instance.id),
            "instance-state-name" => any(instance.state.name()),
            "instance-state-code" => any(&instance.state.code().to_string()),
            "instance-type" => any(&instance.instance_type),
            "image-id" => any(&instance.image_id),
            "availability-zone" => any(&instance.zone),
            "private-ip-address" => any(&instance.private_ip),
            "tag-key" => instance.tags.keys().any(|key| any(key)),
            "tag-value" => instance.tags.values().any(|value| any(value)),
            name => match name.strip_prefix("tag:") {
                Some(key) => instance.tags.get(key).is_some_and(|value| any(value)),
                None => {
                    return Err(ApiError::new(
                        "InvalidParameterValue",
                        format!("The filter '{name}' is invalid"),
                    ));
                }
            },
        })
    }
}

/// Filters' patterns: `*` stands for any text, `?` for one character.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut pattern_chars = pattern.chars();
    match pattern_chars.next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = pattern_chars.as_str();
            let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts.into_iter().any(|at| wildcard(rest, &text[at..]))
        }
        Some(wanted) => {
            let mut text_chars = text.chars();
            let found = text_chars.next();
            found.is_some_and(|found| wanted == '?' || wanted == found)
                && wildcard(pattern_chars.as_str(), text_chars.as_str())
        }
    }
}

fn no_template(spec: &TemplateSpec) -> ApiError {
    match (&spec.id, &spec.name) {
        (Some(id), _) => ApiError::new(
            "InvalidLaunchTemplateId.NotFound",
            format!("The specified launch template, with template ID {id}, does not exist."),
        ),
        (None, name) => ApiError::new(
            "InvalidLaunchTemplateName.NotFoundException",
            format!(
                "The specified launch template, with template name {}, does not exist.",
                name.as_deref().unwrap_or("(none given)")
            ),
        ),
    }
}
