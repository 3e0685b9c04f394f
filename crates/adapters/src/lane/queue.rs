//! What waits for a lane, and what of it may begin; knows neither threads nor batches' work.

use std::collections::VecDeque;

/// Calls in the order of their arrival, by kind, and the batches under way.
#[derive(Debug)]
pub struct Queue<C> {
    kinds: Vec<Kind<C>>,
    arrived: u64,
    waiting: usize,
    batch: usize,
}

/// A call's place in the order of arrival.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    kind: usize,
    arrived: u64,
}

#[derive(Debug)]
struct Kind<C> {
    /// Each with its place in the order of arrival.
    waiting: VecDeque<(u64, C)>,
    /// Batches under way.
    running: usize,
}

impl<C> Queue<C> {
    /// Nothing waits; a batch holds at most that many calls of one kind.
    pub fn new(kinds: usize, batch: usize) -> Self {
        let kind = || Kind { waiting: VecDeque::new(), running: 0 };
        let kinds = std::iter::repeat_with(kind).take(kinds).collect();
        Self { kinds, arrived: 0, waiting: 0, batch }
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a call behind the others of its kind; a kind that there is not is the last.
    pub fn push(&mut self, kind: usize, call: C) -> Ticket {
        let kind = kind.min(self.kinds.len().saturating_sub(1));
        let ticket = Ticket { kind, arrived: self.arrived };
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.waiting.push_back((self.arrived, call));
            self.arrived += 1;
            self.waiting += 1;
        }
        ticket
    }

    /// The call, which waits no longer, if it did so far.
    pub fn take_back(&mut self, ticket: Ticket) -> Option<C> {
        let waiting = &mut self.kinds.get_mut(ticket.kind)?.waiting;
        let place = waiting.binary_search_by_key(&ticket.arrived, |(arrived, _)| *arrived).ok()?;
        let (_, call) = waiting.remove(place)?;
        self.waiting -= 1;
        Some(call)
    }

    /// The kind of the next batch, if one may begin now: one of which nothing is under way or a whole
    /// batch waits, the one that has waited longest.
    pub fn next(&self) -> Option<usize> {
        let kinds = self.kinds.iter().enumerate();
        let free = kinds.filter(|(_, kind)| kind.running == 0 || kind.waiting.len() >= self.batch);
        let first = free.filter_map(|(place, kind)| Some((kind.waiting.front()?.0, place))).min();
        first.map(|(_, place)| place)
    }

    /// Begins a batch of this kind, with as many calls as it may hold.
    pub fn begin(&mut self, kind: usize) -> Vec<C> {
        let Some(kind) = self.kinds.get_mut(kind) else { return Vec::new() };
        kind.running += 1;
        let calls = kind.waiting.len().min(self.batch);
        self.waiting -= calls;
        kind.waiting.drain(..calls).map(|(_, call)| call).collect()
    }

    /// A batch of this kind has ended.
    pub fn end(&mut self, kind: usize) {
        if let Some(kind) = self.kinds.get_mut(kind) {
            kind.running = kind.running.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two kinds: the first below 100, the second from there.
    fn queue(calls: impl IntoIterator<Item = u32>) -> Queue<u32> {
        let mut queue = Queue::new(2, 8);
        for call in calls {
            queue.push(usize::from(call >= 100), call);
        }
        queue
    }

    fn begin(queue: &mut Queue<u32>) -> Option<(usize, Vec<u32>)> {
        let kind = queue.next()?;
        let batch = queue.begin(kind);
        Some((kind, batch))
    }

    #[test]
    fn each_kind_begins_beside_the_other_in_the_order_of_arrival() {
        let mut queue = queue([101, 1, 2, 102]);
        assert_eq!(begin(&mut queue), Some((1, vec![101, 102])), "it has waited longest");
        assert_eq!(begin(&mut queue), Some((0, vec![1, 2])));
        assert_eq!(queue.len(), 0);
        assert_eq!(begin(&mut queue), None);
    }

    #[test]
    fn what_comes_while_its_kind_is_under_way_waits_for_its_end() {
        let mut queue = queue([1, 101]);
        while begin(&mut queue).is_some() {}
        queue.push(0, 2);
        queue.push(1, 102);
        assert_eq!(begin(&mut queue), None);
        queue.end(1);
        assert_eq!(begin(&mut queue), Some((1, vec![102])));
        queue.end(0);
        assert_eq!(begin(&mut queue), Some((0, vec![2])));
    }

    #[test]
    fn a_whole_batch_begins_beside_one_of_its_kind() {
        let mut queue = queue(1..=5);
        assert_eq!(begin(&mut queue), Some((0, vec![1, 2, 3, 4, 5])));
        for call in 6..=12 {
            queue.push(0, call);
        }
        assert_eq!(begin(&mut queue), None, "seven are not a whole batch");
        for call in 13..=15 {
            queue.push(0, call);
        }
        assert_eq!(begin(&mut queue), Some((0, (6..=13).collect())), "no more than it may hold");
        assert_eq!(queue.len(), 2);
        queue.end(0);
        assert_eq!(begin(&mut queue), None, "two are not a whole batch beside the other");
        queue.end(0);
        assert_eq!(begin(&mut queue), Some((0, vec![14, 15])));
    }

    #[test]
    fn what_is_taken_back_is_in_no_batch_and_what_has_begun_is_not_taken_back() {
        let mut queue = queue([1, 101, 2]);
        let (third, other) = (queue.push(0, 3), queue.push(1, 102));
        queue.push(0, 4);
        assert_eq!(queue.take_back(third), Some(3));
        assert_eq!(queue.take_back(third), None, "once");
        assert_eq!(queue.len(), 5);
        assert_eq!(begin(&mut queue), Some((0, vec![1, 2, 4])));
        assert_eq!(begin(&mut queue), Some((1, vec![101, 102])));
        assert_eq!(queue.take_back(other), None);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn of_a_single_kind_all_calls_share_batches_in_the_order_of_arrival() {
        let mut queue = Queue::new(1, 8);
        for (kind, call) in [(1, 101), (0, 1), (2, 201)] {
            queue.push(kind, call);
        }
        assert_eq!(begin(&mut queue), Some((0, vec![101, 1, 201])));
    }
}
