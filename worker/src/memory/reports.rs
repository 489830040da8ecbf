//! Reports in memory: what was written, and what would be read.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use weir_protocol::Report;

use super::lock;
use crate::aws::CallError;
use crate::report::Reports;

/// Reports in memory: all that were written, in order, and those that would be read now.
#[derive(Debug, Default)]
pub struct MemoryReports {
    state: Mutex<ReportsState>,
}

#[derive(Debug, Default)]
struct ReportsState {
    written: Vec<Report>,
    present: BTreeMap<(String, String), Report>,
}

impl MemoryReports {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything written so far.
    pub fn written(&self) -> Vec<Report> {
        lock(&self.state).written.clone()
    }

    /// What would be read now.
    pub fn present(&self) -> Vec<Report> {
        lock(&self.state).present.values().cloned().collect()
    }
}

#[async_trait]
impl Reports for MemoryReports {
    async fn put(&self, report: &Report) -> Result<(), CallError> {
        let mut state = lock(&self.state);
        let key = (report.fleet.clone(), report.instance_id.clone());
        state.present.insert(key, report.clone());
        state.written.push(report.clone());
        Ok(())
    }

    async fn delete(&self, fleet: &str, instance_id: &str) -> Result<(), CallError> {
        let key = (fleet.to_owned(), instance_id.to_owned());
        lock(&self.state).present.remove(&key);
        Ok(())
    }
}
