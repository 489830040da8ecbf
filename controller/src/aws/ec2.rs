//! EC2: when each instance was launched, for the measured boot time and for telling a booting
//! instance from a silent one.
//!
//! A launch time never changes, so each instance is asked about once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Reservation};

use super::error::{Call, Endpoints, Failure};
use crate::model::UnixSeconds;

/// Values that one filter takes (EC2 API reference, `DescribeInstances`).
const IDS_MAX: usize = 200;

/// Launch times by instance id; an instance that EC2 does not know is absent.
pub(super) type Launches = BTreeMap<String, UnixSeconds>;

/// Reads launch times; keeps those of the instances it was last asked about.
pub(super) struct Ec2 {
    client: Client,
    endpoints: Endpoints,
    known: Mutex<Launches>,
}

impl Ec2 {
    pub(super) fn new(client: Client, endpoints: Endpoints) -> Self {
        Self {
            client,
            endpoints,
            known: Mutex::default(),
        }
    }

    /// The launch times of these instances.
    ///
    /// Asks by filter rather than by id: one id that is gone would fail the whole call.
    pub(super) async fn launches(&self, ids: &[String]) -> Result<Launches, Failure> {
        let mut launches = self.remembered(ids);
        let unknown: Vec<String> = ids
            .iter()
            .filter(|id| !launches.contains_key(*id))
            .cloned()
            .collect();
        for ids in unknown.chunks(IDS_MAX) {
            self.look_up(ids, &mut launches).await?;
        }
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(launches.clone());
        Ok(launches)
    }

    /// Forgets instances that no fleet of this process has any more.
    pub(super) fn keep_only(&self, ids: &std::collections::BTreeSet<String>) {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|id, _| ids.contains(id));
    }

    fn remembered(&self, ids: &[String]) -> Launches {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter()
            .filter_map(|id| Some((id.clone(), *known.get(id)?)))
            .collect()
    }

    async fn look_up(&self, ids: &[String], launches: &mut Launches) -> Result<(), Failure> {
        let by_id = Filter::builder()
            .name("instance-id")
            .set_values(Some(ids.to_vec()));
        let mut pages = self
            .client
            .describe_instances()
            .filters(by_id.build())
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let call = Call {
                    action: "ec2:DescribeInstances",
                    subject: "*",
                    advice: "check the region",
                };
                self.endpoints.explain(&call, &error)
            })?;
            let reservations = page.reservations().iter();
            let instances = reservations.flat_map(Reservation::instances);
            launches.extend(instances.filter_map(|instance| {
                let at = UnixSeconds(instance.launch_time()?.as_secs_f64());
                Some((instance.instance_id()?.to_owned(), at))
            }));
        }
        Ok(())
    }
}
