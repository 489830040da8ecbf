//! Which names AWS and Weir accept.
//!
//! Owns the rules and their wording; nothing else.

/// What a fleet's name may be: it becomes part of metric names, table keys and, with a suffix, of
/// IAM role names, which end at 64 characters.
pub(super) const FLEET: &str = "a name of 1 to 40 letters, digits, - or _";
/// SQS: `CreateQueue`, parameter `QueueName`.
pub(super) const QUEUE: &str =
    "an SQS queue name: 1 to 80 letters, digits, - or _, where a FIFO queue ends in .fifo";
/// What a queue's URL looks like.
pub(super) const QUEUE_URL: &str =
    "a queue's URL, such as https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails";
/// Auto Scaling: `CreateAutoScalingGroup`, parameter `AutoScalingGroupName`.
pub(super) const GROUP: &str =
    "an Auto Scaling group's name: 1 to 255 characters, no control characters, no colon";

/// ECS: `CreateCluster`, parameter `clusterName`, and `CreateService`, parameter `serviceName`.
pub(super) const SERVICE: &str = "an ECS service as CLUSTER/SERVICE, each a name of 1 to 255 \
                                  letters, digits, - or _, such as media/thumbnails-workers";

pub(super) fn is_fleet(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.chars().all(is_word)
}

/// The 80 characters count the suffix of a FIFO queue (SQS quotas, "Queue name").
pub(super) fn is_queue(name: &str) -> bool {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    name.len() <= 80 && !stem.is_empty() && stem.chars().all(is_word)
}

/// The name at the end of a queue's URL, if it is one.
pub(super) fn queue_of_url(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let (host_and_account, name) = rest.rsplit_once('/')?;
    let clean = !host_and_account.is_empty() && !url.contains(|c: char| c.is_whitespace());
    (clean && is_queue(name)).then_some(name)
}

pub(super) fn is_group(name: &str) -> bool {
    let length = name.chars().count();
    (1..=255).contains(&length) && !name.chars().any(|c| c.is_control() || c == ':')
}

/// The names of a service's cluster and its own, if `text` names both.
pub(super) fn service(text: &str) -> Option<(&str, &str)> {
    let is_name = |name: &str| (1..=255).contains(&name.len()) && name.chars().all(is_word);
    let (cluster, service) = text.split_once('/')?;
    (is_name(cluster) && is_name(service)).then_some((cluster, service))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_names_follow_sqs() {
        let eighty = "q".repeat(80);
        let fifo = format!("{}.fifo", "q".repeat(75));
        for good in ["a", "A-b_9", "jobs.fifo", &eighty, &fifo] {
            assert!(is_queue(good), "{good}");
        }
        let too_long = "q".repeat(81);
        let fifo = format!("{}.fifo", "q".repeat(76));
        for bad in [
            "",
            ".fifo",
            "a b",
            "a.b",
            "ü",
            "jobs.fifo.fifo",
            &too_long,
            &fifo,
        ] {
            assert!(!is_queue(bad), "{bad}");
        }
    }

    #[test]
    fn urls_end_in_a_queue_name() {
        let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbs.fifo";
        assert_eq!(queue_of_url(url), Some("thumbs.fifo"));
        assert_eq!(
            queue_of_url("http://127.0.0.1:4566/000000000000/thumbs"),
            Some("thumbs")
        );
        for bad in [
            "thumbs",
            "https://",
            "https://host/",
            "ftp://host/1/q",
            "https://h/1/a b",
        ] {
            assert_eq!(queue_of_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn services_are_named_with_their_clusters() {
        assert_eq!(service("media/thumbs_1"), Some(("media", "thumbs_1")));
        let long = format!("c/{}", "s".repeat(256));
        for bad in ["", "thumbs", "/thumbs", "media/", "a/b/c", "a b/c", &long] {
            assert_eq!(service(bad), None, "{bad}");
        }
    }

    #[test]
    fn group_names_follow_auto_scaling() {
        assert!(is_group("thumbnails workers/eu"));
        for bad in ["", "a:b", "a\nb", &"g".repeat(256)] {
            assert!(!is_group(bad), "{bad}");
        }
    }
}
