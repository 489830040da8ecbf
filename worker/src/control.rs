//! What can be changed about a worker while it works: whether it takes jobs, and how many at a time.
//!
//! It carries the wish; [`crate::fetch`] follows it.

use std::sync::Arc;

use tokio::sync::watch;

/// The controls of one worker. Cloned freely.
#[derive(Clone, Debug)]
pub struct Control {
    state: Arc<watch::Sender<State>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    slots: u32,
    paused: bool,
}

impl Control {
    /// A worker that takes so many jobs at a time.
    pub fn new(slots: u32) -> Self {
        let paused = false;
        Self {
            state: Arc::new(watch::Sender::new(State { slots, paused })),
        }
    }

    /// Begins no more jobs until [`Control::resume`]: what runs goes on, what waits here and what an
    /// open poll still brings goes back to its queue.
    pub fn pause(&self) {
        self.change(|state| state.paused = true);
    }

    /// Takes jobs again.
    pub fn resume(&self) {
        self.change(|state| state.paused = false);
    }

    /// Whether the worker takes no jobs.
    pub fn is_paused(&self) -> bool {
        self.state.borrow().paused
    }

    /// Takes so many jobs at a time from now on, at least one; what runs goes on.
    pub fn set_slots(&self, slots: u32) {
        self.change(|state| state.slots = slots.max(1));
    }

    /// Jobs at a time.
    pub fn slots(&self) -> u32 {
        self.state.borrow().slots
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_if_modified(|state| {
            let before = *state;
            change(state);
            before != *state
        });
    }
}
