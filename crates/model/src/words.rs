//! A trace in words: what happened, and what it left behind.

use std::fmt::{self, Display, Formatter};

use crate::actions::{Action, Fault};
use crate::gateway::{Choice, Entry, Ledger, Verdict};
use crate::state::{
    Answer, LookUp, Payload, Payment, Process, ProcessId, Record, RecordState, Role, State, Status,
    Step,
};

/// The path of one discovery, in words: a numbered line for each event, and the state after it.
pub fn tell(path: Vec<(State, Option<Action>)>) -> Vec<String> {
    let mut lines = Vec::new();
    let after = path.iter().skip(1).map(|(state, _)| state);
    for (number, ((before, action), after)) in (1..).zip(path.iter().zip(after)) {
        if let Some(action) = action {
            lines.push(format!("{number:>3}. {}", sentence(*action, before, after)));
            lines.push(format!("       {after}"));
        }
    }
    lines
}

fn sentence(action: Action, before: &State, after: &State) -> String {
    let who = |id| name(before, id);
    let now = |id| then(after, id);
    match action {
        Action::ReadCache(id) => format!("{} finds the key in the cache", who(id)),
        Action::Open(id) => format!("{} opens the key{}", who(id), now(id)),
        Action::InsertUnchecked(id) => {
            format!("{} inserts the key that it found absent{}", who(id), now(id))
        }
        Action::Take(id) => format!("{} takes the payment{}", who(id), now(id)),
        Action::LookUp(id) => format!("{} looks the charge up{}", who(id), now(id)),
        Action::LookUpFails(id) => format!("the look-up of {} brings nothing{}", who(id), now(id)),
        Action::Announce(id) => format!("{} announces a charge{}", who(id), now(id)),
        Action::Charge(id, choice) => {
            format!("{} sends the charge, the gateway {}{}", who(id), did(choice), now(id))
        }
        Action::ChargeFails(id, fault) => {
            format!("{} sends the charge and gets {}{}", who(id), got(fault), now(id))
        }
        Action::IntendVoid(id) => format!("{} announces a void{}", who(id), now(id)),
        Action::Void(id, choice) => {
            format!("{} sends the void, the gateway {}{}", who(id), did(choice), now(id))
        }
        Action::VoidFails(id, fault) => {
            format!("{} sends the void and gets {}{}", who(id), got(fault), now(id))
        }
        Action::Settle(id) => format!("{} settles{}", who(id), now(id)),
        Action::CacheEarly(id) => format!("{} caches an answer not yet stored", who(id)),
        Action::HandOver(id) => format!("{} hands the payment over{}", who(id), now(id)),
        Action::LeaveOpen(id) => format!("{} leaves the payment to its client{}", who(id), now(id)),
        Action::OpenEnds => "the client has stayed away for too long".to_owned(),
        Action::Review(id) => format!("{} leaves the payment to an operator{}", who(id), now(id)),
        Action::Tell { process, is_cached: false } => format!("{} answers", who(process)),
        Action::Tell { process, is_cached: true } => format!("{} caches and answers", who(process)),
        Action::CommitInDoubt(id) => format!(
            "{} commits ({}), but the connection breaks and it does not know",
            who(id),
            before.process(id).map_or_else(String::new, |process| process.step.to_string())
        ),
        Action::Crash(id) => format!("{} crashes", who(id)),
        Action::CrashAfterSend(id) => format!("{} sends its message and crashes", who(id)),
        Action::LeaseEnds if before.is_owner_alive() => {
            "the owner is paused for longer than its lease".to_owned()
        }
        Action::LeaseEnds => "the lease of the dead owner ends".to_owned(),
        Action::LateCharge(key, choice) => {
            format!("a charge arrives late under gateway key {key}: it {}", did(choice))
        }
        Action::LateVoid(key, choice) => {
            format!("a void arrives late under gateway key {key}: it {}", did(choice))
        }
        Action::WindowEnds(id) => format!("the deduplication window of payment {id} is over"),
        Action::GatewayForgets(key) => {
            format!("the gateway no longer recognises repeats under key {key}")
        }
        Action::LoseCache => "the cache is emptied".to_owned(),
        Action::Expire => "the stored answer expires".to_owned(),
        Action::Purge => "the stored answer is purged".to_owned(),
        Action::Forget => "the record is swept".to_owned(),
    }
}

fn name(state: &State, id: ProcessId) -> String {
    let Some(Process { role, .. }) = state.process(id) else {
        return format!("process {id}");
    };
    let number = 1 + state
        .processes
        .iter()
        .take(usize::from(id))
        .filter(|process| process.role == *role)
        .count();
    match role {
        Role::Request(Payload::Usual) => format!("request {number}"),
        Role::Request(Payload::Other) => format!("other request {number}"),
        Role::Worker => format!("worker {number}"),
    }
}

fn then(state: &State, id: ProcessId) -> String {
    match state.process(id) {
        Some(Process { step: Step::Over, .. }) => " and is over".to_owned(),
        Some(Process { step: Step::Waiting, .. }) => " and is free".to_owned(),
        Some(Process { step: Step::Reopen, .. }) => ": the fence is lost".to_owned(),
        Some(Process { step, claim: Some(claim), .. }) => {
            format!("; next, under fence {}: {step}", claim.fence)
        }
        Some(Process { step, .. }) => format!("; next: {step}"),
        None => String::new(),
    }
}

fn did(choice: Choice) -> &'static str {
    match choice {
        Choice::None => "answers from what it knows",
        Choice::Approve => "approves",
        Choice::Decline => "declines",
        Choice::TakeBack => "takes the approved charge back",
        Choice::Keep => "finds the approved charge beyond voiding",
    }
}

fn got(fault: Fault) -> &'static str {
    match fault {
        Fault::Timeout => "no answer in time",
        Fault::ServerError => "a 5xx",
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting | Self::Reopen => f.write_str("open the key"),
            Self::Insert => f.write_str("insert the key"),
            Self::LookUp(LookUp::First) => f.write_str("look up first"),
            Self::LookUp(LookUp::Last) => f.write_str("look up after the attempts"),
            Self::Announce { attempt } => write!(f, "announce charge {attempt}"),
            Self::Charge { attempt } => write!(f, "send charge {attempt}"),
            Self::IntendVoid => f.write_str("announce the void"),
            Self::Void => f.write_str("send the void"),
            Self::Settle(verdict) => write!(f, "settle as {verdict}"),
            Self::HandOver => f.write_str("hand over"),
            Self::LeaveOpen => f.write_str("leave it open"),
            Self::Tell(answer) => write!(f, "answer {answer}"),
            Self::Over => f.write_str("nothing"),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "COMPLETED",
            Self::Declined => "FAILED, declined",
            Self::Voided => "FAILED, voided",
        })
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\"{} by fence {}\"", self.verdict, self.stamp)
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "record fence {} ", self.fence)?;
        match self.state {
            RecordState::Running { lease_lasts: true } => f.write_str("running"),
            RecordState::Running { lease_lasts: false } => f.write_str("running, lease over"),
            RecordState::Open => f.write_str("left open"),
            RecordState::Queued => f.write_str("queued"),
            RecordState::Unknown => f.write_str("unknown"),
            RecordState::InReview => f.write_str("in review"),
            RecordState::Settled { answer, is_expired: false } => write!(f, "settled {answer}"),
            RecordState::Settled { answer, is_expired: true } => write!(f, "expired {answer}"),
            RecordState::Purged => f.write_str("purged"),
        }
    }
}

impl Display for Payment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.status {
            Status::Processing => "PROCESSING",
            Status::Completed => "COMPLETED",
            Status::Failed => "FAILED",
            Status::NeedsReview => "NEEDS_REVIEW",
        })?;
        let marks = [
            (self.is_announced, ", announced"),
            (self.is_void_intended, ", void intended"),
            (self.is_window_over, ", window over"),
        ];
        marks.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, mark)| f.write_str(mark))
    }
}

impl Display for Ledger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "gateway key {} ", self.key)?;
        f.write_str(match self.entry {
            Entry::None => "unseen",
            Entry::Approved => "approved",
            Entry::Captured => "approved for good",
            Entry::Declined => "declined",
            Entry::Voided => "voided",
        })?;
        if self.live > 1 {
            write!(f, ", {} live charges", self.live)?;
        }
        let marks = [
            (self.is_forgotten, ", forgotten"),
            (self.is_charge_pending(), ", a charge under way"),
            (self.is_void_pending(), ", a void under way"),
        ];
        marks.iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, mark)| f.write_str(mark))
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.record {
            Some(record) => record.fmt(f)?,
            None => f.write_str("no record")?,
        }
        for (number, payment) in self.payments.iter().enumerate() {
            write!(f, " | payment {number} {payment}")?;
        }
        for ledger in self.gateway.ledgers() {
            write!(f, " | {ledger}")?;
        }
        if let Some(answer) = &self.cache {
            write!(f, " | cached {answer}")?;
        }
        for answer in &self.told {
            write!(f, " | told {answer}")?;
        }
        if self.was_told_otherwise {
            f.write_str(" | told otherwise")?;
        }
        if self.was_leaked {
            f.write_str(" | leaked")?;
        }
        Ok(())
    }
}
