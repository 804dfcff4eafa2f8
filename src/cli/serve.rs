//! `serve`: the console.

use super::args::serve::ServeArgs;
use super::clock;
use super::error::CliError;
use super::journal;
use super::project::{Key, Project};
use super::status::{free_bytes, is_running};
use super::term;
use crate::disk::interrupt;
use crate::inputs::file::read_text;
use crate::serve::guard::Token;
use crate::serve::listen::{self, StartError};
use crate::serve::setting::ConsoleSetting;
use std::path::Path;

/// Serves the project's ledger until it is interrupted.
pub fn run(args: &ServeArgs, project: &Project) -> Result<(), CliError> {
    let token = args.token_file.as_deref().map(token_of).transpose()?;
    if !args.listen.ip().is_loopback() && token.is_none() {
        return Err(CliError::usage(format!(
            "--listen {}: others can reach that address, and no token is asked for",
            args.listen
        ))
        .hint("write 16 characters or more to a file, and name it with --token-file")
        .hint("or listen at 127.0.0.1:8707, which only this machine reaches"));
    }
    let ledger = project.ledger()?;
    let setting = ConsoleSetting {
        ledger: ledger.clone(),
        limits: project.limits()?,
        zone: project.policy()?.zone,
        accounts: project.list(Key::Accounts),
        items: project.list(Key::Items),
        terms: project.terms().map_err(|error| error.message().to_owned()),
        masks: args.masks,
        token,
        now: clock::now,
        host: journal::host(),
        user: journal::user(),
        is_running,
        free_bytes,
        tell: |text| term::report("note", text),
    };
    let ready = |address, stop: listen::Stop| {
        interrupt::end_by(move || stop.stop());
        term::report("note", &format!("http://{address}/ shows {}", ledger.folder().display()));
    };
    listen::serve(setting, args.listen, ready).map_err(|error| match error {
        StartError::Listen(..) => CliError::failed(error.to_string())
            .hint("another program may have that port: --listen 127.0.0.1:0 takes a free one"),
        StartError::Template(error) => error.into(),
        StartError::Runtime(_) => CliError::failed(error.to_string()),
    })
}

fn token_of(path: &Path) -> Result<Token, CliError> {
    let text = read_text(path)?;
    let wrong = |why: String| CliError::failed(format!("{}: {why}", path.display()));
    let token = Token::of(&text).map_err(wrong)?;
    if is_open(path) {
        let path = path.display();
        term::report("note", &format!("{path}: others can read the token; `chmod 600` keeps it"));
    }
    Ok(token)
}

/// True if others than its owner may read a file.
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}
