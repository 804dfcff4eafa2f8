//! The columns of a table: names and kinds.

use polars_parquet::parquet::metadata::SchemaDescriptor;
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::parquet::schema::types::{
    ParquetType, PhysicalType, PrimitiveConvertedType, PrimitiveLogicalType, TimeUnit,
};
use polars_utils::pl_str::PlSmallStr;

/// The id of a row without a value.
pub const NONE: u32 = u32::MAX;

/// The type of a column. Every column may have nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// 64 bits, signed.
    Integer,
    /// Microseconds since 1970 in UTC.
    Instant,
    /// A `DECIMAL(18, scale)`: units of 10^-scale.
    Decimal(u32),
}

/// The columns of a table.
#[derive(Debug, Clone)]
pub struct TableSchema(pub(crate) SchemaDescriptor);

/// The columns of a table, in their order: names and kinds.
#[must_use]
pub fn schema(columns: &[(&str, Kind)]) -> TableSchema {
    let fields = columns.iter().map(|(name, kind)| {
        let (physical, converted, logical) = match *kind {
            Kind::Text => (
                PhysicalType::ByteArray,
                Some(PrimitiveConvertedType::Utf8),
                Some(PrimitiveLogicalType::String),
            ),
            Kind::Integer => (PhysicalType::Int64, None, None),
            Kind::Instant => {
                let logical = PrimitiveLogicalType::Timestamp {
                    unit: TimeUnit::Microseconds,
                    is_adjusted_to_utc: true,
                };
                (PhysicalType::Int64, None, Some(logical))
            }
            Kind::Decimal(scale) => {
                let (digits, scale) = (crate::money::STORED_DIGITS as usize, scale as usize);
                let logical = PrimitiveLogicalType::Decimal(digits, scale);
                (
                    PhysicalType::Int64,
                    Some(PrimitiveConvertedType::Decimal(digits, scale)),
                    Some(logical),
                )
            }
        };
        let name = PlSmallStr::from_str(name);
        ParquetType::try_from_primitive(
            name,
            physical,
            Repetition::Optional,
            converted,
            logical,
            None,
        )
        .expect("the types fit each other")
    });
    TableSchema(SchemaDescriptor::new(PlSmallStr::from_static("root"), fields.collect()))
}
