//! A terminal: tables that fit it, the pager, colours; what shells and `man` know of the commands.

use crate::support::Night;
use std::collections::BTreeSet;
use std::process::Command;

/// True if this machine gives a pseudo-terminal: a bare root without `/dev/pts` gives none, and
/// what needs one is said to be left out there.
fn has_terminal() -> bool {
    let made = Command::new("script").args(["-qec", "true", "/dev/null"]).output();
    let is_there = made.expect("script runs: it is in bsdutils").status.success();
    if !is_there {
        eprintln!("no pseudo-terminal here: not tested");
    }
    is_there
}

/// Runs commands of a shell on a terminal of so many columns and lines, and gives what was drawn.
fn on_terminal(night: &Night, (columns, lines): (usize, usize), commands: &str) -> String {
    let binary = env!("CARGO_BIN_EXE_trunkrate");
    let script = format!("stty cols {columns} rows {lines}; alias t={binary}\n{commands}");
    night.file("commands.sh", script);
    let output = Command::new("script")
        .args(["-qec", "sh commands.sh", "/dev/null"])
        .current_dir(night.path())
        .env("TRUNKRATE_LEDGER", "ledger")
        .env("NO_COLOR", "1")
        .env_remove("PAGER")
        .env_remove("TRUNKRATE_PAGER")
        .env_remove("COLUMNS")
        .env_remove("LINES")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("script runs: it is in bsdutils");
    String::from_utf8(output.stdout).expect("UTF-8").replace("\r\n", "\n")
}

/// Customers with a long, a CJK, an Arabic and a combining name, and an invoice for each.
fn issued() -> Night {
    let night = Night::with_plain_deck();
    let names = [
        "Nordwind Logistik und Spedition Aktiengesellschaft",
        "株式会社北風物流サービス東京支店",
        "شركة الشمال للخدمات اللوجستية",
        "Cafe\u{301} Zu\u{308}rich",
    ];
    let sid = |at: usize| format!("AC2026112000000000000000000000000{at}");
    let mut accounts = vec!["account_sid,name,address,city,country".to_owned()];
    let account = |(at, name)| format!("{},{name},\"1 Main Street\",City,US", sid(at));
    accounts.extend((0..).zip(names).map(account));
    night.file("accounts.csv", accounts.join("\n") + "\n");
    let calls: Vec<String> = (0..names.len())
        .map(|at| {
            format!(
                "CA{at},,{},,trunking-originating,+12025550101,+14155550102,\
                 2026-11-2{at}T09:00:00Z,,6{at},completed",
                sid(at)
            )
        })
        .collect();
    night.calls(&calls.iter().map(String::as_str).collect::<Vec<_>>());
    night.file(
        "trunkrate.toml",
        "[seller]\nname = \"Harbor Lane\"\naddress = [\"1 Quay\"]\ncity = \"Hull\"\ncountry = \"GB\"\n\
         tax_id = \"GB123456789\"\n[invoice]\ntax_category = \"outside-scope\"\n",
    );
    night.run(&["--accounts", "accounts.csv"]);
    night.trunkrate(&["invoice", "issue", "--period", "2026-11", "--date", "2026-12-01"]).ok();
    night
}

/// The columns that a line takes: none for the marks that isolate a cell and for combining ones.
fn columns_of(line: &str) -> usize {
    let of = |c: char| match c {
        '\u{2068}' | '\u{2069}' | '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => 2,
        _ => 1,
    };
    line.chars().map(of).sum()
}

#[test]
fn a_table_fits_the_terminal_and_a_pipe_gets_all_of_it() {
    if !has_terminal() {
        return;
    }
    let night = issued();
    let whole = night.trunkrate(&["invoice", "list"]).ok();
    assert!(
        whole.contains("Nordwind Logistik und Spedition Aktiengesellschaft")
            && !whole.contains('…')
    );
    for columns in [80, 120, 200] {
        let shown = on_terminal(
            &night,
            (columns, 60),
            "t invoice list\nt invoice draft --period 2026-11\nt log --no-pager",
        );
        for line in shown.lines() {
            assert!(columns_of(line) <= columns, "{columns}: {line}\n{shown}");
        }
        // 4 calls of 2 minutes at 0.0034, but the first of 1: 0.0034 + 3 × 0.0068 = 0.0238; each is
        // rounded to cents: 0.00 + 3 × 0.01.
        let list: Vec<&str> = shown.lines().take_while(|line| !line.is_empty()).collect();
        let total = list.iter().find(|line| line.starts_with("4 documents")).expect("a total");
        assert!(total.contains("0.03") && total.contains("USD"), "{columns}: {total}\n{shown}");
    }
    let wide = on_terminal(&night, (200, 60), "t invoice list");
    assert!(wide.contains("\u{2068}شركة الشمال للخدمات اللوجستية\u{2069}"), "{wide}");
    // But for the rule, which a pipe has shorter.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('─'));
        lines.map(|line| line.replace(['\u{2068}', '\u{2069}'], "")).collect()
    };
    assert_eq!(lines(&wide), lines(&whole), "200 columns are enough");
    let narrow = on_terminal(&night, (80, 60), "COLUMNS=200 t invoice list");
    assert_eq!(narrow, wide, "COLUMNS is believed");
}

#[test]
fn a_long_result_goes_to_the_pager_and_a_short_one_does_not() {
    if !has_terminal() {
        return;
    }
    let night = issued();
    let pager = "TRUNKRATE_PAGER='sed s/^/P:/' ";
    let list = on_terminal(&night, (200, 60), "t invoice list");
    let paged: String = list.lines().flat_map(|line| ["P:", line, "\n"]).collect();
    for (lines, command, expected) in [
        (60, format!("{pager} t invoice list"), &list),
        (5, format!("{pager} t invoice list"), &paged),
        (5, "PAGER='sed s/^/P:/' t invoice list".to_owned(), &paged),
        (5, format!("PAGER='false' {pager} t invoice list"), &paged),
        (5, format!("{pager} t invoice list --no-pager"), &list),
        (5, format!("{pager} t --no-pager invoice list"), &list),
        (5, "TRUNKRATE_PAGER= t invoice list".to_owned(), &list),
        (5, "PAGER=cat t invoice list".to_owned(), &list),
        // A pipe has no pager.
        (
            5,
            format!("{pager} t invoice list --format csv > list.csv; t invoice list --no-pager"),
            &list,
        ),
    ] {
        assert_eq!(on_terminal(&night, (200, lines), &command), *expected, "{command}");
    }
    // Whoever leaves it early has seen enough; what cannot be started is done without.
    let left = on_terminal(&night, (200, 5), "TRUNKRATE_PAGER='head -n 1' t invoice list; echo $?");
    assert_eq!(left.lines().collect::<Vec<_>>(), [list.lines().next().expect("a head"), "0"]);
    let none = on_terminal(&night, (200, 5), "TRUNKRATE_PAGER=no-such-pager t invoice list");
    assert!(none.ends_with(&list), "{none}");
    // An error stands below what was found until then.
    let check = format!("{pager} t invoice check --period 2026-10");
    assert!(on_terminal(&night, (200, 5), &check).contains("stands against"), "{check}");
}

/// What a terminal obeys is shown, wherever it comes from and whatever prints it.
#[test]
fn json_on_stdout_has_no_character_that_a_terminal_obeys() {
    let night = Night::with_plain_deck();
    // A C1 control (CSI), a mark of order, a byte order mark, a tag character, a soft hyphen.
    let name = "a\u{9b}31mb\u{202e}c\u{feff}d\u{e0041}e\u{ad}f";
    let call = |sid: &str, to: &str, status: &str| {
        format!(
            "{sid},,AC1,,trunking-originating,+12025550101,{to},2026-11-20T09:00:00Z,,60,{status}"
        )
    };
    night.calls(&[&call("CA1", "+14155550102", "completed"), &call(name, name, "completed")]);
    night.run(&[]);
    let lists: [&[&str]; 9] = [
        &["export", "calls", "--format", "jsonl"],
        &["export", "legs", "--format", "jsonl"],
        &["export", "suspense", "--format", "jsonl"],
        &["log", "--format", "json"],
        &["log", "--format", "jsonl"],
        &["suspense", "--all", "--format", "json"],
        &["suspense", "--all", "--format", "jsonl"],
        &["suspense", "--by-cause", "--format", "jsonl"],
        &["suspense", "--export", "-"],
    ];
    let mut named = 0;
    for args in lists {
        let text = night.trunkrate(args).ok();
        let raw = ['\u{9b}', '\u{202e}', '\u{feff}', '\u{e0041}', '\u{ad}'];
        assert!(!text.contains(raw), "{args:?}: {text}");
        named += usize::from(text.contains("a\\u009b31mb\\u202ec\\ufeffd\\udb40\\udc41e\\u00adf"));
        for line in text.lines().filter(|_| args.contains(&"jsonl") || args.contains(&"-")) {
            let value: serde_json::Value = serde_json::from_str(line).expect("an object per line");
            assert!(value.is_object(), "{args:?}: {line}");
        }
    }
    assert!(named >= 5, "the name is in them: {named}");
}

// ---- shells and man -----------------------------------------------------------------------------

/// Every command that is shown, by its words: `invoice list`.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn add(
        command: &clap::Command,
        path: &[String],
        found: &mut Vec<(Vec<String>, clap::Command)>,
    ) {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = [path, &[below.get_name().to_owned()]].concat();
            add(below, &path, found);
            found.push((path, below.clone()));
        }
    }
    let mut found = Vec::new();
    add(&trunkrate::cli::command(), &[], &mut found);
    found
}

#[test]
fn every_shell_has_a_script_and_bash_accepts_its_own() {
    let night = Night::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = night.trunkrate(&["completions", shell]).ok();
        for (path, command) in commands() {
            assert!(script.contains(path.last().expect("a name")), "{shell}: {path:?}");
            for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(script.contains(flag), "{shell}: {path:?} --{flag}");
            }
        }
        night.file(&format!("script.{shell}"), script);
    }
    let bash = |args: &[&str]| {
        let output = Command::new("bash").args(args).current_dir(night.path()).output();
        let output = output.expect("bash runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    bash(&["-n", "script.bash"]);
    let ask = "source ./script.bash; COMP_WORDS=(trunkrate invoice li); COMP_CWORD=2; \
               _trunkrate trunkrate li invoice; echo ${COMPREPLY[@]}";
    assert_eq!(bash(&["-c", ask]), "list\n");
    assert_eq!(night.trunkrate(&["completions", "tcsh"]).code, 2);
}

#[test]
fn man_pages_name_every_command_and_flag() {
    let night = Night::new();
    night.trunkrate(&["man", "--out", "man"]).ok();
    let page = |name: &str| {
        std::fs::read_to_string(night.path().join("man").join(format!("{name}.1")))
            .unwrap_or_else(|e| panic!("{name}.1: {e}"))
            .replace("\\-", "-")
    };
    let mut expected = BTreeSet::from(["trunkrate.1".to_owned()]);
    for (path, command) in commands() {
        let name = format!("trunkrate-{}", path.join("-"));
        let text = page(&name);
        for flag in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("--{flag}")), "{name} --{flag}");
        }
        let above = path[..path.len() - 1].join("-");
        let above =
            if above.is_empty() { "trunkrate".to_owned() } else { format!("trunkrate-{above}") };
        assert!(page(&above).contains(&name), "{above} names {name}");
        expected.insert(format!("{name}.1"));
    }
    let files = std::fs::read_dir(night.path().join("man")).expect("a folder");
    let files: BTreeSet<String> = files
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, expected);
}
