//! Resembling names: finds the column that a file may have meant by another name.
//!
//! A misnamed column is never read, and the bill is wrong without a warning. So a file that lacks a
//! column, or has an extra one, is refused with both names beside each other.
//!
//! Names are compared by their words: `Parent Call`, `parent_sid` and `ParentCall` share `parent`
//! with `parent_call_sid`. Words in brackets are units (`Start Time (UTC)`). A misspelling counts
//! as the word (`acount_sid`), and lists of synonyms cover names that share no word (`tariff` for
//! `deck`).
//!
//! **Invariant:** a resemblance only chooses words of a message; no value is ever taken from a
//! column that merely resembles.

/// Other names of a call's fields, as other programs write them; without case, blanks and signs.
pub const CALL_SYNONYMS: &[(&str, &str)] = &[
    ("a", "from"),
    ("aleg", "from"),
    ("ani", "from"),
    ("anumber", "from"),
    ("caller", "from"),
    ("callerid", "from"),
    ("callernumber", "from"),
    ("callfrom", "from"),
    ("calling", "from"),
    ("callingnumber", "from"),
    ("callingparty", "from"),
    ("origin", "from"),
    ("originator", "from"),
    ("source", "from"),
    ("src", "from"),
    ("b", "to"),
    ("bleg", "to"),
    ("bnumber", "to"),
    ("called", "to"),
    ("callednumber", "to"),
    ("calledparty", "to"),
    ("callee", "to"),
    ("callto", "to"),
    ("destination", "to"),
    ("dialed", "to"),
    ("dialednumber", "to"),
    ("dst", "to"),
    ("recipient", "to"),
    ("calldate", "start_time"),
    ("calltime", "start_time"),
    ("date", "start_time"),
    ("datetime", "start_time"),
    ("setuptime", "start_time"),
    ("time", "start_time"),
    ("timestamp", "start_time"),
    ("disconnecttime", "end_time"),
    ("hanguptime", "end_time"),
    ("connecttime", "answer_time"),
    ("billsec", "duration"),
    ("calllength", "duration"),
    ("length", "duration"),
    ("minutes", "duration"),
    ("seconds", "duration"),
    ("talktime", "duration"),
    ("disposition", "status"),
    ("outcome", "status"),
    ("result", "status"),
    ("state", "status"),
    ("callstate", "status"),
    ("calltype", "direction"),
    ("kind", "direction"),
    ("type", "direction"),
    ("callid", "sid"),
    ("callidentifier", "sid"),
    ("calluuid", "sid"),
    ("id", "sid"),
    ("identifier", "sid"),
    ("uniqueid", "sid"),
    ("uuid", "sid"),
    ("legof", "parent_call_sid"),
    ("originalcall", "parent_call_sid"),
    ("originalcallsid", "parent_call_sid"),
    ("transferredfrom", "parent_call_sid"),
    ("customer", "account_sid"),
    ("customerid", "account_sid"),
    ("customersid", "account_sid"),
    ("subaccount", "account_sid"),
    ("tenant", "account_sid"),
    ("referto", "refer_to"),
    ("transfertarget", "refer_to"),
    ("transferto", "refer_to"),
    ("forwardedto", "refer_to"),
    ("forwardto", "refer_to"),
    ("referredto", "refer_to"),
    ("refertarget", "refer_to"),
    ("referurl", "refer_to"),
    ("referuri", "refer_to"),
    ("siprefer", "refer_to"),
    ("target", "refer_to"),
    ("transferdestination", "refer_to"),
    ("transfernumber", "refer_to"),
    ("transferredto", "refer_to"),
    ("xferto", "refer_to"),
    ("transfer", "refer_to"),
    ("redirect", "refer_to"),
    ("referredtonumber", "refer_to"),
    ("transferrednumber", "refer_to"),
    ("connected", "answer_time"),
    ("pickuptime", "answer_time"),
    ("finished", "end_time"),
    ("hangup", "end_time"),
    ("parentcall", "parent_call_sid"),
    ("parent", "parent_call_sid"),
];

/// Other names of the columns of a list of accounts.
pub const ACCOUNT_SYNONYMS: &[(&str, &str)] = &[
    ("customerid", "account_sid"),
    ("customernumber", "account_sid"),
    ("customersid", "account_sid"),
    ("id", "account_sid"),
    ("sid", "account_sid"),
    ("subaccount", "account_sid"),
    ("tenant", "account_sid"),
    ("accountname", "name"),
    ("buyer", "name"),
    ("buyername", "name"),
    ("companyname", "name"),
    ("company", "name"),
    ("customer", "name"),
    ("customername", "name"),
    ("displayname", "name"),
    ("fullname", "name"),
    ("legalname", "name"),
    ("organisation", "name"),
    ("organization", "name"),
    ("billingplan", "deck"),
    ("plan", "deck"),
    ("pricingplan", "deck"),
    ("rateclass", "deck"),
    ("ratedeck", "deck"),
    ("rategroup", "deck"),
    ("tariffgroup", "deck"),
    ("pricebook", "deck"),
    ("pricelist", "deck"),
    ("priceplan", "deck"),
    ("pricing", "deck"),
    ("rate", "deck"),
    ("ratecard", "deck"),
    ("rateplan", "deck"),
    ("rates", "deck"),
    ("ratesheet", "deck"),
    ("tariff", "deck"),
    ("tariffname", "deck"),
    ("tariffplan", "deck"),
    ("tarif", "deck"),
    ("street", "address"),
    ("streetaddress", "address"),
    ("town", "city"),
    ("plz", "postcode"),
    ("postal", "postcode"),
    ("postalcode", "postcode"),
    ("zip", "postcode"),
    ("zipcode", "postcode"),
    ("land", "country"),
    ("nation", "country"),
    ("gst", "tax_id"),
    ("gstin", "tax_id"),
    ("tin", "tax_id"),
    ("uid", "tax_id"),
    ("ustid", "tax_id"),
    ("ustidnr", "tax_id"),
    ("vat", "tax_id"),
    ("mail", "email"),
    ("emailaddress", "email"),
    ("costcenter", "reference"),
    ("costcentre", "reference"),
    ("po", "order"),
    ("ponumber", "order"),
    ("purchaseorder", "order"),
];

/// Other names of the columns of a list of monthly items.
pub const ITEM_SYNONYMS: &[(&str, &str)] = &[
    ("customerid", "account_sid"),
    ("customersid", "account_sid"),
    ("id", "account_sid"),
    ("sid", "account_sid"),
    ("item", "description"),
    ("product", "description"),
    ("text", "description"),
    ("amount", "unit_price"),
    ("price", "unit_price"),
    ("count", "quantity"),
    ("qty", "quantity"),
    ("units", "quantity"),
    ("vat", "tax_rate"),
    ("begin", "from"),
    ("start", "from"),
    ("since", "from"),
    ("end", "to"),
    ("till", "to"),
    ("until", "to"),
];

/// Words that are synonyms in any name.
const SAME_WORDS: &[(&str, &str)] = &[
    ("acc", "account"),
    ("acct", "account"),
    ("answered", "answer"),
    ("began", "start"),
    ("begin", "start"),
    ("date", "time"),
    ("datetime", "time"),
    ("dur", "duration"),
    ("ended", "end"),
    ("gst", "tax"),
    ("id", "sid"),
    ("identifier", "sid"),
    ("no", "number"),
    ("nr", "number"),
    ("num", "number"),
    ("started", "start"),
    ("stop", "end"),
    ("timestamp", "time"),
    ("vat", "tax"),
];

/// Words, units among them, that too many names share: on their own they make no names resemble.
const WEAK_WORDS: &[&str] = &[
    "at", "by", "call", "code", "in", "min", "minutes", "ms", "name", "number", "of", "on", "s",
    "sec", "secs", "seconds", "sid", "text", "the", "time", "utc", "value",
];

const WEAK: usize = 1;
const STRONG: usize = 3;

/// The known name that a found one resembles most; of two equal ones the earlier. `synonyms` are
/// pairs of a found name, without case, blanks and signs, and the known name that it means.
///
/// ```
/// use trunkrate_kernel::resemble::{ACCOUNT_SYNONYMS, resembling};
///
/// let known = ["account_sid", "name", "deck"];
/// assert_eq!(resembling("Tariff", known, ACCOUNT_SYNONYMS), Some("deck"));
/// assert_eq!(resembling("acct_sid", known, ACCOUNT_SYNONYMS), Some("account_sid"));
/// assert_eq!(resembling("phone", known, ACCOUNT_SYNONYMS), None);
/// ```
#[must_use]
pub fn resembling<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    synonyms: &[(&str, &str)],
) -> Option<&'a str> {
    let known = known.into_iter();
    if let Some(same) = meaning(found, known.clone(), synonyms) {
        return Some(same);
    }
    let found = words(found);
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let likeness = likeness(&found, &words(name));
        if likeness > best.map_or(0, |(most, _)| most) {
            best = Some((likeness, name));
        }
    }
    best.map(|(_, name)| name)
}

/// The known name that a found one can only mean: the same words, a synonym, or a misspelling.
/// Narrower than [`resembling`], for a file that has the known name too.
#[must_use]
pub fn meaning<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
    synonyms: &[(&str, &str)],
) -> Option<&'a str> {
    let known = known.into_iter();
    let (plain, same) = (plain(found), words(found).concat());
    let stands_for =
        |name: &str| synonyms.iter().any(|(synonym, of)| *synonym == plain && *of == name);
    known
        .clone()
        .find(|name| words(name).concat() == same)
        .or_else(|| known.clone().find(|name| stands_for(name)))
        .or_else(|| known.clone().find(|name| is_slip(&plain, &self::plain(name))))
}

/// A name without case, blanks, signs and text in brackets.
fn plain(name: &str) -> String {
    raw_words(name).concat()
}

fn words(name: &str) -> Vec<String> {
    let stands_for = |word: String| {
        SAME_WORDS.iter().find(|(other, _)| *other == word).map_or(word, |(_, of)| (*of).to_owned())
    };
    raw_words(name).into_iter().map(stands_for).collect()
}

/// The words of a name in lower case: `StartTime (UTC)` has two, `start` and `time`. Digits are
/// words of their own.
fn raw_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut depth, mut before) = (0_usize, ' ');
    for c in name.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if c.is_alphanumeric() => {
                let goes_on = before.is_alphanumeric()
                    && before.is_numeric() == c.is_numeric()
                    && !(before.is_lowercase() && c.is_uppercase());
                match words.last_mut() {
                    Some(word) if goes_on => word.extend(c.to_lowercase()),
                    _ => words.push(c.to_lowercase().collect()),
                }
            }
            _ => {}
        }
        before = c;
    }
    words
}

/// The share of two names' words that are the same, in thousandths; 0 for no more than half, or if
/// all shared words are weak.
fn likeness(found: &[String], known: &[String]) -> usize {
    let weight = |word: &str| {
        let is_weak = WEAK_WORDS.contains(&word) || word.chars().all(char::is_numeric);
        if is_weak { WEAK } else { STRONG }
    };
    let all = |words: &[String]| words.iter().map(|word| weight(word)).sum::<usize>();
    let shared: Vec<usize> = known
        .iter()
        .filter(|word| found.iter().any(|other| other == *word || is_slip(other, word)))
        .map(|word| weight(word))
        .collect();
    let thousandths = shared.iter().sum::<usize>() * 2_000 / (all(found) + all(known)).max(1);
    if thousandths <= 500 || !shared.contains(&STRONG) { 0 } else { thousandths }
}

/// The number of letters that are wrong, left out, added or swapped between two texts.
#[must_use]
pub fn letters_apart(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(|text| text.chars().collect::<Vec<char>>());
    distance(&one, &other)
}

/// True if a word is another with a letter or, in a long one, two letters wrong, left out, added or
/// swapped. In a word of three letters any other letter makes another word.
fn is_slip(found: &str, known: &str) -> bool {
    let [found, known] = [found, known].map(|word| word.chars().collect::<Vec<char>>());
    let most = match known.len() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    found.len().abs_diff(known.len()) <= most && distance(&found, &known) <= most
}

/// The number of letters that must be changed, added, left out or swapped with the next one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for at in 1..=a.len() {
        let mut row = vec![at];
        for to in 1..=b.len() {
            let changed = rows[at - 1][to - 1] + usize::from(a[at - 1] != b[to - 1]);
            let mut least = changed.min(rows[at - 1][to] + 1).min(row[to - 1] + 1);
            if at > 1 && to > 1 && a[at - 1] == b[to - 2] && a[at - 2] == b[to - 1] {
                least = least.min(rows[at - 2][to - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: [&str; 12] = [
        "sid",
        "parent_call_sid",
        "account_sid",
        "direction",
        "from",
        "to",
        "start_time",
        "end_time",
        "duration",
        "status",
        "refer_to",
        "answer_time",
    ];
    const ACCOUNT: [&str; 14] = [
        "account_sid",
        "name",
        "deck",
        "address",
        "city",
        "postcode",
        "country",
        "tax_id",
        "tax_category",
        "tax_rate",
        "tax_reason",
        "email",
        "reference",
        "order",
    ];
    const ITEM: [&str; 9] = [
        "account_sid",
        "description",
        "quantity",
        "unit_price",
        "currency",
        "tax_category",
        "tax_rate",
        "from",
        "to",
    ];

    fn all(known: &[&'static str], synonyms: &[(&str, &str)], cases: &[(&str, &str)]) {
        for (found, expected) in cases {
            let resembles = resembling(found, known.iter().copied(), synonyms).unwrap_or("");
            assert_eq!(resembles, *expected, "{found}");
        }
    }

    #[test]
    fn names_of_call_columns() {
        let cases = [
            ("Parent Call", "parent_call_sid"),
            ("ParentCall", "parent_call_sid"),
            ("parent_sid", "parent_call_sid"),
            ("parent", "parent_call_sid"),
            ("Parent ID", "parent_call_sid"),
            ("parent_call_id", "parent_call_sid"),
            ("Parnet Call", "parent_call_sid"),
            ("Start Time (UTC)", "start_time"),
            ("startTime", "start_time"),
            ("Start", "start_time"),
            ("Start Date", "start_time"),
            ("Started At", "start_time"),
            ("STARTTIME", "start_time"),
            ("strat_time", "start_time"),
            ("End", "end_time"),
            ("Duration (seconds)", "duration"),
            ("Duration [s]", "duration"),
            ("duration_seconds", "duration"),
            ("Call Duration", "duration"),
            ("Account", "account_sid"),
            ("AccountId", "account_sid"),
            ("acct_sid", "account_sid"),
            ("Call Status", "status"),
            ("State", "status"),
            ("Caller", "from"),
            ("From Number", "from"),
            ("form", "from"),
            ("Called", "to"),
            ("To Number", "to"),
            ("Type", "direction"),
            ("Call Type", "direction"),
            ("Call Direction", "direction"),
            ("Call ID", "sid"),
            ("Refer-To", "refer_to"),
            ("Answered At", "answer_time"),
        ];
        all(&CALL, CALL_SYNONYMS, &cases);
    }

    #[test]
    fn names_of_account_and_item_columns() {
        let accounts = [
            ("tariff", "deck"),
            ("Tariff Name", "deck"),
            ("deck_name", "deck"),
            ("dekc", "deck"),
            ("Rate Plan", "deck"),
            ("Account", "account_sid"),
            ("acct_sid", "account_sid"),
            ("acount_sid", "account_sid"),
            ("account_name", "name"),
            ("Company", "name"),
            ("vat_id", "tax_id"),
            ("VAT No.", "tax_id"),
            ("vat_rate", "tax_rate"),
            ("tax_catagory", "tax_category"),
            ("Zip Code", "postcode"),
            ("postal code", "postcode"),
            ("Address 1", "address"),
            ("e-mail", "email"),
        ];
        all(&ACCOUNT, ACCOUNT_SYNONYMS, &accounts);
        let items = [
            ("Unit Price (EUR)", "unit_price"),
            ("price", "unit_price"),
            ("qty", "quantity"),
            ("valid_from", "from"),
        ];
        all(&ITEM, ITEM_SYNONYMS, &items);
    }

    #[test]
    fn other_names_resemble_nothing() {
        let calls = [
            "date_created",
            "date_updated",
            "uri",
            "api_version",
            "forwarded_by",
            "group_sid",
            "queue_time",
            "notes",
            "",
            "-",
        ];
        all(&CALL, CALL_SYNONYMS, &calls.map(|name| (name, "")));
        let accounts = [
            "phone",
            "notes",
            "state",
            "manager",
            "website",
            "created",
            "language",
            "number",
            "segment",
            "rate_limit",
        ];
        all(&ACCOUNT, ACCOUNT_SYNONYMS, &accounts.map(|name| (name, "")));
    }

    #[test]
    fn a_name_that_shares_a_word_need_not_mean_it() {
        assert_eq!(resembling("deck_since", ["deck"], ACCOUNT_SYNONYMS), Some("deck"));
        assert_eq!(meaning("deck_since", ["deck"], ACCOUNT_SYNONYMS), None);
        assert_eq!(meaning("tariff", ["deck"], ACCOUNT_SYNONYMS), Some("deck"));
    }

    #[test]
    fn letters_that_differ_are_counted() {
        let count = |a: &str, b: &str| {
            distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        for (a, b, expected) in [
            ("", "abc", 3),
            ("deck", "deck", 0),
            ("dekc", "deck", 1),
            ("acount", "account", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((count(a, b), count(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
