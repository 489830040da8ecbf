//! The program `weir-worker`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_worker::cli::main()
}
