//! Numbers with units on the command line: durations, shares, windows.
//!
//! Parses for clap; each error says what is allowed.

use std::time::Duration;

/// A span above zero, such as `15s` or `2m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text
        .parse()
        .map_err(|_| format!("found {text:?}; allowed is a duration with a unit, such as 15s"))?;
    match Duration::try_from(span) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => Err(format!("found {text:?}; allowed is a duration above zero")),
    }
}

/// A share of a whole, as `3%` or `0.03`; 0 to less than 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let wrong = || format!("found {text:?}; allowed is a share below 1, such as 3% or 0.03");
    let (digits, part) = match text.strip_suffix('%') {
        Some(digits) => (digits, 100.0),
        None => (text, 1.0),
    };
    let share = digits.trim().parse::<f64>().map_err(|_| wrong())? / part;
    if (0.0..1.0).contains(&share) {
        Ok(share)
    } else {
        Err(wrong())
    }
}

/// A number above zero.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err(format!("found {text:?}; allowed is a number above 0")),
    }
}

/// `2h:4`: from two hours on, four times.
pub(super) fn moment_and_factor(text: &str) -> Result<(Duration, f64), String> {
    let wrong = || format!("found {text:?}; allowed is MOMENT:FACTOR, such as 36h:4");
    let (moment, factor) = text.split_once(':').ok_or_else(wrong)?;
    Ok((
        duration(moment).map_err(|_| wrong())?,
        positive(factor).map_err(|_| wrong())?,
    ))
}

/// `2h-4h:10`: from two hours to four, ten.
pub(super) fn window_and_count(text: &str) -> Result<(Duration, Duration, u32), String> {
    let wrong = || format!("found {text:?}; allowed is FROM-UNTIL:INSTANCES, such as 2h-4h:10");
    let (window, count) = text.split_once(':').ok_or_else(wrong)?;
    let (from, until) = window.split_once('-').ok_or_else(wrong)?;
    let window = (
        duration(from).map_err(|_| wrong())?,
        duration(until).map_err(|_| wrong())?,
    );
    if window.0 >= window.1 {
        return Err(wrong());
    }
    Ok((window.0, window.1, count.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_names_and_nothing_else() {
        assert_eq!(share("3%"), Ok(0.03));
        assert_eq!(share("0.25"), Ok(0.25));
        assert!(share("100%").is_err() && share("-1%").is_err() && share("nan").is_err());
        assert_eq!(positive("2.5"), Ok(2.5));
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("x").is_err());
        let hours = |n: u64| Duration::from_secs(3600 * n);
        assert_eq!(moment_and_factor("36h:4"), Ok((hours(36), 4.0)));
        assert!(moment_and_factor("36h").is_err() && moment_and_factor("36:4").is_err());
        assert_eq!(window_and_count("2h-4h:10"), Ok((hours(2), hours(4), 10)));
        assert!(window_and_count("4h-2h:10").is_err() && window_and_count("2h:10").is_err());
    }
}
