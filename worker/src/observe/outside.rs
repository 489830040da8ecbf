//! All that looks at a worker from outside, opened before it starts and closed after its end.
//!
//! It must not fail a worker that works: only what is wrong from the start is an error.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::http::{Answers, Endpoint};
use super::{Observer, emf, systemd};
use crate::builder::StartError;
use crate::control::Control;

/// What a worker shows, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Views {
    /// The address of the endpoint for metrics, health and control.
    pub listen: Option<SocketAddr>,
    /// Where CloudWatch's Embedded Metric Format goes.
    pub emf: Option<EmfTo>,
}

/// Where lines of the Embedded Metric Format go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmfTo {
    /// Standard output, as for a container's log driver.
    Stdout,
    /// A file that is appended to, for the CloudWatch agent to follow.
    File(PathBuf),
}

/// The views of one worker.
pub(crate) struct Outside {
    pub(crate) observer: Observer,
    pub(crate) control: Control,
    endpoint: Option<Endpoint>,
    tasks: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Outside {
    /// Opens the views of a worker that is about to start under `control`.
    pub(crate) fn open(views: Views, control: Control) -> Result<Self, StartError> {
        let observer = Observer::default();
        let stop = CancellationToken::new();
        let answers = Answers {
            observer: observer.clone(),
            control: control.clone(),
        };
        let open = |address| {
            Endpoint::open(address, answers).map_err(|error| StartError::Unready {
                what: format!(
                    "--listen (WEIR_LISTEN) {address}: {error}: choose another address or port"
                ),
            })
        };
        let endpoint = views.listen.map(open).transpose()?;
        let mut tasks = Vec::new();
        if let Some(to) = views.emf {
            tasks.push(tokio::spawn(emf::run(observer.clone(), to, stop.clone())));
        }
        if systemd::is_watching() {
            tasks.push(tokio::spawn(systemd::run(observer.clone(), stop.clone())));
        }
        Ok(Self {
            observer,
            control,
            endpoint,
            tasks,
            stop,
        })
    }

    /// Says the last words.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        drop(self.endpoint);
    }
}
