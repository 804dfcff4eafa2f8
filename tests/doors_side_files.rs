//! What stands beside calls: decks, accounts, monthly items, buyers. Whatever would make a bill
//! wrong there is refused or said, never passed over.

use crate::support::{DECK_HEADER, Night, call_file};
use serde_json::{Value, json};
use std::path::Path;

const SELLER: &str = "[seller]\nname = \"Carrier\"\naddress = [\"1 Street\"]\ncountry = \"DE\"\ntax_id = \"DE000000018\"\n[invoice]\ntax_category = \"standard\"\ntax_rate = \"19\"\n";

/// Two decks: `default` in USD at 0.0100 a minute, `eur` at 0.0200.
fn two_decks() -> Night {
    let night = Night::new();
    for (folder, currency, price) in [("default", "USD", "0.0100"), ("eur", "EUR", "0.0200")] {
        night.file(
            &format!("rates/{folder}/deck.toml"),
            format!("name = \"{folder}\"\ncurrency = \"{currency}\"\n"),
        );
        night.file(
            &format!("rates/{folder}/p.csv"),
            format!("{DECK_HEADER}\nUS,United States,US,{price},,1,termination,,,,,,\n"),
        );
    }
    night
}

/// A call of one minute.
fn call(id: &str, account: &str) -> String {
    format!(
        "{id},,{account},,trunking-terminating,+12025550101,+14155550102,2026-11-20T10:00:00Z,,60,completed"
    )
}

fn book(night: &Night, calls: &[String], more: &[&str]) -> (Value, String) {
    night.calls(&calls.iter().map(String::as_str).collect::<Vec<_>>());
    let done = night.trunkrate(
        &[&["run", "--cdrs", "calls.csv", "--rates", "rates", "--format", "json"], more].concat(),
    );
    (serde_json::from_str(&done.clone().ok()).expect("a summary"), done.stderr)
}

const LIST: &[&str] = &["--accounts", "accounts.csv"];

// ---- decks
// ------------------------------------------------------------------------------------------------------

/// `004915` names no number: German mobiles were billed by the row for 49, at 0.0100 instead of
/// 0.2000.
#[test]
fn a_prefix_with_a_leading_zero_stops_check_and_run() {
    let night = Night::new();
    let rows = |mobile: &str, origins: &str| {
        format!(
            "DE,Germany,DE,0.0100,,49,,,,,,,\nDE,Germany,DE mobile,0.2000,{origins},{mobile},,,,,,,\n"
        )
    };
    night.calls(&["A,,AC1,,trunking-terminating,+12025550101,+4915123456789,2026-11-20T10:00:00Z,,60,completed"]);
    let run: &[&str] = &["run", "--cdrs", "calls.csv", "--rates", "rates"];
    for (mobile, origins, said) in [
        (
            "004915",
            "",
            "Destination Prefixes: `004915` starts with 0, as no international number does: the row could never win\nhint: write 4915: prefixes have no leading 00\n",
        ),
        (
            "4915",
            "\"43, 0041\"",
            "Origination Prefixes: `0041` starts with 0, as no international number does: the row could never win\nhint: write 41: prefixes have no leading 00\n",
        ),
        (
            "015",
            "",
            "Destination Prefixes: `015` starts with 0, as no international number does: the row could never win\nhint: write the country code in place of the 0, such as 4915: prefixes are those of international numbers\n",
        ),
        (
            "0",
            "",
            "Destination Prefixes: `0` starts with 0, as no international number does: the row could never win\nhint: write the country code, such as 49: prefixes have no leading 0\n",
        ),
    ] {
        night.deck(&rows(mobile, origins));
        for command in [&["rates", "check", "rates"][..], run] {
            let done = night.trunkrate(command);
            assert_eq!(
                (done.code, done.stderr),
                (1, format!("error: rates/prices.csv:3: {said}")),
                "{command:?}"
            );
        }
        assert!(!night.path().join("ledger/runs").exists(), "nothing was booked");
    }
    night.deck(&rows("4915", ""));
    assert_eq!(night.run(&[])["amount"], json!({"USD": "0.20000"}));
}

/// Calls were booked with the archived decks and accounts of earlier versions: they are explained
/// and proved with them.
#[test]
fn what_the_archive_holds_is_read_as_it_was_taken() {
    use trunkrate::inputs::{accounts, decks};
    let night = Night::new();
    night.deck("DE,Germany,DE,0.0100,0043,\"49, 004915\",,,,,,,\n");
    let rates = night.path().join("rates");
    assert!(decks::load(&rates).is_err());
    let archived = decks::archived(&rates, "rates").expect("a deck of before");
    assert_eq!(archived.decks[0].rates.len(), 1);
    let list = night.file("accounts.csv", "account_sid,tariff\nAC1,eur\n");
    assert!(accounts::load(&list).is_err());
    assert_eq!(accounts::archived(&list).expect("a list of before")["AC1"].deck, "");
}

// ---- accounts
// ---------------------------------------------------------------------------------------------------

/// As a spreadsheet writes it: any delimiter, a byte-order mark, blanks that do not break behind an
/// id.
#[test]
fn accounts_come_with_any_delimiter_and_ids_are_trimmed() {
    for delimiter in [",", ";", "\t", "|"] {
        let night = two_decks();
        let list = "\u{feff}Account SID;NAME;Deck\r\nAC1;Eins;eur\r\nAC2\u{a0};\"Zwei; die zweite\";eur \r\n";
        night.file("accounts.csv", list.replace(';', delimiter));
        let (summary, stderr) =
            book(&night, &[call("A", "AC1"), call("B", "AC2"), call("C", "AC1\u{a0}")], LIST);
        assert_eq!(summary["amount"], json!({"EUR": "0.06000"}), "{delimiter:?}");
        assert_eq!((&summary["unlisted_accounts"], stderr.as_str()), (&json!({}), ""));
        // The second rater reads the list by itself.
        night.trunkrate(&["verify"]).ok();
        night.trunkrate(&["rerate", "B"]).ok();
    }
}

#[test]
fn a_column_that_may_be_meant_for_another_stops_the_run() {
    for (list, said) in [
        (
            "account_sid,name,tariff\nAC1,One,eur\n",
            "accounts.csv:1: has the column `tariff`, which resembles `deck`\nhint: write `deck`, or another name if it is something else\n",
        ),
        (
            "account_sid;name;Rate Plan\nAC1;One;eur\n",
            "accounts.csv:1: has the column `Rate Plan`, which resembles `deck`\nhint: write `deck`, or another name if it is something else\n",
        ),
        (
            "account_sid,deck_name\nAC1,eur\n",
            "accounts.csv:1: has the column `deck_name`, which resembles `deck`\nhint: write `deck`, or another name if it is something else\n",
        ),
        (
            "Account,deck\nAC1,eur\n",
            "accounts.csv:1: has the column `Account`, which resembles `account_sid`\nhint: write `account_sid`, or another name if it is something else\n",
        ),
        (
            "acct_sid,deck\nAC1,eur\n",
            "accounts.csv:1: has the column `acct_sid`, which resembles `account_sid`\nhint: write `account_sid`, or another name if it is something else\n",
        ),
        (
            "account_sid,deck,vat_id\nAC1,eur,DE1\n",
            "accounts.csv:1: has the column `vat_id`, which resembles `tax_id`\nhint: write `tax_id`, or another name if it is something else\n",
        ),
        ("account_sid,deck,Deck\nAC1,eur,\n", "accounts.csv:1: has the column `Deck` twice\n"),
        (
            "account_sid,deck,tariff\nAC1,,eur\n",
            "accounts.csv:2: deck is empty, and `tariff`, which resembles it, is `eur`\nhint: fill deck, or give `tariff` another name if it is something else\n",
        ),
        (
            "account_sid,deck\nAC1,eur,\n",
            "accounts.csv:2: has 3 columns, the header has 2\nhint: a value with the delimiter in it needs quotes\n",
        ),
        (
            "account_sid,deck\n\nAC2,\"eur\nAC1,eur\n",
            "accounts.csv:3: a quote is not closed, or stands where none may\nhint: a quote inside a value is written twice, and the value in quotes\n",
        ),
        ("account_sid;deck\n \u{a0};eur\n", "accounts.csv:2: account_sid is empty\n"),
    ] {
        let night = two_decks();
        night.file("accounts.csv", list);
        night.calls(&[&call("A", "AC1")]);
        let done = night.trunkrate(&[
            "run",
            "--cdrs",
            "calls.csv",
            "--rates",
            "rates",
            "--accounts",
            "accounts.csv",
        ]);
        assert_eq!((done.code, done.stderr), (1, format!("error: {said}")), "{list}");
        assert!(!night.path().join("ledger/runs").exists(), "nothing was booked");
    }
    // Columns that are nothing's twin stay the user's own business.
    let night = two_decks();
    night.file(
        "accounts.csv",
        "account_sid,deck,phone,Account Owner,deck_since,,\nAC1,eur,1,Ann,2026-01,,\n",
    );
    assert_eq!(book(&night, &[call("A", "AC1")], LIST).0["amount"], json!({"EUR": "0.02000"}));
}

#[test]
fn unlisted_accounts_are_billed_and_counted() {
    let night = two_decks();
    night.file("accounts.csv", "account_sid,deck\nAC1,eur\n");
    let free = call("D", "AC8").replace("completed", "busy");
    let (summary, stderr) =
        book(&night, &[call("A", "AC1"), call("B", "AC7"), call("C", "AC7"), free], LIST);
    assert_eq!(summary["amount"], json!({"EUR": "0.02000", "USD": "0.02000"}));
    assert_eq!(summary["unlisted_accounts"], json!({"AC7": 2, "AC8": 1}));
    assert_eq!(
        stderr,
        "note: the accounts file lacks 2 accounts with 3 calls, billed by the default deck: AC7, AC8\n\
         hint: list them, or set `policy.unlisted_accounts = \"suspend\"` to let such calls wait\n"
    );
    // No list was given: no account is unlisted. Copies of calls are no calls.
    let night = two_decks();
    let forgotten = "note: rates: no accounts file says which deck is whose, and there are 2: all are billed by `default`\n";
    let (summary, stderr) = book(&night, &[call("A", "AC1"), call("A", "AC1")], &[]);
    assert_eq!((&summary["unlisted_accounts"], stderr.as_str()), (&json!({}), forgotten));
    let (summary, stderr) = book(&night, &[call("A", "AC1")], &[]);
    assert_eq!(
        (&summary["duplicate"], &summary["unlisted_accounts"], stderr.as_str()),
        (&json!(1), &json!({}), forgotten)
    );
    // Of many the first ten are named.
    let night = two_decks();
    night.file("accounts.csv", "account_sid,deck\nAC1,eur\n");
    let calls: Vec<String> = (10..22).map(|n| call(&format!("C{n}"), &format!("AC{n}"))).collect();
    let (_, stderr) = book(&night, &calls, LIST);
    let named = "AC10, AC11, AC12, AC13, AC14, AC15, AC16, AC17, AC18, AC19 and 2 more\n";
    let note = format!(
        "note: the accounts file lacks 12 accounts with 12 calls, billed by the default deck: {named}"
    );
    assert!(stderr.starts_with(&note), "{stderr}");
}

#[test]
fn unlisted_accounts_wait_where_the_policy_says_so() {
    let night = two_decks();
    night.file("accounts.csv", "account_sid,deck\nAC1,eur\n");
    night.file("trunkrate.toml", "[policy]\nunlisted_accounts = \"suspend\"\n");
    // Also what would bill nothing waits; what is wrong by itself says that first; a price that is
    // missing comes after.
    let calls = [
        call("A", "AC1"),
        call("B", "AC7"),
        call("C", "AC7").replace("completed", "busy"),
        call("D", "AC7").replace("+1415", "+4415"),
        call("E", "AC7").replace("+14155550102", "anonymous"),
    ];
    let (summary, stderr) = book(&night, &calls, LIST);
    assert_eq!(summary["amount"], json!({"EUR": "0.02000"}));
    assert_eq!(summary["suspended_by_reason"], json!({"invalid-number": 1, "unlisted-account": 3}));
    assert_eq!(summary["unlisted_accounts"], json!({"AC7": 3}));
    assert_eq!(
        stderr,
        "note: the accounts file lacks 1 account with 3 calls, waiting as unlisted-account: AC7\n\
         hint: list them: the next run bills what waits\n"
    );
    let waits =
        night.trunkrate(&["suspense", "--reason", "unlisted-account", "--format", "json"]).json();
    assert_eq!(waits[0]["detail"], "the accounts file does not list AC7");
    night.file("accounts.csv", "account_sid,deck\nAC1,eur\nAC7,eur\n");
    let (summary, stderr) = book(&night, &[], LIST);
    assert_eq!((&summary["amount"], &summary["free"]), (&json!({"EUR": "0.02000"}), &json!(1)));
    assert_eq!(summary["suspended_by_reason"], json!({"invalid-number": 1, "no-rate": 1}));
    assert_eq!(stderr, "note: calls.csv: has no record\n");
    night.trunkrate(&["verify"]).ok();
}

/// A policy that asks for a list of accounts where there is none billed every call.
#[test]
fn a_policy_about_unlisted_accounts_needs_the_list() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", "[policy]\nunlisted_accounts = \"suspend\"\n");
    night.file("calls.csv", call_file(&[&call("A", "AC1")]));
    let done =
        night.trunkrate(&["run", "--cdrs", "calls.csv", "--rates", "rates", "--ledger", "ledger"]);
    let said = "error: policy.unlisted_accounts: is `suspend`, and no accounts file is given: no account would be unlisted, and every call be billed";
    assert!(done.code == 1 && done.stderr.starts_with(said), "{}", done.shown());
    assert!(!night.path().join("ledger/runs").exists());
    // An empty list is a list.
    night.file("accounts.csv", "account_sid,deck\n");
    assert_eq!(
        book(&night, &[call("A", "AC1")], LIST).0["suspended_by_reason"],
        json!({"unlisted-account": 1})
    );
}

/// A child whose parent was booked before the policy was set: it waits by itself.
#[test]
fn a_child_of_an_unlisted_account_waits_too() {
    let night = two_decks();
    night.file("accounts.csv", "account_sid,deck\nAC1,eur\n");
    let (summary, _) = book(&night, &[call("P", "AC7")], LIST);
    assert_eq!(summary["amount"], json!({"USD": "0.01000"}));
    night.file("trunkrate.toml", "[policy]\nunlisted_accounts = \"suspend\"\n");
    let child = "K,P,AC7,,,+12025550101,+14155550103,2026-11-20T10:00:30Z,,60,completed".to_owned();
    let bad = "L,P,AC7,,,+12025550101,911,2026-11-20T10:00:30Z,,60,completed".to_owned();
    let (summary, _) = book(&night, &[child, bad], LIST);
    assert_eq!(summary["suspended_by_reason"], json!({"invalid-target": 1, "unlisted-account": 1}));
    assert_eq!(summary["unlisted_accounts"], json!({"AC7": 1}));
}

// ---- items and buyers
// -------------------------------------------------------------------------------------------

/// A ledger with a call of AC1, billed at 0.0100, and of AC4 in a month that is not asked for.
fn ledger_of_ac1() -> Night {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", SELLER);
    night.file(
        "accounts.csv",
        "account_sid;name;address;city;country\nAC1;One;1 Lane;;DE\nAC3;Three;;Bonn;DE\n",
    );
    book(
        &night,
        &[call("A", "AC1"), call("B", "AC4").replace("2026-11", "2026-12")],
        &["--accounts", "accounts.csv"],
    );
    night
}

fn issue(night: &Night, more: &[&str]) -> crate::support::Done {
    night.trunkrate(
        &[&["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"], more].concat(),
    )
}

/// Number, account and total of all that was issued.
fn issued(night: &Night) -> Vec<String> {
    let list = night.trunkrate(&["invoice", "list", "--format", "json"]).json();
    let shown = |row: &Value| {
        ["number", "account_sid", "total"]
            .map(|name| row[name].as_str().expect("a text").to_owned())
            .join(" ")
    };
    list.as_array().expect("a list").iter().map(shown).collect()
}

const ITEMS: &[&str] = &["--items", "items.csv"];

#[test]
fn items_come_with_any_delimiter_to_accounts_that_exist() {
    let night = ledger_of_ac1();
    night.file("items.csv", "\u{feff}Account SID;Description;Quantity;Unit Price;Currency\nAC1\u{a0};\"Trunk; 10 lines\";2;1.15;USD\nAC3;Number;1;9.00;EUR\nAC4;Later;1;1;USD\n");
    // AC4 has a call in the ledger, though not in this month: its item is billed to an account that
    // lacks an address.
    issue(&night, &[ITEMS, &["--allow-incomplete"]].concat()).ok();
    // 0.01 + 2 × 1.15 = 2.31; × 1.19 = 2.7489. 9.00 × 1.19 = 10.71. 1.00 × 1.19.
    assert_eq!(
        issued(&night),
        ["INV-2026-000001 AC1 2.75", "INV-2026-000002 AC3 10.71", "INV-2026-000003 AC4 1.19"]
    );
    night.trunkrate(&["verify"]).ok();
}

#[test]
fn items_of_an_account_that_does_not_exist_are_refused() {
    let night = ledger_of_ac1();
    let header = "account_sid,description,quantity,unit_price,currency";
    let long = ["AC00000000000000000000000000000001", "AC0000000000000000000000000000001"];
    night.file(
        "accounts.csv",
        format!("account_sid,name,city,country\nAC1,One,Bonn,DE\n{},Long,Bonn,DE\n", long[0]),
    );
    let with = |row: &str| {
        night.file("items.csv", format!("{header}\nAC1,Number,1,1.00,USD\n{row}\n"));
        let more = [ITEMS, LIST, &["--allow-incomplete"]].concat();
        let draft =
            night.trunkrate(&[&["invoice", "draft", "--period", "2026-11"], ITEMS, LIST].concat());
        let done = issue(&night, &more);
        assert_eq!((draft.code, &draft.stderr), (1, &done.stderr), "a draft says the same");
        assert_eq!((done.code, issued(&night)), (1, Vec::new()));
        done.stderr
    };
    assert_eq!(
        with("AC9,Trunk,1,900.00,USD"),
        "error: items.csv:3: account_sid is `AC9`: the accounts file does not list it, and the ledger has no call of it\n\
         hint: list the account if it is a new one\n"
    );
    let slip = format!("{},Trunk,1,900.00,USD", long[1]);
    let said = with(&slip);
    assert!(
        said.ends_with(&format!(
            "hint: the nearest known id is {}; list the account if it is a new one\n",
            long[0]
        )),
        "{said}"
    );
    for (header, said) in [
        (
            "account_sid,description,quantity,price,currency",
            "items.csv:1: has the column `price`, which resembles `unit_price`\nhint: write `unit_price`\n",
        ),
        (
            "account_sid,description,quantity,unit_price,currency,colour",
            "items.csv:1: has the unknown column `colour`\nhint: expected account_sid,",
        ),
        (
            "account_sid,description,quantity,currency",
            "items.csv:1: has no column `unit_price`\nhint: expected account_sid,",
        ),
    ] {
        night.file("items.csv", format!("{header}\n"));
        let done = issue(&night, ITEMS);
        assert!(
            done.code == 1 && done.stderr.starts_with(&format!("error: {said}")),
            "{}",
            done.shown()
        );
    }
}

#[test]
fn an_invoice_says_who_buys() {
    let night = ledger_of_ac1();
    night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency\nAC3,Number,1,9.00,EUR\n",
    );
    night.file(
        "accounts.csv",
        "account_sid,name,address,city,country\nAC1,,,,\nAC3,Three,3 Lane,,\nAC5,No Calls,,,\n",
    );
    let both = [ITEMS, LIST].concat();
    let lacks = "2 accounts lack what an invoice says of its customer:\n  AC1 (accounts.csv:2): name, address or city, country\n  AC3 (accounts.csv:3): country\n";
    let done = issue(&night, &both);
    let hint = "hint: fill these columns of the accounts file and name it with --accounts; `invoice issue --allow-incomplete` goes on\n";
    assert_eq!((done.code, done.stderr), (1, format!("error: {lacks}nothing was issued\n{hint}")));
    assert_eq!(issued(&night), Vec::<String>::new());
    let draft =
        night.trunkrate(&[&["invoice", "draft", "--period", "2026-11"], &both[..]].concat());
    assert_eq!((draft.code, draft.stderr), (0, format!("note: {lacks}")));
    let done = issue(&night, &[&both[..], &["--allow-incomplete"]].concat());
    assert!(
        done.code == 0 && done.stderr.starts_with(&format!("note: {lacks}")),
        "{}",
        done.shown()
    );
    // 0.01 × 1.19 = 0.0119; 9.00 × 1.19.
    assert_eq!(issued(&night), ["INV-2026-000001 AC1 0.01", "INV-2026-000002 AC3 10.71"]);
}

#[test]
fn an_account_that_no_list_names_has_no_address() {
    let night = Night::with_plain_deck();
    night.file("trunkrate.toml", SELLER);
    book(&night, &[call("A", "AC1")], &[]);
    let done = issue(&night, &[]);
    let said = "error: 1 account lacks what an invoice says of its customer:\n  AC1 (not listed): name, address or city, country\n";
    assert!(done.code == 1 && done.stderr.starts_with(said), "{}", done.shown());
    // A list that has what is asked for is enough, with a city and no street.
    night.file("accounts.csv", "account_sid|name|city|country\nAC1|One|Bonn|DE\n");
    issue(&night, LIST).ok();
    assert_eq!(issued(&night), ["INV-2026-000001 AC1 0.01"]);
    assert!(Path::new(&night.path().join("ledger/invoices")).exists());
}

// ---- tables that would not be read
// ------------------------------------------------------------------------------

/// Rows in a file that is no CSV were passed over: +1415… was billed at 0.0100, not at 0.9000.
#[test]
fn a_table_in_a_deck_that_is_no_csv_is_refused() {
    for name in ["more.tsv", "more.csv.gz", "more.xlsx"] {
        let night = Night::with_plain_deck();
        night.calls(&[]);
        night.file(&format!("rates/{name}"), "x");
        for args in
            [&["rates", "check", "rates"][..], &["run", "--cdrs", "calls.csv", "--rates", "rates"]]
        {
            let done = night.trunkrate(args);
            let said = format!(
                "error: rates/{name}: would not be read: the rows of a deck stand in .csv files\n"
            );
            assert!(done.code == 1 && done.stderr.starts_with(&said), "{}", done.stderr);
        }
    }
}

/// A table in a folder below, beside the decks, or with another ending was passed over: 0.01000 for
/// 0.90000.
#[test]
fn a_table_that_is_not_among_a_decks_files_is_refused() {
    let row = "GB,G,London,0.90,,4420,,,,,,,";
    let table = format!("{DECK_HEADER}\n{row}\n");
    for (deck, left_out) in [
        ("", "mobile/b.csv"),
        ("default/", "b.csv"),
        ("default/", "default/mobile/b.csv"),
        ("", "b.txt"),
        ("", "b.csv.part"),
        ("", ".b.csv"),
        ("", ".new/b.csv"),
    ] {
        let night = Night::new();
        night.calls(&[]);
        night.file(&format!("rates/{deck}deck.toml"), "name = \"d\"\ncurrency = \"USD\"\n");
        night.file(&format!("rates/{deck}a.csv"), table.replace("0.90,,4420", "0.01,,44"));
        night.file(&format!("rates/{left_out}"), &table);
        for args in
            [&["rates", "check", "rates"][..], &["run", "--cdrs", "calls.csv", "--rates", "rates"]]
        {
            let done = night.trunkrate(args);
            assert!(
                done.code == 1 && done.stderr.contains("would not be read"),
                "{left_out}: {}",
                done.shown()
            );
            assert!(done.stderr.contains("b."), "{left_out}: {}", done.stderr);
        }
        std::fs::remove_file(night.path().join("rates").join(left_out)).expect("it is removed");
        night.file("rates/README.txt", "the price list of November\n");
        night.file("rates/a.csv.bak", &table);
        // What a file manager of another system leaves beside a file.
        night.file(&format!("rates/{deck}._a.csv"), "Mac OS X");
        night.trunkrate(&["rates", "check", "rates"]).ok();
    }
}

/// A table, or a list of charges, that was cut after its header: what it priced would go by other
/// rows, or not at all.
#[test]
fn a_list_without_rows_is_refused_or_said() {
    let night = ledger_of_ac1();
    night.file("rates/q.csv", format!("{DECK_HEADER}\n"));
    let said = "note: rates/q.csv: has no row below its header: it prices no number\n";
    assert!(book(&night, &[call("C", "AC1")], LIST).1.contains(said));
    assert_eq!(night.trunkrate(&["rates", "check", "rates"]).stderr, said);
    night.file("items.csv", "account_sid,description,quantity,unit_price,currency\n");
    let said = "note: items.csv: has no row below its header: no monthly charge is billed\n";
    let check = night.trunkrate(
        &[&["invoice", "check", "--period", "2026-11", "--date", "2026-12-01"], ITEMS, LIST]
            .concat(),
    );
    assert!(check.stderr.contains(said), "{}", check.shown());
    assert!(issue(&night, &[ITEMS, LIST].concat()).stderr.contains(said));
}

/// Without its domain a trunk's transfers to the PSTN are taken for SIP: 0.01000 for 0.02000.
#[test]
fn a_trunk_list_without_domains_is_refused() {
    let night = Night::with_plain_deck();
    night.calls(&[]);
    let run = &["run", "--cdrs", "calls.csv", "--rates", "rates", "--trunks", "trunks.json"];
    for (domain, said) in [
        (
            "\"domainName\": \"x.pstn.twilio.com\", ",
            "trunk TK1: has no domain_name, and has `domainName`, which resembles it",
        ),
        (
            "\"domain_name\": \"sip:x.pstn.twilio.com\", ",
            "domain_name is `sip:x.pstn.twilio.com`; expected a host",
        ),
        ("\"domain_name\": \"https://x.pstn.twilio.com\", ", "expected a host"),
    ] {
        night.file(
            "trunks.json",
            format!(
                "{{\"trunks\": [{{\"sid\": \"TK1\", {domain}\"transfer_mode\": \"enable-all\"}}]}}"
            ),
        );
        let done = night.trunkrate(run);
        assert!(done.code == 1 && done.stderr.contains(said), "{domain}: {}", done.stderr);
    }
    night.file("trunks.json", "{\"trunks\": [{\"sid\": \"TK1\", \"domain_name\": null, \"transfer_mode\": \"enable-all\"}]}");
    let done = night.trunkrate(run);
    assert!(
        done.code == 0 && done.stderr.contains("trunk TK1: no domain_name: a transfer to a number"),
        "{}",
        done.shown()
    );
    night.file("trunks.json", "{\"trunks\": [{\"sid\": \"TK1\", \"domain_name\": \"acme\", \"transfer_mode\": \"enable-all\"}]}");
    let done = night.trunkrate(run);
    assert!(
        done.code == 0
            && done.stderr.contains("trunk TK1 (`acme`): domain_name is no host such as"),
        "{}",
        done.shown()
    );
}

/// A list of accounts whose column of decks has a name of its own bills all of them by the default
/// deck.
#[test]
fn a_list_that_names_no_deck_where_there_are_several_is_said() {
    let night = two_decks();
    night.file("accounts.csv", "account_sid,name,Preisliste\nAC1,One,eur\nAC2,Two,default\n");
    let (summary, said) = book(&night, &[call("CA1", "AC1"), call("CA2", "AC2")], LIST);
    assert_eq!(summary["amount"], json!({ "USD": "0.02000" }));
    assert!(said.contains("note: accounts.csv: no account names a deck, and there are 2: all are billed by `default`"), "{said}");
    let forgotten = two_decks();
    let (_, said) = book(&forgotten, &[call("CA1", "AC1")], &[]);
    assert_eq!(
        said,
        "note: rates: no accounts file says which deck is whose, and there are 2: all are billed by `default`\n"
    );
    let named = two_decks();
    named.file("accounts.csv", "account_sid,name,deck\nAC1,One,eur\nAC2,Two,\n");
    let (summary, said) = book(&named, &[call("CA1", "AC1"), call("CA2", "AC2")], LIST);
    assert_eq!(
        (&summary["amount"], said.as_str()),
        (&json!({ "EUR": "0.02000", "USD": "0.01000" }), "")
    );
}

/// 0.19 for 19 per cent came to no tax at all.
#[test]
fn a_tax_rate_that_is_a_fraction_is_refused() {
    let night = Night::with_plain_deck();
    night.file("accounts.csv", "account_sid,name,address,city,country\nAC1,One,Road 1,Town,DE\n");
    book(&night, &[call("CA1", "AC1")], LIST);
    night.file("seller.toml", SELLER.replace("\"19\"", "\"0.19\""));
    let done = night.trunkrate(&[
        "invoice",
        "issue",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
        "--config",
        "seller.toml",
    ]);
    assert!(
        done.code == 1 && done.stderr.contains("tax_rate is `0.19`; expected per cent, such as 19"),
        "{}",
        done.stderr
    );
}

/// The monthly charges of the month before are missed where they are not given again.
#[test]
fn monthly_charges_that_are_gone_are_said() {
    let night = Night::with_plain_deck();
    night.file("seller.toml", SELLER);
    night.file("accounts.csv", "account_sid,name,address,city,country\nAC1,One,Road 1,Town,DE\n");
    night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency\nAC1,Number,1,5,USD\n",
    );
    let october = call("CA0", "AC1").replace("2026-11-20", "2026-10-20");
    book(&night, &[october, call("CA1", "AC1")], LIST);
    let issue = ["invoice", "issue", "--config", "seller.toml", "--period"];
    let done = night.trunkrate(
        &[&issue[..], &["2026-10", "--date", "2026-11-01", "--items", "items.csv"]].concat(),
    );
    assert!(done.code == 0 && !done.stderr.contains("monthly charges"), "{}", done.stderr);
    let check = [
        "invoice",
        "check",
        "--config",
        "seller.toml",
        "--period",
        "2026-11",
        "--date",
        "2026-12-01",
    ];
    assert!(
        night
            .trunkrate(&check)
            .stdout
            .contains("2026-10 were issued with a file of monthly charges, and none is given now")
    );
    let done = night.trunkrate(&[&issue[..], &["2026-11", "--date", "2026-12-01"]].concat());
    assert!(
        done.code == 0 && done.stderr.contains("note: items: invoices of 2026-10 were issued"),
        "{}",
        done.stderr
    );
}

/// `0.0145` that was cut to `0.01` still reads, in a deck and in a list.
#[test]
fn a_side_file_that_may_have_been_cut_is_said() {
    let night = ledger_of_ac1();
    let said = |more: &[&str]| book(&night, &[call("C", "AC1")], more).1;
    let row = "US,United States,US,0.01,,1,termination,,,,,,";
    night.file("rates/p.csv", format!("{DECK_HEADER}\n{row}"));
    night.file("accounts.csv", "account_sid,name,address,city,country\nAC1,One,1 Lane,,DE");
    let open = |file: &str| {
        format!(
            "note: {file}: its last line has no line end: if the file was cut there, so is its last value\n"
        )
    };
    let changed = &["--accept-changes"];
    let both = said(&[LIST, changed].concat());
    assert!(both.contains(&open("rates/p.csv")) && both.contains(&open("accounts.csv")), "{both}");
    night.file(
        "items.csv",
        "account_sid,description,quantity,unit_price,currency\nAC1,Number,1,1.5,USD",
    );
    assert!(issue(&night, &[ITEMS, LIST].concat()).stderr.contains(&open("items.csv")));
    // Who writes lists without a last line end says so, for all that is read.
    night.file("trunkrate.toml", format!("[input]\nfinal_newline = \"optional\"\n{SELLER}"));
    let optional = said(&[LIST, changed].concat());
    assert!(!optional.contains("its last line"), "{optional}");
}
