//! Payloads in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Call, Fault, Faults, lock, refusal, unavailable};
use crate::aws::CallError;
use crate::payload::{Fetched, Payloads, Pointer};

/// Payloads in memory.
#[derive(Debug, Default)]
pub struct MemoryPayloads {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<(String, String), Bytes>,
    faults: Faults,
}

impl MemoryPayloads {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next calls of a kind fail, one for each fault.
    pub fn plan_faults(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        let mut state = lock(&self.state);
        state.faults.planned.entry(call).or_default().extend(faults);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.state).kept.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn call<T>(&self, call: Call, effect: impl FnOnce(&mut State) -> T) -> Result<T, CallError> {
        let mut state = lock(&self.state);
        let fault = state.faults.next(call);
        refusal(fault, call)?;
        let answer = effect(&mut state);
        match fault {
            Some(Fault::AnswerLost) => Err(unavailable(call)),
            _ => Ok(answer),
        }
    }
}

fn place(pointer: &Pointer) -> (String, String) {
    (pointer.bucket.clone(), pointer.key.clone())
}

#[async_trait]
impl Payloads for MemoryPayloads {
    async fn put(&self, pointer: &Pointer, payload: Bytes) -> Result<(), CallError> {
        self.call(Call::PutPayload, |state| {
            state.kept.insert(place(pointer), payload);
        })
    }

    async fn get(&self, pointer: &Pointer) -> Result<Fetched, CallError> {
        self.call(Call::GetPayload, |state| {
            let Some(payload) = state.kept.get(&place(pointer)) else {
                return Fetched::Missing;
            };
            match String::from_utf8(payload.to_vec()) {
                Ok(text) => Fetched::Text(text),
                Err(_) => Fetched::Unfit("it is not UTF-8 text".into()),
            }
        })
    }

    async fn remove(&self, pointer: &Pointer) -> Result<(), CallError> {
        self.call(Call::RemovePayload, |state| {
            state.kept.remove(&place(pointer));
        })
    }
}
