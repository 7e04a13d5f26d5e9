//! The actions of a Delta log and the schema of a table in the JSON of Delta's protocol.
//!
//! Unknown actions and fields are ignored when a log is read, as the protocol requires.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The table feature for columns of timestamps without a time zone.
pub(crate) const LOCAL_TIMES: &str = "timestampNtz";

/// One line of a commit or one row of a checkpoint. At most one of the fields is set; none for unknown actions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Action {
    /// The provenance of a commit; not in checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_info: Option<Value>,
    /// What readers and writers must support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Name and columns of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Metadata>,
    /// The progress of an application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txn: Option<Transaction>,
    /// A file that belongs to the table from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<AddFile>,
    /// A file that no longer belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove: Option<RemoveFile>,
}

/// What readers and writers must support.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// Name and columns of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub format: FileFormat,
    /// The columns, as JSON in a string.
    pub schema_string: String,
    #[serde(default)]
    pub partition_columns: Vec<String>,
    #[serde(default)]
    pub configuration: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// The format of a table's data files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileFormat {
    pub provider: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Default for FileFormat {
    fn default() -> FileFormat {
        FileFormat { provider: "parquet".to_string(), options: BTreeMap::new() }
    }
}

/// The progress of an application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transaction {
    pub app_id: String,
    pub version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// A file that belongs to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddFile {
    /// The path below the table's folder, percent-encoded.
    pub path: String,
    #[serde(default)]
    pub partition_values: BTreeMap<String, Option<String>>,
    pub size: i64,
    pub modification_time: i64,
    pub data_change: bool,
    /// Statistics, as JSON in a string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, Option<String>>>,
    /// Which of its rows are deleted; not supported by this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_vector: Option<Value>,
}

impl AddFile {
    /// The action that removes the file from the table.
    pub fn removal(&self, deletion_timestamp: i64) -> RemoveFile {
        RemoveFile {
            path: self.path.clone(),
            deletion_timestamp: Some(deletion_timestamp),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(self.partition_values.clone()),
            size: Some(self.size),
        }
    }
}

/// A file that no longer belongs to the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoveFile {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_values: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

macro_rules! actions {
    ($($field:ident: $type:ty),+ $(,)?) => {
        $(impl From<$type> for Action {
            fn from(action: $type) -> Action {
                Action { $field: Some(action), ..Action::default() }
            }
        })+
    };
}

actions! { protocol: Protocol, meta_data: Metadata, txn: Transaction, add: AddFile, remove: RemoveFile }

impl Protocol {
    /// The oldest protocol that supports the types of these columns.
    pub fn of(schema: &Schema) -> Protocol {
        let oldest =
            Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };
        if has_local_times(schema) { oldest.with_local_times() } else { oldest }
    }

    /// Whether tables of this protocol may have timestamps without a time zone.
    pub fn has_local_times(&self) -> bool {
        self.reader_features.iter().flatten().any(|feature| feature == LOCAL_TIMES)
    }

    /// The same with support for timestamps without a time zone.
    pub fn with_local_times(&self) -> Protocol {
        let mut reader_features = self.reader_features.clone().unwrap_or_default();
        // Writers of version 2 support these without listing them.
        let implied = || vec!["appendOnly".to_string(), "invariants".to_string()];
        let mut writer_features = self.writer_features.clone().unwrap_or_else(implied);
        for features in [&mut reader_features, &mut writer_features] {
            if !features.iter().any(|feature| feature == LOCAL_TIMES) {
                features.push(LOCAL_TIMES.to_string());
            }
        }
        Protocol {
            min_reader_version: 3,
            min_writer_version: 7,
            reader_features: Some(reader_features),
            writer_features: Some(writer_features),
        }
    }
}

/// Whether a column, or a part of one, holds timestamps without a time zone.
pub(crate) fn has_local_times(schema: &Schema) -> bool {
    fn in_type(data_type: &DataType) -> bool {
        match data_type {
            DataType::Timestamp(_, None) => true,
            DataType::List(element) => in_type(element.data_type()),
            DataType::Struct(members) => members.iter().any(|f| in_type(f.data_type())),
            _ => false,
        }
    }
    schema.fields().iter().any(|f| in_type(f.data_type()))
}

/// The columns of a table as Delta's JSON.
pub(crate) fn schema_json(table: &TableName, schema: &Schema) -> Result<Value> {
    let fields = schema.fields().iter().map(|f| field_json(table, f)).collect::<Result<Vec<_>>>()?;
    Ok(json!({"type": "struct", "fields": fields}))
}

fn field_json(table: &TableName, field: &Field) -> Result<Value> {
    let data_type = type_json(table, field)?;
    Ok(json!({"name": field.name(), "type": data_type, "nullable": true, "metadata": {}}))
}

fn type_json(table: &TableName, field: &Field) -> Result<Value> {
    let name = match field.data_type() {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Utf8 => "string",
        DataType::Binary => "binary",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp_ntz",
        DataType::Decimal128(precision, scale) => return Ok(json!(format!("decimal({precision},{scale})"))),
        DataType::List(element) => {
            let element = type_json(table, element)?;
            return Ok(json!({"type": "array", "elementType": element, "containsNull": true}));
        }
        DataType::Struct(members) => {
            let fields = members.iter().map(|f| field_json(table, f)).collect::<Result<Vec<_>>>()?;
            return Ok(json!({"type": "struct", "fields": fields}));
        }
        other => {
            return Err(Error::bug(format!(
                "column `{}` of {table} is {other}, which a Delta table cannot hold",
                field.name()
            )));
        }
    };
    Ok(json!(name))
}

/// Percent-encodes a path below a table's folder.
pub(crate) fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Decodes a percent-encoded path; what does not decode to UTF-8 is returned unchanged.
pub(crate) fn decode_path(encoded: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|b| char::from(*b).to_digit(16));
    let bytes = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| encoded.to_string())
}
