//! The outside world, one folder per neighbour, translating to domain types at the door.

pub mod disk;
#[cfg(feature = "cluster")]
pub mod host;
//! The outside world, one folder per neighbour; each translates to domain types at the door.
pub mod cluster;
//! The outside world, one room for each neighbour, which translates to domain values at its door.
pub mod terminal;
