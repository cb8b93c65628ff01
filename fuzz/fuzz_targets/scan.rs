//! What it does is in `bodies`: `tests/fidelity` does it, too.
#![no_main]

#[path = "../bodies/scan.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
