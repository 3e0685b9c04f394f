//! What the rate limiters promise: both keep the port's promises, and the one on Redis those that
//! only it can make.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a promise that is not kept must fail its test"
)]

mod buckets;
mod harness;
mod shared;

macro_rules! promises {
    ($($promise:ident,)+) => {
        mod local {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $promise() {
                    crate::buckets::$promise(&crate::harness::Local).await;
                }
            )+
        }
        mod redis {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $promise() {
                    let redis = crate::harness::OnRedis::default();
                    crate::buckets::$promise(&redis).await;
                    redis.was_asked();
                }
            )+
        }
    };
}

promises! {
    a_bucket_lets_in_as_many_as_it_holds_and_counts_them,
    of_a_crowd_no_more_are_let_in_than_there_are_tokens,
    each_subject_has_a_bucket_of_its_own,
    tokens_come_back,
}
