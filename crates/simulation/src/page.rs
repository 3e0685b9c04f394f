//! The run as one page that asks no other host; `templates/report.html` says what it looks like.

use askama::Template;

use crate::Failure;
use crate::plots::{self, Plot};
use crate::summary::{LATENCY_HEADS, Row, Summary};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    is_kept: bool,
    verdict: String,
    surroundings: Vec<String>,
    breaches: &'a [String],
    rows: Vec<Row>,
    plots: Vec<Plot>,
    latency_heads: [&'static str; 6],
    latencies: Vec<[String; 6]>,
}

/// Writes it out.
pub fn page(summary: &Summary) -> Result<String, Failure> {
    let failed = |error: String| Failure::failed("drawing the report", error);
    let page = Page {
        is_kept: summary.failure().is_none(),
        verdict: summary.last_line(),
        surroundings: summary.surroundings(),
        breaches: &summary.verdict.breaches,
        rows: summary.rows(),
        plots: plots::all(summary).map_err(failed)?,
        latency_heads: LATENCY_HEADS,
        latencies: summary.latencies(),
    };
    page.render().map_err(|error| failed(error.to_string()))
}
