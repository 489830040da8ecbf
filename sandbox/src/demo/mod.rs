//! The demo: a day of thumbnails in minutes, with the very programs that production runs.
//!
//! This module puts the parts together and says whether all went well. What it judges by is read
//! back from the queues, tables and bucket, never from what it meant to do.

pub mod arrivals;
pub mod front_end;
pub mod live;
pub mod photos;
pub mod rounds;
pub mod summary;
pub mod tally;
pub mod trace;
