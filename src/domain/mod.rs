//! What an upgrade is: pure values and functions. No I/O, no clock, no environment, no printing.

pub mod chart;
pub mod conclusion;
pub mod content;
pub mod event;
pub mod facts;
pub mod field_path;
pub mod helm_error;
pub mod helm_flags;
pub mod journal;
pub mod manifest;
pub mod masking;
pub mod object;
pub mod plan;
pub mod preflight;
pub mod redaction;
pub mod release;
pub mod release_objects;
pub mod report;
pub mod rights;
pub mod rollout;
pub mod trouble;
pub mod values;
pub mod version;
pub mod view;
pub mod workload;
pub mod yaml;
