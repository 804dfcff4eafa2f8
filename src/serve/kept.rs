//! Values that are computed once for each state of the ledger, apart from the requests that ask.
//!
//! **Invariant:** a value is of the state that it is asked for, never of another. At most one is
//! computed at a time in the process, so that requests are answered beside it, and by a thread that
//! yields to those that answer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Held by the thread that computes.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// How long a request waits for a value that is being computed.
const PATIENCE: Duration = Duration::from_millis(300);

/// A value that is asked for.
#[derive(Debug, Clone)]
pub enum KeptValue<T> {
    /// It.
    Ready(Arc<T>),
    /// It is being computed.
    Pending,
    /// The reason why it cannot be.
    Failed(String),
}

#[derive(Debug)]
struct KeptState<T> {
    /// The keys of the last values, and the values; the newest last.
    kept: VecDeque<(String, Result<Arc<T>, String>)>,
    /// The key of the value that is being computed.
    going_on: Option<String>,
}

/// The values of the last states that were asked for.
#[derive(Debug)]
pub struct OncePerState<T> {
    state: Mutex<KeptState<T>>,
    done: Condvar,
    most: usize,
    /// True if its values are computed beside others, as they take no longer than an answer.
    is_quick: bool,
}

impl<T> Default for OncePerState<T> {
    fn default() -> Self {
        Self::of_few(1)
    }
}

impl<T> OncePerState<T> {
    /// One that keeps the last `most` values.
    #[must_use]
    pub fn of_few(most: usize) -> Self {
        let state = KeptState { kept: VecDeque::new(), going_on: None };
        Self { state: Mutex::new(state), done: Condvar::new(), most, is_quick: false }
    }

    /// One whose value takes no longer than an answer: it waits for no other.
    #[must_use]
    pub fn quick() -> Self {
        Self { is_quick: true, ..Self::of_few(1) }
    }
}

/// Ends a computation, whichever way.
struct Going<'a, T>(&'a OncePerState<T>, String);

impl<T> Drop for Going<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.going_on = None;
        // A panic has left nothing: then the key has none.
        if state.found(&self.1).is_none() {
            state.keep(&self.1, Err("it ended early".to_owned()), self.0.most);
        }
        drop(state);
        self.0.done.notify_all();
    }
}

impl<T: Send + Sync + 'static> OncePerState<T> {
    /// The value of a key. Where it is not there, it is computed by a thread of its own; this one
    /// waits for it a little.
    pub fn of(
        self: &Arc<Self>,
        key: &str,
        compute: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> KeptValue<T> {
        self.of_within(key, PATIENCE, compute)
    }

    /// The same, for those who can do without: who has it computed waits for it, and nobody else.
    pub fn of_now(
        self: &Arc<Self>,
        key: &str,
        compute: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> KeptValue<T> {
        let is_begun = self.state().going_on.is_some();
        self.of_within(key, if is_begun { Duration::ZERO } else { PATIENCE }, compute)
    }

    /// Has a value computed that nobody waits for.
    pub fn begin(
        self: &Arc<Self>,
        key: &str,
        compute: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) {
        let _ = self.of_within(key, Duration::ZERO, compute);
    }

    fn of_within(
        self: &Arc<Self>,
        key: &str,
        patience: Duration,
        compute: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> KeptValue<T> {
        let mut state = self.state();
        if let Some(found) = state.found(key) {
            return found;
        }
        if state.going_on.is_none() {
            state.going_on = Some(key.to_owned());
            drop(state);
            let (kept, own) = (Arc::clone(self), key.to_owned());
            let work = move || {
                let going = Going(&kept, own);
                let _one = (!kept.is_quick).then(|| {
                    yield_to_others();
                    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
                });
                let value = compute().map(Arc::new);
                going.0.state().keep(&going.1, value, going.0.most);
            };
            if let Err(e) = std::thread::Builder::new().name("computes".to_owned()).spawn(work) {
                self.state().going_on = None;
                return KeptValue::Failed(format!("no thread can be started: {e}"));
            }
            state = self.state();
        }
        let is_open = |state: &mut KeptState<T>| state.found(key).is_none();
        let waited = self.done.wait_timeout_while(state, patience, is_open);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.found(key).unwrap_or(KeptValue::Pending)
    }
}

/// The niceness of a thread that computes: a request is answered before it goes on.
const NICE: i32 = 10;

/// Has this thread yield to the others. Where that is not granted it goes on as it is.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
    #[cfg(not(target_os = "linux"))]
    let _ = NICE;
}

impl<T> OncePerState<T> {
    fn state(&self) -> MutexGuard<'_, KeptState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> KeptState<T> {
    fn found(&self, key: &str) -> Option<KeptValue<T>> {
        let (_, value) = self.kept.iter().find(|(own, _)| own == key)?;
        Some(match value {
            Ok(value) => KeptValue::Ready(Arc::clone(value)),
            Err(why) => KeptValue::Failed(why.clone()),
        })
    }

    fn keep(&mut self, key: &str, value: Result<Arc<T>, String>, most: usize) {
        self.kept.retain(|(own, _)| own != key);
        self.kept.push_back((key.to_owned(), value));
        while self.kept.len() > most {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_its_key_and_computed_once() {
        let kept: Arc<OncePerState<u32>> = Arc::default();
        assert!(matches!(kept.of("a", || Ok(1)), KeptValue::Ready(value) if *value == 1));
        assert!(matches!(kept.of("a", || Ok(2)), KeptValue::Ready(value) if *value == 1));
        assert!(matches!(kept.of("b", || Ok(2)), KeptValue::Ready(value) if *value == 2));
        assert!(
            matches!(kept.of("c", || Err("no".to_owned())), KeptValue::Failed(why) if why == "no")
        );
    }

    #[test]
    fn one_that_takes_long_is_pending_and_then_there() {
        let kept: Arc<OncePerState<u32>> = Arc::default();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let slow = move || {
            let _ = gone.recv();
            Ok(7)
        };
        assert!(matches!(kept.of("a", slow), KeptValue::Pending));
        go.send(()).expect("it waits");
        let found = (0..100).find_map(|_| match kept.of("a", || Ok(0)) {
            KeptValue::Ready(value) => Some(*value),
            _ => None,
        });
        assert_eq!(found, Some(7));
    }

    #[test]
    fn a_panic_is_a_failure_and_no_deadlock() {
        let kept: Arc<OncePerState<u32>> = Arc::default();
        assert!(matches!(kept.of("a", || panic!("boom")), KeptValue::Failed(_)));
        assert!(matches!(kept.of("b", || Ok(1)), KeptValue::Ready(_)));
    }
}
