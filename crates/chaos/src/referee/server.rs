//! The referee on the wire: the protocol's routes, and what spoils them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use uuid::Uuid;

use super::behaviour::{AskTrick, Behaviour, ChargeTrick};
use super::ledger::{Arrival, Contents, Known, Ledger, Void};
use super::wire::{Reply, Request, Wire};
use crate::Failure;

#[derive(Debug)]
struct State {
    ledger: Ledger,
    behaviour: Behaviour,
    random: StdRng,
    tricks: BTreeMap<String, u64>,
    late: u64,
}

/// The gateway.
pub struct Referee {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: Mutex<Option<AbortHandle>>,
}

#[derive(Deserialize)]
struct ChargeBody {
    amount: String,
    currency: String,
    reference: String,
    payment_method: Option<String>,
}

impl Referee {
    /// Listens on a port of its own.
    pub async fn start(seed: u64, window: Duration) -> Result<Arc<Self>, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let state = State {
            ledger: Ledger::new(window),
            behaviour: Behaviour::usual(),
            random: StdRng::seed_from_u64(seed),
            tricks: BTreeMap::new(),
            late: 0,
        };
        let referee = Arc::new(Self {
            address: listener.local_addr()?,
            state: Arc::new(Mutex::new(state)),
            listening: Mutex::new(None),
        });
        referee.listen(listener);
        Ok(referee)
    }

    /// What the protocol's paths are appended to.
    pub fn base_url(&self) -> String {
        format!("http://{}/gateway", self.address)
    }

    /// From now on it behaves like this.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
    }

    /// Reads the books.
    pub fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.state().ledger)
    }

    /// How often each trick was played.
    pub fn tricks(&self) -> BTreeMap<String, u64> {
        self.state().tricks.clone()
    }

    /// Whether something is still to happen late.
    pub fn is_late(&self) -> bool {
        self.state().late > 0
    }

    /// Nobody can connect, and nobody is connected.
    pub fn go_away(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listening) = listening {
            listening.abort();
        }
    }

    /// It is there again.
    pub async fn come_back(&self) -> Result<(), Failure> {
        self.go_away();
        // The aborted task lets go of the port as soon as it is polled.
        let mut tried = 0_u32;
        loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => {
                    self.listen(listener);
                    return Ok(());
                }
                Err(error) if tried >= 200 => return Err(error.into()),
                Err(_) => {
                    tried = tried.saturating_add(1);
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn listen(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        let listening = tokio::spawn(async move {
            // Dropped with the listener, which ends every connection.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(Arc::clone(&state), Wire::new(stream)));
                while connections.try_join_next().is_some() {}
            }
        });
        let mut place = self.listening.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(listening.abort_handle());
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(state: Arc<Mutex<State>>, mut wire: Wire) {
    while let Ok(Some(request)) = wire.next().await {
        let reply = answer(&state, &request).await;
        if !matches!(wire.send(reply).await, Ok(true)) {
            break;
        }
    }
}

async fn answer(state: &Arc<Mutex<State>>, request: &Request) -> Reply {
    let path: Vec<&str> = request.path.trim_matches('/').split('/').skip(1).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("POST", ["charges"]) => charge(state, request).await,
        ("GET", ["charges", key]) => match key.parse() {
            Ok(key) => look_up(state, key).await,
            Err(_) => error(400, "invalid_key"),
        },
        ("POST", ["charges", key, "void"]) => match key.parse() {
            Ok(key) => void(state, key).await,
            Err(_) => error(400, "invalid_key"),
        },
        _ => error(404, "not_found"),
    }
}

async fn charge(state: &Arc<Mutex<State>>, request: &Request) -> Reply {
    let key = request.key.as_deref().and_then(|key| key.parse::<Uuid>().ok());
    let body = serde_json::from_slice::<ChargeBody>(&request.body).ok();
    let (Some(key), Some(body)) = (key, body) else {
        return error(400, "invalid_request");
    };
    let ChargeBody { amount, currency, reference, payment_method } = body;
    let contents = Contents { amount, currency, payment_method };
    let (trick, pause) = {
        let mut state = lock(state);
        let state = &mut *state;
        let trick = state.behaviour.of_charge(&mut state.random);
        let played = state.tricks.entry(name(&trick)).or_default();
        *played = played.saturating_add(1);
        (trick, state.behaviour.pause(&mut state.random))
    };
    match trick {
        ChargeTrick::FailBefore => return error(500, "internal"),
        ChargeTrick::TooMany => return retry_later(429, "too_many_requests"),
        ChargeTrick::Lost => return Reply::Silence,
        ChargeTrick::Late(after) => {
            let landing = Arc::clone(state);
            lock(state).late += 1;
            tokio::spawn(async move {
                sleep(after).await;
                let mut state = lock(&landing);
                if matches!(state.ledger.arrive(key, &contents), Arrival::Fresh) {
                    execute(&mut state, key, contents, &reference);
                }
                state.late = state.late.saturating_sub(1);
            });
            return Reply::Silence;
        }
        _ => {}
    }
    let arrival = lock(state).ledger.arrive(key, &contents);
    let (status, charge) = match arrival {
        Arrival::Fresh => {
            // The caller may go away meanwhile, and with it this task: the charge goes on.
            let execution = Arc::clone(state);
            let executed = tokio::spawn(async move {
                sleep(pause).await;
                execute(&mut lock(&execution), key, contents, &reference)
            });
            match executed.await {
                Ok(charge) => (201, charge),
                Err(_) => return Reply::Reset,
            }
        }
        Arrival::Replay(charge) => (200, charge),
        Arrival::InFlight => return retry_later(409, "charge_in_flight"),
        Arrival::Reused => return error(422, "key_reused"),
        Arrival::Voided => return error(410, "key_voided"),
    };
    spoilt(trick, status, charge)
}

fn execute(state: &mut State, key: Uuid, contents: Contents, reference: &str) -> Value {
    let approved = !state.behaviour.declines(&mut state.random);
    state.ledger.execute(key, contents, reference, approved)
}

fn spoilt(trick: ChargeTrick, status: u16, charge: Value) -> Reply {
    let with = |name: &str, value: &str| {
        let mut other = charge.clone();
        if let Some(fields) = other.as_object_mut() {
            fields.insert(name.to_owned(), value.into());
        }
        Reply::Json(status, other.to_string().into_bytes())
    };
    let bytes = charge.to_string().into_bytes();
    match trick {
        ChargeTrick::ChargeThenHang => Reply::Silence,
        ChargeTrick::ChargeThen500 => error(500, "internal"),
        ChargeTrick::ChargeThenReset => Reply::Reset,
        ChargeTrick::ChargeThenTruncate => Reply::Half(status, bytes),
        ChargeTrick::ChargeThenGarbage => Reply::Json(status, b"<html>oops".to_vec()),
        ChargeTrick::WrongAmount => with("amount", "0.01"),
        ChargeTrick::WrongKey => with("key", &Uuid::nil().to_string()),
        ChargeTrick::Huge => Reply::Json(status, vec![b' '; 10 << 20]),
        ChargeTrick::Redirect => Reply::Raw(
            b"HTTP/1.1 307 -\r\nlocation: /gateway/elsewhere\r\ncontent-length: 0\r\n\r\n".to_vec(),
        ),
        ChargeTrick::Informational => Reply::Raw(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
        ChargeTrick::Drip => Reply::Drip(status, bytes),
        _ => Reply::Json(status, bytes),
    }
}

async fn look_up(state: &Arc<Mutex<State>>, key: Uuid) -> Reply {
    let (trick, pause) = ask(state);
    sleep(pause).await;
    let known = lock(state).ledger.look_up(key);
    let honest = match known {
        Known::Charge(charge) => Reply::Json(200, charge.to_string().into_bytes()),
        Known::InFlight => retry_later(409, "charge_in_flight"),
        Known::Nothing => error(404, "not_found"),
    };
    ask_spoilt(trick, honest)
}

async fn void(state: &Arc<Mutex<State>>, key: Uuid) -> Reply {
    let (trick, pause) = ask(state);
    match trick {
        AskTrick::Fail => return error(500, "internal"),
        AskTrick::Late(after) => {
            let landing = Arc::clone(state);
            lock(state).late += 1;
            tokio::spawn(async move {
                sleep(after).await;
                let mut state = lock(&landing);
                state.ledger.void(key);
                state.late = state.late.saturating_sub(1);
            });
            return Reply::Silence;
        }
        _ => {}
    }
    sleep(pause).await;
    let voided = lock(state).ledger.void(key);
    let honest = match voided {
        Void::Final(charge) => Reply::Json(200, charge.to_string().into_bytes()),
        Void::Settled(charge) => {
            let error = json!({"code": "charge_settled", "detail": "money has moved"});
            let body = json!({"error": error, "charge": charge});
            Reply::Json(409, body.to_string().into_bytes())
        }
        Void::InFlight => retry_later(409, "charge_in_flight"),
    };
    ask_spoilt(trick, honest)
}

fn ask(state: &Mutex<State>) -> (AskTrick, Duration) {
    let mut state = lock(state);
    let state = &mut *state;
    let trick = state.behaviour.of_ask(&mut state.random);
    (trick, state.behaviour.pause(&mut state.random))
}

fn ask_spoilt(trick: AskTrick, honest: Reply) -> Reply {
    match trick {
        AskTrick::Honest => honest,
        AskTrick::Fail | AskTrick::HappenThen500 => error(500, "internal"),
        AskTrick::HappenThenHang | AskTrick::Late(_) => Reply::Silence,
        AskTrick::HappenThenReset => Reply::Reset,
    }
}

fn name(trick: &ChargeTrick) -> String {
    let full = format!("{trick:?}");
    full.split('(').next().unwrap_or_default().to_owned()
}

fn error(status: u16, code: &str) -> Reply {
    let body = json!({"error": {"code": code, "detail": code}});
    Reply::Json(status, body.to_string().into_bytes())
}

fn retry_later(status: u16, code: &str) -> Reply {
    let body = json!({"error": {"code": code, "detail": code}});
    Reply::RetryAfter(status, body.to_string().into_bytes(), 1)
}
