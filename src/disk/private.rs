//! Files and folders that hold calls: only their owner reads them, whatever the umask is.
//!
//! A file of our own is a plain file: a link, a pipe or a device that took its name is refused, and
//! is not waited for.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result};
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

/// Opens a file of our own, as the options say: no link is followed, and no pipe is waited for.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(Error::other)?;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    let is_plain = |there: std::fs::Metadata| {
        let error = || Error::new(ErrorKind::InvalidInput, "it is no plain file");
        if there.is_file() { Ok(()) } else { Err(error()) }
    };
    // First by its name: a device may act when it is opened.
    std::fs::symlink_metadata(path).and_then(is_plain)?;
    let file = options.open(path)?;
    file.metadata().and_then(is_plain)?;
    Ok(file)
}

/// Reads a file of our own whole; `None` if nothing has its name.
pub(crate) fn read_own(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut file = match open_own(path, OpenOptions::new().read(true)) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Makes a folder, and those above it.
pub(crate) fn make_folders(folder: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}
