//! `helm csghub`.

pub mod domain;
