//! A thousand clients on one fresh key, and what the payers of other keys notice of them; knows no
//! more of the service than what an operator sets.

use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::future::join_all;
use payonce_testing::TestDatabase;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::books::count;
use crate::connection::{Answer, Connection, Pool, payment};
use crate::service::Service;
use crate::statistics::{Latencies, median, milliseconds, print_heads, print_row, ratio};
use crate::traffic::Traffic;

/// How it is measured.
#[derive(Debug, Args)]
pub struct Herd {
    /// How many clients share a key.
    #[arg(long, default_value_t = 1000)]
    clients: usize,
    /// Payments of other keys a second.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// How long the gateway takes for every charge.
    #[arg(long, default_value = "300ms")]
    gateway_latency: humantime::Duration,
    /// "http": a second process, whose books are checked. "simulated": in the payer, with less to
    /// disturb the measurement.
    #[arg(long, value_enum, default_value_t = Gateway::Http)]
    gateway: Gateway,
    /// Where payments are kept; PostgreSQL is the server of TEST_DATABASE_URL.
    #[arg(long, value_enum, default_value_t = Store::Postgres)]
    store: Store,
    /// The payer's connections to it.
    #[arg(long, default_value_t = 10)]
    pool_size: u32,
    /// How often quiet and herd are compared.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How long either lasts in a round.
    #[arg(long, default_value = "6s")]
    window: humantime::Duration,
    /// Between the last answer of a herd and the next herd, on the next key.
    #[arg(long, default_value = "400ms")]
    pause: humantime::Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Gateway {
    Http,
    Simulated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    Postgres,
    Sqlite,
}

/// The processes, and where their books are.
struct Scene {
    payer: Service,
    gateway: Option<(Service, TestDatabase)>,
    database: TestDatabase,
}

/// One herd.
struct Run {
    began: Instant,
    ended: Instant,
    /// 409: waited in vain.
    in_use: usize,
    /// Neither the payment's answer nor 409.
    failed: usize,
}

impl Herd {
    /// One round over a simulated gateway, so that nothing but the duplicates is beside the others.
    pub fn beside_others() -> Self {
        Self {
            clients: 1000,
            rate: 100,
            gateway_latency: Duration::from_millis(300).into(),
            gateway: Gateway::Simulated,
            store: Store::Postgres,
            pool_size: 10,
            rounds: 1,
            window: Duration::from_secs(6).into(),
            pause: Duration::from_millis(400).into(),
        }
    }

    /// Measures, prints, and fails where a promise was broken.
    pub async fn measure(&self) -> Result<(), Failure> {
        self.times().await.map(drop)
    }

    /// The same, and how many times as long other keys' p99 is beside a herd.
    pub async fn times(&self) -> Result<f64, Failure> {
        let scene = self.set().await?;
        let address = scene.payer.address;
        let mut clients = Vec::with_capacity(self.clients);
        for _ in 0..self.clients {
            clients.push(Connection::open(address).await?);
        }
        // Each payment is under way for as long as the gateway takes, and somewhat longer.
        let busy = f64::from(self.rate) * (self.gateway_latency.as_secs_f64() + 0.5);
        let mut others =
            Traffic::new(Pool::open(address, busy as usize).await?, self.rate, "other");
        others.run(Duration::from_secs(1)).await?;

        println!(
            "{} clients on one key, other keys at {}/s; gateway {:?} {}, store {:?}, pool {}",
            self.clients, self.rate, self.gateway, self.gateway_latency, self.store, self.pool_size
        );
        print_heads();
        let (mut quiet, mut herd) = (Latencies::of([])?, Latencies::of([])?);
        let (mut ratios, mut herds) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            let before = scene.payer.processor_time()?;
            let samples = others.run(*self.window).await?;
            let alone = Latencies::of(samples)?;
            let between = scene.payer.processor_time()?;
            print_row(&format!("{round} quiet"), &alone, self.share(between - before));

            let until = Instant::now() + *self.window;
            let (samples, runs) = tokio::join!(
                others.run(*self.window),
                self.herds(&mut clients, round, until, &scene)
            );
            let (samples, runs) = (samples?, runs?);
            // By when they were due, so that being slow does not make one count.
            let is_beside = |due: Instant| {
                runs.iter().any(|run| due + *self.gateway_latency >= run.began && due <= run.ended)
            };
            let beside = samples.into_iter().filter(|sample| is_beside(sample.due));
            let beside = Latencies::of(beside)?;
            let after = scene.payer.processor_time()?;
            print_row(&format!("{round} herd"), &beside, self.share(after - between));
            ratios.push(ratio(beside.quantile(0.99), alone.quantile(0.99)));
            quiet.add(&alone)?;
            herd.add(&beside)?;
            herds.extend(runs);
        }
        self.audit(&scene).await?;
        let times = median(ratios);
        self.report(&quiet, &herd, times, &herds)?;
        Ok(times)
    }

    async fn set(&self) -> Result<Scene, Failure> {
        let latency = self.gateway_latency.to_string();
        let database = match self.store {
            Store::Postgres => TestDatabase::postgres(),
            Store::Sqlite => TestDatabase::sqlite(),
        };
        let gateway = match self.gateway {
            Gateway::Simulated => None,
            Gateway::Http => {
                let books = TestDatabase::sqlite();
                let variables = [
                    ("DATABASE_URL", books.url()),
                    ("PAYONCE__FAKE_GATEWAY__FAILURE_RATE", "0"),
                    ("PAYONCE__FAKE_GATEWAY__LATENCY_MIN", latency.as_str()),
                    ("PAYONCE__FAKE_GATEWAY__LATENCY_MAX", latency.as_str()),
                ];
                Some((Service::start(&variables).await?, books))
            }
        };
        let base_url =
            gateway.as_ref().map(|(it, _)| format!("http://{}/fake-gateway", it.address));
        let pool_size = self.pool_size.to_string();
        let mut variables = vec![
            ("DATABASE_URL", database.url()),
            ("PAYONCE__DATABASE__POOL_SIZE", pool_size.as_str()),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", latency.as_str()),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", latency.as_str()),
        ];
        if let Some(base_url) = &base_url {
            variables.push(("PAYONCE__GATEWAY__KIND", "http"));
            variables.push(("PAYONCE__GATEWAY__HTTP__BASE_URL", base_url));
        }
        let payer = Service::start(&variables).await?;
        Ok(Scene { payer, gateway, database })
    }

    /// Sends one herd after the other.
    async fn herds(
        &self,
        clients: &mut [Connection],
        round: u32,
        until: Instant,
        scene: &Scene,
    ) -> Result<Vec<Run>, Failure> {
        let mut runs = Vec::new();
        while Instant::now() < until {
            let key = format!("herd-{round}-{}", runs.len());
            let requests = (0..clients.len())
                .map(|_| payment(scene.payer.address, &key))
                .collect::<Result<Vec<_>, _>>()?;
            sleep(*self.pause).await;
            let began = Instant::now();
            let sending = clients.iter_mut().zip(requests);
            let answers = join_all(sending.map(|(client, request)| client.send(request))).await;
            let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
            let ended = answers.iter().map(|answer| answer.at).max().unwrap_or(began);
            let (in_use, failed) = without_answer(&key, &answers)?;
            runs.push(Run { began, ended, in_use, failed });
        }
        Ok(runs)
    }

    fn share(&self, used: Duration) -> Option<f64> {
        Some(ratio(used, *self.window))
    }

    fn report(
        &self,
        quiet: &Latencies,
        herd: &Latencies,
        times: f64,
        herds: &[Run],
    ) -> Result<(), Failure> {
        let beyond = |latency: Duration| latency.saturating_sub(*self.gateway_latency);
        println!();
        print_row("all quiet", quiet, None);
        print_row("all herd", herd, None);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let (quiet, herd) = (quiet.quantile(share), herd.quantile(share));
            println!(
                "{name} of other keys: {:.2} times; beyond the gateway's own time {:.1} ms, then {:.1} ms",
                ratio(herd, quiet),
                milliseconds(beyond(quiet)),
                milliseconds(beyond(herd)),
            );
        }
        println!("p99 of other keys, median of the rounds: {times:.2} times");
        let mut took: Vec<_> = herds.iter().map(|run| run.ended - run.began).collect();
        took.sort();
        let took = |at: usize| took.get(at).copied().map_or(f64::NAN, milliseconds);
        println!(
            "{} herds, first request to last answer: p50 {:.0} ms, longest {:.0} ms",
            herds.len(),
            took(herds.len() / 2),
            took(herds.len().saturating_sub(1)),
        );
        let failed: usize = herds.iter().map(|run| run.failed).sum();
        let in_use: usize = herds.iter().map(|run| run.in_use).sum();
        println!("of the herds, 409 past the wait: {in_use}, neither paid nor 409: {failed}");
        println!("of the other keys, unpaid: {} quiet, {} herd", quiet.unpaid(), herd.unpaid());
        if failed + quiet.unpaid() + herd.unpaid() > 0 {
            return Err("somebody got neither the payment nor 409".into());
        }
        Ok(())
    }

    /// Every key has one payment, and every completed payment one charge, once recovery has ended
    /// what the herd left behind.
    async fn audit(&self, scene: &Scene) -> Result<(), Failure> {
        let in_store = |statement| count(scene.database.url(), statement);
        let processing = "SELECT count(*) AS n FROM payment_states WHERE status = 'PROCESSING'";
        let left_behind = in_store(processing)?;
        let deadline = Instant::now() + RECOVERED_WITHIN;
        while in_store(processing)? > 0 {
            if Instant::now() > deadline {
                return Err("a payment was not brought to its end".into());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let keys = in_store("SELECT count(DISTINCT key) AS n FROM payments")?;
        let payments = in_store("SELECT count(*) AS n FROM payments")?;
        let completed =
            in_store("SELECT count(*) AS n FROM payment_states WHERE status = 'COMPLETED'")?;
        let charges = match &scene.gateway {
            None => completed,
            Some((_, books)) => count(
                books.url(),
                "SELECT count(*) AS n FROM gateway_charges WHERE status = 'approved'",
            )?,
        };
        println!("\nkeys {keys}, payments {payments}, completed {completed}, charges {charges}");
        println!("payments that recovery had to end: {left_behind}");
        match keys == payments && completed == charges {
            true => Ok(()),
            false => Err("a key was not charged exactly once".into()),
        }
    }
}

/// A lease, and then some.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);

/// How many waited in vain, and how many failed. All others have one answer, and at most one of
/// them was the first.
fn without_answer(key: &str, answers: &[Answer]) -> Result<(usize, usize), Failure> {
    let (paid, rest): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    let firsts = paid.iter().filter(|answer| !answer.is_replay).count();
    let is_one_answer = paid.windows(2).all(|pair| match pair {
        [one, next] => one.body == next.body,
        _ => false,
    });
    if firsts > 1 || !is_one_answer {
        let failure = format!("{key}: {firsts} first answers; all equal: {is_one_answer}");
        return Err(failure.into());
    }
    let in_use = rest.iter().filter(|answer| answer.status == 409).count();
    Ok((in_use, rest.len() - in_use))
}
