//! The job: from the files that a user names to a settled night, and from there to a booked run.
//!
//! ```text
//! Inputs::load ─▶ LoadedNight::read ─▶ LoadedNight::settle ─▶ SettledRun ─▶ book ─▶ Summary
//! decks, trunks,  calls, dealt    part by part:     sums,      ledger
//! accounts        out to parts    earlier, kernel   rows
//! ```

use super::noted::{NightContext, Noted};
use super::suspense_parts;
use crate::call::Calls;
use crate::detail::Case;
use crate::family::{self, Earlier};
use crate::ingest::reader::{self, Reading};
use crate::ingest::source::{self, CallPath};
use crate::inputs::file::FileError;
pub use crate::inputs::given::{AccountFacts, Inputs};
use crate::inputs::record_text::RecordSpot;
use crate::job::detail::detail;
use crate::job::left::Left;
use crate::ledger::index::earlier;
use crate::ledger::index::ids::IdRow;
use crate::ledger::index::letter_cases::LetterCases;
use crate::ledger::index::lookup::{Retried, TonightLookup};
use crate::ledger::manifest::{InputFile, Manifest};
use crate::ledger::runs::sort::{Books, PIECE, RateNumbers, SortScratch};
use crate::ledger::runs::taken_back::TakenBack;
use crate::ledger::runs::write_off::hash_text;
use crate::ledger::tables::late_price::LatePriceRow;
use crate::ledger::tables::waits::Waits;
use crate::ledger::{History, LedgerError};
use crate::night::{Class, Night, Tally, Tariff, TrunkFacts, settle};
use crate::packed::SharedTexts;
use crate::partition::deal::{self, Part, Partitioner, Partitions, SplitPoints};
use crate::partition::spill::{Memory, PartitionWriter, Spill, SpillRoom};
use crate::policy::Policy;
use crate::rating::cells;
use crate::reject::Reason;
use crate::sid::Sid;
use crate::time::Micros;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls, read and dealt out to partitions, with the inputs that they are to be rated with.
pub struct LoadedNight {
    pub(crate) inputs: Inputs,
    pub(crate) reading: Reading,
    pub(crate) dealt: Partitions,
    pub(crate) room: Arc<SpillRoom>,
    pub(crate) memory: Memory,
    /// A booked call whose place the version that was read takes.
    pub(crate) replaces: Option<Sid>,
}

impl LoadedNight {
    /// Reads calls after the retried records. Rows that do not fit in memory spill to files in
    /// `folder`.
    ///
    /// # Errors
    /// A file that cannot be read whole.
    pub fn read(
        inputs: Inputs,
        files: &[CallPath],
        waiting: Waits,
        (memory, folder): (Memory, &Path),
        progress: &Arc<AtomicU64>,
    ) -> Result<Self, FileError> {
        let (reading, dealt, room) =
            read_files(&inputs.policy, files, waiting, (memory, folder), progress)?;
        Ok(Self { inputs, reading, dealt, room, memory, replaces: None })
    }

    /// Reads like [`LoadedNight::read`], without the files that are refused, which it names; no
    /// night if none is left.
    ///
    /// # Why it begins anew
    /// A file may be refused in its last line, when many of its records were dealt out. So the
    /// others are read once more: of a refused file no record can be left in the night.
    ///
    /// # Errors
    /// Anything but a call file that cannot be read.
    pub fn read_good(
        inputs: Inputs,
        files: &[CallPath],
        waiting: impl Fn() -> Result<Waits, LedgerError>,
        (memory, folder): (Memory, &Path),
        progress: &Arc<AtomicU64>,
    ) -> Result<(Option<Self>, Vec<RefusedFile>), LedgerError> {
        let (mut good, mut refused) = (files.to_vec(), Vec::new());
        while !good.is_empty() {
            progress.store(0, Ordering::Relaxed);
            let read = read_files(&inputs.policy, &good, waiting()?, (memory, folder), progress);
            let error = match read {
                Ok((reading, dealt, room)) => {
                    refused.sort_by(|(a, _): &RefusedFile, (b, _)| a.name.cmp(&b.name));
                    let replaces = None;
                    let night = Self { inputs, reading, dealt, room, memory, replaces };
                    return Ok((Some(night), refused));
                }
                Err(error) => error,
            };
            let Some(at) = good.iter().position(|file| file.path == error.path) else {
                return Err(error.into());
            };
            refused.push((good.remove(at), error));
        }
        Ok((None, refused))
    }

    /// The call files that were read, as a manifest names them.
    #[must_use]
    pub fn call_files(&self) -> Vec<InputFile> {
        call_files_of(&self.reading)
    }

    /// Settles the partition of a call, as if the ledger were empty; `None` if no record has this
    /// id.
    ///
    /// # Errors
    /// If the partition cannot be read back.
    pub fn settle_family(&self, sid: &str) -> Result<Option<SettledPart<'_>>, FileError> {
        let has = |calls: &Calls, record: usize| calls.sid_text(record).to_string() == sid;
        let mut moved = Vec::new();
        for number in 0..=self.dealt.count() {
            let mut part = if number < self.dealt.count() {
                self.dealt.take(number)?
            } else {
                self.dealt.unpacked(&self.dealt.in_order(std::mem::take(&mut moved)))
            };
            moved.push(std::mem::take(&mut part.moved));
            if (0..part.calls.len()).any(|record| !part.is_away(record) && has(&part.calls, record))
            {
                let mut earlier = Earlier::default();
                earlier.newest_start = self.dealt.facts.starts.newest(None);
                let accounts = self.inputs.facts_of_accounts(part.calls.accounts.texts());
                let night = settle(&part.calls, 0, &earlier, &self.inputs.tariff(&accounts));
                return Ok(Some(SettledPart {
                    inputs: &self.inputs,
                    reading: &self.reading,
                    calls: part.calls,
                    earlier,
                    night,
                    accounts,
                }));
            }
        }
        Ok(None)
    }

    /// Joins the calls with what earlier runs know, and brings each to its end. Nothing is booked.
    ///
    /// # Errors
    /// If the ledger cannot be read, or there is no room on disk.
    pub fn settle(mut self, history: &History) -> Result<SettledRun, LedgerError> {
        let bounds = self.dealt.bounds(PIECE);
        let books = Spill::new(bounds.count_by_start(), &self.room);
        let [ids, children] = [(); 2].map(|()| Spill::new(bounds.count_by_sid(), &self.room));
        let suspended = suspense_parts::parts(self.dealt.facts.records, &self.room);
        let (mut ends, mut runs, mut moved) = (Outcome::default(), BTreeSet::new(), Vec::new());
        let groups = self.dealt.groups(if history.runs.is_empty() {
            u64::MAX
        } else {
            self.memory.sought()
        });
        let one_group = groups.len() == 1;
        let mut earlier = Earlier::default();
        let mut waited = Retried::new(&self.reading.waiting, &self.inputs.policy);
        waited.replaces = self.replaces;
        for group in groups {
            earlier = self.earlier(history, group.clone(), None, &mut waited, &mut runs)?;
            let part =
                PartSettler::new((&self, history), &earlier, &bounds, [&books, &ids, &suspended]);
            let settled: Vec<(Outcome, Vec<u8>)> = group
                .into_par_iter()
                .with_max_len(1)
                .map(|number| {
                    let mut taken = self.dealt.take(number)?;
                    let moved = std::mem::take(&mut taken.moved);
                    Ok((part.settle(&taken)?, moved))
                })
                .collect::<Result<_, LedgerError>>()?;
            for (part_ends, part_moved) in settled {
                ends.merge(part_ends);
                moved.push(part_moved);
            }
        }
        if moved.iter().any(|bytes| !bytes.is_empty()) {
            let moved = self.dealt.in_order(moved);
            if !one_group {
                let calls = self.dealt.unpacked(&moved).calls;
                earlier = self.earlier(history, 0..0, Some(&calls), &mut waited, &mut runs)?;
            }
            let part = self.dealt.unpacked(&moved);
            drop(moved);
            ends.merge(
                PartSettler::new((&self, history), &earlier, &bounds, [&books, &ids, &suspended])
                    .settle(&part)?,
            );
        }
        let ended = |class: Class| ends.tally.of(class).records;
        assert_eq!(
            ends.suspended.len() as u64,
            ended(Class::Suspended),
            "each suspended record has its place"
        );
        assert_eq!(
            ends.ignored.len() as u64,
            ended(Class::Ignored),
            "each ignored record has its place"
        );
        ends.suspended.sort_unstable();
        ends.ignored.sort_unstable();
        ends.late_prices.sort_unstable();
        let stands_on = runs.into_iter().map(|run| history.runs[run].head.run_id.clone()).collect();
        let own_newest_start = self.dealt.facts.starts.newest(history.newest_start());
        let newest_start = history.newest_start().max(own_newest_start);
        let Self { inputs, reading, dealt, room, .. } = self;
        let Partitions { texts, facts: deal::NightFacts { digest, .. }, .. } = dealt;
        Ok(SettledRun {
            inputs,
            reading,
            texts,
            digest,
            ends,
            books,
            ids,
            children,
            suspended,
            room,
            bounds,
            stands_on,
            own_newest_start,
            newest_start,
            accepted_changes: Vec::new(),
            left: None,
            takes_back: None,
        })
    }

    /// Looks up the calls of some partitions in earlier runs.
    fn earlier(
        &mut self,
        history: &History,
        parts: Range<usize>,
        calls: Option<&Calls>,
        waited: &mut Retried,
        runs: &mut BTreeSet<usize>,
    ) -> Result<Earlier, LedgerError> {
        let mut texts = self.dealt.texts.clone();
        let tonight = TonightLookup { dealt: &self.dealt, parts: (parts.start, parts.end), calls };
        let mut earlier = earlier::earlier(history, tonight, waited, &mut texts, runs)?;
        let spots = waited.may_be_closed(tonight)?;
        self.dealt.texts = texts;
        self.reading.each_text::<FileError>(&spots, &mut |text| {
            earlier.closed.extend(waited.closed(&text));
            Ok(())
        })?;
        let known = history.newest_start();
        earlier.newest_start = known.max(self.dealt.facts.starts.newest(known));
        earlier.waits = Arc::clone(&self.dealt.waits);
        Ok(earlier)
    }
}

/// A call file that was refused, and why.
pub type RefusedFile = (CallPath, FileError);

/// Reads call files after the retried records, and deals the records out.
fn read_files(
    policy: &Policy,
    files: &[CallPath],
    waiting: Waits,
    (memory, folder): (Memory, &Path),
    progress: &Arc<AtomicU64>,
) -> Result<(Reading, Partitions, Arc<SpillRoom>), FileError> {
    let expected = source::expected_calls(files) + waiting.len() as u64;
    let parts = Partitioner::parts(expected, memory.part());
    let room = memory.room(folder, parts);
    let mut dealer = Partitioner::new(expected, parts, waiting.len(), &room);
    let reading = reader::read(files, waiting, policy, (memory, progress), &mut dealer)?;
    Ok((reading, dealer.finish()?, room))
}

/// The partition that holds one family, settled.
pub struct SettledPart<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) reading: &'a Reading,
    /// The records.
    pub calls: Calls,
    /// The calls of earlier runs: none.
    pub earlier: Earlier,
    /// The end of each record.
    pub night: Night,
    accounts: AccountFacts,
}

impl SettledPart<'_> {
    /// The tariff of the calls, borrowed.
    #[must_use]
    pub fn tariff(&self) -> Tariff<'_> {
        self.inputs.tariff(&self.accounts)
    }

    /// The detail of a suspended record, in words.
    ///
    /// # Errors
    /// If its file cannot be read again.
    pub fn detail(&self, record: usize) -> Result<String, FileError> {
        let Some(reason) = self.night.reason[record] else { return Ok(String::new()) };
        let tariff = self.tariff();
        let case = Case {
            calls: &self.calls,
            night: &self.night,
            earlier: &self.earlier,
            tariff: &tariff,
        };
        let facts = case.facts(record, reason);
        let spot =
            RecordSpot { number: self.calls.number[record], place: self.calls.place[record] };
        let texts = self.reading.texts_of(&[spot])?;
        let text = texts.first().expect("a record has its text");
        Ok(detail(text, reason, &facts, self.inputs))
    }
}

/// The ends of the records of a partition, or of all partitions.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) by_reason: BTreeMap<Reason, u64>,
    /// The number of legs that the rated records must have.
    pub(crate) legs: u64,
    /// The number of booked calls whose caller was mangled.
    pub(crate) mangled_callers: u64,
    pub(crate) letter_cases: LetterCases,
    /// The places of the suspended records' texts, and the prices of some, by their numbers.
    pub(crate) suspended: Vec<RecordSpot>,
    pub(crate) priced: Vec<(u32, RecordSpot)>,
    /// The places of the ignored records' texts.
    pub(crate) ignored: Vec<RecordSpot>,
    pub(crate) late_prices: Vec<LatePriceRow>,
    /// The number of calls of each account that the accounts file lacks, by the id of the account's
    /// text: booked, or suspended only for that.
    pub(crate) unlisted: BTreeMap<u32, u64>,
    pub(crate) noted: Noted,
}

impl Outcome {
    fn merge(&mut self, mut other: Self) {
        self.tally = self.tally.plus(other.tally);
        for (reason, count) in other.by_reason {
            *self.by_reason.entry(reason).or_insert(0) += count;
        }
        self.legs += other.legs;
        self.mangled_callers += other.mangled_callers;
        self.letter_cases.merge(other.letter_cases);
        self.suspended.append(&mut other.suspended);
        self.priced.append(&mut other.priced);
        self.ignored.append(&mut other.ignored);
        self.late_prices.append(&mut other.late_prices);
        for (account, count) in other.unlisted {
            *self.unlisted.entry(account).or_insert(0) += count;
        }
        self.noted.merge(other.noted);
    }
}

/// Everything that settles the partitions of a group.
pub(crate) struct PartSettler<'a> {
    pub(crate) intake: &'a LoadedNight,
    pub(crate) earlier: &'a Earlier,
    pub(crate) bounds: &'a SplitPoints,
    pub(crate) books: &'a Spill,
    pub(crate) ids: &'a Spill,
    pub(crate) suspended: &'a Spill,
    pub(crate) accounts: AccountFacts,
    /// True if an earlier run has ids that are not in the carrier's form.
    pub(crate) has_other_ids: bool,
    /// The calls that were written off, in the versions that waited.
    pub(crate) written_off: HashSet<Sid>,
}

impl<'a> PartSettler<'a> {
    fn new(
        (intake, history): (&'a LoadedNight, &History),
        earlier: &'a Earlier,
        bounds: &'a SplitPoints,
        [books, ids, suspended]: [&'a Spill; 3],
    ) -> Self {
        let accounts = intake.inputs.facts_of_accounts(intake.dealt.texts.accounts.texts());
        let has_other_ids = history.runs.iter().any(|run| run.head.has_odd_ids);
        // Of a call whose version a person chose the others are written off, too.
        let written_off = earlier.closed.iter().map(|(sid, _)| *sid);
        let written_off = written_off.filter(|sid| !earlier.chosen.contains(sid)).collect();
        Self {
            intake,
            earlier,
            bounds,
            books,
            ids,
            suspended,
            accounts,
            has_other_ids,
            written_off,
        }
    }

    /// Settles the records of a partition: booked calls go to the books, by start.
    fn settle(&self, part: &Part) -> Result<Outcome, LedgerError> {
        let (calls, earlier) = (&part.calls, self.earlier);
        let tariff = self.intake.inputs.tariff(&self.accounts);
        let waiting = self.intake.reading.waiting.len();
        let retried = calls.number.partition_point(|number| (*number as usize) < waiting);
        let night = settle(calls, retried, earlier, &tariff);
        let letter_cases = LetterCases::new(self.has_other_ids);
        let tally = night.tally(calls, retried, |record| part.is_away(record));
        let mut ends = Outcome { tally, letter_cases, ..Outcome::default() };
        let case = Case { calls, night: &night, earlier, tariff: &tariff };
        let trunks = TrunkFacts::of_all(calls, &tariff);
        let beside = NightContext::new(&tariff, earlier.newest_start);
        let (mut books, mut ids) =
            (PartitionWriter::new(self.books, calls.len() * 84), PartitionWriter::new(self.ids, 0));
        let mut suspended = PartitionWriter::new(self.suspended, 0);
        for record in (0..calls.len()).filter(|record| !part.is_away(*record)) {
            if tariff.is_unlisted(calls.account[record]) && counts_for_account(&night, record) {
                *ends.unlisted.entry(calls.account[record]).or_insert(0) += 1;
            }
            let class = night.class[record];
            if matches!(class, Class::Rated | Class::Free | Class::Duplicate) {
                ends.noted.look(calls, record, class, &beside);
                if class == Class::Rated && self.written_off.contains(&calls.sid[record]) {
                    ends.noted.look_at_written_off(calls, record);
                }
            }
            match class {
                Class::Rated | Class::Free => {
                    let booked = night.booked(calls, earlier, &tariff, &trunks, record);
                    let to = self.bounds.of_start(booked.start, || calls.odd_sids.text(booked.sid));
                    booked.pack(calls, books.to(to));
                    match calls.odd_sids.odd(booked.sid) {
                        Some(text) => ends.letter_cases.look(text),
                        None => ends.letter_cases.has_usual = true,
                    }
                    if booked.is_rated {
                        ends.legs += cells(booked.scenario).1 as u64;
                    }
                    // The count is above 0 only where the policy lets them pass.
                    if booked.c.is_none() && booked.a.is_mangled(&calls.parties) {
                        ends.mangled_callers += 1;
                    }
                }
                Class::Ignored => {
                    ends.ignored.push(RecordSpot {
                        number: calls.number[record],
                        place: calls.place[record],
                    });
                    if !calls.sid[record].is_empty() {
                        let row =
                            IdRow { sid: calls.sid[record], content: 0, price: None, place: None };
                        row.pack(ids.to(self.bounds.of_sid(row.sid)));
                    }
                }
                Class::Duplicate => {}
                Class::Suspended => {
                    let reason = night.reason[record].expect("a suspended record has a reason");
                    *ends.by_reason.entry(reason).or_insert(0) += 1;
                    let (record, price) = self.suspended(&case, record, reason);
                    ends.suspended.push(record.spot());
                    ends.priced.extend(price.map(|price| (record.number(), price)));
                    record.pack(suspended.to(suspense_parts::part_of(record.spot().number)));
                }
            }
        }
        books.push()?;
        ids.push()?;
        suspended.push()?;
        ends.late_prices = late_prices(calls, &night, earlier, |record| part.is_away(record));
        Ok(ends)
    }
}

/// The call files of a reading, as a manifest names them.
fn call_files_of(reading: &Reading) -> Vec<InputFile> {
    let input = |file: &reader::ReadFile| InputFile {
        name: file.path.name.clone(),
        format: file.format.as_str().to_owned(),
        bytes: file.size,
        rows: file.rows,
        blake3: file.hash.clone(),
    };
    reading.files.iter().map(input).collect()
}

/// True if a record is a call of its account: booked, or suspended only because the account is not
/// listed.
fn counts_for_account(night: &Night, record: usize) -> bool {
    match night.class[record] {
        Class::Rated | Class::Free => true,
        Class::Suspended => night.reason[record] == Some(Reason::UnlistedAccount),
        Class::Ignored | Class::Duplicate => false,
    }
}

/// Prices that came for calls of earlier runs.
fn late_prices(
    calls: &Calls,
    night: &Night,
    earlier: &Earlier,
    is_away: impl Fn(usize) -> bool,
) -> Vec<LatePriceRow> {
    let late = night.families.late_prices.iter().filter(|(_, late)| !is_away(late.record as usize));
    let row = |(booked, late): (&u32, &family::LatePrice)| {
        let call_sid = calls.odd_sids.text(earlier.call_at(*booked).sid).to_string();
        Some(LatePriceRow {
            day: i32::try_from(late.day).ok()?,
            call_sid,
            price: late.price.units()?,
        })
    };
    late.filter_map(row).collect()
}

/// A settled night, with all that its outputs need.
pub struct SettledRun {
    pub(crate) inputs: Inputs,
    pub(crate) reading: Reading,
    texts: SharedTexts,
    /// A sum over the new records, the same in any order.
    digest: u128,
    pub(crate) ends: Outcome,
    /// The booked calls, by start; then their ids and those of ignored calls, by id.
    books: Spill,
    ids: Spill,
    children: Spill,
    /// The suspended records, by their numbers.
    pub(crate) suspended: Spill,
    pub(crate) room: Arc<SpillRoom>,
    bounds: SplitPoints,
    /// The earlier runs that this run's result depends on.
    pub(crate) stands_on: Vec<String>,
    pub(crate) own_newest_start: Option<Micros>,
    pub(crate) newest_start: Option<Micros>,
    pub(crate) accepted_changes: Vec<String>,
    /// The suspended records that it does not take up, if not all.
    pub(crate) left: Option<Left>,
    /// The booked version whose place its call takes.
    pub(crate) takes_back: Option<TakenBack>,
}

impl SettledRun {
    /// Keeps with the run the changes that a person accepted.
    pub fn accept(&mut self, changes: Vec<String>) {
        self.accepted_changes = changes;
    }

    /// Records and seconds by class.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.ends.tally
    }

    /// The call files that were read, as a manifest names them.
    #[must_use]
    pub fn call_files(&self) -> Vec<InputFile> {
        call_files_of(&self.reading)
    }

    /// The paths of the call files that were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.reading.files.iter().map(|file| file.path.path.as_path())
    }

    /// The number of records that each reason suspends.
    #[must_use]
    pub fn suspended_by_reason(&self) -> &BTreeMap<Reason, u64> {
        &self.ends.by_reason
    }

    /// The number of calls of each account that the accounts file lacks.
    #[must_use]
    pub fn unlisted_accounts(&self) -> BTreeMap<String, u64> {
        self.ends
            .unlisted
            .iter()
            .map(|(account, calls)| (self.texts.accounts.text(*account).to_owned(), *calls))
            .collect()
    }

    /// The source of the run's legs and log.
    pub(crate) fn books_of<'a>(
        &'a self,
        rates: &'a RateNumbers<'a>,
        bench: &'a SortScratch,
        run_id: &'a str,
    ) -> Books<'a> {
        Books {
            calls: &self.books,
            ids: &self.ids,
            children: &self.children,
            bounds: &self.bounds,
            texts: &self.texts,
            decks: &self.inputs.decks.decks,
            rates,
            policy: &self.inputs.policy,
            run_id,
            bench,
        }
    }

    /// The name of this run after another one.
    #[must_use]
    pub fn run_id(&self, previous: Option<&Manifest>) -> String {
        Manifest::next_id(previous, &self.digest(previous.map(|m| m.run_id.as_str())))
    }

    /// A hash of the work of this run, the same for any order of its records and any split of its
    /// files.
    pub(crate) fn digest(&self, previous: Option<&str>) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.digest.to_le_bytes());
        for text in [
            previous.unwrap_or(""),
            &self.inputs.decks.hash,
            self.trunks_text(),
            self.accounts_text(),
            &format!("{:?}", self.inputs.policy.words()),
        ] {
            hash_text(&mut hasher, text);
        }
        if let Some(left) = &self.left {
            hash_text(&mut hasher, &left.hash);
        }
        if let Some(back) = &self.takes_back {
            hash_text(&mut hasher, &back.replaced.run_id);
        }
        hasher
    }

    /// [`Inputs::hash`] of its inputs.
    #[must_use]
    pub fn tariff_hash(&self) -> String {
        self.inputs.hash()
    }

    pub(crate) fn trunks_text(&self) -> &str {
        self.inputs.trunks.as_ref().map_or("", |(_, text)| text)
    }

    pub(crate) fn accounts_text(&self) -> &str {
        self.inputs.accounts.as_ref().map_or("", |(_, text)| text)
    }
}
