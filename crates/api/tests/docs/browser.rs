//! A Chromium without a window, driven through its WebDriver.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use url::{ParseError, Url};

/// The longest time for anything to appear.
const PATIENCE: Duration = Duration::from_secs(60);

const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,2400",
];

/// A browser; it ends with this.
pub struct Browser {
    client: Client,
    _driver: Child,
    _dead_end: JoinHandle<()>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one that knows nothing yet.
    pub async fn start(chromium: PathBuf, driver: PathBuf) -> Self {
        let profile = TempDir::new().expect("a temporary folder");
        let (proxy, dead_end) = dead_end().await;
        let (driver, url) = start_driver(driver).await;
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        // A browser asks its maker for this and that. Here nothing gets further than this machine,
        // so that a page which needs another host does not work.
        flags.push(format!("--proxy-server=http://{proxy}"));
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": {"binary": chromium, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }) else {
            panic!("it is an object");
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&url)
            .await
            .expect("the browser starts");
        Self { client, _driver: driver, _dead_end: dead_end, _profile: profile }
    }

    /// Opens a page.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Waits for an element.
    pub async fn find(&self, selector: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector));
        found.await.unwrap_or_else(|error| panic!("{selector} did not appear: {error}"))
    }

    /// Waits for an element and clicks it.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// The errors in the page's console.
    pub async fn errors(&self) -> Vec<Value> {
        let mut entries = self.log("browser").await;
        entries.retain(|entry| entry.get("level").is_some_and(|level| level == "SEVERE"));
        entries
    }

    /// The URL of every request that the page made, blocked ones included.
    pub async fn requests(&self) -> Vec<Url> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|entry| {
            let message: Value = serde_json::from_str(entry.get("message")?.as_str()?).ok()?;
            let is_request = message.pointer("/message/method")? == "Network.requestWillBeSent";
            let url = message.pointer("/message/params/request/url")?.as_str()?;
            is_request.then(|| url.parse().expect("a URL"))
        });
        messages.collect()
    }

    /// Ends it in good order.
    pub async fn close(self) {
        self.client.close().await.expect("the browser ends");
    }

    async fn log(&self, kind: &'static str) -> Vec<Value> {
        let entries = self.client.issue_cmd(Log { kind }).await.expect("the driver has a log");
        entries.as_array().expect("a list").clone()
    }
}

/// Asks the driver for what was logged since the last time.
#[derive(Debug)]
struct Log {
    kind: &'static str,
}

impl WebDriverCompatibleCommand for Log {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": self.kind}).to_string()))
    }
}

/// A driver on a port of its own choice.
async fn start_driver(driver: PathBuf) -> (Child, String) {
    let mut command = Command::new(driver);
    command.arg("--port=0").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the driver runs");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let port = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it says where it listens");
        let line = line.expect("UTF-8").expect("it says where it listens");
        if let Some((_, port)) = line.split_once("successfully on port ") {
            break port.trim_end_matches('.').to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, format!("http://127.0.0.1:{port}"))
}

/// A proxy that lets nothing through.
async fn dead_end() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let refusing = async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream)
        }
    };
    (address, tokio::spawn(refusing))
}
