//! Checks that polars reads back the values that were written.

use super::schema::*;
use super::writer::*;
use super::*;
use crate::ledger_columns::{Column as TableColumn, ColumnType};
use crate::sid::{OddSids, SidText};
use polars::prelude::*;
use proptest::prelude::*;
use std::io::Cursor;

fn write(columns: &[TableColumn], groups: Vec<Vec<Encoded>>) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &schema(columns));
    for group in groups {
        writer.write_row_group(group[0].rows(), group).expect("a Vec takes it");
    }
    writer.finish().expect("a Vec takes it")
}

fn read(file: &[u8]) -> DataFrame {
    ParquetReader::new(Cursor::new(file)).finish().expect("a file of Parquet")
}

fn text_series(values: &[&str]) -> Column {
    let values: Vec<Option<&str>> =
        values.iter().map(|text| Some(*text).filter(|text| !text.is_empty())).collect();
    StringChunked::new("t".into(), values).into_column()
}

fn number_series(kind: ColumnType, values: &[Option<i64>]) -> Column {
    match kind {
        ColumnType::Text | ColumnType::Flag => unreachable!("a number"),
        ColumnType::Integer => Int64Chunked::new("n".into(), values).into_column(),
        ColumnType::Instant => Int64Chunked::new("n".into(), values)
            .into_datetime(polars::prelude::TimeUnit::Microseconds, Some(TimeZone::UTC))
            .into_column(),
        ColumnType::Decimal(scale) => {
            let values: Vec<Option<i128>> =
                values.iter().map(|value| value.map(i128::from)).collect();
            Int128Chunked::new("n".into(), values)
                .into_decimal_unchecked(18, scale as usize)
                .into_column()
        }
    }
}

/// The values that polars reads from its own file: the types that readers of the ledger are used
/// to.
fn through_polars(columns: Vec<Column>) -> DataFrame {
    let mut frame = DataFrame::new_infer_height(columns).expect("columns");
    let mut file = Vec::new();
    ParquetWriter::new(&mut file).finish(&mut frame).expect("a Vec takes it");
    read(&file)
}

fn texts_of(values: &[&str]) -> Encoded {
    let mut column = TextColumn::new();
    for value in values {
        column.push_with(|bytes| bytes.extend_from_slice(value.as_bytes()));
    }
    texts(&column)
}

/// Adds texts; one that equals the one before is added by `push_again`.
fn texts_again(values: &[&str]) -> Encoded {
    let mut column = TextColumn::new();
    for (row, value) in values.iter().enumerate() {
        if row > 0 && values[row - 1] == *value {
            column.push_again();
        } else {
            column.push(value.as_bytes());
        }
    }
    texts(&column)
}

fn dictionary_of(values: &[&str]) -> Encoded {
    let mut distinct: Vec<&str> = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let ids: Vec<u32> = values
        .iter()
        .map(|value| u32::try_from(distinct.binary_search(value).unwrap()).unwrap())
        .map(|id| if distinct[id as usize].is_empty() && id % 2 == 0 { NONE } else { id })
        .collect();
    dictionary(&ids, distinct.len(), |id| distinct[id as usize])
}

/// Two ids for each text: the texts have numbers of their own.
fn texts_by_ids(values: &[&str]) -> Encoded {
    let mut distinct: Vec<&str> = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let id = |row: usize, value: &&str| {
        u32::try_from(distinct.binary_search(value).unwrap() * 2 + row % 2).unwrap()
    };
    let ids: Vec<u32> = values
        .iter()
        .enumerate()
        .map(|(row, value)| if value.is_empty() && row % 3 == 0 { NONE } else { id(row, value) })
        .collect();
    Ids::new(&ids, distinct.len() * 2).texts(|id| id / 2, |number| distinct[number as usize])
}

fn integer_dictionary_of(values: &[Option<i64>]) -> Encoded {
    let mut distinct: Vec<i64> = values.iter().copied().flatten().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let id = |value: i64| u32::try_from(distinct.binary_search(&value).unwrap()).unwrap();
    let ids: Vec<u32> = values.iter().map(|value| value.map_or(NONE, id)).collect();
    integer_dictionary(&ids, distinct.len(), |id| distinct[id as usize])
}

/// Adds ids; one that equals the one before is added by `push_again`.
fn sids_of(values: &[&str]) -> Encoded {
    let mut odd = OddSids::default();
    let mut column = SidColumn::default();
    column.push(SidText::Odd("before"));
    column.clear();
    for (row, value) in values.iter().enumerate() {
        let sid = odd.sid(value);
        if row > 0 && values[row - 1] == *value {
            column.push_again();
        } else {
            column.push(odd.text(sid));
        }
    }
    sids(&column)
}

fn assert_same(ours: &DataFrame, wanted: &DataFrame) {
    assert_eq!(ours.schema(), wanted.schema());
    assert!(ours.equals_missing(wanted), "{ours} is not {wanted}");
}

fn check_texts(groups: &[Vec<&str>]) {
    let wanted = through_polars(vec![text_series(&groups.concat())]);
    for encode in [texts_of, texts_again, dictionary_of, texts_by_ids, sids_of] {
        let file = write(
            &[("t", ColumnType::Text)],
            groups.iter().map(|group| vec![encode(group)]).collect(),
        );
        assert_same(&read(&file), &wanted);
    }
}

fn check_numbers(kind: ColumnType, groups: &[Vec<Option<i64>>]) {
    let all = groups.concat();
    let wanted = through_polars(vec![number_series(kind, &all)]);
    let optional = |group: &[Option<i64>]| -> Encoded { optional_integers(group.iter().copied()) };
    let whole = |group: &[Option<i64>]| {
        integers(&group.iter().map(|value| value.unwrap()).collect::<Vec<_>>())
    };
    for (encode, takes_nulls) in
        [(optional as fn(&_) -> _, true), (integer_dictionary_of, true), (whole, false)]
    {
        if !takes_nulls && all.contains(&None) {
            continue;
        }
        let file = write(&[("n", kind)], groups.iter().map(|group| vec![encode(group)]).collect());
        assert_same(&read(&file), &wanted);
    }
}

/// Numbers that look random and are the same every time.
fn random(seed: usize) -> impl Iterator<Item = i64> {
    std::iter::successors(Some((seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1), |x| {
        let x = x ^ (x << 13);
        let x = x ^ (x >> 7);
        Some(x ^ (x << 17))
    })
    .skip(9)
    .map(|x| (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 8).cast_signed())
}

/// Makes `count` ids in the carrier's form.
fn random_sids(seed: usize, count: usize) -> Vec<String> {
    let mut halves = random(seed);
    let mut half =
        || halves.next().expect("no end").cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..count).map(|_| format!("CA{:016x}{:016x}", half(), half())).collect()
}

const KINDS: [ColumnType; 4] =
    [ColumnType::Integer, ColumnType::Instant, ColumnType::Decimal(8), ColumnType::Decimal(10)];

#[test]
fn texts_come_back() {
    let long = "è".repeat(16 << 10);
    check_texts(&[vec!["a"]]);
    check_texts(&[vec![""]]);
    check_texts(&[vec!["", "", ""], vec!["x"], vec!["", "y", ""]]);
    check_texts(&[vec!["a", "", "ß", "日本語", &long, "a", "", &long]]);
    check_texts(&[vec![]]);
    check_texts(&[vec!["a"; 70_000], vec!["b"; 3]]);
    for (text, rows) in [("a", 1), ("日本", 70_000), ("", 9), (long.as_str(), 3), ("a", 0)] {
        let file = write(&[("t", ColumnType::Text)], vec![vec![constant_text(text, rows)]]);
        assert_same(&read(&file), &through_polars(vec![text_series(&vec![text; rows])]));
    }
    for rows in [7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 257, 513] {
        let texts: Vec<String> =
            random(rows).take(rows).map(|x| "z".repeat(usize::try_from(x % 5).unwrap())).collect();
        check_texts(&[texts.iter().map(String::as_str).collect()]);
    }
}

#[test]
fn many_texts_come_back() {
    let sids: Vec<String> = random(1).take(140_000).map(|x| format!("CA{x:032x}")).collect();
    let some: Vec<String> = random(2)
        .take(140_000)
        .map(|x| if x % 3 == 0 { String::new() } else { format!("+{x}") })
        .collect();
    let few: Vec<String> =
        random(3).take(140_000).map(|x| format!("account {}", x % 200)).collect();
    let runs: Vec<String> = (0..140_000)
        .map(|row| if row % 1000 < 300 { String::new() } else { (row / 700).to_string() })
        .collect();
    for texts in [sids, some, few, runs] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        check_texts(&texts.chunks(1 << 16).map(<[&str]>::to_vec).collect::<Vec<_>>());
    }
}

#[test]
fn numbers_come_back() {
    let largest = 999_999_999_999_999_999;
    for kind in KINDS {
        check_numbers(kind, &[vec![Some(0)]]);
        check_numbers(kind, &[vec![None]]);
        check_numbers(kind, &[vec![]]);
        check_numbers(kind, &[vec![None; 3], vec![Some(5)], vec![None, Some(-7), None]]);
        check_numbers(
            kind,
            &[vec![Some(largest), Some(-largest), Some(largest), Some(0), Some(-largest)]],
        );
        check_numbers(kind, &[vec![Some(7); 70_000]]);
        for rows in [7, 8, 9, 31, 32, 33, 63, 64, 65, 66, 255, 256, 257, 258, 513] {
            check_numbers(kind, &[random(rows).take(rows).map(|x| Some(x % 9 - 4)).collect()]);
        }
        for (seed, most) in [2, 3600, 60_000, 1 << 50].into_iter().enumerate() {
            let whole: Vec<Option<i64>> =
                random(seed).take(70_000).map(|x| Some(x % most)).collect();
            let holes: Vec<Option<i64>> =
                whole.iter().map(|value| value.filter(|value| value % 10 != 0)).collect();
            let rare: Vec<Option<i64>> = whole
                .iter()
                .enumerate()
                .map(|(row, value)| value.filter(|_| row % 9000 == 77))
                .collect();
            for values in [whole, holes, rare] {
                check_numbers(
                    kind,
                    &values.chunks(1 << 16).map(<[Option<i64>]>::to_vec).collect::<Vec<_>>(),
                );
            }
        }
    }
    check_numbers(
        ColumnType::Integer,
        &[vec![Some(i64::MIN), Some(i64::MAX), None, Some(i64::MIN), Some(-1), Some(i64::MAX)]],
    );
}

/// True if the values of a column are a frame of codes alone: only such a frame has its size in
/// eight bytes.
fn is_codes(column: &Encoded) -> bool {
    column.data.compressed && column.data.bytes[column.levels + 4] >> 6 == 3
}

#[test]
fn sids_come_back() {
    // The first id is text in the head; 4,096 of the others are a block.
    for rows in [1, 2, 63, 64, 65, 100, 4_095, 4_096, 4_097, 4_098, 8_192, 8_193, 8_194, 70_000] {
        let sids = random_sids(rows, rows);
        let sids: Vec<&str> = sids.iter().map(String::as_str).collect();
        check_texts(std::slice::from_ref(&sids));
        assert_eq!(is_codes(&sids_of(&sids)), rows >= 64, "{rows}");
        assert!(sids_of(&sids).data.bytes.len() <= texts_of(&sids).data.bytes.len(), "{rows}");
        // Half of them are null, and some equal the one before.
        let holes: Vec<&str> =
            sids.iter().enumerate().map(|(row, sid)| if row % 7 < 3 { "" } else { sid }).collect();
        let again: Vec<&str> = holes
            .iter()
            .enumerate()
            .map(|(row, _)| holes[row - usize::from(row % 3 == 2)])
            .collect();
        check_texts(&[holes, again, vec![], sids]);
    }
}

/// One id in another form, at any place, turns all into texts.
#[test]
fn odd_sids_come_back() {
    let carriers = random_sids(1, 5_000);
    let zero = format!("CA{:032x}", 0);
    for odd in [
        "é",
        "ca00000000000000000000000000000001",
        "CA0123",
        &zero,
        &"x".repeat(70_000),
        &carriers[0].to_uppercase(),
    ] {
        for place in [0, 1, 2_500, 4_999] {
            let mut sids: Vec<&str> = carriers.iter().map(String::as_str).collect();
            (sids[place], sids[77], sids[3_000], sids[3_001]) = (odd, "", "", "");
            check_texts(std::slice::from_ref(&sids));
            assert!(sids_of(&sids).data.bytes == texts_again(&sids).data.bytes);
        }
    }
    // Every second row group has one.
    let carriers: Vec<&str> = carriers.iter().map(String::as_str).collect();
    check_texts(&[
        carriers.clone(),
        vec!["odd"; 300],
        carriers.clone(),
        [&carriers[..], &["odd", "odd"], &carriers].concat(),
    ]);
}

/// Consecutive ids are smaller as texts.
#[test]
fn sids_that_are_not_random_are_texts() {
    let counted: Vec<String> =
        (0..70_000).map(|id| format!("CA{:032x}", 7_u128 << 100 | id << 8)).collect();
    let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
    check_texts(std::slice::from_ref(&counted));
    assert!(!is_codes(&sids_of(&counted)));
    assert!(sids_of(&counted).data.bytes.len() < 70_000 * 8);
}

/// Numbers that hardly repeat are codes alone; a single repeated number, or text of other signs,
/// goes through zstd.
#[test]
fn long_columns_of_texts_come_back() {
    let rows = 70_000;
    let column =
        |seed, text: &dyn Fn(i64) -> String| random(seed).take(rows).map(text).collect::<Vec<_>>();
    let numbers = column(4, &|x| format!("+49{}", x % 10_000_000_000));
    let holes =
        column(5, &|x| if x % 3 == 0 { String::new() } else { format!("+{}", x % 10_000_000_000) });
    let one = column(6, &|_| "+442079460110".to_owned());
    let accents = column(7, &|x| format!("é{x}"));
    for (texts, has_codes) in [(numbers, true), (holes, true), (one, false), (accents, false)] {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        check_texts(std::slice::from_ref(&texts));
        assert_eq!(is_codes(&texts_of(&texts)), has_codes, "{}", texts[0]);
        assert!(texts_of(&texts).data.bytes.len() < texts.concat().len() / 2);
    }
}

/// Three row groups of all kinds: start times that ascend, ids, accounts, prices, end times.
fn table() -> (Vec<u8>, DataFrame) {
    let columns = [
        ("id", ColumnType::Text),
        ("number", ColumnType::Text),
        ("start_time", ColumnType::Instant),
        ("account", ColumnType::Text),
        ("price", ColumnType::Decimal(10)),
        ("end_time", ColumnType::Instant),
        ("currency", ColumnType::Text),
    ];
    let rows = 3 * 10_000;
    let ids = random_sids(5, rows);
    let numbers: Vec<String> =
        random(8).take(rows).map(|x| format!("+49{}", x % 10_000_000_000)).collect();
    let starts: Vec<i64> =
        (0..).take(rows).map(|row| 1_790_000_000_000_000 + row * 1_500_000).collect();
    let accounts: Vec<u32> = random(6)
        .take(rows)
        .map(|x| if x % 50 == 0 { NONE } else { u32::try_from(x % 30).unwrap() })
        .collect();
    let names: Vec<String> = (0..30).map(|number| format!("AC{number:032x}")).collect();
    let name = |id: u32| if id == NONE { "" } else { names[id as usize].as_str() };
    let price = |id: u32| i64::from(id) * 135_000_000;
    let ends: Vec<Option<i64>> =
        starts.iter().map(|start| (start % 7 != 0).then_some(start + 60_000_000)).collect();
    let mut groups = Vec::new();
    for from in (0..rows).step_by(10_000) {
        let part = from..from + 10_000;
        groups.push(vec![
            sids_of(&ids[part.clone()].iter().map(String::as_str).collect::<Vec<_>>()),
            texts_of(&numbers[part.clone()].iter().map(String::as_str).collect::<Vec<_>>()),
            integers(&starts[part.clone()]),
            dictionary(&accounts[part.clone()], 30, name),
            integer_dictionary(&accounts[part.clone()], 30, price),
            optional_integers(ends[part].iter().copied()),
            constant_text("EUR", 10_000),
        ]);
    }
    let prices: Vec<Option<i64>> =
        accounts.iter().map(|id| (*id != NONE).then(|| price(*id))).collect();
    let starts: Vec<Option<i64>> = starts.into_iter().map(Some).collect();
    let frame = through_polars(vec![
        text_series(&ids.iter().map(String::as_str).collect::<Vec<_>>()).with_name("id".into()),
        text_series(&numbers.iter().map(String::as_str).collect::<Vec<_>>())
            .with_name("number".into()),
        number_series(ColumnType::Instant, &starts).with_name("start_time".into()),
        text_series(&accounts.iter().map(|id| name(*id)).collect::<Vec<_>>())
            .with_name("account".into()),
        number_series(ColumnType::Decimal(10), &prices).with_name("price".into()),
        number_series(ColumnType::Instant, &ends).with_name("end_time".into()),
        text_series(&vec!["EUR"; rows]).with_name("currency".into()),
    ]);
    (write(&columns, groups), frame)
}

#[test]
fn tables_come_back_in_parts() {
    let (file, frame) = table();
    assert_same(&read(&file), &frame);
    for (offset, length) in
        [(0, 1), (9_990, 20), (29_999, 1), (12_345, 10_000), (0, 30_000), (5, 0)]
    {
        let part = ParquetReader::new(Cursor::new(&file))
            .with_slice(Some((offset, length)))
            .finish()
            .unwrap();
        assert_same(&part, &frame.slice(i64::try_from(offset).unwrap(), length));
    }
    let names = ["price", "id"];
    let part = ParquetReader::new(Cursor::new(&file))
        .with_columns(Some(names.iter().map(ToString::to_string).collect()))
        .finish()
        .unwrap();
    for name in names {
        assert_eq!(part.column(name).unwrap(), frame.column(name).unwrap());
    }
}

/// Many ids of one text or integer, unused ids, and more ids than make a dictionary.
#[test]
fn ids_come_back() {
    let texts = ["unused", "a", "", "b", "a"];
    let ids = [1, 2, 3, 4, NONE, 1];
    let file =
        write(&[("t", ColumnType::Text)], vec![vec![dictionary(&ids, 5, |id| texts[id as usize])]]);
    assert_same(&read(&file), &through_polars(vec![text_series(&["a", "", "b", "a", "", "a"])]));

    let rows = 40_000;
    let ids: Vec<u32> = random(7)
        .take(rows)
        .map(|x| if x % 9 == 0 { NONE } else { u32::try_from(x % 100_000).unwrap() })
        .collect();
    let names: Vec<String> = (0..100_000)
        .map(|id| if id % 5 == 0 { String::new() } else { format!("name {id}") })
        .collect();
    let name = |id: u32| if id == NONE { "" } else { names[id as usize].as_str() };
    let file = write(&[("t", ColumnType::Text)], vec![vec![dictionary(&ids, names.len(), name)]]);
    assert_same(
        &read(&file),
        &through_polars(vec![text_series(&ids.iter().map(|id| name(*id)).collect::<Vec<_>>())]),
    );
    for distinct in [1, 70, 100_000] {
        let value = |id: u32| i64::from(id) % distinct * 1_000_000;
        let file = write(
            &[("n", ColumnType::Integer)],
            vec![vec![integer_dictionary(&ids, names.len(), value)]],
        );
        let values: Vec<Option<i64>> =
            ids.iter().map(|id| (*id != NONE).then(|| value(*id))).collect();
        assert_same(
            &read(&file),
            &through_polars(vec![number_series(ColumnType::Integer, &values)]),
        );
    }
}

/// The bounds of start times are in the footer, and nulls of all columns.
#[test]
fn columns_have_statistics() {
    use polars_parquet::parquet::statistics::Statistics;
    let (file, _) = table();
    let metadata = polars_parquet::parquet::read::read_metadata(&mut Cursor::new(&file)).unwrap();
    assert_eq!(
        metadata.created_by.as_deref(),
        Some(concat!("trunkrate ", env!("CARGO_PKG_VERSION")))
    );
    for (number, group) in (0..).zip(&metadata.row_groups) {
        let columns: Vec<_> = group
            .parquet_columns()
            .iter()
            .map(|column| column.statistics(&metadata.footer_buf).unwrap().unwrap())
            .collect();
        let Statistics::Int64(starts) = &columns[2] else { panic!("not integers") };
        let first = 1_790_000_000_000_000 + number * 10_000 * 1_500_000;
        assert_eq!(
            (starts.min_value, starts.max_value),
            (Some(first), Some(first + 9_999 * 1_500_000))
        );
        assert_eq!(
            columns.iter().map(|s| s.null_count().unwrap() > 0).collect::<Vec<_>>(),
            [false, false, false, true, true, true, false]
        );
    }
}

#[test]
fn the_same_values_are_the_same_bytes() {
    let first = table().0;
    let other = std::thread::spawn(|| {
        // Earlier encodings on the thread must not matter.
        let _ = dictionary_of(&["x", "y", "x"]);
        let _ = texts_of(&vec!["abc"; 50_000]);
        let _ = sids_of(&["odd", "é", ""]);
        table().0
    });
    assert_eq!(first, other.join().unwrap());
    assert_eq!(first, table().0);
}

proptest! {
    #[test]
    fn any_texts_come_back(groups in prop::collection::vec(
        prop::collection::vec("(|.|[ab]|.{0,40})", 0..300),
        1..4,
    )) {
        let groups: Vec<Vec<&str>> =
            groups.iter().map(|group| group.iter().map(String::as_str).collect()).collect();
        check_texts(&groups);
    }

    #[test]
    fn any_sids_come_back(
        ids in prop::collection::vec(any::<u128>(), 60..400),
        nulls in 1_usize..9,
        runs in 1_usize..4,
        odd in prop::option::of(0_usize..400),
    ) {
        let mut ids: Vec<String> = ids.iter().map(|id| format!("CA{id:032x}")).collect();
        ids.iter_mut().skip(3).step_by(nulls + 1).for_each(String::clear);
        if let Some(id) = odd.and_then(|odd| ids.get_mut(odd)) {
            id.push('!');
        }
        check_texts(&[ids.iter().flat_map(|id| std::iter::repeat_n(id.as_str(), runs)).collect()]);
    }

    #[test]
    fn any_numbers_come_back(
        groups in prop::collection::vec(
            prop::collection::vec(prop::option::of(any::<i64>()), 0..600),
            1..4,
        ),
        narrow in 0_u32..63,
        runs in 1_usize..40,
    ) {
        let groups: Vec<Vec<Option<i64>>> = groups
            .iter()
            .map(|group| {
                group
                    .iter()
                    .flat_map(|value| std::iter::repeat_n(value.map(|value| value >> narrow), runs))
                    .collect()
            })
            .collect();
        check_numbers(ColumnType::Integer, &groups);
    }
}
