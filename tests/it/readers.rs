//! Tables as other programs read them.

use crate::company::demo;
use crate::support::{run_python, value};

#[test]
fn pythons_delta_reader_and_duckdb_see_the_same_figures() {
    let project = demo();
    let table = project.join("lake/core/order_lines");
    let program = "import sys, deltalake, duckdb\n\
        rows = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()\n\
        print(duckdb.sql('SELECT count(*), sum(revenue), min(ordered_on) FROM rows').fetchone())\n";
    let printed = run_python(program, &[table.as_os_str()]);
    let ours = |sql: &str| value(project, &format!("SELECT {sql} FROM core.order_lines"));
    assert!(printed.contains(&ours("count(*)")), "{printed}");
    assert!(printed.contains(&format!("Decimal('{}')", ours("sum(revenue)"))), "{printed}");
}
