//! The run as one page that asks no other host; `templates/report.html` says what it looks like.

use askama::Template;

use super::plots::{self, Plot};
use super::report::{DETAIL_HEADS, Report, VERDICT_HEADS};
use crate::Failure;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    plots: Vec<Plot>,
    verdict_heads: [&'static str; 7],
    detail_heads: [&'static str; 10],
}

/// Writes it out.
pub fn page(report: &Report) -> Result<String, Failure> {
    let plots = plots::all(report)?;
    let page = Page { report, plots, verdict_heads: VERDICT_HEADS, detail_heads: DETAIL_HEADS };
    Ok(page.render()?)
}
