//! The gateway: what it remembers of each key, and what a charge, a look-up and a void do there.
//!
//! A message that was sent once may arrive, again and again, at any later moment, or never: so
//! one mark for each key says that a charge (a void) may be travelling. A lost message is one
//! that never arrives, a duplicate one that arrives twice, a timeout an answer not waited for.

/// What an answer of the gateway proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Money moved.
    Completed,
    /// The gateway declined.
    Declined,
    /// The key is burnt.
    Voided,
}

/// What the gateway's ledger says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Entry {
    /// Never seen.
    #[default]
    None,
    /// Money moved, and a void can still take it back.
    Approved,
    /// Money moved for good.
    Captured,
    /// None moved.
    Declined,
    /// None is moved, and none ever will be.
    Voided,
}

/// One key at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ledger {
    /// The key.
    pub key: u8,
    /// What is known of it, for good.
    pub entry: Entry,
    /// Live charges under it.
    pub live: u8,
    /// Whether charges under it are no longer recognised as repeats.
    pub is_forgotten: bool,
    /// Whether a charge may be on its way.
    pub charge_travels: bool,
    /// Whether a void may be on its way.
    pub void_travels: bool,
}

/// What the gateway decides where it has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// None: what it did before decides.
    None,
    /// To approve a charge.
    Approve,
    /// To decline a charge.
    Decline,
    /// To take an approved charge back.
    TakeBack,
    /// To find an approved charge beyond voiding.
    Keep,
}

/// Where each owner sends a key of its own, keys of one generation begin at this multiple of it.
pub const KEYS_OF_A_GENERATION: u8 = 32;

impl Ledger {
    /// Whether the key stands for this use of the client's key.
    pub fn serves(&self, generation: u8) -> bool {
        self.key == generation || self.key / KEYS_OF_A_GENERATION == generation
    }

    /// What a charge that arrives now may do.
    pub fn charge_choices(&self) -> &'static [Choice] {
        match self.entry {
            Entry::Voided => &[Choice::None],
            Entry::Approved | Entry::Captured | Entry::Declined if !self.is_forgotten => {
                &[Choice::None]
            }
            _ => &[Choice::Approve, Choice::Decline],
        }
    }

    /// A charge arrives.
    pub fn charge(&mut self, choice: Choice) -> Verdict {
        match choice {
            Choice::Approve => {
                self.entry = Entry::Approved;
                self.live = self.live.saturating_add(1);
                self.is_forgotten = false;
                Verdict::Completed
            }
            Choice::Decline => {
                if self.live == 0 {
                    self.entry = Entry::Declined;
                }
                self.is_forgotten = false;
                Verdict::Declined
            }
            _ => match self.entry {
                Entry::Approved | Entry::Captured => Verdict::Completed,
                Entry::Declined => Verdict::Declined,
                Entry::None | Entry::Voided => Verdict::Voided,
            },
        }
    }

    /// What a look-up finds; nothing is no proof that a charge will not come.
    pub fn look_up(&self) -> Option<Verdict> {
        match self.entry {
            Entry::None => None,
            Entry::Approved | Entry::Captured => Some(Verdict::Completed),
            Entry::Declined => Some(Verdict::Declined),
            Entry::Voided => Some(Verdict::Voided),
        }
    }

    /// What a void that arrives now may do.
    pub fn void_choices(&self) -> &'static [Choice] {
        match self.entry {
            Entry::Approved => &[Choice::TakeBack, Choice::Keep],
            _ => &[Choice::None],
        }
    }

    /// A void arrives.
    pub fn void(&mut self, choice: Choice) -> Verdict {
        match (self.entry, choice) {
            (Entry::Approved, Choice::TakeBack) => {
                self.entry = Entry::Voided;
                self.live = 0;
                Verdict::Voided
            }
            (Entry::Approved | Entry::Captured, _) => {
                self.entry = Entry::Captured;
                Verdict::Completed
            }
            (Entry::Declined, _) => Verdict::Declined,
            (Entry::None | Entry::Voided, _) => {
                self.entry = Entry::Voided;
                Verdict::Voided
            }
        }
    }

    /// Whether a charge on its way would change anything.
    pub fn is_charge_pending(&self) -> bool {
        self.charge_travels && self.charge_choices() != [Choice::None]
    }

    /// Whether a void on its way would change anything.
    pub fn is_void_pending(&self) -> bool {
        self.void_travels && matches!(self.entry, Entry::None | Entry::Approved)
    }
}

/// Every key that the gateway, or a message on its way to it, has heard of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Gateway(Vec<Ledger>);

impl Gateway {
    /// The keys.
    pub fn ledgers(&self) -> &[Ledger] {
        &self.0
    }

    /// What is known of a key.
    pub fn ledger(&self, key: u8) -> Ledger {
        let found = self.0.iter().find(|ledger| ledger.key == key);
        found.copied().unwrap_or(Ledger { key, ..Ledger::default() })
    }

    /// Changes what is known of a key.
    pub fn update<T>(&mut self, key: u8, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.ledger(key);
        let result = change(&mut ledger);
        match self.0.iter_mut().find(|known| known.key == key) {
            Some(known) => *known = ledger,
            None => self.0.push(ledger),
        }
        // Sorted, so that the order in which keys were first seen makes no difference.
        self.0.sort_by_key(|known| known.key);
        result
    }

    /// Live charges under all keys together.
    pub fn live_charges(&self) -> u32 {
        self.0.iter().map(|ledger| u32::from(ledger.live)).sum()
    }
}
