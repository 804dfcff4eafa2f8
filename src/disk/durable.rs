//! Small files and folders that are on the disk when they count.
//!
//! **Invariant:** a file is synced before it is named, and so is the folder that names it.

use super::folder::is_there;
use super::{interrupt, private};
use crate::inputs::file::FileError;
use std::fs::File;
use std::path::Path;

/// Writes a small file whole and syncs it. A file that an earlier try left there is removed first,
/// never written into: it may be a link to something else.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let file = write_new(path, bytes)?;
    file.sync_all().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
}

pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<File, FileError> {
    use std::io::Write;
    let write = || {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = private::create_new(path)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    write().map_err(|e| FileError::new(path, format!("cannot be written: {e}")))
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), FileError> {
    private::make_folders(folder)
        .map_err(|e| FileError::new(folder, format!("cannot be made: {e}")))
}

/// Makes a folder and the missing ones above it, and syncs the folder that holds each new one.
pub(crate) fn make_folder_synced(folder: &Path) -> Result<(), FileError> {
    let mut missing = vec![folder.to_owned()];
    while let Some(parent) = missing.last().and_then(|path| path.parent())
        && !parent.as_os_str().is_empty()
        && !is_there(parent)?
    {
        missing.push(parent.to_owned());
    }
    for folder in missing.iter().rev() {
        make_folder(folder)?;
        let holder = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_folder(holder.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// Syncs the folders above a first ledger: a process that died may have made their entries and not
/// synced them. A folder that may not be read belongs to somebody else.
pub(crate) fn sync_above(folder: &Path) {
    if let Ok(folder) = folder.canonicalize() {
        for above in folder.ancestors().skip(1) {
            let _ = sync_folder(above);
        }
    }
}

pub(crate) fn sync_folder(folder: &Path) -> Result<(), FileError> {
    let sync = || File::open(folder)?.sync_all();
    sync().map_err(|e| FileError::new(folder, format!("cannot be synced: {e}")))
}

/// Moves a folder by one rename, and syncs the folders that hold it and held it: **now it counts.**
/// If a sync fails, the rename may not survive a loss of power; so it does not count, and is moved
/// back.
pub(crate) fn move_synced(
    from: &Path,
    to: &Path,
    holders: &[&Path],
    done: &str,
) -> Result<(), FileError> {
    let _whole = interrupt::publishing();
    std::fs::rename(from, to)
        .map_err(|e| FileError::new(to, format!("cannot be published: {e}")))?;
    holders.iter().try_for_each(|holder| sync_folder(holder)).map_err(|e| {
        match std::fs::rename(to, from) {
            Ok(()) => e,
            Err(back) => FileError::new(
                to,
                format!("is {done}, but {e}, and it cannot be moved back: {back}"),
            ),
        }
    })
}
