//! Sends webhooks over many connections, three of ten a duplicate, and tells how long they took.
//!
//! `webhook_load ADDRESS [COUNT] [CONNECTIONS]`: plain sockets, so that the client costs little
//! beside the service on one machine. Knows nothing of the service but its address.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on must end, and tells its figures"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One answer: its status, and how long it took.
type Sample = (u16, Duration);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().expect("an address, such as 127.0.0.1:8000");
    let mut number = |default| arguments.next().map_or(default, |it| it.parse().expect("a number"));
    let (count, connections) = (number(10_000), number(64));
    let next = Arc::new(AtomicUsize::new(0));
    let run = std::process::id();
    let began = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(client(address.clone(), Arc::clone(&next), count, run)))
        .collect();
    let mut samples = Vec::with_capacity(count);
    for client in clients {
        samples.extend(client.await.expect("no client panics"));
    }
    report(samples, began.elapsed());
}

/// Sends what nobody has sent yet, one after another on one connection.
async fn client(address: String, next: Arc<AtomicUsize>, count: usize, run: u32) -> Vec<Sample> {
    let mut stream = TcpStream::connect(&address).await.expect("the service listens");
    stream.set_nodelay(true).expect("the socket is ours");
    let mut samples = Vec::new();
    let mut buffer = vec![0; 16_384];
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return samples;
        }
        let original = if n % 10 < 7 { n } else { n.saturating_sub(7) };
        let body = format!(
            r#"{{"transaction_id":"txn_{run}_{original}","source_account":"acc_user_1","destination_account":"acc_merchant_1","amount":1500,"currency":"INR"}}"#
        );
        let request = format!(
            "POST /v1/webhooks/transactions HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let status = answer(&mut stream, &mut buffer).await;
        samples.push((status, began.elapsed()));
    }
}

/// Reads one whole answer.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut length = 0;
    loop {
        let rest = buffer.get_mut(length..).expect("an answer is short");
        let read = stream.read(rest).await.expect("it answers");
        assert!(read > 0, "the connection was closed");
        length = length.saturating_add(read);
        let text = std::str::from_utf8(buffer.get(..length).expect("read")).expect("UTF-8");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let announced = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if body.len() >= announced.unwrap_or(0_usize) {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            return status.expect("it begins with a status");
        }
    }
}

fn report(mut samples: Vec<Sample>, took: Duration) {
    samples.sort_unstable_by_key(|sample| sample.1);
    let mut statuses = BTreeMap::<u16, usize>::new();
    for (status, _) in &samples {
        let seen = statuses.entry(*status).or_default();
        *seen = seen.saturating_add(1);
    }
    let at = |per_mille: usize| {
        let place = samples.len().saturating_mul(per_mille).div_euclid(1_000);
        let (_, latency) = samples.get(place).or(samples.last()).expect("there is an answer");
        *latency
    };
    println!("answers by status: {statuses:?}, in {took:.2?}");
    println!(
        "p50 {:.1?}  p99 {:.1?}  p99.9 {:.1?}  max {:.1?}",
        at(500),
        at(990),
        at(999),
        at(1_000)
    );
}
