//! The outside world: one folder a neighbour, each translating to domain types at its door.

pub mod helm;
