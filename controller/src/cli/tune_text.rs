//! What tuning found, for people, on a terminal.
//!
//! Reads what was found and nothing else; it must not know how it came about.

use std::fmt::Write as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::tune::Told;
use super::tune_advice::advice;
use crate::backtest::tune::outcome::{Figures, Tuned};
use crate::backtest::tune::{Standing, Unit, Verdict};
use crate::backtest::words;

/// What was asked, the figures, what to do, and the change.
pub(super) fn text(told: &Told) -> String {
    let tuned = &told.tuned;
    let mut text = words::with_plain_spaces(&head(tuned));
    let _ = writeln!(text, "{}\n", figures(tuned));
    let _ = writeln!(text, "{}", advice(tuned));
    if !tuned.changes.is_empty() {
        let _ = writeln!(text, "{}\n{}", changes(tuned), sureness(tuned));
    }
    if let Some(diff) = &told.diff {
        let _ = writeln!(text, "\n{}", diff.trim_end());
    }
    let _ = writeln!(text, "\n{}", foot(told));
    text
}

fn head(tuned: &Tuned) -> String {
    let (trace, parted) = (&tuned.trace, &tuned.parted);
    let mut text = format!(
        "{} on {}: {} messages in {}; {} of 100 are to start within {}.\n\
         {} settings tried; {} blocks of {} held out, one after the other; ± is a standard error \
         over {}s.\n",
        tuned.policy,
        trace.name,
        words::count(trace.messages),
        words::duration(trace.seconds),
        tuned.objective.percentile,
        words::duration(tuned.objective.start_within_seconds),
        tuned.candidates.len(),
        parted.blocks,
        many(parted.count, unit(tuned)),
        unit(tuned),
    );
    if parted.unit == Unit::Piece {
        text += "The trace is shorter than four days: pieces of it are much alike, and holding one \
                 out is a weak test.\n";
    }
    for note in &trace.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}

fn figures(tuned: &Tuned) -> Table {
    let mut table = Table::new();
    let mut header = vec!["", "instance-hours", "late", "keeps the objective"];
    if tuned.as_it_stands.cost.is_some() {
        header.insert(2, "cost");
    }
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let unseen = format!("tuned, each {} unseen", unit(tuned));
    for (name, figures) in [
        ("the policy as it stands", &tuned.as_it_stands),
        ("untuned defaults", &tuned.defaults),
        (unseen.as_str(), &tuned.held_out),
        ("best in hindsight", &tuned.tuned),
    ] {
        table.add_row(cells(name, figures));
    }
    table
}

fn cells(name: &str, figures: &Figures) -> Vec<String> {
    let kept = match figures.standing {
        Standing::Kept => "yes",
        Standing::Missed => "no",
        Standing::TooCloseToCall => "too close to call",
    };
    let mut cells = vec![
        name.to_owned(),
        format!("{:.1}", figures.instance_hours),
        late(figures),
        kept.to_owned(),
    ];
    if let Some(cost) = figures.cost {
        cells.insert(2, format!("{cost:.2}"));
    }
    cells
}

/// The late share and its standard error.
pub(super) fn late(figures: &Figures) -> String {
    let [share, error] = [figures.late_share, figures.late_share_error].map(|x| x * 100.0);
    format!("{share:.2} ± {error:.2} %")
}

fn changes(tuned: &Tuned) -> String {
    let mut text = String::new();
    let lengths = tuned.changes.iter().map(|change| change.key.len());
    let width = lengths.max().unwrap_or(0);
    for change in &tuned.changes {
        let _ = writeln!(
            text,
            "  {:width$}  {} → {}; alone it {}, {:.2} % late",
            change.key,
            change.from,
            change.to,
            saves(change.alone_saves_share),
            change.alone.late_share * 100.0,
        );
    }
    text.trim_end().to_owned()
}

/// What it saves, and how sure that is.
fn sureness(tuned: &Tuned) -> String {
    let saving = &tuned.saving;
    let money = saving
        .cost
        .map_or_else(String::new, |cost| format!(", {:.2} in money", cost.abs()));
    let unit = unit(tuned);
    let mut text = format!(
        "Together: {}, {:.1} instance-hours{money} in {}.\n\
         How sure: on {unit}s drawn anew {} (90 %);\n  \
         chosen without the {unit} at hand, it {} there;\n  \
         {} of {} choices, each without one block, are this one",
        saves(saving.share),
        saving.instance_hours.abs(),
        many(tuned.parted.count, unit),
        between(saving.share_interval),
        saves(saving.share_held_out),
        tuned.folds_that_agree(),
        tuned.folds.len(),
    );
    // A change for the objective's sake claims no saving that could be luck.
    if tuned.verdict != Verdict::KeepsObjective {
        let luck = saving.luck * 100.0;
        let _ = write!(
            text,
            ";\n  luck shows as much in at most {luck:.1} of 100 cases"
        );
    }
    text + "."
}

/// From the least to the most that is saved, as a cost where it is one throughout.
fn between(shares: [f64; 2]) -> String {
    let [low, high] = shares.map(|share| share * 100.0);
    if high < 0.0 {
        format!("a cost {:.1} to {:.1} % higher", -high, -low)
    } else {
        format!("a saving of {low:.1} to {high:.1} %")
    }
}

fn foot(told: &Told) -> String {
    match (&told.written, &told.diff) {
        (Some(file), _) => format!("{} is changed.", file.display()),
        (None, Some(_)) => "Nothing is written yet; --write changes the file.".to_owned(),
        (None, None) => "Nothing is to be written.".to_owned(),
    }
}

fn saves(share: f64) -> String {
    let what = if share < 0.0 { "costs" } else { "saves" };
    let more = if share < 0.0 { " more" } else { "" };
    format!("{what} {:.1} %{more}", share.abs() * 100.0)
}

pub(super) fn unit(tuned: &Tuned) -> &'static str {
    match tuned.parted.unit {
        Unit::Day => "day",
        Unit::Piece => "piece",
    }
}

fn many(count: usize, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::outcome::{ObjectiveShape, TraceShape};
    use crate::backtest::tune::Settings;
    use crate::backtest::tune::outcome::{Change, Cure, Fold, Parted, Saving, VERSION};
    use crate::model::{Instances, Seconds};
    use crate::policy::Hold;

    fn figures(instance_hours: f64, late: u64) -> Figures {
        Figures {
            instance_hours,
            cost: None,
            messages: 100_000,
            late,
            late_share: late as f64 / 100_000.0,
            late_share_error: 0.001,
            keeps_objective: late <= 1000,
            standing: match late {
                0..=900 => Standing::Kept,
                901..=1100 => Standing::TooCloseToCall,
                _ => Standing::Missed,
            },
        }
    }

    /// A week on which a shorter hold saves an eighth.
    fn told(verdict: Verdict) -> Told {
        let best = Settings {
            hold: Hold::For(Seconds(120.0)),
            ..Settings::defaults(Instances(0))
        };
        let days = 0..7;
        let tuned = Tuned {
            version: VERSION,
            policy: "thumbnails".to_owned(),
            objective: ObjectiveShape {
                start_within_seconds: 60.0,
                percentile: 99.0,
            },
            trace: TraceShape {
                name: "week.csv".to_owned(),
                starts_at: 0.0,
                seconds: 7.0 * 86_400.0,
                step_seconds: 60.0,
                messages: 100_000,
                notes: vec!["2 steps without a row count as none".to_owned()],
            },
            seed: 7,
            parted: Parted {
                unit: Unit::Day,
                count: 7,
                blocks: 7,
            },
            verdict,
            best,
            changes: vec![Change {
                key: "scale_in.hold".to_owned(),
                from: "auto".to_owned(),
                to: "2m".to_owned(),
                alone: figures(350.0, 700),
                alone_saves_share: 0.125,
            }],
            cost_times_max: Some(2.0),
            cure: None,
            saving: Saving {
                instance_hours: 50.0,
                share: 0.125,
                share_interval: [0.09, 0.158],
                share_held_out: 0.12,
                luck: 0.003,
                cost: None,
            },
            as_it_stands: figures(400.0, 200),
            defaults: figures(400.0, 200),
            tuned: figures(350.0, 700),
            held_out: figures(352.0, 710),
            folds: days
                .map(|day| Fold {
                    held_out: day..day + 1,
                    chosen: best,
                })
                .collect(),
            candidates: Vec::new(),
        };
        Told {
            tuned,
            diff: None,
            written: None,
        }
    }

    #[test]
    fn a_change_is_told_with_its_worth_its_sureness_and_its_diff() {
        let mut told = told(Verdict::Cheaper);
        told.diff = Some("--- p.yaml\n+++ p.yaml (tuned)\n@@ -1 +1 @@\n-a\n+b\n".to_owned());
        insta::assert_snapshot!(text(&told), @r"
        thumbnails on week.csv: 100,000 messages in 7 d; 99 of 100 are to start within 60 s.
        0 settings tried; 7 blocks of 7 days held out, one after the other; ± is a standard error over days.
          2 steps without a row count as none
        ┌─────────────────────────┬────────────────┬───────────────┬─────────────────────┐
        │                         ┆ instance-hours ┆          late ┆ keeps the objective │
        ╞═════════════════════════╪════════════════╪═══════════════╪═════════════════════╡
        │ the policy as it stands ┆          400.0 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ untuned defaults        ┆          400.0 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ tuned, each day unseen  ┆          352.0 ┆ 0.71 ± 0.10 % ┆                 yes │
        │ best in hindsight       ┆          350.0 ┆ 0.70 ± 0.10 % ┆                 yes │
        └─────────────────────────┴────────────────┴───────────────┴─────────────────────┘

        Change the policy: it costs less and keeps the objective.
          scale_in.hold  auto → 2m; alone it saves 12.5 %, 0.70 % late
        Together: saves 12.5 %, 50.0 instance-hours in 7 days.
        How sure: on days drawn anew a saving of 9.0 to 15.8 % (90 %);
          chosen without the day at hand, it saves 12.0 % there;
          7 of 7 choices, each without one block, are this one;
          luck shows as much in at most 0.3 of 100 cases.

        --- p.yaml
        +++ p.yaml (tuned)
        @@ -1 +1 @@
        -a
        +b

        Nothing is written yet; --write changes the file.
        ");
    }

    #[test]
    fn money_is_told_where_a_price_is_given_and_the_file_where_it_is_written() {
        let mut told = told(Verdict::KeepsObjective);
        let tuned = &mut told.tuned;
        tuned.saving.share = -0.05;
        tuned.saving.share_interval = [-0.07, -0.03];
        tuned.saving.cost = Some(-2.0);
        for figures in [
            &mut tuned.as_it_stands,
            &mut tuned.defaults,
            &mut tuned.tuned,
            &mut tuned.held_out,
        ] {
            figures.cost = Some(0.1 * figures.instance_hours);
        }
        tuned.as_it_stands.keeps_objective = false;
        told.diff = Some("-a\n+b\n".to_owned());
        told.written = Some("p.yaml".into());
        insta::assert_snapshot!(text(&told), @r"
        thumbnails on week.csv: 100,000 messages in 7 d; 99 of 100 are to start within 60 s.
        0 settings tried; 7 blocks of 7 days held out, one after the other; ± is a standard error over days.
          2 steps without a row count as none
        ┌─────────────────────────┬────────────────┬───────┬───────────────┬─────────────────────┐
        │                         ┆ instance-hours ┆  cost ┆          late ┆ keeps the objective │
        ╞═════════════════════════╪════════════════╪═══════╪═══════════════╪═════════════════════╡
        │ the policy as it stands ┆          400.0 ┆ 40.00 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ untuned defaults        ┆          400.0 ┆ 40.00 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ tuned, each day unseen  ┆          352.0 ┆ 35.20 ┆ 0.71 ± 0.10 % ┆                 yes │
        │ best in hindsight       ┆          350.0 ┆ 35.00 ┆ 0.70 ± 0.10 % ┆                 yes │
        └─────────────────────────┴────────────────┴───────┴───────────────┴─────────────────────┘

        Change the policy, at 0.88 times the cost: as it stands it misses the objective, which this keeps.
        0.20 ± 0.10 % are late, where 1 % may be.
          scale_in.hold  auto → 2m; alone it saves 12.5 %, 0.70 % late
        Together: costs 5.0 % more, 50.0 instance-hours, 2.00 in money in 7 days.
        How sure: on days drawn anew a cost 3.0 to 7.0 % higher (90 %);
          chosen without the day at hand, it saves 12.0 % there;
          7 of 7 choices, each without one block, are this one.

        -a
        +b

        p.yaml is changed.
        ");
    }

    #[test]
    fn nothing_to_be_changed_is_said_with_its_reason() {
        let mut told = told(Verdict::AsGoodAsAny);
        told.tuned.changes.clear();
        told.tuned.parted.unit = Unit::Piece;
        insta::assert_snapshot!(text(&told), @r"
        thumbnails on week.csv: 100,000 messages in 7 d; 99 of 100 are to start within 60 s.
        0 settings tried; 7 blocks of 7 pieces held out, one after the other; ± is a standard error over pieces.
        The trace is shorter than four days: pieces of it are much alike, and holding one out is a weak test.
          2 steps without a row count as none
        ┌──────────────────────────┬────────────────┬───────────────┬─────────────────────┐
        │                          ┆ instance-hours ┆          late ┆ keeps the objective │
        ╞══════════════════════════╪════════════════╪═══════════════╪═════════════════════╡
        │ the policy as it stands  ┆          400.0 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ untuned defaults         ┆          400.0 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ tuned, each piece unseen ┆          352.0 ┆ 0.71 ± 0.10 % ┆                 yes │
        │ best in hindsight        ┆          350.0 ┆ 0.70 ± 0.10 % ┆                 yes │
        └──────────────────────────┴────────────────┴───────────────┴─────────────────────┘

        Keep what you have: nothing that was tried is better by more than noise.

        Nothing is to be written.
        ");
    }

    /// A policy that is so late, and what keeps its objective at ten times the cost.
    fn with_cure(verdict: Verdict, late: u64) -> Told {
        let mut told = told(verdict);
        let tuned = &mut told.tuned;
        tuned.as_it_stands = figures(400.0, late);
        tuned.cure = Some(Cure {
            settings: Settings::defaults(Instances(17)),
            differs: vec!["fleet.min: 17".to_owned(), "forecast: off".to_owned()],
            cost_times: 9.96,
            figures: figures(3984.0, 240),
            held_out: figures(3900.0, 300),
        });
        told
    }

    #[test]
    fn a_miss_too_close_to_call_is_told_with_its_error_and_the_price_of_a_cure() {
        let mut told = with_cure(Verdict::TooCloseToCall, 1050);
        told.tuned.changes.clear();
        insta::assert_snapshot!(text(&told), @r"
        thumbnails on week.csv: 100,000 messages in 7 d; 99 of 100 are to start within 60 s.
        0 settings tried; 7 blocks of 7 days held out, one after the other; ± is a standard error over days.
          2 steps without a row count as none
        ┌─────────────────────────┬────────────────┬───────────────┬─────────────────────┐
        │                         ┆ instance-hours ┆          late ┆ keeps the objective │
        ╞═════════════════════════╪════════════════╪═══════════════╪═════════════════════╡
        │ the policy as it stands ┆          400.0 ┆ 1.05 ± 0.10 % ┆   too close to call │
        │ untuned defaults        ┆          400.0 ┆ 0.20 ± 0.10 % ┆                 yes │
        │ tuned, each day unseen  ┆          352.0 ┆ 0.71 ± 0.10 % ┆                 yes │
        │ best in hindsight       ┆          350.0 ┆ 0.70 ± 0.10 % ┆                 yes │
        └─────────────────────────┴────────────────┴───────────────┴─────────────────────┘

        Keep what you have: nothing that was tried is less late at its cost.
        1.05 ± 0.10 % are late, where 1 % may be: whether it misses the objective is too close to call.
        Clearly kept by fleet.min: 17, forecast: off, at 10 times the cost:
          3984.0 instance-hours, 0.24 ± 0.10 % late, 0.30 ± 0.10 % on days not seen. --at-any-cost chooses it.

        Nothing is to be written.
        ");
    }

    #[test]
    fn a_cure_too_dear_is_told_with_its_price_first() {
        let mut told = with_cure(Verdict::TooDear, 3000);
        told.tuned.changes.clear();
        insta::assert_snapshot!(advice(&told.tuned), @r"
        Keep what you have, unless the objective is worth 10 times the cost: up to 2 times are chosen unasked.
        3.00 ± 0.10 % are late, where 1 % may be.
        Clearly kept by fleet.min: 17, forecast: off, at 10 times the cost:
          3984.0 instance-hours, 0.24 ± 0.10 % late, 0.30 ± 0.10 % on days not seen. --at-any-cost chooses it.
        ");
    }

    #[test]
    fn what_is_cheaper_and_less_late_but_not_surely_in_time_is_told_with_the_cure() {
        let mut told = with_cure(Verdict::Cheaper, 1050);
        told.tuned.tuned = figures(350.0, 950);
        insta::assert_snapshot!(advice(&told.tuned), @r"
        Change the policy: it costs less and is less late.
        As it stands 1.05 ± 0.10 % are late, where 1 % may be: too close to call; with this 0.95 ± 0.10 %, too close too.
        Clearly kept by fleet.min: 17, forecast: off, at 10 times the cost:
          3984.0 instance-hours, 0.24 ± 0.10 % late, 0.30 ± 0.10 % on days not seen. --at-any-cost chooses it.
        ");
    }

    #[test]
    fn a_change_for_the_objectives_sake_is_told_with_its_price_first() {
        let mut told = with_cure(Verdict::KeepsObjective, 3000);
        told.tuned.cure = None;
        told.tuned.tuned = figures(520.0, 600);
        insta::assert_snapshot!(advice(&told.tuned), @r"
        Change the policy, at 1.3 times the cost: as it stands it misses the objective, which this keeps.
        3.00 ± 0.10 % are late, where 1 % may be.
        ");
    }
}
