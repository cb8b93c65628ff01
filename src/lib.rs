//! `helm csghub`.

pub mod domain;
#[cfg(feature = "cluster")]
pub mod edge;
