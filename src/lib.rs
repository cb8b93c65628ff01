//! `helm csghub`.

pub mod domain;
pub mod edge;
