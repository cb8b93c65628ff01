//! `csghub`: the program behind `helm csghub`.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "cluster")]
    if let Some(exit) = exec_if_asked() {
        return exit;
    }
    ExitCode::SUCCESS
}

/// Becomes another program if we were started as the guard of one; returns only if that fails, or was not asked for.
#[cfg(feature = "cluster")]
fn exec_if_asked() -> Option<ExitCode> {
    use std::error::Error as _;
    use std::io::Write as _;

    use helm_csghub::edge::helm::{EXEC_COMMAND, exec_guarded};

    let mut args = std::env::args_os().skip(1);
    if args.next()? != EXEC_COMMAND {
        return None;
    }
    let error = exec_guarded(args);
    let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
    // Standard error is all that a guard has, and it may be gone.
    let _ = writeln!(std::io::stderr(), "Error: {error}{cause}");
    Some(ExitCode::from(127))
}
