//! The core as a whole: what leaves for the server, and what the command sees.

mod aggregation;
mod forbidden;
mod leaves;
mod scene;
mod traps;
