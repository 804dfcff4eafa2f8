//! A published night, written from what the CLI's own run booked, in the layout that the Spark job
//! publishes.

use crate::support::HEADER;
use polars::prelude::*;
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};
use trunkrate::ingest::reader;
use trunkrate::ingest::source;
use trunkrate::inputs::given::Inputs;
use trunkrate::inputs::record_text::RecordSpot;
use trunkrate::inputs::settings;
use trunkrate::partition::deal::Partitioner;
use trunkrate::partition::spill::Memory;
use trunkrate::policy::Policy;
use trunkrate::reject::Reason;

/// What a night is published from.
pub struct Told<'a> {
    /// A run of the CLI: its folder.
    pub run: PathBuf,
    /// The calls that it read.
    pub calls: Vec<PathBuf>,
    pub rates: PathBuf,
    pub trunks: Option<PathBuf>,
    pub accounts: Option<PathBuf>,
    pub config: Option<PathBuf>,
    /// The id of the night before.
    pub previous: Option<&'a str>,
    pub sequence: u64,
    pub style: Style,
}

/// How a writer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As the ledger does: a file a day, in order, zstd.
    Plain,
    /// Several files, rows in no order, row groups of a few rows, snappy; integers of 32 bits,
    /// decimals of 38 digits with more decimals, timestamps in nanoseconds without a zone.
    Other,
}

/// Publishes; gives the folder.
pub fn publish(told: &Told<'_>, nights: &Path) -> PathBuf {
    let run: Value = serde_json::from_str(
        &std::fs::read_to_string(told.run.join("manifest.json")).expect("a manifest"),
    )
    .expect("JSON");
    let id =
        blake3::hash(format!("{} {:?} {}", told.sequence, told.previous, run["run_id"]).as_bytes())
            .to_hex()
            .to_string();
    let night = nights.join(format!("{:06}-{}", told.sequence, &id[..8]));
    for (name, from) in [
        ("trunks.json", &told.trunks),
        ("accounts.csv", &told.accounts),
        ("trunkrate.toml", &told.config),
    ] {
        if let Some(from) = from {
            std::fs::create_dir_all(&night).expect("a folder");
            std::fs::copy(from, night.join(name)).expect("copied");
        }
    }
    for file in below(&told.rates) {
        let to = night.join("rates").join(file.strip_prefix(&told.rates).expect("below"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(&file, to).expect("copied");
    }
    std::fs::create_dir_all(night.join("records")).expect("a folder");
    write_table(&records(&told.calls), &night.join("records"), told.style);
    for dataset in ["legs", "calls"] {
        for file in below(&told.run.join(dataset)) {
            let frame = table(&file).drop("run_id").expect("a run's id");
            let folder = night.join(
                file.parent().and_then(|day| day.strip_prefix(&told.run).ok()).expect("below"),
            );
            write_table(&frame, &folder, told.style);
        }
    }
    std::fs::write(night.join("records/_SUCCESS"), "").expect("a marker");
    std::fs::write(night.join("records/.part-0.parquet.crc"), "crc").expect("a checksum");
    let mut counts = run["counts"].clone();
    counts.as_object_mut().expect("counts").remove("closed");
    counts["new_in_suspense"] = run["suspense"]["new"].clone();
    counts["taken_up"] = run["suspense"]["taken_up"].clone();
    let manifest = json!({
        "format": 1, "id": id, "sequence": told.sequence, "previous": told.previous, "engine": "spark 4.2.1",
        "kernel": env!("CARGO_PKG_VERSION"), "tariff_hash": tariff_hash(told), "records_digest": "0", "counts": counts,
        "suspended_by_reason": run["suspended_by_reason"], "legs": run["legs"], "amount": run["amount"],
        "newest_start": run["own_newest_start"], "files": [],
    });
    std::fs::write(night.join("manifest.json"), manifest.to_string()).expect("a manifest");
    seal(&night, |_| ());
    night
}

fn tariff_hash(told: &Told<'_>) -> String {
    let policy = told.config.as_ref().map(|path| {
        settings::parse(path, &std::fs::read_to_string(path).expect("a text")).expect("TOML")
    });
    let (trunks, accounts) = (told.trunks.as_deref(), told.accounts.as_deref());
    Inputs::load(&told.rates, trunks, accounts, policy.unwrap_or_default())
        .expect("what it was rated with")
        .hash()
}

/// Changes the manifest, and names the files in it as they are.
pub fn seal(night: &Path, change: impl FnOnce(&mut Value)) {
    let path = night.join("manifest.json");
    let mut manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("a manifest")).expect("JSON");
    let files = below(night).into_iter().filter(|file| *file != path).map(|file| {
        let name = file.strip_prefix(night).expect("below").display().to_string();
        let is_table = name.ends_with(".parquet");
        let rows = is_table.then(|| table(&file).height());
        json!({"path": name, "bytes": std::fs::metadata(&file).expect("a file").len(), "rows": rows})
    });
    manifest["files"] = files.collect();
    change(&mut manifest);
    std::fs::write(path, manifest.to_string()).expect("a manifest");
}

/// The id of a night.
pub fn id_of(night: &Path) -> String {
    let text = std::fs::read_to_string(night.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    manifest["id"].as_str().expect("an id").to_owned()
}

/// Every file below a folder, sorted.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { todo.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

pub fn table(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).expect("a file")).finish().expect("Parquet")
}

/// Writes a table over a file.
pub fn write(
    frame: &mut DataFrame,
    path: &Path,
    compression: ParquetCompression,
    group: Option<usize>,
) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let file = File::create(path).expect("a file");
    ParquetWriter::new(file)
        .with_compression(compression)
        .with_row_group_size(group)
        .finish(frame)
        .expect("Parquet");
}

fn write_table(frame: &DataFrame, folder: &Path, style: Style) {
    if style == Style::Plain {
        return write(
            &mut frame.clone(),
            &folder.join("part-0.parquet"),
            ParquetCompression::Zstd(None),
            None,
        );
    }
    let mut frame = frame.clone();
    for (name, dtype) in frame
        .schema()
        .iter_names_and_dtypes()
        .map(|(name, dtype)| (name.clone(), dtype.clone()))
        .collect::<Vec<_>>()
    {
        let wanted = match dtype {
            DataType::Int64 => DataType::Int32,
            DataType::Decimal(_, scale) => DataType::Decimal(38, scale + 4),
            DataType::Datetime(..) => DataType::Datetime(TimeUnit::Nanoseconds, None),
            _ => continue,
        };
        let column = frame.column(&name).expect("a column").cast(&wanted).expect("it fits");
        frame.replace(&name, column).expect("replaced");
    }
    // An order of its own, always the same.
    let mut order: Vec<IdxSize> =
        (0..IdxSize::try_from(frame.height()).expect("few rows")).collect();
    order.sort_by_key(|row| *blake3::hash(&row.to_le_bytes()).as_bytes());
    for (number, rows) in order.chunks(order.len().div_ceil(3).max(1)).enumerate() {
        let rows = IdxCa::from_vec("rows".into(), rows.to_vec());
        let path = folder.join(format!("part-{number:05}-c000.snappy.parquet"));
        write(&mut frame.take(&rows).expect("rows"), &path, ParquetCompression::Snappy, Some(3));
    }
}

/// The records of call files as `records/*.parquet` has them, by the CLI's own readers.
fn records(paths: &[PathBuf]) -> DataFrame {
    let files = source::find(paths).expect("call files").files;
    let here = tempfile::tempdir().expect("a folder");
    let memory = Memory::new(1 << 30);
    let room = memory.room(here.path(), 1);
    let mut dealer = Partitioner::new(1, 1, 0, &room);
    let reading = reader::read(
        &files,
        trunkrate::ledger::tables::waits::Waits::default(),
        &Policy::default(),
        (memory, &std::sync::Arc::default()),
        &mut dealer,
    )
    .expect("calls");
    let found = dealer.finish().expect("room").take(0).expect("one part").calls;
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|at| found.number[*at]);
    let spots: Vec<RecordSpot> = order
        .iter()
        .map(|at| RecordSpot { number: found.number[*at], place: found.place[*at] })
        .collect();
    let texts = reading.texts_of(&spots).expect("texts");
    let names: Vec<&str> = HEADER.split(',').collect();
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len() + 2];
    let mut lines: Vec<i64> = Vec::new();
    for (at, text) in order.iter().zip(texts) {
        let malformed =
            (found.reason[*at] == Some(Reason::MalformedRecord)).then(|| text.record.clone());
        let fields: Vec<Option<String>> = text.with_fields(|fields| {
            let fields = fields.filter(|_| malformed.is_none());
            let cell = |name: &&str| {
                fields.map(|fields| {
                    fields.0[trunkrate::record::Field::named(name).expect("a field") as usize]
                        .to_owned()
                })
            };
            names.iter().map(|name| cell(name).filter(|text| !text.is_empty())).collect()
        });
        for (column, cell) in
            cells.iter_mut().zip(fields.into_iter().chain([Some(text.file), malformed]))
        {
            column.push(cell);
        }
        lines.push(i64::try_from(text.line).expect("a line"));
    }
    let all = names.iter().copied().chain(["source_file", "malformed"]);
    let mut columns: Vec<Column> =
        all.zip(cells).map(|(name, cells)| Column::new(name.into(), cells)).collect();
    columns.push(Column::new("source_line".into(), lines));
    DataFrame::new_infer_height(columns).expect("a table")
}
