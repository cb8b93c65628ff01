//! The exit codes as documentation.

use std::fmt::Write;

use crate::domain::report::ExitStatus;

/// Returns the table of exit codes, as Markdown, that the documentation shows.
#[must_use]
pub fn render_exit_codes() -> String {
    let mut table = String::from("| code | meaning |\n|---|---|\n");
    for exit in ExitStatus::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {} | {} |", exit.code(), exit.meaning());
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(path: &str) -> Option<String> {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
    }

    #[test]
    fn the_documented_exit_codes_are_those_of_the_program() {
        let output = read("docs/output.md").expect("docs/output.md is part of the repository");
        assert!(output.contains(&render_exit_codes()), "docs/output.md needs this table:\n{}", render_exit_codes());
    }

    #[test]
    fn the_readme_has_no_exit_codes_of_its_own() {
        let readme = read("README.md").unwrap_or_default();
        let has_table = readme.contains("| code |");
        assert!(
            !has_table || readme.contains(&render_exit_codes()),
            "README.md needs this table:\n{}",
            render_exit_codes()
        );
    }
}
