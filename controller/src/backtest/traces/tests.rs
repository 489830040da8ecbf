//! Traces as people have them: written badly, full of gaps, made up, too short and too large.

mod arrivals;
mod files;
mod generators;
mod hostile;
mod problems;
