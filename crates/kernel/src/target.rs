//! Transfer targets: parses the Refer-To value of a child.
//!
//! A value is read in two steps, because the trunk is known later than the record: [`Asked::parse`]
//! finds everything that the text alone decides, [`Asked::decide`] then settles it with the
//! termination domain of the parent's trunk.
//!
//! **Invariant:** strict because money depends on it. A host is the trunk's only if it is that
//! domain, label by label; a number at any other host is a SIP target; an unclear value is refused,
//! never guessed.

use crate::party::{Emergency, Number, PlainSip, Uri, UriError, endpoint_host};
use crate::table::TargetKind;
use crate::trunk::TerminationDomain;
use std::borrow::Cow;

/// A target text as parsed before the trunk is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A number, bare or as a `tel:` URI.
    Number(Number),
    /// 911 or 933 in a `tel:` URI.
    Emergency(Emergency),
    /// A SIP URI; its host decides its kind.
    Sip {
        /// The endpoint as the log would show it.
        endpoint: String,
        /// The user part, as far as it matters at the trunk's own domain.
        user: UserPart,
    },
    /// Not a target that can be called.
    Invalid(UriError),
}

/// The user part of a SIP target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserPart {
    /// A global number.
    Number(Number),
    /// 911 or 933.
    Emergency(Emergency),
    /// A name, an extension, a local number, or nothing.
    Other,
}

impl UserPart {
    /// The user part of a plain endpoint.
    #[must_use]
    pub fn of_plain(plain: PlainSip<'_>) -> Self {
        Self::of(plain.user_emergency(), plain.user_number())
    }

    fn of(emergency: Option<Emergency>, number: Option<Number>) -> Self {
        match (emergency, number) {
            (Some(emergency), _) => Self::Emergency(emergency),
            (None, Some(number)) => Self::Number(number),
            (None, None) => Self::Other,
        }
    }
}

/// A settled target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// A number of the telephone network.
    Pstn(Number),
    /// A SIP endpoint.
    Sip(Cow<'a, str>),
    /// An emergency number, to which transfers are not supported.
    Emergency(Emergency),
    /// A number at one of the carrier's own hosts, in a child's `to`: it says neither PSTN nor SIP.
    Ambiguous,
    /// A target that cannot be billed, with the reason.
    Invalid(String),
}

impl Target<'_> {
    /// The column of the table, if the target has one.
    #[must_use]
    pub fn kind(&self) -> Option<TargetKind> {
        match self {
            Self::Pstn(_) => Some(TargetKind::Pstn),
            Self::Sip(_) => Some(TargetKind::Sip),
            Self::Emergency(_) | Self::Ambiguous | Self::Invalid(_) => None,
        }
    }
}

impl Asked {
    /// Parses a Refer-To value, or a child's `to`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(number) = Number::parse(text) {
            return Self::Number(number);
        }
        if let Some(plain) = PlainSip::parse(text) {
            return Self::Sip {
                endpoint: plain.endpoint.to_owned(),
                user: UserPart::of_plain(plain),
            };
        }
        match Uri::parse(text) {
            Ok(Uri::Tel(tel)) => match (tel.emergency, tel.number) {
                (Some(emergency), _) => Self::Emergency(emergency),
                (None, Some(number)) => Self::Number(number),
                (None, None) => Self::Invalid(UriError(
                    "the tel: URI has no global number (+ and 7 to 15 digits)".to_owned(),
                )),
            },
            Ok(Uri::Sip(sip)) => Self::Sip {
                endpoint: sip.endpoint(),
                user: UserPart::of(sip.user_emergency(), sip.user_number()),
            },
            Err(error) => Self::Invalid(error),
        }
    }

    /// Settles the target for a trunk with this termination domain.
    #[must_use]
    pub fn decide(&self, domain: TerminationDomain<'_>) -> Target<'_> {
        match self {
            Self::Number(number) => Target::Pstn(*number),
            Self::Emergency(emergency) => Target::Emergency(*emergency),
            Self::Invalid(error) => Target::Invalid(error.to_string()),
            Self::Sip { endpoint, user } => at_host(endpoint, *user, domain),
        }
    }
}

/// Settles a SIP target by its host.
#[must_use]
pub fn at_host<'a>(endpoint: &'a str, user: UserPart, domain: TerminationDomain<'_>) -> Target<'a> {
    if !domain.contains(endpoint_host(endpoint)) {
        return Target::Sip(Cow::Borrowed(endpoint));
    }
    at_own_host(user)
}

/// Settles a SIP target at the trunk's own domain, by its user part.
#[must_use]
pub fn at_own_host(user: UserPart) -> Target<'static> {
    match user {
        UserPart::Number(number) => Target::Pstn(number),
        UserPart::Emergency(emergency) => Target::Emergency(emergency),
        UserPart::Other => Target::Invalid(
            "its host is the trunk's own domain, but its user part is no number (+ and 7 to 15 \
             digits)"
                .to_owned(),
        ),
    }
}

/// True if an endpoint is at one of the carrier's own hosts, given as patterns in which `*` stands
/// for one label.
#[must_use]
pub fn is_internal(endpoint: &str, hosts: &[String]) -> bool {
    let host = endpoint_host(endpoint);
    hosts.iter().any(|pattern| matches_host(host, pattern))
}

fn matches_host(host: &str, pattern: &str) -> bool {
    let (mut labels, mut patterns) = (host.split('.'), pattern.split('.'));
    loop {
        match (labels.next(), patterns.next()) {
            (None, None) => return true,
            (Some(label), Some(pattern))
                if pattern == label || pattern == "*" && !label.is_empty() => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_the_carrier() {
        let hosts = crate::policy::INTERNAL_HOSTS.map(str::to_owned);
        for host in
            ["public-vip.ie1.twilio.com", "public-vip.us1.twilio.com", "public-vip.twilio.com"]
        {
            assert!(is_internal(&format!("sip:+14155550100@{host}"), &hosts), "{host}");
        }
        for host in [
            "public-vip.a.b.twilio.com",
            "vip.ie1.twilio.com",
            "public-vip.ie1.twilio.com.evil.example",
            "twilio.com",
        ] {
            assert!(!is_internal(&format!("sip:+14155550100@{host}"), &hosts), "{host}");
        }
    }

    fn classify(text: &str, domain: TerminationDomain<'_>) -> String {
        match Asked::parse(text).decide(domain) {
            Target::Pstn(number) => format!("pstn {number}"),
            Target::Sip(endpoint) => format!("sip {endpoint}"),
            Target::Emergency(emergency) => format!("emergency {}", emergency.as_str()),
            Target::Ambiguous => "ambiguous".to_owned(),
            Target::Invalid(_) => "invalid".to_owned(),
        }
    }

    #[test]
    fn targets_at_a_known_trunk() {
        let table = [
            ("+14155550100", "pstn +14155550100"),
            ("tel:+14155550100", "pstn +14155550100"),
            ("<tel:+1-415-555-0100;ext=1>", "pstn +14155550100"),
            ("sip:+14155550100@mytrunk.pstn.twilio.com", "pstn +14155550100"),
            (
                "<sip:+14155550100@MyTrunk.PSTN.twilio.com.:5060;transport=tls?Replaces=x>",
                "pstn +14155550100",
            ),
            ("sip:+14155550100@mytrunk.pstn.ashburn.twilio.com", "pstn +14155550100"),
            ("sips:%2B14155550100;npdi@mytrunk.pstn.twilio.com", "pstn +14155550100"),
            (
                "sip:+14155550100@other.pstn.twilio.com",
                "sip sip:+14155550100@other.pstn.twilio.com",
            ),
            ("sip:+14155550100@pbx.example.com", "sip sip:+14155550100@pbx.example.com"),
            (
                "sip:+14155550100@mytrunk.pstn.twilio.com.evil.example",
                "sip sip:+14155550100@mytrunk.pstn.twilio.com.evil.example",
            ),
            (
                "sip:+14155550100@mytrunk.pstn.a.b.twilio.com",
                "sip sip:+14155550100@mytrunk.pstn.a.b.twilio.com",
            ),
            ("sip:mytrunk.pstn.twilio.com", "invalid"),
            ("sip:bob@mytrunk.pstn.twilio.com", "invalid"),
            ("sip:14155550100@mytrunk.pstn.twilio.com", "invalid"),
            ("sip:911@mytrunk.pstn.twilio.com", "emergency 911"),
            ("sip:9%311@mytrunk.pstn.twilio.com", "emergency 911"),
            ("sip:+9-3-3@mytrunk.pstn.twilio.com", "emergency 933"),
            ("sip:911@pbx.example.com", "sip sip:911@pbx.example.com"),
            ("tel:9-1-1", "emergency 911"),
            ("tel:+911", "emergency 911"),
            ("tel:+911123456789", "pstn +911123456789"),
            ("911", "invalid"),
            ("tel:5550100;phone-context=+1415", "invalid"),
            ("sip:+1415555@1@mytrunk.pstn.twilio.com", "invalid"),
            ("sip:@mytrunk.pstn.twilio.com", "invalid"),
            ("sip:+14155550100@my%74runk.pstn.twilio.com", "invalid"),
            ("sip:+14155550100@h.example:99999", "invalid"),
            ("sip:a@h.example;x=1;X=2", "sip sip:a@h.example"),
            ("<sip:a@h.example;x=1;X=2>", "invalid"),
            ("<sip:a@h.example;method=BYE>", "invalid"),
            ("<sip:a@h.example>, <sip:b@h.example>", "invalid"),
            ("sip:a@-h.example", "invalid"),
            ("sip:a@2001:db8::1", "invalid"),
            ("urn:service:sos", "invalid"),
            ("mailto:a@b.example", "invalid"),
            ("", "invalid"),
        ];
        for (text, expected) in table {
            assert_eq!(
                classify(text, TerminationDomain::Trunk("mytrunk.pstn.twilio.com")),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn targets_without_a_trunk_list() {
        let any = TerminationDomain::AnyOfCarrier;
        assert_eq!(classify("sip:+14155550100@other.pstn.twilio.com", any), "pstn +14155550100");
        assert_eq!(
            classify("sip:+14155550100@other.pstn.dublin.twilio.com", any),
            "pstn +14155550100"
        );
        assert_eq!(
            classify("sip:+14155550100@pstn.twilio.com", any),
            "sip sip:+14155550100@pstn.twilio.com"
        );
        assert_eq!(
            classify("sip:+14155550100@x.notpstn.twilio.com", any),
            "sip sip:+14155550100@x.notpstn.twilio.com"
        );
    }
}
