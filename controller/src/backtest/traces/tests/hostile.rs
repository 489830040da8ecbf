//! What must hold for any bytes and any trace.

use proptest::prelude::*;

use super::super::{Generator, MESSAGES_MAX, Options, Recorded, fit, read, write};
use crate::sim::Trace;

fn trace() -> impl Strategy<Value = Trace> {
    let count = prop_oneof![Just(0.0), 0.0..1e9, (0_u32..100).prop_map(f64::from)];
    let service = proptest::option::of(0.001..1e6);
    let step = prop_oneof![Just(60.0), 0.01..1e4];
    let rows = prop::collection::vec((count, service), 1..60);
    (step, rows, any::<bool>()).prop_map(|(step_seconds, rows, tells)| {
        let (counts, service_seconds): (Vec<f64>, Vec<Option<f64>>) = rows.into_iter().unzip();
        Trace {
            step_seconds,
            counts,
            service_seconds: if tells { service_seconds } else { Vec::new() },
        }
    })
}

/// Bytes that look like a trace, near enough to come far.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "t_seconds",
        "arrivals",
        "mean_service_s",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        "\"",
        "0",
        "60",
        "120",
        "1e308",
        "-1",
        "NaN",
        ".",
        " ",
        "\u{feff}",
        "é",
        "99999999999",
        "1e-9",
    ]);
    prop::collection::vec(piece, 0..80).prop_map(|pieces| {
        let mut text = "t_seconds,arrivals\n0,1\n".to_owned();
        text.extend(pieces);
        text.into_bytes()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(trace in trace()) {
        let mut text = Vec::new();
        write(&trace, &mut text).expect("memory takes it");
        let step = (trace.counts.len() == 1).then_some(trace.step_seconds);
        let recorded = read("t.csv", &text[..], step);
        prop_assert_eq!(recorded.map(|recorded| recorded.trace), Ok(trace));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        is_sound(&bytes)?;
    }

    #[test]
    fn what_is_nearly_a_trace_is_read_or_refused(bytes in nearly()) {
        is_sound(&bytes)?;
    }

    #[test]
    fn any_text_is_a_generator_or_refused(text in "[a-z-]{0,12}(,[a-z]{1,8}=[0-9a-z.e-]{0,8}){0,4}") {
        if let Err(problems) = text.parse::<Generator>() {
            prop_assert!(!problems.0.is_empty());
        }
    }
}

/// Refused with words, or a trace that can be used.
fn is_sound(bytes: &[u8]) -> Result<(), TestCaseError> {
    for step in [None, Some(60.0)] {
        let Recorded { trace, notes } = match read("t.csv", bytes, step) {
            Ok(recorded) => recorded,
            Err(problems) => {
                prop_assert!(!problems.0.is_empty());
                prop_assert!(problems.0.iter().all(|problem| !problem.found.is_empty()));
                continue;
            }
        };
        prop_assert!(trace.step_seconds > 0.0 && !trace.counts.is_empty());
        prop_assert!(
            trace
                .counts
                .iter()
                .all(|count| count.is_finite() && *count >= 0.0)
        );
        let told = trace.service_seconds.len();
        prop_assert!(told == 0 || told == trace.counts.len());
        let recorded = Recorded { trace, notes };
        if let Ok(fitting) = fit("t", recorded, &Options::default()) {
            prop_assert!(fitting.trace.counts.iter().sum::<f64>() <= MESSAGES_MAX);
        }
    }
    Ok(())
}
