//! What only the limiter on Redis promises.

use std::time::Duration;

use payonce_testing::{Garbage, RedisServer};

use crate::harness::{
    Maker, OnRedis, account, crowd, eventually, is_allowed, limiter_on, quota, until_up,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_crowds_at_three_instances_no_more_are_let_in_than_there_are_tokens() {
    let redis = OnRedis::default();
    let mut limiters = Vec::new();
    for _ in 0..3 {
        limiters.push(redis.limiter(quota(1, 100)).await);
    }
    let (allowed, possible) = crowd(&limiters, 200).await;
    assert!((100..=possible).contains(&allowed), "{allowed} of at most {possible}");
    redis.was_asked();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_late_answer_is_enough_to_go_on_without_redis_until_it_answers_again() {
    let server = RedisServer::start();
    let (limiter, mut is_up) =
        limiter_on(&server.url(), "payonce", Duration::from_millis(300), quota(1, 20)).await;
    server.pause();
    assert!(is_allowed(&*limiter, &account("a")).await, "its own bucket is full");
    assert!(!*is_up.borrow(), "nobody else is to wait");
    server.resume();
    until_up(&mut is_up).await;
    assert!(is_allowed(&*limiter, &account("a")).await);
    assert_eq!(server.contents("payonce").keys(), ["payonce:rate:account:a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_has_buckets_of_its_own() {
    let (one, other) = (OnRedis::default(), OnRedis::default());
    let limiter = one.limiter(quota(1, 20)).await;
    eventually("it is refused", async || !is_allowed(&*limiter, &account("a")).await).await;
    let limiter = other.limiter(quota(1, 20)).await;
    assert!(is_allowed(&*limiter, &account("a")).await);
    one.was_asked();
    other.was_asked();
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_a_bucket_shuts_nobody_out_and_is_gone_after_one_request() {
    for garbage in Garbage::ALL {
        let redis = OnRedis::default();
        let limiter = redis.limiter(quota(1, 50)).await;
        assert!(is_allowed(&*limiter, &account("crowd")).await);
        assert_eq!(redis.corner.contents().fill_with(garbage), 1);
        // A full bucket, and no more than that.
        let (allowed, possible) = crowd(&[limiter], 120).await;
        assert!((50..=possible).contains(&allowed), "{garbage:?}: {allowed} of {possible}");
        redis.was_asked();
    }
}
