//! A file as an input, which its reading thread opens.

use super::convert::Converter;
use super::ingest::{Input, Open};
use perennial_core::contract::{ColumnPolicy, Format, SourceTable};
use perennial_core::error::Result;
use perennial_sources::{Files, ParquetReader, RowReader, SourceFile, has_header, open_text};
use std::sync::Arc;

/// The input of one file of a table.
pub(super) async fn input(files: &Files, file: &SourceFile, table: &Arc<SourceTable>) -> Result<Input> {
    let format = table.format().cloned().unwrap_or(Format::JsonLines);
    let wanted = Converter::contract_fields(table);
    let takes_new = table.on_new_column != ColumnPolicy::Ignore;
    let has_header = has_header(&format);
    let open: Open = if format == Format::Parquet {
        let hash = files.content_hash(file).await?;
        let (files, file) = (files.clone(), file.clone());
        Box::new(move || {
            let wants = |name: &str| takes_new || wanted.iter().any(|field| field == name);
            Ok(RowReader::Typed(Box::new(ParquetReader::open(&files, &file, hash, wants)?)))
        })
    } else {
        let bytes = files.read(file).await?;
        Box::new(move || Ok(RowReader::Text(open_text(bytes, &format, &wanted, takes_new)?)))
    };
    Ok(Input { label: file.path.clone(), readers: vec![open], has_header, bytes: file.bytes })
}
