//! What a run is asked for.

use clap::{Parser, ValueEnum};
use serde::Serialize;

/// Faults against real processes of the service; then a check of what they left behind. Build
/// those first: `make chaos` does.
#[derive(Debug, Clone, Parser, Serialize)]
#[command(name = "chaos", version)]
pub struct Options {
    /// Which faults, one world for each; all when left out.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub modes: Vec<Mode>,
    /// Repeats the choices of another run; drawn when left out.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Payments in the mode `kill`; the others make a share of it.
    #[arg(long, default_value_t = 10_000)]
    pub payments: u64,
    /// Processes killed in the mode `kill`; half as many in `sqlite`.
    #[arg(long, default_value_t = 500)]
    pub kills: u64,
    /// Pauses longer than the lease in the mode `pause`.
    #[arg(long, default_value_t = 200)]
    pub pauses: u64,
    /// How often each failpoint ends a process.
    #[arg(long, default_value_t = 4)]
    pub hits: u64,
    /// Faults in each of the other modes, as a factor of their defaults.
    #[arg(long, default_value_t = 100, value_name = "PERCENT")]
    pub size: u64,
    /// Instances of the service.
    #[arg(long, default_value_t = 3)]
    pub instances: usize,
    /// Clients that pay, each one payment after another.
    #[arg(long, default_value_t = 24)]
    pub clients: usize,
    /// Breaks rules of the protocol, one after the other, and expects each to be found.
    #[arg(long)]
    pub prove: bool,
    /// With --prove: only these breaks.
    #[arg(long, value_enum, value_delimiter = ',', requires = "prove")]
    pub breaks: Vec<Break>,
    /// Where the report goes.
    #[arg(long, default_value = "target/chaos")]
    pub out: std::path::PathBuf,
    /// Keeps what the servers and the instances wrote, also when all is well.
    #[arg(long)]
    pub keep: bool,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Instances are killed.
    Kill,
    /// Instances stand still for longer than their leases, several at once.
    Pause,
    /// Instances kill themselves at each named point of the protocol.
    Failpoints,
    /// Instances are asked to stop, one after the other, while all are busy.
    Term,
    /// PostgreSQL is killed, or stopped at once.
    Pgcrash,
    /// PostgreSQL ends sessions and statements.
    Pgkill,
    /// Somebody holds the locks that everybody needs.
    Locks,
    /// Somebody takes all connections.
    Connections,
    /// PostgreSQL's disk is full.
    Disk,
    /// Redis is killed, stands still, and is flushed.
    Redis,
    /// The gateway misbehaves in every way of its protocol.
    Gateway,
    /// The service's clock jumps.
    Clock,
    /// The connections between the service and PostgreSQL are reset, and freeze.
    Cut,
    /// Very many clients want one key at once.
    Herd,
    /// Clients are slow, silent, and gone.
    Hostile,
    /// Instances on one SQLite file are killed and stand still.
    Sqlite,
    /// Several of these, in turns and at once.
    Mixed,
}

impl Mode {
    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }
}

/// A broken rule of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Break {
    /// Writes of older owners count.
    NoFence,
    /// Every send has a gateway key of its own.
    FreshGatewayKey,
    /// What is unknown is called failed.
    TimeoutMeansFailed,
    /// Records are decided about without their locks.
    NoForUpdate,
    /// A stored answer is spelled anew.
    AnswerNotVerbatim,
    /// A webhook is answered before it is stored.
    #[value(name = "early-202")]
    #[serde(rename = "early-202")]
    Early202,
}

impl Break {
    /// The name on the command line and for the service.
    pub fn name(self) -> String {
        self.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
    }
}
