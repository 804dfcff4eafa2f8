//! Tests of `calls_csv`.

use super::*;

fn push_malformed(line: &[u8], offset: usize, calls: &mut Calls) {
    let text = without_line_end(line);
    if !text.is_empty() {
        calls.push(&Record::malformed(text), place(offset));
    }
}

fn header() -> Header {
    Header::parse(Path::new("x.csv"), b"sid,account_sid,start_time,status\n").unwrap()
}

fn reasons(text: &str) -> Vec<(u32, Option<trunkrate_kernel::reject::Reason>)> {
    let scan = scan(text.as_bytes(), b',', 4, true);
    assert_eq!(scan.end, text.len());
    let calls = parse_block(text.as_bytes(), &scan.broken, &header(), &Policy::default());
    calls.place.into_iter().zip(calls.reason).collect()
}

#[test]
fn a_stray_quote_costs_one_line() {
    use trunkrate_kernel::reject::Reason::{MalformedRecord, MissingField};
    let text =
        "CA1,AC,,x\n\"CA2,AC,,x\nCA3,\"AC\",,x\n\nCA4,\"A\nC\",,x\nCA5,\"A\"C,,x\nCA6,A\"C,,x";
    let expected = [
        (0, Some(MissingField)),
        (10, Some(MalformedRecord)),
        (21, Some(MissingField)),
        (34, Some(MissingField)),
        (47, Some(MalformedRecord)),
        (59, Some(MissingField)),
    ];
    assert_eq!(reasons(text), expected);
}

/// A program that never quotes writes the caller's names `"HQ` and `JOE"` as they are: all between
/// them was one field, and CA1 was billed with the fields of CA3.
#[test]
fn a_quote_that_swallows_whole_lines_costs_those_lines() {
    use trunkrate_kernel::reject::Reason::{MalformedRecord, MissingField};
    let wait = Some(MalformedRecord);
    let text = "CA0,AC,,x\nCA1,\"HQ,,x\nCA2,AC,,x\n\nCA3,JOE\",,x\nCA4,AC,,x\n";
    let expected =
        [(0, Some(MissingField)), (10, wait), (21, wait), (32, wait), (44, Some(MissingField))];
    assert_eq!(reasons(text), expected);
    // The last line has no end, or ends as on Windows.
    assert_eq!(reasons("CA1,\"HQ,,x\r\nCA2,JOE\",,x"), [(0, wait), (12, wait)]);
    // The text of each is its own line.
    assert_eq!(record_text(&text.as_bytes()[10..], &header()), "CA1,\"HQ,,x");
    // A text over lines is a text, if none of its lines has all columns.
    assert_eq!(reasons("CA1,\"a\nb, c\nd\",,x\n"), [(0, Some(MissingField))]);
}

/// The records of a text as the `csv` crate reads them, checked field by field: the slow way.
fn by_csv_crate(bytes: &[u8], offset: usize, header: &Header, policy: &Policy, calls: &mut Calls) {
    let mut reader = reader(header.delimiter, bytes);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap() {
        // The crate gives the place before the blank lines that it skips.
        let start = usize::try_from(record.position().unwrap().byte()).unwrap();
        let start =
            start + bytes[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let end = usize::try_from(reader.position().byte()).unwrap();
        match header.fields_of_record(&record) {
            Some(fields) => calls.push(&Record::read(&fields, policy), place(offset + start)),
            None => push_malformed(&bytes[start..end.max(start)], offset + start, calls),
        }
    }
}

/// The records of a block, as text.
fn told(calls: &Calls) -> Vec<String> {
    let text =
        |interner: &trunkrate_kernel::intern::Interner, id: u32| interner.text(id).to_owned();
    let one = |at: usize| {
        let (from, to) =
            (calls.from[at].unpack(&calls.parties), calls.to[at].unpack(&calls.parties));
        let texts =
            [text(&calls.accounts, calls.account[at]), text(&calls.trunks, calls.trunk[at])];
        let price = format!("{:?}", calls.price[at]);
        let child = calls.child_of(at).map(|child| {
            let asked = match child.asked {
                trunkrate_kernel::party_ref::AskedRef::Sip(id, user) => {
                    format!("{} {user:?}", text(&calls.parties, id))
                }
                other => format!("{other:?}"),
            };
            (
                calls.odd_sids.text(child.parent).to_string(),
                asked,
                text(&calls.directions, child.direction),
            )
        });
        let times = (calls.start[at], calls.end[at], calls.duration[at]);
        let kinds = (calls.direction[at], calls.status[at], calls.reason[at]);
        let sid = calls.sid_text(at).to_string();
        format!(
            "{sid:?} {} {} {texts:?} {kinds:?} {from:?} {to:?} {times:?} {price:?} {child:?}",
            calls.content[at], calls.place[at]
        )
    };
    (0..calls.len()).map(one).collect()
}

fn hold_against_the_csv_crate(bytes: &[u8], header: &Header) {
    let policy = Policy::default();
    // First as one text, whatever its quotes are; then as the block that `scan` makes of it.
    let mut expected = Calls::default();
    by_csv_crate(bytes, 0, header, &policy, &mut expected);
    assert_eq!(told(&parse_block(bytes, &[], header, &policy)), told(&expected));
    let scan = scan(bytes, header.delimiter, header.names.len(), true);
    let (mut expected, mut start) = (Calls::default(), 0);
    for line in &scan.broken {
        by_csv_crate(&bytes[start..line.start], start, header, &policy, &mut expected);
        push_malformed(&bytes[line.clone()], line.start, &mut expected);
        start = line.end;
    }
    by_csv_crate(&bytes[start..], start, header, &policy, &mut expected);
    let calls = parse_block(bytes, &scan.broken, header, &policy);
    assert_eq!(told(&calls), told(&expected));
    // The crate drops a byte-order mark at the start of a text, so that a quote after it opens.
    if !bytes.windows(3).any(|three| three == BYTE_ORDER_MARK) {
        assert_eq!(count(bytes, &scan.broken, header.delimiter), calls.len() as u64);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 4000, ..Default::default() })]

    /// Pieces that are special to a CSV reader, in any order.
    #[test]
    fn hostile_texts_come_to_what_the_csv_crate_reads(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..60),
        delimiter in proptest::sample::select(&b",;\t|"[..]),
    ) {
        let own = |byte| if byte == b',' { delimiter } else { byte };
        let text: Vec<u8> = pieces.concat().into_iter().map(own).collect();
        let line = String::from_utf8(vec![delimiter]).unwrap();
        let header = Header::parse(Path::new("x.csv"), ["sid", "note", "to", "duration"].join(&line).as_bytes()).unwrap();
        hold_against_the_csv_crate(&text, &header);
    }

    /// Records with a few wrong bytes, long enough for several chunks of 64 bytes.
    #[test]
    fn records_with_a_few_wrong_bytes_come_to_what_the_csv_crate_reads(
        records in proptest::collection::vec(
            (
                proptest::collection::vec(proptest::sample::select(FIELDS), 8),
                0..3_usize,
                0..3_usize,
            ),
            0..12,
        ),
        wrong in proptest::collection::vec((0..2000_usize, proptest::sample::select(&b"\",\n\r\0\xc3\xa9 x"[..])), 0..4),
    ) {
        let header = Header::parse(
            Path::new("x.csv"), b"sid,parent_call_sid,account_sid,direction,note,to,start_time,status"
        ).unwrap();
        let mut text = Vec::new();
        for (fields, quotes, end) in &records {
            let quoted = |field: &&str| match quotes {
                0 => (*field).to_owned(),
                1 => format!("\"{field}\""),
                _ => format!("\"{}\"", field.replace('i', "\"\"")),
            };
            text.extend(fields.iter().map(quoted).collect::<Vec<_>>().join(",").bytes());
            text.extend(["\n", "\r\n", "\r"][*end].bytes());
        }
        hold_against_the_csv_crate(&text, &header);
        for (at, byte) in wrong {
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
        }
        hold_against_the_csv_crate(&text, &header);
    }
}

const PIECES: &[&[u8]] = &[
    b",",
    b",",
    b",",
    b",",
    b",",
    b",",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r",
    b"\"",
    b"\"",
    b"\"\"",
    b"\",\"",
    b"a",
    b"CA1",
    b"+14155550100",
    b"60",
    b" ",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xa9",
    "é".as_bytes(),
    "\u{85}".as_bytes(),
    BYTE_ORDER_MARK,
    b"\xef",
    b"\t",
    b"|",
    b"a longer piece, so that rows go beyond the sixty-four bytes that are looked at in one go",
];

const FIELDS: &[&str] = &[
    "",
    "CA0bdc88b056e88bb6c1e8637a637f44cf",
    "CA0bdc88b056e88bb6c1e8637a637f44cF",
    "ACc7b239036b73c72bfd1ea52b45589d75",
    "trunking-terminating",
    "Trunking_Originating",
    "+16148253210",
    "sip:1000@pbx.example.com",
    "<sip:+14155550100@x.pstn.twilio.com>",
    "2026-11-20T23:56:39Z",
    "Fri, 20 Nov 2026 21:15:00 +0000",
    "completed",
    "Zoë",
    "two\nlines",
];

#[test]
fn blocks_end_where_records_do() {
    let cut = |text: &str| scan(text.as_bytes(), b',', 4, false).end;
    assert_eq!(cut("a,b\nc,d\ne"), 8);
    assert_eq!(cut("a,b\nc,\"d\ne"), 4);
    assert_eq!(cut("a,b\nc,\"d\ne\"\n"), 12);
    assert_eq!(cut("a,b"), 0);
    let open = format!("a,\"b\n{}", "x\n".repeat(LONGEST_FIELD));
    assert_eq!(scan(open.as_bytes(), b',', 4, false).broken, vec![0..5]);
}

#[test]
fn delimiters_are_found_and_other_files_refused() {
    for (line, delimiter) in [
        ("Sid;AccountSid;Status", b';'),
        ("\u{feff}sid\taccount_sid\tstatus\r\n", b'\t'),
        ("sid|account sid|STATUS", b'|'),
    ] {
        assert_eq!(Header::parse(Path::new("x"), line.as_bytes()).unwrap().delimiter, delimiter);
    }
    for bad in ["ISO,Country,Description", "sid", "sid,SID,status,to", "%PDF-1.7", "", "<html>"] {
        assert!(Header::parse(Path::new("x"), bad.as_bytes()).is_err(), "{bad}");
    }
}
