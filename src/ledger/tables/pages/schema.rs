//! The columns of a table: names and kinds.

use crate::ledger_columns::{Column, ColumnType};
use polars_parquet::parquet::metadata::SchemaDescriptor;
use polars_parquet::parquet::schema::Repetition;
use polars_parquet::parquet::schema::types::{
    ParquetType, PhysicalType, PrimitiveConvertedType, PrimitiveLogicalType, TimeUnit,
};
use polars_utils::pl_str::PlSmallStr;

/// The id of a row without a value.
pub const NONE: u32 = u32::MAX;

/// The columns of a table.
#[derive(Debug, Clone)]
pub struct TableSchema(pub(crate) SchemaDescriptor);

/// The columns of a table, in their order: names and kinds.
#[must_use]
pub fn schema(columns: &[Column]) -> TableSchema {
    let fields = columns.iter().map(|(name, kind)| {
        let (physical, converted, logical) = match *kind {
            ColumnType::Text => (
                PhysicalType::ByteArray,
                Some(PrimitiveConvertedType::Utf8),
                Some(PrimitiveLogicalType::String),
            ),
            ColumnType::Integer => (PhysicalType::Int64, None, None),
            ColumnType::Flag => (PhysicalType::Boolean, None, None),
            ColumnType::Instant => {
                let logical = PrimitiveLogicalType::Timestamp {
                    unit: TimeUnit::Microseconds,
                    is_adjusted_to_utc: true,
                };
                (PhysicalType::Int64, None, Some(logical))
            }
            ColumnType::Decimal(scale) => {
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
