//! A server that does what it is told, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use payonce_adapters::gateway::{HttpGateway, HttpGatewaySettings};
use payonce_domain::gateway::{ChargeOutcome, GatewayKey, LookUpOutcome, VoidOutcome};
use payonce_domain::ports::PaymentGateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use uuid::Uuid;

/// The key of every request.
pub const KEY: GatewayKey = GatewayKey(Uuid::from_u128(0x5eed));
/// The bytes of every charge.
pub const REQUEST: &[u8] =
    br#"{"amount":"100.00","currency":"USD","reference":"p-1","payment_method":null}"#;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Script {
    /// Sends these bytes and ends the connection in good order.
    Send(Vec<u8>),
    /// Sends these bytes and resets the connection.
    SendAndReset(Vec<u8>),
    /// Sends these bytes, one at a time, with that pause after each.
    Drip(Vec<u8>, Duration),
    /// Resets the connection before it has read anything.
    Refuse,
}

/// A server on a port of its own.
pub struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Does the same with every request.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, notes) = (script.clone(), Arc::clone(&notes));
                tokio::spawn(async move { serve(stream, script, &notes).await });
            }
        });
        Self { address, received }
    }

    /// A gateway at this server.
    pub fn gateway(&self) -> HttpGateway {
        gateway(&format!("http://{}/base/", self.address))
    }

    /// The requests so far, head and body.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, script: Script, notes: &Mutex<Vec<String>>) {
    if matches!(script, Script::Refuse) {
        stream.set_zero_linger().expect("the system can reset");
        return;
    }
    let Some(request) = read_request(&mut stream).await else { return };
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match script {
        Script::Send(bytes) => {
            let _client_left = stream.write_all(&bytes).await;
        }
        Script::SendAndReset(bytes) => {
            let _client_left = stream.write_all(&bytes).await;
            stream.set_zero_linger().expect("the system can reset");
        }
        Script::Drip(bytes, pause) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(pause).await;
            }
        }
        Script::Refuse => {}
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.push_str(&String::from_utf8_lossy(buffer.get(..read)?));
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or_default() {
            return Some(request);
        }
    }
}

/// A gateway at that URL, with nothing special about it.
pub fn gateway(base_url: &str) -> HttpGateway {
    HttpGateway::new(&settings(base_url)).expect("it is built")
}

pub fn settings(base_url: &str) -> HttpGatewaySettings {
    HttpGatewaySettings {
        base_url: Url::parse(base_url).expect("a URL"),
        token: None,
        account: String::new(),
        connect_timeout: Duration::from_secs(2),
        environment_proxy: false,
    }
}

/// A whole answer of JSON.
pub fn json(status: u16, body: &str) -> Script {
    answer(status, "Content-Type: application/json\r\n", body)
}

/// A whole answer with these further header lines.
pub fn answer(status: u16, headers: &str, body: &str) -> Script {
    Script::Send(bytes(status, headers, body))
}

/// The bytes of a whole answer.
pub fn bytes(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Told\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// An error as the protocol spells it.
pub fn error(status: u16, code: &str) -> Script {
    json(status, &format!(r#"{{"error":{{"code":"{code}","detail":"…"}}}}"#))
}

/// Our charge in that state.
pub fn charge(status: &str) -> String {
    let decline_code = if status == "declined" { r#""no_funds""# } else { "null" };
    charge_with(&[("status", &format!("\"{status}\"")), ("decline_code", decline_code)])
}

/// Our approved charge, with other values.
pub fn charge_with(others: &[(&str, &str)]) -> String {
    let key = format!("\"{KEY}\"");
    let members = [
        ("id", r#""ch_1""#),
        ("key", &key),
        ("status", r#""approved""#),
        ("amount", r#""100.00""#),
        ("currency", r#""USD""#),
        ("reference", r#""p-1""#),
        ("decline_code", "null"),
    ];
    let members = members.map(|(name, value)| {
        let other = others.iter().find(|(other, _)| *other == name);
        format!("\"{name}\":{}", other.map_or(value, |(_, value)| value))
    });
    format!("{{{}}}", members.join(","))
}

/// Charges that are not ours, or not whole, each with what is wrong about it.
pub fn strange_charges() -> Vec<(&'static str, String)> {
    let with = |name, value| charge_with(&[(name, value)]);
    vec![
        ("another key", with("key", r#""00000000-0000-0000-0000-000000000001""#)),
        ("no key", with("key", "null")),
        ("another amount", with("amount", r#""100.01""#)),
        ("the amount in another spelling", with("amount", r#""100.0""#)),
        ("the amount as a number", with("amount", "100.00")),
        ("no amount", with("amount", "null")),
        ("another currency", with("currency", r#""EUR""#)),
        ("no currency", with("currency", "null")),
        ("an unknown state", with("status", r#""pending""#)),
        ("no id", with("id", "null")),
        ("an empty id", with("id", r#""""#)),
        ("an id that no store can hold", with("id", r#""ch_\u0000""#)),
        ("half a body", charge("approved").chars().take(40).collect()),
        ("a member twice", charge("approved").replacen('{', r#"{"amount":"1.00","#, 1)),
        ("no object", "[]".to_owned()),
        ("nothing", String::new()),
    ]
}

/// The outcome of a charge that meets this script.
pub async fn charging(script: Script) -> ChargeOutcome {
    Server::start(script).await.gateway().charge(KEY, REQUEST).await
}

/// The outcome of a look-up that meets this script.
pub async fn looking_up(script: Script) -> LookUpOutcome {
    Server::start(script).await.gateway().look_up(KEY, REQUEST).await
}

/// The outcome of a void that meets this script.
pub async fn voiding(script: Script) -> VoidOutcome {
    Server::start(script).await.gateway().void(KEY, REQUEST).await
}
