//! Rules for being ahead of arrivals, rehearsed on the arrivals as they come.
//!
//! Where the objective is shorter than the boot, work that is due cannot be answered when it has
//! come: capacity has to be there before. How much is a matter of how this queue bursts, and no
//! constant fits two queues. So two hundred rules run side by side, each with an imaginary fleet
//! that gets the real arrivals: what would this rule have cost, and how much would it have started
//! late? The cheapest that would have kept the objective is followed (the scheme of Google's
//! Autopilot, 2020: a bandit over windowed peaks, with full information since arrivals do
//! not depend on the rule).
//!
//! Owns the rules, the imaginary fleets and the choice. It must not raise or lower the real fleet:
//! that is forecast's affair.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::curve::Mean;
use super::season::Season;
use super::whole_instances;
use crate::reason::Method;

/// Times are in leads, from the order to the capacity: a burst that an instance of two minutes'
/// boot must be ahead of is none for one of two seconds'.
///
/// Forecast: the arrival rate of the last half lead, lead and a half or five goes on; or it will be as
/// a day or a week before, or by level and time of day.
const SPANS: [f64; 3] = [0.5, 1.5, 5.0];
/// Quantile: so much more than the forecast is kept ready, as a part of it.
const HEADROOMS: [f64; 9] = [-0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0];
/// Hold: capacity once needed is kept for so many leads.
const KEEPS: [f64; 4] = [1.1, 4.5, 13.5, 54.0];
const FORECASTS: usize = SPANS.len() + Method::SEASONAL.len();
const RULES: usize = FORECASTS * HEADROOMS.len() * KEEPS.len();
/// A season's forecast is of what comes at least: where more comes now, by the mean over this one of
/// [`SPANS`], that goes on.
const NOW: usize = 1;

/// A window is kept as so many parts, each with its extreme.
const PARTS: usize = 8;
/// What was long ago counts less: after so many seconds a third. Ten days hold a weekend and the
/// week around it.
const FORGET_SECONDS: f64 = 10.0 * 86_400.0;
/// The share that is late is taken of so many leads of arrivals at least, 18 hours of a boot of two
/// minutes. Objectives hold over days; one burst in the first hour must not settle the choice.
const ACCOUNT_LEADS: f64 = 480.0;
/// A rule without headroom is presumed to start this share late until it has shown better, one
/// with more headroom less; the presumption fades with so many leads of arrivals seen.
const PRESUMED_LATE: f64 = 0.1;
const PRESUMED_LEADS: f64 = 20.0;
/// A mean rate over fewer leads than this is no mean.
const MEAN_LEADS_MIN: f64 = 13.0;
/// A worker that is so many times slower, wider or longer to boot is another one.
const ANOTHER_WORKER: f64 = 1.5;
/// What the rules are measured by, and on what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: f64,
    /// Since the last look.
    pub(super) elapsed: f64,
    /// Messages since the last look; negative by noise.
    pub(super) arrived: f64,
    /// Messages that really wait.
    pub(super) visible: f64,
    pub(super) objective: f64,
    pub(super) service: f64,
    pub(super) slots: f64,
    pub(super) boot: f64,
    /// From the order to the capacity.
    pub(super) lead: f64,
    /// The fleet's max.
    pub(super) max: u32,
}

/// All rules and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rehearsal {
    /// Arrival rates over [`SPANS`].
    rates: [Mean; SPANS.len()],
    season: Season,
    /// Seconds and messages rehearsed, the long past counting less.
    seconds: f64,
    messages: f64,
    /// Messages that came since the rehearsal began.
    arrived: f64,
    /// By how many messages noise has the counts below an earlier one.
    below: f64,
    /// `arrived` at each look of the last objective.
    came: VecDeque<(f64, f64)>,
    /// The worker it was begun with: service time, slots, boot time.
    worker: [f64; 3],
    /// By the order of [`rules`]; empty until something arrives.
    rehearsed: Vec<Rehearsed>,
}

/// One rule's imaginary fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rehearsed {
    /// Sizes it called for, the most in each part of its keep; the largest is its size.
    called: [u32; PARTS],
    /// Its sizes, the least in each part of the last boot: so many instances work, since the
    /// youngest are the first to go.
    sizes: [u32; PARTS],
    /// The same rule on the real backlog.
    calls: [u32; PARTS],
    waiting: f64,
    /// Waiting or running.
    present: f64,
    /// Messages started late, the long past counting less.
    late: f64,
    /// Instance-seconds, the long past counting less.
    cost: f64,
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// Of [`SPANS`], and beyond those of [`Method::SEASONAL`].
    span: usize,
    /// Instances kept ready beyond the forecast, as a part of it.
    pub(super) headroom: f64,
    /// Leads that capacity once needed is kept.
    keep: f64,
}

/// The rule that is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) rule: Rule,
    /// The size it calls for.
    pub(super) wanted: u32,
    /// The forecast: arrivals a second, over so many seconds.
    pub(super) per_second: f64,
    pub(super) method: Method,
    pub(super) span: f64,
    /// Seconds that capacity once needed is kept.
    pub(super) keep: f64,
    /// The share it would have started late.
    pub(super) late_share: f64,
}

fn rules() -> impl Iterator<Item = Rule> {
    KEEPS.into_iter().flat_map(|keep| {
        (0..FORECASTS).flat_map(move |span| {
            HEADROOMS.into_iter().map(move |headroom| Rule {
                span,
                headroom,
                keep,
            })
        })
    })
}

impl Rule {
    fn method(&self) -> Method {
        let seasonal = self.span.checked_sub(SPANS.len());
        let seasonal = seasonal.and_then(|nth| Method::SEASONAL.get(nth));
        seasonal.copied().unwrap_or(Method::RecentMean)
    }

    /// Instances for the forecast and its headroom, and to start what waits within an objective.
    fn size(&self, rates: &[f64; FORECASTS], waiting: f64, look: &Look) -> u32 {
        let per_second = rates[self.span] * (1.0 + self.headroom);
        // A mean that fades never ends: less than half a message in a lead is none.
        let busy = if per_second * look.lead < 0.5 {
            0.0
        } else {
            per_second * look.service
        };
        let catching_up = waiting * look.service / look.objective;
        whole_instances((busy + catching_up) / look.slots).min(look.max)
    }
}

impl Rehearsal {
    /// Plays one look on every rule and says which to follow; `None` before anything has arrived.
    pub(super) fn advance(&mut self, look: &Look, late_max: f64) -> Option<Choice> {
        let rates = self.take_in(look);
        if self.arrived <= 0.0 {
            // A fleet that idles for weeks must not carry each look of them from round to round.
            self.came.clear();
            return None;
        }
        let gap = look.elapsed > look.objective.max(look.boot);
        if self.is_another_worker(look) {
            self.forget();
        }
        if self.rehearsed.len() != RULES || gap {
            self.begin(look, &rates);
        } else {
            self.play(look, &rates);
        }
        self.choose(&rates, look, late_max)
    }

    /// What was rehearsed with a first guess that was wrong says nothing. Later on the worker is
    /// what it was measured to be, and many a night's few jobs are odd.
    fn is_another_worker(&self, look: &Look) -> bool {
        if self.seconds > PRESUMED_LEADS * look.lead {
            return false;
        }
        let now = [look.service, look.slots, look.boot];
        self.worker.iter().zip(now).any(|(before, now)| {
            let (least, most) = (before.min(now), before.max(now));
            most > ANOTHER_WORKER * least
        })
    }

    fn forget(&mut self) {
        self.rehearsed.clear();
        self.messages = 0.0;
        self.seconds = 0.0;
    }

    /// Arrivals and rates; what noise takes and gives back does not arrive twice.
    fn take_in(&mut self, look: &Look) -> [f64; FORECASTS] {
        let mut rates = [0.0; FORECASTS];
        for ((mean, span), rate) in self.rates.iter_mut().zip(SPANS).zip(&mut rates) {
            let over = span * look.lead;
            if look.elapsed > 0.0 {
                mean.add(look.arrived / look.elapsed, look.elapsed, over);
            }
            *rate = mean.get(over);
        }
        self.below -= look.arrived;
        let new = (-self.below).max(0.0);
        self.below = self.below.max(0.0);
        let keep = (-look.elapsed / FORGET_SECONDS).exp();
        self.arrived += new;
        self.messages = self.messages * keep + new;
        self.seconds = self.seconds * keep + look.elapsed;
        self.came.push_back((look.at, self.arrived));
        self.season.observe(look.at, look.arrived, look.elapsed);
        let seasons = self.season.forecasts(look.at + look.lead);
        let now = rates[NOW];
        for (rate, season) in rates[SPANS.len()..].iter_mut().zip(seasons) {
            *rate = season.map_or(now, |season| now.max(season));
        }
        rates
    }

    /// Each imaginary fleet starts out with what its rule calls for: else they would all be late
    /// for a boot, and look alike for hours.
    fn begin(&mut self, look: &Look, rates: &[f64; FORECASTS]) {
        if self.rehearsed.is_empty() {
            self.worker = [look.service, look.slots, look.boot];
        }
        self.rehearsed.resize_with(RULES, Rehearsed::default);
        for (rule, fleet) in rules().zip(&mut self.rehearsed) {
            let size = rule.size(rates, 0.0, look);
            fleet.called = [size; PARTS];
            fleet.sizes = [size; PARTS];
            fleet.calls = [rule.size(rates, look.visible, look); PARTS];
            fleet.waiting = 0.0;
            fleet.present = 0.0;
        }
        self.came.clear();
        self.came.push_back((look.at, self.arrived));
    }

    fn play(&mut self, look: &Look, rates: &[f64; FORECASTS]) {
        let due = self.due(look);
        let new = self.came_last();
        let keep = (-look.elapsed / FORGET_SECONDS).exp();
        let arrived = self.arrived;
        for (rule, fleet) in rules().zip(&mut self.rehearsed) {
            let size_before = most(&fleet.called);
            turn(&mut fleet.sizes, (look, look.boot), size_before);
            let room = f64::from(least(&fleet.sizes)) * look.slots;
            let started_before = arrived - new - fleet.waiting;
            fleet.run(new, room, look.elapsed / look.service);
            let late = (due.min(arrived - fleet.waiting) - started_before).max(0.0);
            fleet.late = fleet.late * keep + late;
            fleet.cost = fleet.cost * keep + f64::from(size_before) * look.elapsed;
            turn(&mut fleet.called, (look, rule.keep * look.lead), 0);
            turn(&mut fleet.calls, (look, rule.keep * look.lead), 0);
            let last = PARTS - 1;
            let call = rule.size(rates, fleet.waiting, look);
            fleet.called[last] = fleet.called[last].max(call);
            let call = rule.size(rates, look.visible, look);
            fleet.calls[last] = fleet.calls[last].max(call);
            fleet.sizes[last] = fleet.sizes[last].min(most(&fleet.called));
        }
    }

    /// How many came long enough ago that one of them that starts now is late. What came between
    /// two looks came half an interval before the later one.
    fn due(&mut self, look: &Look) -> f64 {
        let edge = look.at - look.objective - look.elapsed / 2.0;
        while self.came.get(1).is_some_and(|(at, _)| *at <= edge) {
            self.came.pop_front();
        }
        match (self.came.front(), self.came.get(1)) {
            (Some((at, _)), _) if *at > edge => 0.0,
            (Some((at, count)), Some((next_at, next))) => {
                count + (next - count) * (edge - at) / (next_at - at)
            }
            (Some((_, count)), None) => *count,
            (None, _) => 0.0,
        }
    }

    fn came_last(&self) -> f64 {
        let mut latest = self.came.iter().rev().map(|(_, count)| *count);
        match (latest.next(), latest.next()) {
            (Some(last), Some(before)) => last - before,
            _ => 0.0,
        }
    }

    /// The cheapest rule that keeps the objective; where none does, the one that is least late.
    fn choose(&self, rates: &[f64; FORECASTS], look: &Look, late_max: f64) -> Option<Choice> {
        let mean_rate = self.messages / self.seconds.max(MEAN_LEADS_MIN * look.lead);
        let account = self
            .messages
            .max(mean_rate * ACCOUNT_LEADS * look.lead)
            .max(1.0);
        let presumed_messages = (mean_rate * PRESUMED_LEADS * look.lead).max(1.0);
        let presumed = presumed_messages / (self.messages + presumed_messages);
        let mut keeps: Option<(f64, Choice)> = None;
        let mut least: Option<(f64, Choice)> = None;
        for (rule, fleet) in rules().zip(&self.rehearsed) {
            let late_share = fleet.late / account;
            let doubt = PRESUMED_LATE / (1.0 + rule.headroom).powi(2) * presumed;
            let late = late_share + doubt;
            let choice = Choice {
                rule,
                wanted: most(&fleet.calls),
                per_second: rates[rule.span],
                method: rule.method(),
                span: SPANS.get(rule.span).unwrap_or(&SPANS[NOW]) * look.lead,
                keep: rule.keep * look.lead,
                late_share,
            };
            if late <= late_max && keeps.is_none_or(|(cost, _)| fleet.cost < cost) {
                keeps = Some((fleet.cost, choice));
            }
            if least.is_none_or(|(least, _)| late < least) {
                least = Some((late, choice));
            }
        }
        keeps.or(least).map(|(_, choice)| choice)
    }
}

impl Rehearsed {
    /// One look on `room` slots: what runs ends at its rate, free slots fill from what waits and
    /// have run half the time by the look's end. `turns` is the look in service times.
    fn run(&mut self, new: f64, room: f64, turns: f64) {
        self.present += new;
        let waiting = self.waiting + new;
        let running = (self.present - waiting).max(0.0);
        let filled = (room - running).max(0.0).min(waiting);
        let ended = (running.min(room) + 0.5 * filled) * turns;
        self.present -= ended.min(self.present);
        self.waiting = (self.present - room).max(0.0).min(waiting);
    }
}

/// Moves a window of `seconds` on to the look's moment; parts that begin anew hold `value`.
fn turn(window: &mut [u32; PARTS], (look, seconds): (&Look, f64), value: u32) {
    let width = (seconds / PARTS as f64).max(0.001);
    let parts = (look.at / width).floor() - ((look.at - look.elapsed) / width).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the window's length"
    )]
    let parts = parts.clamp(0.0, PARTS as f64) as usize;
    window.rotate_left(parts % PARTS);
    window[PARTS - parts..].fill(value);
}

fn most(window: &[u32; PARTS]) -> u32 {
    window.iter().copied().fold(0, u32::max)
}

fn least(window: &[u32; PARTS]) -> u32 {
    window.iter().copied().fold(u32::MAX, u32::min)
}

#[cfg(test)]
mod tests;
