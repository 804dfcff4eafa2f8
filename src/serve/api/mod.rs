//! The same data as JSON under `/api/v1`.
//!
//! | file | what it holds |
//! |---|---|
//! | [`types`] | the shapes of answers: the document of the API is made from them |
//! | [`answers`] | what each address answers |
//! | [`openapi`] | the document, `OpenAPI` 3.1 |
//!
//! **Invariant:** money is text. An address that is not known, a name of a query that is not known,
//! and a value that cannot be understood are problems (RFC 9457), and never an empty list.

pub mod answers;
pub mod openapi;
pub mod types;
