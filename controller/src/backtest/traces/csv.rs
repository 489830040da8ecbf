//! Traces as text: `t_seconds,arrivals[,mean_service_s]`, a row a step.
//!
//! Owns the columns and what a cell may hold. It must not know how rows follow each other in
//! time (`grid` does).

use std::io::{self, Read, Write};

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::found::{Found, Spot, Wrong, shown};
use super::grid::{Grid, Row};
use super::lines::Lines;
use crate::policy::{Place, Problems};
use crate::sim::Trace;

pub(super) const TIME: &str = "t_seconds";
const ARRIVALS: &str = "arrivals";
const SERVICE: &str = "mean_service_s";

/// Beyond them, times are in another unit: 10^11 seconds are 3,000 years.
const TIME_MAX: f64 = 1e11;
/// In one step; more cannot be meant, even of a trace to be scaled down.
const ARRIVALS_MAX: f64 = 1e12;
/// A job of more than a year.
const SERVICE_SECONDS_MAX: f64 = 31_536_000.0;

/// A trace, and what a reader of its figures should know.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The arrivals.
    pub trace: Trace,
    /// Sentences: gaps that were filled, steps that tell no service time.
    pub notes: Vec<String>,
}

/// Reads the arrivals alone, for those who set service times themselves.
pub fn parse(text: &str) -> Result<Trace, Problems> {
    let mut trace = read("trace", text.as_bytes(), None)?.trace;
    trace.service_seconds.clear();
    Ok(trace)
}

/// Reads `t_seconds,arrivals[,mean_service_s]` from a stream; `file` names it in the problems.
///
/// The header names the columns, in any order; further ones are ignored. Rows go up in time by
/// whole multiples of a step, which is `step_seconds` where it is given and is else told from the
/// rows; steps without a row are filled with no arrivals, and a note says so. The bytes are never
/// held as a whole.
pub fn read(
    file: &str,
    source: impl Read,
    step_seconds: Option<f64>,
) -> Result<Recorded, Problems> {
    let mut found = Found::new(file);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(Lines::new(source));
    let mut record = ByteRecord::new();
    let mut columns: Option<Columns> = None;
    let mut grid = Grid::new(step_seconds);
    while !found.is_stopped() && next(&mut reader, &mut record, &mut found) {
        let line = Line {
            record: &record,
            lines: reader.get_ref(),
        };
        match &columns {
            _ if line.is_blank() => {}
            None => columns = Columns::read(&line, &mut found),
            Some(columns) => {
                if let Some(row) = columns.row(&line, &mut found) {
                    grid.push(row, &mut found);
                }
            }
        }
    }
    if columns.is_none() && found.is_empty() {
        let wrong = Wrong {
            found: "an empty file".to_owned(),
            allowed: "a header `t_seconds,arrivals` and rows below it",
            advice: "",
        };
        found.end_with(Spot::file(), wrong);
    }
    grid.finish(
        columns.is_some_and(|columns| columns.service.is_some()),
        found,
    )
}

/// Writes a trace as [`read`] reads it, from `t_seconds` 0 on.
pub fn write(trace: &Trace, into: impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(into);
    let told = !trace.service_seconds.is_empty();
    let columns = if told { 3 } else { 2 };
    writer.write_record(&[TIME, ARRIVALS, SERVICE][..columns])?;
    for (step, count) in trace.counts.iter().enumerate() {
        let at = step as f64 * trace.step_seconds;
        let service = trace.service_seconds.get(step).copied().flatten();
        let row = [
            at.to_string(),
            count.to_string(),
            service.map_or_else(String::new, |seconds| seconds.to_string()),
        ];
        writer.write_record(&row[..columns])?;
    }
    writer.flush()
}

/// The next record, if there is one and it can be read.
fn next<R: Read>(
    reader: &mut csv::Reader<Lines<R>>,
    record: &mut ByteRecord,
    found: &mut Found,
) -> bool {
    reader.get_mut().begin_record();
    let error = match reader.read_byte_record(record) {
        Ok(is_one) => return is_one,
        Err(error) => error,
    };
    let line = reader.get_ref().number();
    let (place, wrong) = match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            let wrong = Wrong {
                found: format!("a file that cannot be read ({error})"),
                allowed: "a trace as CSV",
                advice: "",
            };
            (None, wrong)
        }
        _ => {
            let wrong = Wrong {
                found: "a row of more than a mebibyte".to_owned(),
                allowed: "a row of a few numbers",
                advice: "look for a quote that is not closed",
            };
            (Some(Place { line, column: 1 }), wrong)
        }
    };
    let spot = Spot {
        place,
        ..Spot::file()
    };
    found.end_with(spot, wrong);
    false
}

/// A record and the line that it ends.
struct Line<'a, R> {
    record: &'a ByteRecord,
    lines: &'a Lines<R>,
}

impl<R: Read> Line<'_, R> {
    /// Nothing but commas and space, as spreadsheets leave below a table.
    fn is_blank(&self) -> bool {
        self.record.iter().all(<[u8]>::is_empty)
    }

    /// A field; empty where the row is too short.
    fn field(&self, index: usize) -> &str {
        let bytes = self.record.get(index).unwrap_or_default();
        // The place of a character that is none is found by its replacement.
        std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
    }

    fn place(&self, index: usize) -> Place {
        let line = self.lines.number();
        let column = if index == 0 {
            1
        } else {
            column(&self.lines.text(), index)
        };
        Place { line, column }
    }

    fn spot(&self, key: &'static str, index: usize) -> Spot {
        Spot {
            key,
            place: Some(self.place(index)),
            line: self.lines.text(),
        }
    }

    /// A number within bounds, or a problem.
    fn number(&self, cell: &Cell, found: &mut Found) -> Option<f64> {
        let text = self.field(cell.index);
        let number = text.parse::<f64>().ok();
        let number = number.filter(|number| (cell.least..=cell.most).contains(number));
        if number.is_none() {
            let wrong = Wrong {
                found: shown(text),
                allowed: cell.allowed,
                advice: "",
            };
            found.add(self.spot(cell.key, cell.index), wrong);
        }
        // Minus nought is nought.
        number.map(|number| number + 0.0)
    }
}

/// A field and what it may hold.
struct Cell {
    key: &'static str,
    index: usize,
    least: f64,
    most: f64,
    allowed: &'static str,
}

/// Where the columns are.
struct Columns {
    time: usize,
    arrivals: usize,
    service: Option<usize>,
    count: usize,
}

impl Columns {
    fn read<R: Read>(line: &Line<'_, R>, found: &mut Found) -> Option<Self> {
        let names: Vec<String> = (0..line.record.len())
            .map(|index| line.field(index).to_ascii_lowercase())
            .collect();
        for name in [TIME, ARRIVALS, SERVICE] {
            let mut places = (0..names.len()).filter(|index| names[*index] == name);
            if let Some(again) = places.nth(1) {
                let wrong = Wrong {
                    found: "a second column of this name".to_owned(),
                    allowed: "one column of each name",
                    advice: "",
                };
                found.end_with(line.spot(name, again), wrong);
                return None;
            }
        }
        let place = |name| names.iter().position(|found| found == name);
        let (Some(time), Some(arrivals)) = (place(TIME), place(ARRIVALS)) else {
            let text = line.lines.text();
            let wrong = Wrong {
                found: shown(&text),
                allowed: "a header that names t_seconds and arrivals, and mean_service_s where it is known",
                advice: header_advice(&text, &names),
            };
            found.end_with(line.spot("", 0), wrong);
            return None;
        };
        Some(Self {
            time,
            arrivals,
            service: place(SERVICE),
            count: names.len(),
        })
    }

    fn row<R: Read>(&self, line: &Line<'_, R>, found: &mut Found) -> Option<Row> {
        let mut beyond = line.record.iter().skip(self.count);
        if !beyond.all(<[u8]>::is_empty) {
            let wrong = Wrong {
                found: format!("{} fields", line.record.len()),
                allowed: &format!("{}, as many as the header names", self.count),
                advice: "write numbers without separators of thousands, 1234567",
            };
            found.add(line.spot("", self.count), wrong);
            return None;
        }
        let told = self.service.filter(|index| !line.field(*index).is_empty());
        // All of a row's problems are told at once.
        let time = line.number(&time_cell(self.time), found);
        let arrivals = line.number(&arrivals_cell(self.arrivals), found);
        let service = told.map(|index| line.number(&service_cell(index), found));
        Some(Row {
            place: line.place(self.time),
            seconds: time?,
            arrivals: arrivals?,
            service_seconds: match service {
                Some(number) => Some(number?),
                None => None,
            },
        })
    }
}

fn time_cell(index: usize) -> Cell {
    Cell {
        key: TIME,
        index,
        least: -TIME_MAX,
        most: TIME_MAX,
        allowed: "seconds, a number of at most 100000000000 (milliseconds are to be divided by 1000)",
    }
}

fn arrivals_cell(index: usize) -> Cell {
    Cell {
        key: ARRIVALS,
        index,
        least: 0.0,
        most: ARRIVALS_MAX,
        allowed: "a number of messages from 0 to 1e12, such as 17",
    }
}

fn service_cell(index: usize) -> Cell {
    Cell {
        key: SERVICE,
        index,
        least: 0.0,
        most: SERVICE_SECONDS_MAX,
        allowed: "mean seconds of a job from 0 to 31536000, a year; or nothing where none arrives",
    }
}

fn header_advice(text: &str, names: &[String]) -> &'static str {
    if text.contains(|c: char| c == '\u{fffd}' || c.is_control() && c != '\t') {
        "unpack the file, or save it as UTF-8 text"
    } else if text.contains([';', '\t']) {
        "separate fields by commas, and write decimals with a point"
    } else if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        "put the line `t_seconds,arrivals` above the rows"
    } else {
        "rename the columns in the first line"
    }
}

/// The column, from 1 in characters, in which a line's field begins.
fn column(line: &str, index: usize) -> usize {
    let mut quoted = false;
    let mut commas = 0;
    for (at, character) in line.chars().enumerate() {
        quoted ^= character == '"';
        commas += usize::from(character == ',' && !quoted);
        if commas == index {
            return at + 2;
        }
    }
    line.chars().count() + 1
}
