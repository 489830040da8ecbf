//! Numbers and words as people read them.
//!
//! Owns how a number, a span or a count reads in a reason's text. It knows no reason.

use crate::model::{Instances, Messages};

/// `keep 3`, or `hold` where the size is not known.
pub(super) fn keep(size: Option<Instances>) -> String {
    size.map_or_else(|| "hold".to_owned(), |size| format!("keep {}", size.0))
}

pub(super) fn instances(n: Instances) -> String {
    if n.0 == 1 {
        "1 instance".to_owned()
    } else {
        format!("{} instances", thousands(n.0.into()))
    }
}

pub(super) fn suffices(n: Instances) -> String {
    let verb = if n.0 == 1 { "suffices" } else { "suffice" };
    format!("{} {verb}", instances(n))
}

pub(super) fn suffice_clause(n: Instances) -> String {
    match n.0 {
        0 => "none is needed".to_owned(),
        1 => "1 suffices".to_owned(),
        n => format!("{n} suffice"),
    }
}

pub(super) fn messages(n: Messages) -> String {
    if n.0 == 1 {
        "1 message".to_owned()
    } else {
        format!("{} messages", thousands(n.0))
    }
}

pub(super) fn slots_of(slots: f64) -> String {
    if (slots - 1.0).abs() < 1e-9 {
        "1 slot".to_owned()
    } else {
        format!("{} slots", decimal(slots))
    }
}

/// `48 s`, `7.9 s`, `25 min`, `2.5 h`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s >= 7200.0 => format!("{} h", decimal(s / 3600.0)),
        s if s >= 600.0 => format!("{} min", decimal(s / 60.0)),
        s => format!("{} s", decimal(s)),
    }
}

/// Three figures are enough to read: `1,900`, `28.5`, `0.42`.
pub(super) fn decimal(x: f64) -> String {
    let text = match x.abs() {
        a if a >= 100.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rounded, and the sign is put back"
            )]
            let whole = x.abs().round() as u64;
            let sign = if x < 0.0 { "-" } else { "" };
            return format!("{sign}{}", thousands(whole));
        }
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1,234,567`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
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
    fn numbers_read_like_numbers() {
        let cases = [
            (0.0, "0"),
            (0.424, "0.42"),
            (8.0, "8"),
            (28.5, "28.5"),
            (1899.7, "1,900"),
            (-1234.0, "-1,234"),
        ];
        for (number, text) in cases {
            assert_eq!(decimal(number), text);
        }
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(span(5400.0), "90 min");
    }
}
