//! Thousands of seeds, of which each must keep every promise; and broken builds, each of which one
//! of few seeds must find.

use std::env;
use std::time::Instant;

use super::run::{Seen, run};
use super::world::Break;
use crate::sabotage::{Rule, break_in_this_thread};

/// Seeds of each of the two shares in a plain `cargo test`.
const SEEDS: u64 = 1_000;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

/// Runs a seed again, this time with a trace, and ends the test with it.
fn fail(seed: u64, violation: &str) -> ! {
    let trace = run(seed, None, true).trace.join("\n");
    panic!(
        "{trace}\n\nseed {seed}: {violation}\nrepeat it with\n\n    make seeds RUN=seed={seed}\n"
    );
}

fn check(seeds: impl Iterator<Item = u64>) -> Seen {
    let mut all = Seen::default();
    for seed in seeds {
        let outcome = run(seed, None, false);
        if let Some(violation) = &outcome.violation {
            fail(seed, violation);
        }
        all.add(&outcome.seen);
    }
    all
}

/// Every other seed; of so many that a plain run has, everything happens in some.
fn check_share(of: u64) {
    let many = number("PAYONCE_SEEDS").map_or(SEEDS, |all| all.div_ceil(2));
    let first = number("PAYONCE_FIRST_SEED").unwrap_or(0);
    let began = Instant::now();
    let seen = check((first..first + 2 * many).filter(|seed| seed % 2 == of));
    println!("{many} seeds in {:?}: {seen:?}", began.elapsed());
    if many >= SEEDS {
        seen.assert_all_happened();
    }
}

#[test]
fn every_even_seed_keeps_every_promise_and_none_for_want_of_trying() {
    check_share(0);
}

#[test]
fn every_odd_seed_keeps_every_promise_and_none_for_want_of_trying() {
    check_share(1);
}

#[test]
fn one_seed() {
    let seed = number("PAYONCE_SEED").unwrap_or(1);
    let outcome = run(seed, None, true);
    if let Some(violation) = &outcome.violation {
        fail(seed, violation);
    }
    println!("{}", outcome.trace.join("\n"));
    assert!(outcome.seen.payments + outcome.seen.opaque > 0);
}

#[test]
fn one_seed_is_one_run() {
    for seed in 0..60 {
        let (one, other) = (run(seed, None, true), run(seed, None, true));
        let differ = one.trace.iter().zip(&other.trace).find(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}");
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn two_seeds_are_two_runs() {
    assert_ne!(run(1, None, true).trace, run(2, None, true).trace);
}

/// How many seeds it takes to find that something is broken.
fn seeds_until_found(broken: Option<Break>, most: u64) -> u64 {
    let found = (0..most).find_map(|seed| Some((seed, run(seed, broken, false).violation?)));
    let (seed, violation) = found.unwrap_or_else(|| panic!("not found within {most} seeds"));
    println!("found by seed {seed}: {violation}");
    seed + 1
}

const MOST: u64 = 500;

fn assert_rule_is_needed(rule: Rule) {
    let _broken = break_in_this_thread(rule);
    seeds_until_found(None, MOST);
}

/// A test for each rule of the domain, named after what is broken.
macro_rules! needed {
    ($($test:ident: $rule:ident;)*) => {
        $(
            #[test]
            fn $test() {
                assert_rule_is_needed(Rule::$rule);
            }
        )*
    };
}

needed! {
    writes_of_former_owners_are_found: Fence;
    a_fresh_gateway_key_for_each_send_is_found: GatewayKey;
    a_timeout_that_means_failed_is_found: Doubt;
    decisions_without_the_lock_are_found: RowLock;
    replays_spelled_anew_are_found: Verbatim;
    what_is_accepted_before_it_is_stored_is_found: Durable;
}

/// The same for what is broken in the store or on the way to the gateway.
macro_rules! found {
    ($($test:ident: $broken:ident;)*) => {
        $(
            #[test]
            fn $test() {
                seeds_until_found(Some(Break::$broken), MOST);
            }
        )*
    };
}

found! {
    checking_and_then_inserting_is_found: CheckThenInsert;
    forgetting_what_is_under_way_is_found: ForgottenUnderWay;
    acknowledging_before_storing_is_found: EarlyAcknowledgement;
    charging_another_amount_is_found: OtherAmount;
}
