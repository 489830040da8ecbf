//! The wildcards of IAM policies: `*` is any text, `?` any one character.
//!
//! Owns matching and nothing else (IAM User Guide, "IAM JSON policy elements: Action", "Resource",
//! and "Condition operators" for ARNs).

/// Whether `text` matches `pattern`; the case of letters counts.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where the last `*` stands, and how much of the text it takes so far.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut t) = (0, 0);
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The same for actions, in which the case of letters does not count ("Action": "case
/// insensitive").
pub(super) fn matches_action(pattern: &str, action: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}

/// `ArnLike`: "each of the six colon-delimited components of the ARN is checked separately".
pub(super) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (
        pattern.splitn(6, ':').collect(),
        arn.splitn(6, ':').collect(),
    );
    patterns.len() == parts.len()
        && patterns
            .iter()
            .zip(parts)
            .all(|(pattern, part)| matches(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_any_text_and_any_character() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("sqs:*", "sqs:SendMessage", true),
            ("sqs:Send*", "sqs:ReceiveMessage", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("jobs-?", "jobs-1", true),
            ("jobs-?", "jobs-", false),
            ("plain", "plain", true),
            ("plain", "Plain", false),
            (
                "*:table/weir-*",
                "arn:aws:dynamodb:eu-west-1:1:table/weir-jobs",
                true,
            ),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn actions_are_matched_whatever_their_case() {
        assert!(matches_action("SQS:send*", "sqs:SendMessage"));
    }

    #[test]
    fn arns_are_matched_part_by_part() {
        assert!(matches_arn(
            "arn:aws:ecs:*:*:cluster/a",
            "arn:aws:ecs:r:1:cluster/a"
        ));
        // One * reaches over the colon of its own part only.
        assert!(!matches_arn(
            "arn:aws:ecs:*:cluster/a",
            "arn:aws:ecs:r:1:cluster/a"
        ));
    }
}
