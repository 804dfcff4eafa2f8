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
use crate::serve::guard::{Token, TrustedProxy};
use crate::serve::listen::{self, StartError};
use crate::serve::setting::ConsoleSetting;
use std::path::Path;

/// Serves the project's ledger until it is interrupted.
pub fn run(args: &ServeArgs, project: &Project) -> Result<(), CliError> {
    keep_no_memory();
    let token = args.token_file.as_deref().map(token_of).transpose()?;
    let proxy = proxy_of(args)?;
    if !args.listen.ip().is_loopback() && token.is_none() && proxy.is_none() {
        return Err(CliError::usage(format!(
            "--listen {}: others can reach that address, and no token is asked for",
            args.listen
        ))
        .hint("write 16 characters or more to a file, and name it with --token-file")
        .hint("or name the proxy that knows its clients with --proxy")
        .hint("or listen at 127.0.0.1:8707, which only this machine reaches"));
    }
    let ledger = project.ledger()?;
    let setting = ConsoleSetting {
        ledger: ledger.clone(),
        folder: project.folder().to_owned(),
        limits: project.limits()?,
        zone: project.policy()?.zone,
        accounts: project.list(Key::Accounts),
        items: project.list(Key::Items),
        terms: project.terms().map_err(|error| error.message().to_owned()),
        masks: args.masks,
        token,
        proxy,
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

/// The setting of the allocator: after how many milliseconds freed memory goes back to the system.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Has the allocator give freed memory back at once, by starting this process anew under the same
/// number with its setting, which is read before `main`. Where that cannot be, it goes on as it is.
///
/// # Why
/// A batch is over before it would need its memory back; a console runs for months, and reads some
/// megabytes for a page. Thirty nights of 200,000 calls: 127 MiB instead of 167 after its sums, and
/// 154 instead of 219 at the most.
fn keep_no_memory() {
    #[cfg(unix)]
    if std::env::var_os(PURGE_DELAY).is_none() {
        use std::os::unix::process::CommandExt;
        let Ok(own) = std::env::current_exe() else { return };
        let mut args = std::env::args_os();
        let mut anew = std::process::Command::new(own);
        if let Some(name) = args.next() {
            anew.arg0(name);
        }
        // It comes back only if it fails.
        let _ = anew.args(args).env(PURGE_DELAY, "0").exec();
    }
}

/// The proxy that says who asks. (That its three flags come together clap has seen to.)
fn proxy_of(args: &ServeArgs) -> Result<Option<TrustedProxy>, CliError> {
    let (Some(address), Some(header), Some(host)) =
        (args.proxy, args.proxy_user.as_ref(), args.proxy_host.as_ref())
    else {
        return Ok(None);
    };
    let is_in = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    if !is_in(header, b"-_") {
        let wrong = format!("--proxy-user {header}: expected the name of a header");
        return Err(CliError::usage(wrong).hint("such as X-Client-Name"));
    }
    if !is_in(host, b"-.") {
        let wrong = format!("--proxy-host {host}: expected a name without a port");
        return Err(CliError::usage(wrong).hint("such as billing.example"));
    }
    let (header, host) = (header.to_ascii_lowercase(), host.to_ascii_lowercase());
    Ok(Some(TrustedProxy { address, header, host }))
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
