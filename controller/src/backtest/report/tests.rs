//! The page as text; what a browser makes of it is tested in controller/tests/report.

use super::{headline, page, sample};
use crate::backtest::outcome::{Outcome, Setting};

fn headline(outcome: &Outcome) -> String {
    headline::sentences(outcome).join(" ").replace('\u{a0}', " ")
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
