//! A bare connection, for what no HTTP client would send.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::Answer;

/// A connection to the service.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        Self { stream, read: Vec::new() }
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).await.expect("the service reads");
        self
    }

    /// Sends these bytes; false when the service does not read any more.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Sends nothing more, and still reads.
    pub async fn finish_sending(&mut self) -> &mut Self {
        self.stream.shutdown().await.expect("the connection is open");
        self
    }

    /// The next answer, or `None` at the connection's end.
    pub async fn try_answer(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = find(&self.read, b"\r\n\r\n") {
                break at;
            }
            if !self.read_more().await {
                assert!(self.read.is_empty(), "half an answer: {:?}", self.read);
                return None;
            }
        };
        let head = String::from_utf8(self.read[..head_end].to_vec()).expect("ASCII");
        let (status, headers) = parse_head(&head);
        let length = headers.get("content-length").map_or(0, |length| {
            length.to_str().ok().and_then(|length| length.parse().ok()).expect("a length")
        });
        let body_end = head_end + 4 + length;
        while self.read.len() < body_end {
            assert!(self.read_more().await, "the connection ended within a body");
        }
        let rest = self.read.split_off(body_end);
        let body = std::mem::replace(&mut self.read, rest).split_off(head_end + 4);
        Some(Answer { status, headers, body }.shows_no_secret())
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("the service answers before it closes the connection")
    }

    /// The service ends the connection and says nothing more.
    pub async fn is_ended(&mut self) {
        assert_eq!(self.try_answer().await, None);
    }

    /// Closes the connection as a client does that goes away in good order.
    pub fn close(self) {
        drop(self.stream);
    }

    /// Closes the connection by a reset, as a client does that is killed.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(self.stream);
    }

    async fn read_more(&mut self) -> bool {
        let read = timeout(Duration::from_secs(30), self.stream.read_buf(&mut self.read)).await;
        matches!(read.expect("the service answers or closes the connection"), Ok(1..))
    }
}

/// A request in the bytes of HTTP/1.1.
pub fn request(line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nHost: localhost\r\n");
    for header in headers {
        text = format!("{text}{header}\r\n");
    }
    [text.as_bytes(), b"\r\n", body.as_ref()].concat()
}

/// A request for a payment in the bytes of HTTP/1.1, with its length.
pub fn payment(headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.as_ref().len());
    let all = [&["Content-Type: application/json", length.as_str()], headers].concat();
    request("POST /v1/payments", &all, body)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn parse_head(head: &str) -> (u16, HeaderMap) {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':').expect("a header");
        let name: HeaderName = name.parse().expect("a header's name");
        (name, value.trim().parse::<HeaderValue>().expect("a header's value"))
    });
    let mut map = HeaderMap::new();
    headers.for_each(|(name, value)| {
        map.append(name, value);
    });
    (status.expect("a status line"), map)
}
