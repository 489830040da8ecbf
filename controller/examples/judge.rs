//! Holds the judgement against tuned peers on a folder of arrival traces: `make judge TRACES=DIR`.
//!
//! Each trace's first five days are scaled to a mean demand of 5 and of 40 instances (service 30 s
//! exponential, 2 slots, boot 120 s), for objectives of 60, 300 and 600 s. The judgement gets the
//! objective and bounds alone; each peer gets its best setting in hindsight.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what this prints"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use comfy_table::{Table, presets};
use weir_controller::policy::Policy;
use weir_controller::sim::bound::clairvoyant;
use weir_controller::sim::load::Trace;
use weir_controller::sim::peers::{Keda, Proportional, TargetTracking};
use weir_controller::sim::{Judged, Scaler, Score, SeenToo, Setup, run};

const DAYS: f64 = 5.0;
const SLOTS: u32 = 2;
const SERVICE_SECONDS: f64 = 30.0;
const BOOT_SECONDS: f64 = 120.0;
const INTERVAL_SECONDS: f64 = 15.0;
const MEANS: [u32; 2] = [5, 40];
const OBJECTIVES: [f64; 3] = [60.0, 300.0, 600.0];
const SEED: u64 = 7;
/// The group's max, in mean demands: out of the way.
const MAX_MEANS: u32 = 60;

/// What is made hard for the judgement.
#[derive(Clone, Copy)]
struct Variant {
    name: &'static str,
    count_noise: f64,
    seen: SeenToo,
    /// The policy's first guess of the service time.
    guess_seconds: Option<f64>,
}

const ALL: SeenToo = SeenToo {
    reports: true,
    oldest_age: true,
};

const VARIANTS: [Variant; 5] = [
    Variant {
        name: "exact",
        count_noise: 0.0,
        seen: ALL,
        guess_seconds: None,
    },
    Variant {
        name: "3 % noise",
        count_noise: 0.03,
        seen: ALL,
        guess_seconds: None,
    },
    Variant {
        name: "no reports",
        count_noise: 0.0,
        seen: SeenToo {
            reports: false,
            oldest_age: true,
        },
        guess_seconds: Some(SERVICE_SECONDS),
    },
    Variant {
        name: "guess / 3",
        count_noise: 0.0,
        seen: ALL,
        guess_seconds: Some(SERVICE_SECONDS / 3.0),
    },
    Variant {
        name: "guess x 3",
        count_noise: 0.0,
        seen: ALL,
        guess_seconds: Some(SERVICE_SECONDS * 3.0),
    },
];

/// One trace, scaled, with one objective.
struct Cell {
    trace: String,
    mean: u32,
    objective_seconds: f64,
    seconds: f64,
    arrivals: Vec<f64>,
}

/// What a cell came to.
struct Judgement {
    bound_hours: f64,
    ours: Vec<Score>,
    peers: Vec<Option<Score>>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: judge DIR [FILTER]: a folder of traces (t_seconds,arrivals CSV files)");
        return ExitCode::from(64);
    };
    let filter = arguments.next().map(|f| f.to_string_lossy().into_owned());
    let cells = match cells(Path::new(&folder), filter.as_deref().unwrap_or("")) {
        Ok(cells) => cells,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(64);
        }
    };
    print(&cells, &judge(&cells));
    ExitCode::SUCCESS
}

fn cells(folder: &Path, filter: &str) -> Result<Vec<Cell>, String> {
    let listing = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = listing
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "csv"))
        .collect();
    files.sort();
    let mut cells = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if !name.contains(filter) {
            continue;
        }
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let trace = Trace::parse(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        for mean in MEANS {
            let rate = f64::from(mean * SLOTS) / SERVICE_SECONDS;
            let trace = trace.clone().first_days(DAYS).scaled_to(rate);
            for objective_seconds in OBJECTIVES {
                cells.push(Cell {
                    trace: name.clone(),
                    mean,
                    objective_seconds,
                    seconds: trace.seconds(),
                    arrivals: trace.arrivals(SEED),
                });
            }
        }
    }
    if cells.is_empty() {
        return Err(format!("{}: no trace (*.csv) there", folder.display()));
    }
    Ok(cells)
}

fn judge(cells: &[Cell]) -> Vec<Judgement> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = cells.get(index) else { break };
                    let judgement = cell.judge();
                    let mut done = done.lock().expect("invariant: no thread panics");
                    done.push((index, judgement));
                    eprint!("\r{} of {} cells", done.len(), cells.len());
                }
            });
        }
    });
    eprintln!();
    let mut done = done.into_inner().expect("invariant: no thread panics");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, judgement)| judgement).collect()
}

impl Cell {
    /// Late at most so much: 1 %, and half as much again where the objective is shorter than the
    /// boot and a look.
    fn late_max(&self) -> f64 {
        if self.objective_seconds >= BOOT_SECONDS + 45.0 {
            0.01
        } else {
            0.015
        }
    }

    fn max(&self) -> u32 {
        self.mean * MAX_MEANS
    }

    fn setup(&self, variant: &Variant) -> Setup {
        Setup {
            slots: SLOTS,
            service_seconds: SERVICE_SECONDS,
            boot_seconds: BOOT_SECONDS,
            objective_seconds: self.objective_seconds,
            interval_seconds: INTERVAL_SECONDS,
            max: self.max(),
            count_noise: variant.count_noise,
            seen: variant.seen,
            seed: SEED,
        }
    }

    fn policy(&self, variant: &Variant) -> Policy {
        let (max, objective) = (self.max(), self.objective_seconds);
        let guess = variant.guess_seconds.map_or(String::new(), |seconds| {
            format!(
                "worker: {{ slots: {SLOTS}, service_time: {seconds}s, boot_time: {BOOT_SECONDS}s }}\n"
            )
        });
        let text = format!(
            "version: 1\nname: judged\nqueues: [{{ name: simulated }}]\n\
             fleet: {{ auto_scaling_group: judged, min: 0, max: {max} }}\n\
             objective: {{ start_within: {objective}s, percentile: 99 }}\n{guess}"
        );
        weir_controller::policy::parse("judged.yaml", &text)
            .unwrap_or_else(|problems| panic!("invariant: the policy is right: {problems:?}"))
    }

    fn run(&self, variant: &Variant, scaler: &mut dyn Scaler) -> Score {
        run(&self.setup(variant), &self.arrivals, self.seconds, scaler)
    }

    fn judge(&self) -> Judgement {
        let ours = VARIANTS
            .iter()
            .map(|variant| self.run(variant, &mut Judged::new(&self.policy(variant))))
            .collect();
        Judgement {
            bound_hours: self.bound_hours(),
            ours,
            peers: self.peers(),
        }
    }

    fn bound_hours(&self) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float casts saturate"
        )]
        let step = |at: f64| (at / INTERVAL_SECONDS) as usize;
        let mut work = vec![0.0; step(self.seconds) + 1];
        for at in &self.arrivals {
            work[step(*at)] += SERVICE_SECONDS / f64::from(SLOTS);
        }
        clairvoyant(
            &work,
            INTERVAL_SECONDS,
            self.objective_seconds,
            BOOT_SECONDS,
        ) / 3600.0
    }

    /// The cheapest setting of each peer that keeps the objective.
    fn peers(&self) -> Vec<Option<Score>> {
        let carried = f64::from(SLOTS) * self.objective_seconds / SERVICE_SECONDS;
        let parts = [1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05];
        let targets = parts.map(|part| (carried * part).max(0.5));
        let max = self.max();
        let mut proportional: Vec<Box<dyn Scaler>> = Vec::new();
        let mut keda: Vec<Box<dyn Scaler>> = Vec::new();
        let mut tracking: Vec<Box<dyn Scaler>> = Vec::new();
        for target in targets {
            for running in [0.0, f64::from(SLOTS)] {
                for hold in [150.0, 300.0, 600.0, 1800.0] {
                    proportional.push(Box::new(Proportional::new(target + running, hold, max)));
                }
                keda.push(Box::new(Keda::new(target + running, max)));
            }
            tracking.push(Box::new(TargetTracking::new(target, max, BOOT_SECONDS)));
        }
        [proportional, keda, tracking]
            .into_iter()
            .map(|settings| self.best(settings))
            .collect()
    }

    fn best(&self, settings: Vec<Box<dyn Scaler>>) -> Option<Score> {
        settings
            .into_iter()
            .map(|mut scaler| self.run(&VARIANTS[0], scaler.as_mut()))
            .filter(|score| score.late_share <= self.late_max())
            .min_by(|a, b| a.billed_hours.total_cmp(&b.billed_hours))
    }
}

fn print(cells: &[Cell], judgements: &[Judgement]) {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut header = vec!["trace".into(), "mean".into(), "objective".into()];
    header.extend(
        VARIANTS
            .iter()
            .map(|variant| format!("{}\ncost, late %", variant.name)),
    );
    header.extend(
        [
            "proportional",
            "KEDA",
            "target\ntracking",
            "ours − 1\n/ best − 1",
        ]
        .map(String::from),
    );
    table.set_header(header);
    let mut ratios = Vec::new();
    let mut late = 0;
    for (cell, judgement) in cells.iter().zip(judgements) {
        let cost = |score: &Score| score.billed_hours / judgement.bound_hours;
        let mut row = vec![
            cell.trace.clone(),
            cell.mean.to_string(),
            format!("{} s", cell.objective_seconds),
        ];
        for score in &judgement.ours {
            let is_late = score.late_share > cell.late_max();
            late += usize::from(is_late);
            let mark = if is_late { " !" } else { "" };
            row.push(format!(
                "{:.3}  {:.2}{mark}",
                cost(score),
                score.late_share * 100.0
            ));
        }
        row.extend(judgement.peers.iter().map(|peer| {
            peer.as_ref().map_or("-".into(), |score| {
                format!("{:.3}  {:.2}", cost(score), score.late_share * 100.0)
            })
        }));
        let best = judgement
            .peers
            .iter()
            .flatten()
            .map(cost)
            .min_by(f64::total_cmp);
        let ratio = best.map(|best| {
            // A peer below the bound by rounding says nothing.
            (cost(&judgement.ours[0]) - 1.0).max(1e-3) / (best - 1.0).max(1e-3)
        });
        ratios.extend(ratio);
        row.push(ratio.map_or("-".into(), |ratio| format!("{ratio:.2}")));
        table.add_row(row);
    }
    println!("{table}");
    let mean = ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len().max(1) as f64;
    println!(
        "Cost is over the clairvoyant bound; late is the share that started after the objective \
         (! marks more than 1 %, 1.5 % where the objective is shorter than boot and a look).\n\
         Peers stand at their cheapest setting that keeps the objective, chosen in hindsight.\n\
         Geometric mean of (ours − 1) / (best peer − 1) over {} cells: {:.2}. Late: {late} of {}.",
        ratios.len(),
        mean.exp(),
        cells.len() * VARIANTS.len(),
    );
}
