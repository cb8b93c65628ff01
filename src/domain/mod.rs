//! What an upgrade is: pure values and functions. No I/O, no clock, no environment, no printing.

pub mod chart;
pub mod event;
pub mod facts;
pub mod helm_error;
pub mod helm_flags;
pub mod object;
pub mod preflight;
pub mod release;
pub mod report;
pub mod rollout;
