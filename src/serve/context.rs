//! What a template is given: values by their names.

use minijinja::value::{Serde, Value};
use serde::Serialize;

/// A value for a template.
#[must_use]
pub fn value_of(value: &impl Serialize) -> Value {
    Value::from(Serde(value))
}

/// Values by their names: `context! { title, count => rows.len() }`. They are taken by reference.
macro_rules! context {
    (@ $key:ident) => { $crate::serve::context::value_of(&$key) };
    (@ $key:ident => $value:expr) => { $crate::serve::context::value_of(&$value) };
    ($($key:ident $(=> $value:expr)?),* $(,)?) => {{
        let named = std::collections::BTreeMap::<&'static str, minijinja::Value>::from([
            $((stringify!($key), $crate::serve::context::context!(@ $key $(=> $value)?)),)*
        ]);
        $crate::serve::context::value_of(&named)
    }};
}

pub(crate) use context;
