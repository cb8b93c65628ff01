//! The outside world, one folder per neighbour, translating to domain types at the door.

pub mod disk;
#[cfg(feature = "cluster")]
pub mod host;
//! The outside world, one folder per neighbour; each translates to domain types at the door.
pub mod cluster;
