//! `worker`: first guesses about it, and how often it tries.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::super::Guess;
use super::super::reader::{Item, Reader, Section};
use super::{DAY, MILLISECOND};
use crate::model::Seconds;

pub(in crate::policy) const WORKER_KEYS: &[&str] =
    &["slots", "service_time", "boot_time", "max_attempts"];

/// First guesses where the policy has none: one job at a time, ten seconds each, two minutes from
/// launch to the first job, as a plain Linux image takes. Measured values soon take their place.
const GUESS: Guess = Guess {
    slots: 1,
    service_time: Seconds(10.0),
    boot_time: Seconds(120.0),
};

/// SQS hides a message for 12 hours at most, so no job can take longer.
const SERVICE_TIME: RangeInclusive<SignedDuration> = MILLISECOND..=SignedDuration::from_hours(12);
const BOOT_TIME: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=DAY;
/// SQS allows no greater `maxReceiveCount` ("Amazon SQS dead-letter queues"), and attempts must
/// be used up before it.
const ATTEMPTS: RangeInclusive<i64> = 1..=1000;
/// The worker's own default (`weir-worker run --max-attempts`).
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// The guesses, and the most attempts where the policy says so. Faults leave the default in place;
/// the problem is noted, and no policy comes of it.
pub(super) fn read_worker(reader: &mut Reader<'_>, root: &Section<'_>) -> (Guess, Option<u32>) {
    let mut guess = GUESS;
    let section = root
        .get("worker")
        .and_then(|item| reader.section(&item, WORKER_KEYS));
    let Some(section) = section else {
        return (guess, None);
    };
    if let Some(item) = section.get("slots") {
        guess.slots = whole(reader, &item, &(1..=10_000)).unwrap_or(guess.slots);
    }
    if let Some(item) = section.get("service_time") {
        guess.service_time = reader
            .duration(&item, &SERVICE_TIME)
            .unwrap_or(guess.service_time);
    }
    if let Some(item) = section.get("boot_time") {
        guess.boot_time = reader
            .duration(&item, &BOOT_TIME)
            .unwrap_or(guess.boot_time);
    }
    let attempts = section.get("max_attempts");
    let attempts = attempts.and_then(|item| whole(reader, &item, &ATTEMPTS));
    (guess, attempts)
}

/// A whole number that is not negative.
pub(super) fn whole(
    reader: &mut Reader<'_>,
    item: &Item<'_>,
    range: &RangeInclusive<i64>,
) -> Option<u32> {
    let number = reader.whole(item, range)?;
    u32::try_from(number).ok()
}
