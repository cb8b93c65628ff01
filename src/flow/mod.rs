//! The use cases, in order: gather, preflight, plan, confirm, execute, verify, undo. The only code that calls `edge`.

mod cure;
pub mod evidence;
pub mod execute;
pub mod failure;
pub mod gather;
mod helm_step;
pub mod hold;
pub mod inputs;
pub mod prepare;
mod probe;
pub mod rehearsal;
pub mod rehearse;
pub mod rendering;
pub mod report;
pub mod resume;
pub mod rollback;
pub mod ruled;
pub mod run;
pub mod saved_plan;
pub mod session;
pub mod status;
mod undo;
pub mod upgrade;
pub mod verify;
mod watch;
