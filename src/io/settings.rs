//! How calls are rated, by `trunkrate.toml`: `[input]`, `[money]` and `[policy]`. (Who sells, and on which terms, is the
//! business of invoices.)

use super::FileError;
use crate::money::{AMOUNT_DECIMALS, LegRounding, LegRule};
use crate::policy::{ChainedTransfers, Policy};
use crate::time::Zone;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::path::Path;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    input: Input,
    money: Money,
    policy: PolicyTable,
    #[serde(rename = "seller")]
    _seller: IgnoredAny,
    #[serde(rename = "invoice")]
    _invoice: IgnoredAny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    timezone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Money {
    leg_decimals: Option<u32>,
    leg_rounding: LegRounding,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    chained_transfers: ChainedTransfers,
    max_call_seconds: Option<u32>,
    parent_wait_days: Option<u32>,
}

/// Reads the text of a configuration.
///
/// # Errors
/// If it is no TOML, or has a table or key that nobody knows, with its line.
pub fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        let error = FileError::new(path, e.message().to_owned());
        FileError { line, ..error }.hint("the README lists what may stand in [input], [money], [policy], [seller] and [invoice]")
    })
}

/// Reads how calls are rated; what is not said is as the contract has it.
///
/// # Errors
/// As [`read`]; also a zone that is not there, and more decimals than are stored.
pub fn parse(path: &Path, text: &str) -> Result<Policy, FileError> {
    let settings: Settings = read(path, text)?;
    let default = Policy::default();
    let zone = settings.input.timezone.map(|name| {
        Zone::named(&name).ok_or_else(|| {
            FileError::new(path, format!("input.timezone: there is no time zone `{name}`"))
                .hint("expected an IANA name such as Europe/Berlin")
        })
    });
    let decimals = settings.money.leg_decimals.unwrap_or(default.leg_rule.decimals);
    if decimals > AMOUNT_DECIMALS {
        return Err(FileError::new(path, format!("money.leg_decimals is {decimals}; expected at most {AMOUNT_DECIMALS}")));
    }
    Ok(Policy {
        chained_transfers: settings.policy.chained_transfers,
        max_call_seconds: settings.policy.max_call_seconds.unwrap_or(default.max_call_seconds),
        parent_wait_days: settings.policy.parent_wait_days.unwrap_or(default.parent_wait_days),
        leg_rule: LegRule { decimals, rounding: settings.money.leg_rounding },
        zone: zone.transpose()?,
    })
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
