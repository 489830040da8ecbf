//! Many independent runs on all cores, with progress on standard error.

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use rayon::prelude::*;

/// Works on each item, in any order; results in the items' order.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    what: &'static str,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let bar = bar(what, items.len());
    let work = |item| {
        let result = work(item);
        tell(what, &bar);
        result
    };
    let results = items.par_iter().map(work).collect();
    bar.finish_and_clear();
    results
}

fn bar(what: &'static str, items: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:10} {bar:40} {pos}/{len}, {eta} to go")
        .expect("invariant: the template is right");
    ProgressBar::new(items as u64)
        .with_style(style)
        .with_prefix(what)
}

/// Moves the bar; where there is no terminal, a line at every tenth.
fn tell(what: &str, bar: &ProgressBar) {
    bar.inc(1);
    let (done, items) = (bar.position(), bar.length().unwrap_or(1));
    if bar.is_hidden() && done * 10 / items > (done - 1) * 10 / items {
        let to_go = HumanDuration(bar.eta());
        eprintln!("{what}: {done} of {items}, {to_go} to go");
    }
}
