//! Which faults there are to be: read from JSON, checked once.
//!
//! ```json
//! {"seed": 7, "spell": "500ms",
//!  "rates": {"sqs": {"throttled": 0.02, "duplicated": 0.05}, "dynamodb": {"answer_lost": 0.01}},
//!  "outages": [{"service": "s3", "after": "10s", "for": "30s"}]}
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::{Fault, Service};

/// Spells of throttling last up to this long unless the plan says otherwise.
const SPELL: Duration = Duration::from_millis(500);

/// Which faults befall which share of calls, or of messages.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Everything is drawn from it.
    pub seed: u64,
    /// [`Fault::Throttled`] and [`Fault::ServerError`], once drawn, befall every call to the service
    /// for up to this long.
    pub spell: Duration,
    /// The share of calls, or of delivered messages, 0 to 1.
    pub rates: BTreeMap<Service, BTreeMap<Fault, f64>>,
    /// When services are away.
    pub outages: Vec<Outage>,
}

/// A time in which a service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Which service.
    pub service: Service,
    /// From when on, counted from the sandbox's start.
    pub after: Duration,
    /// For how long.
    pub lasts: Duration,
}

/// Why a text is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not the JSON of a plan.
    #[error("the fault plan cannot be read: {0}")]
    Read(#[from] serde_json::Error),
    /// A share that is none.
    #[error("rates.{service}.{fault} is {found}: a share from 0 to 1 is allowed")]
    Rate {
        /// The service.
        service: Service,
        /// The fault.
        fault: Fault,
        /// What was found.
        found: f64,
    },
    /// Shares of one service that do not fit into one.
    #[error("the rates of {service} add up to {found}: at most 1 is allowed")]
    Sum {
        /// The service.
        service: Service,
        /// What was found.
        found: f64,
    },
    /// A fault that the service does not know.
    #[error("rates.{service}.{fault}: {service} has no such fault; it has {known}")]
    Unknown {
        /// The service.
        service: Service,
        /// The fault.
        fault: Fault,
        /// Those it has.
        known: String,
    },
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            seed: 1,
            spell: SPELL,
            rates: BTreeMap::new(),
            outages: Vec::new(),
        }
    }
}

impl FaultPlan {
    /// The share of a service's calls, or messages, that a fault befalls.
    pub fn rate(&self, service: Service, fault: Fault) -> f64 {
        let rates = self.rates.get(&service);
        rates
            .and_then(|rates| rates.get(&fault))
            .copied()
            .unwrap_or(0.0)
    }

    pub(super) fn rates_of(&self, service: Service) -> impl Iterator<Item = (Fault, f64)> {
        let rates = self.rates.get(&service).into_iter().flatten();
        rates.map(|(fault, rate)| (*fault, *rate))
    }

    pub(super) fn is_away(&self, service: Service, age: Duration) -> bool {
        self.outages.iter().any(|outage| {
            let during = outage.after..outage.after + outage.lasts;
            outage.service == service && during.contains(&age)
        })
    }

    fn check(&self) -> Result<(), PlanError> {
        for (service, rates) in &self.rates {
            let service = *service;
            for (fault, rate) in rates {
                if !fault.befalls(service) {
                    return Err(PlanError::Unknown {
                        service,
                        fault: *fault,
                        known: known(service),
                    });
                }
                if !(0.0..=1.0).contains(rate) {
                    return Err(PlanError::Rate {
                        service,
                        fault: *fault,
                        found: *rate,
                    });
                }
            }
            let found: f64 = rates.values().sum();
            if found > 1.0 {
                return Err(PlanError::Sum { service, found });
            }
        }
        Ok(())
    }
}

fn known(service: Service) -> String {
    use Fault as F;
    let all = [
        F::Throttled,
        F::ServerError,
        F::EntriesFailed,
        F::Conflict,
        F::Duplicated,
        F::EarlyAgain,
        F::Reordered,
        F::Hung,
        F::Unreached,
        F::AnswerLost,
        F::TokenRefused,
    ];
    let names = all.into_iter().filter(|fault| fault.befalls(service));
    names.map(F::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let raw: RawPlan = serde_json::from_str(text)?;
        let outage = |raw: RawOutage| Outage {
            service: raw.service,
            after: raw.after.0,
            lasts: raw.lasts.0,
        };
        let plan = Self {
            seed: raw.seed.unwrap_or(1),
            spell: raw.spell.map_or(SPELL, |span| span.0),
            rates: raw.rates,
            outages: raw.outages.into_iter().map(outage).collect(),
        };
        plan.check()?;
        Ok(plan)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlan {
    seed: Option<u64>,
    spell: Option<Span>,
    #[serde(default)]
    rates: BTreeMap<Service, BTreeMap<Fault, f64>>,
    #[serde(default)]
    outages: Vec<RawOutage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutage {
    service: Service,
    after: Span,
    #[serde(rename = "for")]
    lasts: Span,
}

/// A duration with its unit.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Span(Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed: Option<jiff::SignedDuration> = text.parse().ok();
        let span = parsed.and_then(|span| Duration::try_from(span).ok());
        span.map(Self)
            .ok_or_else(|| format!("{text:?} is no duration: it needs a unit, as 500ms or 30s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        text.parse::<FaultPlan>().unwrap_err().to_string()
    }

    #[test]
    fn plan_is_read_from_json() {
        let plan: FaultPlan = r#"{"seed": 7, "spell": "1s",
            "rates": {"sqs": {"throttled": 0.02}},
            "outages": [{"service": "s3", "after": "10s", "for": "30s"}]}"#
            .parse()
            .unwrap();
        assert_eq!((plan.seed, plan.spell), (7, Duration::from_secs(1)));
        assert!((plan.rate(Service::Sqs, Fault::Throttled) - 0.02).abs() < f64::EPSILON);
        let at = |seconds| plan.is_away(Service::S3, Duration::from_secs(seconds));
        assert_eq!([9, 10, 39, 40].map(at), [false, true, true, false]);
    }

    #[test]
    fn wrong_plans_are_told_apart() {
        let unknown = complaint(r#"{"rates": {"s3": {"duplicated": 0.1}}}"#);
        assert!(
            unknown.starts_with("rates.s3.duplicated: s3 has no such fault"),
            "{unknown}"
        );
        let rate = complaint(r#"{"rates": {"s3": {"throttled": 1.5}}}"#);
        assert!(rate.contains("rates.s3.throttled is 1.5"), "{rate}");
        let sum = complaint(r#"{"rates": {"s3": {"throttled": 0.6, "hung": 0.6}}}"#);
        assert!(sum.contains("add up to 1.2"), "{sum}");
        let key = complaint(r#"{"rate": {}}"#);
        assert!(key.contains("unknown field `rate`"), "{key}");
        let span = complaint(r#"{"spell": "9"}"#);
        assert!(span.contains("needs a unit"), "{span}");
    }
}
