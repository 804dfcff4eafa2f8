//! Files and folders that hold calls: only their owner reads them, whatever the umask is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Result;
use std::path::Path;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a new file; fails if the path exists or is a link.
pub(crate) fn create_new(path: &Path) -> Result<File> {
    options().create_new(true).open(path)
}

/// Makes a folder, and those above it.
pub(crate) fn make_folders(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
