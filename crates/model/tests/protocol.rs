//! The protocol as it is: every rule holds, and everything that should happen does.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use payonce_model::check::{self, Outcome};
use payonce_model::protocol::Protocol;
use payonce_model::size::{AfterExpiry, Preset, Size};
use payonce_model::state::Budget;
use stateright::Model;

fn check(size: Size) -> Outcome {
    check::run(Protocol { size, mutation: None }, 2)
}

fn assert_holds(size: Size) {
    let outcome = check(size);
    assert!(outcome.is_complete, "{size}: broken: {:?}", outcome.broken());
}

#[test]
fn every_rule_holds_and_nothing_holds_for_want_of_trying() {
    let outcome = check(Preset::Small.size());
    assert!(outcome.is_good(), "{:?}", outcome.verdicts);
}

#[test]
fn payments_left_to_recovery_follow_the_same_rules() {
    assert_holds(Size { is_queued: true, requests: 3, ..Preset::Small.size() });
}

#[test]
fn payments_left_open_for_their_clients_follow_the_same_rules() {
    let outcome = check(Size { stays_open: true, ..Preset::Small.size() });
    assert!(outcome.is_good(), "{:?}", outcome.verdicts);
}

#[test]
fn commits_in_doubt_change_nothing() {
    let small = Preset::Small.size();
    let budget = Budget { faults: 1, doubts: 1, ..small.budget };
    assert_holds(Size { workers: 1, budget, ..small });
}

#[test]
fn a_key_reused_after_its_expiry_follows_the_same_rules() {
    let small = Preset::Small.size();
    let budget = Budget { faults: 1, ..small.budget };
    let after_expiry = AfterExpiry::Reuse;
    assert_holds(Size { others: 0, workers: 1, budget, after_expiry, ..small });
}

#[test]
fn one_attempt_leaves_more_faults_to_the_void() {
    assert_holds(Size { attempts: 1, ..Preset::Small.size() });
}

/// Without cycles, whatever has not happened where nothing is left to do never happens.
#[test]
fn no_state_is_reached_twice_on_one_way() {
    let small = Preset::Small.size();
    let budget = Budget { faults: 1, doubts: 1, ..small.budget };
    let protocol = Protocol { size: Size { workers: 1, budget, ..small }, mutation: None };
    let hasher = RandomState::new();
    let successors = |state: &_| {
        let mut actions = Vec::new();
        protocol.actions(state, &mut actions);
        actions.into_iter().filter_map(|action| protocol.next_state(state, action)).collect()
    };
    // By the state's hash: whether the way from here is still being followed.
    let mut is_on_the_way = HashMap::new();
    let mut way: Vec<(u64, Vec<_>)> = Vec::new();
    for state in protocol.init_states() {
        let hash = hasher.hash_one(&state);
        is_on_the_way.insert(hash, true);
        way.push((hash, successors(&state)));
    }
    while let Some((hash, ahead)) = way.last_mut() {
        let Some(next) = ahead.pop() else {
            is_on_the_way.insert(*hash, false);
            way.pop();
            continue;
        };
        let hash = hasher.hash_one(&next);
        match is_on_the_way.get(&hash) {
            Some(is_cycle) => assert!(!is_cycle, "a cycle leads back to {next}"),
            None => {
                is_on_the_way.insert(hash, true);
                way.push((hash, successors(&next)));
            }
        }
    }
}
