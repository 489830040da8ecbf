//! Installs the rivals at their locked versions, from the machine's package indexes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// The files that say what is installed, and the programs themselves.
const FILES: [&str; 6] = [
    "package.json",
    "package-lock.json",
    "requirements.txt",
    "consumer.js",
    "loop.py",
    "tasks.py",
];

/// What was installed from which locks; equal means that nothing is to be done.
const INSTALLED: &str = "installed-from.txt";

/// Installs into `rivals` under `out`, an absolute path, unless just that is there already; gives the folder.
pub(crate) fn install(source: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let folder = out.join("rivals");
    fs::create_dir_all(&folder).with_context(|| format!("{} not made", folder.display()))?;
    for file in FILES {
        let from = source.join(file);
        fs::copy(&from, folder.join(file))
            .with_context(|| format!("{} not copied", from.display()))?;
    }
    let locks = locks(&folder)?;
    let note = folder.join(INSTALLED);
    if fs::read_to_string(&note).is_ok_and(|installed| installed == locks) {
        return Ok(folder);
    }
    let _ = fs::remove_file(&note);
    run(
        Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"]),
        &folder,
    )?;
    run(
        Command::new("python3").args(["-m", "venv", "--clear", "venv"]),
        &folder,
    )?;
    run(
        Command::new(folder.join("venv/bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "-r", "requirements.txt"]),
        &folder,
    )?;
    fs::write(&note, locks)?;
    Ok(folder)
}

/// The version of a Python package as it is pinned.
pub(crate) fn pinned(folder: &Path, package: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(folder.join("requirements.txt"))?;
    let prefix = format!("{package}==");
    let version = text.lines().find_map(|line| line.strip_prefix(&prefix));
    Ok(version
        .with_context(|| format!("{package} is not pinned"))?
        .to_owned())
}

/// The version of a Node package as it is locked.
pub(crate) fn locked(folder: &Path, package: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(folder.join("package-lock.json"))?;
    let lock: serde_json::Value = serde_json::from_str(&text)?;
    let version = lock["packages"][format!("node_modules/{package}")]["version"].as_str();
    Ok(version
        .with_context(|| format!("{package} is not locked"))?
        .to_owned())
}

fn locks(folder: &Path) -> anyhow::Result<String> {
    let read = |file: &str| fs::read_to_string(folder.join(file));
    Ok(read("package-lock.json")? + &read("requirements.txt")?)
}

fn run(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(folder).output();
    let output = output.with_context(|| {
        format!("{program} did not start: the rivals need npm and python3 with venv")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    bail!("{command:?} ended with {}:\n{told}", output.status)
}
