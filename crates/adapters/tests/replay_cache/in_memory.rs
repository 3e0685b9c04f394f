//! What the cache of one process promises.

use std::sync::Arc;
use std::time::Duration;

use crate::fixtures::{answer, memory, record};

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn an_answer_is_found_whole_under_its_own_key_and_account_alone() {
    let (memory, _) = memory(1 << 20);
    let kept = answer(record("one", "k"), "paid", LONG);
    memory.remember(Arc::clone(&kept));
    assert_eq!(memory.find(&record("one", "k")), Some(kept));
    for other in [record("another", "k"), record("one", "K"), record("one", "k2")] {
        assert_eq!(memory.find(&other), None, "{other:?}");
    }
}

#[test]
fn an_answer_is_found_until_its_time_is_over_and_never_after() {
    let (memory, clock) = memory(1 << 20);
    memory.remember(answer(record("one", "k"), "paid", LONG));
    clock.set(LONG - Duration::from_millis(1));
    assert!(memory.find(&record("one", "k")).is_some());
    clock.set(LONG);
    assert_eq!(memory.find(&record("one", "k")), None);
    assert_eq!((memory.entries(), memory.bytes()), (0, 0), "it is gone");
    memory.remember(answer(record("one", "k"), "paid", LONG));
    assert_eq!(memory.entries(), 0, "what is over is not taken");
}

#[test]
fn the_next_generations_answer_takes_the_place_of_the_first() {
    let (memory, clock) = memory(1 << 20);
    memory.remember(answer(record("one", "k"), "first", LONG));
    clock.set(LONG);
    let second = answer(record("one", "k"), "second", LONG * 2);
    memory.remember(Arc::clone(&second));
    assert_eq!(memory.find(&record("one", "k")), Some(second));
    assert_eq!(memory.entries(), 1);
}

#[test]
fn answers_take_no_more_bytes_than_they_are_given() {
    let limit = 256 << 10;
    let (memory, _) = memory(limit);
    let body = "x".repeat(1000);
    for number in 0..2_000 {
        memory.remember(answer(record("one", &format!("k{number}")), &body, LONG));
        assert!(memory.bytes() <= limit, "{} after {number}", memory.bytes());
    }
    let entries = u64::try_from(memory.entries()).expect("not that many");
    assert!(entries > 50, "the room is used: {entries}");
    assert!(memory.bytes() >= entries * 1_000 + entries * 2 * 5, "bodies and keys are counted");
    memory.remember(answer(record("one", "huge"), &"x".repeat(1 << 20), LONG));
    assert_eq!(memory.find(&record("one", "huge")), None, "it is larger than all the room");
    assert!(memory.bytes() <= limit);
}
