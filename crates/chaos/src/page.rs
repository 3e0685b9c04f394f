//! The timeline as one page that needs nothing else: for each mode what was done when, and what
//! clients saw meanwhile.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::{ModeReport, Report};

const WIDTH: u64 = 1_100;
const HEIGHT: u64 = 120;
const LANE: u64 = 14;

/// What clients see, and its colour, in the order in which it is stacked.
const KINDS: [(&str, &str); 11] = [
    ("final", "#2e7d32"),
    ("accepted", "#7cb342"),
    ("mismatch", "#90a4ae"),
    ("pending", "#fbc02d"),
    ("in use", "#ffe082"),
    ("left open", "#ffb74d"),
    ("gateway away", "#8d6e63"),
    ("refused", "#fb8c00"),
    ("failed", "#d32f2f"),
    ("no answer", "#6a1b9a"),
    ("strange", "#000000"),
];

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut page = String::from(
        "<!doctype html><meta charset=utf-8><title>Payonce under faults</title><style>\
         body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:1200px}\
         svg{background:#fafafa;display:block}.bad{color:#c62828;font-weight:bold}\
         i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}\
         text{font:10px system-ui,sans-serif}</style><h1>Payonce under faults</h1>",
    );
    let class = if report.modes.iter().all(ModeReport::is_clean) { "" } else { "bad" };
    // A String takes whatever is written.
    let _ = write!(page, "<p class=\"{class}\">{}</p><p>", escape(&report.verdict));
    for (kind, colour) in KINDS {
        let _ = write!(page, "<i style=\"background:{colour}\"></i>{kind}");
    }
    page.push_str("</p>");
    for mode in &report.modes {
        of_mode(&mut page, mode);
    }
    page
}

fn of_mode(page: &mut String, mode: &ModeReport) {
    let class = if mode.is_clean() { "" } else { "bad" };
    let name = escape(&mode.name);
    let _ = write!(page, "<h2>{name}</h2><p class=\"{class}\">{}</p>", escape(&mode.line()));
    for note in &mode.notes {
        let _ = write!(page, "<p>{}</p>", escape(note));
    }
    for (rule, examples) in &mode.findings.examples {
        for example in examples {
            let _ = write!(page, "<p class=bad>{}: {}</p>", rule.in_words(), escape(example));
        }
    }
    let seen = &mode.timeline.seen;
    let last_seen = seen.keys().last().copied().unwrap_or(0);
    let last_fault = mode.timeline.faults.iter().map(|fault| fault.until / 1_000).max();
    let seconds = last_seen.max(last_fault.unwrap_or(0)).saturating_add(1);
    let most = seen.values().map(|second| second.values().sum::<u64>()).max().unwrap_or(1).max(1);
    let lanes = lanes(mode);
    let lanes_high = LANE.saturating_mul(u64::try_from(lanes.len()).unwrap_or(0));
    let height = HEIGHT.saturating_add(lanes_high).saturating_add(20);
    let _ = write!(page, "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\">");
    for (&second, kinds) in seen {
        let x = second.saturating_mul(WIDTH) / seconds;
        let width = (WIDTH / seconds).max(1);
        let mut top = HEIGHT;
        for (kind, colour) in KINDS {
            let count = kinds.get(kind).copied().unwrap_or(0);
            let high = count.saturating_mul(HEIGHT) / most;
            top = top.saturating_sub(high);
            if high > 0 {
                let _ = write!(
                    page,
                    "<rect x={x} y={top} width={width} height={high} fill=\"{colour}\">\
                     <title>second {second}: {count} {kind}</title></rect>"
                );
            }
        }
    }
    for (whom, &lane) in &lanes {
        let y = HEIGHT.saturating_add(lane.saturating_mul(LANE)).saturating_add(2);
        for fault in mode.timeline.faults.iter().filter(|fault| fault.whom == *whom) {
            let scale = |at: u64| at.saturating_mul(WIDTH) / seconds.saturating_mul(1_000);
            let (from, until) = (scale(fault.from), scale(fault.until));
            let width = until.saturating_sub(from).max(1);
            let (what, high) = (escape(&fault.what), LANE.saturating_sub(3));
            let _ = write!(
                page,
                "<rect x={from} y={y} width={width} height={high} fill=\"#c62828\" \
                 fill-opacity=\".6\"><title>{what} at {} ms for {} ms</title></rect>",
                fault.from,
                fault.until.saturating_sub(fault.from)
            );
        }
        let (text, base) = (escape(whom), y.saturating_add(9));
        let _ = write!(page, "<text x=2 y={base}>{text}</text>");
    }
    let bottom = height.saturating_sub(6);
    let _ = write!(
        page,
        "<text x=2 y={bottom}>0 to {seconds} s, at most {most} answers a second</text>"
    );
    page.push_str("</svg>");
}

fn lanes(mode: &ModeReport) -> BTreeMap<String, u64> {
    let mut lanes: BTreeMap<String, u64> =
        mode.timeline.faults.iter().map(|fault| (fault.whom.clone(), 0)).collect();
    for (lane, place) in (0_u64..).zip(lanes.values_mut()) {
        *place = lane;
    }
    lanes
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
