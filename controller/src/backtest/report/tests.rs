//! The page as text. What a browser makes of it is tested in controller/tests/report.

use std::fmt::Write as _;

use insta::assert_snapshot;
use sha2::{Digest as _, Sha256};

use super::{ECHARTS, headline, names, page, sample};
use crate::backtest::outcome::{Outcome, Setting};

fn headline(outcome: &Outcome) -> String {
    let sentences = headline::sentences(outcome).join("\n");
    sentences.replace('\u{a0}', " ")
}

/// What stands between the tags of the page's own markup, its scripts and style left out.
fn markup(page: &str) -> &str {
    let from = page.find("<body>").expect("a body");
    let until = page.find("<script type=").expect("data");
    &page[from..until]
}

/// The page without the library.
fn own(outcome: &Outcome) -> String {
    page(outcome).replace(ECHARTS, "")
}

fn data(page: &str) -> serde_json::Value {
    let begin = r#"<script type="application/json" id="data">"#;
    let from = page.find(begin).expect("data") + begin.len();
    let length = page[from..].find("</script>").expect("an end");
    serde_json::from_str(&page[from..from + length]).expect("JSON")
}

#[test]
fn the_same_outcome_gives_the_same_page() {
    assert_eq!(page(&sample::week()), page(&sample::week()));
}

#[test]
fn stays_small_enough_to_be_sent_around() {
    let bytes = page(&sample::week()).len();
    assert!(bytes < 1_500_000, "{bytes} bytes");
}

#[test]
fn begins_with_what_people_ask() {
    assert_snapshot!(headline(&sample::week()), @r"
    It would have cost 1,993 instance-hours (82.9 at the price given) and started 98.03 % of 669,897 messages within 5 min: the objective of 98 % is kept.
    That is 1.29 × the bound of 1,548 h, what a schedule that knows the future would cost.
    The cheapest other scaler that keeps the objective, KEDA, behavior block, costs 2,459 h with its setting chosen in hindsight on these very arrivals: the policy costs 19 % less.
    The fleet as it was took 4,088 h: the policy costs 51 % less.
    ");
}

#[test]
fn says_so_when_the_objective_is_missed_and_no_other_scaler_keeps_it() {
    let mut outcome = sample::week();
    for row in &mut outcome.rows {
        row.score.keeps_objective = Some(false);
        row.score.late_share = Some(0.034);
        row.score.cost = None;
    }
    outcome.bound.exact_hours = Some(1400.0);
    outcome.rows.retain(|row| row.setting != Setting::Actual);
    assert_snapshot!(headline(&outcome), @r"
    It would have cost 1,993 instance-hours and started 96.6 % of 669,897 messages within 5 min: the objective of 98 % is missed.
    That is 1.29 × the bound of 1,400 h, the least that any schedule can cost.
    No other scaler keeps the objective at the settings tried.
    ");
}

#[test]
fn falls_back_to_documented_peers_where_none_was_tuned() {
    let mut outcome = sample::week();
    outcome.rows.retain(|row| row.setting != Setting::Tuned);
    outcome.rows.retain(|row| row.setting != Setting::Actual);
    assert_snapshot!(headline(&outcome), @r"
    It would have cost 1,993 instance-hours (82.9 at the price given) and started 98.03 % of 669,897 messages within 5 min: the objective of 98 % is kept.
    That is 1.29 × the bound of 1,548 h, what a schedule that knows the future would cost.
    The cheapest other scaler that keeps the objective, agent scaler, costs 2,313 h at its documented setting: the policy costs 14 % less.
    ");
}

#[test]
fn waits_that_nobody_knows_are_not_told_as_none() {
    let mut outcome = sample::week();
    outcome.rows[0].score.late_share = None;
    outcome.rows[0].score.keeps_objective = None;
    assert_snapshot!(headline(&outcome).lines().next().unwrap_or_default(), @"It would have cost 1,993 instance-hours (82.9 at the price given); how many of 669,897 messages would have started within 5 min is not known.");
}

#[test]
fn nothing_to_tell_is_told() {
    assert_snapshot!(headline(&sample::quiet()), @"No message arrived: the policy would have cost 0 instance-hours and kept nobody waiting.");
    let mut outcome = sample::empty();
    outcome.rows.clear();
    assert_snapshot!(headline(&outcome), @"No policy was run.");
    let page = page(&outcome);
    let page = markup(&page);
    assert!(page.contains("The trace has no steps"), "{page}");
    assert!(page.contains("No setting's lateness is known"), "{page}");
    assert!(!page.contains("class=\"chart\""), "{page}");
}

#[test]
fn has_a_row_for_each_scaler_and_the_bound_with_unknown_figures_as_dashes() {
    let outcome = sample::week();
    let page = page(&outcome);
    let table = markup(&page);
    let from = table.find("<table").expect("a table");
    let table = &table[from..table.find("</table>").expect("its end")];
    assert_eq!(table.matches("<tr").count(), outcome.rows.len() + 2); // heads and the bound
    let actual = table.find("as it was").expect("the actual row");
    let actual = &table[actual..];
    let actual = &actual[..actual.find("</tr>").expect("a row")];
    assert_eq!(actual.matches("<td>–</td>").count(), 5, "{actual}"); // late, and four waits
    let told = |word: &str| table.matches(&format!(" {word}</span>")).count();
    assert_eq!(told("kept") + told("missed"), outcome.rows.len() - 1);
    assert!(told("kept") > 0 && told("missed") > 0);
}

#[test]
fn shows_a_confidence_interval_under_its_figure() {
    let mut outcome = sample::week();
    let intervals = &mut outcome.rows[0].confidence;
    intervals.insert("late_share".to_owned(), [0.004, 0.012]);
    intervals.insert("launches".to_owned(), [199.6, 1240.0]);
    let page = page(&outcome).replace('\u{a0}', " ");
    assert!(page.contains("0.4 % to 1.2 %"));
    assert!(page.contains("200 to 1,240"));
}

#[test]
fn texts_from_files_stay_texts() {
    let outcome = sample::hostile();
    let page = own(&outcome);
    assert!(!page.contains("<img"));
    assert_eq!(page.matches("<script").count(), 3, "data, library, page");
    assert_eq!(page.matches("</script").count(), 3);
    assert_eq!(page.matches("<!--").count(), 0);
    let data = data(&page);
    let name = data["rows"][0]["name"].as_str().expect("a name");
    assert_eq!(name, names::row(&outcome.rows[0]));
    assert!(
        name.contains("</script><img") || name.contains("</script><script"),
        "{name}"
    );
}

#[test]
fn figures_that_are_no_numbers_are_told_as_unknown() {
    let page = page(&sample::hostile());
    let text = markup(&page);
    assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    let data = data(&page);
    assert!(data["needed"][3].is_null());
    assert!(data["rows"][3]["late_share"].is_null());
    assert_eq!(data["rows"][5]["instances"], serde_json::json!([]));
}

#[test]
fn loads_nothing_and_forbids_itself_to() {
    let page = own(&sample::week());
    assert!(page.contains("default-src 'none'"));
    for loads in ["src=\"", "@import", "url(", "http:", "https:", "href=\"/"] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn the_library_is_the_one_that_its_readme_names() {
    let readme = include_str!("vendor/README.md");
    let sum = Sha256::digest(ECHARTS);
    let sum = sum.iter().fold(String::new(), |mut sum, byte| {
        let _ = write!(sum, "{byte:02x}");
        sum
    });
    let line = format!("| `echarts.common.min.js` | {} | `{sum}` |", ECHARTS.len());
    assert!(readme.contains(&line), "vendor/README.md should say {line}");
}

#[test]
fn every_chart_is_told_in_words_and_reached_by_the_keyboard() {
    let page = page(&sample::week());
    let text = markup(&page);
    for id in ["frontier", "arrivals", "capacity", "backlog", "waits"] {
        assert!(
            text.contains(&format!(r#"id="{id}" role="img" tabindex="0""#)),
            "{id}"
        );
        let words = text.find(&format!(r#"id="{id}-words">"#)).expect("words");
        let words = &text[words..];
        let length = words.find("</p>").expect("an end");
        assert!(length > 60, "{id}: {}", &words[..length]);
    }
}

#[test]
fn curves_are_rounded_to_what_a_chart_shows() {
    let mut outcome = sample::week();
    outcome.series.needed[0] = 12.0;
    outcome.series.needed[1] = 1.234_56;
    outcome.series.needed[2] = 123_456.7;
    let data = data(&page(&outcome));
    let first: Vec<_> = (0..3).map(|n| data["needed"][n].to_string()).collect();
    assert_eq!(first, ["12", "1.235", "123500"]);
}
