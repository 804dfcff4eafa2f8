//! The carrier's trunk list, as its API gives it: `{"trunks": [{"sid", "domain_name",
//! "transfer_mode", …}]}`.

use crate::file::{FileError, read_text};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use trunkrate_kernel::trunk::{TransferCallerId, TransferMode, Trunk, Trunks};

/// Fields that are not named here are the carrier's own business.
#[derive(Debug, Deserialize)]
struct TrunkList {
    trunks: Vec<TrunkEntry>,
}

#[derive(Debug, Deserialize)]
struct TrunkEntry {
    sid: String,
    domain_name: Option<String>,
    transfer_mode: TransferMode,
    #[serde(default)]
    transfer_caller_id: Option<TransferCallerId>,
    /// The other keys: the carrier's own business, or a name of a field in another spelling.
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

impl TrunkEntry {
    /// A key that resembles the domain's, if that is missing: without a domain, transfers to the
    /// PSTN are taken for SIP.
    fn other_domain(&self) -> Option<&str> {
        let is_domain = |key: &&String| key.to_ascii_lowercase().contains("domain");
        self.domain_name
            .is_none()
            .then(|| self.others.keys().find(is_domain))
            .flatten()
            .map(String::as_str)
    }
}

/// Reads a trunk list.
///
/// # Errors
/// If it is no trunk list, is empty, has a domain that is no host, or names a trunk twice.
pub fn load(path: &Path) -> Result<(Trunks, String), FileError> {
    let text = read_text(path)?;
    let trunks = parse(path, &text)?;
    if trunks.is_empty() {
        return Err(FileError::new(
            path,
            "lists no trunk: every transfer would wait as `unknown-trunk`",
        )
        .hint("fetch the carrier's trunk list again, or leave --trunks out"));
    }
    Ok((trunks, text))
}

/// Reads the list's text.
///
/// # Errors
/// As [`load`]; an empty list is no error here.
#[allow(clippy::disallowed_methods, reason = "what a trunk does not say is as the carrier has it")]
pub fn parse(path: &Path, text: &str) -> Result<Trunks, FileError> {
    let list: TrunkList =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|e| {
            FileError::new(path, format!("is no trunk list: {e}")).at(e.line() as u64).hint(
                "expected {\"trunks\": [{\"sid\", \"domain_name\", \"transfer_mode\", \
                 \"transfer_caller_id\"}]}, as the carrier's API gives it",
            )
        })?;
    for entry in &list.trunks {
        let sid = &entry.sid;
        if let Some(key) = entry.other_domain() {
            let problem =
                format!("trunk {sid}: has no domain_name, and has `{key}`, which resembles it");
            return Err(FileError::new(path, problem).hint(
                "name the fields as the carrier's API does: by the domain transfers to the \
                       PSTN are known",
            ));
        }
        let name = entry.domain_name.as_deref().unwrap_or("").trim();
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
            let problem = format!(
                "trunk {sid}: domain_name is `{name}`; expected a host such as \
                 example.pstn.twilio.com"
            );
            return Err(FileError::new(path, problem).hint(
                "write the host alone, without `sip:` and port: by it transfers to the PSTN \
                       are known",
            ));
        }
    }
    let trunks = list.trunks.into_iter().map(|entry| Trunk {
        sid: entry.sid,
        domain: entry.domain_name.map(|name| domain(&name)).filter(|name| !name.is_empty()),
        mode: entry.transfer_mode,
        caller_id: entry.transfer_caller_id.unwrap_or_default(),
    });
    Trunks::new(trunks).map_err(|sid| FileError::new(path, format!("lists the trunk {sid} twice")))
}

fn domain(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}
