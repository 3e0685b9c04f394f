//! The figures as pictures: SVG that a page can hold and colour.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::histograms::Times;
use crate::progress::Moment;
use crate::summary::{Summary, precise};
use crate::tally::AllTimes;

/// Small, so that its words stay legible on a telephone.
const SIZE: (u32, u32) = (480, 320);

/// They stand out from white and from black.
const COLOURS: [RGBColor; 3] =
    [RGBColor(59, 130, 246), RGBColor(16, 185, 129), RGBColor(245, 158, 11)];

/// Most points of a line over time.
const POINTS: usize = 120;

/// A picture, and what its lines are.
pub struct Plot {
    /// What it shows.
    pub title: &'static str,
    /// The picture.
    pub svg: String,
    /// Name and colour of each line.
    pub legend: Vec<(&'static str, String)>,
}

/// A line: its name, and its points.
type Line = (&'static str, Vec<(f64, f64)>);

/// Those of which there is something to be seen.
pub fn all(summary: &Summary) -> Result<Vec<Plot>, String> {
    let moments = thinned(&summary.moments);
    let AllTimes { settling, replays, payments } = &summary.times;
    let plots = [
        over_time(&moments)?,
        by_share(vec![
            ("a request that settled it", shares(settling)),
            ("a replay, waiting included", shares(replays)),
            ("a payment, retries included", shares(payments)),
        ])?,
    ];
    Ok(plots.into_iter().flatten().collect())
}

/// So few that each is worth a point.
fn thinned(moments: &[Moment]) -> Vec<Moment> {
    let step = moments.len().div_ceil(POINTS).max(4);
    let mut thinned: Vec<_> = moments.iter().step_by(step).copied().collect();
    if let Some(last) = moments.last().filter(|last| thinned.last() != Some(last)) {
        thinned.push(*last);
    }
    thinned
}

/// What happened in a second, between each two moments.
fn rates(moments: &[Moment], count: fn(&Moment) -> u64) -> Vec<(f64, f64)> {
    let pairs = moments.iter().zip(moments.iter().skip(1));
    let rate = |(before, after): (&Moment, &Moment)| {
        let seconds = after.at - before.at;
        let more = precise(count(after).saturating_sub(count(before)));
        (seconds > 0.05).then(|| (after.at, more / seconds))
    };
    pairs.filter_map(rate).collect()
}

fn over_time(moments: &[Moment]) -> Result<Option<Plot>, String> {
    let lines = vec![
        ("payments ended", rates(moments, |moment| moment.ended)),
        ("replays", rates(moments, |moment| moment.replays)),
        ("retries", rates(moments, |moment| moment.retries)),
    ];
    let points = || lines.iter().flat_map(|(_, points)| points);
    let Some((_, until)) = bounds(points().map(|(x, _)| *x)) else {
        return Ok(None);
    };
    let (_, most) = bounds(points().map(|(_, y)| *y)).unwrap_or_default();
    let across = Axis { name: "seconds", range: 0.0..until * 1.02, label: |x| number(*x) };
    let up = Axis { name: "a second", range: 0.0..most.max(1.0) * 1.1, label: |y| number(*y) };
    draw("What happened in each second", across, up, lines).map(Some)
}

/// Times by the share that took longer: 1 in 2, 1 in 10, and so on.
fn shares(times: &Times) -> Vec<(f64, f64)> {
    let counts = [2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
    let told = counts.into_iter().filter(|one_in| times.count() >= *one_in);
    told.map(precise).map(|one_in| (one_in, times.within(1.0 - 1.0 / one_in).max(0.01))).collect()
}

fn by_share(mut lines: Vec<Line>) -> Result<Option<Plot>, String> {
    lines.retain(|(_, points)| !points.is_empty());
    let points = || lines.iter().flat_map(|(_, points)| points);
    let Some((low, high)) = bounds(points().map(|(_, y)| *y)) else {
        return Ok(None);
    };
    let (_, rarest) = bounds(points().map(|(x, _)| *x)).unwrap_or_default();
    let across = Axis {
        name: "share answered within that time",
        range: (2.0..rarest.max(3.0) * 1.1).log_scale(),
        label: |one_in| share(*one_in),
    };
    let up = Axis {
        name: "milliseconds",
        range: (low / 1.5..high * 1.5).log_scale(),
        label: |y| number(*y),
    };
    draw("How long it took", across, up, lines).map(Some)
}

/// The share of all but one in so many, where a label has room: at powers of ten.
fn share(one_in: f64) -> String {
    let power = one_in.log10();
    if (power - power.round()).abs() > 0.001 {
        return String::new();
    }
    let share = format!("{:.3}", 100.0 - 100.0 / one_in);
    format!("{} %", share.trim_end_matches('0').trim_end_matches('.'))
}

/// An axis: what is along it, from where to where, and how its values are spelled.
struct Axis<R> {
    name: &'static str,
    range: R,
    label: fn(&f64) -> String,
}

fn draw<X, Y>(
    title: &'static str,
    across: Axis<X>,
    up: Axis<Y>,
    lines: Vec<Line>,
) -> Result<Plot, String>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut svg = String::new();
    {
        let words = |error: &dyn std::fmt::Display| error.to_string();
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(across.range, up.range)
            .map_err(|error| words(&error))?;
        chart
            .configure_mesh()
            .x_desc(across.name)
            .y_desc(up.name)
            .x_label_formatter(&across.label)
            .y_label_formatter(&up.label)
            .label_style(("sans-serif", 14))
            .axis_desc_style(("sans-serif", 14))
            .bold_line_style(BLACK.mix(0.18))
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(|error| words(&error))?;
        for ((_, points), colour) in lines.iter().zip(COLOURS) {
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart.draw_series(line).map_err(|error| words(&error))?;
        }
        root.present().map_err(|error| words(&error))?;
    }
    let legend = lines.into_iter().zip(COLOURS);
    let legend = legend.map(|((name, _), RGBColor(r, g, b))| (name, format!("rgb({r},{g},{b})")));
    Ok(Plot { title, svg, legend: legend.collect() })
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// With as many digits as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        10.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn moment(at: f64, ended: u64) -> Moment {
        Moment { at, ended, ..Moment::default() }
    }

    #[test]
    fn rates_are_what_happened_between_two_moments() {
        let moments = [moment(0.0, 0), moment(2.0, 10), moment(2.01, 11), moment(3.0, 15)];
        let rates = rates(&moments, |moment| moment.ended);
        assert_eq!(rates.len(), 2, "{rates:?}");
        assert_eq!(rates[0], (2.0, 5.0));
    }

    #[test]
    fn a_line_over_time_has_few_points_and_the_last_moment() {
        let moments: Vec<_> = (0..10_000_u32).map(|at| moment(f64::from(at), 0)).collect();
        let thinned = thinned(&moments);
        assert!(thinned.len() <= POINTS + 1, "{}", thinned.len());
        assert_eq!(thinned.last(), moments.last());
    }

    #[test]
    fn shares_are_labelled_at_powers_of_ten() {
        let labels = [2.0, 10.0, 30.0, 100.0, 10_000.0].map(share);
        assert_eq!(labels, ["", "90 %", "", "99 %", "99.99 %"]);
    }

    #[test]
    fn only_shares_that_enough_were_measured_for_are_drawn() {
        let mut times = Times::new().unwrap();
        (1..=20).for_each(|ms| times.add(Duration::from_millis(ms)));
        let shares = shares(&times);
        assert_eq!(shares.last().map(|(one_in, _)| *one_in), Some(20.0));
        let lines = vec![("replays", shares), ("nothing", Vec::new())];
        let plot = by_share(lines).unwrap().unwrap();
        assert_eq!(plot.legend.len(), 1);
        assert!(plot.svg.contains("<polyline") && plot.svg.contains("milliseconds"));
        assert!(by_share(vec![("nothing", Vec::new())]).unwrap().is_none());
    }
}
