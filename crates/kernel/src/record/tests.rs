//! Tests of `record`.

use super::*;

fn read<'a>(pairs: &[(Field, &'a str)]) -> Record<'a> {
    let mut fields = Fields::default();
    let good = [
        (Field::Sid, "CA1"),
        (Field::AccountSid, "AC1"),
        (Field::Direction, "Trunking_Terminating"),
        (Field::To, "+14155550100"),
        (Field::StartTime, "2026-11-20T21:15:00Z"),
        (Field::EndTime, "2026-11-20T21:16:00Z"),
        (Field::Duration, "60"),
        (Field::Status, "completed"),
    ];
    for (field, text) in good.iter().chain(pairs) {
        fields.0[*field as usize] = text;
    }
    Record::read(&fields, &Policy::default())
}

#[test]
fn durations() {
    let table = [
        ("0", 0),
        ("60", 60),
        ("60.0", 60),
        ("59.2", 60),
        ("0.0000001", 1),
        ("007", 7),
        ("61", 61),
        (" 5 ", 5),
    ];
    for (text, seconds) in table {
        let record = read(&[(Field::Duration, text)]);
        assert_eq!((record.duration, record.reason), (seconds, None), "{text}");
    }
    for bad in [
        "-1",
        "-0",
        "+5",
        "1e3",
        "0x10",
        "1_000",
        "5.",
        ".5",
        "٣",
        "00:01:00",
        "61.1",
        "86401",
        "4294967297",
        "",
        "1 2",
    ] {
        assert_eq!(read(&[(Field::Duration, bad)]).reason, Some(Reason::InvalidDuration), "{bad}");
    }
    let busy = read(&[(Field::Duration, ""), (Field::Status, "BUSY")]);
    assert_eq!((busy.reason, busy.status), (None, Status::Busy));
}

#[test]
fn the_first_reason_is_given() {
    let all_wrong = [
        (Field::Sid, ""),
        (Field::StartTime, "x"),
        (Field::Duration, "-1"),
        (Field::Status, "ringing"),
    ];
    let expected =
        [Reason::MissingField, Reason::InvalidTime, Reason::InvalidDuration, Reason::NotFinal];
    for (mended, reason) in expected.into_iter().enumerate() {
        assert_eq!(read(&all_wrong[mended..]).reason, Some(reason));
    }
    assert_eq!(read(&[]).reason, None);
}

#[test]
fn required_fields() {
    for field in [
        Field::Sid,
        Field::AccountSid,
        Field::StartTime,
        Field::Status,
        Field::Direction,
        Field::To,
    ] {
        assert_eq!(read(&[(field, " ")]).reason, Some(Reason::MissingField), "{field:?}");
    }
    assert_eq!(read(&[(Field::ParentCallSid, "CA0"), (Field::Direction, "")]).reason, None);
    assert_eq!(
        read(&[(Field::ParentCallSid, "CA0"), (Field::To, ""), (Field::ReferTo, "x")]).reason,
        None
    );
    assert_eq!(
        read(&[(Field::ParentCallSid, "CA0"), (Field::To, "")]).reason,
        Some(Reason::MissingField)
    );
}

#[test]
fn words_for_nothing_are_nothing() {
    for text in
        ["NULL", "null", "None", "nan", "NaN", "N/A", "\\N", "NaT", "<NA>", "#N/A", " NULL "]
    {
        let record =
            read(&[(Field::ParentCallSid, text), (Field::EndTime, text), (Field::Price, text)]);
        assert_eq!(
            (record.parent_sid, record.end, record.price, record.reason),
            ("", NO_TIME, "", None),
            "{text}"
        );
        assert_eq!(read(&[(Field::Sid, text)]).reason, Some(Reason::MissingField), "{text}");
    }
    assert_eq!(read(&[(Field::ParentCallSid, "-"), (Field::TrunkSid, "-")]).parent_sid, "");
    assert_eq!(read(&[(Field::From, "-")]).from, "-");
    assert_eq!(read(&[(Field::From, "Nancy")]).from, "Nancy");
}

#[test]
fn directions() {
    let reason = |text| read(&[(Field::Direction, text)]).reason;
    for trunk in [
        "Trunking Terminating",
        "TrunkingTerminating",
        "TRUNKING_TERMINATING",
        "trunking originating",
    ] {
        assert_eq!(reason(trunk), None, "{trunk}");
    }
    for other in ["inbound", "Outbound API", "outbound_dial", "INBOUND"] {
        assert_eq!(
            (reason(other), read(&[(Field::Direction, other)]).direction),
            (None, DirectionField::Other),
            "{other}"
        );
    }
    for unknown in ["outbound", "trunking-termination", "trunking", "x"] {
        assert_eq!(reason(unknown), Some(Reason::UnknownDirection), "{unknown}");
        assert_eq!(
            read(&[(Field::ParentCallSid, "CA0"), (Field::Direction, unknown)]).reason,
            None,
            "{unknown}"
        );
    }
}

#[test]
fn answers() {
    let reason =
        |answer, duration| read(&[(Field::AnswerTime, answer), (Field::Duration, duration)]).reason;
    let table = [
        ("2026-11-20T21:15:00Z", "60", None),
        ("2026-11-20T21:15:30Z", "31", None),
        ("2026-11-20T21:15:30Z", "32", Some(Reason::InvalidDuration)),
        ("2026-11-20T21:14:59Z", "0", Some(Reason::InvalidTime)),
        ("2026-11-20T21:16:01Z", "0", Some(Reason::InvalidTime)),
        ("soon", "0", Some(Reason::InvalidTime)),
    ];
    for (answer, duration, expected) in table {
        assert_eq!(reason(answer, duration), expected, "{answer} {duration}");
    }
}

#[test]
fn the_price_is_no_content_and_forms_of_one_time_are_one() {
    let plain = read(&[]).content;
    assert_eq!(read(&[(Field::Price, "-0.01"), (Field::PriceUnit, "USD")]).content, plain);
    assert_eq!(read(&[(Field::StartTime, "Fri, 20 Nov 2026 21:15:00 +0000")]).content, plain);
    assert_eq!(read(&[(Field::Duration, "59.5")]).content, plain);
    assert_ne!(read(&[(Field::Duration, "59")]).content, plain);
    assert_ne!(read(&[(Field::From, "x")]).content, plain);
    assert_eq!(
        read(&[(Field::To, "<SIP:+1-415-555-0100@acme.pstn.twilio.com;user=phone>")]).content,
        plain
    );
    assert_eq!(
        read(&[(Field::TrunkSid, "NULL"), (Field::From, "n/a"), (Field::AnswerTime, "\\N")])
            .content,
        plain
    );
    let child = |to| read(&[(Field::ParentCallSid, "CA0"), (Field::To, to)]).content;
    assert_eq!(child("sip:a@h.example"), child("<sip:a@H.example:5060>"));
    assert_ne!(child("sip:+14155550100@h.example"), child("+14155550100"), "the host decides");
    let long = "x".repeat(5000);
    assert_ne!(read(&[(Field::From, &long)]).content, read(&[(Field::From, &long[1..])]).content);
}

#[test]
fn header_names() {
    for (name, field) in [
        ("ParentCallSid", Field::ParentCallSid),
        ("parent call sid", Field::ParentCallSid),
        ("\u{feff}SID", Field::Sid),
        ("Call Sid", Field::Sid),
        ("Start Time", Field::StartTime),
    ] {
        assert_eq!(Field::named(name), Some(field));
    }
    assert_eq!(Field::named("uri"), None);
}
