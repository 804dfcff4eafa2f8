//! Calls from JSON: one object per line (the carrier's bulk export), a page `{"calls": […]}`, an
//! array, or one object.
//!
//! **Invariant:** a number is taken as written, never through a float: fields are cut out as raw
//! JSON text.

use super::calls_csv::LONGEST_LINE;
use crate::file::FileError;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use trunkrate_kernel::call::Calls;
use trunkrate_kernel::columns;
use trunkrate_kernel::fit::must_fit;
use trunkrate_kernel::policy::Policy;
use trunkrate_kernel::record::{Field, FieldSet, Fields, Record};

/// The known fields of one JSON object.
#[derive(Debug, Default)]
pub struct JsonRecord<'a> {
    texts: [Cow<'a, str>; Field::ALL.len()],
    /// The keys, even with nothing behind them.
    keys: KeySet,
}

/// The set of a record's keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeySet {
    /// The fields.
    fields: FieldSet,
    /// A hash of all names that are no field's, in whatever order.
    others: u64,
}

impl KeySet {
    /// Adds a name that is no field's.
    fn add_other(&mut self, name: &str) {
        // FNV-1a; a sum does not depend on the order.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        self.others = self.others.wrapping_add(hash);
    }
}

impl JsonRecord<'_> {
    /// The fields, borrowed.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields(std::array::from_fn(|at| self.texts[at].as_ref()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonRecord<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fill;
        impl<'de> Visitor<'de> for Fill {
            type Value = JsonRecord<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a call as a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut record = JsonRecord::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let Some(field) = Field::named(&name) else {
                        record.keys.add_other(&name);
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let text = scalar(map.next_value::<&'de RawValue>()?.get())
                        .map_err(serde::de::Error::custom)?;
                    if record.keys.fields.has(field) {
                        return Err(serde::de::Error::custom(format!(
                            "`{}` stands twice",
                            field.as_str()
                        )));
                    }
                    record.keys.fields = record.keys.fields.with(field);
                    record.texts[field as usize] = text;
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(Fill)
    }
}

/// The content of a string, a number as written, nothing for `null`.
fn scalar(raw: &str) -> Result<Cow<'_, str>, String> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Ok(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => {
            serde_json::from_str::<String>(raw).map(Cow::Owned).map_err(|e| e.to_string())
        }
        Some(b'n') => Ok(Cow::Borrowed("")),
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(raw)),
        _ => Err("expected a string, a number or null".to_owned()),
    }
}

/// Reads a call object's text.
///
/// # Errors
/// The fault of the text.
pub fn parse_object(text: &str) -> Result<JsonRecord<'_>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Adds the call of a JSON text; returns its keys.
pub fn push_object(text: &[u8], place: u32, policy: &Policy, calls: &mut Calls) -> KeySet {
    match std::str::from_utf8(text).ok().map(parse_object) {
        Some(Ok(record)) if record.fields().are_usable() => {
            calls.push(&Record::read(&record.fields(), policy), place);
            record.keys
        }
        _ => {
            calls.push(&Record::malformed(text), place);
            KeySet::default()
        }
    }
}

/// The keys of the records of a JSON file, taken together: they tell if the records are calls.
#[derive(Debug, Default)]
pub struct Keys {
    /// The fields that any record has a key for.
    found: FieldSet,
    /// The first record with each set of keys, for messages about keys that are missing or
    /// misspelt.
    examples: BTreeMap<KeySet, String>,
    /// Misspelt keys of records that are no examples, since there are enough.
    unread: BTreeSet<(String, Field)>,
}

/// The most sets of keys that are told apart by an example: an export has a handful. Of any other
/// the record is read a second time.
const KEY_SETS: usize = 256;

impl Keys {
    /// Adds the keys of a record.
    pub fn add(&mut self, found: KeySet, record: &[u8]) {
        self.found = self.found.union(found.fields);
        if self.examples.contains_key(&found) {
            return;
        }
        self.add_example(found, String::from_utf8_lossy(record).into_owned());
    }

    /// Adds the keys of the next records.
    pub fn merge(&mut self, other: Self) {
        self.found = self.found.union(other.found);
        self.unread.extend(other.unread);
        for (found, record) in other.examples {
            if !self.examples.contains_key(&found) {
                self.add_example(found, record);
            }
        }
    }

    fn add_example(&mut self, found: KeySet, record: String) {
        if self.examples.len() < KEY_SETS {
            self.examples.insert(found, record);
        } else {
            self.unread.extend(unread_of(&record));
        }
    }

    /// Keys that are not read, and the field that each resembles, which its record lacks: a record
    /// may have a field under another name though its neighbours have it under its own.
    #[must_use]
    pub fn unread(mut self) -> BTreeSet<(String, Field)> {
        self.unread.extend(self.examples.values().flat_map(|example| unread_of(example)));
        self.unread
    }

    /// Checks that the records have the fields that a bill needs: each such field has its key in
    /// some record.
    ///
    /// # Errors
    /// The keys that no record has ([`columns::check`]), or that the records are envelopes around
    /// calls.
    #[allow(clippy::disallowed_methods, reason = "a record that is malformed has no keys")]
    pub fn check(&self, path: &Path, policy: &Policy) -> Result<(), FileError> {
        // A file without records lacks nothing.
        let Some(first) = self.examples.values().next() else { return Ok(()) };
        let others: BTreeSet<String> =
            self.examples.values().flat_map(|example| names_of(example).into_keys()).collect();
        let mut all: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
        for field in Field::ALL.into_iter().filter(|field| self.found.has(*field)) {
            all.push(field.as_str());
        }
        let missing = match columns::check(all.iter().copied(), policy.no_transfers) {
            Ok(()) => return Ok(()),
            Err(missing) => missing,
        };
        if !self.found.has(Field::Sid)
            && let Some((name, _)) =
                names_of(first).iter().find(|(_, value)| looks_like_a_call(value.get()))
        {
            let problem =
                format!("is not a call file: its records are envelopes, with the call in `{name}`");
            return Err(FileError::new(path, problem)
                .hint(format!("take the calls out, one a line: jq -c .{name} FILE")));
        }
        let problem = if self.found.has(Field::Sid) {
            format!("cannot be billed: no record has the key: {missing}")
        } else {
            format!("is not a call file: {missing}")
        };
        Err(FileError::new(path, problem).hint(missing.hint()))
    }
}

/// The keys of a record's text, and what is behind each; none of a text that is no object.
#[allow(clippy::disallowed_methods, reason = "a record that is malformed has no keys")]
fn names_of(record: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(record).unwrap_or_default()
}

/// The keys of a record that are not read ([`columns::unread`]).
fn unread_of(record: &str) -> Vec<(String, Field)> {
    let names = names_of(record);
    let unread = columns::unread(&names.keys().map(String::as_str));
    unread.into_iter().map(|(name, field)| (name.to_owned(), field)).collect()
}

/// The byte that ends a line of a block: `\n`, or `\r` in a block without any. (A `\r` within a
/// line is white space of JSON.)
fn line_end(block: &[u8]) -> u8 {
    if memchr::memchr(b'\n', block).is_some() { b'\n' } else { b'\r' }
}

/// The text of the line that starts at `place` of a block.
#[must_use]
pub fn line_text(block: &[u8], place: usize) -> String {
    let end = line_end(block);
    let line = block[place..]
        .split(|b| *b == end)
        .find(|line| !line.trim_ascii().is_empty())
        .unwrap_or(b"");
    String::from_utf8_lossy(line.trim_ascii()).into_owned()
}

/// Reads the lines of a block. The place of a record is its offset in the block.
#[must_use]
pub fn parse_lines(bytes: &[u8], policy: &Policy) -> (Calls, Keys) {
    let mut calls = Calls::default();
    let mut keys = Keys::default();
    let mut start = 0;
    let line_end = line_end(bytes);
    while start < bytes.len() {
        let end = memchr::memchr(line_end, &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let line = bytes[start..end].trim_ascii();
        if !line.is_empty() {
            let found = push_object(
                line,
                must_fit(start, "a block is shorter than 4 GiB"),
                policy,
                &mut calls,
            );
            keys.add(found, line);
        }
        start = end + 1;
    }
    (calls, keys)
}

/// Counts the lines of a block that are not blank.
#[must_use]
pub fn count_lines(bytes: &[u8]) -> u64 {
    let line_end = line_end(bytes);
    bytes.split(|b| *b == line_end).filter(|line| !line.trim_ascii().is_empty()).count() as u64
}

/// The kind of JSON that a text starts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One object per line.
    Lines,
    /// One document: a page, an array, or one object.
    Document,
}

/// Tells the shape from the beginning of a text; the file's ending decides if there is only one
/// line.
#[must_use]
pub fn shape(beginning: &[u8], ending: &str) -> Shape {
    let text = beginning.trim_ascii_start();
    let (first, rest) =
        text.split_at(text.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(text.len()));
    let next = rest.trim_ascii_start().first();
    let is_page =
        serde_json::from_slice::<JsonPage<'_>>(first).is_ok_and(|page| page.calls.is_some());
    // The first line of a document over many lines ends where JSON goes on; that of a broken record
    // ends anywhere.
    let goes_on = matches!(first.trim_ascii_end().last(), Some(b'[' | b'{' | b',' | b':'));
    let is_object = serde_json::from_slice::<JsonRecord<'_>>(first).is_ok();
    let lines = match next {
        _ if is_page || text.starts_with(b"[") => false,
        Some(_) if is_object => true,
        Some(b'{') => !goes_on,
        Some(_) => false,
        // Lines are shorter than the beginning that is read.
        None => matches!(ending, "jsonl" | "ndjson") && beginning.len() < LONGEST_LINE,
    };
    if lines { Shape::Lines } else { Shape::Document }
}

/// The values of an array, as their texts.
///
/// A place for each is kept in memory, so that an array of billions of tiny values would fill any:
/// if values are shorter than [`SHORTEST`] on average, they are no calls.
struct Values<'a>(Vec<&'a RawValue>);

/// The least average size of the calls of an array with more than [`FEW`], in bytes: the names of
/// the necessary fields take as many.
const SHORTEST: usize = 48;
const FEW: usize = 1 << 16;

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of calls")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut array: S) -> Result<Self::Value, S::Error> {
                let (mut values, mut bytes) = (Vec::new(), 0);
                while let Some(value) = array.next_element::<&'de RawValue>()? {
                    bytes += value.get().len();
                    values.push(value);
                    if values.len() > FEW && bytes < values.len() * SHORTEST {
                        let problem = format!(
                            "its values have fewer than {SHORTEST} bytes on average, so that they \
                             are no calls"
                        );
                        return Err(serde::de::Error::custom(problem));
                    }
                }
                Ok(Values(values))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}

/// A page of the carrier's call list.
#[derive(serde::Deserialize)]
struct JsonPage<'a> {
    #[serde(borrow)]
    calls: Option<Values<'a>>,
    uri: Option<Value>,
    #[serde(alias = "nextPageUri", alias = "next_page_url", alias = "nextPageUrl")]
    next_page_uri: Option<Value>,
    #[serde(alias = "previousPageUri", alias = "previous_page_url", alias = "previousPageUrl")]
    previous_page_uri: Option<Value>,
    #[serde(alias = "firstPageUri", alias = "first_page_url", alias = "firstPageUrl")]
    first_page_uri: Option<Value>,
    #[serde(rename = "page")]
    number: Option<Value>,
    /// The links in younger interfaces of the carrier.
    meta: Option<Value>,
}

impl JsonPage<'_> {
    fn links(&self) -> Links {
        let meta = |name: &str| self.meta.as_ref().and_then(|meta| meta.get(name));
        let text = |own: &Option<Value>, name: &str| {
            own.as_ref()
                .or_else(|| meta(name))
                .and_then(Value::as_str)
                .filter(|text| !text.trim().is_empty())
                .map(str::to_owned)
        };
        Links {
            uri: text(&self.uri, "url"),
            next_page_uri: text(&self.next_page_uri, "next_page_url"),
            previous_page_uri: text(&self.previous_page_uri, "previous_page_url"),
            first_page_uri: text(&self.first_page_uri, "first_page_url"),
            page: self.number.as_ref().or_else(|| meta("page")).and_then(Value::as_u64),
        }
    }
}

/// The links of a page to its neighbours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The address of the page.
    uri: Option<String>,
    /// The address of the next page.
    next_page_uri: Option<String>,
    /// The address of the page before it.
    previous_page_uri: Option<String>,
    /// The address of the first page of the same list.
    first_page_uri: Option<String>,
    /// Its number.
    page: Option<u64>,
}

/// A page beside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// The one after it.
    Next,
    /// The one before it.
    Previous,
}

impl Links {
    /// The neighbours of the page that are not among `pages`, and their addresses; a previous page
    /// without an address is given by its number.
    pub fn missing(&self, pages: &[Self]) -> impl Iterator<Item = (Neighbour, String)> {
        let next =
            self.next_page_uri.clone().filter(|_| !pages.iter().any(|page| self.is_before(page)));
        let number =
            self.page.and_then(|page| page.checked_sub(1)).map(|page| format!("page {page}"));
        let previous = self.previous_page_uri.clone().or(number);
        let previous = previous.filter(|_| !pages.iter().any(|page| page.is_before(self)));
        next.map(|uri| (Neighbour::Next, uri))
            .into_iter()
            .chain(previous.map(|uri| (Neighbour::Previous, uri)))
    }

    /// True if `other` comes next: by the address that either gives of the other, or by their
    /// numbers.
    fn is_before(&self, other: &Self) -> bool {
        let is = |named: &Option<String>, uri: &Option<String>| named.is_some() && named == uri;
        let follows = self
            .page
            .zip(other.page)
            .is_some_and(|(this, other)| this.checked_add(1) == Some(other));
        is(&self.next_page_uri, &other.uri)
            || is(&other.previous_page_uri, &self.uri)
            || follows && other.first_page_uri == self.first_page_uri
    }
}

/// The calls of a document.
#[derive(Debug)]
pub struct CallsDocument<'a> {
    /// The texts of the calls, each with its offset.
    pub calls: Vec<(usize, &'a str)>,
    /// The links of a page to its neighbours.
    pub links: Option<Links>,
}

/// The calls of a document, as their texts, each with its offset.
///
/// # Errors
/// If it is not JSON, or JSON without calls.
pub fn document<'a>(path: &Path, text: &'a str) -> Result<CallsDocument<'a>, FileError> {
    let mut links = None;
    let refuse = |problem: String| {
        FileError::new(path, format!("is not a call file: {problem}"))
            .hint("expected a page {\"calls\": […]}, an array of calls, or one call per line")
    };
    let broken = |e: &serde_json::Error| {
        let mut error = refuse(format!("its JSON breaks: {e}"));
        error.line = Some(e.line() as u64);
        error
    };
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    let items: Vec<&'a RawValue> = if trimmed.starts_with('[') {
        serde_json::from_str::<Values<'a>>(trimmed).map_err(|e| broken(&e))?.0
    } else if trimmed.starts_with('{') {
        let page = serde_json::from_str::<JsonPage<'a>>(trimmed).map_err(|e| broken(&e))?;
        match &page.calls {
            Some(_) => {
                links = Some(page.links());
                page.calls.expect("a page has calls: it was looked at").0
            }
            None if looks_like_a_call(trimmed) => {
                vec![serde_json::from_str(trimmed).map_err(|e| broken(&e))?]
            }
            None => {
                return Err(refuse(
                    "it is an object without `calls`, and no call itself".to_owned(),
                ));
            }
        }
    } else {
        return Err(refuse("it is neither an object nor an array".to_owned()));
    };
    let place =
        |item: &'a RawValue| (item.get().as_ptr() as usize - text.as_ptr() as usize, item.get());
    Ok(CallsDocument { calls: items.into_iter().map(place).collect(), links })
}

/// True if the object has an id, and a status, start, direction, caller or callee, as a call has.
#[allow(clippy::disallowed_methods, reason = "what is malformed has no keys")]
fn looks_like_a_call(text: &str) -> bool {
    // A field of the wrong type is a bad record, not a foreign file.
    let names = serde_json::from_str::<std::collections::BTreeMap<Cow<'_, str>, &RawValue>>(text)
        .unwrap_or_default();
    let known = |field: Field| names.keys().any(|name| Field::named(name) == Some(field));
    known(Field::Sid)
        && [Field::Status, Field::StartTime, Field::To, Field::From, Field::Direction]
            .into_iter()
            .any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_written() {
        let record = parse_object(
            r#"{"sid":"CA1","price":-0.10000000000000000001,"Duration":370,"to":"+1\u0034","uri":{"a":[1]},"from":null}"#,
        )
        .unwrap();
        let fields = record.fields();
        assert_eq!(fields.get(Field::Price), "-0.10000000000000000001");
        assert_eq!(fields.get(Field::Duration), "370");
        assert_eq!(fields.get(Field::To), "+14");
        assert_eq!(fields.get(Field::From), "");
        for bad in [
            r#"{"sid":true}"#,
            r#"{"sid":"a","SID":"b"}"#,
            r#"{"sid":{}}"#,
            "[]",
            "{",
            "1",
            r#"{"sid":"a"} x"#,
        ] {
            assert!(parse_object(bad).is_err(), "{bad}");
        }
    }

    /// Exporters leave out what is null, so that a key may stand on one record of thousands.
    #[test]
    fn a_key_that_resembles_a_field_is_found_in_any_record() {
        let line = |more: &str| format!("{{\"sid\":\"CA1\",\"status\":\"completed\"{more}}}\n");
        let unread = |text: &str| {
            let (_, keys) = parse_lines(text.as_bytes(), &Policy::default());
            keys.unread().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let later = line("") + &line(",\"uri\":\"/x\"") + &line(",\"Refer-To\":\"sip:x@y\"");
        assert_eq!(unread(&later), ["Refer-To"]);
        // Beyond the examples that are kept, too.
        let many = (0..2 * KEY_SETS).map(|number| line(&format!(",\"note{number}\":1")));
        let last = line(",\"noted\":1,\"Refer-To\":\"sip:x@y\"");
        assert_eq!(unread(&(many.collect::<String>() + &last)), ["Refer-To"]);
        // A missing one, where only a later record has what resembles it.
        let (_, keys) = parse_lines(
            (line("") + &line(",\"Parent Call\":\"CA0\"")).as_bytes(),
            &Policy::default(),
        );
        let error = keys.check(Path::new("x.jsonl"), &Policy::default()).unwrap_err();
        assert!(error.to_string().contains("`Parent Call` resembles it"), "{error}");
    }

    #[test]
    fn shapes() {
        let line = r#"{"sid":"CA1"}"#;
        assert_eq!(shape(format!("{line}\n{line}\n").as_bytes(), "json"), Shape::Lines);
        assert_eq!(shape(b"{\n\"sid\":\"CA1\"\n}", "json"), Shape::Document);
        assert_eq!(shape(b"{\"calls\":[]}\n", "json"), Shape::Document);
        assert_eq!(shape(b"[", "json"), Shape::Document);
        assert_eq!(shape(b"[", "jsonl"), Shape::Document);
        assert_eq!(shape(b"{\"calls\":[]}", "jsonl"), Shape::Document);
        assert_eq!(shape(b"{\n  \"calls\": [\n    {}]}", "jsonl"), Shape::Document);
        assert_eq!(shape(b"{\"sid\":\"CA\n{\"sid\":\"CA1\"}", "json"), Shape::Lines);
        assert_eq!(
            shape(b"{\"page\":0,\"calls\": [\n{\"sid\":\"CA1\"},\n{\"sid\":\"CA2\"}\n]}", "jsonl"),
            Shape::Document
        );
        assert_eq!(
            shape(&[b"{\"calls\":[".as_slice(), &vec![b' '; LONGEST_LINE]].concat(), "jsonl"),
            Shape::Document
        );
        assert_eq!(shape(line.as_bytes(), "jsonl"), Shape::Lines);
    }

    #[test]
    fn documents() {
        let path = Path::new("x.json");
        let call = r#"{"sid":"CA1","to":"x"}"#;
        let found = |text: &str| document(path, text).map(|found| found.calls.len()).ok();
        assert_eq!(found(&format!("[{call},{call}]")), Some(2));
        assert_eq!(found(&format!("{{\"page\":0,\"calls\":[{call}]}}")), Some(1));
        assert_eq!(found(call), Some(1));
        assert_eq!(found("[]"), Some(0));
        for bad in ["", "{}", "[1", r#"{"trunks":[]}"#, "true", r#"{"calls":5}"#] {
            assert_eq!(found(bad), None, "{bad}");
        }
        let nothings = format!("[{}]", vec!["{}"; FEW + 1].join(","));
        assert!(
            document(path, &nothings)
                .unwrap_err()
                .to_string()
                .contains("fewer than 48 bytes on average")
        );
        let text = format!(" [{call}, {call}]");
        let items = document(path, &text).unwrap().calls;
        assert_eq!(&text[items[1].0..items[1].0 + call.len()], call);
    }
}
