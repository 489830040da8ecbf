//! Figures over several seeds: means, and how sure they are.
//!
//! Owns the statistics. A figure's interval is Student's, over runs of independent seeds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::outcome::ScoreShape;

/// Means of all figures, and the 95 % interval of each that is a number in every run and not the
/// same in all; by the figures' names. One run is its own mean, without intervals.
pub(super) fn summarise(scores: &[ScoreShape]) -> (ScoreShape, BTreeMap<String, [f64; 2]>) {
    let rows: Vec<Map<String, Value>> = scores.iter().map(fields).collect();
    let [first, others @ ..] = rows.as_slice() else {
        return (ScoreShape::default(), BTreeMap::new());
    };
    if others.is_empty() {
        return (scores[0], BTreeMap::new());
    }
    let mut means = first.clone();
    let mut intervals = BTreeMap::new();
    for (name, value) in &mut means {
        let numbers: Option<Vec<f64>> = rows.iter().map(|row| row[name].as_f64()).collect();
        match numbers {
            Some(numbers) => {
                let (mean, half) = mean_and_half_width(&numbers);
                *value = if value.is_f64() {
                    Value::from(mean)
                } else {
                    Value::from(whole(mean))
                };
                if half > 0.0 {
                    intervals.insert(name.clone(), [mean - half, mean + half]);
                }
            }
            // The objective is kept where it is kept on average; a figure unknown to one is unknown.
            None if value.is_boolean() => {}
            None => *value = Value::Null,
        }
    }
    let means = serde_json::from_value(Value::Object(means));
    let mut means: ScoreShape = means.expect("invariant: means have the shape of what they are of");
    means.keeps_objective = majority(scores);
    (means, intervals)
}

fn majority(scores: &[ScoreShape]) -> Option<bool> {
    let kept: Option<Vec<bool>> = scores.iter().map(|score| score.keeps_objective).collect();
    let kept = kept?;
    Some(kept.iter().filter(|kept| **kept).count() * 2 > kept.len())
}

fn fields(score: &ScoreShape) -> Map<String, Value> {
    match serde_json::to_value(score) {
        Ok(Value::Object(fields)) => fields,
        _ => unreachable!("a score is an object"),
    }
}

fn mean_and_half_width(numbers: &[f64]) -> (f64, f64) {
    let runs = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / runs;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (runs - 1.0);
    let student = StudentsT::new(0.0, 1.0, runs - 1.0).expect("invariant: two runs or more");
    (mean, student.inverse_cdf(0.975) * (variance / runs).sqrt())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate"
)]
fn whole(mean: f64) -> u64 {
    mean.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(instance_hours: f64, late_share: f64, launches: u32) -> ScoreShape {
        ScoreShape {
            instance_hours,
            late_share: Some(late_share),
            keeps_objective: Some(late_share <= 0.01),
            launches,
            ..ScoreShape::default()
        }
    }

    #[test]
    fn gives_means_and_students_intervals() {
        let runs = [
            score(10.0, 0.0, 4),
            score(12.0, 0.0, 5),
            score(14.0, 0.03, 6),
        ];
        let (mean, intervals) = summarise(&runs);
        assert!((mean.instance_hours - 12.0).abs() < 1e-9);
        assert_eq!(mean.launches, 5);
        assert_eq!(mean.keeps_objective, Some(true), "two of three");
        // 4.303 standard errors with two degrees of freedom, of a standard deviation of 2.
        let [low, high] = intervals["instance_hours"];
        assert!((high - 12.0 - 4.3027 * 2.0 / 3.0_f64.sqrt()).abs() < 1e-3);
        assert!((low + high - 24.0).abs() < 1e-9);
        assert!(!intervals.contains_key("boot_hours"), "the same in all");
    }

    #[test]
    fn one_run_is_its_own_mean() {
        let one = score(10.0, 0.0, 4);
        assert_eq!(summarise(&[one]), (one, BTreeMap::new()));
    }
}
