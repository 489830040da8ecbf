//! One seed's arrivals, and what everyone does with them.
//!
//! Owns the runs: the bound, the peers' search, the frontiers, every entrant's run. It must not
//! know another seed.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::entrant::{Entrant, WEIR};
use super::{Questions, Sharpness, Tuning};
use crate::backtest::bound::{self, Schedule, Terms};
use crate::backtest::measure::{self, Curve, Yardstick};
use crate::backtest::outcome::{
    BoundShape, Frontier, FrontierPoint, Row, ScoreShape, Setting, SetupShape, TraceShape,
};
use crate::backtest::progress::Meter;
use crate::backtest::scenario::Scenario;
use crate::backtest::sweep::{self, Allowed, Peer, Sweep, Tried};
use crate::model::Seconds;
use crate::sim::peers::{self, Facts};
use crate::sim::{Judged, Load, Score, Setup, run};

/// One seed's messages, what is needed for them, and the fleet they are put to.
pub(super) struct Arena<'a> {
    scenario: &'a Scenario,
    questions: &'a Questions,
    pub(super) load: Load,
    setup: Setup,
    schedule: Schedule,
    pub(super) bound: BoundShape,
}

impl<'a> Arena<'a> {
    pub(super) fn new(
        (scenario, questions): (&'a Scenario, &'a Questions),
        seed: u64,
        meter: &Meter<'_>,
    ) -> Self {
        meter.begin("bound", 1);
        let (load, setup) = (scenario.load(seed), scenario.seeded(seed));
        let terms = Terms {
            slots: setup.slots,
            objective_seconds: scenario.policy.objective.start_within.0,
            boot_seconds: setup.boot_seconds,
        };
        let schedule = bound::schedule(&load, &terms);
        let bound = BoundShape {
            work_hours: load.work_seconds() / f64::from(setup.slots) / 3600.0,
            feasible_hours: schedule.hours,
            exact_hours: (questions.sharpness == Sharpness::Exact)
                .then(|| bound::exact_hours(&load, &terms, scenario.late_share_max())),
            peak_instances: schedule.peak_instances(),
        };
        meter.step();
        Self {
            scenario,
            questions,
            load,
            setup,
            schedule,
            bound,
        }
    }

    fn service_seconds_mean(&self) -> f64 {
        let jobs = self.load.arrivals.len();
        if jobs == 0 {
            return self.scenario.service.seconds_mean;
        }
        self.load.work_seconds() / jobs as f64
    }

    fn facts(&self) -> Facts {
        Facts {
            objective_seconds: self.scenario.policy.objective.start_within.0,
            service_seconds: self.service_seconds_mean(),
            slots: self.setup.slots,
            max: self.setup.max,
        }
    }

    /// Each peer's settings tried for the objective, where its best is asked for.
    pub(super) fn search(&self, meter: &Meter<'_>) -> BTreeMap<Peer, Vec<Tried>> {
        let mut tried: BTreeMap<Peer, Vec<Tried>> = BTreeMap::new();
        if self.questions.tuning == Tuning::Documented {
            return tried;
        }
        let facts = self.facts();
        let rules: Vec<peers::Setting> = (self.questions.peers.iter())
            .flat_map(|peer| peer.rules(&facts))
            .collect();
        meter.begin("peers' settings", rules.len() + self.questions.peers.len());
        let objectives = [facts.objective_seconds];
        let allowed = Allowed {
            objective: 0,
            late_share_max: self.scenario.late_share_max(),
        };
        let searched = rules.into_par_iter().map(|rule| {
            let mut sweep = Sweep::new(rule, &self.setup, &self.load, &objectives);
            meter.timed(|| {
                sweep.coarse(allowed);
                sweep.points.len() * self.load.arrivals.len()
            });
            sweep.tried(allowed.objective)
        });
        // The documented setting is one that may be chosen.
        let documented = self.questions.peers.par_iter().map(|peer| {
            let setting = peer.documented(&facts);
            let run = || run(&self.setup, &self.load, setting.scaler().as_mut());
            let run = meter.run(&self.load, run);
            Tried {
                billed_hours: run.billed_hours,
                late_share: run.late_share(facts.objective_seconds),
                setting,
            }
        });
        let searched: Vec<Vec<Tried>> = searched.collect();
        let documented: Vec<Tried> = documented.collect();
        for one in documented.into_iter().chain(searched.into_iter().flatten()) {
            tried.entry(one.setting.peer()).or_default().push(one);
        }
        tried
    }

    /// The policy, then each peer as documented and at its best in hindsight.
    pub(super) fn entrants(&self, tried: &BTreeMap<Peer, Vec<Tried>>) -> Vec<Entrant> {
        let facts = self.facts();
        let mut entrants = vec![Entrant::policy(&self.scenario.policy)];
        for peer in &self.questions.peers {
            entrants.push(Entrant::peer(peer.documented(&facts), Setting::Documented));
            let tried = tried.get(peer).map(Vec::as_slice).unwrap_or_default();
            let best = sweep::cheapest(tried, self.scenario.late_share_max())
                .map(|best| (best, Setting::Tuned))
                .or(sweep::least_late(tried).map(|best| (best, Setting::LeastLate)));
            entrants.extend(best.map(|(best, from)| Entrant::peer(best.setting.clone(), from)));
        }
        entrants
    }

    pub(super) fn frontiers(
        &self,
        tried: &BTreeMap<Peer, Vec<Tried>>,
        meter: &Meter<'_>,
    ) -> Vec<Frontier> {
        if self.questions.tuning == Tuning::Documented {
            return Vec::new();
        }
        let mut frontiers = vec![self.policy_frontier(meter)];
        for (peer, tried) in tried {
            let points = sweep::frontier(tried).into_iter().filter_map(|one| {
                Some(FrontierPoint {
                    parameters: one.setting.parameters(),
                    variant: one.setting.variant(),
                    over_bound: measure::over(one.billed_hours, self.bound_hours())?,
                    late_share: one.late_share,
                })
            });
            frontiers.push(Frontier {
                scaler: peer.name().to_owned(),
                points: points.collect(),
            });
        }
        frontiers
    }

    fn bound_hours(&self) -> f64 {
        self.bound.exact_hours.unwrap_or(self.bound.feasible_hours)
    }

    /// The policy's cost and lateness were its objective another one: what a second sooner costs.
    fn policy_frontier(&self, meter: &Meter<'_>) -> Frontier {
        meter.begin("frontier", OBJECTIVES.len());
        let objective = self.scenario.policy.objective.start_within;
        let points = OBJECTIVES.par_iter().map(|times| {
            let mut policy = self.scenario.policy.clone();
            let start_within = Seconds(objective.0 * times);
            policy.objective.start_within = start_within;
            policy.queues[0].objective.start_within = start_within;
            let run = meter.run(&self.load, || {
                run(&self.setup, &self.load, &mut Judged::new(&policy))
            });
            Some(FrontierPoint {
                parameters: BTreeMap::from([("start_within_seconds".to_owned(), start_within.0)]),
                variant: None,
                over_bound: measure::over(run.billed_hours, self.bound_hours())?,
                late_share: run.late_share(objective.0),
            })
        });
        Frontier {
            scaler: WEIR.to_owned(),
            points: sweep::undominated(points.flatten().collect(), |point| {
                (point.over_bound, point.late_share)
            }),
        }
    }

    /// Runs everyone; what is made of a run is made at once, since its waits take room.
    pub(super) fn run_all<T: Send>(
        &self,
        entrants: &[Entrant],
        meter: &Meter<'_>,
        made: impl Fn(Score) -> T + Sync,
    ) -> Vec<T> {
        meter.begin("runs", entrants.len());
        let runs = entrants.par_iter().map(|entrant| {
            let run = || run(&self.setup, &self.load, entrant.scaler().as_mut());
            made(meter.run(&self.load, run))
        });
        runs.collect()
    }

    pub(super) fn score(&self, run: Score) -> ScoreShape {
        measure::score(run, &self.yardstick())
    }

    fn yardstick(&self) -> Yardstick<'_> {
        Yardstick {
            objective_seconds: self.scenario.policy.objective.start_within.0,
            late_share_max: self.scenario.late_share_max(),
            bound_hours: self.bound_hours(),
            price_per_hour: self.questions.price_per_hour,
            needed: self.needed(),
        }
    }

    pub(super) fn actual(&self) -> Option<Row> {
        let actual = self.questions.actual.as_ref()?;
        Some(Row {
            scaler: "the fleet".to_owned(),
            setting: Setting::Actual,
            parameters: BTreeMap::new(),
            variant: None,
            score: measure::actual_score(actual, &self.yardstick()),
            confidence: BTreeMap::new(),
        })
    }

    pub(super) fn needed(&self) -> Curve<'_> {
        Curve {
            step_seconds: self.schedule.step_seconds,
            instances: &self.schedule.instances,
        }
    }

    pub(super) fn trace(&self) -> TraceShape {
        let arrivals = &self.scenario.arrivals;
        TraceShape {
            name: arrivals.name.clone(),
            starts_at: arrivals.starts_at.0,
            seconds: arrivals.trace.seconds(),
            step_seconds: arrivals.trace.step_seconds,
            messages: self.load.arrivals.len() as u64,
            notes: arrivals.notes.clone(),
        }
    }

    pub(super) fn setup(&self) -> SetupShape {
        let (policy, service) = (&self.scenario.policy, &self.scenario.service);
        SetupShape {
            slots: self.setup.slots,
            service_seconds_mean: self.service_seconds_mean(),
            service: service.spread.name().to_owned(),
            boot_seconds: self.setup.boot_seconds,
            interval_seconds: self.setup.interval_seconds,
            min: policy.fleet.min.0,
            max: self.setup.max,
            price_per_hour: self.questions.price_per_hour,
            seed: self.scenario.setup.seed,
            seeds: self.questions.seeds.max(1),
            faults: self.scenario.hardships(),
        }
    }
}

/// Objectives tried for the policy's frontier, in parts of its own.
const OBJECTIVES: [f64; 8] = [0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.6, 2.5];
