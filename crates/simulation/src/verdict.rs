//! What became of the promises: pure, from what clients saw and what the gateway's books say.

use crate::books::Charges;
use crate::story::Story;

/// Most breaches that are told one by one.
const EXAMPLES: usize = 10;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Payments that were asked for.
    pub payments: u64,
    /// Told that money moved.
    pub completed: u64,
    /// Told that the gateway declined.
    pub declined: u64,
    /// Told that no money moved and none will.
    pub failed: u64,
    /// Not followed to their end, because the run was ended first.
    pub cut_off: u64,
    /// Accepted (202) before they were settled.
    pub accepted: u64,
    /// Of those, settled in the end.
    pub resolved: u64,
    /// Other requests under a known key that were refused.
    pub conflicts: u64,
    /// Live charges: by the gateway's books, else those that answers told of.
    pub charges: u64,
    /// Whether the gateway's books were read.
    pub is_by_books: bool,
    /// Charges beyond a payment's first.
    pub doubles: u64,
    /// Told that money moved, and no charge is there.
    pub not_charged: u64,
    /// Told that none moved, and a charge is there.
    pub charged_though_failed: u64,
    /// No final answer in time.
    pub never_settled: u64,
    /// Final answers that were not the first one's bytes.
    pub differing: u64,
    /// Other requests under a known key that were executed.
    pub executed_others: u64,
    /// Answers that nobody may be given.
    pub strange: u64,
    /// The first breaches in words.
    pub breaches: Vec<String>,
}

impl Verdict {
    /// Judges.
    pub fn of(stories: &[Story], books: Option<&Charges>) -> Self {
        let mut verdict = Self { is_by_books: books.is_some(), ..Self::default() };
        for story in stories {
            verdict.count(story);
            verdict.judge(story, books);
        }
        verdict
    }

    /// Payments of which the answer says one thing and the books another.
    pub fn lost(&self) -> u64 {
        self.not_charged.saturating_add(self.charged_though_failed)
    }

    /// Whether every promise was kept, as far as there were answers.
    pub fn is_kept(&self) -> bool {
        let broken =
            [self.doubles, self.lost(), self.differing, self.executed_others, self.strange];
        broken.iter().all(|count| *count == 0)
    }

    fn count(&mut self, story: &Story) {
        let add = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        let is_settled = story.first.is_some();
        add(&mut self.payments, 1);
        add(&mut self.accepted, story.was_accepted.into());
        add(&mut self.resolved, (story.was_accepted && is_settled).into());
        add(&mut self.conflicts, story.conflicts);
        match &story.first {
            Some(first) => match first.status {
                201 => add(&mut self.completed, 1),
                402 => add(&mut self.declined, 1),
                _ => add(&mut self.failed, 1),
            },
            None if story.is_cut_off => add(&mut self.cut_off, 1),
            None => {}
        }
    }

    fn judge(&mut self, story: &Story, books: Option<&Charges>) {
        let told = u64::try_from(story.charges.len()).unwrap_or(u64::MAX);
        let entered = books.map(|books| books.get(&story.token).copied().unwrap_or_default());
        let charges = entered.unwrap_or(told);
        self.charges = self.charges.saturating_add(charges);
        let status = story.first.as_ref().map(|first| first.status);
        let key = &story.key;
        let mut breach = |count: fn(&mut Self) -> &mut u64, number: u64, words: &str| {
            if number > 0 {
                let count = count(self);
                *count = count.saturating_add(number);
                if self.breaches.len() < EXAMPLES {
                    self.breaches.push(format!("{key}: {words}"));
                }
            }
        };
        let words = format!("charged {charges} times");
        breach(|it| &mut it.doubles, charges.saturating_sub(1), &words);
        let is_missing = status == Some(201) && entered == Some(0);
        let words = "told that it is paid, and the gateway has no charge";
        breach(|it| &mut it.not_charged, is_missing.into(), words);
        let is_charged = matches!(status, Some(402 | 502)) && charges > 0;
        let words = "told that no money moved, and the gateway has a charge";
        breach(|it| &mut it.charged_though_failed, is_charged.into(), words);
        let is_open = status.is_none() && !story.is_cut_off && story.strange.is_empty();
        let words = format!("no final answer in time; the last was: {}", story.last_trouble);
        breach(|it| &mut it.never_settled, is_open.into(), &words);
        let words = format!("{} answers differ from the first", story.differing);
        breach(|it| &mut it.differing, story.differing, &words);
        for told in &story.executed_others {
            let words = format!("another amount under the same key was not refused: {told}");
            breach(|it| &mut it.executed_others, 1, &words);
        }
        for told in &story.strange {
            breach(|it| &mut it.strange, 1, told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Final;

    fn told(status: u16) -> Final {
        let body = br#"{"id":"p","gateway_reference":"ch"}"#.to_vec();
        Final { status, content_type: String::new(), location: String::new(), body }
    }

    fn story(token: &str, status: u16) -> Story {
        let mut story = Story::new(&format!("key-{token}"), token);
        story.told(told(status));
        story
    }

    fn books(charges: &[(&str, u64)]) -> Charges {
        charges.iter().map(|(token, count)| ((*token).to_owned(), *count)).collect()
    }

    #[test]
    fn promises_that_were_kept_are_called_kept() {
        let accepted = Story { was_accepted: true, conflicts: 2, ..story("d", 201) };
        let stories = [story("a", 201), story("b", 402), story("c", 502), accepted];
        let verdict = Verdict::of(&stories, Some(&books(&[("a", 1), ("d", 1)])));
        assert!(verdict.is_kept(), "{verdict:?}");
        assert_eq!((verdict.payments, verdict.completed), (4, 2));
        assert_eq!((verdict.declined, verdict.failed, verdict.charges), (1, 1, 2));
        assert_eq!((verdict.accepted, verdict.resolved, verdict.conflicts), (1, 1, 2));
        assert_eq!(verdict.breaches, Vec::<String>::new());
    }

    #[test]
    fn charges_beyond_the_first_are_doubles_whatever_the_answers_say() {
        let verdict =
            Verdict::of(&[story("a", 201), story("b", 201)], Some(&books(&[("a", 3), ("b", 1)])));
        assert_eq!((verdict.doubles, verdict.charges, verdict.is_kept()), (2, 4, false));
        assert_eq!(verdict.breaches, ["key-a: charged 3 times"]);
    }

    #[test]
    fn without_books_two_charges_in_the_answers_are_a_double() {
        let mut twice = story("a", 201);
        twice.charges.insert("ch_other".to_owned());
        let verdict = Verdict::of(&[twice, story("b", 201)], None);
        assert_eq!((verdict.doubles, verdict.charges, verdict.is_by_books), (1, 3, false));
        assert!(!verdict.is_kept());
    }

    #[test]
    fn an_answer_that_the_books_deny_is_a_payment_lost() {
        let verdict = Verdict::of(&[story("a", 201), story("b", 502)], Some(&books(&[("b", 1)])));
        assert_eq!((verdict.not_charged, verdict.charged_though_failed), (1, 1));
        assert_eq!((verdict.lost(), verdict.is_kept()), (2, false));
    }

    #[test]
    fn what_never_ends_is_told_unless_the_run_was_ended_first() {
        let open = || Story::new("k", "t");
        let verdict = Verdict::of(&[open()], None);
        assert_eq!((verdict.never_settled, verdict.lost(), verdict.is_kept()), (1, 0, true));
        assert_eq!(verdict.breaches.len(), 1);
        let cut_off = Story { is_cut_off: true, ..open() };
        let verdict = Verdict::of(&[cut_off], Some(&books(&[("t", 1)])));
        assert_eq!((verdict.cut_off, verdict.is_kept()), (1, true));
        let charged_twice = Story { is_cut_off: true, ..open() };
        assert!(!Verdict::of(&[charged_twice], Some(&books(&[("t", 2)]))).is_kept());
    }

    #[test]
    fn differing_executed_and_strange_answers_each_break_a_promise() {
        let differing = Story { differing: 2, ..story("a", 201) };
        let executed = Story { executed_others: vec!["202".to_owned()], ..story("b", 201) };
        let strange = Story { strange: vec!["404".to_owned()], ..story("c", 201) };
        for (story, words) in
            [(differing, "2 answers"), (executed, "not refused: 202"), (strange, "404")]
        {
            let verdict = Verdict::of(&[story], None);
            assert!(!verdict.is_kept());
            assert!(verdict.breaches[0].contains(words), "{verdict:?}");
        }
    }
}
