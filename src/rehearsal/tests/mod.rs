//! The core as a whole: what leaves for the server, and what the command sees.

mod aggregation;
mod applied;
mod definitions;
mod forbidden;
mod leaves;
mod masks;
mod opaque;
mod own_dry_runs;
mod ownership;
mod ports;
mod scene;
mod traps;
mod versions;
