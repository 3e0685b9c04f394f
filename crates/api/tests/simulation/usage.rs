//! What can be asked for wrongly: 2, and what could not be done: 1.

use crate::run::run;
use crate::stub::{Break, Stub};

#[tokio::test]
async fn wrong_usage_is_told_before_anything_is_done() {
    let wrong = [
        (["--clients", "0"].as_slice(), "--clients"),
        (&["--clients", "10001"], "--clients"),
        (&["--payments", "0"], "--payments"),
        (&["--duplicates", "1.5"], "--duplicates"),
        (&["--failure-rate=-0.1"], "--failure-rate"),
        (&["--failure-rate=NaN"], "--failure-rate"),
        (&["--async", "2"], "--async"),
        (&["--impatient", "much"], "--impatient"),
        (&["--patience", "soon"], "--patience"),
        (&["--seed", "x"], "--seed"),
        (&["--url", "127.0.0.1:8000"], "--url"),
        (&["--url", "http://127.0.0.1:1", "--failure-rate", "0.1"], "--failure-rate"),
        (&["--url", "http://127.0.0.1:1", "--database-url", "sqlite://x.db"], "--database-url"),
        (&["--gateway-url", "http://127.0.0.1:1/fake-gateway"], "--url"),
        (&["--report", "no/such/folder/report.html"], "--report"),
        (&["--payment", "5"], "--payment"),
    ];
    for (arguments, named) in wrong {
        let ended = run(arguments).await;
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(named), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_wants_a_key_is_told_of_as_wrong_usage() {
    let stub = Stub::that(Break::WantsAKey);
    let ended = run(&["--url", &stub.url]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("--api-key"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_failure() {
    let nobody = "http://127.0.0.1:9";
    let ended = run(&["--url", nobody]).await;
    assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("does not answer"), "{ended:?}");
    let stub = Stub::that(Break::Nothing);
    let no_gateway = format!("{}/nothing", stub.url);
    let ended = run(&["--url", &stub.url, "--gateway-url", &no_gateway]).await;
    assert_eq!((ended.code, stub.payments()), (Some(1), 0), "{ended:?}");
    assert!(ended.err.contains("shows no books"), "{ended:?}");
}
