//! A file as an input, which its reading thread opens.

use super::convert::Converter;
use super::ingest::{Input, Open};
use perennial_core::contract::{ColumnPolicy, Format, Load, SourceTable};
use perennial_core::error::Result;
use perennial_lake::HeldText;
use perennial_sources::{Files, HeldHashes, ParquetReader, RowReader, SourceFile, has_header, open_text};
use std::sync::Arc;

/// The input of one file of a table.
pub(super) async fn input(files: &Files, file: &SourceFile, table: &Arc<SourceTable>) -> Result<Input> {
    Ok(input_and_hashes(files, file, table).await?.0)
}

/// The input of one file of a table, and where its files are known by what they hold, the hashes of that once it is read.
pub(super) async fn input_and_hashes(
    files: &Files,
    file: &SourceFile,
    table: &Arc<SourceTable>,
) -> Result<(Input, Option<HeldHashes>)> {
    let format = table.format().cloned().unwrap_or(Format::JsonLines);
    let wanted = Converter::contract_fields(table);
    let takes_new = table.on_new_column != ColumnPolicy::Ignore;
    let has_header = has_header(&format);
    let mut hashes = None;
    let open: Open = if format == Format::Parquet {
        let hash = files.content_hash(file).await?;
        let (files, file) = (files.clone(), file.clone());
        Box::new(move || {
            let wants = |name: &str| takes_new || wanted.iter().any(|field| field == name);
            Ok(RowReader::Typed(Box::new(ParquetReader::open(&files, &file, hash, wants)?)))
        })
    } else {
        let mut bytes = files.read(file).await?;
        if table.rotated {
            hashes = Some(bytes.hash_held(HeldText::START_BYTES));
            if matches!(table.load, Load::Append { .. }) {
                // A row that was added stays as it is.
                bytes.only_whole_lines();
            }
        }
        Box::new(move || Ok(RowReader::Text(open_text(bytes, &format, &wanted, takes_new)?)))
    };
    let input = Input { label: file.path.clone(), readers: vec![open], has_header, bytes: file.bytes };
    Ok((input, hashes))
}

/// What a file held that has been read.
pub(super) fn held(hashes: &HeldHashes) -> HeldText {
    let (bytes, start, hash) = hashes.read();
    HeldText { bytes, start, hash }
}
