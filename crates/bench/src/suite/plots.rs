//! The figures as pictures: lines over logarithmic axes, as SVG that a page can hold.

use plotters::prelude::*;

use super::cell::{Cell, Script, Store};
use super::figures::Figure;
use super::plan::{BATCHING_CLIENTS, CLIENTS, CONNECTIONS};
use super::report::{Report, number};
use crate::Failure;

const SIZE: (u32, u32) = (720, 400);

/// They stand out from white and from black.
const COLOURS: [RGBColor; 5] = [
    RGBColor(59, 130, 246),
    RGBColor(16, 185, 129),
    RGBColor(245, 158, 11),
    RGBColor(239, 68, 68),
    RGBColor(139, 92, 246),
];

/// What stands below the axis of stored payments: it begins at none, which has no logarithm, and so
/// is drawn one further than its labels say.
const STORED: &str = "million stored payments";

/// A picture, and what its lines are.
pub struct Plot {
    /// What it shows.
    pub title: &'static str,
    /// The picture.
    pub svg: String,
    /// Name and colour of each line.
    pub legend: Vec<(String, String)>,
}

/// A line: its name, and its points.
type Line = (String, Vec<(f64, f64)>);

/// Those of which something was measured.
pub fn all(report: &Report) -> Result<Vec<Plot>, Failure> {
    let latency = |title, figure| {
        plot(title, ("connections, clients", "ms"), over_connections(report, figure, false))
    };
    let plots = [
        plot(
            "Fresh payments a second",
            ("connections, clients", "payments a second"),
            over_connections(report, Figure::PerSecond, true),
        )?,
        latency("Half of them are answered within", Figure::P50Ms)?,
        latency("99 % are answered within", Figure::P99Ms)?,
        plot("Beside stored payments", (STORED, "payments a second"), growth(report))?,
        plot("Resident memory under load", ("connections", "MB"), memory(report))?,
    ];
    Ok(plots.into_iter().flatten().collect())
}

fn over_connections(report: &Report, figure: Figure, with_limit: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = [Store::Disk, Store::Tmpfs, Store::Sqlite]
        .into_iter()
        .map(|store| {
            let cell = |connections| Cell::fresh(store, connections);
            (format!("the service, {store}"), points(report, figure, &CONNECTIONS, cell))
        })
        .collect();
    let single = |clients| Cell::Pgbench { script: Script::Single, clients };
    lines.push((
        "pgbench, PostgreSQL on disk, one payment a transaction".to_owned(),
        points(report, figure, &CLIENTS, single),
    ));
    let batched = Cell::Pgbench { script: Script::Batched, clients: BATCHING_CLIENTS };
    if let Some(limit) = report.figure(batched, figure).filter(|_| with_limit) {
        let ends = [CONNECTIONS.first(), CONNECTIONS.last()].into_iter().flatten();
        lines.push((
            format!("pgbench, PostgreSQL on disk, 64 at a time, {BATCHING_CLIENTS} clients"),
            ends.map(|connections| (f64::from(*connections), limit)).collect(),
        ));
    }
    lines
}

fn growth(report: &Report) -> Vec<Line> {
    let cell = |plus_one| Cell::Growth { millions: plus_one - 1 };
    let points = points(report, Figure::PerSecond, &[1, 2, 11], cell);
    vec![("the service, PostgreSQL on disk, 64 connections".to_owned(), points)]
}

fn memory(report: &Report) -> Vec<Line> {
    let cell = |connections| Cell::Memory { connections };
    [("resident under load", Figure::ResidentMb), ("most ever resident", Figure::PeakMb)]
        .into_iter()
        .map(|(name, figure)| (name.to_owned(), points(report, figure, &[64, 256], cell)))
        .collect()
}

fn points(
    report: &Report,
    figure: Figure,
    places: &[u32],
    cell: impl Fn(u32) -> Cell,
) -> Vec<(f64, f64)> {
    let measured = |place: &u32| Some((f64::from(*place), report.figure(cell(*place), figure)?));
    places.iter().filter_map(measured).collect()
}

/// None where no line has a point.
fn plot(
    title: &'static str,
    (across, up): (&str, &str),
    mut lines: Vec<Line>,
) -> Result<Option<Plot>, Failure> {
    lines.retain(|(_, points)| !points.is_empty());
    let all = || lines.iter().flat_map(|(_, points)| points);
    let Some((left, right)) = bounds(all().map(|(x, _)| *x)) else {
        return Ok(None);
    };
    let Some((low, high)) = bounds(all().map(|(_, y)| *y).filter(|y| *y > 0.0)) else {
        return Ok(None);
    };
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(46)
            .y_label_area_size(84)
            .build_cartesian_2d(
                (left..right * 1.1).log_scale().base(2.0),
                (low / 1.5..high * 1.5).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc(across)
            .y_desc(up)
            .x_label_formatter(&|x| format!("{:.0}", if across == STORED { x - 1.0 } else { *x }))
            .y_label_formatter(&|y| number(*y))
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 15))
            .bold_line_style(BLACK.mix(0.18))
            .light_line_style(BLACK.mix(0.06))
            .draw()?;
        for ((_, points), colour) in lines.iter().zip(COLOURS) {
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            chart
                .draw_series(points.iter().map(|point| Circle::new(*point, 4, colour.filled())))?;
        }
        root.present()?;
    }
    let legend = lines.into_iter().zip(COLOURS);
    let legend =
        legend.map(|((name, _), RGBColor(r, g, b))| (name, format!("rgb({r},{g},{b})"))).collect();
    Ok(Some(Plot { title, svg, legend }))
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_the_picture_and_in_the_legend() {
        let lines = vec![
            ("one".to_owned(), vec![(1.0, 200.0), (256.0, 40_000.0)]),
            ("other".to_owned(), vec![(1.0, 100.0), (64.0, 5_000.0)]),
            ("not measured".to_owned(), vec![]),
        ];
        let plot = plot("rates", ("connections", "payments a second"), lines).unwrap().unwrap();
        assert_eq!(plot.legend.len(), 2);
        assert!(plot.svg.matches("<polyline").count() >= 2, "{}", plot.svg);
        assert_eq!(plot.svg.matches("<circle").count(), 4);
        assert!(plot.svg.contains("payments a second"));
    }

    #[test]
    fn nothing_measured_is_no_picture() {
        let lines = vec![("not measured".to_owned(), vec![])];
        assert!(plot("rates", ("connections", "ms"), lines).unwrap().is_none());
    }
}
