//! What is judged: traces, scaled; objectives; and what is made hard for the judgement.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use weir_controller::backtest::{bound, traces};
use weir_controller::model::UnixSeconds;
use weir_controller::policy::{self, Policy};
use weir_controller::sim::{
    Conditions, Judged, Load, QUEUE, Score, SeenToo, Service, Setup, Trace, run,
};

use super::Args;

const DAYS: f64 = 5.0;
const SLOTS: u32 = 2;
const SERVICE_SECONDS: f64 = 30.0;
const BOOT_SECONDS: f64 = 120.0;
const INTERVAL_SECONDS: f64 = 15.0;
/// The group's max, in mean demands: out of the way.
const MAX_MEANS: u32 = 60;
/// From here on an objective is longer than a boot, a look and what passes between them.
const LONG_SECONDS: f64 = BOOT_SECONDS + 45.0;

/// What the judgement is given and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// Objective and bounds given; exact counts, the oldest age and reports shown
    Exact,
    /// As exact, the counts 3 % off
    Noise,
    /// As exact, without reports
    Unreported,
    /// As exact, without reports and the oldest age
    Blind,
    /// As unreported, slots, service time and boot time given
    Told,
    /// As exact, the service time given as a third of what it is
    Third,
    /// As exact, the service time given as thrice what it is
    Triple,
}

impl Variant {
    pub(crate) const ALL: [Self; 7] = [
        Self::Exact,
        Self::Noise,
        Self::Unreported,
        Self::Blind,
        Self::Told,
        Self::Third,
        Self::Triple,
    ];

    fn count_noise(self) -> f64 {
        if self == Self::Noise { 0.03 } else { 0.0 }
    }

    fn seen(self) -> SeenToo {
        SeenToo {
            reports: !matches!(self, Self::Unreported | Self::Blind | Self::Told),
            oldest_age: self != Self::Blind,
        }
    }

    /// The service time in the policy.
    fn given_seconds(self) -> Option<f64> {
        match self {
            Self::Told => Some(SERVICE_SECONDS),
            Self::Third => Some(SERVICE_SECONDS / 3.0),
            Self::Triple => Some(SERVICE_SECONDS * 3.0),
            Self::Exact | Self::Noise | Self::Unreported | Self::Blind => None,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// One trace at one mean demand, and the objectives it is judged by.
pub(crate) struct Group {
    pub(crate) trace: String,
    /// In instances.
    pub(crate) mean: u32,
    pub(crate) objectives: Vec<f64>,
    pub(crate) load: Load,
    /// With exact counts and nothing seen besides.
    pub(crate) setup: Setup,
    /// All that a peer's run depends on, in words.
    pub(crate) fingerprint: String,
}

/// One of a group's objectives.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) group: &'a Group,
    pub(crate) objective: usize,
}

impl Cell<'_> {
    pub(crate) fn objective_seconds(&self) -> f64 {
        self.group.objectives[self.objective]
    }

    /// Shorter than it takes to bring up capacity: lateness is judged against peers as well.
    pub(crate) fn is_short(&self) -> bool {
        self.objective_seconds() < LONG_SECONDS
    }

    pub(crate) fn late_share_max(&self) -> f64 {
        if self.is_short() { 0.015 } else { 0.01 }
    }

    pub(crate) fn run(&self, variant: Variant) -> Score {
        let setup = Setup {
            count_noise: variant.count_noise(),
            seen: variant.seen(),
            ..self.group.setup.clone()
        };
        let policy = self.policy(variant);
        run(&setup, &self.group.load, &mut Judged::new(&policy))
    }

    pub(crate) fn bound_hours(&self) -> f64 {
        let objective_seconds = self.objective_seconds();
        bound::hours(&self.group.load, SLOTS, objective_seconds, BOOT_SECONDS)
    }

    fn policy(&self, variant: Variant) -> Policy {
        let (max, objective) = (self.group.setup.max, self.objective_seconds());
        let worker = variant.given_seconds().map_or(String::new(), |seconds| {
            format!(
                "worker: {{ slots: {SLOTS}, service_time: {seconds}s, boot_time: {BOOT_SECONDS}s }}\n"
            )
        });
        let text = format!(
            "version: 1\nname: judged\nqueues: [{{ name: {QUEUE} }}]\n\
             fleet: {{ auto_scaling_group: judged, min: 0, max: {max} }}\n\
             objective: {{ start_within: {objective}s, percentile: 99 }}\n{worker}"
        );
        policy::parse("judged.yaml", &text)
            .unwrap_or_else(|problems| panic!("invariant: {problems}"))
    }
}

/// The folder's traces at each mean demand.
pub(crate) fn read(args: &Args) -> Result<Vec<Group>, String> {
    check_numbers(args)?;
    let mut groups = Vec::new();
    for file in traces(&args.dir)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        if !name.contains(&args.only) {
            continue;
        }
        let told = |problem: &dyn fmt::Display| format!("{}: {problem}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| told(&error))?;
        let trace = traces::parse(&text)
            .map_err(|error| told(&error))?
            .first_days(DAYS);
        groups.extend(
            args.means
                .iter()
                .map(|mean| group(args, &name, &trace, *mean)),
        );
    }
    if groups.is_empty() {
        let dir = args.dir.display();
        return Err(format!(
            "{dir}: found no trace whose name holds {:?}; leave --only out for all",
            args.only
        ));
    }
    Ok(groups)
}

fn check_numbers(args: &Args) -> Result<(), String> {
    let in_policy = |seconds: &&f64| (1.0..=86_400.0).contains(*seconds);
    if let Some(wrong) = args.objectives.iter().find(|seconds| !in_policy(seconds)) {
        return Err(format!(
            "--objectives: found {wrong}, allowed are 1 to 86400 seconds"
        ));
    }
    let usual = |mean: &&u32| (1..=1000).contains(*mean);
    if let Some(wrong) = args.means.iter().find(|mean| !usual(mean)) {
        return Err(format!(
            "--means: found {wrong}, allowed are 1 to 1000 instances"
        ));
    }
    Ok(())
}

fn traces(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = dir.display();
    let listing = fs::read_dir(dir).map_err(|error| {
        format!("{shown}: {error}; give a folder of traces, as in `make judge TRACES=DIR`")
    })?;
    let mut files: Vec<PathBuf> = listing
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!(
            "{shown}: found no trace; a trace is a file *.csv of `t_seconds,arrivals` rows"
        ));
    }
    Ok(files)
}

fn group(args: &Args, name: &str, trace: &Trace, mean: u32) -> Group {
    let per_second = f64::from(mean * SLOTS) / SERVICE_SECONDS;
    let trace = trace.clone().scaled_to(per_second);
    let setup = Setup {
        slots: SLOTS,
        boot_seconds: BOOT_SECONDS,
        interval_seconds: INTERVAL_SECONDS,
        max: mean * MAX_MEANS,
        count_noise: 0.0,
        seen: SeenToo::default(),
        starts_at: UnixSeconds(0.0),
        conditions: Conditions::default(),
        seed: args.seed,
    };
    let objectives = args.objectives.clone();
    Group {
        trace: name.to_owned(),
        mean,
        fingerprint: format!("{setup:?} {objectives:?} {SERVICE_SECONDS} {trace:?}"),
        objectives,
        load: Load::draw(&trace, &Service::exponential(SERVICE_SECONDS), args.seed),
        setup,
    }
}
