//! The cheapest settings of a policy that keep its objective on given arrivals, held to days they
//! were not chosen by.
//!
//! Every setting of a fixed grid runs once over the whole trace, and a few between; all else is sums
//! over days. Owns the search, the verdict, and the change of the policy's file. It must not
//! simulate or judge, and it prints nothing.

mod candidates;
mod choose;
mod edit;
mod held_out;
mod luck;
pub mod outcome;
mod refine;
mod settings;
mod standing;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verdict;
mod write;

pub use edit::{Edit, NotEdited};
pub use settings::{Key, Settings};
pub use standing::Standing;
pub use table::{Sums, Unit};
pub use verdict::Verdict;
pub use write::{NotWritten, Staged};

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use self::candidates::candidates;
use self::choose::{OWN, Terms, Trial};
use self::held_out::{all_others, saved_share};
use self::outcome::{Candidate, Change, Cure, Figures, Fold, Parted, Saving, Tuned, VERSION};
use self::refine::between;
use self::table::Parts;
use self::verdict::{Weighed, weigh};
use super::outcome::{ObjectiveShape, TraceShape};
use super::progress::{Progress, Told};
use super::scenario::Scenario;
use crate::model::Instances;
use crate::sim::chance::{Stream, stream};
use crate::sim::{Judged, Load, run};

/// To keep an objective that it clearly misses, a change may cost so many times what the policy does
/// without being asked for: a bill that doubles is the most that nobody should be surprised by.
pub const CURE_COST_TIMES_MAX: f64 = 2.0;

/// What a tuning is to go by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of an instance-hour, where it is known.
    pub per_hour: Option<f64>,
    /// So many times the policy's cost may be paid to keep an objective that it misses, as
    /// [`CURE_COST_TIMES_MAX`] has it; `None` for any price.
    pub cure_cost_times_max: Option<f64>,
}

/// Finds the cheapest settings that keep the objective, and how sure that is.
pub fn tune(scenario: &Scenario, prices: Prices, told: Told<'_>) -> Tuned {
    let bench = Bench::new(scenario, prices.per_hour);
    let terms = Terms {
        late_share_max: scenario.late_share_max(),
        cost_times_max: prices.cure_cost_times_max,
    };
    let (settings, trials) = bench.search(terms, told);
    let chance = &mut stream(scenario.setup.seed, Stream::Resampling);
    let weighed = weigh(&trials, &bench.parts.blocks(), terms, chance);
    let found = Found {
        settings,
        trials,
        terms,
        weighed,
    };
    bench.tell(&found, told)
}

/// What is being done, and who is told of it.
type Stage<'a> = (&'static str, Told<'a>);

/// What settings are tried on.
struct Bench<'a> {
    scenario: &'a Scenario,
    price_per_hour: Option<f64>,
    load: Load,
    parts: Parts,
}

/// What came of it; settings and trials in the same order, the policy's own first.
struct Found {
    settings: Vec<Settings>,
    trials: Vec<Trial>,
    terms: Terms,
    weighed: Weighed,
}

impl<'a> Bench<'a> {
    fn new(scenario: &'a Scenario, price_per_hour: Option<f64>) -> Self {
        let load = scenario.load(scenario.setup.seed);
        Self {
            scenario,
            price_per_hour,
            parts: Parts::of(load.seconds),
            load,
        }
    }

    /// A run's days, and the most instances it had at a time.
    fn run(&self, settings: &Settings) -> (Vec<Sums>, Instances) {
        let policy = settings.apply(&self.scenario.policy);
        let score = run(&self.scenario.setup, &self.load, &mut Judged::new(&policy));
        let objective_seconds = policy.objective.start_within.0;
        let days = self.parts.table(&score, &self.load, objective_seconds);
        (days, Instances(score.peak_instances))
    }

    /// Tries the grid, and then between its minima while that may make a cure cheaper: on all days,
    /// and on those that each choice sees that is judged by others.
    fn search(&self, terms: Terms, told: Told<'_>) -> (Vec<Settings>, Vec<Trial>) {
        let own = Settings::of(&self.scenario.policy);
        let trial = |(settings, days): (&Settings, Vec<Sums>)| Trial {
            changes: own.changes_to(settings).len(),
            days,
        };
        let (first, peak) = self.run(&own);
        let mut settings = candidates(&self.scenario.policy, peak);
        let days = self.run_all(&settings[1..], ("settings", told));
        let days = [first].into_iter().chain(days);
        let mut trials: Vec<Trial> = settings.iter().zip(days).map(trial).collect();

        let mut seen = all_others(&self.parts.blocks());
        seen.push((0..self.parts.count).collect());
        loop {
            let mut next: Vec<Settings> = Vec::new();
            for days in &seen {
                let one = between((&settings, &trials), days, terms);
                next.extend(one.filter(|one| !next.contains(one)));
            }
            if next.is_empty() {
                return (settings, trials);
            }
            let days = self.run_all(&next, ("between", told));
            trials.extend(next.iter().zip(days).map(trial));
            settings.extend(next);
        }
    }

    fn run_all(&self, settings: &[Settings], (stage, told): Stage<'_>) -> Vec<Vec<Sums>> {
        let done = AtomicUsize::new(0);
        let tell = || {
            told(Progress {
                stage,
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                all: settings.len(),
            });
        };
        let runs = settings.par_iter().map(|settings| {
            let (days, _) = self.run(settings);
            tell();
            days
        });
        runs.collect()
    }

    fn tell(&self, found: &Found, told: Told<'_>) -> Tuned {
        let Weighed { best, held_out, .. } = &found.weighed;
        let policy = &self.scenario.policy;
        let (own, best) = (found.settings[OWN], found.settings[*best]);
        let defaults = Settings::defaults(own.min);
        let of = |settings| self.figures(found.days_of(settings));
        Tuned {
            version: VERSION,
            policy: policy.name.clone(),
            objective: ObjectiveShape {
                start_within_seconds: policy.objective.start_within.0,
                percentile: policy.objective.percentile,
            },
            trace: self.trace(),
            seed: self.scenario.setup.seed,
            parted: Parted {
                unit: self.parts.unit,
                count: self.parts.count,
                blocks: held_out.chosen.len(),
            },
            verdict: found.weighed.verdict,
            best,
            changes: self.changes((&own, &best), found, told),
            cost_times_max: found.terms.cost_times_max,
            cure: self.cure(found),
            saving: self.saving(found),
            as_it_stands: of(&own),
            defaults: of(&defaults),
            tuned: of(&best),
            held_out: self.figures(&held_out.days),
            folds: found.folds(&self.parts),
            candidates: self.candidates(found),
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

    /// Each change, and what it is worth without the others.
    fn changes(
        &self,
        (own, best): (&Settings, &Settings),
        found: &Found,
        told: Told<'_>,
    ) -> Vec<Change> {
        let keys = own.changes_to(best);
        let alone: Vec<Settings> = keys.iter().map(|key| own.with(*key, best)).collect();
        let days = self.run_all(&alone, ("changes", told));
        let all = Sums::of(&found.trials[OWN].days);
        let change = |(key, days): (&Key, Vec<Sums>)| Change {
            key: key.to_string(),
            from: own.text(*key),
            to: best.text(*key),
            alone: self.figures(&days),
            alone_saves_share: saved_share(&all, &Sums::of(&days)),
        };
        keys.iter().zip(days).map(change).collect()
    }

    fn cure(&self, found: &Found) -> Option<Cure> {
        let cured = found.weighed.cure.as_ref()?;
        let (own, settings) = (found.settings[OWN], found.settings[cured.place]);
        let hours = |place: usize| Sums::of(&found.trials[place].days).instance_hours;
        let differs = own.changes_to(&settings).into_iter();
        Some(Cure {
            settings,
            differs: differs
                .map(|key| format!("{key}: {}", settings.text(key)))
                .collect(),
            cost_times: hours(cured.place) / hours(OWN),
            figures: self.figures(&found.trials[cured.place].days),
            held_out: self.figures(&cured.held_out.days),
        })
    }

    fn saving(&self, found: &Found) -> Saving {
        let weighed = &found.weighed;
        let from = Sums::of(&found.trials[OWN].days);
        let to = Sums::of(&found.trials[weighed.best].days);
        let instance_hours = from.instance_hours - to.instance_hours;
        Saving {
            instance_hours,
            share: saved_share(&from, &to),
            share_interval: weighed.saving_interval,
            share_held_out: saved_share(&from, &Sums::of(&weighed.held_out.days)),
            luck: weighed.luck,
            cost: self.price_per_hour.map(|price| price * instance_hours),
        }
    }

    fn candidates(&self, found: &Found) -> Vec<Candidate> {
        let chosen = &found.weighed.held_out.chosen;
        let all = found.settings.iter().zip(&found.trials).enumerate();
        let mut all: Vec<Candidate> = all
            .map(|(place, (settings, trial))| Candidate {
                settings: *settings,
                figures: self.figures(&trial.days),
                chosen_in_folds: chosen.iter().filter(|chosen| **chosen == place).count(),
            })
            .collect();
        all.sort_by(|a, b| {
            let (a, b) = (a.figures.instance_hours, b.figures.instance_hours);
            a.total_cmp(&b)
        });
        all
    }

    fn figures(&self, days: &[Sums]) -> Figures {
        let terms = (self.scenario.late_share_max(), self.price_per_hour);
        Figures::of(days, terms)
    }
}

impl Found {
    fn days_of(&self, settings: &Settings) -> &[Sums] {
        let place = self.settings.iter().position(|one| one == settings);
        &self.trials[place.expect("invariant: the policy's own and the defaults are tried")].days
    }

    fn folds(&self, parts: &Parts) -> Vec<Fold> {
        let chosen = &self.weighed.held_out.chosen;
        let folds = parts.blocks().into_iter().zip(chosen);
        let fold = |(held_out, chosen): (_, &usize)| Fold {
            held_out,
            chosen: self.settings[*chosen],
        };
        folds.map(fold).collect()
    }
}
