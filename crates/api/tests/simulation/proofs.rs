//! That it can fail: every promise is broken once, by a stub, and must be found broken.

use crate::run::{Ended, run};
use crate::stub::{Break, Stub};

/// A short run against the stub, whose books are read.
async fn against(stub: &Stub) -> Ended {
    let gateway = stub.gateway();
    let common = ["--url", &stub.url, "--clients", "8", "--payments", "100", "--seed", "1"];
    let more = ["--duplicates", "0.5", "--patience", "2s", "--gateway-url", &gateway];
    run(&[common.as_slice(), &more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_keeps_its_promises_passes() {
    let stub = Stub::that(Break::Nothing);
    let ended = against(&stub).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let last = "all promises kept: 100 payments, 100 charges, 0 double charges";
    assert_eq!(ended.last_line(), last);
    assert_eq!(stub.payments(), 100);
    assert!(ended.out.contains("by the gateway's books"), "{ended:?}");
    assert!(ended.row("replays") > 20 && ended.row("conflicts") > 2, "{ended:?}");
    assert!(ended.row("requests") > 130, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promise_that_is_broken_is_found_broken() {
    let all = [
        (Break::ChargesRepeats, "double charges"),
        (Break::PaysRepeats, "double charges"),
        (Break::PaysRepeats, "differing answers"),
        (Break::RespellsAnswers, "differing answers"),
        (Break::PaysOtherAmounts, "other requests executed"),
        (Break::ChargesNothing, "lost payments"),
        (Break::CallsPaidFailed, "lost payments"),
        (Break::KnowsNoPayments, "strange answers"),
    ];
    for (broken, row) in all {
        let ended = against(&Stub::that(broken)).await;
        assert_eq!(ended.code, Some(1), "{broken:?}: {ended:?}");
        assert!(ended.row(row) > 0, "{broken:?}: {ended:?}");
        assert!(ended.last_line().starts_with("PROMISES BROKEN: "), "{broken:?}: {ended:?}");
        assert!(ended.out.contains("FOUND  sim-"), "{broken:?}: {ended:?}");
        assert!(ended.err.contains("a promise was broken"), "{broken:?}: {ended:?}");
        let charges_twice = [Break::ChargesRepeats, Break::PaysRepeats].contains(&broken);
        assert_eq!(ended.row("double charges") > 0, charges_twice, "{broken:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_settled_is_no_success() {
    let ended = against(&Stub::that(Break::NeverSettles)).await;
    assert_eq!((ended.code, ended.row("not settled in time")), (Some(1), 100), "{ended:?}");
    assert_eq!((ended.row("accepted (202)"), ended.row("lost payments")), (100, 0), "{ended:?}");
    let last = "NOT ALL SETTLED: 100 payments, 0 charges, 0 double charges";
    assert_eq!(ended.last_line(), last);
    assert!(ended.err.contains("100 payments had no final answer within 2s"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_books_answers_are_judged_and_the_table_says_so() {
    for (broken, code) in [(Break::Nothing, 0), (Break::PaysRepeats, 1)] {
        let stub = Stub::that(broken);
        let ended = run(&["--url", &stub.url, "--payments", "50", "--duplicates", "1"]).await;
        assert_eq!(ended.code, Some(code), "{broken:?}: {ended:?}");
        assert_eq!(ended.row("double charges") > 0, code == 1, "{ended:?}");
        assert!(ended.out.contains("by answers alone"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_the_service_asks_for_is_made() {
    let stub = Stub::that(Break::Throttles);
    let arguments =
        ["--payments", "30", "--clients", "30", "--duplicates", "0", "--impatient", "0"];
    let ended = run(&[["--url", &stub.url].as_slice(), &arguments].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!((ended.row("retries"), stub.hasty()), (30, 0), "{ended:?}");
}
