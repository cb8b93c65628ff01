//! The outside world, one room for each neighbour, which translates to domain values at its door.

pub mod terminal;
