//! All clients of one run, and what they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{payer, sender};
use crate::Failure;
use crate::history::History;
use crate::timeline::Timeline;

/// How clients behave.
#[derive(Debug, Clone, Serialize)]
pub struct LoadTerms {
    /// Those that pay.
    pub payers: usize,
    /// Those that announce.
    pub senders: usize,
    /// Payments, at least.
    pub payments: u64,
    /// First requests that are sent several times at once, in a thousand.
    pub duplicates: u32,
    /// How many times then.
    pub crowd: usize,
    /// Final answers that are asked for once more, in a thousand.
    pub repeats: u32,
    /// Other requests under a known key, in a thousand.
    pub mutations: u32,
    /// How long a client tries.
    #[serde(skip)]
    pub patience: Duration,
    /// What each key begins with: no log may show it.
    #[serde(skip)]
    pub key_prefix: String,
    /// How payers pay: no log may show it.
    #[serde(skip)]
    pub token: String,
}

/// What clients share.
pub struct Shared {
    /// What they saw.
    pub history: History,
    /// When they saw it.
    pub timeline: Arc<Timeline>,
    /// How they behave.
    pub terms: LoadTerms,
    /// Connections.
    pub client: reqwest::Client,
    /// Final answers so far.
    pub finals: AtomicU64,
    bases: Vec<String>,
    made: AtomicU64,
    over: AtomicBool,
}

impl Shared {
    /// Where an instance is, drawn by chance.
    pub fn any(&self, random: &mut StdRng) -> &str {
        let drawn = random.random_range(0..self.bases.len().max(1));
        self.bases.get(drawn).map_or("", String::as_str)
    }

    /// Whether they are to stop.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A client is done with a payment.
    pub fn ended(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }

    /// Between two payments: longer once there are enough.
    pub async fn rest(&self, random: &mut StdRng) {
        let longest = if self.made() < self.terms.payments { 5 } else { 400 };
        sleep(Duration::from_millis(random.random_range(0..longest))).await;
    }

    /// Payments that clients are done with.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// Clients at work.
pub struct Load {
    /// What they share.
    pub shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Starts all of them.
    pub fn start(
        bases: Vec<String>,
        terms: LoadTerms,
        timeline: Arc<Timeline>,
        random: &mut StdRng,
    ) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(1))
            .pool_idle_timeout(Duration::from_secs(2))
            .build()?;
        let shared = Arc::new(Shared {
            history: History::default(),
            timeline,
            terms,
            client,
            finals: AtomicU64::new(0),
            bases,
            made: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        for number in 0..shared.terms.payers {
            let own = StdRng::seed_from_u64(random.random());
            tasks.spawn(payer::pay(Arc::clone(&shared), number, own));
        }
        for number in 0..shared.terms.senders {
            let own = StdRng::seed_from_u64(random.random());
            tasks.spawn(sender::announce(Arc::clone(&shared), number, own));
        }
        Ok(Self { shared, tasks })
    }

    /// Lets each end what it is at.
    pub async fn stop(mut self) -> Arc<Shared> {
        self.shared.over.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.shared
    }
}
