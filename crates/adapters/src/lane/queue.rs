//! What waits for a lane, and what of it may begin; knows neither threads nor batches' work.

use std::collections::VecDeque;
use std::ops::Range;

/// Calls in the order of their arrival, by kind, and the kinds of the batches under way.
#[derive(Debug)]
pub struct Queue<C> {
    kinds: Vec<Kind<C>>,
    arrived: u64,
    waiting: usize,
    limits: Limits,
}

/// How many calls share a batch.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most calls in a batch.
    pub batch: usize,
    /// Most calls of all kinds that share one; of more that wait, each kind has a batch of its own.
    pub mixed: usize,
}

/// The kinds that a batch may hold: all, or one of them.
pub type Kinds = Range<usize>;

#[derive(Debug)]
struct Kind<C> {
    /// Each with its place in the order of arrival.
    waiting: VecDeque<(u64, C)>,
    /// Batches under way that may hold it.
    running: usize,
}

impl<C> Queue<C> {
    /// Nothing waits.
    pub fn new(kinds: usize, limits: Limits) -> Self {
        let kind = || Kind { waiting: VecDeque::new(), running: 0 };
        let kinds = std::iter::repeat_with(kind).take(kinds).collect();
        Self { kinds, arrived: 0, waiting: 0, limits }
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a call behind the others of its kind.
    pub fn push(&mut self, kind: usize, call: C) {
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.waiting.push_back((self.arrived, call));
            self.arrived += 1;
            self.waiting += 1;
        }
    }

    /// The kinds that the next batch may hold, if one may begin now: all where nothing is under way
    /// and little waits; else one that no batch holds, or of which a whole batch waits, the one
    /// that has waited longest.
    pub fn next(&self) -> Option<Kinds> {
        if self.waiting == 0 {
            return None;
        }
        if self.waiting <= self.limits.mixed && self.kinds.iter().all(|kind| kind.running == 0) {
            return Some(0..self.kinds.len());
        }
        let kinds = self.kinds.iter().enumerate();
        let free =
            kinds.filter(|(_, kind)| kind.running == 0 || kind.waiting.len() >= self.limits.batch);
        let first = free.filter_map(|(place, kind)| Some((kind.waiting.front()?.0, place))).min();
        first.map(|(_, place)| place..place + 1)
    }

    /// Begins a batch of these kinds, with as many calls as it may hold.
    pub fn begin(&mut self, kinds: &Kinds) -> Vec<C> {
        let mut batch = Vec::with_capacity(self.waiting.min(self.limits.batch));
        let Some(kinds) = self.kinds.get_mut(kinds.clone()) else { return batch };
        kinds.iter_mut().for_each(|kind| kind.running += 1);
        while batch.len() < self.limits.batch {
            let arrival = |kind: &&mut Kind<C>| kind.waiting.front().map(|(arrived, _)| *arrived);
            let first =
                kinds.iter_mut().filter(|kind| !kind.waiting.is_empty()).min_by_key(arrival);
            let Some((_, call)) = first.and_then(|kind| kind.waiting.pop_front()) else { break };
            batch.push(call);
        }
        self.waiting -= batch.len();
        batch
    }

    /// A batch of these kinds has ended.
    pub fn end(&mut self, kinds: &Kinds) {
        let kinds = self.kinds.get_mut(kinds.clone()).into_iter().flatten();
        kinds.for_each(|kind| kind.running = kind.running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: [usize; 2] = [0, 1];

    /// Two kinds: the first below 100, the second from there.
    fn queue(calls: impl IntoIterator<Item = u32>) -> Queue<u32> {
        let mut queue = Queue::new(EACH.len(), Limits { batch: 8, mixed: 4 });
        calls.into_iter().for_each(|call| queue.push(usize::from(call >= 100), call));
        queue
    }

    fn begin(queue: &mut Queue<u32>) -> Option<(Kinds, Vec<u32>)> {
        let kinds = queue.next()?;
        let batch = queue.begin(&kinds);
        Some((kinds, batch))
    }

    #[test]
    fn little_of_all_kinds_shares_a_batch_in_the_order_of_arrival() {
        let mut queue = queue([1, 101, 2, 102]);
        assert_eq!(begin(&mut queue), Some((0..2, vec![1, 101, 2, 102])));
        assert_eq!(queue.len(), 0);
        assert_eq!(begin(&mut queue), None);
    }

    #[test]
    fn where_more_waits_each_kind_begins_beside_the_other() {
        let mut queue = queue([101, 1, 2, 3, 102]);
        assert_eq!(begin(&mut queue), Some((1..2, vec![101, 102])), "it has waited longest");
        assert_eq!(begin(&mut queue), Some((0..1, vec![1, 2, 3])));
        queue.push(0, 4);
        queue.push(1, 103);
        assert_eq!(begin(&mut queue), None, "both kinds are under way");
        queue.end(&(0..1));
        assert_eq!(begin(&mut queue), Some((0..1, vec![4])));
    }

    #[test]
    fn what_comes_while_all_kinds_are_under_way_waits_for_their_end() {
        let mut queue = queue([1]);
        let (kinds, _) = begin(&mut queue).expect("nothing is under way");
        EACH.into_iter().for_each(|kind| queue.push(kind, 7));
        assert_eq!(begin(&mut queue), None);
        queue.end(&kinds);
        assert_eq!(begin(&mut queue), Some((0..2, vec![7, 7])));
    }

    #[test]
    fn a_whole_batch_begins_beside_one_of_its_kind() {
        let mut queue = queue(1..=5);
        assert_eq!(begin(&mut queue), Some((0..1, vec![1, 2, 3, 4, 5])));
        (6..=12).for_each(|call| queue.push(0, call));
        assert_eq!(begin(&mut queue), None, "seven are not a whole batch");
        (13..=15).for_each(|call| queue.push(0, call));
        assert_eq!(begin(&mut queue), Some((0..1, (6..=13).collect())), "no more than it may hold");
        assert_eq!(queue.len(), 2);
        EACH.into_iter().for_each(|_| queue.end(&(0..1)));
        assert_eq!(begin(&mut queue), Some((0..2, vec![14, 15])));
    }
}
