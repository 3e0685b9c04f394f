//! One run: a day of faults from one seed, then quiet, then the reckoning.

use std::sync::{Arc, Mutex};

use super::client::{Client, clients};
use super::instance::{Instance, SharedAnswers};
use super::terms::LEASE;
use super::world::{Act, Break, Shared, World, lock};
use crate::payment::PaymentId;
use crate::text::Text;
use crate::use_cases::{Decision, Resolution};

/// Once all is quiet everything is resolved by then, in the world's milliseconds.
const LONGEST_QUIET: u64 = 60_000;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) violation: Option<String>,
    pub(super) trace: Vec<String>,
    /// When it ended.
    pub(super) ended_at: u64,
    pub(super) seen: Seen,
}

/// What has happened at all, so that a run that finds nothing has looked at something.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) payments: u64,
    pub(super) charges: u64,
    pub(super) crashes: u64,
    pub(super) pauses: u64,
    pub(super) departures: u64,
    pub(super) reviews: u64,
    pub(super) taken_over: u64,
    pub(super) reused: u64,
    pub(super) opaque: u64,
    pub(super) processed: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        for (all, one) in self.counters().into_iter().zip(other.clone().counters()) {
            *all.1 += *one.1;
        }
    }

    pub(super) fn assert_all_happened(mut self) {
        for (name, counter) in self.counters() {
            assert!(*counter > 0, "never in all of these runs: {name}");
        }
    }

    fn counters(&mut self) -> [(&'static str, &mut u64); 10] {
        [
            ("payments", &mut self.payments),
            ("charges", &mut self.charges),
            ("crashes", &mut self.crashes),
            ("pauses", &mut self.pauses),
            ("departures", &mut self.departures),
            ("reviews", &mut self.reviews),
            ("taken over", &mut self.taken_over),
            ("reused", &mut self.reused),
            ("opaque", &mut self.opaque),
            ("processed", &mut self.processed),
        ]
    }
}

pub(super) fn run(seed: u64, broken: Option<Break>, is_traced: bool) -> Outcome {
    let mut day = Day::new(seed, broken, is_traced);
    day.run();
    day.outcome()
}

struct Day {
    world: Shared,
    instances: Vec<Option<Instance>>,
    clients: Vec<Client>,
    lives: u64,
    answers: SharedAnswers,
    seen: Seen,
}

impl Day {
    fn new(seed: u64, broken: Option<Break>, is_traced: bool) -> Self {
        let mut world = World::new(seed, broken, is_traced);
        let terms = world.terms.clone();
        world.note(|| format!("{terms:?}"));
        let clients = clients(&mut world);
        plan(&mut world);
        let world = Arc::new(Mutex::new(world));
        let answers = SharedAnswers::default();
        let instances = (0..terms.instances).map(|_| None).collect();
        let mut day = Self { world, instances, clients, lives: 0, answers, seen: Seen::default() };
        for place in 0..day.instances.len() {
            day.start(place);
        }
        day
    }

    fn run(&mut self) {
        loop {
            for place in self.order() {
                if let Some(Some(instance)) = self.instances.get_mut(place) {
                    instance.drive();
                }
            }
            let Some(act) = lock(&self.world).take_next() else {
                return;
            };
            let is_over = self.act(act);
            if is_over || lock(&self.world).violation.is_some() {
                return;
            }
        }
    }

    /// Whose turn is first is chance, too.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let many = self.instances.len();
        let first = lock(&self.world).chance.below(many.try_into().expect("few"));
        let first = usize::try_from(first).expect("few");
        (0..many).map(move |place| (place + first) % many)
    }

    /// Does what is due; true at the end.
    fn act(&mut self, act: Act) -> bool {
        match act {
            Act::Do(work) => work(&mut lock(&self.world)),
            Act::Send { client } => self.send(client),
            Act::Leave { client, request } => self.leave(client, request),
            Act::Crash(place) => self.crash(place),
            Act::Start(place) => self.start(place),
            Act::Pause(place) => self.pause(place, true),
            Act::Resume(place) => self.pause(place, false),
            Act::Operate => self.operate(),
            Act::News(payment) => {
                self.instances.iter().flatten().for_each(|it| it.tell_news(payment));
            }
            Act::Flush => lock(&self.answers).clear(),
            Act::Look => return self.look(),
        }
        false
    }

    fn start(&mut self, place: usize) {
        if self.instances.get(place).is_some_and(Option::is_some) {
            return;
        }
        self.lives += 1;
        let life = self.lives;
        lock(&self.world).note(|| format!("{life} starts"));
        let instance = Instance::start(&self.world, life, &self.answers);
        if let Some(at) = self.instances.get_mut(place) {
            *at = Some(instance);
        }
    }

    fn crash(&mut self, place: usize) {
        let Some(instance) = self.instances.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.seen.crashes += 1;
        let world = &mut *lock(&self.world);
        world.note(|| format!("{} dies", instance.life));
        world.cut_off(instance.life);
        let away = world.chance.pick(&[1, 100, 2 * LEASE]);
        world.schedule(away, None, Act::Start(place));
        for (number, client) in self.clients.iter_mut().enumerate() {
            if client.at.is_some_and(|(at, task)| at == place && instance.is_at(task)) {
                client.at = None;
                let pause = world.chance.between(1, 300);
                world.schedule(pause, None, Act::Send { client: number });
            }
        }
    }

    fn pause(&mut self, place: usize, is_paused: bool) {
        let Some(Some(instance)) = self.instances.get_mut(place) else {
            return;
        };
        instance.is_paused = is_paused;
        let life = instance.life;
        self.seen.pauses += u64::from(is_paused);
        let what = if is_paused { "stands still" } else { "goes on" };
        lock(&self.world).note(|| format!("{life} {what}"));
    }

    fn send(&mut self, number: usize) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let is_quiet = lock(&self.world).is_quiet;
        let is_busy = client.at.is_some_and(|(place, task)| {
            self.instances.get(place).and_then(Option::as_ref).is_some_and(|it| it.is_at(task))
        });
        if is_busy || (client.requests > 0 && !client.asks_again(is_quiet)) {
            return;
        }
        let alive: Vec<_> =
            (0..self.instances.len()).filter(|&at| self.instances[at].is_some()).collect();
        if alive.is_empty() {
            return lock(&self.world).schedule(50, None, Act::Send { client: number });
        }
        let place = lock(&self.world).chance.pick(&alive);
        if let Some(Some(instance)) = self.instances.get_mut(place) {
            client.send(number, place, instance, &self.world);
        }
    }

    /// A client leaves its request, or, with request 0, has what it wants.
    fn leave(&mut self, number: usize, request: u64) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        if request == 0 {
            client.is_content = true;
            return;
        }
        let Some((place, task)) = client.at.filter(|_| client.requests == request) else {
            return;
        };
        if let Some(Some(instance)) = self.instances.get_mut(place)
            && instance.is_at(task)
        {
            instance.drop_task(task);
            self.seen.departures += 1;
            let world = &mut *lock(&self.world);
            world.note(|| format!("client {number} leaves"));
            let pause = world.chance.between(1, 300);
            world.schedule(pause, None, Act::Send { client: number });
        }
    }

    /// An operator resolves what is in review, if anything is.
    fn operate(&mut self) {
        let world = &mut *lock(&self.world);
        let in_review = world.store.in_review();
        let Some(record) = in_review.first() else {
            return;
        };
        let (account, payment) = (record.id.account.clone(), record.payment_id);
        let first = world.chance.below(3);
        let decision = match first {
            0 => Decision::Completed { reference: None },
            _ => Decision::Failed { without_void: false },
        };
        world.note(|| format!("an operator decides of {payment}: {decision:?}"));
        self.seen.reviews += 1;
        let resolution = Resolution {
            account,
            payment,
            operator: Text::parse("somebody").expect("valid"),
            reason: Text::parse("it is time").expect("valid"),
            decision,
        };
        let shared = Arc::clone(&self.world);
        if let Some(instance) = self.instances.iter_mut().flatten().next() {
            let service = Arc::clone(&instance.service);
            instance.spawn(async move {
                let resolved = service.resolve.execute(&resolution).await;
                lock(&shared).note(|| format!("the operator is told {resolved:?}"));
            });
        }
    }

    /// Once the faults have ended: whether everything is resolved and everybody knows it.
    fn look(&mut self) -> bool {
        if !lock(&self.world).is_quiet {
            self.begin_quiet();
            return false;
        }
        let (unresolved, late, waited) = {
            let world = lock(&self.world);
            let waited = world.now - world.terms.faults_until;
            (world.is_unresolved(), world.terms.lateness + LEASE, waited)
        };
        let waiting = self.clients.iter().position(|client| !client.is_content);
        let open = unresolved.or(waiting.map(|client| format!("client {client} waits")));
        if open.is_none() && waited > late {
            lock(&self.world).check_books();
            return true;
        }
        if waited > LONGEST_QUIET {
            let what = open.unwrap_or_default();
            lock(&self.world).violated(format!("not resolved in {waited} ms of quiet: {what}"));
            return true;
        }
        self.operate();
        lock(&self.world).schedule(300, None, Act::Look);
        false
    }

    fn begin_quiet(&mut self) {
        {
            let world = &mut *lock(&self.world);
            world.note(|| "faults end".to_owned());
            world.is_quiet = true;
            world.is_store_away = false;
            world.is_gateway_away = false;
            world.clock_is_off_by = 0;
            world.schedule(300, None, Act::Look);
            for client in 0..self.clients.len() {
                let after = world.chance.below(500);
                world.schedule(after, None, Act::Send { client });
            }
        }
        for place in 0..self.instances.len() {
            match self.instances.get(place) {
                Some(Some(_)) => self.pause(place, false),
                _ => self.start(place),
            }
        }
    }

    fn outcome(self) -> Outcome {
        let world = &mut *lock(&self.world);
        let many = |number: usize| u64::try_from(number).expect("few");
        let ids = world.store.payments.keys();
        let ids: std::collections::BTreeSet<PaymentId> = ids.copied().collect();
        let taken = world.store.timelines.values();
        let taken_over = taken.filter(|it| it.kind == crate::payment::EventKind::TakenOver).count();
        let records = world.store.records.values();
        let is_reused = |it: &&crate::idempotency::IdempotencyRecord| it.generation.0 > 1;
        Outcome {
            violation: world.violation.clone(),
            trace: world.trace.take().unwrap_or_default(),
            ended_at: world.now,
            seen: Seen {
                payments: many(ids.len()),
                charges: many(world.bank.live().count()),
                taken_over: many(taken_over),
                reused: many(records.clone().filter(is_reused).count()),
                opaque: many(
                    records.filter(|it| it.subject == crate::idempotency::Subject::Opaque).count(),
                ),
                processed: many(world.history.processed.len()),
                ..self.seen
            },
        }
    }
}

/// When which fault happens.
fn plan(world: &mut World) {
    let terms = world.terms.clone();
    let until = terms.faults_until;
    world.schedule(until, None, Act::Look);
    let places = usize::try_from(terms.instances).expect("few");
    let many = |world: &mut World, most| (0..most).map(|_| world.chance.below(until)).collect();
    let crashes: Vec<u64> = many(world, terms.crashes);
    for at in crashes {
        let place = world.chance.below(terms.instances);
        world.schedule(at, None, Act::Crash(usize::try_from(place).expect("few") % places));
    }
    let pauses: Vec<u64> = many(world, terms.pauses);
    for at in pauses {
        let place = usize::try_from(world.chance.below(terms.instances)).expect("few");
        let pause = world.chance.between(LEASE / 4, 3 * LEASE);
        world.schedule(at, None, Act::Pause(place));
        world.schedule(at + pause, None, Act::Resume(place));
    }
    let outages: Vec<u64> = many(world, terms.outages);
    for at in outages {
        let away = world.chance.between(50, 2 * LEASE);
        world.then(at, None, |world| world.is_store_away = !world.is_quiet);
        world.then(at + away, None, |world| world.is_store_away = false);
    }
    let absences: Vec<u64> = many(world, terms.absences);
    for at in absences {
        let away = world.chance.between(50, 2 * LEASE);
        world.then(at, None, |world| world.is_gateway_away = !world.is_quiet);
        world.then(at + away, None, |world| world.is_gateway_away = false);
    }
    let jumps: Vec<u64> = many(world, terms.jumps);
    for at in jumps {
        let jump = i64::try_from(world.chance.between(0, 2 * terms.jump)).expect("short");
        let off_by = jump - i64::try_from(terms.jump).expect("short");
        world.then(at, None, move |world| {
            if !world.is_quiet {
                world.note(|| format!("the store's clock is off by {off_by} ms"));
                world.clock_is_off_by = off_by;
            }
        });
    }
    let flushes: Vec<u64> = many(world, terms.flushes);
    for at in flushes {
        world.schedule(at, None, Act::Flush);
    }
    let looks: Vec<u64> = many(world, 2);
    for at in looks {
        world.schedule(at, None, Act::Operate);
    }
}
