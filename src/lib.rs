//! trunkrate (crate docs follow)
pub mod call;
pub mod deck;
pub mod family;
pub mod intern;
pub mod money;
pub mod night;
pub mod party;
pub mod policy;
pub mod rating;
pub mod record;
pub mod reject;
pub mod scenario;
pub mod table;
pub mod target;
pub mod time;
pub mod trunk;
pub mod io { }
