//! How fast the judgement is and how much it remembers: `cargo bench -p weir-controller
//! --no-default-features`.
//!
//! A simulated day with bursts gives the observations, reports and all. `decide` alone and the
//! path of `weir decide` (parse a line, decide, check, print) are timed in this process; then the
//! real `weir decide` judges a million observations, and its rate, its memory on the way and its
//! history's size at the end are printed, and written to `target/bench/bench.json` beside what other
//! benchmarks wrote there. Memory that grows, or a history too large for one item, ends the
//! benchmark with 1.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and prints"
)]

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use weir_controller::check::check;
use weir_controller::decide::{History, decide};
use weir_controller::model::{Observation, UnixSeconds};
use weir_controller::policy::{self, Policy};
use weir_controller::sim::{
    Conditions, Judged, Load, QUEUE, Scaler, SeenToo, Service, Setup, Trace, run,
};

const DAY_SECONDS: f64 = 86_400.0;
const START: f64 = 1_700_000_000.0;
const OBSERVATIONS: usize = 1_000_000;
/// Where memory is read. Between the last two it may grow by a tenth.
const MARKS: [usize; 3] = [10_000, 100_000, OBSERVATIONS];
/// What a `DynamoDB` item may hold is 400 KB; the history has room to spare.
const HISTORY_BYTES_MAX: usize = 350_000;

static POLICY: LazyLock<Policy> =
    LazyLock::new(|| policy::parse("bench.yaml", &policy_text()).expect("invariant: it is right"));
static DAY: LazyLock<Vec<Observation>> = LazyLock::new(day);

fn main() -> ExitCode {
    divan::main();
    // `cargo bench -- FILTER` asks for a part of what divan times.
    if std::env::args()
        .skip(1)
        .any(|argument| argument != "--bench")
    {
        return ExitCode::SUCCESS;
    }
    match million() {
        Ok(grew) => ExitCode::from(u8::from(grew)),
        Err(error) => {
            println!("weir decide: {error}");
            ExitCode::from(2)
        }
    }
}

/// `decide` alone.
#[divan::bench]
fn decide_alone(bencher: Bencher<'_, '_>) {
    let (policy, day) = (&*POLICY, &*DAY);
    bencher.counter(ItemsCount::new(day.len())).bench(|| {
        let mut history = History::default();
        for observation in day {
            let decision = decide(policy, black_box(observation), &history);
            black_box(decision.verdict);
            history = decision.history;
        }
        history
    });
}

/// As `weir decide` does: a line in, a line out.
#[divan::bench]
fn line_to_line(bencher: Bencher<'_, '_>) {
    let policy = &*POLICY;
    let lines: Vec<Vec<u8>> = DAY
        .iter()
        .map(|observation| serde_json::to_vec(observation).expect("invariant: it is JSON"))
        .collect();
    bencher.counter(ItemsCount::new(lines.len())).bench(|| {
        let mut history = History::default();
        let mut out = Vec::with_capacity(1 << 16);
        for line in &lines {
            let observation: Observation =
                serde_json::from_slice(black_box(line)).expect("invariant: it was written");
            let decision = decide(policy, &observation, &history);
            let verdict = check(policy, &observation, decision.verdict);
            out.clear();
            serde_json::to_writer(&mut out, &verdict).expect("invariant: memory takes all");
            black_box(&out);
            history = decision.history;
        }
        history
    });
}

/// The real filter on a million observations; whether memory or history grew too large.
fn million() -> io::Result<bool> {
    let dir = tempfile::tempdir()?;
    let (policy, history) = (dir.path().join("policy.yaml"), dir.path().join("history"));
    fs::write(&policy, policy_text())?;
    let day = &*DAY;
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("decide")
        .args(["--policy".as_ref(), policy.as_os_str()])
        .args(["--history".as_ref(), history.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let began = Instant::now();
    let resident = std::thread::scope(|scope| {
        let input = weir.stdin.take();
        let fed = scope.spawn(move || input.map_or(Ok(()), |input| feed(input, day)));
        let resident = follow(&mut weir);
        fed.join().expect("invariant: feeding does not panic")?;
        resident
    })?;
    let seconds = began.elapsed().as_secs_f64();
    weir.wait()?;
    println!(
        "weir decide: {:.0} observations a second over pipes ({OBSERVATIONS} in {seconds:.1} s)",
        OBSERVATIONS as f64 / seconds
    );
    let history_bytes = fs::read(&history)?.len();
    println!("history: {history_bytes} bytes as JSON at the end");
    note(serde_json::json!({
        "decide_per_second": OBSERVATIONS as f64 / seconds,
        "decide_resident_kib": resident.last().copied().flatten(),
        "history_bytes": history_bytes,
    }))?;
    Ok(grew(&resident) || history_bytes > HISTORY_BYTES_MAX)
}

/// Writes the section `controller` of the figures that programs read; the others stay.
fn note(figures: serde_json::Value) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&folder)?;
    let path = folder.join("bench.json");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let mut all: serde_json::Map<_, _> = serde_json::from_str(&before).unwrap_or_default();
    all.insert("controller".into(), figures);
    fs::write(path, serde_json::to_string_pretty(&all)? + "\n")
}

/// Writes the day again and again, each a day later.
fn feed(input: ChildStdin, day: &[Observation]) -> io::Result<()> {
    let mut input = BufWriter::with_capacity(1 << 16, input);
    let rests: Vec<String> = day.iter().map(rest).collect::<io::Result<_>>()?;
    for number in 0..OBSERVATIONS {
        let (days, look) = (number / day.len(), number % day.len());
        let at = day[look].at.0 + days as f64 * DAY_SECONDS;
        writeln!(input, "{{\"at\":{at:.1},{}", rests[look])?;
    }
    input.flush()
}

/// The observation's line after its time.
fn rest(observation: &Observation) -> io::Result<String> {
    let line = serde_json::to_string(observation)?;
    let rest = line.split_once(',').map(|(_, rest)| rest.to_owned());
    rest.ok_or_else(|| io::Error::other("an observation begins with its time"))
}

/// Reads all verdicts; KiB resident at the marks, where the system tells.
fn follow(weir: &mut Child) -> io::Result<Vec<Option<u64>>> {
    let Some(output) = weir.stdout.take() else {
        return Ok(Vec::new());
    };
    let mut output = BufReader::with_capacity(1 << 16, output);
    let (mut line, mut lines, mut resident) = (Vec::new(), 0, Vec::new());
    while output.read_until(b'\n', &mut line)? > 0 {
        line.clear();
        lines += 1;
        if MARKS.contains(&lines) {
            let kib = resident_kib(weir.id());
            let told = kib.map_or("unknown: no /proc here".to_owned(), |kib| {
                format!("{kib} KiB")
            });
            println!("weir decide: resident after {lines} observations: {told}");
            resident.push(kib);
        }
    }
    if lines < OBSERVATIONS {
        let told = format!("{lines} verdicts for {OBSERVATIONS} observations");
        return Err(io::Error::other(told));
    }
    Ok(resident)
}

/// From Linux's `/proc/PID/status`, which has it in KiB whatever a page is.
fn resident_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn grew(resident: &[Option<u64>]) -> bool {
    match resident {
        [.., Some(before), Some(last)] => *last > before + before / 10,
        _ => false,
    }
}

fn policy_text() -> String {
    format!(
        "version: 1\nname: bench\nqueues: [{{ name: {QUEUE} }}]\n\
         fleet: {{ auto_scaling_group: bench, max: 400 }}\nobjective: {{ start_within: 60s }}\n"
    )
}

/// What the judgement sees of a day with a noon, a night, and a burst every hour and a half.
fn day() -> Vec<Observation> {
    let minute = |minute: u32| {
        let turn = std::f64::consts::TAU * f64::from(minute) / 1440.0;
        let burst = if minute % 97 < 3 { 6.0 } else { 1.0 };
        (1.0 - turn.cos()) * burst
    };
    let trace = Trace {
        step_seconds: 60.0,
        counts: (0..1440).map(minute).collect(),
        service_seconds: Vec::new(),
    };
    let load = Load::draw(&trace.scaled_to(1.0), &Service::exponential(30.0), 1);
    let setup = Setup {
        slots: 2,
        boot_seconds: 120.0,
        interval_seconds: 15.0,
        max: 400,
        count_noise: 0.03,
        seen: SeenToo {
            reports: true,
            oldest_age: true,
        },
        starts_at: UnixSeconds(0.0),
        conditions: Conditions::default(),
        seed: 1,
    };
    let mut recorder = Recorder {
        judged: Judged::new(&POLICY),
        seen: Vec::new(),
    };
    let _ = run(&setup, &load, &mut recorder);
    recorder.seen.retain(|seen| seen.at.0 < START + DAY_SECONDS);
    recorder.seen
}

struct Recorder<'a> {
    judged: Judged<'a>,
    seen: Vec<Observation>,
}

impl Scaler for Recorder<'_> {
    fn size(&mut self, seen: &Observation) -> u32 {
        let seen = Observation {
            at: UnixSeconds(START + seen.at.0),
            ..seen.clone()
        };
        let size = self.judged.size(&seen);
        self.seen.push(seen);
        size
    }
}
