//! The linear program: the least that a fluid schedule costs, a share of messages excused.
//!
//! Per step: capacity in service, capacity launched, work dealt with so far, and excused work
//! that waits. Work is dealt with in the tube: it is served, or excused when it falls due, and
//! then waits until it is served after all. Capacity costs its time, a launch its boot, and what
//! waits at the end its work alone. Owns how that is put to the solver. Its answer is taken as
//! advice: `certificate` makes a bound of it. It must not know a load.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SupportedConeT};

use super::tube::Tube;

/// How near the solver comes to the least cost, in parts of it.
const NEARLY: f64 = 1e-6;

/// Jobs of about one length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    /// Instance-seconds of the longest.
    pub(super) longest: f64,
    /// Their work.
    pub(super) tube: Tube,
}

/// What the program is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Program {
    /// All work, by the length of its jobs.
    pub(super) classes: Vec<Class>,
    /// Messages that need not start in time.
    pub(super) excused: f64,
    /// Billed from a launch to the first job.
    pub(super) boot_seconds: f64,
}

/// What it is worth to have an instance in service already when a step begins, in seconds, for
/// each step and the time after the last: the duals of the constraint that tells launches.
pub(super) fn worths(program: &Program) -> Vec<f64> {
    let step_seconds = program.step_seconds();
    let (rows, starts) = Rows::of(program);
    let columns = rows.costs.len();
    let quadratic = CscMatrix::zeros((columns, columns));
    let cones = [SupportedConeT::NonnegativeConeT(rows.limits.len())];
    let settings = DefaultSettings {
        verbose: false,
        max_threads: 1,
        tol_gap_rel: NEARLY,
        tol_feas: NEARLY,
        ..DefaultSettings::default()
    };
    let matrix = rows.matrix();
    let solver = DefaultSolver::new(
        &quadratic,
        &rows.costs,
        &matrix,
        &rows.limits,
        &cones,
        settings,
    );
    let duals = solver.map_or_else(
        |_| Vec::new(),
        |mut solver| {
            solver.solve();
            solver.solution.z
        },
    );
    let worth = |row: usize| duals.get(row).map_or(0.0, |dual| dual * step_seconds);
    starts.into_iter().map(worth).collect()
}

impl Program {
    pub(super) fn step_seconds(&self) -> f64 {
        (self.classes.first()).map_or(1.0, |class| class.tube.step_seconds)
    }

    pub(super) fn steps(&self) -> usize {
        let steps = self.classes.iter().map(|class| class.tube.steps());
        steps.max().unwrap_or(0)
    }

    /// All work, in instance-seconds.
    pub(super) fn work(&self) -> f64 {
        let work = self.classes.iter().flat_map(|class| &class.tube.work);
        work.sum()
    }
}

/// Inequalities `sum(factor * column) <= limit`, and what columns cost.
#[derive(Debug, Default)]
struct Rows {
    costs: Vec<f64>,
    limits: Vec<f64>,
    /// Row, column and factor of each entry.
    entries: (Vec<usize>, Vec<usize>, Vec<f64>),
}

/// Something that may be a column of the program or known beforehand.
#[derive(Clone, Copy, Debug)]
enum Quantity {
    Column(usize),
    Known(f64),
}

/// A step's quantities.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Work that could be served.
    in_service: Quantity,
    /// Served or excused by its end, and by the ends of those before.
    dealt_with: Quantity,
    /// Excused and not served by its end.
    waiting: Quantity,
}

impl Step {
    const NOTHING: Self = Self {
        in_service: Quantity::Known(0.0),
        dealt_with: Quantity::Known(0.0),
        waiting: Quantity::Known(0.0),
    };
}

impl Rows {
    /// The program's rows, and for each step the row that tells its launches.
    fn of(program: &Program) -> (Self, Vec<usize>) {
        let mut rows = Self::default();
        let tube = Cumulative::of(program);
        let scale = tube.scale();
        let boot = program.boot_seconds / program.step_seconds();
        let mut excuses = Excuses::new(program, scale);
        let mut before = Step::NOTHING;
        let mut starts = Vec::with_capacity(program.steps());
        for step in 0..program.steps() {
            let (arrived, due) = (tube.arrived[step + 1] / scale, tube.due[step + 1] / scale);
            let now = Step {
                in_service: rows.column(1.0),
                dealt_with: rows.dealt_with(due, arrived),
                waiting: excuses.waiting(&mut rows, step, before.waiting),
            };
            let launched = rows.column(boot);
            starts.push(rows.limits.len());
            let grown = [
                (now.in_service, 1.0),
                (before.in_service, -1.0),
                (launched, -1.0),
            ];
            rows.at_most(&grown, 0.0);
            let served = [
                (now.dealt_with, 1.0),
                (before.dealt_with, -1.0),
                (now.waiting, -1.0),
                (before.waiting, 1.0),
                (now.in_service, -1.0),
            ];
            rows.at_most(&served, 0.0);
            before = now;
        }
        if let Quantity::Column(column) = before.waiting {
            rows.costs[column] += 1.0;
        }
        excuses.end(&mut rows);
        (rows, starts)
    }

    /// A column that is not below zero.
    fn column(&mut self, cost: f64) -> Quantity {
        self.costs.push(cost);
        let column = Quantity::Column(self.costs.len() - 1);
        self.at_most(&[(column, -1.0)], 0.0);
        column
    }

    /// Work dealt with so far: between what is due and what has come up.
    fn dealt_with(&mut self, due: f64, arrived: f64) -> Quantity {
        /// A tube so narrow leaves no choice.
        const NARROW: f64 = 1e-9;
        if arrived - due <= NARROW {
            return Quantity::Known(arrived);
        }
        self.costs.push(0.0);
        let dealt_with = Quantity::Column(self.costs.len() - 1);
        self.at_most(&[(dealt_with, 1.0)], arrived);
        self.at_most(&[(dealt_with, -1.0)], -due);
        dealt_with
    }

    fn at_most(&mut self, terms: &[(Quantity, f64)], limit: f64) {
        let row = self.limits.len();
        let mut known = 0.0;
        for (quantity, factor) in terms {
            match quantity {
                Quantity::Column(column) => {
                    self.entries.0.push(row);
                    self.entries.1.push(*column);
                    self.entries.2.push(*factor);
                }
                Quantity::Known(value) => known += factor * value,
            }
        }
        self.limits.push(limit - known);
    }

    fn matrix(&self) -> CscMatrix<f64> {
        let (rows, columns, factors) = self.entries.clone();
        CscMatrix::new_from_triplets(self.limits.len(), self.costs.len(), rows, columns, factors)
    }
}

/// All classes' work that has come up and is due by each step's begin, and by the end.
struct Cumulative {
    arrived: Vec<f64>,
    due: Vec<f64>,
}

impl Cumulative {
    fn of(program: &Program) -> Self {
        let steps = program.steps() + 1;
        let (mut arrived, mut due) = (vec![0.0; steps], vec![0.0; steps]);
        for class in &program.classes {
            let of_class = class.tube.arrived();
            for step in 0..steps {
                arrived[step] += of_class[step.min(of_class.len() - 1)];
                due[step] += class.tube.due(&of_class, step.min(of_class.len() - 1));
            }
        }
        Self { arrived, due }
    }

    /// Work of a usual step; the solver likes numbers near one.
    fn scale(&self) -> f64 {
        let all = self.arrived.last().copied().unwrap_or(0.0);
        (all / self.arrived.len() as f64).max(f64::MIN_POSITIVE)
    }
}

/// Work that is excused, column by column.
struct Excuses<'a> {
    program: &'a Program,
    scale: f64,
    /// Work of each class that falls due in each step.
    due: Vec<Vec<f64>>,
    /// Columns of excused work, and messages each is at least.
    messages: Vec<(Quantity, f64)>,
}

impl<'a> Excuses<'a> {
    fn new(program: &'a Program, scale: f64) -> Self {
        let due = |class: &Class| {
            let arrived = class.tube.arrived();
            let due = |step: usize| class.tube.due(&arrived, step);
            (0..class.tube.steps())
                .map(|step| (due(step + 1) - due(step)) / scale)
                .collect()
        };
        Self {
            program,
            scale,
            due: program.classes.iter().map(due).collect(),
            messages: Vec::new(),
        }
    }

    /// Excused work that waits at a step's end: what waited `before` and what is excused as it
    /// falls due, less what is served.
    fn waiting(&mut self, rows: &mut Rows, step: usize, before: Quantity) -> Quantity {
        /// Less than this in parts of a usual step's work is rounding.
        const NOTHING: f64 = 1e-9;
        if self.program.excused <= 0.0 {
            return Quantity::Known(0.0);
        }
        let waiting = rows.column(0.0);
        let mut terms = vec![(waiting, 1.0), (before, -1.0)];
        for (class, due) in self.program.classes.iter().zip(&self.due) {
            let due = due.get(step).copied().unwrap_or(0.0);
            if due > NOTHING {
                let excused = rows.column(0.0);
                rows.at_most(&[(excused, 1.0)], due);
                terms.push((excused, -1.0));
                self.messages.push((excused, self.scale / class.longest));
            }
        }
        rows.at_most(&terms, 0.0);
        waiting
    }

    /// No more messages are excused than may be.
    fn end(self, rows: &mut Rows) {
        if !self.messages.is_empty() {
            rows.at_most(&self.messages, self.program.excused);
        }
    }
}
