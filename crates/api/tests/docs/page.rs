//! The documentation as somebody uses it.

use fantoccini::key::Key;
use payonce_testing::TestDatabase;
use serde_json::{Value, json};
use url::Url;

use crate::browser::Browser;
use crate::service::{Service, tools};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_made_from_the_page_and_nothing_comes_from_elsewhere() {
    let [chromium, driver] = tools("find-browser").await.try_into().expect("two paths");
    let always_approved = [
        ("PAYONCE__GATEWAY__SIMULATED__FAILURE_RATE", "0"),
        ("PAYONCE__GATEWAY__SIMULATED__DECLINE_RATE", "0"),
    ];
    let service = Service::start(TestDatabase::sqlite(), &always_approved).await;
    let browser = Browser::start(chromium, driver).await;

    browser.open(&format!("{}/docs", service.url)).await;
    let operation = "#operations-Payments-createPayment";
    browser.click(&format!("{operation} .opblock-summary-control")).await;
    browser.click(&format!("{operation} .try-out__btn")).await;
    let key = format!("{operation} tr[data-param-name='Idempotency-Key'] input");
    let key = browser.find(&key).await;
    let select_all = format!("{}a{}", Key::Control, Key::Null);
    key.send_keys(&select_all).await.expect("it takes keys");
    key.send_keys("from-the-page").await.expect("it takes keys");
    browser.click(&format!("{operation} .execute")).await;

    let answer = format!("{operation} .live-responses-table tbody .response-col_status");
    let status = browser.find(&answer).await.text().await.expect("a text");
    assert!(status.starts_with("201"), "{status}");
    let page = service.json("/v1/payments?idempotency_key=from-the-page").await;
    assert_eq!(page.pointer("/data/0/status"), Some(&json!("COMPLETED")), "{page}");

    assert_eq!(browser.errors().await, Vec::<Value>::new());
    let requests = browser.requests().await;
    assert!(requests.iter().any(|url| url.path() == "/v1/payments"), "{requests:?}");
    // The browser begins with a page of its own, and Swagger UI's icons are in its style sheet.
    let is_its_own = |url: &Url| ["chrome", "data"].contains(&url.scheme());
    let is_elsewhere = |url: &&Url| !url.as_str().starts_with(&service.url) && !is_its_own(url);
    assert_eq!(requests.iter().find(is_elsewhere), None);
    browser.close().await;
}
