//! What was measured, for people as tables and for programs as JSON.
//!
//! The file belongs to all benchmarks: each writes its own sections and leaves the others'.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

use crate::calls::{Idle, Load};
use crate::contender::Contender;
use crate::race::{Run, Runs, median};

/// All that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// What each contender is, with versions.
    pub(crate) titles: BTreeMap<Contender, String>,
    pub(crate) runs: Runs,
    pub(crate) under_load: Load,
    pub(crate) idle: Idle,
}

/// Where it was measured.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: String,
    /// Processes that wanted to run, over the minute before: what else the machine did.
    pub(crate) load_before: f64,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = text("/proc/cpuinfo");
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            load_before: text("/proc/loadavg")
                .split_whitespace()
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let Machine {
            cores,
            processor,
            load_before,
        } = &self.machine;
        let mut lines = vec![
            format!("{cores} cores of {processor}; load before: {load_before:.2}"),
            table(&self.runs, &self.titles),
        ];
        if *load_before > 0.5 {
            lines.push(
                "The machine was busy with other things: measure again when it is not.".into(),
            );
        }
        for (rival, ratio) in self.ratios() {
            let title = title(&self.titles, rival);
            lines.push(format!(
                "weir-worker takes {ratio:.3} of the CPU of {title}"
            ));
        }
        lines.push(format!(
            "under load: {:.3} SQS calls a message, {} of all renewed messages; idle: {} a minute, \
             {:.1} pollers, {:.1} MiB",
            self.under_load.calls_per_message,
            self.under_load.heartbeat_calls,
            self.idle.calls_per_minute,
            self.idle.pollers,
            self.idle.rss_mib
        ));
        lines.join("\n")
    }

    /// Ours / theirs, processor time a message.
    fn ratios(&self) -> BTreeMap<Contender, f64> {
        let cpu = |contender| Some(median(self.runs.get(&contender)?).cpu_us_per_message);
        let ratio = |rival| Some((rival, cpu(Contender::Weir)? / cpu(rival)?));
        Contender::RIVALS.into_iter().filter_map(ratio).collect()
    }

    /// For programs: the sections of this benchmark.
    fn sections(&self) -> Map<String, Value> {
        let figures = |contender| self.runs.get(&contender).map(|runs| median(runs));
        let mut worker = json!({
            "calls_per_message": self.under_load.calls_per_message,
            "heartbeat_calls": self.under_load.heartbeat_calls,
            "idle_calls_per_minute": self.idle.calls_per_minute,
            "idle_pollers": self.idle.pollers,
            "idle_rss_mib": self.idle.rss_mib,
        });
        if let Some(run) = figures(Contender::Weir) {
            worker["cpu_us_per_message"] = run.cpu_us_per_message.into();
            worker["calls_per_message_no_op"] = run.calls_per_message.into();
            worker["messages_per_second"] = run.messages_per_second.into();
        }
        let ratios = self.ratios().into_iter();
        let ratios = ratios.map(|(rival, ratio)| (rival.key().to_owned(), json!(ratio)));
        worker["cpu_ratio"] = Value::Object(ratios.collect());
        let rivals = Contender::RIVALS.into_iter().filter_map(|rival| {
            let mut shown = json!(figures(rival)?);
            shown["versions"] = title(&self.titles, rival).into();
            Some((rival.key().to_owned(), shown))
        });
        let ceiling = figures(Contender::Bare).map(|run: Run| {
            json!({
                "messages_per_second": run.messages_per_second,
                "cpu_us_per_message": run.sandbox_us_per_message,
                "bare_client_cpu_us_per_message": run.cpu_us_per_message,
            })
        });
        let runs = self
            .runs
            .iter()
            .map(|(c, runs)| (c.key().to_owned(), json!(runs)));
        let sections = [
            (
                "machine",
                json!({
                    "cores": self.machine.cores,
                    "processor": self.machine.processor,
                    "load_before": self.machine.load_before,
                }),
            ),
            ("worker", worker),
            ("rivals", Value::Object(rivals.collect())),
            ("sandbox", json!(ceiling)),
            ("runs", Value::Object(runs.collect())),
        ];
        sections
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }

    /// Writes the sections into the file beside those of others.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let before = fs::read_to_string(path).unwrap_or_default();
        let mut all: Map<String, Value> = serde_json::from_str(&before).unwrap_or_default();
        all.extend(self.sections());
        let text = serde_json::to_string_pretty(&all)? + "\n";
        fs::write(path, text).with_context(|| format!("{} not written", path.display()))
    }
}

/// The runs, a consumer a row.
pub(crate) fn table(runs: &Runs, titles: &BTreeMap<Contender, String>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "consumer",
        "CPU µs/message",
        "runs",
        "calls/message",
        "messages/s",
        "sandbox µs/message",
    ]);
    for (contender, runs) in runs {
        let middle = median(runs);
        let each: Vec<String> = runs
            .iter()
            .map(|run| format!("{:.1}", run.cpu_us_per_message))
            .collect();
        table.add_row([
            title(titles, *contender),
            format!("{:.1}", middle.cpu_us_per_message),
            each.join(" "),
            format!("{:.3}", middle.calls_per_message),
            format!("{:.0}", middle.messages_per_second),
            format!("{:.1}", middle.sandbox_us_per_message),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn title(titles: &BTreeMap<Contender, String>, contender: Contender) -> String {
    let title = titles.get(&contender).cloned();
    title.unwrap_or_else(|| contender.key().to_owned())
}
