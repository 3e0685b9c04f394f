//! A client: makes one payment after another, retries with growing pauses, repeats itself as it was
//! planned, and writes down what it saw. It must know nothing of how that is judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::plan::{Again, Plan, Plans};
use crate::story::Story;
use crate::tally::Tally;
use crate::wire::{Answer, Kind, Service, Trouble};

/// A payment's first request; those after it have other pauses.
const FIRST: u64 = 0;
/// The look for what was accepted.
const LOOK: u64 = 7;
/// The repeat after the answer.
const REPEAT: u64 = 8;
/// The request for another amount.
const OTHERWISE: u64 = 9;
/// Between the first request and the second, before chance has added to it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// What the pauses grow to.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What all clients share.
#[derive(Debug)]
pub struct Shared {
    /// Whom they ask.
    pub service: Service,
    /// What they are going to do.
    pub plans: Plans,
    /// How many payments they make together.
    pub payments: u32,
    /// How long a payment may take.
    pub patience: Duration,
    /// What happens.
    pub tally: Tally,
    /// Ends the run early.
    pub stop: CancellationToken,
    /// The next payment's number.
    pub next: AtomicU32,
}

/// Pays until there is nothing left to pay; what was accepted is followed up beside the next payments.
pub async fn pay(shared: Arc<Shared>) -> Vec<Story> {
    let (mut stories, mut followed) = (Vec::new(), JoinSet::new());
    while !shared.stop.is_cancelled() {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        if number >= shared.payments {
            break;
        }
        let plan = shared.plans.draw(number);
        let mut payment = Payment::new(Arc::clone(&shared), plan);
        match shared.stop.run_until_cancelled(payment.begin()).await {
            Some(true) => drop(followed.spawn(payment.follow())),
            _ => stories.push(payment.end().await),
        }
    }
    stories.extend(followed.join_all().await);
    stories
}

/// A payment that is being made.
struct Payment {
    shared: Arc<Shared>,
    plan: Plan,
    story: Story,
    began: Instant,
}

/// Whether a client stays with a payment that was accepted, or goes on to the next one first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenAccepted {
    Stay,
    GoOn,
}

impl Payment {
    fn new(shared: Arc<Shared>, plan: Plan) -> Self {
        let story = Story::new(&plan.key, &plan.token);
        Self { shared, plan, story, began: Instant::now() }
    }

    /// The first request, and those that are sent at the same time; true where it was accepted and not
    /// settled.
    async fn begin(&mut self) -> bool {
        let more = match self.plan.again {
            Again::AtOnce(more) => more,
            _ => 0,
        };
        let requests = (FIRST..=FIRST + u64::from(more))
            .map(|number| self.ask(WhenAccepted::GoOn, self.began, number));
        for asked in join_all(requests).await {
            self.note(asked);
        }
        if self.plan.again == Again::WithOtherBody {
            self.ask_otherwise().await;
        }
        self.story.was_accepted && self.story.first.is_none()
    }

    /// Asks until an accepted payment is settled, and goes on as planned.
    async fn follow(mut self) -> Story {
        let stop = self.shared.stop.clone();
        let asked = self.ask(WhenAccepted::Stay, self.began, LOOK);
        if let Some(asked) = stop.run_until_cancelled(asked).await {
            self.note(asked);
        }
        self.end().await
    }

    /// Repeats it after its answer, where that is planned.
    async fn end(mut self) -> Story {
        let is_repeated = matches!(self.plan.again, Again::Afterwards | Again::WithOtherBody);
        if is_repeated && self.story.first.is_some() {
            let stop = self.shared.stop.clone();
            let asked = self.ask(WhenAccepted::Stay, Instant::now(), REPEAT);
            if let Some(asked) = stop.run_until_cancelled(asked).await {
                if asked.is_err() {
                    let told = "its answer was given once, and not again".to_owned();
                    self.story.strange.push(told);
                }
                self.note(asked);
            }
        }
        self.story.is_cut_off = self.shared.stop.is_cancelled() && self.story.first.is_none();
        let tally = &self.shared.tally;
        tally.ended.one_more();
        if self.story.was_accepted && self.story.first.is_some() {
            tally.resolved.one_more();
        }
        self.story
    }

    /// Asks until an answer is final, or patience has ended.
    async fn ask(
        &self,
        when_accepted: WhenAccepted,
        began: Instant,
        number: u64,
    ) -> Result<Answer, Trouble> {
        let (tally, deadline) = (&self.shared.tally, began + self.shared.patience);
        let is_waiting = !self.plan.is_asynchronous;
        let mut broken_off_after = self.plan.broken_off_after.filter(|_| number == FIRST);
        let once = || {
            let broken_off_after = broken_off_after.take();
            async move {
                let (service, plan) = (&self.shared.service, &self.plan);
                tally.requests.one_more();
                let sent = Instant::now();
                let answer = service.pay(&plan.key, &plan.body, is_waiting, broken_off_after);
                let answer = answer.await?;
                tally.answered(answer.is_replay, sent.elapsed());
                Ok(answer)
            }
        };
        once.retry(pauses(self.plan.jitter.wrapping_add(number)))
            .when(|trouble: &Trouble| match trouble.kind {
                Kind::Accepted => when_accepted == WhenAccepted::Stay,
                _ => trouble.kind.passes(),
            })
            .adjust(|trouble, pause| in_time(trouble, pause, deadline))
            .notify(|trouble, _| tally.again(trouble))
            .await
    }

    /// Asks for another amount under the key that is known by now: it must be refused.
    async fn ask_otherwise(&mut self) {
        if self.story.first.is_none() && !self.story.was_accepted {
            return;
        }
        let (tally, deadline) = (&self.shared.tally, Instant::now() + self.shared.patience);
        let once = || async {
            tally.requests.one_more();
            self.shared.service.pay(&self.plan.key, &self.plan.other_body, true, None).await
        };
        let asked = once
            .retry(pauses(self.plan.jitter.wrapping_add(OTHERWISE)))
            .when(|trouble: &Trouble| trouble.kind != Kind::Accepted && trouble.kind.passes())
            .adjust(|trouble, pause| in_time(trouble, pause, deadline))
            .notify(|trouble, _| tally.again(trouble))
            .await;
        let story = &mut self.story;
        match asked.map_err(|trouble| trouble.kind) {
            Err(Kind::OtherRequest) => {
                tally.conflicts.one_more();
                story.conflicts = story.conflicts.saturating_add(1);
            }
            Ok(answer) => story.executed_others.push(answer.last.status.to_string()),
            Err(Kind::Accepted) => story.executed_others.push("202".to_owned()),
            Err(Kind::Strange(told)) => story.strange.push(format!("another amount: {told}")),
            // Nothing was said of it: neither refused nor executed.
            Err(_) => {}
        }
    }

    fn note(&mut self, asked: Result<Answer, Trouble>) {
        let (tally, story) = (&self.shared.tally, &mut self.story);
        let trouble = match asked {
            Ok(answer) => {
                if story.first.is_none() {
                    tally.settled(self.began.elapsed());
                }
                return story.told(answer.last);
            }
            Err(trouble) => trouble,
        };
        story.last_trouble = trouble.to_string();
        if trouble.kind == Kind::Accepted && !story.was_accepted {
            tally.accepted.one_more();
            story.was_accepted = true;
        }
        if !trouble.kind.passes() {
            story.strange.push(trouble.to_string());
        }
    }
}

fn pauses(seed: u64) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .with_jitter_seed(seed)
}

/// The pause before the next try, no shorter than the service has asked for; none where patience would
/// end first.
fn in_time(trouble: &Trouble, pause: Option<Duration>, deadline: Instant) -> Option<Duration> {
    let pause = pause?.max(trouble.pause.unwrap_or_default());
    (Instant::now() + pause < deadline).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(pause: Option<u64>) -> Trouble {
        Trouble { kind: Kind::TooOften, pause: pause.map(Duration::from_secs) }
    }

    #[test]
    fn a_pause_is_no_shorter_than_the_service_has_asked_for() {
        let later = Instant::now() + Duration::from_secs(60);
        let short = Some(Duration::from_millis(50));
        assert_eq!(in_time(&trouble(Some(3)), short, later), Some(Duration::from_secs(3)));
        assert_eq!(in_time(&trouble(None), short, later), short);
        assert_eq!(in_time(&trouble(Some(61)), short, later), None);
    }

    #[test]
    fn pauses_grow_and_differ_by_seed() {
        use backon::BackoffBuilder;
        let of = |seed| pauses(seed).build().take(12).collect::<Vec<_>>();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(1).iter().all(|pause| *pause >= SHORTEST_PAUSE && *pause <= 2 * LONGEST_PAUSE));
        assert!(of(1).last() > of(1).first());
    }
}
