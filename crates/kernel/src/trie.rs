//! A trie over decimal digits: the longest-prefix search of a deck.
//!
//! **Invariant:** a walk is one array access per digit after the first four, and allocates nothing;
//! several walks at once (`Walk::go_all`) end where each alone does. [`crate::deck`] gives the
//! values their meaning.

use crate::fit::must_fit;
use crate::party::Digits;

/// A trie of digits in flat arrays: the edges, the nodes, and the values of all nodes one after the
/// other.
#[derive(Debug, Clone)]
pub(crate) struct Trie<V> {
    ways: Vec<Ways>,
    nodes: Vec<Node>,
    values: Vec<V>,
    /// The node that the first [`JUMP`] digits lead to, or as many of them as the trie has. Skips
    /// four dependent loads.
    jumps: Vec<u32>,
}

/// The number of digits that the first step takes.
const JUMP: usize = 4;

/// The edges down from a node. 8 bytes, where a place for each digit takes 40: the 60,000 nodes of
/// a published deck stay in the cache.
#[derive(Debug, Clone, Copy)]
struct Ways {
    /// The node below with the lowest digit; the others follow it.
    first: u32,
    /// A bit for each digit that has an edge.
    digits: u16,
}

impl Ways {
    fn by(self, digit: u8) -> Option<u32> {
        let bit = 1_u16 << digit;
        (self.digits & bit != 0).then(|| self.first + (self.digits & (bit - 1)).count_ones())
    }
}

/// A node: the range of its values.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    start: u32,
    end: u32,
    /// The nearest node above that has values; 0, the root, for none.
    above: u32,
    /// Digits down to here.
    depth: u8,
}

/// The nodes with values on the path of one number, the longest prefix first: the number of digits,
/// and the values.
pub(crate) struct Path<'a, V> {
    trie: &'a Trie<V>,
    node: u32,
}

// Implemented by hand: a path can be copied whatever the values.
impl<V> Clone for Path<'_, V> {
    fn clone(&self) -> Self {
        Self { trie: self.trie, node: self.node }
    }
}

impl<'a, V> Iterator for Path<'a, V> {
    type Item = (u8, &'a [V]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.node == 0 {
            return None;
        }
        let node = &self.trie.nodes[self.node as usize];
        self.node = node.above;
        Some((node.depth, &self.trie.values[node.start as usize..node.end as usize]))
    }
}

/// The descent of one of several numbers, which go down side by side.
pub(crate) struct Walk<'a, V> {
    trie: &'a Trie<V>,
    digits: Digits,
    /// The number of digits taken; all of them, once there is no further edge.
    gone: usize,
    /// The node that they lead to.
    at: u32,
}

impl<'a, V> Walk<'a, V> {
    /// A number at the root.
    pub(crate) fn new(trie: &'a Trie<V>, digits: Digits) -> Self {
        Self { trie, digits, gone: 0, at: 0 }
    }

    /// Descends to the ends, each walk one step and then the next, so that the cache misses of a
    /// step overlap.
    pub(crate) fn go_all(walks: &mut [Self]) {
        walks.iter_mut().for_each(Self::jump);
        walks.iter_mut().for_each(Self::land);
        while walks.iter_mut().fold(false, |goes_on, walk| walk.step() | goes_on) {}
        walks.iter_mut().for_each(Self::rise);
    }

    /// Takes the first digits in one step.
    fn jump(&mut self) {
        if let (Some(first), false) = (self.digits.first_chunk(), self.trie.jumps.is_empty()) {
            (self.at, self.gone) = (self.trie.jumps[place(*first)], JUMP);
        }
    }

    /// Ends the walk if the jump took fewer digits, because the trie has no more of them.
    fn land(&mut self) {
        if self.gone == JUMP && usize::from(self.trie.nodes[self.at as usize].depth) != JUMP {
            self.gone = self.digits.len();
        }
    }

    /// Takes the next digit; returns true if it has an edge.
    fn step(&mut self) -> bool {
        let Some(digit) = self.digits.get(self.gone) else { return false };
        let next = self.trie.ways[self.at as usize].by(*digit);
        (self.at, self.gone) =
            next.map_or((self.at, self.digits.len()), |next| (next, self.gone + 1));
        next.is_some()
    }

    /// Goes back up to the nearest node with values.
    fn rise(&mut self) {
        self.at = self.trie.with_values(self.at);
    }

    /// The nodes with values on the path, after the descent.
    pub(crate) fn path(&self) -> Path<'a, V> {
        Path { trie: self.trie, node: self.at }
    }
}

/// The index of the first digits among the jumps.
fn place(first: [u8; JUMP]) -> usize {
    first.into_iter().fold(0, |number, digit| number * 10 + usize::from(digit))
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self {
            ways: vec![Ways { first: 0, digits: 0 }],
            nodes: vec![Node::default()],
            values: Vec::new(),
            jumps: Vec::new(),
        }
    }
}

impl<V> Trie<V> {
    /// The nodes with values on the path of a number.
    pub(crate) fn walk(&self, digits: &Digits) -> Path<'_, V> {
        let (mut at, mut rest) = (0, &digits[..]);
        if let (Some((first, more)), false) = (digits.split_first_chunk(), self.jumps.is_empty()) {
            at = self.jumps[place(*first)];
            rest = if usize::from(self.nodes[at as usize].depth) == JUMP { more } else { &[] };
        }
        Path { trie: self, node: self.with_values(self.follow(at, rest)) }
    }

    /// The node itself if it has values; else the nearest above that has.
    fn with_values(&self, at: u32) -> u32 {
        let node = &self.nodes[at as usize];
        if node.start < node.end { at } else { node.above }
    }

    /// Goes down from a node as far as there are nodes.
    fn follow(&self, mut at: u32, digits: &[u8]) -> u32 {
        for digit in digits {
            let Some(next) = self.ways[at as usize].by(*digit) else { break };
            at = next;
        }
        at
    }

    /// Sorts the values of each node that has more than `many`.
    pub(crate) fn sort_many<K: Ord>(&mut self, many: usize, key: impl Fn(&V) -> K) {
        for node in self.nodes.iter().filter(|node| (node.end - node.start) as usize > many) {
            self.values[node.start as usize..node.end as usize].sort_unstable_by_key(&key);
        }
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Calls `look` for every prefix with its values, in text order of the prefixes, until one call
    /// fails.
    pub(crate) fn try_each<E>(
        &self,
        mut look: impl FnMut(&[u8], &[V]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut prefix: Vec<u8> = Vec::new();
        let mut todo = vec![(0_usize, 0_usize, 0_u8)];
        while let Some((index, depth, digit)) = todo.pop() {
            if depth > 0 {
                prefix.truncate(depth - 1);
                prefix.push(digit);
            }
            let node = &self.nodes[index];
            if node.start < node.end {
                look(&prefix, &self.values[node.start as usize..node.end as usize])?;
            }
            let ways = self.ways[index];
            todo.extend(
                (0..10)
                    .rev()
                    .filter_map(|digit| Some((ways.by(digit)? as usize, depth + 1, digit))),
            );
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct TrieBuilder<V> {
    next: Vec<[u32; 10]>,
    nodes: Vec<Node>,
    /// Each value with the index of its node, in insertion order. (A list per node cost half of the
    /// time to load a deck.)
    values: Vec<(u32, V)>,
}

impl<V> Default for TrieBuilder<V> {
    fn default() -> Self {
        Self { next: vec![[0; 10]], nodes: vec![Node::default()], values: Vec::new() }
    }
}

impl<V: Copy> TrieBuilder<V> {
    /// Adds a value under a prefix.
    pub(crate) fn add(&mut self, digits: impl Iterator<Item = usize>, value: V) {
        let mut index = 0_u32;
        for digit in digits {
            let next = self.next[index as usize][digit];
            index = if next == 0 {
                let new = u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes");
                let depth = self.nodes[index as usize].depth + 1;
                self.nodes.push(Node { depth, ..Node::default() });
                self.next.push([0; 10]);
                self.next[index as usize][digit] = new;
                new
            } else {
                next
            };
        }
        assert!(self.values.len() < u32::MAX as usize, "fewer than 2^32 prefixes");
        self.values.push((index, value));
    }

    /// Lays the values out flat, node by node; those of a node in insertion order.
    pub(crate) fn finish(mut self) -> Trie<V> {
        let first = self.values.first().map(|(_, value)| *value);
        let mut values: Vec<V> =
            first.map_or_else(Vec::new, |value| vec![value; self.values.len()]);
        for (node, _) in &self.values {
            self.nodes[*node as usize].end += 1;
        }
        let mut start = 0;
        for node in &mut self.nodes {
            let count = node.end;
            // The end moves up again as the values are placed.
            (node.start, node.end) = (start, start);
            start += count;
        }
        assert_eq!(start as usize, values.len(), "each value has a place");
        for (node, value) in self.values {
            let node = &mut self.nodes[node as usize];
            values[node.end as usize] = value;
            node.end += 1;
        }
        // A node comes after the one above it.
        for (index, next) in (0..).zip(&self.next) {
            let Node { start, end, above, .. } = self.nodes[index as usize];
            let above = if start < end { index } else { above };
            for next in next.iter().filter(|next| **next != 0) {
                self.nodes[*next as usize].above = above;
            }
        }
        let (ways, nodes) = level_by_level(&self.next, &self.nodes);
        let mut trie = Trie { ways, nodes, values, jumps: Vec::new() };
        let digits = |number: usize| {
            [1000, 100, 10, 1]
                .map(|unit| must_fit::<_, u8>(number / unit % 10, "a digit fits 8 bits"))
        };
        assert_eq!(trie.ways.len(), trie.nodes.len(), "edges and nodes have one numbering");
        trie.jumps = (0..10_000).map(|number| trie.follow(0, &digits(number))).collect();
        trie
    }
}

/// Renumbers the nodes level by level, so that those below a node follow each other.
fn level_by_level(next: &[[u32; 10]], nodes: &[Node]) -> (Vec<Ways>, Vec<Node>) {
    let (mut order, mut ways) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(nodes.len()));
    order.push(0_u32);
    while let Some(node) = order.get(ways.len()) {
        let first = u32::try_from(order.len()).expect("fewer than 2^32 nodes");
        let below = next[*node as usize];
        let digits = (0..10)
            .filter(|digit| below[*digit] != 0)
            .fold(0, |digits, digit| digits | 1_u16 << digit);
        order.extend(below.into_iter().filter(|node| *node != 0));
        ways.push(Ways { first, digits });
    }
    let mut place = vec![0; order.len()];
    for (new, old) in (0..).zip(&order) {
        place[*old as usize] = new;
    }
    let moved = |old: &u32| {
        let node = nodes[*old as usize];
        Node { above: place[node.above as usize], ..node }
    };
    assert_eq!(
        (order.len(), ways.len()),
        (nodes.len(), nodes.len()),
        "each node is reached, and once"
    );
    let nodes = order.iter().map(moved).collect();
    (ways, nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Number;

    #[test]
    fn values_stand_at_their_prefixes_in_the_order_in_which_they_came() {
        let mut builder = TrieBuilder::default();
        for (value, prefix) in (0_u32..).zip(["32", "1", "3246", "32", "12", "3", "32"]) {
            builder.add(prefix.bytes().map(|b| usize::from(b - b'0')), value);
        }
        let trie = builder.finish();
        assert_eq!(trie.len(), 7);
        let walk = |number: &str| {
            let digits = Number::parse(number).expect("a number").digits();
            trie.walk(&digits).map(|(digits, values)| (digits, values.to_vec())).collect::<Vec<_>>()
        };
        assert_eq!(walk("+3246123456"), [(4, vec![2]), (2, vec![0, 3, 6]), (1, vec![5])]);
        assert_eq!(walk("+3212345678"), [(2, vec![0, 3, 6]), (1, vec![5])]);
        assert_eq!(walk("+49123456789"), []);
        let mut all = Vec::new();
        let looked: Result<(), ()> = trie.try_each(|prefix, values| {
            all.push((prefix.to_vec(), values.to_vec()));
            if prefix == [3, 2] { Err(()) } else { Ok(()) }
        });
        let expected = [
            (vec![1], vec![1]),
            (vec![1, 2], vec![4]),
            (vec![3], vec![5]),
            (vec![3, 2], vec![0, 3, 6]),
        ];
        assert_eq!(all, expected, "as texts are ordered, up to the one that fails");
        assert!(looked.is_err());
        let empty = TrieBuilder::<u32>::default().finish();
        assert!(empty.len() == 0 && empty.try_each(|_, _| Err(())).is_ok());
    }
}
