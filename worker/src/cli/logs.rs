//! Logs on standard error, and spans to a collector if the environment names one.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::Layer;
#[cfg(feature = "otel")]
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::builder::StartError;
#[cfg(feature = "otel")]
use crate::observe::otel::Export;

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct LogArgs {
    /// How logs are written, on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "WEIR_LOG_FORMAT")]
    log_format: LogFormat,
    /// More logs; twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}

impl LogArgs {
    /// Logs for a person, as many as without any flag.
    pub(super) const PLAIN: Self = Self {
        log_format: LogFormat::Text,
        verbose: 0,
    };

    fn filter(self) -> Targets {
        let (others, own) = match self.verbose {
            0 => (LevelFilter::WARN, LevelFilter::INFO),
            1 => (LevelFilter::INFO, LevelFilter::DEBUG),
            _ => (LevelFilter::TRACE, LevelFilter::TRACE),
        };
        let all = Targets::new().with_default(others);
        all.with_target("weir_worker", own)
    }

    fn layer<S>(self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        match self.log_format {
            LogFormat::Text => layer
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false)
                .boxed(),
            LogFormat::Json => layer.json().flatten_event(true).boxed(),
        }
    }
}

/// What is to be done about logs and spans at the end of the program.
#[derive(Debug)]
pub(super) struct Logs {
    #[cfg(feature = "otel")]
    export: Option<Export>,
}

/// Starts logs, and the export of spans on the runtime of `handle`.
#[cfg(feature = "otel")]
pub(super) fn start(args: LogArgs, handle: tokio::runtime::Handle) -> Result<Logs, StartError> {
    let export = Export::from_environment(handle).map_err(|error| StartError::Settings {
        what: error.to_string(),
    })?;
    let filter = args.filter();
    match &export {
        // A filter of each layer costs a little for every span: only where there are two.
        Some(export) => tracing_subscriber::registry()
            .with(args.layer().with_filter(filter))
            .with(export.layer().with_filter(filter_fn(is_exported)))
            .init(),
        None => tracing_subscriber::registry()
            .with(filter)
            .with(args.layer())
            .init(),
    }
    Ok(Logs { export })
}

/// Starts logs.
#[cfg(not(feature = "otel"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "as with spans, whose exporter may be set wrongly"
)]
pub(super) fn start(args: LogArgs, _: tokio::runtime::Handle) -> Result<Logs, StartError> {
    tracing_subscriber::registry()
        .with(args.filter())
        .with(args.layer())
        .init();
    Ok(Logs {})
}

impl Logs {
    /// Sends the last spans.
    #[cfg_attr(
        not(feature = "otel"),
        expect(clippy::unused_self, reason = "without spans nothing is left to do")
    )]
    pub(super) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(export) = self.export {
            export.flush();
        }
    }
}

/// The worker's and the program's own spans and events are exported, and not those of the libraries
/// beneath, the exporter's own above all.
#[cfg(feature = "otel")]
fn is_exported(metadata: &tracing::Metadata<'_>) -> bool {
    const LIBRARIES: [&str; 8] = [
        "aws_",
        "h2",
        "hyper",
        "opentelemetry",
        "rustls",
        "tokio",
        "tower",
        "mio",
    ];
    *metadata.level() <= tracing::Level::INFO
        && !LIBRARIES
            .iter()
            .any(|library| metadata.target().starts_with(library))
}
