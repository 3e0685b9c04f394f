//! A test payment whose gateway moves money by now.

use super::*;

async fn continued(mode: Mode, story: Story) -> Paid {
    let owned = taken_over(|payment| {
        payment.record.account = payment.record.account.in_mode(mode);
    });
    let leased_at = story.clock.elapsed();
    let mut pay = story.pay();
    pay.terms.sends_tests = false;
    pay.execute(Box::new(owned), leased_at).await
}

#[tokio::test(start_paused = true)]
async fn a_test_payment_is_never_sent_to_a_gateway_that_moves_money() {
    let story = Story::new().look_up(not_found()).renew().never_charges().never_voids();
    let paid = continued(Mode::Test, story.never_settles().hand_over()).await;
    assert!(matches!(paid, Paid::Unfinished { cause: None, .. }), "{paid:?}");

    let story = Story::new().look_up(not_found()).renew().charge(approved()).settle();
    let paid = continued(Mode::Live, story).await;
    assert!(matches!(paid, Paid::Settled(_)), "{paid:?}");
}
