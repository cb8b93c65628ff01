//! `csghub`: parse, call [`helm_csghub::cli::run`], return the exit code. No runtime is started before a command needs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    #[cfg(feature = "cluster")]
    if args.get(1).is_some_and(|word| word == helm_csghub::edge::helm::EXEC_COMMAND) {
        let error = helm_csghub::edge::helm::exec_guarded(args.into_iter().skip(2));
        return helm_csghub::cli::could_not_exec(error);
    }
    #[cfg(feature = "cluster")]
    if args.get(1).is_some_and(|word| word == helm_csghub::edge::helm::SUPERVISE_COMMAND) {
        return match helm_csghub::edge::helm::supervise(args.into_iter().skip(2)) {
            Ok(code) => ExitCode::from(code),
            Err(error) => helm_csghub::cli::could_not_exec(error),
        };
    }
    helm_csghub::cli::run(args)
}
