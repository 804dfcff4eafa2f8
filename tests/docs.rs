//! The documentation does what it says: every block of README and `docs/` runs, every link leads
//! somewhere, and the reference is what the code says.
//!
//! After a change on purpose: `UPDATE_DOCS=1` before the test binary, then read the difference.
//!
//! | file | what it holds |
//! |---|---|
//! | `docs/pages.rs` | the pages, cut into blocks, headings and links |
//! | `docs/blocks.rs` | the blocks, each page in a fresh folder |
//! | `docs/links.rs` | links, anchors, pictures, the book's contents |
//! | `docs/reference.rs` | pages of the reference, printed again |
//! | `docs/commands.rs`, `docs/tables.rs`, `docs/shapes.rs` | what they are printed from |
//! | `docs/readme.rs` | the landing page: its length, its pictures, its table |

mod blocks;
mod commands;
mod links;
mod pages;
mod readme;
mod reference;
mod shapes;
mod tables;

use crate::support::Night;
use std::path::Path;
use std::sync::OnceLock;

/// The folder of a demo that has run, which every page begins with.
pub fn demo() -> &'static Path {
    static DEMO: OnceLock<Night> = OnceLock::new();
    DEMO.get_or_init(|| {
        let night = Night::new();
        night.bare("", &["demo", "demo"], &[]).ok();
        night
    })
    .path()
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder is made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a file is copied");
        }
    }
}
