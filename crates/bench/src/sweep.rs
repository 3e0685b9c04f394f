//! A sweep over very many expired keys, and what live traffic notices of it; knows the tables that
//! it fills, and no more of the service than what an operator sets.

use clap::Args;
use payonce_testing::TestDatabase;
use tokio::time::Instant;

use crate::Failure;
use crate::books::count;
use crate::connection::Pool;
use crate::service::Service;
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
    /// How often quiet and sweep are compared.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long either lasts in a round.
    #[arg(long, default_value = "10s")]
    window: humantime::Duration,
    /// Before each: the new process warms up, and the sweep gets going.
    #[arg(long, default_value = "3s")]
    warm_up: humantime::Duration,
    /// The service's workers.batch.
    #[arg(long, default_value_t = 100)]
    batch: u32,
}

/// What one window came to.
struct Window {
    latencies: Latencies,
    busy: f64,
    swept: f64,
}

impl Sweep {
    /// Measures and prints.
    pub async fn measure(&self) -> Result<(), Failure> {
        let database = TestDatabase::postgres();
        // Brings the schema.
        drop(Service::start(&[("DATABASE_URL", database.url())]).await?);
        let began = Instant::now();
        self.seed(&database);
        println!(
            "{} records seeded in {:.0} s; fresh payments at {}/s, batches of {}",
            self.records,
            began.elapsed().as_secs_f64(),
            self.rate,
            self.batch
        );
        print_heads();
        let (mut quiet, mut sweep) = (Latencies::of([])?, Latencies::of([])?);
        let mut ratios = Vec::new();
        for round in 1..=self.rounds {
            // By turns, so that a machine that gets busier is on neither side.
            let (alone, beside) = if round % 2 == 1 {
                let alone = self.quiet(&database, round).await?;
                (alone, self.sweeping(&database, round).await?)
            } else {
                let beside = self.sweeping(&database, round).await?;
                (self.quiet(&database, round).await?, beside)
            };
            ratios.push(ratio(beside.quantile(0.99), alone.quantile(0.99)));
            quiet.add(&alone)?;
            sweep.add(&beside)?;
        }
        println!();
        print_row("all quiet", &quiet, None);
        print_row("all sweep", &sweep, None);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let times = ratio(sweep.quantile(share), quiet.quantile(share));
            println!("{name} of live traffic beside the sweep: {times:.2} times");
        }
        println!("p99, median of the rounds: {:.2} times", median(ratios));
        match quiet.unpaid() + sweep.unpaid() {
            0 => Ok(()),
            unpaid => Err(format!("{unpaid} payments were not made").into()),
        }
    }

    async fn quiet(&self, database: &TestDatabase, round: u32) -> Result<Latencies, Failure> {
        let name = format!("{round} quiet");
        let window = self.window(database, &name, "24h").await?;
        print_row(&name, &window.latencies, Some(window.busy));
        Ok(window.latencies)
    }

    async fn sweeping(&self, database: &TestDatabase, round: u32) -> Result<Latencies, Failure> {
        let name = format!("{round} sweep");
        let window = self.window(database, &name, "20ms").await?;
        print_row(&name, &window.latencies, Some(window.busy));
        println!("{:>12} {:.0} records a second", "swept", window.swept);
        if expired(database)? == 0 {
            return Err("the sweep ran out of records: seed more, or measure less".into());
        }
        Ok(window.latencies)
    }

    /// Live traffic at a process of its own, which sweeps as often as it is told to.
    async fn window(
        &self,
        database: &TestDatabase,
        name: &str,
        sweep_interval: &str,
    ) -> Result<Window, Failure> {
        let batch = self.batch.to_string();
        let before = expired(database)?;
        let began = Instant::now();
        let variables = [
            ("DATABASE_URL", database.url()),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", "0ms"),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", "0ms"),
            ("PAYONCE__WORKERS__SWEEP_INTERVAL", sweep_interval),
            ("PAYONCE__WORKERS__BATCH", batch.as_str()),
        ];
        let service = Service::start(&variables).await?;
        let pool = Pool::open(service.address, usize::try_from(self.rate)?).await?;
        let mut traffic = Traffic::new(pool, self.rate, name);
        traffic.run(*self.warm_up).await?;
        let used = service.processor_time()?;
        let latencies = Latencies::of(traffic.run(*self.window).await?)?;
        let busy = ratio(service.processor_time()? - used, *self.window);
        drop(service);
        let swept = before.saturating_sub(expired(database)?);
        let swept = f64::from(u32::try_from(swept)?) / began.elapsed().as_secs_f64();
        Ok(Window { latencies, busy, swept })
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
             gateway_key, gateway_request, gateway_reference, attempts, first_sent_at, created_at, \
             completed_at) \
             SELECT 'default', hash::uuid, 'key', 'seed-' || hash, 1, 'create_payment', \
             'COMPLETED', 10000, 'USD', '{{}}', 'simulated', '', '', hash::uuid, \
             convert_to(rpad('{{', 120, ' '), 'UTF8'), 'ch_' || hash, 1, at, at, at \
             FROM seeds ORDER BY n; \
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
