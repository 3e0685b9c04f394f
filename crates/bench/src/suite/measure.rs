//! How each cell is measured; knows the wire and the tables, and judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cell::{Cell, Script, Source, Store};
use super::database::Database;
use super::figures::{Figure, Figures};
use super::rows::Rows;
use super::seed;
use super::stage::{Stage, none_left};
use super::wrk::{self, Load};
use crate::Failure;
use crate::herd::Herd;

/// Keys that are replayed, in turn.
const REPLAYED_KEYS: u32 = 10_000;

/// Announced transactions whose processing is timed.
const PROCESSED: u32 = 20_000;

/// How long that may take.
const PROCESSED_WITHIN: Duration = Duration::from_secs(300);

/// For how long stored payments are used before anything is measured beside them, in seconds: storing them
/// leaves the server's memory full of other pages than those that payments meet.
const USED: u32 = 20;

/// What became of a cell.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It was measured.
    Measured(Figures),
    /// It cannot be, and why.
    Absent(&'static str),
}

/// Measures cells, one after the other.
pub struct Measurer {
    stage: Stage,
    /// The databases with stored payments, by how many million.
    grown: BTreeMap<u32, Database>,
    /// What a payment leaves, by the service and by pgbench.
    rows: [Option<Rows>; 2],
}

impl Measurer {
    /// On that stage.
    pub fn new(stage: Stage) -> Self {
        Self { stage, grown: BTreeMap::new(), rows: [None; 2] }
    }

    /// Stores payments beside which a growth cell is measured, a million at a time, and puts them to use. The
    /// checkpoint at the end is to the cell's disadvantage: what touches a page first writes all of it.
    pub async fn grow(&mut self, millions: u32, mut told: impl FnMut(u32)) -> Result<(), Failure> {
        let database = self.stage.database(Store::Disk)?;
        self.stage.migrate(&database).await?;
        for million in 0..millions {
            told(million);
            seed::store_million(&database, million)?;
        }
        seed::rest(&database)?;
        let service = self.stage.serve(&database, &[]).await?;
        let load = self.payments(64)(service.address);
        self.stage.wrk.send(&Load { name: "used", seconds: USED, ..load }).await?;
        self.stage.settled(&database).await?;
        drop(service);
        database.run(&["CHECKPOINT"])?;
        self.grown.insert(millions, database);
        Ok(())
    }

    /// What the services logged last.
    pub fn log(&self) -> String {
        self.stage.log_end()
    }

    /// Measures one.
    pub async fn measure(&mut self, cell: Cell) -> Result<Outcome, Failure> {
        let figures = match cell {
            Cell::Fresh { store, connections, gateway } => {
                self.fresh(store, connections, gateway).await
            }
            Cell::Pgbench { script, clients } => self.pgbench(script, clients).await,
            Cell::Bare => self.bare().await,
            Cell::Replays(source) => return self.replays(source).await,
            Cell::Webhooks { duplicates } => self.webhooks(duplicates).await,
            Cell::Growth { millions } => self.growth(millions).await,
            Cell::Memory { connections } => self.memory(connections).await,
            Cell::Herd => self.herd().await,
        };
        Ok(Outcome::Measured(figures?))
    }

    fn payments(&self, connections: u32) -> impl Fn(std::net::SocketAddr) -> Load<'static> {
        let seconds = self.stage.seconds;
        let (script, setting) = (wrk::Script::Payments, None);
        move |address| Load { script, name: "fresh", setting, address, connections, seconds }
    }

    async fn fresh(
        &mut self,
        store: Store,
        connections: u32,
        gateway: u32,
    ) -> Result<Figures, Failure> {
        let database = self.stage.database(store)?;
        let latency = format!("{gateway}ms");
        let latency = [
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MIN", latency.as_str()),
            ("PAYONCE__GATEWAY__SIMULATED__LATENCY_MAX", latency.as_str()),
        ];
        let service = self.stage.serve(&database, &latency).await?;
        let load = self.payments(connections)(service.address);
        let loaded = self.stage.measure(&service, Some(&database), &load).await?;
        self.stage.settled(&database).await?;
        drop(service);
        let paid = loaded.answers.requests.saturating_sub(loaded.answers.refused);
        must_have(&database, "payment_states", "status = 'COMPLETED'", paid)?;
        if store == Store::Disk && gateway == 0 && loaded.answers.refused == 0 {
            self.compare(0, Rows::of(&database)?)?;
        }
        Ok(loaded.figures)
    }

    /// Notes what one side leaves, and fails where the other's is not the same.
    fn compare(&mut self, side: usize, rows: Rows) -> Result<(), Failure> {
        if let Some(place) = self.rows.get_mut(side) {
            *place = Some(rows);
        }
        match &self.rows {
            [Some(service), Some(pgbench)] => service.must_equal(pgbench),
            _ => Ok(()),
        }
    }

    async fn pgbench(&mut self, script: Script, clients: u32) -> Result<Figures, Failure> {
        let database = self.stage.database(Store::Disk)?;
        self.stage.migrate(&database).await?;
        let (pgbench, seconds) = (&self.stage.pgbench, self.stage.seconds);
        // Plans and pages are warm then, as in the service's cells.
        pgbench.run(script, clients, 1, database.url()).await?;
        database.analyze()?;
        let figures = pgbench.run(script, clients, seconds, database.url()).await?;
        self.compare(1, Rows::of(&database)?)?;
        Ok(figures)
    }

    async fn bare(&self) -> Result<Figures, Failure> {
        let service = self.stage.bare().await?;
        let load = self.payments(64)(service.address);
        Ok(self.stage.measure(&service, None, &load).await?.figures)
    }

    async fn replays(&self, source: Source) -> Result<Outcome, Failure> {
        const NOTHING_IN_MEMORY: (&str, &str) = ("PAYONCE__REPLAY_CACHE__MEMORY", "0B");
        let redis = self.stage.surroundings.redis.as_str();
        let database = self.stage.database(Store::Disk)?;
        // What another database's payments left in Redis is none of this one's.
        let prefix = database.url().rsplit('/').next().unwrap_or_default();
        let (is_known, settings) = match source {
            Source::Memory => (self.stage.knows("replay_cache.memory"), vec![]),
            Source::Redis => (
                self.stage.knows("replay_cache.redis"),
                vec![
                    NOTHING_IN_MEMORY,
                    ("PAYONCE__REPLAY_CACHE__REDIS", "true"),
                    ("REDIS_URL", redis),
                    ("PAYONCE__REDIS__PREFIX", prefix),
                ],
            ),
            Source::Postgres if self.stage.knows("replay_cache.memory") => {
                (true, vec![NOTHING_IN_MEMORY])
            }
            Source::Postgres => (true, vec![]),
        };
        if !is_known {
            return Ok(Outcome::Absent("not in this build"));
        }
        let service = self.stage.serve(&database, &settings).await?;
        let load = Load {
            name: "replayed",
            setting: Some(REPLAYED_KEYS),
            ..self.payments(64)(service.address)
        };
        let paid = "SELECT count(*) AS n FROM payments";
        // Each begins with the first key, and so replays what the one before has paid.
        for seconds in [1, 2, 4, 8, 16, 32, 64] {
            if database.number(paid)? == i64::from(REPLAYED_KEYS) {
                break;
            }
            self.stage.wrk.send(&Load { seconds, ..load }).await?;
        }
        self.stage.settled(&database).await?;
        let loaded = self.stage.measure_warm(&service, &load).await?;
        match database.number(paid)? - i64::from(REPLAYED_KEYS) {
            0 => Ok(Outcome::Measured(loaded.figures)),
            more => Err(format!("{more} keys more were paid than there are to be replayed").into()),
        }
    }

    async fn webhooks(&self, duplicates: u32) -> Result<Figures, Failure> {
        let database = self.stage.database(Store::Disk)?;
        let later = [("PAYONCE__TRANSACTIONS__PROCESSING_DELAY", "1h")];
        let service = self.stage.serve(&database, &later).await?;
        let load = Load {
            script: wrk::Script::Webhooks,
            setting: Some(duplicates),
            ..self.payments(64)(service.address)
        };
        let loaded = self.stage.measure(&service, Some(&database), &load).await?;
        drop(service);
        let mut figures = loaded.figures;
        if duplicates == 0 {
            let accepted = loaded.answers.requests.saturating_sub(loaded.answers.refused);
            must_have(&database, "transactions", "state = 'waiting'", accepted)?;
            figures.insert(Figure::ProcessedPerSecond, self.processed(&database).await?);
        }
        Ok(figures)
    }

    /// How many a second are processed once they are due.
    async fn processed(&self, database: &Database) -> Result<f64, Failure> {
        let due = format!(
            "UPDATE transactions SET due_at = clock_timestamp() WHERE ctid = ANY (ARRAY(SELECT \
             ctid FROM transactions LIMIT {PROCESSED}))"
        );
        database.run(&[&due, "VACUUM ANALYZE transactions"])?;
        let left = "SELECT count(*) AS n FROM transactions WHERE due_at < clock_timestamp() + \
                    interval '10 minutes'";
        let worker = self.stage.work(database, &[])?;
        none_left(database, left, PROCESSED_WITHIN).await?;
        drop(worker);
        let count = database.number("SELECT count(processed_at) AS n FROM transactions")?;
        let microseconds = database.number(
            "SELECT (extract(epoch FROM max(processed_at) - min(processed_at)) * 1000000)::bigint \
             AS n FROM transactions",
        )?;
        Ok(count as f64 / (microseconds.max(1) as f64 / 1e6))
    }

    async fn growth(&self, millions: u32) -> Result<Figures, Failure> {
        let empty;
        let database = match self.grown.get(&millions) {
            Some(grown) => grown,
            None => {
                empty = self.stage.database(Store::Disk)?;
                &empty
            }
        };
        let service = self.stage.serve(database, &[]).await?;
        // The rounds share a database.
        let name = format!("grown-{}", service.id());
        let load = Load { name: &name, ..self.payments(64)(service.address) };
        let loaded = self.stage.measure(&service, Some(database), &load).await?;
        self.stage.settled(database).await?;
        Ok(loaded.figures)
    }

    async fn memory(&self, connections: u32) -> Result<Figures, Failure> {
        let database = self.stage.database(Store::Disk)?;
        let nothing_cached = [("PAYONCE__REPLAY_CACHE__MEMORY", "0B")];
        let settings: &[_] =
            if self.stage.knows("replay_cache.memory") { &nothing_cached } else { &[] };
        let service = self.stage.serve(&database, settings).await?;
        let load = self.payments(connections)(service.address);
        let loaded = self.stage.measure(&service, Some(&database), &load).await?;
        self.stage.settled(&database).await?;
        Ok(loaded.figures)
    }

    async fn herd(&self) -> Result<Figures, Failure> {
        let times = Herd::beside_others().times().await?;
        Ok(Figures::from([(Figure::Times, times)]))
    }
}

/// Fails where an answer was given for what is not stored.
fn must_have(
    database: &Database,
    table: &str,
    condition: &str,
    answered: u64,
) -> Result<(), Failure> {
    let statement = format!("SELECT count(*) AS n FROM {table} WHERE {condition}");
    let stored = u64::try_from(database.number(&statement)?)?;
    match stored >= answered {
        true => Ok(()),
        false => Err(format!("{answered} were accepted, and {stored} are in {table}").into()),
    }
}
