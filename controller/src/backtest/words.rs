//! Numbers as people read them: three figures at most, a unit, thousands apart.
//!
//! Owns how figures are worded, on a terminal and on the page; report/assets/words.js says the same
//! in the charts. It must not know what a number stands for.

/// For what is not known, or has no number.
pub(crate) const UNKNOWN: &str = "–";

/// What joins a number and its unit, so that no line breaks between them.
const NBSP: char = '\u{a0}';

/// The same where lines are not broken anyway, for terminals.
pub(crate) fn with_plain_spaces(text: &str) -> String {
    text.replace(NBSP, " ")
}

/// `34 s`, `1.5 min`, `1.2 h`, `3.4 d`.
pub(crate) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 99.5 => (s, "s"),
        s if s < 90.0 * 60.0 => (s / 60.0, "min"),
        s if s < 48.0 * 3600.0 => (s / 3600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    with_unit(value, unit)
}

/// `312 h`.
pub(crate) fn hours(hours: f64) -> String {
    with_unit(hours, "h")
}

/// A share of 0 to 1: `0.8 %`.
pub(crate) fn share(share: f64) -> String {
    with_unit(share * 100.0, "%")
}

/// A share close to 1 with as many nines as tell it from 1: `99.96 %`.
pub(crate) fn nearly_all(share: f64) -> String {
    let missing = (1.0 - share) * 100.0;
    if missing <= 0.0 || missing >= 1.0 {
        return self::share(share);
    }
    let decimals = (2..9).find(|n| missing * 10_f64.powi(*n) >= 10.0);
    let decimals = usize::try_from(decimals.unwrap_or(9)).unwrap_or(0) - 1;
    let text = format!("{:.decimals$}", share * 100.0);
    format!(
        "{}{NBSP}%",
        text.trim_end_matches('0').trim_end_matches('.')
    )
}

/// A share beside another, with the decimals that tell them apart: `98.03 %` beside `98 %`.
pub(crate) fn apart(share: f64, other: f64) -> String {
    let short = nearly_all(share);
    if short != nearly_all(other) {
        return short;
    }
    let texts = (1..9).map(|n| [share, other].map(|share| format!("{:.n$}", share * 100.0)));
    let mut told_apart = texts.filter(|[share, other]| share != other);
    told_apart
        .next()
        .map_or(short, |[share, _]| format!("{share}{NBSP}%"))
}

/// A quotient to the bound: `1.18 ×`.
pub(crate) fn times(ratio: f64) -> String {
    format!("{ratio:.2}{NBSP}×")
}

/// A whole number: `12,300`.
pub(crate) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// The same of a mean over seeds.
pub(crate) fn whole(x: f64) -> String {
    grouped(&format!("{x:.0}"))
}

/// Three figures: `0.0123`, `4.32`, `31.2`, `4,321`.
pub(crate) fn number(x: f64) -> String {
    if !x.is_finite() {
        return UNKNOWN.to_owned();
    }
    let x = x + 0.0; // -0, an empty sum, is 0
    let decimals = match x.abs() {
        0.0 => 0,
        a if a >= 99.95 => 0,
        a if a >= 9.995 => 1,
        a if a >= 0.0995 => 2,
        a if a >= 0.00995 => 3,
        a if a >= 0.000_995 => 4,
        _ => 6,
    };
    let text = format!("{x:.decimals$}");
    if !text.contains('.') {
        return grouped(&text);
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn with_unit(value: f64, unit: &str) -> String {
    if value.is_finite() {
        format!("{}{NBSP}{unit}", number(value))
    } else {
        UNKNOWN.to_owned()
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_people_use() {
        let cases = [
            (0.0, "0 s"),
            (0.25, "0.25 s"),
            (34.0, "34 s"),
            (90.0, "90 s"),
            (300.0, "5 min"),
            (4200.0, "70 min"),
            (7200.0, "2 h"),
            (259_200.0, "3 d"),
            (f64::NAN, UNKNOWN),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds).replace(NBSP, " "), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_have_three_figures_and_their_thousands_apart() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.001_23, "0.0012"),
            (0.8, "0.8"),
            (4.321, "4.32"),
            (31.25, "31.2"),
            (4321.4, "4,321"),
            (-1234.0, "-1,234"),
            (f64::INFINITY, UNKNOWN),
        ];
        for (x, text) in cases {
            assert_eq!(number(x), text, "{x}");
        }
        assert_eq!(count(3_461_612), "3,461,612");
        assert_eq!(count(12), "12");
    }

    #[test]
    fn a_share_that_is_nearly_all_is_not_rounded_to_all() {
        let cases = [
            (1.0, "100 %"),
            (0.9, "90 %"),
            (0.9942, "99.4 %"),
            (0.9996, "99.96 %"),
            (0.999_996, "99.9996 %"),
        ];
        for (part, text) in cases {
            assert_eq!(nearly_all(part).replace(NBSP, " "), text, "{part}");
        }
    }

    #[test]
    fn shares_beside_each_other_are_told_apart() {
        let cases = [
            (0.99, 0.98, "99 %"),
            (0.98, 0.98, "98 %"),
            (0.9803, 0.98, "98.03 %"),
            (0.979_96, 0.98, "97.996 %"),
        ];
        for (share, other, text) in cases {
            assert_eq!(apart(share, other).replace(NBSP, " "), text);
        }
    }
}
