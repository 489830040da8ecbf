//! One scenario, many scalers: runs them all and gathers what they came to.
//!
//! Owns the order of a backtest: the bound, the peers' search, every scaler on every seed, the
//! outcome. It must not print, and it touches no file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::bound::{self, Schedule, Terms};
use super::history::Actual;
use super::measure::{self, Curve, Yardstick};
use super::outcome::{
    BoundShape, Frontier, FrontierPoint, ObjectiveShape, Outcome, Row, ScoreShape, Setting,
    SetupShape, Speed, TraceShape, VERSION,
};
use super::scenario::Scenario;
use super::seeds;
use super::sweep::{self, Allowed, Peer, Sweep, Tried};
use crate::clock;
use crate::model::Seconds;
use crate::policy::Policy;
use crate::sim::peers::{self, Facts};
use crate::sim::{Judged, Load, Scaler, Score, Setup, run};

/// What a backtest is asked.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Whom to compare with.
    pub peers: Vec<Peer>,
    /// Whether each peer also stands at its best in hindsight.
    pub tuning: Tuning,
    /// How sharp the bound is.
    pub sharpness: Sharpness,
    /// Of an instance-hour.
    pub price_per_hour: Option<f64>,
    /// Independent runs of each scaler; at least one.
    pub seeds: u32,
    /// What the fleet did, where that is known.
    pub actual: Option<Actual>,
}

/// Where peers' settings are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// As each one's documentation has them.
    Documented,
    /// And the cheapest in hindsight that keeps the objective.
    InHindsight,
}

/// How sharp the bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharpness {
    /// The feasible schedule.
    Feasible,
    /// And the linear program.
    Exact,
}

/// How far a backtest has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: &'static str,
    /// Parts of it done.
    pub done: usize,
    /// All of its parts.
    pub all: usize,
}

/// Is told of progress, from any thread.
pub type Told<'a> = &'a (dyn Fn(Progress) + Sync);

/// Runs it.
pub fn compare(scenario: &Scenario, questions: &Questions, told: Told<'_>) -> Outcome {
    let meter = Meter::new(told);
    let first = Arena::new((scenario, questions), scenario.setup.seed, &meter);
    let tried = first.search(&meter);
    let entrants = first.entrants(&tried);
    let seeds = questions.seeds.max(1);
    meter.begin("runs", entrants.len() * seeds as usize);
    let mut series = measure::series(&first.load, first.needed());
    let runs = first.run_all(&entrants, &meter, |run| {
        let row = measure::row_series(&run, &first.load, &series);
        (first.score(run), row)
    });
    let (scores, rows): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    series.rows = rows;
    let mut scores: Vec<Vec<ScoreShape>> = scores.into_iter().map(|score| vec![score]).collect();
    for nth in 1..seeds {
        let seed = scenario.setup.seed + u64::from(nth);
        let arena = Arena::new((scenario, questions), seed, &meter);
        let others = arena.run_all(&entrants, &meter, |run| arena.score(run));
        for (scores, score) in scores.iter_mut().zip(others) {
            scores.push(score);
        }
    }
    let actual = questions.actual.as_ref();
    let row = actual.map(|actual| measure::actual_series(actual, &series));
    series.rows.extend(row);
    let frontiers = first.frontiers(&tried, &meter);
    let rows = entrants.iter().zip(&scores);
    Outcome {
        version: VERSION,
        policy: scenario.policy.name.clone(),
        objective: ObjectiveShape {
            start_within_seconds: scenario.policy.objective.start_within.0,
            percentile: scenario.policy.objective.percentile,
        },
        trace: first.trace(),
        setup: first.setup(),
        bound: first.bound,
        rows: (rows.map(|(entrant, scores)| entrant.row(scores)))
            .chain(first.actual())
            .collect(),
        frontiers,
        series,
        speed: Some(meter.speed()),
    }
}

/// One seed's messages, what is needed for them, and the fleet they are put to.
struct Arena<'a> {
    scenario: &'a Scenario,
    questions: &'a Questions,
    load: Load,
    setup: Setup,
    schedule: Schedule,
    bound: BoundShape,
}

impl<'a> Arena<'a> {
    fn new(
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
    fn search(&self, meter: &Meter<'_>) -> BTreeMap<Peer, Vec<Tried>> {
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
    fn entrants(&self, tried: &BTreeMap<Peer, Vec<Tried>>) -> Vec<Entrant> {
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

    fn frontiers(&self, tried: &BTreeMap<Peer, Vec<Tried>>, meter: &Meter<'_>) -> Vec<Frontier> {
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
            points: undominated(points.flatten().collect()),
        }
    }

    /// Runs everyone; what is made of a run is made at once, since its waits take room.
    fn run_all<T: Send>(
        &self,
        entrants: &[Entrant],
        meter: &Meter<'_>,
        made: impl Fn(Score) -> T + Sync,
    ) -> Vec<T> {
        let runs = entrants.par_iter().map(|entrant| {
            let run = || run(&self.setup, &self.load, entrant.scaler().as_mut());
            made(meter.run(&self.load, run))
        });
        runs.collect()
    }

    fn score(&self, run: Score) -> ScoreShape {
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

    fn actual(&self) -> Option<Row> {
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

    fn needed(&self) -> Curve<'_> {
        Curve {
            step_seconds: self.schedule.step_seconds,
            instances: &self.schedule.instances,
        }
    }

    fn trace(&self) -> TraceShape {
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

    fn setup(&self) -> SetupShape {
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

/// What this scaler is called beside its peers.
const WEIR: &str = "weir";

/// Who takes part.
struct Entrant {
    setting: Setting,
    rule: Rule,
}

enum Rule {
    Policy(Policy),
    Peer(peers::Setting),
}

impl Entrant {
    fn policy(policy: &Policy) -> Self {
        Self {
            setting: Setting::Policy,
            rule: Rule::Policy(policy.clone()),
        }
    }

    fn peer(rule: peers::Setting, setting: Setting) -> Self {
        Self {
            setting,
            rule: Rule::Peer(rule),
        }
    }

    fn scaler(&self) -> Box<dyn Scaler + '_> {
        match &self.rule {
            Rule::Policy(policy) => Box::new(Judged::new(policy)),
            Rule::Peer(rule) => rule.scaler(),
        }
    }

    fn row(&self, scores: &[ScoreShape]) -> Row {
        let (score, confidence) = seeds::summarise(scores);
        let (scaler, parameters, variant) = match &self.rule {
            Rule::Policy(_) => (WEIR, BTreeMap::new(), None),
            Rule::Peer(rule) => (rule.peer().name(), rule.parameters(), rule.variant()),
        };
        Row {
            scaler: scaler.to_owned(),
            setting: self.setting,
            parameters,
            variant,
            score,
            confidence,
        }
    }
}

/// Cheapest first; those that cost no less than a less late one are left out.
fn undominated(mut points: Vec<FrontierPoint>) -> Vec<FrontierPoint> {
    points.sort_by(|a, b| {
        (a.over_bound.total_cmp(&b.over_bound)).then(a.late_share.total_cmp(&b.late_share))
    });
    let mut least = f64::INFINITY;
    points.retain(|point| {
        let is_less_late = point.late_share < least;
        least = least.min(point.late_share);
        is_less_late
    });
    points
}

/// How far it is, and how fast it went.
struct Meter<'a> {
    told: Told<'a>,
    stage: Mutex<Progress>,
    messages: AtomicU64,
    nanoseconds: AtomicU64,
}

impl<'a> Meter<'a> {
    fn new(told: Told<'a>) -> Self {
        Self {
            told,
            stage: Mutex::new(Progress {
                stage: "",
                done: 0,
                all: 0,
            }),
            messages: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }

    fn begin(&self, stage: &'static str, all: usize) {
        self.tell(|progress| {
            *progress = Progress {
                stage,
                done: 0,
                all,
            }
        });
    }

    fn step(&self) {
        self.tell(|progress| progress.done += 1);
    }

    fn run(&self, load: &Load, run: impl FnOnce() -> Score) -> Score {
        let mut score = None;
        self.timed(|| {
            score = Some(run());
            load.arrivals.len()
        });
        score.expect("invariant: it was run")
    }

    /// Work on so many messages.
    fn timed(&self, work: impl FnOnce() -> usize) {
        let begun = clock::monotonic();
        let messages = work();
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.messages.fetch_add(messages as u64, Ordering::Relaxed);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        self.step();
    }

    fn speed(&self) -> Speed {
        let messages = self.messages.load(Ordering::Relaxed);
        let thread_seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        Speed {
            messages,
            thread_seconds,
            messages_per_thread_second: messages as f64 / thread_seconds.max(f64::MIN_POSITIVE),
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        (self.told)(*progress);
    }
}
