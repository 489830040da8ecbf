//! The cloud, shared by everyone who talks to it: requests, the driver, the process that holds it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Clock;
use crate::cloud::{Cloud, Time};
use crate::iam::Iam;

/// How often each operation was called, by service and action.
pub type Calls = BTreeMap<(String, String), u64>;

/// A handle on a cloud that is served over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedCloud {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cloud: Mutex<Cloud>,
    calls: Mutex<Calls>,
    iam: OnceLock<Iam>,
    clock: Clock,
    /// Wakes the driver: something may be due earlier than it thinks.
    changed: Notify,
    /// Wakes receives that wait, by queue.
    arrivals: Mutex<BTreeMap<String, Arc<Notify>>>,
}

impl SharedCloud {
    /// Shares this cloud; from now on its time is the wall's.
    pub fn new(cloud: Cloud) -> Self {
        Self {
            inner: Arc::new(Inner {
                cloud: Mutex::new(cloud),
                calls: Mutex::new(Calls::new()),
                iam: OnceLock::new(),
                clock: Clock::start(),
                changed: Notify::new(),
                arrivals: Mutex::new(BTreeMap::new()),
            }),
        }
    }

    /// Works on the cloud at the present moment; no call is counted. Whatever was changed takes
    /// effect: the driver and waiting receives look again.
    pub fn with<T>(&self, work: impl FnOnce(&mut Cloud, Time) -> T) -> T {
        let result = self.quietly(work);
        self.wake_all();
        result
    }

    /// Looks at the cloud at the present moment; nothing is changed, so nobody is woken.
    pub fn look<T>(&self, work: impl FnOnce(&Cloud, Time) -> T) -> T {
        self.quietly(|cloud, now| work(cloud, now))
    }

    /// The calls so far.
    pub fn calls(&self) -> Calls {
        lock(&self.inner.calls).clone()
    }

    /// From now on IAM is asked about every call; the first to be given stays.
    pub fn enforce(&self, iam: Iam) {
        let _ = self.inner.iam.set(iam);
    }

    pub(super) fn iam(&self) -> Option<&Iam> {
        self.inner.iam.get()
    }

    /// The cloud's present moment.
    pub fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// The cloud's time jumps ahead by `span`: what is due by then happens at once.
    pub fn skip(&self, span: Duration) {
        self.inner.clock.skip(span);
        self.wake_all();
    }

    /// Works on the cloud without waking anyone; the present moment is read under the lock, so that
    /// moments never go back.
    pub(super) fn quietly<T>(&self, work: impl FnOnce(&mut Cloud, Time) -> T) -> T {
        let mut cloud = lock(&self.inner.cloud);
        let now = self.inner.clock.now();
        work(&mut cloud, now)
    }

    pub(super) fn count_call(&self, service: &str, action: &str) {
        let mut calls = lock(&self.inner.calls);
        *calls.entry((service.into(), action.into())).or_default() += 1;
    }

    /// Wakes the driver.
    pub(super) fn wake_driver(&self) {
        self.inner.changed.notify_one();
    }

    /// Returns when the driver is to look again.
    pub(super) async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    /// What tells that the queue may have something to receive.
    pub(super) fn arrivals(&self, queue: &str) -> Arc<Notify> {
        let mut arrivals = lock(&self.inner.arrivals);
        if let Some(notify) = arrivals.get(queue) {
            return Arc::clone(notify);
        }
        Arc::clone(arrivals.entry(queue.into()).or_default())
    }

    fn wake_all(&self) {
        self.wake_driver();
        for notify in lock(&self.inner.arrivals).values() {
            notify.notify_waiters();
        }
    }
}

/// A panic in another request has been answered there; the models hold no half-done change that
/// others must not see, so the lock is taken all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
