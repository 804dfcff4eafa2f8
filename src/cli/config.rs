//! `trunkrate.toml`: the choices of the one who bills.

use super::error::CliError;
use crate::io::FileError;
use crate::money::{AMOUNT_DECIMALS, LegRounding, LegRule};
use crate::policy::{ChainedTransfers, Policy};
use crate::time::Zone;
use serde::Deserialize;
use std::path::Path;

/// The file that is read if none is named.
const DEFAULT: &str = "trunkrate.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    input: Input,
    money: Money,
    policy: PolicyTable,
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

/// Reads the configuration; the defaults if no file is named and none is there.
pub fn load(named: Option<&Path>) -> Result<Policy, CliError> {
    let path = named.unwrap_or(Path::new(DEFAULT));
    if named.is_none() && !path.exists() {
        return Ok(Policy::default());
    }
    let text = crate::io::read_text(path)?;
    Ok(parse(path, &text)?)
}

fn parse(path: &Path, text: &str) -> Result<Policy, FileError> {
    let config: Config = toml::from_str(text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        let error = FileError::new(path, e.message().to_owned());
        FileError { line, ..error }.hint("known: input.timezone, money.leg_decimals, money.leg_rounding, policy.chained_transfers, policy.max_call_seconds, policy.parent_wait_days")
    })?;
    let default = Policy::default();
    let zone = config.input.timezone.map(|name| {
        Zone::named(&name).ok_or_else(|| {
            FileError::new(path, format!("input.timezone: there is no time zone `{name}`"))
                .hint("expected an IANA name such as Europe/Berlin")
        })
    });
    let decimals = config.money.leg_decimals.unwrap_or(default.leg_rule.decimals);
    if decimals > AMOUNT_DECIMALS {
        return Err(FileError::new(path, format!("money.leg_decimals is {decimals}; expected at most {AMOUNT_DECIMALS}")));
    }
    Ok(Policy {
        chained_transfers: config.policy.chained_transfers,
        max_call_seconds: config.policy.max_call_seconds.unwrap_or(default.max_call_seconds),
        parent_wait_days: config.policy.parent_wait_days.unwrap_or(default.parent_wait_days),
        leg_rule: LegRule { decimals, rounding: config.money.leg_rounding },
        zone: zone.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_set_and_what_is_unknown_is_refused() {
        let path = Path::new("trunkrate.toml");
        let policy = parse(path, "[money]\nleg_decimals = 4\nleg_rounding = \"half-even\"\n[policy]\nchained_transfers = \"root\"\n[input]\ntimezone = \"Europe/Berlin\"").unwrap();
        assert_eq!(policy.leg_rule, LegRule { decimals: 4, rounding: LegRounding::HalfEven });
        assert_eq!(policy.chained_transfers, ChainedTransfers::Root);
        assert_eq!(policy.max_call_seconds, 86_400);
        assert!(policy.zone.is_some());
        for bad in [
            "[money]\nleg_decimal = 4",
            "[money]\nleg_decimals = 9",
            "[money]\nleg_rounding = \"down\"",
            "[input]\ntimezone = \"Mars\"",
            "x",
        ] {
            assert!(parse(path, bad).is_err(), "{bad}");
        }
        assert_eq!(parse(path, "\n[money]\nleg_decimal = 4").unwrap_err().line, Some(3));
    }
}
