//! What an upgrade is: pure values and functions. No I/O, no clock, no environment, no printing.

pub mod chart;
pub mod content;
pub mod event;
pub mod facts;
pub mod field_path;
pub mod manifest;
pub mod masking;
pub mod object;
pub mod preflight;
pub mod release;
pub mod report;
pub mod rollout;
pub mod trouble;
pub mod values;
pub mod version;
pub mod workload;
pub mod yaml;
