//! What tuning may change in a policy, and how it is written in the file.
//!
//! Owns the five settings, their keys and their wording. It must not know what they are worth.

use std::fmt;

use jiff::SignedDuration;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::model::{Instances, Seconds};
use crate::policy::{Fleet, Forecast, Hold, Policy, StepLimit};

/// What tuning may change in a policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How long spare capacity is kept.
    pub hold: Hold,
    /// Growth a round.
    pub scale_out: StepLimit,
    /// Shrinkage a round.
    pub scale_in: StepLimit,
    /// Whether arrivals to come may raise capacity.
    pub forecast: Forecast,
    /// Never fewer instances.
    pub min: Instances,
}

/// One of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `fleet.min`
    Min,
    /// `forecast`
    Forecast,
    /// `scale_out.max_step`
    ScaleOut,
    /// `scale_in.max_step`
    ScaleIn,
    /// `scale_in.hold`
    Hold,
}

impl Key {
    /// All of them, in the order a policy is written.
    pub const ALL: [Self; 5] = [
        Self::Min,
        Self::Forecast,
        Self::ScaleOut,
        Self::ScaleIn,
        Self::Hold,
    ];

    /// Where it stands in a policy: the keys of the mappings down to it.
    pub fn path(self) -> &'static [&'static str] {
        match self {
            Self::Min => &["fleet", "min"],
            Self::Forecast => &["forecast"],
            Self::ScaleOut => &["scale_out", "max_step"],
            Self::ScaleIn => &["scale_in", "max_step"],
            Self::Hold => &["scale_in", "hold"],
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path().join("."))
    }
}

impl Settings {
    /// What a policy has that names none of them, with this minimum.
    pub fn defaults(min: Instances) -> Self {
        Self {
            hold: Hold::Auto,
            scale_out: StepLimit::Unlimited,
            scale_in: StepLimit::Unlimited,
            forecast: Forecast::Auto,
            min,
        }
    }

    /// A policy's.
    pub fn of(policy: &Policy) -> Self {
        Self {
            hold: policy.hold,
            scale_out: policy.scale_out,
            scale_in: policy.scale_in,
            forecast: policy.forecast,
            min: policy.fleet.min,
        }
    }

    /// The policy with these settings.
    pub fn apply(&self, policy: &Policy) -> Policy {
        Policy {
            hold: self.hold,
            scale_out: self.scale_out,
            scale_in: self.scale_in,
            forecast: self.forecast,
            fleet: Fleet {
                min: self.min,
                ..policy.fleet.clone()
            },
            ..policy.clone()
        }
    }

    /// These with one of another's.
    #[must_use]
    pub fn with(mut self, key: Key, of: &Self) -> Self {
        match key {
            Key::Min => self.min = of.min,
            Key::Forecast => self.forecast = of.forecast,
            Key::ScaleOut => self.scale_out = of.scale_out,
            Key::ScaleIn => self.scale_in = of.scale_in,
            Key::Hold => self.hold = of.hold,
        }
        self
    }

    /// The settings in which another differs.
    pub fn changes_to(&self, other: &Self) -> Vec<Key> {
        let differs = |key: &Key| self.with(*key, other) != *self;
        Key::ALL.into_iter().filter(differs).collect()
    }

    /// How a setting is written in a policy.
    pub fn text(&self, key: Key) -> String {
        match key {
            Key::Min => self.min.0.to_string(),
            Key::Forecast => match self.forecast {
                Forecast::Auto => "auto".to_owned(),
                Forecast::Off => "off".to_owned(),
            },
            Key::ScaleOut => step(self.scale_out),
            Key::ScaleIn => step(self.scale_in),
            Key::Hold => match self.hold {
                Hold::Auto => "auto".to_owned(),
                Hold::For(seconds) => duration(seconds),
            },
        }
    }
}

/// As an object: each key's path, and its text in a policy.
impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Key::ALL.len()))?;
        for key in Key::ALL {
            map.serialize_entry(&key.to_string(), &self.text(key))?;
        }
        map.end()
    }
}

fn step(limit: StepLimit) -> String {
    match limit {
        StepLimit::Unlimited => "unlimited".to_owned(),
        StepLimit::Percent(percent) => format!("{percent}%"),
        StepLimit::Count(count) => count.0.to_string(),
    }
}

/// With units, as a policy has it: `90s` becomes `1m 30s`.
fn duration(seconds: Seconds) -> String {
    SignedDuration::try_from_secs_f64(seconds.0).map_or_else(
        |_| format!("{}s", seconds.0),
        |duration| format!("{duration:#}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;
    use crate::sim::testing;

    fn settings() -> Settings {
        Settings {
            hold: Hold::For(Seconds(5400.5)),
            scale_out: StepLimit::Count(Instances(3)),
            scale_in: StepLimit::Percent(12.5),
            forecast: Forecast::Off,
            min: Instances(7),
        }
    }

    #[test]
    fn what_a_policy_is_given_it_has() {
        let before = testing::policy(60.0);
        let after = settings().apply(&before);
        assert_eq!(Settings::of(&after), settings());
        assert_eq!(Settings::of(&before).apply(&after), before);
        assert_eq!(
            Settings::of(&before),
            Settings::defaults(Instances(0)),
            "a policy that names none has the defaults"
        );
    }

    #[test]
    fn each_text_is_read_as_what_it_was_written_for() {
        let text = |key| settings().text(key);
        let yaml = format!(
            "version: 1\nname: t\nqueues: [{{ name: q }}]\nobjective: {{ start_within: 60s }}\n\
             fleet: {{ auto_scaling_group: g, min: {}, max: 200 }}\nforecast: {}\n\
             scale_out: {{ max_step: {} }}\nscale_in: {{ max_step: {}, hold: {} }}\n",
            text(Key::Min),
            text(Key::Forecast),
            text(Key::ScaleOut),
            text(Key::ScaleIn),
            text(Key::Hold),
        );
        let read = policy::parse("t.yaml", &yaml).expect("a policy");
        assert_eq!(Settings::of(&read), settings(), "{yaml}");
    }

    #[test]
    fn names_what_changes_in_the_order_of_a_policy() {
        let defaults = Settings::defaults(Instances(0));
        assert_eq!(defaults.changes_to(&defaults), []);
        assert_eq!(defaults.changes_to(&settings()), Key::ALL);
        let other = defaults.with(Key::Hold, &settings());
        assert_eq!(defaults.changes_to(&other), [Key::Hold]);
    }
}
