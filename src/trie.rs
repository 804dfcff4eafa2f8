//! A trie over decimal digits: the longest-prefix search of a deck.
//!
//! **Invariant:** a walk is one array access per digit and allocates nothing. What the values mean is [`crate::deck`]'s.

use crate::party::Digits;

/// A trie of digits in two flat arrays: nodes, and the values of all nodes one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node>,
    values: Vec<V>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// Index of the node for each further digit; 0, the root, for none.
    next: [u32; 10],
    start: u32,
    end: u32,
}

/// The nodes with values on the way of one number: digits so far, and the values.
pub(crate) struct Path<'a, V> {
    steps: [(u8, &'a [V]); 15],
    count: usize,
}

impl<'a, V> Path<'a, V> {
    /// Digits so far and the values there, shortest prefix first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u8, &'a [V])> + '_ {
        self.steps[..self.count].iter().copied()
    }
}

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], values: Vec::new() }
    }
}

impl<V> Trie<V> {
    /// The nodes with values on the way of a number, shortest prefix first.
    pub(crate) fn walk(&self, digits: &Digits) -> Path<'_, V> {
        let mut path = Path { steps: [(0, &[]); 15], count: 0 };
        let mut node = &self.nodes[0];
        for (place, digit) in (1..).zip(digits.iter()) {
            let next = node.next[usize::from(*digit)];
            if next == 0 {
                break;
            }
            node = &self.nodes[next as usize];
            if node.start < node.end {
                path.steps[path.count] = (place, &self.values[node.start as usize..node.end as usize]);
                path.count += 1;
            }
        }
        path
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Every prefix with its values.
    pub(crate) fn all(&self) -> Vec<(String, &[V])> {
        let mut all = Vec::new();
        let mut todo = vec![(0_usize, String::new())];
        while let Some((index, prefix)) = todo.pop() {
            let node = &self.nodes[index];
            if node.start < node.end {
                all.push((prefix.clone(), &self.values[node.start as usize..node.end as usize]));
            }
            for (digit, next) in node.next.iter().enumerate().rev().filter(|(_, next)| **next != 0) {
                todo.push((*next as usize, format!("{prefix}{digit}")));
            }
        }
        all
    }
}

#[derive(Debug)]
pub(crate) struct TrieBuilder<V> {
    nodes: Vec<Node>,
    values: Vec<Vec<V>>,
}

impl<V> Default for TrieBuilder<V> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], values: vec![Vec::new()] }
    }
}

impl<V> TrieBuilder<V> {
    /// Adds a value under a prefix.
    pub(crate) fn add(&mut self, digits: impl Iterator<Item = usize>, value: V) {
        let mut index = 0_usize;
        for digit in digits {
            index = match self.nodes[index].next[digit] {
                0 => {
                    let new = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.values.push(Vec::new());
                    self.nodes[index].next[digit] = u32::try_from(new).expect("fewer than 2^32 nodes");
                    new
                }
                next => next as usize,
            };
        }
        self.values[index].push(value);
    }

    /// Lays the values out flat.
    pub(crate) fn finish(mut self) -> Trie<V> {
        let mut values = Vec::new();
        for (node, own) in self.nodes.iter_mut().zip(self.values) {
            node.start = u32::try_from(values.len()).expect("fewer than 2^32 prefixes");
            values.extend(own);
            node.end = u32::try_from(values.len()).expect("fewer than 2^32 prefixes");
        }
        Trie { nodes: self.nodes, values }
    }
}
