//! The inputs of the command: no output may replace one.
//!
//! **Invariant:** an input is noted before anything is written. What the project names is noted
//! when the project is found, also by commands that do not read it; what a flag names, when it is
//! looked for.

use crate::disk::folder::real_folder;
use crate::inputs::file::FileError;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// An input, by its real path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NotedInput {
    /// A file, or a folder with all that lies in it.
    Whole(PathBuf),
    /// A folder of call files: those that are there. New ones may come.
    Calls(PathBuf),
}

static INPUTS: Mutex<Vec<NotedInput>> = Mutex::new(Vec::new());

fn note(input: NotedInput) {
    let mut inputs = INPUTS.lock().unwrap_or_else(PoisonError::into_inner);
    if !inputs.contains(&input) {
        inputs.push(input);
    }
}

/// Notes a file, or a folder with all that lies in it.
pub fn read(path: &Path) {
    if let Ok(real) = path.canonicalize() {
        note(NotedInput::Whole(real));
    }
}

/// Notes where call files lie: a file, a folder, or a glob, whose folder counts.
pub fn read_calls(pattern: &Path) {
    let is_glob = |part: &Path| part.to_string_lossy().contains(['*', '?', '[']);
    let there = pattern.ancestors().find(|part| !is_glob(part)).unwrap_or(pattern);
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    match there.canonicalize() {
        Ok(real) if real.is_dir() => note(NotedInput::Calls(real)),
        Ok(real) => note(NotedInput::Whole(real)),
        Err(_) => {}
    }
}

/// Refuses an output that would replace an input. `path` is the target as the user named it.
///
/// # Errors
/// If it would.
pub fn refuse(path: &Path, target: &Path) -> Result<(), FileError> {
    let (Some(folder), Some(name)) = (real_folder(target), target.file_name()) else {
        return Ok(());
    };
    let real = folder.join(name);
    let inputs = INPUTS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_hit = |input: &&NotedInput| match input {
        NotedInput::Whole(input) => real.starts_with(input),
        NotedInput::Calls(folder) => real.starts_with(folder) && real.exists(),
    };
    match inputs.iter().find(is_hit) {
        None => Ok(()),
        Some(NotedInput::Whole(input) | NotedInput::Calls(input)) => {
            let problem = format!("is an input, or lies in one: {}", input.display());
            Err(FileError::new(path, problem).hint("name a file elsewhere; nothing was written"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_replaces_no_input() {
        let place = tempfile::tempdir().expect("a folder");
        let [rates, calls] = ["rates", "calls"].map(|name| place.path().join(name));
        for folder in [&rates, &calls] {
            std::fs::create_dir(folder).expect("a folder");
        }
        let file = |path: &Path| std::fs::write(path, "x").expect("a file");
        let (project, night) = (place.path().join("trunkrate.toml"), calls.join("night.csv"));
        file(&project);
        file(&night);
        read(&rates);
        read(&project);
        read_calls(&calls.join("*.csv"));
        for taken in [&project, &night, &rates.join("new.csv"), &calls.join("../trunkrate.toml")] {
            assert!(refuse(taken, taken).is_err(), "{}", taken.display());
        }
        for free in [place.path().join("m.prom"), calls.join("again.jsonl")] {
            assert!(refuse(&free, &free).is_ok(), "{}", free.display());
        }
    }
}
