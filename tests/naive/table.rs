//! The carrier's page "Call Transfer via SIP REFER", once more, as four literal rows.
//!
//! Naive: a party is a letter (`A`, `B` of the root call, `C` the target), a service is its English
//! word.

/// One leg of a cell: the service, from whom, to whom.
pub type Cell = (&'static str, char, char);

/// One row as published.
pub struct TableRow {
    /// The row's name.
    pub id: &'static str,
    /// The service of the parent call.
    pub parent: &'static str,
    /// The kind of the target C: `sip` or `pstn`.
    pub target: &'static str,
    /// What the parent bills.
    pub parent_leg: Cell,
    /// What the log shows for the parent.
    pub parent_log: (char, char),
    /// What the child bills.
    pub child_legs: &'static [Cell],
    /// What the log shows for the child.
    pub child_log: (char, char),
}

/// The published table, rows in published order, odd cells included.
#[rustfmt::skip]
pub const TABLE: [TableRow; 4] = [
    TableRow {
        id: "termination-to-sip", parent: "termination", target: "sip",
        parent_leg: ("termination", 'A', 'B'), parent_log: ('A', 'B'),
        child_legs: &[("termination", 'C', 'B')], child_log: ('B', 'C'),
    },
    TableRow {
        id: "termination-to-pstn", parent: "termination", target: "pstn",
        parent_leg: ("termination", 'A', 'B'), parent_log: ('A', 'B'),
        child_legs: &[("termination", 'A', 'B'), ("termination", 'A', 'C')], child_log: ('B', 'C'),
    },
    TableRow {
        id: "origination-to-sip", parent: "origination", target: "sip",
        parent_leg: ("origination", 'A', 'B'), parent_log: ('A', 'B'),
        child_legs: &[("origination", 'A', 'C')], child_log: ('A', 'C'),
    },
    TableRow {
        id: "origination-to-pstn", parent: "origination", target: "pstn",
        parent_leg: ("origination", 'A', 'B'), parent_log: ('A', 'B'),
        child_legs: &[("origination", 'A', 'B'), ("termination", 'B', 'C')], child_log: ('A', 'C'),
    },
];
