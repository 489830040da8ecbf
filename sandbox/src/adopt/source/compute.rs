//! Launch templates.

use aws_sdk_autoscaling::types::LaunchTemplateSpecification;

use super::{Source, SourceError};
use crate::cloud::Tags;
use crate::cloud::ec2::TemplateData;

impl Source {
    /// A launch template's name, and the data of the version that is meant.
    pub(super) async fn template(
        &self,
        spec: &LaunchTemplateSpecification,
    ) -> Result<(String, TemplateData), SourceError> {
        let version = spec.version().unwrap_or("$Default");
        let which = match (spec.launch_template_id(), spec.launch_template_name()) {
            (Some(id), _) => ("LaunchTemplateId", id),
            (None, name) => ("LaunchTemplateName", name.unwrap_or_default()),
        };
        let asked = [which, ("LaunchTemplateVersion.1", version)];
        let answer = self
            .wire
            .query("ec2", "DescribeLaunchTemplateVersions", &asked)
            .await?;
        let items = answer.all("launchTemplateVersionSet");
        let item = items.first().and_then(|set| set.children.first());
        let item = item.ok_or_else(|| {
            SourceError::Missing(format!(
                "launch template {} has no version {version}",
                which.1
            ))
        })?;
        let name = item
            .first("launchTemplateName")
            .unwrap_or(which.1)
            .to_owned();
        let text = |name: &str| item.first(name).map(str::to_owned);
        let profile = item.all("iamInstanceProfile");
        let profile = profile
            .first()
            .and_then(|one| one.first("arn").or(one.first("name")));
        let data = TemplateData {
            image_id: text("imageId"),
            instance_type: text("instanceType"),
            user_data: text("userData"),
            instance_profile: profile.map(str::to_owned),
            instance_tags: Tags::default(),
        };
        Ok((name, data))
    }
}
