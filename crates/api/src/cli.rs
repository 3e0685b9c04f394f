//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use payonce_domain::account::Mode;
use payonce_domain::api_key::KeyScope;

use crate::commands;

/// Pays once: an idempotent payment service between an application and an unreliable gateway.
#[derive(Debug, Parser)]
#[command(name = "payonce", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    sources: Sources,
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from, beside the defaults and PAYONCE__… variables.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sources {
    /// A configuration file; may be repeated, later wins.
    #[arg(long = "config", value_name = "FILE", global = true)]
    #[arg(env = "PAYONCE_CONFIG", value_delimiter = ':')]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves HTTP, and runs the workers.
    Serve {
        /// Leaves the workers to `payonce work`.
        #[arg(long)]
        no_workers: bool,
    },
    /// Runs the workers alone: recovery of payments, announced transactions, the sweep of expired keys.
    Work,
    /// Changes the database's schema, or shows where it stands.
    Migrate {
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Simulates clients that pay, retry and repeat themselves, and judges what came of it: 1 where a
    /// promise was broken.
    Simulate(Box<payonce_simulation::Options>),
    /// Looks at one payment, or settles one that needs review.
    Payments {
        #[command(subcommand)]
        action: PaymentsAction,
    },
    /// Lists announced transactions that failed at every attempt, or makes them due again.
    Transactions {
        #[command(subcommand)]
        action: TransactionsAction,
    },
    /// Makes, lists and revokes the keys of accounts.
    Keys {
        #[command(subcommand)]
        action: KeysAction,
    },
    /// Asks a service that runs whether it takes requests.
    Health {
        /// The address to ask; left out, /readyz of the service that this configuration describes.
        #[arg(long)]
        url: Option<url::Url>,
    },
    /// Shows or checks the effective configuration.
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
}

/// What is done to the schema.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum MigrateAction {
    /// Runs the migrations that are pending.
    Up,
    /// Reverts the newest migration. Its tables and what they hold are gone.
    Down,
    /// Lists the migrations.
    Status,
}

/// What is done with a payment.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PaymentsAction {
    /// Prints a payment and its timeline.
    Show(WhichPayment),
    /// Settles a payment that is NEEDS_REVIEW, in the operator's name.
    Resolve(Resolve),
}

/// Names a payment.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichPayment {
    /// The payment's id.
    pub(crate) id: uuid::Uuid,
    /// The account that it belongs to.
    #[arg(long, default_value = "default")]
    pub(crate) account: String,
}

/// How a payment is settled.
#[derive(Debug, Clone, Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    pub(crate) which: WhichPayment,
    /// Money moved: the gateway is asked for the charge.
    #[arg(long, conflicts_with = "failed", required_unless_present = "failed")]
    pub(crate) completed: bool,
    /// No money moved and none will: the gateway is asked to void the key.
    #[arg(long)]
    pub(crate) failed: bool,
    /// With --completed: the charge's id, to be believed even where the gateway shows no charge.
    #[arg(long, value_name = "CHARGE", requires = "completed")]
    pub(crate) gateway_reference: Option<String>,
    /// With --failed: to be believed even where the gateway confirms no void.
    #[arg(long, requires = "failed")]
    pub(crate) without_void: bool,
    /// Your name, for the timeline.
    #[arg(long, value_name = "NAME")]
    pub(crate) operator: String,
    /// Why, for the timeline.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What is done with announced transactions.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TransactionsAction {
    /// Lists those that failed at every attempt, oldest first.
    Dead(DeadTransactions),
    /// Makes some of them due again, with all their attempts before them.
    Retry(RetryTransactions),
}

/// Which dead transactions are listed.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeadTransactions {
    /// The account that they belong to.
    #[arg(long, default_value = "default")]
    pub(crate) account: String,
    /// Most of them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

/// Which dead transactions are tried again.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetryTransactions {
    /// Their ids.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// The oldest thousand.
    #[arg(long)]
    pub(crate) all: bool,
    /// The account that they belong to.
    #[arg(long, default_value = "default")]
    pub(crate) account: String,
}

/// What is done with keys.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum KeysAction {
    /// Makes a key and prints it, for the only time.
    Create(KeyToCreate),
    /// Lists keys by their beginnings.
    List {
        /// Only those of this account.
        #[arg(long)]
        account: Option<String>,
    },
    /// Ends a key for good.
    Revoke {
        /// Its beginning, as `list` shows it, or the whole key.
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// What a new key is good for.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeyToCreate {
    /// The account in whose name it asks; there needs to be none of that name yet.
    #[arg(long, default_value = "default")]
    pub(crate) account: String,
    /// Whether money is meant to move: each mode has keys, payments and limits of its own.
    #[arg(long, value_enum, default_value_t = KeyMode::Test)]
    pub(crate) mode: KeyMode,
    /// Whether it only looks, or makes payments too.
    #[arg(long, value_enum, default_value_t = KeyRights::Write)]
    pub(crate) scope: KeyRights,
    /// What it is called in the list.
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// The side of an account.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyMode {
    /// Money moves.
    Live,
    /// None does.
    Test,
}

impl From<KeyMode> for Mode {
    fn from(mode: KeyMode) -> Self {
        match mode {
            KeyMode::Live => Self::Live,
            KeyMode::Test => Self::Test,
        }
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyRights {
    /// Look.
    Read,
    /// Look, and make payments.
    Write,
}

impl From<KeyRights> for KeyScope {
    fn from(rights: KeyRights) -> Self {
        match rights {
            KeyRights::Read => Self::Read,
            KeyRights::Write => Self::Write,
        }
    }
}

/// What is done with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigAction {
    /// Prints every value and where it came from, secrets masked.
    Show,
    /// Says whether a service with it would start.
    Check,
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Wrong configuration.
    #[error("{0}")]
    Settings(#[from] crate::settings::SettingsError),
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// A failure with what was being done.
    pub(crate) fn failed(doing: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{doing}: {error}"))
    }
}

/// Runs the command line of this process: 0 done, 1 failed, 2 wrong usage or configuration.
pub fn run() -> ExitCode {
    let Cli { sources, command } = Cli::parse();
    #[cfg(any(feature = "failpoints", feature = "sabotage"))]
    if let Err(error) = crate::faults::prepare() {
        eprintln!("payonce: {error}");
        return ExitCode::FAILURE;
    }
    let done = match command {
        Command::Serve { no_workers } => commands::serve(&sources, !no_workers),
        Command::Work => commands::work(&sources),
        Command::Migrate { action } => commands::migrate(&sources, action),
        Command::Simulate(options) => commands::simulate(&sources, &options),
        Command::Payments { action } => commands::payments(&sources, action),
        Command::Transactions { action } => commands::transactions(&sources, action),
        Command::Keys { action } => commands::keys(&sources, action),
        Command::Health { url } => commands::health(&sources, url),
        Command::Config { action } => commands::config(&sources, action),
    };
    let (prefix, error, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(CommandError::Settings(error)) => ("configuration", error.to_string(), 2),
        Err(CommandError::Usage(error)) => ("payonce", error, 2),
        Err(CommandError::Failed(error)) => ("payonce", error, 1),
    };
    for line in error.lines() {
        eprintln!("{prefix}: {line}");
    }
    ExitCode::from(code)
}
