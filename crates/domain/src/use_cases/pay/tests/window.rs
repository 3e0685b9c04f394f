//! What the gateway's deduplication window allows.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_take_over_outside_the_dedupe_window_only_looks_up() {
    for (found, is_found) in [(not_found(), false), (LookUpOutcome::Approved(charged()), true)] {
        let owned = taken_over(|payment| {
            payment.first_sent_at = Some(payment.created_at - TERMS.dedupe_window);
        });
        let story = Story::new().look_up(found).never_charges().never_voids().never_renews();
        let story = if is_found { story.settle() } else { story.never_settles().hand_over() };
        let ended = story.of(owned).await;
        if is_found {
            assert!(ended.is_completed());
        } else {
            assert_eq!(ended.unfinished().0.attempts, 1);
            assert_eq!(ended.told.kinds(), ["look_up", "handed_over"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_sleeps_past_the_dedupe_window_between_two_attempts_sends_no_more() {
    let story = Story::new();
    let (clock, window) = (Arc::clone(&story.clock), TERMS.dedupe_window);
    let fresh = story.charge_with(move || {
        clock.jump(window);
        unknown()
    });
    let ended = fresh.hand_over().never_settles().of_fresh().await;
    assert_eq!(ended.told.charges.len(), 1);

    let story = Story::new();
    let clock = Arc::clone(&story.clock);
    let queued = story.renew().charge_with(move || {
        clock.jump(window);
        unknown()
    });
    let never_sent = taken_over(|payment| {
        payment.attempts = 0;
        payment.first_sent_at = None;
    });
    let ended = queued.hand_over().never_settles().of(never_sent).await;
    assert_eq!(ended.told.charges.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_charge_announced_inside_the_dedupe_window_is_not_sent_outside_it() {
    let second = Duration::from_secs(1);
    let story = Story::new().look_up(not_found());
    let clock = Arc::clone(&story.clock);
    let story = story.renew_with(move || {
        clock.jump(second * 2);
        Ok(Renewed::Granted)
    });
    let nearly_over = taken_over(|payment| {
        payment.first_sent_at = Some(payment.created_at - (TERMS.dedupe_window - second));
    });
    let ended = story.never_charges().never_voids().hand_over().of(nearly_over).await;
    assert_eq!(ended.told.kinds(), ["look_up", "handed_over"]);
}
