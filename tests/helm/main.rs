//! The edge that starts Helm: against a script that plays Helm, and against the real ones where the bed runs.

mod fake;
mod real;
