//! The outcome as one page for people: sentences, a table, and charts that are linked.
//!
//! Owns the page. It needs no network and forbids itself any; the same outcome gives the same
//! bytes. It must not compute figures: `outcome` holds them.

mod charts;
mod columns;
mod data;
mod headline;
mod names;
#[cfg(any(test, feature = "testing"))]
pub mod sample;
mod setup;
mod table;
#[cfg(test)]
mod tests;
mod when;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::outcome::Outcome;

/// The chart library; see vendor/README.md.
const ECHARTS: &str = include_str!("vendor/echarts/echarts.common.min.js");

/// The page's own script, in an order in which later files use earlier ones.
const SCRIPT: &str = concat!(
    include_str!("assets/words.js"),
    include_str!("assets/look.js"),
    include_str!("assets/time.js"),
    include_str!("assets/frontier.js"),
    include_str!("assets/table.js"),
    include_str!("assets/page.js"),
);

const STYLE: &str = include_str!("assets/page.css");

/// The whole page, to be written to a file and opened from there.
pub fn page(outcome: &Outcome) -> String {
    let title = format!("{} on {}", outcome.policy, outcome.trace.name);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(security());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) " – Weir backtest" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body(outcome, &title))
                (data::element(outcome))
                script { (PreEscaped(ECHARTS)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

fn body(outcome: &Outcome, title: &str) -> Markup {
    let mut sentences = headline::sentences(outcome).into_iter();
    html! {
        header {
            p.kind { "Weir backtest" }
            h1 { (title) }
            @if let Some(verdict) = sentences.next() { p.verdict { (verdict) } }
            @for sentence in sentences { p { (sentence) } }
        }
        main {
            section {
                h2 { "Every scaler" }
                (table::main(outcome))
                details { summary { "More figures" } (table::more(outcome)) }
            }
            section {
                h2 { "What a setting buys" }
                noscript { p { "The charts need JavaScript." } }
                (charts::frontier(outcome))
            }
            section { h2 { "Through time" } (charts::through_time(outcome)) }
            section { h2 { "What was simulated" } (setup::list(outcome)) }
        }
        footer {
            p {
                "Made by Weir, outcome version " (outcome.version)
                ". Charts by Apache ECharts, © The Apache Software Foundation, Apache License 2.0."
            }
        }
    }
}

/// Nothing is loaded, and no script runs but the page's own two: a name from a file that got
/// through as markup would still do nothing.
fn security() -> String {
    let scripts = [ECHARTS, SCRIPT].map(|script| {
        let hash = STANDARD.encode(Sha256::digest(script));
        format!("'sha256-{hash}'")
    });
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        scripts.join(" ")
    )
}
