//! The core as a whole: what leaves for the server, and what the command sees.

mod applied;
mod definitions;
mod forbidden;
mod leaves;
mod masks;
mod opaque;
mod scene;
mod traps;
mod versions;
