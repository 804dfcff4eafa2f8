//! The pages: what each shows, from the functions of the library.
//!
//! | file | page |
//! |---|---|
//! | [`tonight`] | `/`: whether all is well |
//! | [`calls`] | `/calls`: calls found |
//! | [`call`] | `/calls/{sid}`: one call, and why its price is what it is |
//! | [`source`] | `/calls/{sid}/source`: the record that it was booked from |
//! | [`waiting`] | `/waiting`: what waits, by cause |
//! | [`versions`] | the versions of one call side by side, on `/waiting` and on its own page |
//! | [`customers`] | `/customers`, `/customers/{account}` |
//! | [`month`] | `/month`: a month before it is issued |
//! | [`rates`] | `/rates`: a number looked up |
//! | [`nights`] | `/nights`, the report of a run |
//! | [`invoices`] | `/invoices/{number}`: a document |
//! | [`search`] | what is asked for, from the query of a page or of the API |
//!
//! **Invariant:** a view computes no money; it prints sums of the report, the ledger and documents.

pub mod call;
pub mod calls;
pub mod customers;
pub mod invoices;
pub mod month;
pub mod nights;
pub mod rates;
pub mod search;
pub mod source;
pub mod tonight;
pub mod versions;
pub mod waiting;
