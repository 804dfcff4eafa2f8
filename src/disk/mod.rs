//! Files as a ledger needs them: whole or absent, on the disk before they count, and private.
//!
//! | file | what it does |
//! |---|---|
//! | [`durable`] | writes a small file and syncs it; makes folders and syncs those above; publishes a folder by one rename |
//! | [`folder`] | the entries of a folder; a disk that cannot say is an error |
//! | [`aside`] | moves a user's file to another folder, never over another |
//! | `direct` | a file that grows at its end, past the page cache (`O_DIRECT`) |
//! | `sync` | syncs files on a thread of its own while the next ones are written |
//! | `private` | modes 0600 and 0700, and files without a name |
//! | [`interrupt`] | SIGINT and SIGTERM: a folder that is being published is published whole, staged files are removed |
//!
//! **Invariant:** a failed sync is an error, and is never tried again: after it the content of the
//! disk is unknown.

pub mod aside;
pub(crate) mod direct;
pub mod durable;
pub mod folder;
pub mod interrupt;
pub(crate) mod private;
pub(crate) mod sync;
