//! A verdict that the checker refused is told.

use std::io;
use std::sync::Mutex;

use super::*;

#[test]
fn a_refused_verdict_is_an_error_in_the_log() {
    let policy = testing::policy("thumbnails");
    let sighting = testing::sighting("thumbnails", 80, Vec::new());
    let good = judge(&policy, sighting.clone(), &History::default()).verdict;
    let mut broken = good.clone();
    broken.trail.clear();
    let refused = check(&policy, &sighting.observation, broken);
    assert_eq!(logged(|| raise_alarm(&policy, &good)), "");
    let line = logged(|| raise_alarm(&policy, &refused));
    for part in [
        "ERROR",
        "fleet=\"thumbnails\"",
        "verdict refused",
        "it gives no reason",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// What is logged meanwhile, as text.
fn logged(act: impl FnOnce()) -> String {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer({
            let lines = Arc::clone(&lines);
            move || Lines(Arc::clone(&lines))
        })
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = lines.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
