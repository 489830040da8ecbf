//! Many independent runs on all cores, with progress on standard error.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Works on each item, in any order; results in the items' order.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    what: &'static str,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let bar = bar(what, items.len());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    let result = work(item);
                    let mut done = done.lock().expect("invariant: no thread panics");
                    done.push((index, result));
                    tell(what, &bar, (done.len(), items.len()));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().expect("invariant: no thread panics");
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn bar(what: &'static str, items: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:10} {bar:40} {pos}/{len}, {eta} to go")
        .expect("invariant: the template is right");
    ProgressBar::new(items as u64)
        .with_style(style)
        .with_prefix(what)
}

/// Moves the bar; where there is no terminal, a line at every tenth.
fn tell(what: &str, bar: &ProgressBar, (done, items): (usize, usize)) {
    bar.inc(1);
    if bar.is_hidden() && done * 10 / items > (done - 1) * 10 / items {
        let to_go = HumanDuration(bar.eta());
        eprintln!("{what}: {done} of {items}, {to_go} to go");
    }
}
