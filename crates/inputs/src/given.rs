//! The inputs of rating: decks, trunks, accounts, and the operator's choices.

use super::accounts::{self, Accounts};
use super::decks::{self, Decks};
use crate::file::FileError;
use crate::trunks;
use std::path::Path;
use trunkrate_kernel::call::NONE;
use trunkrate_kernel::night::Tariff;
use trunkrate_kernel::policy::{Policy, UnlistedAccounts};
use trunkrate_kernel::trunk::Trunks;

/// The inputs of rating, as loaded.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The decks.
    pub decks: Decks,
    /// The trunk list, if one was given, with its text.
    pub trunks: Option<(Trunks, String)>,
    /// The accounts, if they were given, with their text.
    pub accounts: Option<(Accounts, String)>,
    /// The operator's choices.
    pub policy: Policy,
}

/// Facts about the accounts of some calls, by the ids of the accounts' texts.
#[derive(Debug, Clone, Default)]
pub struct AccountFacts {
    /// The deck of each, or [`NONE`].
    pub decks: Vec<u32>,
    /// True for each account that the accounts file lacks; empty if none was given.
    pub unlisted: Vec<bool>,
}

impl Inputs {
    /// Loads decks, trunks and accounts.
    ///
    /// # Errors
    /// The first faulty file; also an account that names a missing deck, and a policy that needs a
    /// list of accounts if none is given.
    pub fn load(
        rates: &Path,
        trunks: Option<&Path>,
        accounts: Option<&Path>,
        policy: Policy,
    ) -> Result<Self, FileError> {
        if policy.unlisted_accounts == UnlistedAccounts::Suspend && accounts.is_none() {
            let problem = "is `suspend`, and no accounts file is given: no account would be \
                           unlisted, and every call be billed";
            return Err(FileError::new(Path::new("policy.unlisted_accounts"), problem).hint(
                "name the file with --accounts, or as `accounts` under [paths] in \
                       trunkrate.toml; or set `bill`",
            ));
        }
        Self::with_decks(decks::load(rates)?, rates, trunks, accounts, policy)
    }

    /// Loads trunks and accounts; `rates` is the folder of the decks, for messages.
    ///
    /// # Errors
    /// As [`Inputs::load`].
    pub fn with_decks(
        decks: Decks,
        rates: &Path,
        trunks: Option<&Path>,
        accounts: Option<&Path>,
        policy: Policy,
    ) -> Result<Self, FileError> {
        let trunks = trunks.map(trunks::load).transpose()?;
        let inputs =
            Self { decks, trunks, accounts: accounts.map(accounts::load).transpose()?, policy };
        inputs.check_decks_of_accounts(rates, accounts)?;
        Ok(inputs)
    }

    /// Loads trunks and accounts from texts that were read elsewhere.
    ///
    /// # Errors
    /// As [`Inputs::load`].
    pub fn of_texts(
        decks: Decks,
        trunks: Option<String>,
        accounts: Option<String>,
        policy: Policy,
    ) -> Result<Self, FileError> {
        let trunks = trunks
            .map(|text| Ok((trunks::parse(Path::new("trunks.json"), &text)?, text)))
            .transpose()?;
        let path = accounts.is_some().then_some(Path::new("accounts.csv"));
        let accounts = accounts
            .map(|text| Ok((accounts::parse(Path::new("accounts.csv"), &text)?, text)))
            .transpose()?;
        let inputs = Self { decks, trunks, accounts, policy };
        inputs.check_decks_of_accounts(Path::new("rates"), path)?;
        Ok(inputs)
    }

    /// A hash over everything that decides a charge, as hex.
    #[must_use]
    pub fn hash(&self) -> String {
        let trunks = self.trunks.as_ref().map_or("", |(_, text)| text);
        let accounts = self.accounts.as_ref().map_or("", |(_, text)| text);
        let mut hasher = blake3::Hasher::new();
        for text in [&self.decks.hash, trunks, accounts, &format!("{:?}", self.policy.words())] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    fn check_decks_of_accounts(&self, rates: &Path, path: Option<&Path>) -> Result<(), FileError> {
        let (Some((accounts, _)), Some(path)) = (&self.accounts, path) else { return Ok(()) };
        for (sid, account) in accounts {
            if !account.deck.is_empty() && self.decks.named(&account.deck).is_none() {
                let known = self.decks.folders.join(", ");
                return Err(FileError::new(
                    path,
                    format!(
                        "the account {sid} names the deck `{}`, which {} does not have",
                        account.deck,
                        rates.display()
                    ),
                )
                .at(account.line)
                .hint(format!("decks there: {known}")));
            }
        }
        Ok(())
    }

    /// The tariff for the accounts of some calls, borrowed.
    #[must_use]
    pub fn tariff<'a>(&'a self, accounts: &'a AccountFacts) -> Tariff<'a> {
        Tariff {
            decks: &self.decks.decks,
            deck_of_account: &accounts.decks,
            unlisted: &accounts.unlisted,
            trunks: self.trunks.as_ref().map(|(trunks, _)| trunks),
            policy: &self.policy,
        }
    }

    /// The deck of every account and if it is listed, by the ids of the accounts' texts.
    #[must_use]
    pub fn facts_of_accounts<'a>(&self, accounts: impl Iterator<Item = &'a str>) -> AccountFacts {
        let of = |sid: &str| {
            let named = self
                .accounts
                .as_ref()
                .and_then(|(list, _)| list.get(sid))
                .map(|account| account.deck.as_str());
            match named {
                Some(deck) if !deck.is_empty() => self.decks.named(deck),
                _ => self.decks.default_deck(),
            }
        };
        let listed = self.accounts.as_ref().map(|(list, _)| list);
        let mut facts = AccountFacts::default();
        for sid in accounts {
            facts.decks.push(of(sid).unwrap_or(NONE));
            facts.unlisted.extend(listed.map(|list| !list.contains_key(sid)));
        }
        facts
    }
}
