//! The `weir` program: everything is in the library, so that tests and other programs reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_controller::cli::main()
}
