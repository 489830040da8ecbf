//! The jobs: what is sent, and what must come of each.
//!
//! It plans. Sending is [`super::front_end`]'s, judging [`super::checks`]'s.

use super::deployment::Deployment;
use crate::cloud::sqs::FIFO_SUFFIX;

/// Does a job: asks for another attempt, gives up, or takes long, as the body says. What is sick is
/// given up until the file `$HEALED` is there.
pub const BUILT_IN: &str = r#"body=$(cat)
case "$body" in
  poison*) echo "the body asks to be given up" >&2; exit 65 ;;
  sick*) [ -e "$HEALED" ] || { echo "the body is sick" >&2; exit 65; } ;;
  later*) echo "WEIR_RETRY_AFTER=13h" >&2; exit 75 ;;
  again*) if [ "$WEIR_ATTEMPT" -lt 2 ]; then echo "WEIR_RETRY_AFTER=1s" >&2; exit 75; fi ;;
  long*) sleep 8 ;;
esac
sleep 0.5
echo done"#;

/// What must come of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It succeeds.
    Done,
    /// It is given up, and its message is in the dead-letter queue.
    GivenUp,
    /// It is put off for longer than a message can be hidden, and its message is in the queue.
    PutOff,
}

/// A job to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The queue it is sent to.
    pub queue: String,
    /// The message's body.
    pub body: String,
    /// What must come of it.
    pub expected: Expected,
    /// Whether it is given up at first, and done once it is sent back.
    pub heals: Heals,
}

/// Whether a job is to be sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heals {
    /// It comes to its end by itself.
    Never,
    /// It is given up; sent back after what ailed it is gone, it succeeds.
    WhenSentBack,
}

/// Which jobs are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Plain ones: a handler of the user's does them.
    Plain,
    /// Some that are given up, some that ask for another attempt, some that take long: the
    /// built-in handler knows them.
    Everything,
}

/// `count` jobs, spread over all queues that workers serve.
pub fn jobs(deployment: &Deployment, count: usize, mix: Mix) -> Vec<Job> {
    let mut queues: Vec<String> = deployment
        .fleets
        .iter()
        .flat_map(super::deployment::Fleet::queue_names)
        .collect();
    queues.sort();
    queues.dedup();
    let job = |nth: usize| {
        // Every queue gets each kind.
        let (queue, turn) = (&queues[nth % queues.len()], nth / queues.len());
        // One is enough: it waits for hours.
        let later = turn == 9 && !queue.ends_with(FIFO_SUFFIX);
        let kind = match (mix, turn % 25) {
            (Mix::Everything, _) if later => "later",
            (Mix::Everything, 3) => "poison",
            (Mix::Everything, 5) => "sick",
            (Mix::Everything, 7) => "again",
            (Mix::Everything, 11) => "long",
            _ => "plain",
        };
        Job {
            id: format!("job-{nth:05}"),
            queue: queue.clone(),
            body: format!("{kind} {nth}"),
            expected: match kind {
                "poison" => Expected::GivenUp,
                "later" => Expected::PutOff,
                _ => Expected::Done,
            },
            heals: if kind == "sick" {
                Heals::WhenSentBack
            } else {
                Heals::Never
            },
        }
    };
    if queues.is_empty() {
        Vec::new()
    } else {
        (0..count).map(job).collect()
    }
}
