//! `weir-sandbox`: a small cloud on loopback, and the demo that runs on it.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_sandbox::cli::main()
}
