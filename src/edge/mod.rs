//! The outside world, one folder per neighbour, translating to domain types at the door.

#[cfg(feature = "cluster")]
pub mod cluster;
pub mod disk;
#[cfg(feature = "cluster")]
pub mod helm;
#[cfg(feature = "cluster")]
pub mod host;
#[cfg(feature = "cluster")]
pub mod proxy;
pub mod terminal;
