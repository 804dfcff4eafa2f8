//! Tables: rows under a header, no wider than the terminal, with the sums of their money.
//!
//! **Invariant:** what goes to a pipe or into a file is never cut; on a terminal figures (numbers,
//! money, dates, telephone numbers) never are, nor are headers.
//!
//! # A table that is wider than the terminal
//! 1. Texts are cut with `…`, the widest column first, none to less than [`LEAST`]: an id and a
//!    description at the end, a path and a place in a file (`calls.csv:17`) in the middle. Columns
//!    of short texts are not, nor those that the command wants whole.
//! 2. If that is not enough, columns are left out: first those that the command calls expendable,
//!    in its order, then from the right, but not the first column, nor what is aligned to the right
//!    (money and counts). A line under the table names them.
//! 3. If that is not enough either, nothing is cut or left out, and the terminal wraps the lines.
//!
//! # Widths
//! They are counted in columns of the terminal: 2 for a CJK character, 0 for a combining mark. On a
//! terminal a cell that is written from right to left is isolated (U+2068 to U+2069): without it
//! the cells after it would change places.

use super::style;
use crate::text::visible;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The longest rule in a pipe or file, however wide the last column is.
const WIDEST_RULE: usize = 140;
/// A text is not cut to less than so many columns.
const LEAST: usize = 12;
/// A column of texts that are no wider than this is not cut: `INV-2026-000001`.
const SHORT: usize = 16;
/// The columns between two cells.
const GAP: usize = 2;
/// Before and after a cell that is written from right to left.
pub const ISOLATE: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A table; [`fmt::Display`] draws it for stdout.
pub struct Table {
    header: Vec<String>,
    /// The columns that are aligned to the right.
    right: Vec<bool>,
    /// The cells, made visible.
    rows: Vec<Vec<String>>,
    /// Columns that may be left out, the first one first.
    expendable: Vec<usize>,
    /// Columns whose texts are not cut.
    uncut: Vec<usize>,
    /// The rows below the second rule.
    totals: Vec<Vec<String>>,
    /// The most rows that are shown.
    most: usize,
}

/// The width shown of each column; `None` of one that is left out.
type ColumnWidths = Vec<Option<usize>>;

impl Table {
    /// A table; the columns named in `right` are aligned to the right.
    pub fn new(
        header: &[&str],
        right: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let shown = |row: Vec<String>| -> Vec<String> {
            assert_eq!(row.len(), header.len(), "a row has a cell for each column");
            row.iter().map(|cell| visible(cell).into_owned()).collect()
        };
        Self {
            header: header.iter().map(|name| (*name).to_owned()).collect(),
            right: header.iter().map(|name| right.contains(name)).collect(),
            rows: rows.into_iter().map(shown).collect(),
            expendable: Vec::new(),
            uncut: Vec::new(),
            totals: Vec::new(),
            most: usize::MAX,
        }
    }

    /// Names the columns that a narrow terminal may do without, the least worth first.
    pub fn expendable(mut self, names: &[&str]) -> Self {
        self.expendable = names.iter().map(|name| self.column(name)).collect();
        self
    }

    /// Names the columns whose texts say nothing if they are cut.
    pub fn uncut(mut self, names: &[&str]) -> Self {
        self.uncut = names.iter().map(|name| self.column(name)).collect();
        self
    }

    /// Adds the sums of these columns under a rule, a line for each currency, with the number of
    /// rows: `12 invoices`. A single row needs none. A cell is empty, an amount, or several of them
    /// (`1.00 EUR, 2.00 USD`); an amount without a currency is of the one that its row says, in the
    /// column `currency` or behind another amount.
    pub fn totals(mut self, columns: &[&str], many: &str) -> Self {
        if self.rows.len() < 2 {
            return self;
        }
        let own_column = self.header.iter().position(|name| name == "currency");
        let columns: Vec<usize> = columns.iter().map(|name| self.column(name)).collect();
        let mut sums: BTreeMap<&str, BTreeMap<usize, Decimal>> = BTreeMap::new();
        let mut named = vec![false; self.header.len()];
        for row in &self.rows {
            let cells =
                || columns.iter().flat_map(|at| row[*at].split(", ").map(move |text| (*at, text)));
            let behind = cells().find_map(|(_, text)| Some(text.split_once(' ')?.1));
            let beside = own_column.map(|at| row[at].as_str()).or(behind).unwrap_or("");
            for (at, text) in cells().filter(|(_, text)| !text.is_empty()) {
                let (amount, currency) = text.split_once(' ').unwrap_or((text, beside));
                named[at] |= amount.len() < text.len();
                let amount = Decimal::from_str_exact(amount).expect("an amount is a plain decimal");
                let sum = sums.entry(currency).or_default().entry(at).or_default();
                *sum = sum.checked_add(amount).expect("a sum of a table has 28 digits");
            }
        }
        let counted = format!("{} {many}", style::grouped(self.rows.len() as u64));
        let mut totals = Vec::new();
        for (currency, amounts) in sums {
            let mut line = vec![String::new(); self.header.len()];
            for (at, amount) in amounts {
                line[at] =
                    if named[at] { format!("{amount} {currency}") } else { amount.to_string() };
            }
            if let Some(at) = own_column {
                currency.clone_into(&mut line[at]);
            }
            totals.push(line);
        }
        if let Some(first) = totals.first_mut() {
            // A column of numbers of rows has no room for words.
            let at = usize::from(self.header[0] == "#" && self.header.len() > 1);
            first[at] = counted;
        }
        self.totals = totals;
        self
    }

    /// Shows so many rows at most; the sums are of all.
    pub fn at_most(mut self, rows: usize) -> Self {
        self.most = rows;
        self
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|own| own == name).expect("a column of this table")
    }

    /// The table for a terminal of so many columns, or for a pipe or file.
    fn drawn(&self, terminal: Option<usize>) -> String {
        let widths = terminal.map_or_else(|| self.whole(), |columns| self.fitted(columns));
        let kept: Vec<usize> = (0..widths.len()).filter(|at| widths[*at].is_some()).collect();
        let line = |cells: &[String], isolates: bool| {
            let cell = |at: &usize| {
                let width = widths[*at].expect("a column that is kept");
                let cell = cut(&cells[*at], width);
                let room = " ".repeat(width.saturating_sub(columns_of(&cell)));
                let cell = if isolates { isolated(cell) } else { cell };
                if self.right[*at] { room + &cell } else { cell.into_owned() + &room }
            };
            let cells: Vec<String> = kept.iter().map(cell).collect();
            cells.join(&" ".repeat(GAP)).trim_end().to_owned()
        };
        let head = line(&self.header, false);
        let rows = self.rows.iter().take(self.most).map(|row| line(row, terminal.is_some()));
        let rows: Vec<String> = rows.collect();
        let totals: Vec<String> = self.totals.iter().map(|row| line(row, false)).collect();
        let widest = rows.iter().chain(&totals).chain([&head]).map(|line| columns_of(line)).max();
        let widest = widest.unwrap_or(0).min(terminal.unwrap_or(WIDEST_RULE));
        let rule = "─".repeat(widest);
        let mut lines = vec![style::heading(&head), rule.clone()];
        lines.extend(rows);
        if !totals.is_empty() {
            lines.push(rule);
            lines.extend(totals);
        }
        if self.rows.is_empty() {
            lines.push(String::new());
        }
        let left_out: Vec<&str> = (0..widths.len())
            .filter(|at| widths[*at].is_none())
            .map(|at| self.header[at].as_str())
            .collect();
        if !left_out.is_empty() {
            let told = format!("(a wider terminal also shows: {})", left_out.join(", "));
            lines.push(broken("", &told, terminal).trim_end().to_owned());
        }
        lines.join("\n") + "\n"
    }

    /// The widths of all columns, uncut.
    fn whole(&self) -> ColumnWidths {
        let cells = |at: usize| {
            let rows = self.rows.iter().take(self.most).chain(&self.totals);
            rows.map(move |row| columns_of(&row[at])).max().unwrap_or(0)
        };
        (0..self.header.len()).map(|at| Some(cells(at).max(columns_of(&self.header[at])))).collect()
    }

    /// The widths with which the table fits so many columns; all of them uncut if it cannot.
    fn fitted(&self, columns: usize) -> ColumnWidths {
        let whole = self.whole();
        let floors: Vec<usize> = (0..whole.len()).map(|at| self.floor(at, whole[at])).collect();
        let mut kept: Vec<usize> = (0..whole.len()).collect();
        let total = |kept: &[usize], of: &dyn Fn(usize) -> usize| {
            kept.iter().map(|at| of(*at) + GAP).sum::<usize>().saturating_sub(GAP)
        };
        let from_right =
            (1..whole.len()).rev().filter(|at| !self.right[*at] && !self.header[*at].is_empty());
        let mut expendable = self.expendable.iter().copied().chain(from_right);
        while total(&kept, &|at| floors[at]) > columns {
            let Some(out) = expendable.next() else { return whole };
            kept.retain(|at| *at != out);
        }
        let mut widths: Vec<usize> = whole.iter().map(|width| width.unwrap_or(0)).collect();
        while total(&kept, &|at| widths[at]) > columns {
            let widest = kept.iter().filter(|at| widths[**at] > floors[**at]);
            let widest = widest.max_by_key(|at| (widths[**at], **at));
            widths[*widest.expect("it fits with every column at its floor")] -= 1;
        }
        (0..whole.len()).map(|at| kept.contains(&at).then_some(widths[at])).collect()
    }

    /// The least width of a column: that of its header, of its widest figure, and of a text that is
    /// cut.
    fn floor(&self, at: usize, whole: Option<usize>) -> usize {
        let whole = whole.unwrap_or(0);
        if self.right[at] || whole <= SHORT || self.uncut.contains(&at) {
            return whole;
        }
        let rows = self.rows.iter().take(self.most).map(|row| &row[at]);
        let uncut =
            rows.filter(|cell| is_figure(cell)).chain(self.totals.iter().map(|row| &row[at]));
        let uncut = uncut.map(|cell| columns_of(cell)).max().unwrap_or(0);
        uncut.max(columns_of(&self.header[at])).max(LEAST)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.drawn(style::size().map(|(columns, _)| columns)))
    }
}

/// True if a cell is a number, money, a time, a telephone number: it is never cut.
fn is_figure(cell: &str) -> bool {
    let is_code = |word: &str| {
        let code = word.trim_end_matches(',');
        code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
    };
    let is_number = |word: &str| {
        word.contains(|c: char| c.is_ascii_digit())
            && word.chars().all(|c| c.is_ascii_digit() || "+-.,:/%•TZ".contains(c))
    };
    let mut words = cell.split_whitespace();
    words.next().is_some_and(is_number) && words.all(|word| is_number(word) || is_code(word))
}

/// A text under a label, `  what to do  …`: on a terminal it is broken between words, and goes on
/// below its beginning. A command between backticks is not broken: pasted into a shell, its first
/// line would run by itself.
pub fn labelled(label: &str, text: &str) -> String {
    broken(label, text, style::size().map(|(columns, _)| columns))
}

fn broken(label: &str, text: &str, terminal: Option<usize>) -> String {
    let indent = columns_of(label);
    let Some(columns) = terminal.filter(|columns| columns.saturating_sub(indent) > LEAST) else {
        return format!("{label}{text}\n");
    };
    let (mut lines, mut line, mut taken) = (String::new(), label.to_owned(), indent);
    for word in words(text) {
        let width = columns_of(word);
        if taken > indent && taken + 1 + width > columns {
            lines.push_str(&line);
            lines.push('\n');
            (line, taken) = (" ".repeat(indent), indent);
        }
        if taken > indent {
            line.push(' ');
            taken += 1;
        }
        line += word;
        taken += width;
    }
    format!("{lines}{line}\n")
}

/// The words of a text; what stands between two backticks is one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '`';
        c == ' ' && !is_quoted
    })
}

/// A cell in so many columns: see the page.
fn cut(cell: &str, width: usize) -> Cow<'_, str> {
    if columns_of(cell) <= width {
        return Cow::Borrowed(cell);
    }
    let room = width.saturating_sub(1);
    let tail = if ends_with_a_place(cell) { room * 3 / 4 } else { 0 };
    let tail = last_columns(cell, tail);
    let head = first_columns(cell, room.saturating_sub(columns_of(tail)));
    Cow::Owned(format!("{head}…{tail}"))
}

/// True of a path, and of a line of a file: the end tells more than the middle.
fn ends_with_a_place(cell: &str) -> bool {
    let is_line = |line: &str| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    let is_place = |text: &str| text.rsplit_once(':').is_some_and(|(_, line)| is_line(line));
    !cell.contains('@') && (is_place(cell) || (cell.contains('/') && !cell.contains(' ')))
}

/// The columns that a text takes: letter by letter, as terminals draw it. (As a whole, some Arabic
/// pairs would be one letter, which few terminals know.)
fn columns_of(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// The beginning of a text, in at most so many columns.
fn first_columns(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, letter) in text.grapheme_indices(true) {
        taken += letter.width();
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

/// The end of a text, in at most so many columns.
fn last_columns(text: &str, columns: usize) -> &str {
    let (mut taken, mut from) = (0, text.len());
    for (at, letter) in text.grapheme_indices(true).rev() {
        taken += letter.width();
        if taken > columns {
            break;
        }
        from = at;
    }
    &text[from..]
}

/// A cell that does not turn the direction of its line.
fn isolated(cell: Cow<'_, str>) -> Cow<'_, str> {
    if !cell.contains(is_right_to_left) {
        return cell;
    }
    let [start, end] = ISOLATE;
    Cow::Owned(format!("{start}{cell}{end}"))
}

/// True of the letters of the blocks that are written from right to left: Hebrew, Arabic, Syriac,
/// Thaana and their like.
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
        || matches!(letter, '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "CA20261120000000000000000000000108";

    /// Calls with names of every kind: long, CJK, Arabic, with combining marks.
    fn calls() -> Table {
        let row = |name: &str, place: &str, amount: &str| {
            [SID, "2026-11-20T21:15:00Z", "+14155550102", name, place, amount, "no-answer"]
                .map(str::to_owned)
                .to_vec()
        };
        let rows = [
            row("Nordwind Logistik und Spedition", "calls/2026-11-20.csv:17", "0.05000 USD"),
            row("株式会社北風物流サービス東京支店", "calls.csv:123456", "12.30000 USD"),
            row("شركة الشمال للخدمات اللوجستية المحدودة", "calls.csv:9", ""),
            row("Cafe\u{301} Zu\u{308}rich", "calls.csv:1", "0.10000 EUR, 0.20000 USD"),
        ];
        Table::new(
            &["call", "start", "to", "name", "source", "amount", "status"],
            &["amount"],
            rows,
        )
        .expendable(&["status"])
        .totals(&["amount"], "calls")
    }

    fn widest(text: &str) -> usize {
        text.lines().map(columns_of).max().unwrap()
    }

    #[test]
    fn a_table_is_no_wider_than_the_terminal_and_its_figures_are_whole() {
        let whole = calls().drawn(None);
        assert!(!whole.contains('…') && !whole.contains(ISOLATE), "a pipe gets all: {whole}");
        assert_eq!(widest(&calls().drawn(Some(1000))), widest(&whole), "there is room");
        for columns in [86, 96, 100, 120, 140, 200] {
            let text = calls().drawn(Some(columns));
            assert!(widest(&text) <= columns, "{columns}: {text}");
            let figures = [
                "2026-11-20T21:15:00Z",
                "+14155550102",
                "0.05000 USD",
                "12.30000 USD",
                "0.10000 EUR, 0.20000 USD",
                "12.55000 USD",
                "0.10000 EUR",
                "4 calls",
            ];
            for figure in figures {
                assert!(text.contains(figure), "{columns}: {figure} is whole in {text}");
            }
            // Cells of one column begin in one column, whatever they are written in.
            let starts = text
                .lines()
                .filter_map(|line| Some(columns_of(&line[..line.find("2026-11-20T")?])));
            let starts: std::collections::BTreeSet<usize> = starts.collect();
            assert_eq!(starts.len(), 1, "{columns}: {text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_then_left_out_and_said_then_wrapped() {
        let at = |columns: usize| calls().drawn(Some(columns));
        assert!(at(140).contains("CA2026") && !at(140).contains("also shows"), "{}", at(140));
        let narrow = at(110);
        assert!(narrow.ends_with("(a wider terminal also shows: status)\n"), "{narrow}");
        assert!(narrow.contains(":123456"), "{narrow}");
        let unmarked = at(20).replace(ISOLATE, "");
        let cells = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('─')).map(str::to_owned).collect()
        };
        assert_eq!(cells(&unmarked), cells(&calls().drawn(None)), "it is whole, and wraps");
    }

    #[test]
    fn cells_are_cut_where_they_say_least() {
        for (cell, width, expected) in [
            ("Nordwind Logistik", 17, "Nordwind Logistik"),
            ("Nordwind Logistik", 12, "Nordwind Lo…"),
            (SID, 12, "CA202611200…"),
            ("calls/2026-11-20.csv:17", 12, "cal…0.csv:17"),
            ("archive/calls.csv", 12, "arc…alls.csv"),
            // A CJK character takes two columns: one is left over here.
            ("株式会社北風物流", 8, "株式会…"),
            ("e\u{301}e\u{301}e\u{301}e\u{301}", 3, "e\u{301}e\u{301}…"),
            ("sip:bob@pbx.example.com:5060", 12, "sip:bob@pbx…"),
        ] {
            assert_eq!(cut(cell, width), expected, "{cell} in {width}");
            assert!(columns_of(&cut(cell, width)) <= width, "{cell} in {width}");
        }
    }

    #[test]
    fn a_long_text_goes_on_below_its_beginning() {
        let text = "add rows for +850 to the deck, then run again";
        assert_eq!(broken("  do  ", text, None), format!("  do  {text}\n"));
        assert_eq!(
            broken("  do  ", text, Some(24)),
            "  do  add rows for +850\n\x20     to the deck, then\n\x20     run again\n"
        );
        assert_eq!(
            broken("  do  ", "北風物流 北風物流", Some(20)),
            "  do  北風物流\n      北風物流\n"
        );
        assert_eq!(broken("  do  ", text, Some(10)), format!("  do  {text}\n"), "no room at all");
        let command = "then `trunkrate undo last --dry-run` shows it";
        assert_eq!(
            broken("  do  ", command, Some(30)),
            "  do  then\n      `trunkrate undo last --dry-run`\n      shows it\n"
        );
    }

    #[test]
    fn figures_are_told_from_texts() {
        for figure in [
            "0.05000 USD",
            "1,234",
            "-12.30",
            "+14155550102",
            "2026-11-20T21:15:00Z",
            "2026-11-20 21:15:00",
            "+44207946••••",
            "1.00 EUR, 2.00 USD",
            "60/60",
        ] {
            assert!(is_figure(figure), "{figure}");
        }
        for text in ["", "USD", SID, "calls.csv:17", "no-answer", "INV-2026-000001", "Café 12"] {
            assert!(!is_figure(text), "{text}");
        }
    }

    #[test]
    fn sums_stand_under_their_money_by_currency() {
        let rows =
            [("A", "1.005", "1.01 EUR"), ("B", "2.000", "2.00 USD"), ("C", "-0.5", "-0.50 EUR")];
        let rows = rows.map(|(name, net, total)| vec![name.into(), net.into(), total.into()]);
        let table = Table::new(&["account", "net", "total"], &["net", "total"], rows);
        // 1.005 − 0.5 = 0.505, and 1.01 − 0.50 = 0.51: each column by itself.
        assert_eq!(
            table.at_most(2).totals(&["net", "total"], "invoices").drawn(None),
            "account       net     total\n\
             ───────────────────────────\n\
             A           1.005  1.01 EUR\n\
             B           2.000  2.00 USD\n\
             ───────────────────────────\n\
             3 invoices  0.505  0.51 EUR\n\
             \x20           2.000  2.00 USD\n"
        );
    }

    #[test]
    fn a_cell_from_right_to_left_turns_no_line() {
        let text = calls().drawn(Some(200));
        let line = text.lines().find(|line| line.contains("شركة")).unwrap();
        assert!(line.contains('\u{2068}') && line.contains("المحدودة\u{2069}"), "{line}");
        assert_eq!(text.matches('\u{2068}').count(), 1, "the others need none");
    }
}
