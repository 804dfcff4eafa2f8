//! Answers that were given before: the same address on the same state of the ledger has the same
//! answer, which its tag names.
//!
//! **Invariant:** what is shown again is a look again: whose calls an answer shows is kept with it.
//! Answers without a tag are never kept, and no more than `MOST_BYTES` of them.

use super::http::HttpAnswer;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of answers that are kept.
const MOST_BYTES: usize = 8 << 20;
/// The most bytes of one of them.
const LARGEST: usize = 256 << 10;

/// Whose calls an answer shows, and how many.
pub type ShownCalls = (BTreeSet<String>, usize);

/// An answer, and what it shows.
#[derive(Debug)]
pub struct GivenAnswer {
    /// It.
    pub answer: HttpAnswer,
    /// The looks that it is.
    pub looks: Vec<ShownCalls>,
}

#[derive(Debug, Default)]
struct AnswersByTag {
    by_tag: HashMap<String, Arc<GivenAnswer>>,
    /// Their tags, the oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

/// The answers that were given last, by their tags.
#[derive(Debug, Default)]
pub struct KeptAnswers(Mutex<AnswersByTag>);

impl KeptAnswers {
    /// The answer of a tag.
    #[must_use]
    pub fn of(&self, tag: &str) -> Option<Arc<GivenAnswer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_tag.get(tag).cloned()
    }

    /// Keeps an answer, if it has a tag, is whole and not large.
    pub fn keep(&self, answer: &HttpAnswer, looks: Vec<ShownCalls>) {
        let Some(tag) = answer.tag.as_ref().filter(|_| answer.status == 200) else { return };
        let bytes = answer.body.len();
        if bytes > LARGEST {
            return;
        }
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let given = Arc::new(GivenAnswer { answer: answer.clone(), looks });
        if own.by_tag.insert(tag.clone(), given).is_some() {
            return;
        }
        own.order.push_back(tag.clone());
        own.bytes += bytes;
        while own.bytes > MOST_BYTES {
            let oldest = own.order.pop_front().expect("what has bytes has a tag");
            let gone = own.by_tag.remove(&oldest).expect("each tag has its answer");
            own.bytes -= gone.answer.body.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(tag: Option<&str>, bytes: usize) -> HttpAnswer {
        let tag = tag.map(str::to_owned);
        HttpAnswer { tag, ..HttpAnswer::text(200, vec![b'a'; bytes]) }
    }

    #[test]
    fn the_last_answers_are_kept() {
        let kept = KeptAnswers::default();
        kept.keep(&answer(None, 1), Vec::new());
        kept.keep(&answer(Some("large"), LARGEST + 1), Vec::new());
        kept.keep(&HttpAnswer { status: 404, ..answer(Some("none"), 1) }, Vec::new());
        assert!(kept.of("large").is_none() && kept.of("none").is_none());
        let looks = vec![(BTreeSet::from(["AC1".to_owned()]), 2)];
        kept.keep(&answer(Some("first"), LARGEST), looks.clone());
        assert_eq!(kept.of("first").map(|own| own.looks.clone()), Some(looks));
        for number in 0..MOST_BYTES / LARGEST {
            kept.keep(&answer(Some(&number.to_string()), LARGEST), Vec::new());
            kept.keep(&answer(Some(&number.to_string()), LARGEST), Vec::new());
        }
        assert!(kept.of("first").is_none() && kept.of("0").is_some());
        assert!(kept.0.lock().expect("no panic").bytes <= MOST_BYTES);
    }
}
