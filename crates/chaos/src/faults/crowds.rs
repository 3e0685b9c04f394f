//! Very many clients at once, and clients that are slow, silent, and gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Victim;
use crate::Failure;
use crate::clients::{self, Seen};
use crate::history::{Format, Payment};

/// Clients that want one key.
const HERD: usize = 1_000;
/// Clients of each unpleasant kind.
const CROWD: usize = 150;

/// A thousand clients ask for one fresh key, at all instances.
pub async fn herd(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for round in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        let format = match round % 3 {
            0 => Format::Canonical,
            1 => Format::Order,
            _ => Format::Pay,
        };
        let key = format!("{}-herd-{round}", victim.shared.terms.key_prefix);
        let mut payment = Payment::new(format, key, random.random_range(100..100_000));
        let body = clients::body_of(victim.shared, &payment);
        let asking: Vec<_> = (0..HERD)
            .map(|_| {
                let mut own = StdRng::seed_from_u64(random.random());
                clients::ask(victim.shared, &payment, &body, &mut own)
            })
            .collect();
        let began = Instant::now();
        let seen = futures_util::future::join_all(asking).await;
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for one in seen {
            *kinds.entry(one.kind()).or_default() += 1;
            clients::note(victim.shared, &mut payment, one);
        }
        victim
            .told
            .note(format!("a herd of {HERD} in {} ms: {kinds:?}", began.elapsed().as_millis()));
        victim.shared.history.payments().push(payment);
        victim.scene.timeline.fault("herd", "one key", from);
        sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}

/// Clients that send a byte a second, those that send nothing, and those that ask and are gone.
pub async fn hostile(victim: &Victim<'_>, random: &mut StdRng) -> Result<(), Failure> {
    for round in 0..victim.size.faults {
        let from = victim.scene.timeline.now();
        let mut crowd = JoinSet::new();
        for number in 0..CROWD {
            for kind in 0..3 {
                let address = victim.shared.any(random).replace("http://", "");
                crowd.spawn(slow(address, kind));
            }
            let key = format!("{}-gone-{round}-{number}", victim.shared.terms.key_prefix);
            let payment = Payment::new(Format::Canonical, key, random.random_range(100..100_000));
            let address = victim.shared.any(random).replace("http://", "");
            let body = clients::body_of(victim.shared, &payment);
            let wait = Duration::from_millis(random.random_range(0..20));
            crowd.spawn(gone(address, payment.key.clone(), body, wait));
            // Asked for again in the end, as by a client that comes back.
            victim.shared.history.payments().push(payment);
        }
        let mut slowest = Duration::ZERO;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(8) {
            let probe = Instant::now();
            let key = format!(
                "{}-probe-{round}-{}",
                victim.shared.terms.key_prefix,
                began.elapsed().as_millis()
            );
            let mut payment = Payment::new(Format::Canonical, key, 100);
            let body = clients::body_of(victim.shared, &payment);
            let seen = clients::ask(victim.shared, &payment, &body, random).await;
            if matches!(seen, Seen::Final(_)) {
                slowest = slowest.max(probe.elapsed());
            }
            clients::note(victim.shared, &mut payment, seen);
            victim.shared.history.payments().push(payment);
            sleep(Duration::from_millis(100)).await;
        }
        let still = crowd.len();
        while crowd.try_join_next().is_some() {}
        let left = crowd.len();
        victim.told.note(format!(
            "of {still} unpleasant clients {left} were still connected after 8 s; the slowest \
             payment meanwhile took {} ms",
            slowest.as_millis()
        ));
        crowd.shutdown().await;
        victim.scene.timeline.fault("unpleasant clients", "all instances", from);
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Sends its head or body byte by byte, or nothing at all, until it is thrown out.
async fn slow(address: String, kind: u8) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&address).await?;
    let head = "POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                idempotency-key: slow\r\ncontent-length: 400\r\n\r\n";
    let rest = match kind {
        0 => head.to_owned(),
        1 => {
            stream.write_all(head.as_bytes()).await?;
            " ".repeat(400)
        }
        _ => String::new(),
    };
    for byte in rest.bytes() {
        stream.write_all(&[byte]).await?;
        sleep(Duration::from_secs(1)).await;
    }
    // Until the other side has had enough.
    stream.readable().await?;
    Ok(())
}

/// Asks for a payment and resets the connection.
async fn gone(address: String, key: String, body: String, wait: Duration) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&address).await?;
    let length = body.len();
    let request = format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    sleep(wait).await;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
