//! `classify`: the transfer target that a Refer-To value names.

use super::args::{ClassifyArgs, TextFormat};
use super::error::CliError;
use super::term;
use crate::party::Uri;
use crate::policy::Policy;
use crate::reject::Reason;
use crate::target::{Asked, Target};
use crate::text::visible;
use crate::trunk::TerminationDomain;
use serde_json::json;

/// Prints the kind of each value, and the reason for it.
pub fn run(args: &ClassifyArgs) -> Result<(), CliError> {
    let domain =
        args.domain.as_deref().map(|d| d.trim().trim_end_matches('.').to_ascii_lowercase());
    if let (Some(domain), Some(given)) = (&domain, &args.domain)
        && let Err(why) = Uri::parse(&format!("sip:{domain}"))
    {
        return Err(CliError::usage(format!("--domain {given}: {why}"))
            .hint("expected a host such as mytrunk.pstn.twilio.com"));
    }
    let domain =
        domain.as_deref().map_or(TerminationDomain::AnyOfCarrier, TerminationDomain::Trunk);
    let found: Vec<[String; 4]> = args.values.iter().map(|value| found(value, domain)).collect();
    let text = match args.format {
        TextFormat::Json => {
            let list: Vec<_> = found
                .iter()
                .map(|[value, kind, target, why]| {
                    json!({"refer_to": value, "kind": kind, "target": target, "why": why})
                })
                .collect();
            format!("{}\n", serde_json::to_string_pretty(&list)?)
        }
        TextFormat::Text => {
            let width = found.iter().map(|row| row[1].len()).max().unwrap_or_default();
            let target_width =
                found.iter().map(|row| row[2].chars().count()).max().unwrap_or_default();
            let line = |[value, kind, target, why]: &[String; 4]| {
                let target = visible(target);
                format!(
                    "{kind:<width$}  {target:<target_width$}  {}: {}\n",
                    visible(value),
                    visible(why)
                )
            };
            found.iter().map(line).collect()
        }
    };
    term::print(&text)?;
    Ok(())
}

fn found(value: &str, domain: TerminationDomain<'_>) -> [String; 4] {
    let asked = Asked::parse(value);
    let how = match &asked {
        Asked::Number(number) if Policy::default().withheld_numbers.has(*number) => {
            "a number, bare or as a tel: URI; \
             as a caller the carrier writes it for one that is withheld"
                .to_owned()
        }
        Asked::Number(_) | Asked::Emergency(_) => "a number, bare or as a tel: URI".to_owned(),
        Asked::Sip { .. } => match domain {
            TerminationDomain::Trunk(domain) => format!("{domain}, the trunk's termination domain"),
            TerminationDomain::AnyOfCarrier | TerminationDomain::None => {
                "a termination domain of the carrier".to_owned()
            }
        },
        Asked::Invalid(_) => String::new(),
    };
    let (kind, target, why) = match asked.decide(domain) {
        Target::Pstn(number) if matches!(asked, Asked::Number(_)) => {
            ("pstn", number.to_string(), how)
        }
        Target::Pstn(number) => {
            ("pstn", number.to_string(), format!("its host is {how}, its user a number"))
        }
        Target::Sip(endpoint) => ("sip", endpoint.into_owned(), format!("its host is not {how}")),
        Target::Emergency(emergency) => (
            Reason::EmergencyTarget.as_str(),
            emergency.as_str().to_owned(),
            "an emergency number; transfers to it are not supported".to_owned(),
        ),
        Target::Ambiguous => unreachable!("a Refer-To value always says what it asks for"),
        Target::Invalid(why) => (Reason::InvalidTarget.as_str(), String::new(), why),
    };
    [value.to_owned(), kind.to_owned(), target, why]
}
