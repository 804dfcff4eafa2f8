//! Scratch memory that a thread keeps from one page to the next: buffers, and zstd's contexts.

use std::cell::RefCell;
use zstd::zstd_safe::{CParameter, compress_bound};

/// The effort of zstd's search for repeats. Level 1 either way: the next levels cost twice the time
/// for a tenth of the size.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    /// The search of level 1.
    Full,
    /// A search table of 64 places: most bytes only get shorter codes. Telephone numbers take 8
    /// instead of 24 ns a row, and 5.2 instead of 5.0 bytes if they do not repeat.
    Short,
}

struct Contexts {
    full: zstd::bulk::Compressor<'static>,
    short: zstd::bulk::Compressor<'static>,
    room: Vec<u8>,
}

thread_local! {
    /// Kept, because a context takes longer to make than a small page to compress, and fresh room
    /// for the worst case, which the system has to clear, cost 9 ns a call id.
    static ZSTD: RefCell<Contexts> = {
        let new = || zstd::bulk::Compressor::new(1).expect("zstd knows level 1");
        let mut short = new();
        short.set_parameter(CParameter::HashLog(6)).expect("zstd knows a table of 64 places");
        RefCell::new(Contexts { full: new(), short, room: Vec::new() })
    };

    /// Kept as well: room for values before they are compressed.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with room from earlier use.
#[allow(clippy::disallowed_methods, reason = "where none was given back, a new one is as good")]
pub(crate) fn buffer() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Gives a buffer back. One of unusual size is not kept.
pub(crate) fn recycle(mut buffer: Vec<u8>) {
    if (1..=MOST_KEPT).contains(&buffer.capacity()) {
        buffer.clear();
        BUFFERS.with_borrow_mut(|buffers| buffers.push(buffer));
    }
}

/// Compresses `values`, and passes the bytes to `then`.
pub(crate) fn compressed<T>(search: Search, values: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    ZSTD.with_borrow_mut(|Contexts { full, short, room }| {
        room.clear();
        room.reserve(compress_bound(values.len()));
        let context = match search {
            Search::Full => full,
            Search::Short => short,
        };
        context.compress_to_buffer(values, room).expect("there is room for all of it");
        let done = then(room);
        if room.capacity() > MOST_KEPT {
            *room = Vec::new();
        }
        done
    })
}

/// The maximum size of a buffer that a thread keeps: many times a usual column.
const MOST_KEPT: usize = 32 << 20;
