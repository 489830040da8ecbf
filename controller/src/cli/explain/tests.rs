use std::sync::Arc;

use jiff::tz::TimeZone;

use super::*;
use crate::clock::{Clock, timestamp};
use crate::drive::{self, Ports};
use crate::journal::{MemoryLedger, Outcome, Part};
use crate::model::{Instances, Seconds};
use crate::ports::Change;
use crate::testing::{self, FakeFleet, START};

const FLEET: &str = "thumbnails";

fn at(seconds: f64) -> UnixSeconds {
    UnixSeconds(START.0 + seconds)
}

/// A round that saw `visible` messages and `size` instances, and decided on `desired` for a
/// reason of this code.
fn decided(seconds: f64, (visible, size, desired): (u64, u32, u32), reason: &str) -> Round {
    let roster = vec![testing::worker("i-1", 3)];
    let mut observation = testing::sighting(FLEET, visible, roster).observation;
    observation.at = at(seconds);
    observation.fleet.desired = Some(Instances(size));
    observation.fleet.in_service = Some(Instances(size));
    let action = match desired.cmp(&size) {
        std::cmp::Ordering::Greater => "grow",
        std::cmp::Ordering::Less => "shrink",
        std::cmp::Ordering::Equal => "hold",
    };
    let text = format!("{} for {visible} messages", reason.replace('_', " "));
    let step = json!({ "step": "demand", "reason": reason, "wanted": desired, "text": text });
    let verdict = json!({
        "at": at(seconds), "fleet": FLEET, "action": action, "desired": desired,
        "backlog_per_instance": 12.0, "backlog_per_instance_target": 26.8, "trail": [step],
    });
    Round {
        observation: Some(observation),
        verdict: Some(verdict),
        outcome: Outcome::Done {
            changes: Vec::new(),
        },
        ..Round::begin(&testing::policy(FLEET), at(seconds))
    }
}

fn held(seconds: f64, visible: u64, size: u32) -> Round {
    decided(seconds, (visible, size, size), "backlog_covered")
}

fn grown(seconds: f64) -> Round {
    let plan = vec![Change::Resize {
        desired: Instances(4),
    }];
    Round {
        outcome: Outcome::Done {
            changes: plan.iter().map(ToString::to_string).collect(),
        },
        plan,
        ..decided(seconds, (120, 2, 4), "backlog_due")
    }
}

fn failed(seconds: f64, why: &str) -> Round {
    Round {
        outcome: Outcome::Failed {
            step: Part::Observe,
            why: why.to_owned(),
            changes: Vec::new(),
        },
        ..Round::begin(&testing::policy(FLEET), at(seconds))
    }
}

async fn journal(rounds: &[Round]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for round in rounds {
        ledger.record(round).await.unwrap();
    }
    ledger
}

/// A quarter of an hour: held, failed, grown, held at the new size.
async fn quarter() -> MemoryLedger {
    let mut rounds: Vec<_> = (0..20_u32)
        .map(|nth| held(15.0 * f64::from(nth), u64::from(nth), 2))
        .collect();
    rounds.push(failed(300.0, "connection refused"));
    rounds.push(failed(315.0, "timed out"));
    rounds.push(grown(330.0));
    rounds.extend((0..38_u32).map(|nth| held(345.0 + 15.0 * f64::from(nth), 60, 4)));
    journal(&rounds).await
}

fn everything() -> Extent {
    Extent {
        since: at(-1e6),
        limit: usize::MAX,
    }
}

fn ask(rounds: Rounds, task: Task, output: Output) -> Ask {
    Ask {
        rounds,
        task,
        output,
        now: timestamp(at(1000.0)).to_zoned(TimeZone::UTC),
    }
}

/// The answer's exit code and what was written; an error's text stands for both.
async fn answered(ledger: &dyn Ledger, ask: &Ask) -> Result<(u8, String), String> {
    let question = Question {
        policy: &testing::policy(FLEET),
        ledger,
        ask,
    };
    let mut out = Vec::new();
    let code = answer(&question, &mut out).await;
    let code = code.map_err(|error| format!("{error:#}"))?;
    Ok((code, String::from_utf8(out).unwrap()))
}

async fn text(ledger: &dyn Ledger, rounds: Rounds) -> String {
    let ask = ask(rounds, Task::Tell, Output::Text);
    answered(ledger, &ask).await.unwrap().1
}

async fn refusal(ledger: &dyn Ledger, rounds: Rounds) -> String {
    let ask = ask(rounds, Task::Tell, Output::Text);
    answered(ledger, &ask).await.unwrap_err()
}

#[tokio::test]
async fn runs_of_equal_rounds_are_one_block_newest_first() {
    let ledger = quarter().await;
    insta::assert_snapshot!(text(&ledger, Rounds::Back(everything())).await, @r"
    thumbnails, newest first, times in UTC

    2023-11-14 22:19:05 to 22:28:20  held at 4, 38 rounds
      demand    backlog covered for 60 messages
      seen      queue thumbnails: 60 visible, 0 in flight, 0 delayed, oldest unknown
      seen      fleet: 4 desired, 4 in service, 0 pending, 0 terminating; 3 of 4 slots busy

    2023-11-14 22:18:50  grew from 2 to 4
      demand    backlog due for 120 messages
      seen      queue thumbnails: 120 visible, 0 in flight, 0 delayed, oldest unknown
      seen      fleet: 2 desired, 2 in service, 0 pending, 0 terminating; 3 of 4 slots busy
      changed   set desired capacity to 4

    2023-11-14 22:18:20 to 22:18:35  failed at observe, 2 rounds
      error     timed out
                and 1 other error before
                nothing was changed

    2023-11-14 22:13:20 to 22:18:05  held at 2, 20 rounds
      demand    backlog covered for 19 messages
      seen      queue thumbnails: 19 visible, 0 in flight, 0 delayed, oldest unknown
      seen      fleet: 2 desired, 2 in service, 0 pending, 0 terminating; 3 of 4 slots busy

    The journal begins here.
    ");
}

#[tokio::test]
async fn a_limit_counts_changes_and_a_moment_cuts_through_them() {
    let ledger = quarter().await;
    let limited = Extent {
        limit: 2,
        ..everything()
    };
    let told = text(&ledger, Rounds::Back(limited)).await;
    assert!(told.contains("held at 4, 38 rounds"), "{told}");
    assert!(told.contains("grew from 2 to 4"), "{told}");
    assert!(!told.contains("failed"), "{told}");
    assert!(told.ends_with("There is more: see --limit and --since.\n"));
    let cut = Extent {
        since: at(600.0),
        ..everything()
    };
    let told = text(&ledger, Rounds::Back(cut)).await;
    assert!(told.contains("held at 4, 21 rounds"), "{told}");
    assert!(told.ends_with("There is more, from before: see --since.\n"));
}

#[tokio::test]
async fn more_rounds_than_a_page_are_one_block() {
    let mut rounds = vec![grown(0.0)];
    rounds.extend((1..=1000_u32).map(|nth| held(15.0 * f64::from(nth), 60, 4)));
    let told = text(&journal(&rounds).await, Rounds::Back(everything())).await;
    assert!(told.contains("held at 4, 1000 rounds"), "{told}");
    assert!(told.contains("grew from 2 to 4"), "{told}");
}

#[tokio::test]
async fn another_reason_a_silence_and_every_change_begin_a_block() {
    let mut rounds: Vec<_> = (0..4)
        .map(|nth| held(15.0 * f64::from(nth), 9, 4))
        .collect();
    rounds.push(decided(60.0, (9, 4, 4), "hold_recent"));
    rounds.extend(
        (0..3).map(|nth| decided(4000.0 + 15.0 * f64::from(nth), (9, 4, 4), "hold_recent")),
    );
    rounds.extend([grown(4045.0), grown(4060.0)]);
    let told = text(&journal(&rounds).await, Rounds::Back(everything())).await;
    let headings: Vec<_> = told
        .lines()
        .filter(|l| l.starts_with("20") || l.starts_with("No round"))
        .collect();
    insta::assert_snapshot!(headings.join("\n"), @r"
    2023-11-14 23:21:00  grew from 2 to 4
    2023-11-14 23:20:45  grew from 2 to 4
    2023-11-14 23:20:00 to 23:20:30  held at 4, 3 rounds
    No round was recorded for 1h 5m.
    2023-11-14 22:14:20  held at 4
    2023-11-14 22:13:20 to 22:14:05  held at 4, 4 rounds
    ");
}

#[tokio::test]
async fn rounds_that_did_less_than_they_meant_say_so() {
    let shrink = |outcome, plan: Vec<Change>| Round {
        plan,
        outcome,
        ..decided(0.0, (0, 4, 1), "backlog_covered")
    };
    let release = Change::Release {
        instance: "i-1".to_owned(),
    };
    let part = shrink(
        Outcome::Done {
            changes: vec!["end i-1".to_owned()],
        },
        vec![release.clone()],
    );
    let none = shrink(
        Outcome::Done {
            changes: Vec::new(),
        },
        Vec::new(),
    );
    let broken = shrink(
        Outcome::Failed {
            step: Part::Act,
            why: "throttled".to_owned(),
            changes: vec!["end i-1".to_owned()],
        },
        vec![release.clone()],
    );
    let mut midst = shrink(Outcome::Intended, vec![release]);
    midst.notes = vec!["figures not published: no such endpoint".to_owned()];
    let stood_by = Round {
        outcome: Outcome::StoodBy { until: at(60.0) },
        ..Round::begin(&testing::policy(FLEET), at(0.0))
    };
    let mut all = String::new();
    for round in [part, none, broken, midst, stood_by] {
        let told = text(&journal(&[round]).await, Rounds::Back(everything())).await;
        let block: Vec<_> = told
            .lines()
            .skip(2)
            .filter(|l| !l.contains("seen") && !l.contains("demand"))
            .collect();
        all += &block[..block.len() - 2].join("\n");
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r"
    2023-11-14 22:13:20  shrank from 4 to 3, wanting 1
      changed   end i-1
    2023-11-14 22:13:20  stayed at 4, wanting 1
    2023-11-14 22:13:20  failed at act, meaning to shrink from 4 to 1
      changed   end i-1
      error     throttled
    2023-11-14 22:13:20  broke off, meaning to shrink from 4 to 1
      meant     end i-1
                the controller ended in the midst of it; some may have been done
      note      figures not published: no such endpoint
    2023-11-14 22:13:20  stood by: another controller held the lease until 2023-11-14 22:14:20
    ");
}

#[tokio::test]
async fn the_round_in_force_at_a_time_is_told_in_full() {
    let ledger = quarter().await;
    let told = text(&ledger, Rounds::At(at(340.0))).await;
    insta::assert_snapshot!(told, @r"
    thumbnails, the round of 2023-11-14 22:18:50 (UTC)
    ┌────────────┬─────────┬───────────┬─────────┬─────────┐
    │ queue      ┆ visible ┆ in flight ┆ delayed ┆  oldest │
    ╞════════════╪═════════╪═══════════╪═════════╪═════════╡
    │ thumbnails ┆     120 ┆         0 ┆       0 ┆ unknown │
    └────────────┴─────────┴───────────┴─────────┴─────────┘
    ┌───────────┬────────────┬─────────┬─────────────┬──────────────┬─────────────┐
    │ instances ┆ in service ┆ pending ┆ terminating ┆ backlog each ┆ target each │
    ╞═══════════╪════════════╪═════════╪═════════════╪══════════════╪═════════════╡
    │ 2 desired ┆          2 ┆       0 ┆           0 ┆         12.0 ┆        26.8 │
    └───────────┴────────────┴─────────┴─────────────┴──────────────┴─────────────┘
    ┌─────────────┬────────────┬───────┬───────────┬─────────────┬────────────┐
    │ workers     ┆ busy slots ┆ slots ┆ completed ┆ a job takes ┆ boot takes │
    ╞═════════════╪════════════╪═══════╪═══════════╪═════════════╪════════════╡
    │ 1 reporting ┆          3 ┆     4 ┆         0 ┆     unknown ┆    100.0 s │
    └─────────────┴────────────┴───────┴───────────┴─────────────┴────────────┘

    grew from 2 to 4
      demand    backlog due for 120 messages
      changed   set desired capacity to 4
    ");
    // The very moment of a round is its own.
    let at_once = text(&ledger, Rounds::At(at(345.0))).await;
    assert!(
        at_once.contains("the round of 2023-11-14 22:19:05"),
        "{at_once}"
    );
}

#[tokio::test]
async fn a_round_that_decided_nothing_is_told_with_the_last_that_did() {
    let ledger = quarter().await;
    let told = text(&ledger, Rounds::At(at(320.0))).await;
    assert!(told.contains("failed at observe"), "{told}");
    assert!(told.contains("timed out"), "{told}");
    assert!(
        told.contains("The last one before it that decided:"),
        "{told}"
    );
    assert!(told.contains("the round of 2023-11-14 22:18:05"), "{told}");
    assert!(told.contains("held at 2"), "{told}");
}

#[tokio::test]
async fn another_policy_and_version_are_said() {
    let mut round = held(0.0, 9, 4);
    round.version = "0.0.1".to_owned();
    round.policy_hash = "0123456789abcdef".to_owned();
    let told = text(&journal(&[round]).await, Rounds::At(at(1.0))).await;
    assert!(told.contains("weir 0.0.1 ran it"), "{told}");
    assert!(told.contains("another policy"), "{told}");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_to_do() {
    let empty = MemoryLedger::default();
    let nothing = refusal(&empty, Rounds::Back(everything())).await;
    insta::assert_snapshot!(nothing, @"no round is recorded yet: `weir run` for thumbnails records them (a dry run does not); if it does run, check --state-table, the region, and the policy's name");
    assert_eq!(refusal(&empty, Rounds::At(at(0.0))).await, nothing);
    let ledger = quarter().await;
    insta::assert_snapshot!(refusal(&ledger, Rounds::At(at(-60.0))).await, @"no round is recorded at 2023-11-14 22:12:20 or before: the journal of thumbnails begins at 2023-11-14 22:13:20 (UTC), and rounds are kept for 14 days");
    let later = Extent {
        since: at(950.0),
        ..everything()
    };
    insta::assert_snapshot!(refusal(&ledger, Rounds::Back(later)).await, @"no round is recorded since 2023-11-14 22:29:10 (UTC); the newest is of 2023-11-14 22:28:20: see --since");
}

#[tokio::test]
async fn as_json_each_round_is_a_line() {
    let ledger = quarter().await;
    let ask = ask(Rounds::Back(everything()), Task::Tell, Output::Json);
    let (_, out) = answered(&ledger, &ask).await.unwrap();
    let lines: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 61);
    let moments: Vec<_> = lines
        .iter()
        .map(|line| line["at"].as_f64().unwrap())
        .collect();
    assert!(moments.is_sorted_by(|a, b| a > b), "newest first");
    let grown = &lines[38];
    assert_eq!(grown["action"], "grow");
    assert_eq!(grown["outcome"], "done");
    assert_eq!(grown["changes"][0], "set desired capacity to 4");
    assert_eq!(grown["plan"][0]["change"], "resize");
    assert_eq!(grown["observation"]["fleet"]["desired"], 2);
    assert_eq!(grown["time"], "2023-11-14T22:18:50.000Z");
    assert_eq!(grown["policy_hash"], policy_hash(&testing::policy(FLEET)));
    let failed = &lines[39];
    assert_eq!(failed["error"], "timed out");
    assert_eq!(failed["observation"], Value::Null);
}

/// Rounds of the real judgement, one of them failed.
async fn judged_rounds() -> MemoryLedger {
    let fleet = Arc::new(FakeFleet::showing(testing::sighting(
        FLEET,
        500,
        Vec::new(),
    )));
    let ledger = Arc::new(MemoryLedger::default());
    let ports = Ports {
        observe: fleet.clone(),
        act: fleet.clone(),
        ledger: ledger.clone(),
        clock: Clock::manual(START),
        token: "ours".to_owned(),
    };
    for nth in 0..6 {
        if nth == 3 {
            fleet.fail_observe("connection refused");
        }
        drive::round(Arc::new(testing::policy(FLEET)), ports.clone()).await;
        ports.clock.advance(Seconds(15.0));
    }
    drop(ports);
    Arc::into_inner(ledger).unwrap()
}

async fn replayed(ledger: &dyn Ledger, output: Output) -> Result<(u8, String), String> {
    let ask = ask(Rounds::Back(everything()), Task::Replay, output);
    answered(ledger, &ask).await
}

#[tokio::test]
async fn a_replay_says_of_each_round_whether_it_is_judged_the_same() {
    let ledger = judged_rounds().await;
    let (code, told) = replayed(&ledger, Output::Text).await.unwrap();
    assert_eq!(code, 0);
    let hash = policy_hash(&testing::policy(FLEET));
    insta::assert_snapshot!(told.replace(&hash, "HASH"), @r"
    thumbnails, replayed by weir 0.1.0 under policy HASH, oldest first, times in UTC
    2023-11-14 22:13:20 to 22:13:50  the same verdict, 3 rounds
    2023-11-14 22:14:05  not compared: it failed before there was a verdict
    2023-11-14 22:14:20 to 22:14:35  the same verdict, 2 rounds
    5 judged the same, 0 otherwise, 1 not compared
    ");
    let (_, lines) = replayed(&ledger, Output::Json).await.unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let findings: Vec<_> = lines
        .iter()
        .map(|line| line["replay"].as_str().unwrap())
        .collect();
    assert_eq!(
        findings,
        ["same", "same", "same", "not_compared", "same", "same"]
    );
    assert_eq!(lines[3]["why"], "undecided");
}

#[tokio::test]
async fn a_replay_that_differs_shows_both_verdicts_and_ends_with_1() {
    let ledger = judged_rounds().await;
    let mut round = ledger
        .rounds(FLEET, Reading::Newest, 1)
        .await
        .unwrap()
        .remove(0);
    round.verdict = held(75.0, 500, 33).verdict;
    ledger.record(&round).await.unwrap();
    let (code, told) = replayed(&ledger, Output::Text).await.unwrap();
    assert_eq!(code, EXIT_DIFFERS);
    let from = told.find("  recorded").unwrap();
    assert!(told[from..].contains("Hold at 33:"), "{told}");
    assert!(told[from..].contains("  now "), "{told}");
    assert!(
        told.ends_with("4 judged the same, 1 otherwise, 1 not compared\n"),
        "{told}"
    );
    let (code, lines) = replayed(&ledger, Output::Json).await.unwrap();
    assert_eq!(code, EXIT_DIFFERS);
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["replay"], "other_verdict");
    assert_eq!(last["recorded"]["desired"], 33);
    assert!(last["now"]["desired"].is_u64());
}

#[tokio::test]
async fn a_replay_that_compares_nothing_is_no_success() {
    let mut round = held(0.0, 9, 4);
    round.version = "0.0.1".to_owned();
    let error = replayed(&journal(&[round]).await, Output::Text)
        .await
        .unwrap_err();
    assert_eq!(error, "no round was compared (1: weir 0.0.1 decided it)");
}
