//! `scale_out`, `scale_in`, `schedule` and `budget`: what bounds the size besides min and max.

use std::ops::RangeInclusive;

use croner::parser::{CronParser, Seconds, Year};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::super::reader::{Item, Reader, Section};
use super::super::{Fleet, Hold, Scheduled, StepLimit};
use super::{DAY, instances};
use crate::model::Instances;
use weir_yaml::Value;

pub(in crate::policy) const SCALE_OUT_KEYS: &[&str] = &["max_step"];
pub(in crate::policy) const SCALE_IN_KEYS: &[&str] = &["max_step", "hold"];
pub(in crate::policy) const SCHEDULE_KEYS: &[&str] = &["cron", "timezone", "for", "min"];
pub(in crate::policy) const BUDGET_KEYS: &[&str] = &["instance_hours_per_day"];
const HOLD: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=DAY;
const OPEN_FOR: RangeInclusive<SignedDuration> =
    SignedDuration::from_secs(1)..=SignedDuration::from_hours(744);

/// Growth a round.
pub(super) fn read_scale_out(reader: &mut Reader<'_>, root: &Section<'_>) -> StepLimit {
    let section = root
        .get("scale_out")
        .and_then(|item| reader.section(&item, SCALE_OUT_KEYS));
    section.map_or(StepLimit::Unlimited, |section| read_step(reader, &section))
}

/// Shrinkage a round, and how long spare capacity is kept.
pub(super) fn read_scale_in(reader: &mut Reader<'_>, root: &Section<'_>) -> (StepLimit, Hold) {
    let section = root
        .get("scale_in")
        .and_then(|item| reader.section(&item, SCALE_IN_KEYS));
    let Some(section) = section else {
        return (StepLimit::Unlimited, Hold::Auto);
    };
    let hold = match section.get("hold") {
        Some(item) if item.node.value != Value::Text("auto".to_owned()) => reader
            .duration_or(&item, &HOLD, "auto, or ")
            .map_or(Hold::Auto, Hold::For),
        _ => Hold::Auto,
    };
    (read_step(reader, &section), hold)
}

fn read_step(reader: &mut Reader<'_>, section: &Section<'_>) -> StepLimit {
    let Some(item) = section.get("max_step") else {
        return StepLimit::Unlimited;
    };
    let step = match &item.node.value {
        Value::Text(text) if text == "unlimited" => Some(StepLimit::Unlimited),
        Value::Text(text) => text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| percent.is_finite() && *percent > 0.0)
            .map(StepLimit::Percent),
        Value::Integer(count) => u32::try_from(*count)
            .ok()
            .filter(|count| *count >= 1)
            .map(|count| StepLimit::Count(Instances(count))),
        _ => None,
    };
    step.unwrap_or_else(|| {
        let allowed = "unlimited, a percentage such as 100%, or a count of at least 1";
        reader.fault(&item, allowed, "");
        StepLimit::Unlimited
    })
}

/// Minima by the clock.
pub(super) fn read_schedule(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    fleet: Option<&Fleet>,
) -> Vec<Scheduled> {
    let Some(item) = root.get("schedule") else {
        return Vec::new();
    };
    let items = reader.list(&item, "a list of windows, each with cron, for and min");
    let items = items.unwrap_or_default();
    items
        .iter()
        .filter_map(|item| read_window(reader, item, fleet))
        .collect()
}

fn read_window(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    fleet: Option<&Fleet>,
) -> Option<Scheduled> {
    let section = reader.section(item, SCHEDULE_KEYS)?;
    let cron = reader
        .required(&section, "cron", CRON)
        .and_then(|item| read_cron(reader, &item));
    let timezone = section.get("timezone").map_or(Some(TimeZone::UTC), |item| {
        const ALLOWED: &str = "an IANA time zone, such as Europe/Berlin or UTC";
        let name = reader.text(&item, ALLOWED)?;
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            reader.fault(&item, ALLOWED, "");
        }
        zone
    });
    let open_for = reader
        .required(&section, "for", "a duration such as 10h")
        .and_then(|item| reader.duration(&item, &OPEN_FOR));
    let min = reader.required(&section, "min", "the minimum while the window is open");
    let min = min.and_then(|item| {
        let min = instances(reader, &item)?;
        if let Some(fleet) = fleet.filter(|fleet| min > fleet.max) {
            let allowed = format!("0 to fleet.max ({})", fleet.max.0);
            reader.fault(&item, &allowed, "lower this min or raise fleet.max");
        }
        Some(min)
    });
    Some(Scheduled {
        cron: cron?,
        timezone: timezone?,
        open_for: open_for?,
        min: min?,
    })
}

const CRON: &str = "a cron expression of five fields, such as \"0 8 * * MON-FRI\"";

fn read_cron(reader: &mut Reader<'_>, item: &Item<'_>) -> Option<croner::Cron> {
    let text = reader.text(item, CRON)?;
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    match parser.parse(text) {
        Ok(cron) => Some(cron),
        Err(error) => {
            let why = error.to_string();
            reader.fault(item, CRON, why.trim_end_matches('.'));
            None
        }
    }
}

/// Instance-hours a day.
pub(super) fn read_budget(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    fleet: Option<&Fleet>,
) -> Option<f64> {
    const ALLOWED: &str = "a number of hours above 0";
    let item = root.get("budget")?;
    let section = reader.section(&item, BUDGET_KEYS)?;
    let item = reader.required(&section, "instance_hours_per_day", ALLOWED)?;
    let hours = reader.positive(&item, ALLOWED)?;
    let floor = fleet.map_or(0.0, |fleet| f64::from(fleet.min.0) * 24.0);
    if hours < floor {
        let allowed = format!("at least {floor}: fleet.min alone uses that in a day");
        reader.fault(&item, &allowed, "raise the budget or lower fleet.min");
    }
    Some(hours)
}
