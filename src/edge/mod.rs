//! The outside world, one folder per neighbour, translating to domain types at the door.

pub mod disk;
#[cfg(feature = "cluster")]
pub mod host;
