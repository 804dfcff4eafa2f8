//! `init`: makes a project, and shows the files put in it.
//!
//! ```text
//! flags, or answers ─▶ Choices ─▶ trunkrate.toml, folders ─▶ check: one export column by column,
//!                                                            one deck, what `run` would do
//! ```
//!
//! **Invariant:** no file is overwritten without `--force`, and then the old one is kept beside it.
//! Nothing is booked.

mod check;
mod file;

use super::args::ProjectArgs;
use super::args::init::InitArgs;
use super::error::CliError;
use super::output::write_whole;
use super::project::{FILE_NAME, Project};
use super::term;
use crate::inputs::settings;
use file::Choices;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Makes a project, or shows the existing one.
pub fn run(args: &InitArgs, global: &ProjectArgs) -> Result<(), CliError> {
    if global.config.is_some() {
        return Err(CliError::usage(format!("--config: `init` writes {FILE_NAME} in its folder"))
            .hint("trunkrate init DIR"));
    }
    let folder = args.dir.clone().unwrap_or_default();
    let file = folder.join(FILE_NAME);
    let is_there = crate::disk::folder::is_there(&file)?;
    let is_asked = args.has_choices() || global.ledger.is_some();
    if is_there && !args.force {
        if is_asked {
            return Err(CliError::failed(format!(
                "{}: there is a project already",
                file.display()
            ))
            .hint("edit the file; or --force writes it anew, and keeps the old one beside it"));
        }
        term::report(
            "note",
            &format!("{} is there, and stays as it is; --force writes it anew", file.display()),
        );
    } else {
        make_folder(&folder)?;
        let mut choices = Choices::of(args, global.ledger.as_deref(), &folder)?;
        if !is_asked && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            ask(&mut choices)?;
        }
        write(&choices, &file, is_there)?;
        make_folders(&choices, &folder)?;
    }
    let project = Project::find(&ProjectArgs { ledger: None, config: Some(file) })?;
    check::run(&project)
}

/// Writes the file, once it parses as every command parses it.
fn write(choices: &Choices, file: &Path, is_there: bool) -> Result<(), CliError> {
    let text = choices.to_text();
    let refuse = |e: crate::inputs::file::FileError| {
        let error = CliError::usage(format!("this makes no project: {}", e.problem));
        e.hint.into_iter().fold(error, CliError::hint)
    };
    settings::parse(file, &text).map_err(refuse)?;
    super::config::parse_terms(file, &text).map_err(refuse)?;
    if is_there {
        let mut names =
            (1..=u32::MAX).map(|number| file.with_file_name(format!("{FILE_NAME}.{number}")));
        let kept = names.find(|path| !path.exists()).expect("fewer than 2^32 files");
        std::fs::rename(file, &kept)
            .map_err(|e| CliError::failed(format!("{}: cannot be kept: {e}", file.display())))?;
        term::report(
            "note",
            &format!("{} is written anew; the old one is {}", file.display(), kept.display()),
        );
    }
    Ok(write_whole(file, text.as_bytes())?)
}

fn make_folder(folder: &Path) -> Result<(), CliError> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .map_err(|e| CliError::failed(format!("{}: cannot be made: {e}", folder.display())))
}

/// Makes the missing folders, except the ledger itself, which the first run makes.
fn make_folders(choices: &Choices, folder: &Path) -> Result<(), CliError> {
    let mut lines = vec![term::heading(&format!("made {}", folder.join(FILE_NAME).display()))];
    lines.push("   it says what is where, and explains every choice in a line".to_owned());
    for (path, what) in [
        (&choices.calls, "the carrier's exports go there"),
        (&choices.rates, "a deck goes there: deck.toml and CSV files"),
    ] {
        let path = folder.join(path);
        // A path that looks like a file or a glob is left alone.
        if path.exists()
            || path.extension().is_some()
            || path.to_string_lossy().contains(['*', '?', '['])
        {
            continue;
        }
        make_folder(&path)?;
        lines.push(format!("   {}/: {what}", path.display()));
    }
    if let Some(parent) = folder.join(&choices.ledger).parent() {
        make_folder(parent)?;
    }
    lines.push(String::new());
    Ok(term::print(&(lines.join("\n") + "\n"))?)
}

// ---- asking -------------------------------------------------------------------------------------

/// Asks for the choices of a new project; an empty answer takes the value in brackets.
fn ask(choices: &mut Choices) -> Result<(), CliError> {
    let mut say = std::io::stderr().lock();
    writeln!(
        say,
        "A new project. An empty answer takes what stands in brackets; \
         all of it can be changed in {FILE_NAME}.\n"
    )?;
    drop(say);
    choices.calls = question("call files: a folder, a file or a glob", &choices.calls)?;
    choices.rates = question("the folder of the rate deck", &choices.rates)?;
    choices.trunks = optional("the carrier's trunk list, as JSON", choices.trunks.as_deref())?;
    choices.accounts = optional(
        "accounts.csv: name, deck and address of each account",
        choices.accounts.as_deref(),
    )?;
    choices.timezone = optional(
        "time zone of times that have no offset, such as Europe/Berlin",
        choices.timezone.as_deref(),
    )?;
    choices.seller.name =
        optional("who sells: the name on invoices", choices.seller.name.as_deref())?;
    if choices.seller.name.is_some() {
        let seller = &mut choices.seller;
        seller.address.extend(optional("   street and number", None)?);
        seller.postcode = optional("   postcode", seller.postcode.as_deref())?;
        seller.city = optional("   city", seller.city.as_deref())?;
        seller.country = optional("   country, two letters", seller.country.as_deref())?;
        seller.tax_id = optional("   tax id", seller.tax_id.as_deref())?;
        choices.tax_category = optional(
            "   tax: standard, zero, reverse-charge, exempt, outside-scope",
            choices.tax_category.as_deref(),
        )?;
        if choices.tax_category.as_deref() == Some("standard") {
            choices.tax_rate =
                optional("   tax rate in per cent, such as 19", choices.tax_rate.as_deref())?;
        }
    }
    Ok(writeln!(std::io::stderr())?)
}

fn question(what: &str, default: &str) -> Result<String, CliError> {
    let mut say = std::io::stderr().lock();
    write!(say, "{what} [{default}]: ")?;
    say.flush()?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|e| CliError::failed(format!("no answer can be read: {e}")))?;
    let answer = line.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}

fn optional(what: &str, default: Option<&str>) -> Result<Option<String>, CliError> {
    let answer = question(what, default.unwrap_or("none"))?;
    Ok((answer != "none").then_some(answer))
}
