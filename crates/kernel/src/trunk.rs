//! Trunks: the termination domain, the transfers allowed, and the caller ID shown to the target.
//!
//! **Invariant:** a host belongs to a trunk by comparing whole labels, never by a suffix of
//! characters.

use std::collections::BTreeMap;

/// The transfers that a trunk allows (`transfer_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferMode {
    /// No transfers.
    DisableAll,
    /// Transfers to SIP only.
    SipOnly,
    /// All transfers.
    EnableAll,
}

impl TransferMode {
    /// The carrier's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DisableAll => "disable-all",
            Self::SipOnly => "sip-only",
            Self::EnableAll => "enable-all",
        }
    }
}

/// The party whose number the transfer target is shown (`transfer_caller_id`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TransferCallerId {
    /// The party that is transferred. The carrier's default.
    #[default]
    FromTransferee,
    /// The party that transfers.
    FromTransferor,
}

impl TransferCallerId {
    /// The carrier's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FromTransferee => "from-transferee",
            Self::FromTransferor => "from-transferor",
        }
    }
}

/// One trunk of the carrier's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its id.
    pub sid: String,
    /// Its termination domain in lower case, if it has one.
    pub domain: Option<String>,
    /// The transfers that it allows.
    pub mode: TransferMode,
    /// The party whose caller ID it shows.
    pub caller_id: TransferCallerId,
}

/// The trunks of a file, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trunks(BTreeMap<String, Trunk>);

impl Trunks {
    /// Collects trunks, each id once.
    ///
    /// # Errors
    /// The id that occurs twice.
    pub fn new(trunks: impl IntoIterator<Item = Trunk>) -> Result<Self, String> {
        let mut map = BTreeMap::new();
        for trunk in trunks {
            if let Some(twice) = map.insert(trunk.sid.clone(), trunk) {
                return Err(twice.sid);
            }
        }
        Ok(Self(map))
    }

    /// The trunk with this id.
    #[must_use]
    pub fn get(&self, sid: &str) -> Option<&Trunk> {
        self.0.get(sid)
    }

    /// All trunks, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Trunk> {
        self.0.values()
    }

    /// The number of trunks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no trunks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The hosts that are the trunk's own way to the telephone network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminationDomain<'a> {
    /// No trunk list was given: `*.pstn.twilio.com` and `*.pstn.<edge>.twilio.com`.
    AnyOfCarrier,
    /// This domain and its edge forms; where it is one itself, the trunk's other forms.
    Trunk(&'a str),
    /// The trunk has no termination domain.
    None,
}

impl TerminationDomain<'_> {
    /// True if a host (lower case, no trailing dot) is one of them.
    #[must_use]
    pub fn contains(self, host: &str) -> bool {
        match self {
            Self::None => false,
            Self::AnyOfCarrier => carrier_name(host).is_some(),
            Self::Trunk(domain) => {
                host == domain
                    || carrier_name(domain).is_some_and(|name| carrier_name(host) == Some(name))
            }
        }
    }
}

const CARRIER_SUFFIX: &str = ".pstn.twilio.com";

/// The trunk's name in a carrier host: `x` of `x.pstn.twilio.com` and of
/// `x.pstn.<edge>.twilio.com`.
fn carrier_name(host: &str) -> Option<&str> {
    let name = host.strip_suffix(CARRIER_SUFFIX).or_else(|| {
        let (name, edge) = host.strip_suffix(".twilio.com")?.rsplit_once('.')?;
        if edge.is_empty() { None } else { name.strip_suffix(".pstn") }
    })?;
    (!name.is_empty()).then_some(name)
}
