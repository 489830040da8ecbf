//! A backtest's outcome for people, on a terminal.
//!
//! Reads an outcome and nothing else; it must not know how it came about.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use crate::backtest::outcome::{Outcome, Row, ScoreShape, Setting};
use crate::backtest::words;

/// What was asked, the table, and what it comes to.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = head(outcome);
    let _ = writeln!(text, "{}", table(outcome));
    text += &feet(outcome);
    let _ = writeln!(text, "\n{}", conclusion(outcome));
    words::with_plain_spaces(&text)
}

fn head(outcome: &Outcome) -> String {
    let (trace, setup, objective) = (&outcome.trace, &outcome.setup, &outcome.objective);
    let mut text = format!(
        "{} on {}: {} messages in {}; {} of 100 are to start within {}.\n\
         Instances of {} slots, {} a job ({}), {} to boot, {} to {} of them; a look every {}.\n",
        outcome.policy,
        trace.name,
        words::count(trace.messages),
        words::duration(trace.seconds),
        objective.percentile,
        words::duration(objective.start_within_seconds),
        setup.slots,
        words::duration(setup.service_seconds_mean),
        setup.service,
        words::duration(setup.boot_seconds),
        setup.min,
        setup.max,
        words::duration(setup.interval_seconds),
    );
    for note in trace.notes.iter().chain(&setup.faults) {
        let _ = writeln!(text, "  {note}");
    }
    text
}

fn table(outcome: &Outcome) -> Table {
    let has_price = outcome.setup.price_per_hour.is_some();
    let mut table = Table::new();
    let mut header = vec![
        "scaler",
        "setting",
        "instance-\nhours",
        "over\nbound",
        "late",
    ];
    header.extend([
        "waits\np50",
        "\np99",
        "\nlongest",
        "launches",
        "peak",
        "boot, idle\nhours",
    ]);
    if has_price {
        header.insert(3, "cost");
    }
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in &outcome.rows {
        let documented = outcome.documented(row);
        table.add_row(cells(row, documented, has_price));
    }
    table
}

fn cells(row: &Row, documented: Option<&Row>, has_price: bool) -> Vec<String> {
    let score = &row.score;
    let unknown = || "?".to_owned();
    let wait = |seconds: Option<f64>| seconds.map_or_else(unknown, words::duration);
    let times = |over: f64| format!("{over:.3}");
    let over_bound = score.over_bound.map_or_else(|| "–".to_owned(), times);
    let mut cells = vec![
        row.scaler.clone(),
        setting(row, documented),
        with_interval(
            row,
            "instance_hours",
            format!("{:.1}", score.instance_hours),
            |x| format!("{x:.1}"),
        ),
        with_interval(row, "over_bound", over_bound, times),
        with_interval(row, "late_share", late(score), |x| {
            format!("{:.2}", x * 100.0)
        }),
        wait(score.wait_p50_seconds),
        wait(score.wait_p99_seconds),
        wait(score.wait_max_seconds),
        words::count(u64::from(score.launches)),
        score.peak_instances.to_string(),
        format!("{:.1}, {:.1}", score.boot_hours, score.idle_hours),
    ];
    if has_price {
        let cost = score.cost.map_or_else(unknown, |cost| format!("{cost:.2}"));
        cells.insert(3, cost);
    }
    cells
}

fn with_interval(row: &Row, figure: &str, text: String, show: impl Fn(f64) -> String) -> String {
    match row.confidence.get(figure) {
        Some([low, high]) => format!("{text}\n({} to {})", show(*low), show(*high)),
        None => text,
    }
}

/// `0.31 %`, with a mark where it is more than the objective allows.
fn late(score: &ScoreShape) -> String {
    let mark = if score.keeps_objective == Some(false) {
        " !"
    } else {
        ""
    };
    score.late_share.map_or_else(
        || "?".to_owned(),
        |share| format!("{:.2} %{mark}", share * 100.0),
    )
}

/// Where the setting is from, and what of it is not as documented.
fn setting(row: &Row, documented: Option<&Row>) -> String {
    let mut text = match row.setting {
        Setting::Policy => "as the file has it",
        Setting::Documented => "as documented",
        Setting::Tuned => "tuned",
        Setting::LeastLate => "least late",
        Setting::Actual => "what happened",
    }
    .to_owned();
    if let Some(variant) = &row.variant
        && documented.is_some_and(|documented| documented.variant.as_ref() != Some(variant))
    {
        let _ = write!(text, "\n{variant}");
    }
    if documented.is_some() {
        for (name, value) in row.unlike(documented) {
            let _ = write!(text, "\n{name} {}", words::number(value));
        }
    }
    text
}

fn feet(outcome: &Outcome) -> String {
    let bound = &outcome.bound;
    let mut text = format!(
        "! later than the objective allows.\n\
         The bound is what a clairvoyant pays who starts everything in time: {:.1} instance-hours",
        bound.feasible_hours
    );
    if let Some(exact) = bound.exact_hours {
        let _ = write!(
            text,
            "; nobody who keeps the objective pays less than {exact:.1} (linear program), and \
             costs are told over that"
        );
    }
    let _ = writeln!(text, ". The work alone is {:.1}.", bound.work_hours);
    if outcome.rows.iter().any(|row| row.setting == Setting::Tuned) {
        text += "Tuned settings are the cheapest in hindsight, on these very arrivals.\n";
    }
    if let Some(speed) = &outcome.speed {
        let _ = writeln!(
            text,
            "Simulated {} messages, {} a second on a core.",
            words::count(speed.messages),
            words::whole(speed.messages_per_thread_second)
        );
    }
    text
}

/// Whether the policy keeps its objective, and how its cost stands to the best of the others.
fn conclusion(outcome: &Outcome) -> String {
    let Some(ours) = outcome
        .rows
        .iter()
        .find(|row| row.setting == Setting::Policy)
    else {
        return String::new();
    };
    let keeps = match ours.score.keeps_objective {
        Some(true) => "keeps its objective",
        Some(false) => "does not keep its objective",
        None => "was not measured against its objective",
    };
    let mut text = format!(
        "{} {keeps} at {:.1} instance-hours",
        outcome.policy, ours.score.instance_hours
    );
    let others = outcome.rows.iter().filter(|row| {
        !matches!(row.setting, Setting::Policy | Setting::Actual)
            && row.score.keeps_objective == Some(true)
    });
    let cheapest = others.min_by(|a, b| a.score.instance_hours.total_cmp(&b.score.instance_hours));
    match cheapest {
        Some(best) if best.score.instance_hours > 0.0 => {
            let more = (ours.score.instance_hours / best.score.instance_hours - 1.0) * 100.0;
            let _ = write!(
                text,
                "; the cheapest other that does, {} ({}), takes {:.1}, so this is {:.1} % {}.",
                best.scaler,
                if best.setting == Setting::Documented {
                    "as documented"
                } else {
                    "tuned in hindsight"
                },
                best.score.instance_hours,
                more.abs(),
                if more > 0.0 { "more" } else { "less" },
            );
        }
        None if outcome.rows.len() > 1 => text += "; no other here does.",
        _ => text.push('.'),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::report::sample;

    #[test]
    fn reads_as_a_table_and_a_conclusion() {
        insta::assert_snapshot!(text(&sample::week()));
    }

    #[test]
    fn what_is_not_known_has_no_number() {
        let texts = [sample::empty(), sample::quiet()];
        for text in texts.map(|outcome| text(&outcome)) {
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
    }
}
