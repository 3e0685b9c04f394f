//! What the cache of all instances promises.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use payonce_domain::ports::{CachedAnswer, ReplayCache};
use payonce_testing::{Garbage, RedisCorner, RedisServer};

use crate::fixtures::{answer, eventually, from_now, record, redis};

const LONG: Duration = Duration::from_secs(3600);

/// Keeps an answer and waits until others can find it.
async fn remember(cache: &dyn ReplayCache, kept: Arc<CachedAnswer>) {
    let record = kept.record.clone();
    cache.remember(kept);
    eventually("Redis has it", async || cache.find(&record).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_finds_an_answer_whole_and_for_no_longer_than_it_lives() {
    let corner = RedisCorner::new();
    let one = redis(&corner.url, &corner.prefix).await;
    let other = redis(&corner.url, &corner.prefix).await;
    let kept = answer(record("one", "k"), "\u{0}\n„é“ 🦀", from_now(LONG));
    remember(&one, Arc::clone(&kept)).await;
    let found = other.find(&record("one", "k")).await.expect("it is there");
    assert!(found.live_until <= kept.live_until, "{found:?}");
    assert!(found.live_until + Duration::from_secs(60) > kept.live_until, "{found:?}");
    assert_eq!(found.answer.told_at, kept.answer.told_at);
    let live_until = kept.live_until;
    assert_eq!(CachedAnswer { live_until, ..(*found).clone() }, *kept);
    for another in [record("another", "k"), record("one", "K")] {
        assert_eq!(other.find(&another).await, None, "{another:?}");
    }
    let times = corner.contents().times_to_live();
    assert!(matches!(times[..], [left] if (1..=3_600_000).contains(&left)), "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_look_at_the_same_time_each_finds_their_own_answer_or_none() {
    let corner = RedisCorner::new();
    let cache = redis(&corner.url, &corner.prefix).await;
    let of = |number: u32| record("one", &format!("k{number}"));
    for number in (0..600).step_by(2) {
        remember(&cache, answer(of(number), &format!("paid {number}"), from_now(LONG))).await;
    }
    let looks = (0..600).map(async |number| (number, cache.find(&of(number)).await));
    for (number, found) in join_all(looks).await {
        let body = found.map(|found| found.answer.answer.body.clone());
        let expected = (number % 2 == 0).then(|| format!("paid {number}").into());
        assert_eq!(body, expected, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_time_is_over_is_not_found() {
    let corner = RedisCorner::new();
    let cache = redis(&corner.url, &corner.prefix).await;
    cache.remember(answer(record("one", "short"), "paid", from_now(Duration::from_millis(300))));
    remember(&cache, answer(record("one", "long"), "paid", from_now(LONG))).await;
    let short = record("one", "short");
    // Whoever looks calls it over a little before Redis does.
    let is_dropped = async || (corner.contents().keys().len() == 1).then_some(());
    eventually("Redis has dropped it", is_dropped).await;
    assert_eq!(cache.find(&short).await, None);
}

/// What was asked of a Redis that does not move is done once it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_paused_keeps_an_answer_no_longer_than_it_lives() {
    let server = RedisServer::start();
    let cache = redis(&server.url(), "payonce").await;
    remember(&cache, answer(record("one", "other"), "paid", from_now(LONG))).await;
    server.pause();
    let live_until = from_now(Duration::from_secs(1));
    cache.remember(answer(record("one", "k"), "paid", live_until));
    eventually("its time is over", async || (from_now(Duration::ZERO) >= live_until).then_some(()))
        .await;
    server.resume();
    // Questions are answered in their order, so that this one is behind what was to be kept.
    assert!(cache.find(&record("one", "other")).await.is_some());
    assert_eq!(cache.find(&record("one", "k")).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_generations_answer_takes_the_place_of_the_first_in_redis() {
    let corner = RedisCorner::new();
    let cache = redis(&corner.url, &corner.prefix).await;
    remember(&cache, answer(record("one", "k"), "first", from_now(LONG))).await;
    cache.remember(answer(record("one", "k"), "second", from_now(LONG)));
    let second = async || {
        cache.find(&record("one", "k")).await.filter(|it| it.answer.answer.body == "second")
    };
    eventually("the second is there", second).await;
    assert_eq!(corner.contents().keys().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_answer_and_makes_room_for_one() {
    for garbage in Garbage::ALL {
        let corner = RedisCorner::new();
        let cache = redis(&corner.url, &corner.prefix).await;
        let kept = answer(record("one", "k"), "paid", from_now(LONG));
        remember(&cache, Arc::clone(&kept)).await;
        assert_eq!(corner.contents().fill_with(garbage), 1);
        assert_eq!(cache.find(&record("one", "k")).await, None, "{garbage:?}");
        remember(&cache, kept).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_put_under_another_key_is_none() {
    let corner = RedisCorner::new();
    let cache = redis(&corner.url, &corner.prefix).await;
    let contents = || corner.contents();
    remember(&cache, answer(record("one", "k"), "paid", from_now(LONG))).await;
    let [from] = &contents().keys()[..] else { panic!("one key") };
    let to = from.replace(":one:", ":another:");
    contents().copy(from, &to);
    assert_eq!(cache.find(&record("another", "k")).await, None, "it is another account's");
    assert!(cache.find(&record("one", "k")).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_kept_for_longer_or_for_good_lives_no_longer_for_it() {
    let corner = RedisCorner::new();
    let cache = redis(&corner.url, &corner.prefix).await;
    let contents = || corner.contents();
    let kept = answer(record("one", "k"), "paid", from_now(Duration::from_secs(3)));
    remember(&cache, Arc::clone(&kept)).await;
    let [key] = &contents().keys()[..] else { panic!("one key") };
    contents().keep_for(key, LONG);
    let found = cache.find(&record("one", "k")).await.expect("it is there");
    assert!(found.live_until <= kept.live_until, "{found:?}");
    contents().keep_for_good(key);
    let is_over = async || cache.find(&record("one", "k")).await.is_none().then_some(());
    eventually("it is over", is_over).await;
    assert!(from_now(Duration::ZERO) + Duration::from_secs(1) > kept.live_until, "not too soon");
    assert_eq!(contents().times_to_live(), [-1], "Redis has it still");
}
