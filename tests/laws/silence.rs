//! No silent money: whatever is wrong at the door ends with the right money, an error, or a line on
//! stderr that names it.

use super::*;

/// A column under another name, or a file that is empty or another one: refused, or said on stderr
/// by its name, or the same money. Never exit 0 and other money without a word.
#[test]
fn no_wrong_file_or_column_changes_money_in_silence() {
    let strategy = consistent_night(20..40_usize);
    for seed in 0..6 {
        let night = one(&strategy, seed);
        let (folder, right) = rated(&night);
        let text =
            |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let calls = text("calls.csv");
        let (header, rows) = calls.split_once('\n').expect("a header");
        let mut wrong: Vec<(String, &str, String)> = Vec::new();
        for column in header.split(',') {
            let words = column.replace('_', " ");
            for name in
                [format!("{words} (text)"), column.replace('_', "-") + "-", format!("my {words}")]
            {
                let renamed: Vec<&str> = header
                    .split(',')
                    .map(|other| if other == column { &name } else { other })
                    .collect();
                wrong.push((name.clone(), "calls.csv", format!("{}\n{rows}", renamed.join(","))));
            }
        }
        let files = [
            ("calls.csv", true),
            ("rates/a.csv", true),
            ("rates/deck.toml", true),
            ("trunks.json", night.trunks.is_some()),
        ];
        for (file, _) in files.into_iter().filter(|(_, there)| *there) {
            let own = text(file);
            let header = own.split_inclusive('\n').next().unwrap_or_default();
            for other in [
                "",
                header,
                "{}",
                "{\"trunks\":[]}",
                &text("rates/deck.toml"),
                &text("rates/b.csv"),
                &calls,
            ] {
                // Another deck that is one is not told from the right one: what changed since the
                // last run says that.
                if file == "rates/a.csv" && other == text("rates/b.csv") {
                    continue;
                }
                wrong.push((
                    file.rsplit('/').next().expect("a name").to_owned(),
                    file,
                    other.to_owned(),
                ));
            }
        }
        for (named, file, content) in wrong {
            if content == text(file) {
                continue;
            }
            let other = furnish(&night);
            other.file("calls.csv", &calls);
            other.file(file, &content);
            let done = rate(&other, &night, "calls.csv", &[], &[]);
            let is_said = done.stderr.contains(&named);
            let is_same = done.code == 0
                && serde_json::from_str::<Value>(&done.stdout).expect("JSON")["amount"]
                    == right["amount"];
            assert!(
                done.code != 0 || is_said || is_same,
                "{file} as {named}: {}{}\n{content}",
                done.stdout,
                done.stderr
            );
            assert!(done.code == 0 || !done.stderr.is_empty());
        }
    }
}

/// The same on a second night, where there is one to compare with: a list that is forgotten, a deck
/// that is another under the same name. It stops and names it, and books nothing.
#[test]
fn no_forgotten_list_and_no_other_deck_changes_money_in_silence() {
    let strategy = consistent_night(20..40_usize);
    let mut stopped = 0;
    for seed in 0..6 {
        let night = one(&strategy, seed);
        let (folder, right) = rated(&night);
        let legs = export(&folder, "legs");
        // The same calls under other ids: all of them are new.
        let renamed =
            |sid: &str| if sid.is_empty() { String::new() } else { format!("again-{sid}") };
        let mut again = night.clone();
        for record in &mut again.records {
            for field in ["sid", "parent_call_sid"] {
                let text = renamed(&record[field]);
                record.insert(field.to_owned(), text);
            }
        }
        folder.file("again.csv", call_file(&again.records));
        let mut stops = |night: &Night, named: &str| {
            let done = rate(&folder, night, "again.csv", &[], &[]);
            assert!(
                done.code == 1 && done.stderr.contains(named),
                "{named}: {}{}",
                done.stdout,
                done.stderr
            );
            assert_eq!(export(&folder, "legs"), legs);
            stopped += 1;
        };
        if night.trunks.is_some() {
            stops(&Night { trunks: None, ..again.clone() }, "a trunk list was given then");
        }
        if right["legs"] != 0 {
            let deck = std::fs::read_to_string(folder.path().join("rates/a.csv")).expect("a deck");
            let (header, rows) = deck.split_once('\n').expect("a header");
            let dearer = rows.replace(",0.", ",1.");
            assert_ne!(dearer, rows);
            folder.file("rates/a.csv", format!("{header}\n{dearer}"));
            stops(&again, "changed since run");
            folder.file("rates/a.csv", deck);
        }
        assert_eq!(rate(&folder, &again, "again.csv", &[], &[]).json()["amount"], right["amount"]);
    }
    assert!(stopped > 6, "{stopped}");
}
