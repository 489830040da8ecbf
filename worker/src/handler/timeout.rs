//! How long one attempt may take: the worker's limit, or less if the sender says so.
//!
//! Pure. It must not lengthen what the worker allows.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::queue::Attribute;

/// The message attribute by which a sender asks for less time than the worker allows: with a unit,
/// such as `90s` or `2m`, or in whole seconds.
pub const TIMEOUT_ATTRIBUTE: &str = "WeirTimeout";

/// What the attributes ask for, at most `max`. What is no time is not a reason to refuse the job:
/// it is said, and `max` stands.
pub(crate) fn asked(attributes: &BTreeMap<String, Attribute>, max: Duration) -> Duration {
    let Some(attribute) = attributes.get(TIMEOUT_ATTRIBUTE) else {
        return max;
    };
    let text = attribute.text().unwrap_or_default().trim();
    let whole_seconds = text.parse().ok().map(Duration::from_secs);
    let asked = whole_seconds.or_else(|| crate::cli::duration(text).ok());
    let Some(asked) = asked.filter(|asked| !asked.is_zero()) else {
        tracing::warn!(text, "{TIMEOUT_ATTRIBUTE} is no duration such as 90s or 2m");
        return max;
    };
    asked.min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sender_may_shorten_but_not_lengthen() {
        let max = Duration::from_mins(10);
        let asked_by = |attribute| {
            let attributes = BTreeMap::from([(TIMEOUT_ATTRIBUTE.to_owned(), attribute)]);
            asked(&attributes, max)
        };
        let said = |text: &str| asked_by(Attribute::string(text)).as_secs();
        assert_eq!([said("90"), said("90s"), said(" 2m ")], [90, 90, 120]);
        assert_eq!([said("1h"), said("99999999999999")], [600, 600]);
        assert_eq!([said("0"), said("-5s"), said("soon")], [600, 600, 600]);
        let binary = Attribute::Binary {
            data_type: "Binary".into(),
            value: bytes::Bytes::from_static(b"90"),
        };
        assert_eq!(asked_by(binary), max);
        assert_eq!(asked(&BTreeMap::new(), max), max);
    }
}
