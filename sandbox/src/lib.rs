//! A small cloud on loopback: the part of AWS that Weir's judgement touches.

pub mod adopt;
pub mod cli;
pub mod cloud;
pub mod demo;
pub mod faults;
pub mod fleet;
pub mod history;
pub mod iam;
pub mod instances;
pub mod sandbox;
pub mod stores;
pub mod wire;
