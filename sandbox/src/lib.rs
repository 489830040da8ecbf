//! A small cloud on loopback: the part of AWS that Weir's judgement touches.

pub mod demo;
pub mod instances;
pub mod stores;
