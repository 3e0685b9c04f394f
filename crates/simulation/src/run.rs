//! A run from its first request to its judgement.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{self, Shared};
use crate::plan::Plans;
use crate::progress::{Moment, Progress};
use crate::services::Services;
use crate::story::Story;
use crate::summary::Summary;
use crate::tally::Tally;
use crate::verdict::Verdict;
use crate::{Failure, Options, page};

/// What a run finds around it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The binary that a service of its own is a process of.
    pub binary: PathBuf,
    /// The configuration files of that service.
    pub files: Vec<PathBuf>,
}

/// Runs it; `stopped` ends it early, and then what there is is judged.
pub async fn simulate(
    options: &Options,
    around: &Surroundings,
    stopped: impl Future<Output = ()>,
) -> Result<Summary, Failure> {
    options.check()?;
    let services = Services::prepare(options, around);
    let (mut stopped, mut services) = (std::pin::pin!(stopped), std::pin::pin!(services));
    let services = tokio::select! {
        services = &mut services => services?,
        () = &mut stopped => return Err(Failure::Failed("stopped before it began".to_owned())),
    };
    let seed = options.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let shared = Arc::new(Shared {
        service: services.service.clone(),
        plans: Plans::new(options, seed),
        payments: options.payments,
        patience: options.patience,
        tally: Tally::new()?,
        stop: CancellationToken::new(),
        next: AtomicU32::new(0),
    });
    let began = Instant::now();
    let paid = pay(&shared, options.clients, stopped).await;
    let took = began.elapsed();
    let books = match &services.books {
        Some(books) => Some(books.live_charges(&shared.plans.token_prefix()).await),
        None => None,
    };
    let judged = async {
        let (stories, moments) = paid?;
        let verdict = Verdict::of(&stories, books.transpose()?.as_ref());
        Ok(Summary {
            surroundings: services.description.clone(),
            options: options.clone(),
            seed,
            took,
            was_stopped: shared.stop.is_cancelled(),
            verdict,
            requests: shared.tally.figures(),
            times: shared.tally.times(),
            moments,
            kept: None,
        })
    };
    let mut judged: Result<Summary, Failure> = judged.await;
    let is_needed = !judged.as_ref().is_ok_and(|summary| summary.failure().is_none());
    let kept = services.end(is_needed).await;
    if let Ok(summary) = &mut judged {
        summary.kept = kept;
        if let Some(file) = &options.report {
            let doing = format!("writing {}", file.display());
            let page = page::page(summary)?;
            std::fs::write(file, page).map_err(|error| Failure::failed(&doing, error))?;
        }
    }
    judged
}

async fn pay(
    shared: &Arc<Shared>,
    clients: u32,
    stopped: impl Future<Output = ()>,
) -> Result<(Vec<Story>, Vec<Moment>), Failure> {
    let mut paying = JoinSet::new();
    for _ in 0..clients {
        paying.spawn(client::pay(Arc::clone(shared)));
    }
    let mut progress = Progress::of(Arc::clone(shared))?;
    let stopping = async {
        stopped.await;
        shared.stop.cancel();
        std::future::pending::<()>().await;
    };
    let stories = tokio::select! {
        stories = paying.join_all() => stories,
        () = progress.show() => Vec::new(),
        () = stopping => Vec::new(),
    };
    Ok((stories.into_iter().flatten().collect(), progress.end()))
}
