//! A proof that no schedule costs less: weak duality, by hand and exact.
//!
//! Let w(t) be any worths of having an instance in service when step t begins, from 0 to a boot,
//! rising by a step's length at most from one step to the next, and 0 after the last. Then
//! whatever is launched when, an instance-second served in step t costs the schedule
//! `1 + (w(t) - w(t+1)) / step` at least, by linear programming's weak duality. At such prices
//! each second of work is best served in the cheapest step from that in which it comes up to that
//! in which it is due; an excused one in the cheapest from there on, or after the end at price 1;
//! and which to excuse is a knapsack of fractions. So any worths prove a bound, and the program's
//! duals nearly the best. Owns that sum. It must not solve.

use std::collections::VecDeque;

use super::program::Program;

/// Instance-seconds that no schedule costs less than.
pub(super) fn seconds(program: &Program, worths: &[f64]) -> f64 {
    let prices = prices(program, worths);
    let excused_prices = cheapest_from(&prices);
    let mut seconds = 0.0;
    let mut savings = Vec::new();
    for class in &program.classes {
        let slack = class.tube.slack;
        // Most of a step's work is due by the end of the step `slack` later, some one before.
        for (work, steps) in [(class.tube.late(), slack + 1), (class.tube.early(), slack)] {
            let in_time = cheapest_within(&prices, steps);
            for (step, work) in work.into_iter().enumerate() {
                if work <= 0.0 {
                    continue;
                }
                seconds += work * in_time[step];
                savings.push(Saving {
                    seconds: work * (in_time[step] - excused_prices[step]),
                    messages: work / class.longest,
                });
            }
        }
    }
    seconds - most_saved(savings, program.excused)
}

/// What a second served costs at least in each step.
fn prices(program: &Program, worths: &[f64]) -> Vec<f64> {
    let step_seconds = program.step_seconds();
    let mut most = program.boot_seconds;
    let mut allowed: Vec<f64> = (0..program.steps())
        .map(|step| {
            let worth = worths.get(step).copied().unwrap_or(0.0);
            let worth = if worth > 0.0 { worth.min(most) } else { 0.0 };
            most = program.boot_seconds.min(worth + step_seconds);
            worth
        })
        .collect();
    allowed.push(0.0);
    let price = |pair: &[f64]| 1.0 + (pair[0] - pair[1]) / step_seconds;
    allowed.windows(2).map(price).collect()
}

/// The least price from each step on; after the last it is 1.
fn cheapest_from(prices: &[f64]) -> Vec<f64> {
    let mut least = 1.0_f64;
    let mut from: Vec<f64> = (prices.iter().rev())
        .map(|price| {
            least = least.min(*price);
            least
        })
        .collect();
    from.reverse();
    from
}

/// The least price of so many steps, from each step on.
fn cheapest_within(prices: &[f64], steps: usize) -> Vec<f64> {
    let mut least = vec![1.0; prices.len()];
    // Steps whose price is below that of every earlier one still within reach, latest first.
    let mut rising: VecDeque<usize> = VecDeque::new();
    for step in (0..prices.len()).rev() {
        while rising
            .front()
            .is_some_and(|later| prices[*later] >= prices[step])
        {
            rising.pop_front();
        }
        rising.push_front(step);
        while rising.back().is_some_and(|last| *last >= step + steps) {
            rising.pop_back();
        }
        least[step] = rising.back().map_or(prices[step], |last| prices[*last]);
    }
    least
}

/// What is saved by excusing some work, and the messages that takes at least.
#[derive(Clone, Copy, Debug)]
struct Saving {
    seconds: f64,
    messages: f64,
}

/// The most that so many messages can save.
fn most_saved(mut savings: Vec<Saving>, mut messages: f64) -> f64 {
    let worth = |saving: &Saving| saving.seconds / saving.messages;
    savings.sort_unstable_by(|a, b| worth(b).total_cmp(&worth(a)));
    let mut seconds = 0.0;
    for saving in savings {
        if messages <= 0.0 {
            break;
        }
        seconds += saving.seconds * (messages / saving.messages).min(1.0);
        messages -= saving.messages;
    }
    seconds
}
