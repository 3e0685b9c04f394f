//! Every rule is there for a reason: with one switched off, the checker finds a way to break an
//! invariant.

use clap::ValueEnum;
use payonce_model::check;
use payonce_model::mutations::Mutation;
use payonce_model::protocol::Protocol;
use payonce_model::size::{Preset, Size};

fn assert_caught(mutation: Mutation, rule: &str) {
    let stays_open = mutation == Mutation::OpenIsForgotten;
    let size = Size { stays_open, ..Preset::Small.size() };
    let protocol = Protocol { size, mutation: Some(mutation) };
    let broken = check::run(protocol, 1).broken();
    assert!(broken.iter().any(|(name, _)| *name == rule), "{mutation:?} broke {broken:?}");
}

const CHARGED_TWICE: &str = "1 a key has at most one live charge";
const PAID_TWICE: &str = "1 a use of a key has one payment";
const LEFT_HANGING: &str = "2 no accepted payment is left hanging";
const LEAKED: &str = "3 no request sees another's answer";
const NOT_STORED: &str = "4 an answer once given or cached is stored";
const UNSETTLED_EXPIRED: &str = "5 an unsettled key never expires";
const EXPIRED_PAID: &str = "5 an expired key never pays again";
const UNTRUE: &str = "6 a final status is the gateway's truth";

/// A test for each mutation, named after it, with the rule that it breaks first.
macro_rules! caught {
    ($($test:ident: $mutation:ident breaks $rule:ident;)*) => {
        $(
            #[test]
            fn $test() {
                assert_caught(Mutation::$mutation, $rule);
            }
        )*

        #[test]
        fn none_is_left_out() {
            let tested = [$(Mutation::$mutation),*];
            let untested: Vec<_> = Mutation::value_variants()
                .iter()
                .filter(|mutation| !tested.contains(mutation))
                .collect();
            assert!(untested.is_empty(), "no test for {untested:?}");
        }
    };
}

caught! {
    settle_without_fence: SettleWithoutFence breaks NOT_STORED;
    unannounced_resend: UnannouncedResend breaks CHARGED_TWICE;
    no_announcement: NoAnnouncement breaks CHARGED_TWICE;
    fresh_gateway_key: FreshGatewayKey breaks CHARGED_TWICE;
    timeout_means_failed: TimeoutMeansFailed breaks UNTRUE;
    not_found_means_failed: NotFoundMeansFailed breaks UNTRUE;
    uncommitted_void_intention: UncommittedVoidIntention breaks UNTRUE;
    resend_after_void_intention: ResendAfterVoidIntention breaks UNTRUE;
    look_up_after_void_intention: LookUpAfterVoidIntention breaks UNTRUE;
    sweep_of_unsettled: SweepOfUnsettled breaks UNSETTLED_EXPIRED;
    cache_before_commit: CacheBeforeCommit breaks NOT_STORED;
    cache_without_fingerprint: CacheWithoutFingerprint breaks LEAKED;
    check_then_insert: CheckThenInsert breaks PAID_TWICE;
    delete_key_on_unknown: DeleteKeyOnUnknown breaks UNSETTLED_EXPIRED;
    resend_outside_window: ResendOutsideWindow breaks CHARGED_TWICE;
    window_checked_once_per_round: WindowCheckedOncePerRound breaks CHARGED_TWICE;
    expired_key_pays_again: ExpiredKeyPaysAgain breaks EXPIRED_PAID;
    server_error_means_not_executed: ServerErrorMeansNotExecuted breaks UNTRUE;
    unconfirmed_void_means_failed: UnconfirmedVoidMeansFailed breaks UNTRUE;
    take_over_keeps_fence: TakeOverKeepsFence breaks UNTRUE;
    answer_before_commit: AnswerBeforeCommit breaks NOT_STORED;
    replay_spelled_anew: ReplaySpelledAnew breaks NOT_STORED;
    open_is_forgotten: OpenIsForgotten breaks LEFT_HANGING;
    unknown_is_forgotten: UnknownIsForgotten breaks LEFT_HANGING;
}
