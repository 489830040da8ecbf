//! What to do after tuning, and why, in words.
//!
//! Owns the sentences of the verdicts. Reads what was found and nothing else.

use super::tune_text::{late, unit};
use crate::backtest::tune::outcome::{Cure, Tuned};
use crate::backtest::tune::{Standing, Verdict};

/// What to do, and why; where an objective is missed, at what price it can be kept.
pub(super) fn advice(tuned: &Tuned) -> String {
    let mut text = verdict(tuned);
    if let Some(cure) = &tuned.cure {
        text += "\n";
        text += &price(tuned, cure);
    }
    text
}

fn verdict(tuned: &Tuned) -> String {
    let (units, now) = (format!("{}s", unit(tuned)), &tuned.as_it_stands);
    let (late_now, allowed) = (late(now), allowed(tuned));
    match tuned.verdict {
        Verdict::Cheaper if now.keeps_objective => {
            "Change the policy: it costs less and keeps the objective.".to_owned()
        }
        Verdict::Cheaper => format!(
            "Change the policy: it costs less and is less late.\n\
             As it stands {late_now} are late, where {allowed} may be: too close to call; with this \
             {}{}.",
            late(&tuned.tuned),
            match tuned.tuned.standing {
                Standing::Kept => "",
                _ => ", too close too",
            },
        ),
        Verdict::KeepsObjective => format!(
            "Change the policy, at {} times the cost: as it stands it {} the objective, which this \
             keeps.\n\
             {late_now} are late, where {allowed} may be.",
            times(tuned.tuned.instance_hours / now.instance_hours),
            match now.standing {
                Standing::TooCloseToCall => "may miss",
                _ => "misses",
            },
        ),
        Verdict::AsGoodAsAny => {
            "Keep what you have: nothing that was tried is better by more than noise.".to_owned()
        }
        Verdict::NotSure => format!(
            "Keep what you have: the best that was tried may be so by luck, or not on {units} it \
             has not seen."
        ),
        Verdict::LateOnUnseenDays => format!(
            "Keep what you have: what is best on some {units} misses the objective on others."
        ),
        Verdict::NothingKeepsObjective => {
            "Keep what you have: nothing that was tried keeps the objective. A longer start_within, \
             a larger max or a schedule may."
                .to_owned()
        }
        Verdict::TooCloseToCall => format!(
            "Keep what you have: nothing that was tried is less late at its cost.\n\
             {late_now} are late, where {allowed} may be: whether it misses the objective is too \
             close to call."
        ),
        Verdict::TooDear => format!(
            "Keep what you have, unless the objective is worth {} times the cost: up to {} times are \
             chosen unasked.\n\
             {late_now} are late, where {allowed} may be.",
            times(tuned.cure.as_ref().map_or(f64::INFINITY, |cure| cure.cost_times)),
            times(tuned.cost_times_max.unwrap_or(f64::INFINITY)),
        ),
    }
}

/// What keeps the objective, and for how much.
fn price(tuned: &Tuned, cure: &Cure) -> String {
    let how = match cure.figures.standing {
        Standing::Kept => "Clearly kept",
        _ => "Kept, but not clearly,",
    };
    let mut text = format!(
        "{how} by {}, at {} times the cost:\n  \
         {:.1} instance-hours, {} late, {} on {}s not seen.",
        cure.differs.join(", "),
        times(cure.cost_times),
        cure.figures.instance_hours,
        late(&cure.figures),
        late(&cure.held_out),
        unit(tuned),
    );
    if tuned.cost_times_max.is_some() {
        text += " --at-any-cost chooses it.";
    }
    text
}

/// The share that may be late, as its percentile says it.
fn allowed(tuned: &Tuned) -> String {
    let percent = 100.0 - tuned.objective.percentile;
    format!("{} %", (percent * 1e6).round() / 1e6)
}

fn times(times: f64) -> String {
    let text = if times < 9.95 {
        format!("{times:.2}")
    } else {
        format!("{times:.0}")
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
