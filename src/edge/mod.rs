//! The outside world, one folder per neighbour; each translates to domain types at the door.

pub mod cluster;
