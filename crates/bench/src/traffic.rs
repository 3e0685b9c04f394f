//! Fresh payments at a steady rate, due at their time whether or not earlier ones are answered: a
//! service that stalls is charged for all that it made wait. It judges nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use crate::Failure;
use crate::connection::{Pool, payment};

/// One payment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it was to be sent.
    pub due: Instant,
    /// How long after that its answer was here.
    pub took: Duration,
    /// Whether it was paid.
    pub is_paid: bool,
}

/// Payments of that many keys a second.
pub struct Traffic {
    pool: Arc<Pool>,
    rate: u32,
    name: String,
    windows: u32,
}

impl Traffic {
    /// Prepares it; keys begin with the name.
    pub fn new(pool: Pool, rate: u32, name: &str) -> Self {
        // A key has no spaces.
        let name = name.replace(' ', "-");
        Self { pool: Arc::new(pool), rate, name, windows: 0 }
    }

    /// Pays for that long.
    pub async fn run(&mut self, window: Duration) -> Result<Vec<Sample>, Failure> {
        self.windows += 1;
        let count = (window.as_secs_f64() * f64::from(self.rate)) as u32;
        let requests = (0..count)
            .map(|at| payment(self.pool.address(), &format!("{}-{}-{at}", self.name, self.windows)))
            .collect::<Result<Vec<_>, _>>()?;
        let start = Instant::now() + Duration::from_millis(5);
        let mut paying = Vec::with_capacity(requests.len());
        for (at, request) in (0..).zip(requests) {
            let due = start + Duration::from_secs(1) * at / self.rate;
            sleep_until(due).await;
            let pool = Arc::clone(&self.pool);
            paying.push(tokio::spawn(async move {
                let answer = pool.send(request).await?;
                let is_paid = answer.status == 201 && !answer.is_replay;
                Ok::<_, Failure>(Sample { due, took: answer.at - due, is_paid })
            }));
        }
        join_all(paying).await.into_iter().map(|sample| sample?).collect()
    }
}
