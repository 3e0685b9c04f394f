//! What every limiter promises.

use std::time::Duration;

use payonce_domain::ports::{RateDecision, RateSubject};

use crate::harness::{Maker, account, crowd, eventually, is_allowed, quota};

pub async fn a_bucket_lets_in_as_many_as_it_holds_and_counts_them(make: &dyn Maker) {
    let limiter = make.limiter(quota(1, 100)).await;
    let mut last = 100;
    while last > 0 {
        match limiter.check(&account("a")).await {
            // Tokens may come back while the test is kept waiting.
            RateDecision::Allowed { remaining } => {
                assert!((last - 1..100).contains(&remaining), "{remaining} after {last}");
                last = remaining;
            }
            RateDecision::Refused { .. } => panic!("refused with {last} tokens left"),
        }
    }
    eventually("it is refused", async || match limiter.check(&account("a")).await {
        RateDecision::Allowed { .. } => false,
        RateDecision::Refused { retry_after } => {
            assert!(!retry_after.is_zero() && retry_after <= Duration::from_secs(1));
            true
        }
    })
    .await;
}

pub async fn of_a_crowd_no_more_are_let_in_than_there_are_tokens(make: &dyn Maker) {
    let limiter = make.limiter(quota(1, 100)).await;
    let (allowed, possible) = crowd(&[limiter], 400).await;
    assert!((100..=possible).contains(&allowed), "{allowed} of at most {possible}");
}

pub async fn each_subject_has_a_bucket_of_its_own(make: &dyn Maker) {
    let limiter = make.limiter(quota(1, 20)).await;
    let address = |text: &str| RateSubject::of_address(text.parse().expect("an address"));
    let others = [account("b"), address("192.0.2.1"), address("2001:db8::1")];
    eventually("it is refused", async || !is_allowed(&*limiter, &account("a")).await).await;
    for other in others {
        assert!(is_allowed(&*limiter, &other).await, "{other:?}");
    }
}

pub async fn tokens_come_back(make: &dyn Maker) {
    let limiter = make.limiter(quota(2, 20)).await;
    for _ in 0..3 {
        eventually("it is refused", async || !is_allowed(&*limiter, &account("a")).await).await;
        eventually("it is let in", async || is_allowed(&*limiter, &account("a")).await).await;
    }
}
