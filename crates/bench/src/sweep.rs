//! A sweep over very many expired keys, and what live traffic notices of it; knows the tables that
//! it fills, and no more of the service than what an operator sets.

use std::time::Duration;

use clap::Args;
use payonce_testing::TestDatabase;
use tokio::time::Instant;

use crate::Failure;
use crate::books::count;
use crate::connection::Pool;
use crate::service::{Process, Service};
use crate::statistics::{Latencies, median, print_heads, print_row, ratio};
use crate::traffic::Traffic;

/// How it is measured, on the PostgreSQL server of TEST_DATABASE_URL.
#[derive(Debug, Args)]
pub struct Sweep {
    /// How many expired records there are, each with its payment; every other one is older than
    /// the memory and is forgotten as well.
    #[arg(long, default_value_t = 1_000_000)]
    records: u32,
    /// Fresh payments a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How many rows are shown.
    #[arg(long, default_value_t = 8)]
    rounds: u32,
    /// How often, within a round, the sweep goes on and is paused.
    #[arg(long, default_value_t = 10)]
    turns: u32,
    /// How long either lasts: shorter than whatever else the machine is at.
    #[arg(long, default_value = "1s")]
    turn: humantime::Duration,
    /// The sweep's workers.batch.
    #[arg(long, default_value_t = 100)]
    batch: u32,
}

impl Sweep {
    /// Measures and prints.
    pub async fn measure(&self) -> Result<(), Failure> {
        let database = TestDatabase::postgres();
        let variables = [
            ("DATABASE_URL", database.url()),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", "0ms"),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", "0ms"),
            // The other process sweeps.
            ("PAYONCE__WORKERS__SWEEP_INTERVAL", "24h"),
        ];
        let service = Service::start(&variables).await?;
        let began = Instant::now();
        self.seed(&database);
        println!(
            "{} records seeded in {:.0} s; fresh payments at {}/s, batches of {}",
            self.records,
            began.elapsed().as_secs_f64(),
            self.rate,
            self.batch
        );
        let pool = Pool::open(service.address, usize::try_from(self.rate)?).await?;
        let mut traffic = Traffic::new(pool, self.rate, "live");
        traffic.run(*self.turn * 3).await?;
        print_heads();
        let used = service.processor_time()?;
        let untouched = Latencies::of(traffic.run(*self.turn * self.turns).await?)?;
        let busy = self.share(service.processor_time()? - used);
        print_row("untouched", &untouched, Some(busy));

        let batch = self.batch.to_string();
        let sweeper = Process::start(
            "work",
            &[
                ("DATABASE_URL", database.url()),
                ("PAYONCE__WORKERS__SWEEP_INTERVAL", "20ms"),
                ("PAYONCE__WORKERS__BATCH", batch.as_str()),
            ],
        )?;
        let (mut paused, mut sweeping) = (Latencies::of([])?, Latencies::of([])?);
        let mut ratios = Vec::new();
        for round in 1..=self.rounds {
            let (still, moving) = self.round(round, &mut traffic, &service, &sweeper).await?;
            ratios.push(ratio(moving.quantile(0.99), still.quantile(0.99)));
            paused.add(&still)?;
            sweeping.add(&moving)?;
            let left = expired(&database)?;
            println!("{:>12} {left} records to sweep", "");
            if left == 0 {
                return Err("the sweep ran out of records: seed more, or measure less".into());
            }
        }
        let swept = f64::from(self.records) - f64::from(u32::try_from(expired(&database)?)?);
        let time = *self.turn * self.turns * self.rounds;
        println!("\n{:.0} records swept a second", swept / time.as_secs_f64());
        print_row("all paused", &paused, None);
        print_row("all sweeping", &sweeping, None);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let times = ratio(sweeping.quantile(share), paused.quantile(share));
            println!("{name} of live traffic beside the sweep: {times:.2} times");
        }
        println!("p99, median of the rounds: {:.2} times", median(ratios));
        match untouched.unpaid() + paused.unpaid() + sweeping.unpaid() {
            0 => Ok(()),
            unpaid => Err(format!("{unpaid} payments were not made").into()),
        }
    }

    /// Live traffic while the sweep is paused, and while it goes on, by turns: whatever else the
    /// machine is at meets both alike.
    async fn round(
        &self,
        round: u32,
        traffic: &mut Traffic,
        service: &Service,
        sweeper: &Process,
    ) -> Result<(Latencies, Latencies), Failure> {
        let (mut paused, mut sweeping) = (Latencies::of([])?, Latencies::of([])?);
        let (mut busy_paused, mut busy_sweeping) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..self.turns {
            let started = service.processor_time()?;
            sweeper.pause()?;
            paused.add(&Latencies::of(traffic.run(*self.turn).await?)?)?;
            let between = service.processor_time()?;
            sweeper.go_on()?;
            sweeping.add(&Latencies::of(traffic.run(*self.turn).await?)?)?;
            busy_paused += between - started;
            busy_sweeping += service.processor_time()? - between;
        }
        print_row(&format!("{round} paused"), &paused, Some(self.share(busy_paused)));
        print_row(&format!("{round} sweeping"), &sweeping, Some(self.share(busy_sweeping)));
        Ok((paused, sweeping))
    }

    fn share(&self, used: Duration) -> f64 {
        ratio(used, *self.turn * self.turns)
    }

    /// Expired one after the other, under keys that are in no order.
    fn seed(&self, database: &TestDatabase) {
        let records = self.records;
        database.execute(&format!(
            "CREATE TEMP TABLE seeds AS SELECT n, md5(n::text) AS hash, \
             clock_timestamp() - interval '1 s' * ({records} - n) / 100 \
             - interval '2 days' - (n % 2) * interval '400 days' AS at \
             FROM generate_series(1, {records}) AS n; \
             INSERT INTO idempotency_records (account_id, key_space, key, generation, payment_id, \
             fingerprint_version, fingerprint, request_id, fence, opening_fence, state, is_awaited, \
             first_seen_at, last_seen_at, settled_at, expires_at, answer_status, \
             answer_content_type, answer_location, answer_body) \
             SELECT 'default', 'key', 'seed-' || hash, 1, hash::uuid, 1, sha256(hash::bytea), \
             'request-' || hash, 1, 1, 'settled', false, at, at, at, at + interval '1 day', 201, \
             'application/json', '/v1/payments/' || hash::uuid, \
             convert_to(rpad('{{\"id\":\"' || hash::uuid || '\"', 380, ' '), 'UTF8') \
             FROM seeds ORDER BY n; \
             INSERT INTO payments (account_id, id, key_space, key, generation, operation, status, \
             amount_minor, currency, metadata, gateway_kind, gateway_base_url, gateway_account, \
             gateway_key, gateway_request, attempts, first_sent_at, created_at, opening_fence) \
             SELECT 'default', hash::uuid, 'key', 'seed-' || hash, 1, 'create_payment', \
             'PROCESSING', 10000, 'USD', '{{}}', 'simulated', '', '', hash::uuid, \
             convert_to(rpad('{{', 120, ' '), 'UTF8'), 1, at, at, 1 FROM seeds ORDER BY n; \
             INSERT INTO payment_outcomes (account_id, payment_id, status, gateway_reference, \
             completed_at, fence, step, at, actor, kind, attempt, detail, followed_by) \
             SELECT 'default', hash::uuid, 'COMPLETED', 'ch_' || hash, at, 1, 1, at, 'request', \
             'attempt', 1, 'approved', 'completed' FROM seeds ORDER BY n; \
             DROP TABLE seeds"
        ));
        database.execute("ANALYZE idempotency_records");
        database.execute("ANALYZE payments");
        database.execute("CHECKPOINT");
    }
}

/// How many answers a sweep has to drop still.
fn expired(database: &TestDatabase) -> Result<i64, Failure> {
    let statement = "SELECT count(*) AS n FROM idempotency_records WHERE state = 'settled' \
                     AND expires_at <= clock_timestamp()";
    count(database.url(), statement)
}
