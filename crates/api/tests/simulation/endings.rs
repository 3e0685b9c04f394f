//! How a run ends: with a page, and early where it is told to.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::run::{ended, run, simulate};
use crate::stub::{Break, Stub};

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_one_page_that_asks_nobody() {
    let stub = Stub::that(Break::RespellsAnswers);
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("report.html");
    let path = file.to_str().expect("it is text");
    let arguments = ["--payments", "100", "--duplicates", "0.5", "--report", path];
    let ended = run(&[["--url", &stub.url].as_slice(), &arguments].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let page = std::fs::read_to_string(&file).expect("the page is there");
    assert!(page.contains(ended.last_line()), "{page}");
    assert!(page.contains("answers differ from the first"), "{page}");
    assert!(page.matches("<svg").count() >= 1, "{page}");
    let asks = ["<script", "<link", "src=", "href=", "@import", "url("];
    let asked: Vec<_> = asks.iter().filter(|word| page.contains(**word)).collect();
    assert!(asked.is_empty(), "the page asks for more: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_interrupted_judges_what_it_has() {
    for signal in [Signal::INT, Signal::TERM] {
        let stub = Stub::that(Break::Nothing);
        let gateway = stub.gateway();
        let arguments = ["--payments", "10000000", "--gateway-url", &gateway];
        let mut command = simulate(&[["--url", &stub.url].as_slice(), &arguments].concat());
        let child = command.spawn().expect("the binary runs");
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");
        let running = tokio::spawn(child.wait_with_output());
        let under_way = async {
            while stub.payments() < 100 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(60), under_way).await.expect("it pays");
        kill_process(id, signal).expect("it is ours");
        let output = running.await.expect("it is waited for").expect("it ends");
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {out}");
        assert!(out.contains("ended early: "), "{signal:?}: {out}");
        let last = out.lines().last().unwrap_or_default();
        assert!(last.starts_with("ended early, all promises kept so far: "), "{signal:?}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_own_service_says_is_told_where_it_does_not_start() {
    let mut command = simulate(&["--payments", "1"]);
    command.env("PAYONCE__GATEWAY__ATTEMPTS", "none");
    let ended = ended(command).await;
    assert_eq!((ended.code, &*ended.out), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("the service ended: "), "{ended:?}");
    assert!(ended.err.contains("gateway.attempts"), "{ended:?}");
}
