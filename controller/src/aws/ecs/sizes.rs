//! What a service's desired count means while tasks are leaving it.
//!
//! Pure arithmetic. To ECS a task that was asked to leave is one of the service's until it has
//! gone; to the judgement it is capacity no more. So the two count differently, and this is where
//! one is made of the other.
//!
//! With D the service's desired count, L the tasks that are leaving and W those that stay, ECS
//! keeps W + L at D, but never ends a protected task:
//!
//! - **after a shrinking** D is what is to stay, and L are there above it. None of them is replaced
//!   as it goes. The size in the judgement's sense is D.
//! - **growing while some leave** would bring nothing, for ECS would take the leaving for what was
//!   asked for. So L is added to D, and the size is D - L. One that then goes is replaced; the
//!   judgement sees one too many in its next round and gives it up. A spare task for some rounds is
//!   cheaper than hours without capacity that messages wait for.
//!
//! `max(D - L, min(D, W))` tells the two apart, and is D where nobody leaves.

/// The tasks of a service, counted, and the count it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The service's desired count.
    pub(super) count: u32,
    /// Tasks that run and stay.
    pub(super) running: u32,
    /// Tasks that are being started.
    pub(super) pending: u32,
    /// Tasks that were asked to leave, or are being stopped.
    pub(super) leaving: u32,
}

impl Sizes {
    /// The size that was asked for, without those that leave.
    pub(super) fn desired(self) -> u32 {
        let staying = self.running + self.pending;
        let without = self.count.saturating_sub(self.leaving);
        without.max(self.count.min(staying))
    }

    /// The desired count that makes `desired` stay.
    ///
    /// Where so many run, it is that number. Where some have yet to start, ECS must count the
    /// leaving too: a task that is starting is not protected, and a count below what is there
    /// would end it at once.
    pub(super) fn count_for(self, desired: u32) -> u32 {
        if self.running >= desired {
            desired
        } else {
            desired.saturating_add(self.leaving)
        }
    }

    /// The same after one that stays was asked to leave.
    pub(super) fn with_one_leaving(self) -> Self {
        let from_running = self.running > 0;
        Self {
            running: self.running.saturating_sub(1),
            pending: if from_running {
                self.pending
            } else {
                self.pending.saturating_sub(1)
            },
            leaving: self.leaving + 1,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(count: u32, running: u32, pending: u32, leaving: u32) -> Sizes {
        Sizes {
            count,
            running,
            pending,
            leaving,
        }
    }

    #[test]
    fn the_size_is_told_from_the_count_and_those_who_leave() {
        let cases = [
            ("at rest", sizes(5, 5, 0, 0), 5),
            ("starting", sizes(5, 2, 0, 0), 5),
            ("one leaves, the count is lowered", sizes(4, 4, 0, 1), 4),
            ("lowered, and nobody asked yet", sizes(4, 5, 0, 0), 4),
            ("grown while one leaves", sizes(7, 4, 0, 1), 6),
            ("and those have come", sizes(7, 4, 2, 1), 6),
            ("all leave", sizes(0, 0, 0, 3), 0),
            ("a deployment runs two revisions", sizes(5, 10, 0, 0), 5),
        ];
        for (name, sizes, desired) in cases {
            assert_eq!(sizes.desired(), desired, "{name}");
        }
    }

    #[test]
    fn lowering_lets_the_leaving_go_without_a_replacement() {
        let lowered = sizes(5, 5, 0, 0).with_one_leaving();
        assert_eq!(lowered.count_for(4), 4);
        let again = sizes(4, 4, 0, 1).with_one_leaving();
        assert_eq!(again.count_for(3), 3);
    }

    #[test]
    fn growing_asks_for_what_is_leaving_besides() {
        assert_eq!(sizes(4, 4, 0, 3).count_for(6), 9);
        assert_eq!(sizes(4, 4, 0, 0).count_for(6), 6);
    }

    #[test]
    fn a_starting_task_is_not_ended_in_place_of_a_leaving_one() {
        let sizes = sizes(8, 2, 3, 3).with_one_leaving();
        let count = sizes.count_for(4);
        assert!(count >= sizes.running + sizes.pending + sizes.leaving);
    }

    proptest::proptest! {
        #[test]
        fn what_is_set_is_what_is_read(
            desired in 0_u32..200, running in 0_u32..100, pending in 0_u32..100, leaving in 0_u32..100,
        ) {
            let sizes = sizes(0, running, pending, leaving);
            let set = Sizes { count: sizes.count_for(desired), ..sizes };
            // Above what runs and starts, a count cannot say which of those who leave it means.
            proptest::prop_assert_eq!(set.desired(), desired.max((running + pending).min(set.count)));
        }
    }
}
