//! One mode: load and faults, then load alone, then quiet, then the check.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::sleep;

use super::binaries::Binaries;
use crate::Failure;
use crate::checker::{self, Evidence, Findings, Rule};
use crate::clients::{self, Load, LoadTerms};
use crate::disk::SmallDisk;
use crate::faults::{self, Size, Told, Victim};
use crate::history::Payment;
use crate::options::{Mode, Options};
use crate::referee::Behaviour;
use crate::report::ModeReport;
use crate::scene::{Plan, Scene};

/// Failures this long after a fault are its doing.
const GRACE: Duration = Duration::from_secs(5);
/// Load without faults, before it is quiet: long enough for some of it to have no excuse.
const TAIL: Duration = Duration::from_secs(7);
/// Nothing may be unsettled for longer once it is quiet.
const PATIENCE: Duration = Duration::from_secs(90);
/// No mode may take longer to inject its faults.
const LONGEST: Duration = Duration::from_secs(600);

/// What a mode is run with.
pub struct Order {
    /// The mode.
    pub mode: Mode,
    /// Its name in the report.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// Instances.
    pub instances: usize,
    /// The binary.
    pub binary: PathBuf,
    /// Further settings of every instance.
    pub settings: Vec<(String, String)>,
    /// How many faults.
    pub size: Size,
    /// How clients behave.
    pub load: LoadTerms,
    /// How the gateway behaves while there are faults.
    pub gateway: Behaviour,
    /// Whether logs are kept also when all is well.
    pub keep: bool,
}

impl Order {
    /// The mode as it is run for itself.
    pub fn new(mode: Mode, options: &Options, seed: u64, binaries: &Binaries) -> Self {
        let size = Size::of(mode, options);
        let failpoints = binaries.breakable.clone().filter(|_| mode == Mode::Failpoints);
        let load = LoadTerms {
            payers: options.clients,
            senders: 6,
            payments: size.payments,
            duplicates: 100,
            crowd: 2,
            repeats: 250,
            mutations: 50,
            patience: Duration::from_secs(20),
            key_prefix: String::new(),
            token: String::new(),
        };
        let gateway = match mode {
            Mode::Gateway => Behaviour::nasty(),
            _ => Behaviour::usual(),
        };
        Self {
            mode,
            name: mode.name(),
            seed: seed ^ u64::from(mode as u8).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            instances: options.instances,
            binary: failpoints.unwrap_or_else(|| binaries.real.clone()),
            settings: faults::settings(mode),
            size,
            load,
            gateway,
            keep: options.keep,
        }
    }
}

/// Why a mode cannot be run here.
fn obstacle(mode: Mode) -> Option<String> {
    match mode {
        Mode::Disk => SmallDisk::obstacle(),
        Mode::Clock => faults::clock_obstacle(),
        _ => None,
    }
}

/// Runs it.
pub async fn run(order: &Order, bar: &ProgressBar) -> Result<ModeReport, Failure> {
    let began = Instant::now();
    let mut report = ModeReport {
        name: order.name.clone(),
        seed: order.seed,
        load: None,
        skipped: obstacle(order.mode),
        seconds: 0,
        payments: 0,
        requests: 0,
        webhooks: 0,
        faults: BTreeMap::new(),
        tricks: BTreeMap::new(),
        charges: 0,
        voids: 0,
        notes: Vec::new(),
        findings: Findings::default(),
        timeline: crate::timeline::Noted::default(),
    };
    if report.skipped.is_some() {
        return Ok(report);
    }
    let mut random = StdRng::seed_from_u64(order.seed);
    let plan = Plan {
        mode: order.mode,
        seed: random.random(),
        instances: order.instances,
        binary: &order.binary,
        settings: order.settings.clone(),
    };
    bar.set_message("building its world");
    let mut scene = Scene::build(&plan).await?;
    let done = under_faults(order, &scene, &mut random, bar, &mut report).await;
    if let Err(failure) = done {
        let folder = scene.keep();
        return Err(format!("{}: {failure}; see {}", order.name, folder.display()).into());
    }
    report.seconds = began.elapsed().as_secs();
    if order.keep || !report.is_clean() {
        report.notes.push(format!("logs and data: {}", scene.keep().display()));
    }
    Ok(report)
}

async fn under_faults(
    order: &Order,
    scene: &Scene,
    random: &mut StdRng,
    bar: &ProgressBar,
    report: &mut ModeReport,
) -> Result<(), Failure> {
    let terms = LoadTerms {
        key_prefix: scene.canaries.key_prefix.clone(),
        token: scene.canaries.token.clone(),
        ..order.load.clone()
    };
    report.load = Some(terms.clone());
    let bases = scene.instances.iter().map(|instance| instance.base.clone()).collect();
    scene.referee.behave(order.gateway);
    let load = Load::start(bases, terms, Arc::clone(&scene.timeline), random)?;
    let shared = Arc::clone(&load.shared);
    let show = |stage: &str| {
        let (payments, faults) = (shared.made(), scene.timeline.faults());
        bar.set_message(format!("{stage}: {payments} payments, {faults} faults"));
    };
    let told = Told::default();
    {
        let deadline = Instant::now() + LONGEST;
        let victim = Victim { scene, shared: &shared, told: &told, size: order.size };
        let injected = faults::inject(order.mode, &victim, random);
        tokio::pin!(injected);
        let mut is_over = false;
        while !is_over || shared.made() < order.size.payments {
            tokio::select! {
                done = &mut injected, if !is_over => {
                    done?;
                    is_over = true;
                }
                () = sleep(Duration::from_millis(200)) => show("faults"),
            }
            if Instant::now() > deadline {
                return Err("its faults or payments do not come to an end".into());
            }
        }
    }
    scene.referee.behave(Behaviour::calm());
    let tail = Instant::now();
    while tail.elapsed() < TAIL {
        show("load alone");
        sleep(Duration::from_millis(200)).await;
    }
    show("stopping");
    let shared = load.stop().await;
    let unexcused = scene.timeline.unexcused(GRACE);
    scene.restart_all().await?;
    let quiet = Instant::now();
    let left = scene.settle(PATIENCE).await?;
    told.note(format!("settled {} ms after the restart", quiet.elapsed().as_millis()));
    show("asking once more");
    let mut payments = std::mem::take(&mut *shared.history.payments());
    ask_all(&shared, &mut payments, random).await;
    scene.settle(PATIENCE).await?;
    let webhooks = std::mem::take(&mut *shared.history.webhooks());
    let books = scene.tables.read().await?;
    let leaks = scene.leaks()?;
    let mut findings = scene.referee.read(|ledger| {
        report.charges = count(ledger.executions().iter().filter(|it| it.approved).count());
        report.voids = count(ledger.voided());
        checker::check(&Evidence {
            executions: ledger.executions(),
            books: &books,
            payments: &payments,
            webhooks: &webhooks,
            unexcused: &unexcused,
            leaks: &leaks,
        })
    });
    if left > 0 {
        findings
            .add(Rule::Unresolved, format!("{left} rows unsettled after {PATIENCE:?} of quiet"));
    }
    for panic in scene.panics()? {
        findings.add(Rule::StrangeAnswers, panic);
    }
    report.payments = count(payments.len());
    report.requests = payments.iter().map(|payment| payment.requests).sum();
    report.webhooks = count(webhooks.len());
    report.tricks = scene.referee.tricks();
    report.timeline = scene.timeline.noted_so_far();
    for fault in &report.timeline.faults {
        let times = report.faults.entry(fault.what.clone()).or_default();
        *times = times.saturating_add(1);
    }
    report.notes = told.end(&mut findings);
    report.findings = findings;
    Ok(())
}

/// Asks for every payment once more: whatever became of it, now it has a final answer.
async fn ask_all(shared: &Arc<clients::Shared>, payments: &mut [Payment], random: &mut StdRng) {
    let asking = payments.iter_mut().map(|payment| {
        let mut own = StdRng::seed_from_u64(random.random());
        async move {
            for _ in 0..20 {
                let body = clients::body_of(shared, payment);
                let seen = clients::ask(shared, payment, &body, &mut own).await;
                let is_final = matches!(seen, clients::Seen::Final(_));
                clients::note(shared, payment, seen);
                if is_final {
                    break;
                }
                sleep(Duration::from_millis(250)).await;
            }
        }
    });
    // Drawn in order, asked together.
    let asking: Vec<_> = asking.collect();
    futures_util::stream::iter(asking).buffer_unordered(24).collect::<Vec<_>>().await;
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
