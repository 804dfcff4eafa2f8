//! The settings of rating in `trunkrate.toml`: `[input]`, `[money]` and `[policy]`. (The seller and
//! the terms are the business of invoices.)

use crate::file::FileError;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::path::Path;
use trunkrate_kernel::money::{AMOUNT_DECIMALS, LegRounding, LegRule};
use trunkrate_kernel::party::{FewNumbers, Number};
use trunkrate_kernel::policy::{
    ChainedTransfers, FinalNewline, InternalTargets, MangledCaller, Policy, UnlistedAccounts,
};
use trunkrate_kernel::record::direction_meaning;
use trunkrate_kernel::time::Zone;
use trunkrate_kernel::words::plain_word;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    input: Input,
    money: MoneySettings,
    policy: PolicyTable,
    #[serde(rename = "seller")]
    _seller: IgnoredAny,
    #[serde(rename = "invoice")]
    _invoice: IgnoredAny,
    #[serde(rename = "paths")]
    _paths: IgnoredAny,
    #[serde(rename = "status")]
    _status: IgnoredAny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    timezone: Option<String>,
    /// Added to the carrier's own.
    other_directions: Vec<String>,
    /// In place of the carrier's own.
    internal_hosts: Option<Vec<String>>,
    /// In place of the carrier's own.
    withheld_numbers: Option<Vec<String>>,
    final_newline: FinalNewline,
    max_ratio: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct MoneySettings {
    leg_decimals: Option<u32>,
    leg_rounding: LegRounding,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    chained_transfers: ChainedTransfers,
    max_call_seconds: Option<u32>,
    parent_wait_days: Option<u32>,
    mangled_caller: MangledCaller,
    internal_targets: InternalTargets,
    unlisted_accounts: UnlistedAccounts,
}

/// Reads the text of a configuration.
///
/// # Errors
/// If it is no TOML, or has an unknown table or key, with its line.
pub fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        let error = FileError::new(path, e.message().to_owned());
        FileError { line, ..error }.hint(
            "docs, Settings, lists what may stand in [paths], [input], [money], [policy], \
                   [seller], [invoice] and [status]",
        )
    })
}

/// Reads the settings of rating; a setting that is missing has the contract's default.
///
/// # Errors
/// As [`read`]; also an unknown time zone, and more decimals than are stored.
pub fn parse(path: &Path, text: &str) -> Result<Policy, FileError> {
    let settings: Settings = read(path, text)?;
    let default = Policy::default();
    let zone = settings.input.timezone.as_ref().map(|name| {
        Zone::named(name).ok_or_else(|| {
            FileError::new(path, format!("input.timezone: there is no time zone `{name}`"))
                .hint(trunkrate_kernel::zones::hint(name))
        })
    });
    let decimals = settings.money.leg_decimals.unwrap_or(default.leg_rule.decimals);
    if decimals > AMOUNT_DECIMALS {
        return Err(FileError::new(
            path,
            format!("money.leg_decimals is {decimals}; expected at most {AMOUNT_DECIMALS}"),
        ));
    }
    let input = settings.input;
    let other_directions = directions(path, &input.other_directions)?;
    let internal_hosts = input.internal_hosts.map(|hosts| hosts_of(path, &hosts)).transpose()?;
    let withheld_numbers =
        input.withheld_numbers.map(|numbers| numbers_of(path, &numbers)).transpose()?;
    Ok(Policy {
        mangled_caller: settings.policy.mangled_caller,
        internal_targets: settings.policy.internal_targets,
        unlisted_accounts: settings.policy.unlisted_accounts,
        final_newline: input.final_newline,
        max_ratio: input.max_ratio.unwrap_or(default.max_ratio),
        other_directions: default.other_directions.into_iter().chain(other_directions).collect(),
        internal_hosts: internal_hosts.unwrap_or(default.internal_hosts),
        withheld_numbers: withheld_numbers.unwrap_or(default.withheld_numbers),
        no_transfers: false,
        set_times: default.set_times,
        chained_transfers: settings.policy.chained_transfers,
        max_call_seconds: settings.policy.max_call_seconds.unwrap_or(default.max_call_seconds),
        parent_wait_days: settings.policy.parent_wait_days.unwrap_or(default.parent_wait_days),
        leg_rule: LegRule { decimals, rounding: settings.money.leg_rounding },
        zone: zone.transpose()?,
    })
}

/// Words that a root's direction may be, in the form of [`direction_meaning`]. A trunk's own word
/// cannot be one of them.
fn directions(path: &Path, words: &[String]) -> Result<Vec<String>, FileError> {
    let plain = |word: &String| {
        let plain = plain_word(word);
        let is_trunk = matches!(plain.as_str(), "trunkingterminating" | "trunkingoriginating");
        if plain.is_empty() || is_trunk {
            let problem = format!("input.other_directions: `{word}` cannot be ignored");
            return Err(FileError::new(path, problem)
                .hint("expected a direction that is no trunk's, such as `outbound`"));
        }
        Ok(direction_meaning(word).into_owned())
    };
    words.iter().map(plain).collect()
}

/// Hosts, in lower case.
fn hosts_of(path: &Path, hosts: &[String]) -> Result<Vec<String>, FileError> {
    let host = |host: &String| {
        let text = host.trim().to_ascii_lowercase();
        let is_label = |label: &str| {
            label == "*"
                || !label.is_empty()
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.split('.').all(is_label) {
            return Ok(text);
        }
        Err(FileError::new(path, format!("input.internal_hosts: `{host}` is no host name")).hint(
            "expected a host such as public-vip.*.twilio.com, in which * stands for one label",
        ))
    };
    hosts.iter().map(host).collect()
}

fn numbers_of(path: &Path, numbers: &[String]) -> Result<FewNumbers, FileError> {
    let number = |text: &String| {
        Number::parse(text.trim()).ok_or_else(|| {
            FileError::new(path, format!("input.withheld_numbers: `{text}` is no number"))
                .hint("expected + and 7 to 15 digits")
        })
    };
    numbers.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_set_and_what_is_unknown_is_refused() {
        let path = Path::new("trunkrate.toml");
        let policy = parse(path, "[money]\nleg_decimals = 4\nleg_rounding = \"half-even\"\n[policy]\nchained_transfers = \"root\"\n[input]\ntimezone = \"Europe/Berlin\"\n[seller]\nname = \"A\"").unwrap();
        assert_eq!(policy.leg_rule, LegRule { decimals: 4, rounding: LegRounding::HalfEven });
        assert_eq!(policy.chained_transfers, ChainedTransfers::Root);
        assert_eq!(policy.max_call_seconds, 86_400);
        assert!(policy.zone.is_some());
        for bad in [
            "[money]\nleg_decimal = 4",
            "[money]\nleg_decimals = 9",
            "[money]\nleg_rounding = \"down\"",
            "[input]\ntimezone = \"Mars\"",
            "[polcy]\n",
            "x",
        ] {
            assert!(parse(path, bad).is_err(), "{bad}");
        }
        assert_eq!(parse(path, "\n[money]\nleg_decimal = 4").unwrap_err().line, Some(3));
    }
}
