//! `fleet`: what is scaled, and its bounds.

use super::super::reader::{Item, Reader, Section};
use super::super::{EcsService, Fleet, Scaler, names};
use super::instances;
use crate::model::Instances;

pub(in crate::policy) const FLEET_KEYS: &[&str] =
    &["auto_scaling_group", "ecs_service", "min", "max"];

/// Stands in where what is scaled is at fault: there is a problem then, and no policy comes of a
/// file with one.
const STAND_IN: Scaler = Scaler::AutoScalingGroup(String::new());

pub(super) fn read_fleet(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Fleet> {
    const ALLOWED: &str = "a mapping with auto_scaling_group or ecs_service, and max";
    let item = reader.required(root, "fleet", ALLOWED)?;
    let section = reader.section(&item, FLEET_KEYS)?;
    let scaler = read_scaler(reader, &item, &section);
    let min_item = section.get("min");
    let min = min_item
        .as_ref()
        .map_or(Some(Instances(0)), |item| instances(reader, item));
    let max = reader
        .required(&section, "max", "the most instances there may be")
        .and_then(|item| instances(reader, &item));
    let (min, max) = (min?, max?);
    if let Some(item) = min_item.filter(|_| min > max) {
        let allowed = format!("0 to fleet.max ({})", max.0);
        reader.fault(&item, &allowed, "lower min or raise max");
    }
    Some(Fleet {
        scaler: scaler.unwrap_or(STAND_IN),
        min,
        max,
    })
}

/// Exactly one of a group and a service.
fn read_scaler(reader: &mut Reader<'_>, fleet: &Item<'_>, section: &Section<'_>) -> Option<Scaler> {
    match (
        section.get("auto_scaling_group"),
        section.get("ecs_service"),
    ) {
        (Some(item), None) => read_group(reader, &item),
        (None, Some(item)) => read_service(reader, &item),
        (Some(_), Some(service)) => {
            let found = (
                service.key.as_str(),
                "both an auto_scaling_group and an ecs_service",
            );
            let advice = "give each a fleet of its own";
            reader.report(service.node.place, found, "one of them", advice);
            None
        }
        (None, None) => {
            let found = (
                fleet.key.as_str(),
                "neither auto_scaling_group nor ecs_service",
            );
            let advice = "add the group's name, or the service as CLUSTER/SERVICE";
            reader.report(fleet.node.place, found, "one of them", advice);
            None
        }
    }
}

fn read_group(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Scaler> {
    let name = reader.text(item, names::GROUP)?;
    if !names::is_group(name) {
        reader.fault(item, names::GROUP, "");
    }
    Some(Scaler::AutoScalingGroup(name.to_owned()))
}

fn read_service(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<Scaler> {
    let Some((cluster, service)) = names::service(reader.text(item, names::SERVICE)?) else {
        reader.fault(item, names::SERVICE, "");
        // Still a service, so that what a service rules out shows at once.
        return Some(Scaler::EcsService(EcsService {
            cluster: String::new(),
            service: String::new(),
        }));
    };
    Some(Scaler::EcsService(EcsService {
        cluster: cluster.to_owned(),
        service: service.to_owned(),
    }))
}
