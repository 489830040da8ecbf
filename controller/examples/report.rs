//! Writes the report page of made-up outcomes, for the test in a browser and for a look at them:
//! `cargo run -p weir-controller --no-default-features --features testing --example report -- FOLDER`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use weir_controller::backtest::report::{page, sample};

#[derive(Parser)]
struct Arguments {
    /// Where the pages go; made if it is not there
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { folder } = Arguments::parse();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let pages = [
        ("week", sample::week()),
        ("hostile", sample::hostile()),
        ("quiet", sample::quiet()),
        ("empty", sample::empty()),
    ];
    for (name, outcome) in pages {
        let file = folder.join(name).with_extension("html");
        fs::write(&file, page(&outcome))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
