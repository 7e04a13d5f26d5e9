//! The tables `system.*`, the lake's records of its runs. Rows are appended run by run and belong to no release, because
//! failed runs are recorded as well.

use super::DataFile;
use super::open::{Lake, table_folder};
use super::shape::{conform, lake_schema};
use super::writer::write_file;
use arrow::array::RecordBatch;
use perennial_core::contract::TableName;
use perennial_core::error::{Error, Result};

impl Lake {
    /// Appends rows of one run to `system.<name>`. A run may append several times; without rows no file is written.
    ///
    /// # Errors
    /// `Unreachable` when the store fails.
    pub async fn append_system(&self, name: &str, run_id: &str, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let table = TableName::new("system", name);
        let folder = table_folder(&table)?;
        let batch = conform(&table, &lake_schema(&table, &rows.schema())?, rows)?;
        let part = self.next_part(&folder, run_id).await?;
        let path = format!("{folder}/{run_id}-{part}-{}rows.parquet", batch.num_rows());
        write_file(self, &path, &batch).await?;
        Ok(())
    }

    /// The files of `system.<name>`, oldest run first; one listing.
    ///
    /// # Errors
    /// `Unreachable` when the store fails, `Data` when there is a file of another program.
    pub async fn system_files(&self, name: &str) -> Result<Vec<DataFile>> {
        let folder = table_folder(&TableName::new("system", name))?;
        let mut files = Vec::new();
        for (path, bytes) in self.list(&folder).await? {
            if path.ends_with(".parquet") {
                let rows = rows_of(&path).ok_or_else(|| {
                    Error::data(format!("{path} is not a file that perennial has written to the lake"))
                })?;
                files.push(DataFile { path, bytes, rows, content: None, blocks: None });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The number of a run's next file of a system table, after those that this process has written and those found.
    async fn next_part(&self, folder: &str, run_id: &str) -> Result<u64> {
        let key = (folder.to_string(), run_id.to_string());
        let next = self.system_parts().get(&key).copied();
        let start = match next {
            Some(next) => next,
            None => {
                let found = self.list(folder).await?;
                let parts = found.iter().filter_map(|(path, _)| {
                    path.rsplit('/').next()?.strip_prefix(run_id)?.strip_prefix('-')?.split('-').next()?.parse().ok()
                });
                parts.max().map_or(1, |last: u64| last + 1)
            }
        };
        let mut parts = self.system_parts();
        let next = parts.entry(key).or_insert(start);
        *next = (*next).max(start) + 1;
        Ok(*next - 1)
    }
}

/// The number of rows in a file is part of its name, so that a listing is enough: `<run_id>-<part>-<n>rows.parquet`.
fn rows_of(path: &str) -> Option<u64> {
    path.strip_suffix("rows.parquet")?.rsplit('-').next()?.parse().ok()
}
