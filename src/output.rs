//! How things are written for people: safe text, sizes, durations, times.

pub mod human;
pub mod safe;
pub mod secrets;
