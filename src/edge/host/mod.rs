//! This machine: its clock, who runs us, whether a process still lives, signals, and files that live in memory alone.

mod identity;
mod memory_file;
mod signals;

pub use identity::{Identity, is_process_alive, start_ticks};
pub use memory_file::MemoryFile;
pub use signals::Interrupts;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// Returns the time now, RFC 3339 in UTC, to the second.
#[must_use]
pub fn now() -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    PRINTER.timestamp_to_string(&Timestamp::now())
}

/// Returns a new run id: its time to the second, then four random hexadecimal digits, such as `20261121-114851-3f9a`.
/// Valid in names of Kubernetes objects, and sorts by age.
#[must_use]
pub fn new_run_id() -> String {
    let time = Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
    let mut random = [0_u8; 2];
    // Without the system's random source the time alone must do: folder and Secret refuse a name that exists.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    format!("{time}-{:04x}", u16::from_be_bytes(random))
}
