use super::*;

const DISK: fn(u32) -> Cell = |connections| Cell::fresh(Store::Disk, connections);

fn measured<const N: usize>(figures: [(Figure, f64); N]) -> Outcome {
    Outcome::Measured(Figures::from(figures))
}

fn pgbench(clients: u32) -> Cell {
    Cell::Pgbench { script: Script::Single, clients }
}

/// A service that does so many payments a second at 64 connections, and pgbench.
fn results(per_second: f64, failed: f64) -> Results {
    let service = measured([(Figure::PerSecond, per_second), (Figure::FailedShare, failed)]);
    let mut results = Results::from([(DISK(64), service)]);
    for (clients, rate) in CLIENTS.into_iter().zip([1_000.0, 4_000.0, 5_000.0, 4_500.0]) {
        results.insert(pgbench(clients), measured([(Figure::PerSecond, rate)]));
    }
    results
}

fn row(results: &Results, name: &str) -> Row {
    judge(results).into_iter().find(|row| row.name.starts_with(name)).unwrap()
}

#[test]
fn a_ratio_is_to_the_best_of_the_references() {
    let row = row(&results(31_000.0, 0.0), "fresh payments, 64");
    assert_eq!(row.reference, Some(5_000.0));
    assert_eq!(row.ratio, Some(6.2));
    assert_eq!(row.verdict, Verdict::Goal);
}

#[test]
fn between_must_and_goal_it_is_must_and_below_it_is_short() {
    let verdict = |rate| row(&results(rate, 0.0), "fresh payments, 64").verdict;
    assert_eq!(verdict(30_000.0), Verdict::Goal);
    assert_eq!(verdict(29_999.0), Verdict::Must);
    assert_eq!(verdict(20_000.0), Verdict::Must);
    assert_eq!(verdict(19_999.0), Verdict::Short);
}

#[test]
fn of_times_and_sizes_less_is_better() {
    let verdict = |resident| {
        let cell = Cell::Memory { connections: 64 };
        let results = Results::from([(cell, measured([(Figure::ResidentMb, resident)]))]);
        row(&results, "resident MB, 64").verdict
    };
    assert_eq!(verdict(32.0), Verdict::Goal);
    assert_eq!(verdict(64.0), Verdict::Must);
    assert_eq!(verdict(64.1), Verdict::Short);
}

#[test]
fn a_service_that_refuses_falls_short_however_fast() {
    let row = row(&results(31_000.0, 0.01), "fresh payments, 64");
    assert_eq!(row.verdict, Verdict::Short);
}

#[test]
fn without_one_of_the_references_there_is_no_verdict() {
    let mut results = results(31_000.0, 0.0);
    results.remove(&pgbench(32));
    let row = row(&results, "fresh payments, 64");
    assert_eq!(row.verdict, Verdict::Absent("not measured".to_owned()));
    assert_eq!(row.value, Some(31_000.0));
    assert_eq!(row.ratio, None);
}

#[test]
fn what_this_build_cannot_do_is_said_and_has_no_number() {
    let absent = Outcome::Absent("not in this build");
    let bare = measured([(Figure::PerSecond, 90_000.0)]);
    let results = Results::from([(Cell::Replays(Source::Memory), absent), (Cell::Bare, bare)]);
    let row = row(&results, "replays/s from memory");
    assert_eq!(row.verdict, Verdict::Absent("not in this build".to_owned()));
    assert_eq!(row.value, None);
}

#[test]
fn ten_million_keys_are_left_to_the_full_bench() {
    let row = row(&Results::new(), "payments/s beside 10 million");
    assert_eq!(row.verdict, Verdict::Absent("make bench-full".to_owned()));
}
